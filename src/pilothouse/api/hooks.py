"""Alerts in: a bounded body, one durable decision, and the outcome if it comes soon enough.

The quickest path of the house, so it is spoken in plain ASGI: nothing is parsed twice and no model is built. What it
promises: 200 once the alert is stored and decided; 4xx with the reason when sending it again would not help; 5xx only
when nothing was stored, because the sender then sends it again.
"""

import asyncio
import contextlib
import hashlib
import re
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pilothouse.api import problems, wire
from pilothouse.api.arrivals import Arrivals, NotBegun
from pilothouse.api.looks import Looks
from pilothouse.api.outcomes import Outcomes, Waiter
from pilothouse.api.rates import Rates
from pilothouse.bots import alert as alerts
from pilothouse.bots.alert import Alert
from pilothouse.core.errors import Invalid, PilothouseError, Unavailable
from pilothouse.execution.portfolio import PositionView
from pilothouse.fleet import inbox
from pilothouse.fleet.answer import AnswerState, Outcome, outcome_of
from pilothouse.fleet.inbox import BODY_BYTES_MAX, Door, Taken
from pilothouse.fleet.store import SignalRecord, SignalState
from pilothouse.kit.db import Tx
from pilothouse.kit.engines import OutOfMemory
from pilothouse.kit.exact_json import encoded
from pilothouse.marketdata.quotes import QuoteMissing
from pilothouse.wiring.house import House

_log = structlog.get_logger("pilothouse.hooks")

BODY_SECONDS_MAX = 10.0
PRICE_SECONDS_MAX = 2.0
STORED_SECONDS_MAX = 1.5
"""Whoever waits longer for his turn is told to send again: TradingView does that, and never after 3 s of silence."""

WAIT_MS_DEFAULT = 1_000
WAIT_MS_MAX = 2_500

PATHS = {
    Door.ORDER: "/webhook/tradingview",
    Door.STRATEGY: "/webhook/tradingview-strategy",
    Door.HOOK: "/hooks/{url_token}",
}

_WAIT = re.compile(rb"(?:^|&)wait_ms=([^&]*)")
_WHOLE = re.compile(rb"([+-]?)([0-9]+)")
_JSON = (b"content-type", b"application/json")
_WAITING = frozenset({SignalState.PENDING, SignalState.ACTIVE})


class Gone(Exception):
    """The sender hung up before its alert was here."""


class TooBusy(Unavailable):
    """The alert's turn to be stored did not come in time; nothing of it was stored."""

    code = "too_busy"


class Intake:
    """What the hook doors share: the house, who waits for what, how often, and threads to read with."""

    def __init__(self, house: House) -> None:
        """Listen to the bell until `close`."""
        self.house = house
        self.outcomes = Outcomes()
        self.rates = Rates()
        self._arrivals = Arrivals()
        self._looks = Looks(house)
        self._unsubscribe = house.database.bell.subscribe(self.outcomes.hear)

    def close(self) -> None:
        """Stop listening and let the threads go."""
        self._unsubscribe()
        self._looks.close()

    def door(self, door: Door) -> ASGIApp:
        """Return the ASGI application behind one address."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            state = scope["state"]
            state["route"] = PATHS[door]
            try:
                status, content, headers = await self._take(door, scope, receive)
            except Gone:
                return
            except PilothouseError as error:
                said = problems.told(error)
                status, headers = said.status, said.headers
                content = problems.old_body(said, state["request_id"], self.house.clock)
                content = {"success": False, "message": said.detail, **content}
                self.house.meters.refused.labels(said.code).inc()
            await _send(send, status, encoded(content), headers)

        return answer

    # ── One alert ─────────────────────────────────────────────────────────────────────────────────

    async def _take(self, door: Door, scope: Scope, receive: Receive) -> tuple[int, dict[str, Any], dict[str, str]]:
        loop = asyncio.get_running_loop()
        body = await read_body(scope, receive)
        received_at, started = self.house.clock.now(), loop.time()
        deadline = started + wait_ms(scope["query_string"]) / 1_000
        read = understood(body, door)
        credential = self._credential(door, scope, body, read)
        waiter = Waiter()
        try:
            taken = await self._store(door, read, body, credential, received_at, waiter)
        except QuoteMissing as missing:
            # Nothing is stored yet, and the venue was asked for the price just now: it may come in time.
            if not await self._priced(missing):
                raise
            taken = await self._store(door, read, body, credential, received_at, waiter, counted=True)
        except OutOfMemory:
            # To keep an alert takes less than to decide it. If there is not even so much, its sender sends it again.
            _log.warning("alert_not_decided_for_want_of_memory")
            taken = await self._store(door, read, body, credential, received_at, waiter, counted=True, undecided=True)
        signal = taken.signal
        scope["state"]["signal_id"] = signal.id
        self._count(taken)
        if signal.http_status != 200:
            return self._refused(scope, signal)
        if taken.held:  # to wait for it would keep others out of the crowd waiting too
            return 200, answer_object(outcome_of(signal, []), None, duplicate=False), {}
        try:
            outcome, view = await self._outcome(taken, waiter, deadline)
        finally:
            self.outcomes.leave(signal.id, waiter)
        return 200, answer_object(outcome, view, duplicate=taken.duplicate), {}

    def _credential(self, door: Door, scope: Scope, body: bytes, read: Alert | Invalid) -> str | None:
        """Return the address token, or the secret: that of the body if it carries one, else that of the header."""
        if door is Door.HOOK:
            return str(scope["path_params"]["url_token"])
        secret = read.secret if isinstance(read, Alert) else alerts.secret_in(body)
        return secret or _header(scope, b"x-webhook-secret")

    async def _store(
        self,
        door: Door,
        read: Alert | Invalid,
        body: bytes,
        credential: str | None,
        received_at: datetime,
        waiter: Waiter,
        *,
        counted: bool = False,
        undecided: bool = False,
    ) -> Taken:
        """Find the hook, store the alert and decide it: one unit of work.

        counted     whether it was counted as a use of its hook before
        undecided   only store it: it is decided later
        """
        known_as = hashlib.sha256((credential or "").encode("utf-8", "replace")).hexdigest()
        if not counted:
            self.rates.refuse_if_empty(known_as, waiter.loop.time())
        fingerprint = read.fingerprint if isinstance(read, Alert) else hashlib.sha256(body).hexdigest()
        desk = self.house.desk

        def work(tx: Tx) -> Taken:
            if door is Door.HOOK:
                hook = inbox.hook_by_token(tx, credential or "")
            else:
                hook = inbox.hook_by_secret(tx, credential)
            if not counted:
                self.rates.use(hook, known_as, waiter.loop.time())
            taken = inbox.take(
                tx,
                desk,
                hook,
                door,
                read,
                fingerprint=fingerprint,
                received_at=received_at,
                undecided=undecided,
            )
            # What follows from here on, on any thread, is logged under the id of the alert.
            structlog.contextvars.bind_contextvars(correlation=taken.signal.id)
            if taken.signal.http_status == 200 and not taken.held:  # nobody waits for what was refused for its form
                tx.after_commit(partial(self.outcomes.join, taken.signal.id, waiter))
            return taken

        stored = self.house.database.submit(work, name="alert", lane=known_as)
        too_late = waiter.loop.call_later(STORED_SECONDS_MAX, stored.cancel)  # in vain, once it has been begun
        try:
            return await self._arrivals.of(stored)
        except NotBegun:
            raise TooBusy("too much waits to be stored, and nothing of this was: send it again") from None
        finally:
            too_late.cancel()

    async def _priced(self, missing: QuoteMissing) -> bool:
        """Say whether a price that nobody followed until now has come within a moment."""
        loop, come = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the server has stopped meanwhile
                loop.call_soon_threadsafe(come.set)

        self.house.quotes.expect(missing.venue, missing.symbol, tell)
        try:
            async with asyncio.timeout(PRICE_SECONDS_MAX):
                await come.wait()
        except TimeoutError:
            return False
        return True

    async def _outcome(self, taken: Taken, waiter: Waiter, deadline: float) -> tuple[Outcome, PositionView | None]:
        """Return what became of an alert, at the latest at `deadline`."""
        signal = taken.signal
        under_way = not taken.duplicate and signal.state in _WAITING | {SignalState.DECIDED}
        if under_way and waiter.loop.time() < deadline:
            await waiter.until(deadline)
        while True:
            outcome, view = await self._looks.look(signal)
            if outcome.settled or waiter.loop.time() >= deadline:
                return outcome, view
            await waiter.until(deadline)

    def _refused(self, scope: Scope, signal: SignalRecord) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Return the answer to an alert that has the wrong form, or nothing to act on."""
        wrong = tuple((signal.detail or {}).get("problems", ()))
        said = problems.Told(signal.http_status, signal.code or "refused", signal.message, wrong)
        self.house.meters.refused.labels(said.code).inc()
        content = {
            "success": False,
            "message": signal.message,
            "signal_id": signal.id,
            "state": AnswerState.REFUSED.value,
            "duplicate": False,
            "order": None,
            "position": None,
            **problems.old_body(said, scope["state"]["request_id"], self.house.clock),
        }
        return said.status, content, {}

    def _count(self, taken: Taken) -> None:
        if taken.duplicate:
            self.house.meters.duplicates.inc()
        else:
            self.house.meters.signals.labels(taken.signal.state.value).inc()


def understood(body: bytes, door: Door) -> Alert | Invalid:
    """Return the alert in a body, or why it is none; what is wrong is said only to who shows the secret."""
    try:
        return alerts.read(body, door.shape)
    except Invalid as invalid:
        return invalid


def answer_object(outcome: Outcome, view: PositionView | None, *, duplicate: bool) -> dict[str, Any]:
    """Return what the sender of an alert is told."""
    signal = outcome.signal
    content: dict[str, Any] = {
        "success": outcome.success,
        "message": outcome.message,
        "signal_id": signal.id,
        "state": outcome.state.value,
        "duplicate": duplicate,
        "order": wire.order_object(outcome.orders[-1]) if outcome.orders else None,
        "position": wire.position_object(view),
    }
    if signal.code is not None:
        content["code"] = signal.code
    detail = signal.detail if isinstance(signal.detail, dict) else {}
    if "reasons" in detail:
        content["reasons"] = detail["reasons"]
    if detail.get("dry"):
        content["dry"] = detail
    return content


# ── Bytes ─────────────────────────────────────────────────────────────────────────────────────────


def wait_ms(query: bytes) -> int:
    """Return how long to wait for the outcome, milliseconds: clamped to 0 to 2500; 1000 if it says nothing sensible."""
    found = _WAIT.search(query)
    number = _WHOLE.fullmatch(found[1]) if found else None
    if number is None:
        return WAIT_MS_DEFAULT
    if number[1] == b"-":
        return 0
    digits = number[2].lstrip(b"0")
    return WAIT_MS_MAX if len(digits) > 4 else min(int(digits or b"0"), WAIT_MS_MAX)


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """Return the body; raises BodyTooLarge without reading on, BodyTooSlow, Gone."""
    length = _header(scope, b"content-length")
    if length is not None and length.isdigit() and (len(length) > 7 or int(length) > BODY_BYTES_MAX):
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            message = await receive()
            body: bytes = _part(message)
            while message.get("more_body", False):
                if len(body) > BODY_BYTES_MAX:
                    raise _too_large()
                message = await receive()
                body += _part(message)
    except TimeoutError:
        raise problems.BodyTooSlow(f"the body did not arrive within {BODY_SECONDS_MAX:.0f} s") from None
    if len(body) > BODY_BYTES_MAX:
        raise _too_large()
    return body


def _part(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise Gone
    part: bytes = message.get("body", b"")
    return part


def _too_large() -> problems.BodyTooLarge:
    return problems.BodyTooLarge(f"an alert has at most {BODY_BYTES_MAX} bytes")


def _header(scope: Scope, name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            try:
                return str(value, "utf-8")
            except UnicodeDecodeError:
                return str(value, "latin-1")
    return None


async def _send(send: Send, status: int, content: bytes, headers: dict[str, str]) -> None:
    raw = [_JSON, (b"content-length", str(len(content)).encode("ascii"))]
    raw += [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": content})
