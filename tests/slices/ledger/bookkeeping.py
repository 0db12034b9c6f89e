"""How tests of the ledger speak of fills: few words for what they need, real books behind them."""

import itertools
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from pilothouse.core.fill import Fill
from pilothouse.core.instrument import Side
from pilothouse.core.position import Position
from pilothouse.kit.db import Database
from pilothouse.ledger import exposure, positions, post
from pilothouse.ledger.post import Paid, Posted

D = Decimal
_numbers = itertools.count(1)


class Account:
    """One account in real books, with a name nobody else has."""

    def __init__(self, database: Database, owner_id: str = "usr_a", deposit: Decimal | int = 0) -> None:
        """Open books with `deposit` USDT in them."""
        self.database = database
        self.owner_id = owner_id
        self.id = f"acc_{next(_numbers)}"
        self.whose = {"account_id": self.id, "owner_id": owner_id}
        if deposit:
            self.transfer("deposit", D(deposit))

    @property
    def now(self) -> datetime:
        """Return the time of the house."""
        return self.database.clock.now()

    def told(self, fill: Fill, **more: Any) -> Posted | None:
        """Post a fill in a transaction of its own."""
        at = {"now": self.now, "tick": self.database.clock.tick()}
        about: dict[str, Any] = {"order_id": "ord_1", "hook_id": "hok_1", **at, **self.whose, **more}
        return self.database.write(lambda tx: post.post_fill(tx, fill, **about), name="fill")

    def transfer(self, venue_id: str, amount: Decimal, currency: str = "USDT") -> Paid | None:
        """Post a deposit or withdrawal."""
        about: dict[str, Any] = {"venue_id": venue_id, "amount": amount, "currency": currency, **self._when()}
        return self.database.write(lambda tx: post.post_transfer(tx, **about), name="transfer")

    def funding(self, venue_id: str, amount: Decimal, symbol: str = "BTCUSDT") -> Paid | None:
        """Post a funding payment."""
        about: dict[str, Any] = {
            "venue_id": venue_id,
            "amount": amount,
            "currency": "USDT",
            "symbol": symbol,
            **self._when(),
        }
        return self.database.write(lambda tx: post.post_funding(tx, **about), name="funding")

    def wallet(self, currency: str = "USDT") -> Decimal:
        """Return what the books say is owned."""
        return self.database.read(lambda tx: exposure.wallet(tx, self.id, currency))

    def position(self, symbol: str = "BTCUSDT") -> Position:
        """Return what the books say is held."""
        return self.database.read(lambda tx: positions.position(tx, self.id, symbol))

    def drift(self) -> list[str]:
        """Return where the folds differ from the entries."""
        return self.database.read(lambda tx: positions.drift(tx, self.id))

    def _when(self) -> dict[str, Any]:
        return {"at": self.now, "now": self.now, **self.whose}


def fill(number: int, side: Side, quantity: str | Decimal, price: str | Decimal, at: datetime, **more: Any) -> Fill:
    """Return a fill of BTCUSDT with 0.04 USDT commission, with changes."""
    plain = Fill(
        venue_trade_id=str(number),
        venue_order_id=f"v{number}",
        client_order_id=f"ph{number}",
        symbol="BTCUSDT",
        side=side,
        price=D(price),
        quantity=D(quantity),
        commission=D("0.04"),
        commission_currency="USDT",
        realised=None,
        maker=False,
        at=at,
    )
    return replace(plain, **more)
