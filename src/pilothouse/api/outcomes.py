"""Who waits for the outcome of an alert: facts in, on the committing thread; a wake-up out, in the event loop.

One subscription to the bell serves every request that waits. A waiter is woken once nothing it knows of is under way
any more; whoever was woken reads what is true, so a wake-up too many costs a read and nothing else.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence

from pilothouse.core.facts import FactKind, StampedFact
from pilothouse.core.order import OrderState, OrderType, Purpose
from pilothouse.fleet.store import SignalState

_OPEN_SIGNAL = frozenset({SignalState.PENDING.value, SignalState.ACTIVE.value})
_OPEN_ORDER = frozenset({OrderState.INTENDED.value, OrderState.SENDING.value, OrderState.UNKNOWN.value})
# A venue may acknowledge an order at the market first and tell its fills a moment later.
_OPEN_AT_MARKET = _OPEN_ORDER | {OrderState.WORKING.value, OrderState.PARTLY_FILLED.value}
_PROTECTIVE = frozenset(purpose.value for purpose in Purpose if purpose.protects)


class Waiter:
    """One request that waits for one alert."""

    __slots__ = ("_orders", "_signal_open", "event", "loop")

    def __init__(self) -> None:
        """Belong to the running event loop."""
        self.loop = asyncio.get_running_loop()
        self.event = asyncio.Event()
        self._signal_open = False
        self._orders: dict[str, bool] = {}

    def hear(self, stamped: StampedFact) -> bool:
        """Take in a fact about the alert; say whether everything known of it has come to rest."""
        fact = stamped.fact
        payload = fact.payload
        if fact.kind is FactKind.SIGNAL_CHANGED:
            self._signal_open = payload["state"] in _OPEN_SIGNAL
        elif payload["purpose"] not in _PROTECTIVE:
            still_open = _OPEN_AT_MARKET if payload["type"] == OrderType.MARKET.value else _OPEN_ORDER
            self._orders[payload["order_id"]] = payload["state"] in still_open
        return not self._signal_open and not any(self._orders.values())

    async def until(self, deadline: float) -> None:
        """Return once woken, or at `deadline` (of the loop's clock)."""
        if not self.event.is_set():
            timer = self.loop.call_at(deadline, self.event.set)
            await self.event.wait()
            timer.cancel()
        self.event.clear()


class Outcomes:
    """Waiters by the alert they wait for."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._waiting: dict[str, list[Waiter]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, signal_id: str, waiter: Waiter) -> None:
        """Wake `waiter` when the alert comes to rest; to be called after the commit that stored it."""
        with self._lock:
            self._waiting.setdefault(signal_id, []).append(waiter)

    def leave(self, signal_id: str, waiter: Waiter) -> None:
        """Forget `waiter`."""
        with self._lock:
            waiting = self._waiting.get(signal_id, [])
            if waiter in waiting:
                waiting.remove(waiter)
            if not waiting:
                self._waiting.pop(signal_id, None)

    def hear(self, facts: Sequence[StampedFact]) -> None:
        """Be the listener of the bell."""
        if not self._waiting:
            return
        woken: list[Waiter] = []
        with self._lock:
            for stamped in facts:
                if stamped.fact.kind not in {FactKind.ORDER_CHANGED, FactKind.SIGNAL_CHANGED}:
                    continue
                waiting = self._waiting.get(stamped.fact.payload.get("signal_id") or "", ())
                woken.extend(waiter for waiter in waiting if waiter.hear(stamped))
        if woken:
            _in_their_loop(woken)


def _in_their_loop(woken: list[Waiter]) -> None:
    """Wake waiters, with one call into the loop; there is one loop in one process."""

    def wake() -> None:
        for waiter in woken:
            waiter.event.set()

    _soon(woken[0].loop, wake)


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
        loop.call_soon_threadsafe(call)
