"""The paper venue: its market is moved by hand, its faults are its own, its truth is its journal."""

from datetime import timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, select

from pilothouse.core.instrument import Instrument
from pilothouse.core.rounding import EXACT
from pilothouse.kit.clocks import FrozenClock
from pilothouse.simulation.contracts import CONTRACTS, UNITS_PER_QUOTE
from pilothouse.venues.paper import PaperVenue
from pilothouse.venues.paper_faults import Fault, PaperFaults
from pilothouse.venues.paper_opened import PAPER_FILE, open_paper
from pilothouse.venues.paper_tables import accounts, executions, holdings, orders
from pilothouse.venues.port import VenueAccount
from tests.cards.stand import Stand, There
from tests.conftest import NOON

_FAULTS = {"lost": Fault.LOSE_ANSWER, "reset": Fault.LOSE_REQUEST}
_ids = count(1)


class PaperStand(Stand):
    """Paper money on a made-up market."""

    name = "paper"
    venue: PaperVenue
    clock: Any

    def __init__(self, folder: Path) -> None:
        self._opened: list[VenueAccount] = []
        self.clock = FrozenClock(NOON)
        self._faults = PaperFaults()
        self.venue = open_paper(folder, clock=self.clock, seed=7, faults=self._faults)
        self._journal = create_engine(f"sqlite:///{folder / PAPER_FILE}")

    def close(self) -> None:
        """Let go of everything."""
        self._journal.dispose()
        self.venue.close()

    def open(self, deposit: int) -> VenueAccount:
        account = VenueAccount(f"acc_{next(_ids)}", "own_1")
        self.venue.open_account(account, Decimal(deposit))
        self._opened.append(account)
        return account

    def reset(self) -> None:
        """Begin a card with an empty book: what other accounts left standing would take what there is."""
        self.clear()
        for account in self._opened:
            for order in self.venue.open_orders(account):
                self.venue.cancel(account, order.terms.symbol, order.client_order_id)
        self._opened.clear()
        super().reset()

    def put(self, symbol: str, price: str) -> None:
        self.venue.set_price(symbol, Decimal(price))

    def advance(self, span: timedelta) -> None:
        self.clock.advance(span)
        self.venue.step(self.clock.now())

    def fault(self, kind: str, call: str = "place", *, times: int = 1, **more: Any) -> None:
        call = {"batch": "place", "amend": "cancel"}.get(call, call)
        self._faults.arm(_FAULTS[kind], call, times=times if times > 0 else 1_000)

    def clear(self) -> None:
        self._faults.disarm()

    # ── Truth ─────────────────────────────────────────────────────────────────────────────────────

    def _rows(self, statement: Any) -> list[Any]:
        with self._journal.connect() as connection:
            return list(connection.execute(statement))

    def orders_there(self, account: VenueAccount) -> list[There]:
        found = self._rows(select(orders).where(orders.c.account_id == account.id).order_by(orders.c.number))
        return [
            There(row.client_id, row.symbol, row.status, _base(row.symbol, row.lots), _base(row.symbol, row.filled))
            for row in found
        ]

    def fills_there(self, account: VenueAccount) -> dict[str, Decimal]:
        found = self._rows(select(executions).where(executions.c.account_id == account.id))
        return {str(row.trade): _base(row.symbol, row.lots) for row in found}

    def wallet_there(self, account: VenueAccount) -> Decimal:
        (row,) = self._rows(select(accounts.c.wallet).where(accounts.c.id == account.id))
        return EXACT.divide(Decimal(row.wallet), Decimal(UNITS_PER_QUOTE))

    def held_there(self, account: VenueAccount) -> dict[str, Decimal]:
        found = self._rows(select(holdings).where(holdings.c.account_id == account.id, holdings.c.lots != 0))
        return {row.symbol: _base(row.symbol, row.lots) for row in found}

    def asked_to_place(self, account: VenueAccount) -> int:
        return len(self.orders_there(account))

    def rules_there(self, symbol: str) -> Instrument:
        return CONTRACTS[symbol].instrument

    def stranger(self) -> VenueAccount:
        return VenueAccount("acc_nobody", "own_1")


def _base(symbol: str, lots: int) -> Decimal:
    return EXACT.multiply(Decimal(lots), CONTRACTS[symbol].instrument.lot)
