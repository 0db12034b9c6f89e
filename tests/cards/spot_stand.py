"""Our adapter for ccxt's Binance spot, on the simulated exchange: coins are held, and commission is taken of them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from pilothouse.core.instrument import Instrument
from pilothouse.core.order import OrderTerms
from pilothouse.core.rounding import EXACT
from pilothouse.simexchange.exchange import SPOT
from pilothouse.simexchange.streams import Listening
from pilothouse.simulation.contracts import CONTRACTS, SETTLEMENT, UNITS_PER_QUOTE
from pilothouse.simulation.spot_orders import SpotAccount
from pilothouse.venues.port import VenueAccount
from tests.cards.binance_stand import BinanceStand
from tests.cards.stand import There

_FROM_BEFORE: Final[Mapping[str, int]] = {"BTC": 3, "SOL": 70_000}
"""Whole coins that an account has before the house sees it: what is not held cannot be sold."""


class SpotStand(BinanceStand):
    """Binance spot as this house speaks to it."""

    name = "binance"
    owes = False

    def __init__(self, folder: Path) -> None:
        self._followed: Counter[str] = Counter()
        super().__init__(folder)
        self._count_subscriptions()

    def _new(self, deposit: int, **more: Any) -> VenueAccount:
        account = super()._new(deposit, **more)
        self.inside(lambda exchange: exchange.spot.open_account(account.id, deposit * UNITS_PER_QUOTE))
        for coin, whole in _FROM_BEFORE.items():
            self._spot(account).free[coin] = whole * UNITS_PER_QUOTE
        return account

    def as_told(self, terms: OrderTerms) -> OrderTerms:
        return replace(terms, reduce_only=False)

    def fault(self, kind: str, call: str = "place", *, times: int = 1, **more: Any) -> None:
        if call == "batch":  # its orders go one by one
            super().fault(kind, "place", times=2)
        else:  # to change is to cancel and to place another
            super().fault(kind, {"amend": "cancel"}.get(call, call), times=times, **more)

    def cut(self, account: VenueAccount) -> None:
        assert self.control("POST", "streams", do="drop", account=SPOT + account.id)["dropped"]

    def expire_key(self, account: VenueAccount) -> None:
        over = {"e": "eventStreamTerminated", "E": self.exchange.clock.now() // 1_000}
        self.inside(lambda exchange: exchange.telling.tell(SPOT + account.id, "eventStreamTerminated", over))

    def streams_opened(self, account: VenueAccount) -> int:
        return self._followed[SPOT + account.id]

    def _count_subscriptions(self) -> None:
        """Count who begins to hear whom: a subscription is a call on a socket, and no request."""
        hub = self._running.sim.hub
        follow = hub.follow

        def counted(connection: Listening, owner: str) -> None:
            self._followed[owner] += 1
            follow(connection, owner)

        self.inside(lambda _: setattr(hub, "follow", counted))

    def rules_there(self, symbol: str) -> Instrument:
        return replace(super().rules_there(symbol), leverage_max=1)

    # ── Truth ─────────────────────────────────────────────────────────────────────────────────────

    def _spot(self, account: VenueAccount) -> SpotAccount:
        return self.inside(lambda exchange: exchange.spot.accounts[account.id])

    def orders_there(self, account: VenueAccount) -> list[There]:
        return [
            There(
                each.client_id, each.symbol, each.word, _base(each.symbol, each.lots), _base(each.symbol, each.filled)
            )
            for each in self._spot(account).orders.values()
        ]

    def fills_there(self, account: VenueAccount) -> dict[str, Decimal]:
        orders = self._spot(account).orders.values()
        return {str(fill.trade): _base(fill.symbol, fill.lots) for order in orders for fill in order.fills}

    def wallet_there(self, account: VenueAccount) -> Decimal:
        return self._coins(account)[SETTLEMENT]

    def held_there(self, account: VenueAccount) -> dict[str, Decimal]:
        coins = self._coins(account)
        held = {symbol: coins.get(contract.instrument.base) for symbol, contract in CONTRACTS.items()}
        return {symbol: quantity for symbol, quantity in held.items() if quantity}

    def open_there(self, account: VenueAccount) -> dict[str, Decimal]:
        fees: Counter[str] = Counter()
        for order in self._spot(account).orders.values():
            for fill in order.fills:
                fees[fill.asset] += fill.commission
        found = {}
        for symbol, quantity in self.held_there(account).items():
            coin = CONTRACTS[symbol].instrument.base
            found[symbol] = quantity - _FROM_BEFORE.get(coin, 0) + _whole(fees[coin])
        return {symbol: quantity for symbol, quantity in found.items() if quantity}

    def _coins(self, account: VenueAccount) -> dict[str, Decimal]:
        spot = self._spot(account)
        names = spot.free.keys() | spot.locked.keys()
        return {name: _whole(spot.free.get(name, 0) + spot.locked.get(name, 0)) for name in names}


def _whole(units: int) -> Decimal:
    return EXACT.divide(Decimal(units), Decimal(UNITS_PER_QUOTE))


def _base(symbol: str, lots: int) -> Decimal:
    return EXACT.multiply(Decimal(lots), CONTRACTS[symbol].instrument.lot)
