"""Writes down the orders of a run in turns as they are made, moved, filled and ended. Pure.

A run has one only where somebody wants its orders: it changes nothing of what comes out.
"""

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np

from pilothouse.backtest.orders import ORDER_COLUMNS, ORDER_WIDTH, Orders, Outcome
from pilothouse.backtest.result import Reason
from pilothouse.backtest.turn_orders import ALL, Lane, Leg, Order

(
    _MADE, _ENDED, _MARKET, _SIGN, _LOTS, _LIMIT, _TRIGGER, _LAST, _TRAIL, _MOVES, _REDUCES, _REASON, _FILLED, _OUTCOME,
    _NAME, _WORDS,
) = range(len(ORDER_COLUMNS))  # fmt: skip

UNSIZED: Final = -1
_STANDS: Final = -1
_PROTECTS: Final = frozenset({Reason.STOP, Reason.TRAIL, Reason.BREAK_EVEN})
_FORCED: Final = "liquidation"
_WORDS_OF: Final = {
    Outcome.UNPAID: "the account could not pay for it",
    Outcome.EXPIRED: "it waited as long as it may",
    Outcome.NOTHING_HELD: "nothing was held that it could reduce",
    Outcome.NO_PLACE: "as many positions were open as may be",
}


class OrderLog:
    """The orders of one run."""

    def __init__(self) -> None:
        """Begin with none."""
        self._rows: list[list[int]] = []
        self._fill_order: list[int] = []
        self._names: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self._places: dict[int, int] = {}
        self._triggered: set[int] = set()
        self._now: Callable[[], int] | None = None

    @property
    def is_used(self) -> bool:
        """Say whether a run wrote into it: a compiled one does not."""
        return self._now is not None

    def seat(self, lanes: Iterable[Lane], now: Callable[[], int]) -> None:
        """Begin a run over these instruments; `now` tells its time, milliseconds since 1970."""
        self._places = {id(lane): place for place, lane in enumerate(lanes)}
        self._now = now

    def made(self, order: Order) -> None:
        """Write down an order that was decided."""
        order.number = self._row(
            order.leg, order.key, order.sign, 0 if order.lots >= ALL else order.lots, order.limit or 0,
            order.trigger or 0, order.trail, reduces=order.reduces, reason=order.reason,
        )  # fmt: skip

    def never(
        self, leg: Leg, key: str, sign: int, lots: int, outcome: Outcome, words: str = "", *, limit: int | None = None,
        trigger: int | None = None, reduces: bool = False, reason: Reason = Reason.SIGNAL,
    ) -> None:  # fmt: skip
        """Write down what was wanted and did not become an order."""
        number = self._row(leg, key, sign, lots, limit or 0, trigger or 0, 0, reduces=reduces, reason=reason)
        self._end(number, outcome, words or _WORDS_OF.get(outcome, ""))

    def denied(self, order: Order, words: str) -> None:
        """Write down that the risk gate did not let an order through."""
        self.made(order)
        self._end(order.number, Outcome.DENIED, words)

    def stands(self, order: Order, before: Order | None) -> None:
        """Write down that an order stands, in the place of one of the same name if there is one."""
        if before is not None and order.number < 0 and _is_the_same(before, order):
            order.number = before.number
            if order.number in self._triggered:
                return
            row = self._rows[order.number]
            row[_LOTS] = 0 if order.lots >= ALL else row[_FILLED] + order.lots
            row[_REASON] = int(order.reason)
            self.moved(order)
            return
        if order.number < 0:
            self.made(order)
        if before is not None:
            self.ended(before, Outcome.REPLACED)

    def moved(self, order: Order) -> None:
        """Write down the price at which an order stands now."""
        row, price = self._rows[order.number], order.trigger or order.limit or 0
        row[_MOVES] += price != row[_LAST]
        row[_LAST] = price

    def triggered(self, stop: Order) -> None:
        """Write down that a stop was met: what of it waits for volume no longer moves with the price."""
        self._triggered.add(stop.number)

    def filled(self, order: Order, lots: int) -> None:
        """Write down that the next fill is of an order."""
        self._rows[order.number][_FILLED] += lots
        self._fill_order.append(order.number)

    def forced(self, leg: Leg, lots: int) -> None:
        """Write down that a fill was the venue's own: a liquidation of signed lots."""
        sign = 1 if lots > 0 else -1
        number = self._row(leg, _FORCED, sign, abs(lots), 0, 0, 0, reduces=True, reason=Reason.LIQUIDATION)
        self._rows[number][_FILLED] = abs(lots)
        self._end(number, Outcome.FILLED, "the venue closed the position by force")
        self._fill_order.append(number)

    def ended(self, order: Order, why: Outcome) -> None:
        """Write down that an order stands no longer; what was filled in full was filled, whatever ended it."""
        row = self._rows[order.number]
        if row[_FILLED] and (row[_LOTS] == 0 or row[_FILLED] >= row[_LOTS]):
            self._end(order.number, Outcome.FILLED, "")
            return
        words = ""
        if why is Outcome.CUT:
            words = "no more was held" if order.reduces else "the account could not pay for more"
        elif why is Outcome.CANCELED and order.reduces and not order.leg.pos:
            words = "the position was closed"
        elif why in _WORDS_OF:
            words = _WORDS_OF[why]
        self._end(order.number, why, words)

    def orders(self) -> Orders:
        """Return all of them."""
        rows = np.array(self._rows, np.int64).reshape(-1, ORDER_WIDTH)
        return Orders.of(rows, np.array(self._fill_order, np.int64), tuple(self._names), tuple(self._told))

    def _row(
        self, leg: Leg, key: str, sign: int, lots: int, limit: int, trigger: int, trail: int, *, reduces: bool,
        reason: Reason,
    ) -> int:  # fmt: skip
        name = self._names.setdefault(key.split(" ", maxsplit=1)[0] if _of_rules(key) else key, len(self._names))
        self._rows.append([
            self._time(), _STANDS, self._places[id(leg.lane)], sign, lots, limit, trigger, trigger or limit, trail, 0,
            int(reduces), int(reason), 0, int(Outcome.OPEN), name, -1,
        ])  # fmt: skip
        return len(self._rows) - 1

    def _end(self, number: int, outcome: Outcome, words: str) -> None:
        row = self._rows[number]
        if row[_ENDED] != _STANDS:
            return
        row[_ENDED], row[_OUTCOME] = self._time(), int(outcome)
        row[_WORDS] = self._told.setdefault(words, len(self._told)) if words else -1

    def _time(self) -> int:
        assert self._now is not None, "a run is seated before it makes orders"
        return self._now()


def _of_rules(key: str) -> bool:
    """Say whether a name is one that rules gave, with the number of its seat behind it."""
    head, _, seat = key.partition(" ")
    return head in {"entry", "stop", "target", "leave"} and seat.isdigit()


def _is_the_same(before: Order, order: Order) -> bool:
    """Say whether an order is one that stood already: asked for again as it is, or a stop or target that moved."""
    if before.sign != order.sign or before.reduces is not order.reduces:
        return False
    if order.ticket is not None:
        protects = before.reason in _PROTECTS and order.reason in _PROTECTS
        return order.reduces and (protects or before.reason == order.reason)
    return (before.lots, before.limit, before.trigger, before.trail) == (
        order.lots, order.limit, order.trigger, order.trail,
    )  # fmt: skip
