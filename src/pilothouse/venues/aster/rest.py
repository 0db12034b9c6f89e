"""Requests to AsterDEX futures v3: what is asked goes in, what the venue said or one outcome comes out.

Every attempt is paid for from the shared budgets, stamped in the venue's time, given a nonce of its own and signed
anew. Attempted again is only what certainly was not done, or what changes nothing.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from pilothouse.core.clock import Clock, from_micros, micros
from pilothouse.core.errors import Unavailable
from pilothouse.kit import http_client
from pilothouse.kit.exact_json import NotJson
from pilothouse.kit.http_client import Answered, HttpClient
from pilothouse.kit.retry import retrying
from pilothouse.kit.throttle import NOTHING, Budget, Throttle, Use
from pilothouse.venues.aster import wire
from pilothouse.venues.aster.codes import TOO_MANY, Outcome, outcome_of
from pilothouse.venues.aster.endpoint import Endpoint
from pilothouse.venues.aster.nonce import Nonces, StampTooOld
from pilothouse.venues.aster.rules import Limits
from pilothouse.venues.aster.sign import AsterKeys, Signer

_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
_KEPT_PART: Final = 4  # a quarter of the weight is for orders
_BAN: Final = timedelta(minutes=2)  # the shortest, if a ban comes without its length
_AGAIN_WITHIN: Final = timedelta(seconds=5)
_CLOCK_FOR: Final = timedelta(minutes=10)
_CLOCK_AGAIN: Final = timedelta(seconds=30)
_READ_PATIENCE: Final = timedelta(seconds=2)
_MESSAGE_MOST: Final = 300


@dataclass(frozen=True, slots=True)
class Said:
    """The venue did it and answered this."""

    value: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """The venue did not do it, or nobody can say.

    code      the venue's own, else `http_503`, `not_sent`, `no_answer` or `budget`
    """

    outcome: Outcome
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


Heard = Said | Failed


@dataclass(frozen=True, slots=True)
class Call:
    """One thing to ask.

    weight   as the venue counts it for the address
    orders   how many orders it places, as the venue counts them for the account
    """

    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    weight: int = 1
    orders: int = 0
    use: Use = Use.READ
    stamped_at: datetime | None = None
    public: bool = False


class _Again(Exception):
    """Attempt it once more: it was not done, or it changes nothing."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(str(failed))
        self.failed = failed


@dataclass(frozen=True, slots=True)
class Tools:
    """What a connection works with.

    address     the name under which processes share the budget of their address on the network; all processes behind
                one public address use one name
    nonces_dir  where the last nonce of each signer is kept; all processes with one signer share it
    """

    clock: Clock
    throttle: Throttle
    nonces_dir: Path
    address: str = "here"
    sleep: Callable[[float], object] = time.sleep


class Rest:
    """The requests of one endpoint; safe for many threads. `close()` it."""

    def __init__(self, endpoint: Endpoint, http: HttpClient, tools: Tools) -> None:
        """Ask `endpoint` by `http`, which is closed with this."""
        self.endpoint = endpoint
        self._http = http
        self._tools = tools
        self._lock = threading.Lock()
        self._signers: dict[AsterKeys, Signer] = {}
        self._nonces: dict[str, Nonces] = {}
        self._offset = NOTHING
        self.ahead: timedelta | None = None
        self._clock_read_at: datetime | None = None
        self.limit(Limits())
        self.limits_use = Use.FIRST

    def close(self) -> None:
        """Let go of connections and files."""
        self._http.close()
        for nonces in self._nonces.values():
            nonces.close()

    def limit(self, limits: Limits) -> None:
        """Spend no more than `limits` from now on. `limits_use` says how the venue is asked for them."""
        name = f"{self.endpoint.venue}:{self._tools.address}:weight"
        self._weight = Budget(name, limits.weight, kept=limits.weight // _KEPT_PART)
        self._orders_limit = limits.orders
        self.limits_use = Use.READ

    # ── Time ──────────────────────────────────────────────────────────────────────────────────────

    def read_clock(self) -> timedelta:
        """Ask the venue for its time and return how far it is ahead of ours. Raises Unavailable."""
        before, began = self._tools.clock.now(), self._tools.clock.monotonic()
        heard = self._attempt(None, Call("GET", "/fapi/v3/time", public=True, use=Use.ORDER))
        if isinstance(heard, Failed):
            raise Unavailable(f"{self.endpoint.title} does not tell its time ({heard})")
        took = timedelta(seconds=self._tools.clock.monotonic() - began)
        theirs = from_micros(int(wire.number(wire.row(heard.value), "serverTime")) * 1_000 + 500)
        offset = theirs - (before + took / 2)
        with self._lock:
            self._offset, self._clock_read_at, self.ahead = offset, before, offset
        return offset

    def _time_of(self, stamped_at: datetime) -> int:
        """Return an instant of ours in microseconds of the venue's clock."""
        with self._lock:
            read_at = self._clock_read_at
        now = self._tools.clock.now()
        if read_at is None or (now - read_at > _CLOCK_FOR):
            with self._lock:  # whoever comes meanwhile goes on with what is known
                self._clock_read_at = now
            try:
                self.read_clock()
            except Unavailable:
                with self._lock:  # not with every order: a venue that does not answer would hold each of them up
                    self._clock_read_at = now - _CLOCK_FOR + _CLOCK_AGAIN
        return micros(self.in_their_time(stamped_at))

    def in_their_time(self, instant: datetime) -> datetime:
        """Return what the venue's clock shows at an instant of ours, as far as it was read."""
        with self._lock:
            return instant + self._offset

    def in_our_time(self, instant: datetime) -> datetime:
        """Return what our clock shows at an instant of the venue's, as far as it was read."""
        with self._lock:
            return instant - self._offset

    # ── Asking ────────────────────────────────────────────────────────────────────────────────────

    def ask(self, call: Call, keys: AsterKeys | None = None) -> Heard:
        """Ask, and return what was said.

        What certainly was not done for a reason of the wire (no connection, a clock that was off) is attempted once
        more with a new nonce; so is a question that got no answer. An order that may have arrived never is.

        Raises Refused if `keys` cannot sign.
        """
        begun = self._tools.clock.now()

        def attempt() -> Heard:
            heard = self._attempt(keys, call)
            if isinstance(heard, Failed) and self._may_go_again(keys, call, heard, begun):
                raise _Again(heard)
            return heard

        try:
            return retrying(attempt, on=_Again, attempts=2, first=0.05, longest=0.2, sleep=self._tools.sleep)
        except _Again as again:
            return again.failed

    def read(self, call: Call, keys: AsterKeys | None = None) -> Any:
        """Ask what changes nothing and return the value. Raises Unavailable, with the venue's reason."""
        heard = self.ask(call, keys)
        if isinstance(heard, Said):
            return heard.value
        raise Unavailable(f"{self.endpoint.title} did not answer {call.path} ({heard})")

    def learn(self) -> None:
        """Learn what other processes have spent, so that the first order need not."""
        self._tools.throttle.learn([self._weight])

    def _may_go_again(self, keys: AsterKeys | None, call: Call, failed: Failed, begun: datetime) -> bool:
        if self._tools.clock.now() - (call.stamped_at or begun) > _AGAIN_WITHIN:
            return False
        if failed.outcome is Outcome.STALE:
            try:
                self.read_clock()
            except Unavailable:
                return False
            return True
        if failed.code == "not_sent":
            return True
        return call.method == "GET" and failed.outcome is Outcome.UNKNOWN

    def _attempt(self, keys: AsterKeys | None, call: Call) -> Heard:
        costs = {self._weight: call.weight}
        if call.orders and keys is not None:
            costs[self._orders_of(keys)] = call.orders
        wait = self._tools.throttle.take(costs, call.use)
        if call.use is Use.READ and NOTHING < wait <= _READ_PATIENCE:
            self._tools.sleep(wait.total_seconds())
            wait = self._tools.throttle.take(costs, call.use)
        if wait > NOTHING:
            why = f"the budget is spent, or the venue wants a pause; again in {wait.total_seconds():.1f} s"
            return Failed(Outcome.NOT_NOW, "budget", why)
        try:
            text = wire.encoded(call.params) if call.public else self._signed(keys, call)
        except StampTooOld as old:
            return Failed(Outcome.NOT_NOW, old.code, str(old))
        if call.method == "GET":
            answer = self._http.send("GET", call.path, query=text)
        else:
            answer = self._http.send(call.method, call.path, body=text.encode("ascii"), headers=_FORM)
        if isinstance(answer, Answered):
            self._count(keys, answer, call)
            return _heard(answer)
        if isinstance(answer, http_client.Refused):
            return Failed(Outcome.NOT_NOW, "not_sent", answer.reason)
        return Failed(Outcome.UNKNOWN, "no_answer", answer.reason)

    def _signed(self, keys: AsterKeys | None, call: Call) -> str:
        """Return the parameters with nonce, addresses and signature, in the order in which they are signed."""
        assert keys is not None, "only public calls go without keys"
        signer = self._signer(keys)
        at = self._time_of(call.stamped_at or self._tools.clock.now())
        nonce = self._nonces_of(signer.address).next(at, micros(self.in_their_time(self._tools.clock.now())))
        who = (("nonce", str(nonce)), ("user", keys.user.strip().lower()), ("signer", signer.address))
        text = wire.encoded((*who, *call.params))
        return f"{text}&signature={signer.sign(text.encode('ascii'))}"

    def _signer(self, keys: AsterKeys) -> Signer:
        signer = self._signers.get(keys)
        if signer is None:
            signer = self._signers[keys] = Signer.of(keys, self.endpoint.chain_id)
        return signer

    def _nonces_of(self, address: str) -> Nonces:
        with self._lock:
            nonces = self._nonces.get(address)
            if nonces is None:
                path = self._tools.nonces_dir / f"{self.endpoint.venue}-{address}"
                nonces = self._nonces[address] = Nonces(path)
            return nonces

    # ── Limits ────────────────────────────────────────────────────────────────────────────────────

    def _orders_of(self, keys: AsterKeys) -> Budget:
        return Budget(f"{self.endpoint.venue}:{keys.user.strip().lower()}:orders", self._orders_limit)

    def _count(self, keys: AsterKeys | None, answer: Answered, call: Call) -> None:
        """Take in what the venue says was used, and obey when it says to wait."""
        used = _whole(answer.headers, "x-mbx-used-weight-1m")
        if used is not None:
            self._tools.throttle.observe(self._weight, used)
        orders = _whole(answer.headers, "x-mbx-order-count-1m")
        if orders is not None and keys is not None:
            self._tools.throttle.observe(self._orders_of(keys), orders)
        if answer.status in TOO_MANY:
            seconds = _whole(answer.headers, "retry-after")
            usual = _BAN if answer.status == 418 else timedelta(seconds=60)
            wait = timedelta(seconds=seconds) if seconds is not None else usual
            of_account = keys is not None and call.orders > 0 and _code_of(_json(answer)) == -1015
            self._tools.throttle.block(self._orders_of(keys) if of_account and keys else self._weight, wait)


def failure_of(status: int, value: object) -> Failed:
    """Return an error as it stands in an answer, or inside of one.

    status   of HTTP; 200 for one of a batch
    """
    code = _code_of(value)
    message = str(value.get("msg", "")) if isinstance(value, dict) else ""
    return Failed(
        outcome_of(status, code), str(code) if code is not None else f"http_{status}", message[:_MESSAGE_MOST]
    )


def is_error(value: object) -> bool:
    """Say whether a value is an error: an object whose code is a number below zero. Success has none, 200 or "200"."""
    code = _code_of(value)
    return code is not None and code < 0


def _heard(answer: Answered) -> Heard:
    value = _json(answer)
    if 200 <= answer.status < 300 and value is not None and not is_error(value):
        return Said(value)
    if 200 <= answer.status < 300 and value is None:
        return Failed(Outcome.UNKNOWN, f"http_{answer.status}", "the answer is no JSON")
    return failure_of(200 if 200 <= answer.status < 300 else answer.status, value)


def _json(answer: Answered) -> Any:
    try:
        return answer.json()
    except NotJson:
        return None


def _code_of(value: object) -> int | None:
    code = value.get("code") if isinstance(value, Mapping) else None
    if isinstance(code, str) and code.lstrip("-").isdigit():
        return int(code)
    if isinstance(code, Decimal):
        return None
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _whole(headers: Mapping[str, str], name: str) -> int | None:
    value = headers.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 12 else None
