"""What may go wrong between the house and its paper venue, on demand: for tests and demonstrations.

A fault is armed for a kind of call and strikes so many times, after letting so many calls pass; nothing is random.
"""

import threading
from dataclasses import dataclass, field
from enum import StrEnum

from pilothouse.core.errors import Unavailable


class Fault(StrEnum):
    """What goes wrong."""

    LOSE_REQUEST = "lose_request"
    """It never arrives; the caller cannot know."""

    LOSE_ANSWER = "lose_answer"
    """It is done; the caller never hears of it."""

    ARRIVE_LATE = "arrive_late"
    """The caller hears nothing; it arrives when `PaperVenue.deliver_late` is called, if it is not too old by then."""

    REFUSE = "refuse"
    """The venue does not take it."""

    HOLD_ANSWER = "hold_answer"
    """It is done; the answer waits until `release` is called."""

    REPEAT_EVENTS = "repeat_events"
    """Every event is told twice."""

    DROP_EVENTS = "drop_events"
    """Events are never told."""

    TELL_IMMEDIATE = "tell_immediate"
    """What an answer told is told as an event too, before the answer."""


_NO_FAULT: frozenset[Fault] = frozenset()


@dataclass(slots=True)
class _Armed:
    fault: Fault
    call: str
    pass_first: int
    times: int


@dataclass(slots=True)
class PaperFaults:
    """What is armed. The calls are place, cancel, find, read (all other questions), set (settings) and event.

    one_by_one   each order has a call of its own, as over the wire to a real venue
    """

    one_by_one: bool = False
    _armed: list[_Armed] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _gate: threading.Event = field(default_factory=threading.Event)
    held: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released once for every answer that begins to wait."""

    def arm(self, fault: Fault, call: str = "place", *, times: int = 1, pass_first: int = 0) -> None:
        """Let `fault` strike the next `times` calls of that kind, after `pass_first` of them."""
        with self._lock:
            if fault is Fault.HOLD_ANSWER:
                self._gate.clear()
            self._armed.append(_Armed(fault, call, pass_first, times))

    def disarm(self) -> None:
        """Forget every fault and let every answer go."""
        with self._lock:
            self._armed.clear()
        self.release()

    def release(self) -> None:
        """Let the answers go that are held."""
        self._gate.set()

    def hold(self) -> None:
        """Wait for `release`."""
        self.held.release()
        self._gate.wait()

    def strike(self, call: str) -> frozenset[Fault]:
        """Return what goes wrong with this call."""
        if not self._armed:
            return frozenset()
        struck = set()
        with self._lock:
            for armed in list(self._armed):
                if armed.call != call:
                    continue
                if armed.pass_first:
                    armed.pass_first -= 1
                    continue
                struck.add(armed.fault)
                armed.times -= 1
                if not armed.times:
                    self._armed.remove(armed)
        return frozenset(struck)


class Strikes:
    """What strikes the calls of one venue: nothing, unless there are faults and they are armed."""

    def __init__(self, faults: PaperFaults | None) -> None:
        self._faults = faults

    def __call__(self, call: str) -> frozenset[Fault]:
        """Return what goes wrong with a call of that kind."""
        return _NO_FAULT if self._faults is None else self._faults.strike(call)

    def loses(self, struck: frozenset[Fault]) -> bool:
        """Say whether the answer is lost, after holding it if it is to be held."""
        if Fault.HOLD_ANSWER in struck and self._faults is not None:
            self._faults.hold()
        return Fault.LOSE_ANSWER in struck

    def may_read(self) -> None:
        """Raise Unavailable where a question is not answered."""
        if self("read"):
            raise Unavailable("the paper venue does not answer")
