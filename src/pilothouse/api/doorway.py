"""Around every request: its id, how long it took, a line in the log and a count in the meters, and 500 at the worst.

By route: an address that holds a hook's token is never written down. Nothing of the framework is known here, so that
alerts can be answered before it is loaded.
"""

from collections.abc import Mapping

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pilothouse.api import problems
from pilothouse.api.hooks import PATHS
from pilothouse.fleet.inbox import Door
from pilothouse.kit import log
from pilothouse.wiring.house import House

_log = structlog.get_logger("pilothouse.api")

_HOOKS = "/hooks/"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

# No answer is to be guessed at, framed or kept by anything between us and who asked.
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
)


class Doorway:
    """Gives each request its id, measures it, logs it, and answers 500 for what nobody expected."""

    def __init__(self, app: ASGIApp, house: House, doors: Mapping[Door, ASGIApp]) -> None:
        """Lead alerts to their `doors` and everything else to `app`."""
        self.app = app
        self.house = house
        self._doors = {PATHS[door]: app for door, app in doors.items()}
        self._hook = doors[Door.HOOK]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["request_id"] = request_id = self.house.ids.fresh("req")
        answer = _Answer(self, scope, send)
        with log.bind(correlation=request_id):
            try:
                await (self.door_of(scope) or self.app)(scope, receive, answer)
            except Exception:
                _log.exception("request_failed", method=scope["method"], route=route_of(scope))
                if answer.status == 0:
                    said = problems.told(Exception())
                    await problems.answer(Request(scope), said, self.house.clock)(scope, receive, answer)
            finally:
                answer.note()

    def door_of(self, scope: Scope) -> ASGIApp | None:
        """Return the door of an alert, which goes straight to it; None for everything else, a GET there included."""
        if scope["method"] != "POST":
            return None
        path = scope["path"]
        door = self._doors.get(path)
        if door is None and path.startswith(_HOOKS):
            token = path[len(_HOOKS) :]
            if token and "/" not in token:
                scope["path_params"] = {"url_token": token}
                return self._hook
        return door


class _Answer:
    """One answer on its way out."""

    __slots__ = ("_doorway", "_scope", "_send", "_started", "status")

    def __init__(self, doorway: Doorway, scope: Scope, send: Send) -> None:
        self._doorway = doorway
        self._scope = scope
        self._send = send
        self._started = doorway.house.clock.monotonic()
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            seconds = self._doorway.house.clock.monotonic() - self._started
            set_already = {name for name, _ in message["headers"]}
            message["headers"] = [
                *message["headers"],
                *(header for header in _ALWAYS if header[0] not in set_already),
                (b"x-request-id", self._scope["state"]["request_id"].encode("ascii")),
                (b"x-process-time", f"{seconds:.6f}".encode("ascii")),
            ]
        await self._send(message)

    def note(self) -> None:
        """Write down what was answered, and how long it took."""
        seconds = self._doorway.house.clock.monotonic() - self._started
        scope, state = self._scope, self._scope["state"]
        route, method = route_of(scope), scope["method"]
        known_method = method if method in _METHODS else "OTHER"
        self._doorway.house.meters.request_seconds.labels(known_method, route, str(self.status)).observe(seconds)
        # From the alert to the fill, everything is logged under the id of the alert.
        more = {"correlation": state["signal_id"], "request": state["request_id"]} if "signal_id" in state else {}
        write = _log.info if self.status < 500 else _log.warning
        write("request_answered", method=known_method, route=route, status=self.status, ms=int(seconds * 1000), **more)


def route_of(scope: Scope) -> str:
    """Return the pattern of the address, such as /hooks/{url_token}; never the address itself."""
    named = scope["state"].get("route")
    if named is not None:
        return str(named)
    route = scope.get("route")
    return str(getattr(route, "path", "unmatched"))
