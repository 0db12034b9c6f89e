"""Telling: what changed on the floor goes in, events for those who listen come out, each in the venue's words."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pilothouse.simexchange import user_events
from pilothouse.simexchange.clock import ExchangeClock
from pilothouse.simexchange.figures import Grid
from pilothouse.simexchange.records import BINANCE, AccountFile, Algo, Fill, Told, slots_of
from pilothouse.simulation.floor import Changes, Floor
from pilothouse.simulation.liquidation import nearly_lost
from pilothouse.simulation.orders import Status
from pilothouse.simulation.slots import symbol_of

Listener = Callable[[str, str, dict[str, Any]], None]
"""Hears (account id, kind of event, event)."""


class Telling:
    """Who listens to one exchange, and what they are told. `watched` says whether anybody hears an account."""

    def __init__(self, clock: ExchangeClock, floor: Floor, grids: dict[str, Grid]) -> None:
        self.clock, self.floor, self.grids = clock, floor, grids
        self.listeners: list[Listener] = []
        self.watched: Callable[[str], bool] = lambda _account: False

    def tell(self, account_id: str, kind: str, event: dict[str, Any]) -> None:
        """Hand an event of an account to whoever listens; no account: one for everybody."""
        for listener in self.listeners:
            listener(account_id, kind, event)

    def order(self, file: AccountFile, told: Told, execution: str, status: Status, fill: Fill | None) -> None:
        """Tell of one thing that happened to an order."""
        symbol = told.order.symbol
        event = user_events.order_update(
            told, self.floor.contracts[symbol], self.grids[symbol], file.profile, execution, status.value,
            self.clock.now(), fill,
        )  # fmt: skip
        self.tell(file.id, "ORDER_TRADE_UPDATE", event)

    def algo(self, file: AccountFile, algo: Algo) -> None:
        """Tell where a conditional order is."""
        symbol = algo.symbol
        event = user_events.algo_update(algo, self.floor.contracts[symbol], self.grids[symbol], self.clock.now())
        self.tell(file.id, "ALGO_UPDATE", event)

    def life_of(self, file: AccountFile, told: Told, fills: Sequence[Fill]) -> None:
        """Tell what became of an order: that it is new, each trade, and how it ended."""
        order = told.order
        if not self.watched(file.id):
            told.announced, told.told, told.told_worth = True, order.filled, order.traded
            return
        unit = self.floor.contracts[order.symbol].unit
        for fill in fills:
            told.told += fill.lots
            told.told_worth += fill.lots * fill.price * unit
            status = Status.FILLED if told.told >= order.lots else Status.PARTIALLY_FILLED
            if file.profile == BINANCE:
                lite = user_events.trade_lite(told, self.grids[order.symbol], self.clock.now(), fill)
                self.tell(file.id, "TRADE_LITE", lite)
            self.order(file, told, "TRADE", status, fill)
        if not order.is_open and order.status is not Status.FILLED:
            self.order(file, told, user_events.ending_of(order.status), order.status, None)
        elif order.triggered and order.is_open and not fills:
            self.order(file, told, "NEW", order.status, None)

    def accounts(self, changes: Changes, reason: str) -> None:
        """Tell each account what its balance and positions are, where a trade or a movement changed them."""
        moved: dict[str, int] = {}
        for movement in changes.movements:
            moved[movement.account_id] = moved.get(movement.account_id, 0) + movement.amount
        traded = dict.fromkeys(each.account_id for each in changes.executions)
        now = self.clock.now()
        for account_id in {**traded, **moved}:
            if self.watched(account_id) and reason == "FUNDING_FEE":
                self._funding(changes, account_id, moved[account_id])
            elif self.watched(account_id):
                slots = [key for name, key in changes.holdings if name == account_id]
                event = user_events.account_update(
                    self.floor, self.grids, account_id, slots, reason, moved.get(account_id, 0), now
                )
                self.tell(account_id, "ACCOUNT_UPDATE", event)

    def _funding(self, changes: Changes, account_id: str, total: int) -> None:
        """Tell of each funding payment by itself; with the position only where it is isolated."""
        left = total
        isolated = [key for name, key in changes.holdings if name == account_id]
        for movement in changes.movements:
            if movement.account_id != account_id:
                continue
            left -= movement.amount
            slots = [key for key in isolated if symbol_of(key) == movement.symbol]
            event = user_events.account_update(
                self.floor, self.grids, account_id, slots, "FUNDING_FEE", movement.amount, self.clock.now(), left
            )
            event["a"]["S"] = movement.symbol
            self.tell(account_id, "ACCOUNT_UPDATE", event)

    def settings(self, file: AccountFile, symbol: str, reason: str) -> None:
        """Tell an account how its positions of an instrument are set now."""
        if self.watched(file.id):
            slots, now = slots_of(self.floor.accounts[file.id], symbol), self.clock.now()
            event = user_events.account_update(self.floor, self.grids, file.id, slots, reason, 0, now)
            self.tell(file.id, "ACCOUNT_UPDATE", event)

    def margin_calls(self, files: Iterable[AccountFile], now: int) -> None:
        """Warn, once, whoever is near to losing a position by force."""
        for file in files:
            account = self.floor.accounts[file.id]
            near = nearly_lost(self.floor, account) if any(h.lots for h in account.holdings.values()) else []
            fresh = [key for key in near if key not in file.called]
            file.called = set(near)
            if fresh and self.watched(file.id):
                event = user_events.margin_call(self.floor, self.grids, file.id, fresh, now)
                self.tell(file.id, "MARGIN_CALL", event)
