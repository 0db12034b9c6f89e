"""Requests of one exchange: stamped, counted against budgets that processes share, sent once, and judged.

What goes in is a piece of work on an object of ccxt; what comes out is its value or one Failed. Attempted again is
only what certainly was not done, or what changes nothing.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlsplit

from pilothouse.core.clock import Clock, Tick, millis
from pilothouse.core.errors import Unavailable
from pilothouse.kit import http_client
from pilothouse.kit.http_client import Answered, HttpClient, HttpLimits
from pilothouse.kit.retry import retrying
from pilothouse.kit.throttle import NOTHING, Budget, Throttle, Use
from pilothouse.venues.ccxt.codes import TOO_MANY, Fault, Outcome
from pilothouse.venues.ccxt.exchange import (
    TROUBLE,
    Endpoint,
    Failed,
    Keys,
    NotDone,
    Outgoing,
    Pool,
    Session,
    decoded,
    opened,
)
from pilothouse.venues.ccxt.names import OrderNames
from pilothouse.venues.ccxt.plain import Quirks

T = TypeVar("T")

_BAN: Final = timedelta(minutes=2)  # the shortest, if a ban comes without its length
_PAUSE: Final = timedelta(seconds=60)
_AGAIN_WITHIN: Final = timedelta(seconds=5)
_CLOCK_FOR: Final = timedelta(minutes=10)
_CLOCK_AGAIN: Final = timedelta(seconds=30)
_READ_PATIENCE: Final = timedelta(seconds=2)
_MESSAGE_MOST: Final = 300
_HTTP: Final = HttpLimits(read_s=5.0)  # an order that is not answered by then is asked about


@dataclass(frozen=True, slots=True)
class Tools:
    """What a connection works with.

    address   the name under which processes share the budget of their address on the network; all processes behind
              one public address use one name
    """

    clock: Clock
    throttle: Throttle
    address: str = "here"
    sleep: Callable[[float], object] = time.sleep
    http: HttpLimits = _HTTP


@dataclass(frozen=True, slots=True)
class Said(Generic[T]):
    """The exchange did it; this is what it answered, read."""

    value: T


class _Again(Exception):
    """Attempt it once more: it was not done, or it changes nothing."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(str(failed))
        self.failed = failed


class Rest:
    """The requests of one endpoint; safe for many threads. `close()` it."""

    def __init__(self, endpoint: Endpoint, quirks: Quirks, tools: Tools, names: OrderNames) -> None:
        """Ask `endpoint`, as `quirks` say that it is asked."""
        self.endpoint = endpoint
        self.quirks = quirks
        self.names = names
        self.shared: dict[str, Any] = {}
        self._tools = tools
        self._pool = Pool(self._make)
        self._hosts: dict[str, HttpClient] = {}
        self._lock = threading.Lock()
        self._offset = NOTHING
        self.ahead: timedelta | None = None
        self._clock_read_at: datetime | None = None

    def close(self) -> None:
        """Let go of every connection."""
        with self._lock:
            hosts, self._hosts = list(self._hosts.values()), {}
        for each in hosts:
            each.close()

    def _make(self, account_id: str, keys: Keys) -> Session:
        session = Session(account_id, keys, self.names, self.shared, self._time_ms, self._carry)

        def prepare(x: Any) -> None:
            self.quirks.prepare(x)
            if self.endpoint.testnet:
                self.quirks.testnet(x)

        return opened(session, self.endpoint, self.quirks.options, prepare)

    # ── Time ──────────────────────────────────────────────────────────────────────────────────────

    def _time_ms(self) -> int:
        with self._lock:
            return millis(self._tools.clock.now() + self._offset)

    def stamp(self, at: datetime) -> int:
        """Return an instant of ours in milliseconds of the exchange's clock."""
        with self._lock:
            return millis(at + self._offset)

    def now(self) -> datetime:
        """Return the time by the exchange's clock."""
        with self._lock:
            return self._tools.clock.now() + self._offset

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return self._tools.clock.monotonic()

    def tick(self) -> Tick:
        """Return what this machine counts since it was started."""
        return self._tools.clock.tick()

    def in_our_time(self, instant: datetime) -> datetime:
        """Return what our clock shows at an instant of the exchange's, as far as it was read."""
        with self._lock:
            return instant - self._offset

    def _know_clock(self) -> None:
        """Read the exchange's clock if it is not known, or was read long ago."""
        with self._lock:
            read_at = self._clock_read_at
        now = self._tools.clock.now()
        if read_at is None or now - read_at > _CLOCK_FOR:
            with self._lock:  # whoever comes meanwhile goes on with what is known
                self._clock_read_at = now
            try:
                self.read_clock()
            except Unavailable:
                with self._lock:  # not with every order: an exchange that does not answer would hold each of them up
                    self._clock_read_at = now - _CLOCK_FOR + _CLOCK_AGAIN

    def read_clock(self) -> timedelta:
        """Ask the exchange for its time and return how far it is ahead of ours. Raises Unavailable."""
        before, began = self._tools.clock.now(), self._tools.clock.monotonic()
        heard = self._attempt(self.quirks.server_time, "", Keys(), Use.ORDER, None)
        if isinstance(heard, Failed):
            raise Unavailable(f"{self.endpoint.venue} does not tell its time ({heard})")
        took = timedelta(seconds=self._tools.clock.monotonic() - began)
        offset = heard.value - (before + took / 2) if heard.value is not None else NOTHING
        with self._lock:
            self._offset, self._clock_read_at, self.ahead = offset, before, offset
        return offset

    # ── Asking ────────────────────────────────────────────────────────────────────────────────────

    def ask(
        self,
        work: Callable[[Session], T],
        account_id: str = "",
        keys: Keys | None = None,
        *,
        use: Use = Use.READ,
        stamped_at: datetime | None = None,
    ) -> Said[T] | Failed:
        """Do a piece of work, and return what was said.

        work         one or more calls of ccxt; after the one that changes something, nothing else is asked in it
        stamped_at   of an order: its requests carry this time

        What certainly was not done for a reason of the wire (no connection, a clock that was off) is attempted once
        more; so is a question that got no answer. What may have changed something never is.

        Raises Refused for a request that must not leave.
        """
        begun = self._tools.clock.now()
        theirs = keys if keys is not None else Keys()

        def attempt() -> Said[T] | Failed:
            if account_id:
                self._know_clock()
            stamp = self.stamp(stamped_at) if stamped_at is not None else None
            heard = self._attempt(work, account_id, theirs, use, stamp)
            if isinstance(heard, Failed) and self._may_go_again(heard, stamped_at or begun):
                raise _Again(heard)
            return heard

        try:
            return retrying(attempt, on=_Again, attempts=2, first=0.05, longest=0.2, sleep=self._tools.sleep)
        except _Again as again:
            return again.failed

    def read(
        self,
        work: Callable[[Session], T],
        account_id: str = "",
        keys: Keys | None = None,
        *,
        use: Use = Use.READ,
    ) -> T:
        """Do what changes nothing and return the value. Raises Unavailable, with the exchange's reason."""
        heard = self.ask(work, account_id, keys, use=use)
        if isinstance(heard, Said):
            return heard.value
        raise Unavailable(f"{self.endpoint.venue} did not answer ({heard})")

    def _may_go_again(self, failed: Failed, since: datetime) -> bool:
        if self._tools.clock.now() - since > _AGAIN_WITHIN:
            return False
        if failed.outcome is Outcome.STALE:
            try:
                self.read_clock()
            except Unavailable:
                return False
            return True
        return failed.code in {"not_sent", "not_read"}

    def _attempt(
        self, work: Callable[[Session], T], account_id: str, keys: Keys, use: Use, stamp: int | None
    ) -> Said[T] | Failed:
        with self._pool.session(account_id, keys) as session:
            session.begin(use, stamp)
            try:
                return Said(work(session))
            except NotDone as not_done:
                return _after(session, not_done.failed)
            except Unavailable as unavailable:  # an answer that was not understood
                return _after(session, Failed(Outcome.UNKNOWN, unavailable.code, str(unavailable)))
            except TROUBLE as trouble:
                why = f"{type(trouble).__name__}: {trouble}"[:_MESSAGE_MOST]
                if session.changed:
                    return Failed(Outcome.UNKNOWN, "not_understood", why)
                return Failed(Outcome.REJECTED, "not_sent_" + type(trouble).__name__, f"not sent: {why}")

    # ── The wire ──────────────────────────────────────────────────────────────────────────────────

    def _carry(self, session: Session, out: Outgoing) -> Any:
        """Send one request and return what was answered. Raises NotDone."""
        costs = self.quirks.costs(self.endpoint.venue, self._tools.address, session, out)
        wait = self._tools.throttle.take(costs, session.use)
        if session.use is Use.READ and NOTHING < wait <= _READ_PATIENCE:
            self._tools.sleep(wait.total_seconds())
            wait = self._tools.throttle.take(costs, session.use)
        if wait > NOTHING:
            why = f"the budget is spent, or the exchange wants a pause; again in {wait.total_seconds():.1f} s"
            raise NotDone(Failed(Outcome.NOT_NOW, "budget", why))
        changes = self.quirks.changes(out)
        parts = urlsplit(out.url)
        host = self._host(f"{parts.scheme}://{parts.netloc}")
        answer = host.send(
            out.method,
            parts.path,
            query=parts.query,
            body=out.body.encode("utf-8"),
            headers={name: str(value) for name, value in out.headers.items()},
        )
        if isinstance(answer, http_client.Refused):
            raise NotDone(Failed(Outcome.NOT_NOW, "not_sent", answer.reason))
        session.changed = session.changed or changes
        if isinstance(answer, http_client.Unknown):
            raise NotDone(Failed(Outcome.UNKNOWN, "no_answer", answer.reason))
        self._count(costs, session, answer, out)
        return self._value(session, answer, out)

    def _value(self, session: Session, answer: Answered, out: Outgoing) -> Any:
        try:
            value: Any = decoded(answer.body) if answer.body else None
        except ValueError:
            value = None
        fault = self.quirks.fault_of(session, answer.status, answer.body.decode("utf-8", "replace"), value, out)
        if fault is None:
            if value is None and answer.status == 204:  # done, and there is nothing to say of it
                return {}
            if value is None:
                raise NotDone(Failed(Outcome.UNKNOWN, f"http_{answer.status}", "the answer is no JSON"))
            return value
        code = fault.code or f"http_{fault.status}"
        raise NotDone(Failed(self.quirks.outcome(fault), code, fault.text[:_MESSAGE_MOST]))

    def _count(self, costs: Mapping[Budget, int], session: Session, answer: Answered, out: Outgoing) -> None:
        """Take in what the exchange says was used, and obey when it says to wait."""
        for budget, used in self.quirks.used(costs, answer.headers).items():
            self._tools.throttle.observe(budget, used)
        if answer.status in TOO_MANY:
            seconds = answer.headers.get("retry-after", "")
            usual = _BAN if answer.status == 418 else _PAUSE
            wait = timedelta(seconds=int(seconds)) if seconds.isascii() and seconds.isdigit() else usual
            text = answer.body.decode("utf-8", "replace")
            for budget in self.quirks.blocked(costs, Fault(answer.status, "", text)):
                self._tools.throttle.block(budget, wait)

    def _host(self, origin: str) -> HttpClient:
        with self._lock:
            found = self._hosts.get(origin)
            if found is None:
                found = self._hosts[origin] = HttpClient(origin, limits=self._tools.http)
            return found


def _after(session: Session, failed: Failed) -> Failed:
    """Return what a failure means for the whole work: before anything that changes something left, nothing was done."""
    if session.changed or failed.outcome is not Outcome.UNKNOWN:
        return failed
    return Failed(Outcome.NOT_NOW, "not_read", str(failed))
