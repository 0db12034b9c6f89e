"""The FastAPI application: every door of the house in one place, and what all of them share.

Each answer carries its request id and how long it took; each request is one line in the log and one count in the
meters, by route: an address that holds a hook's token is never written down.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pilothouse import __version__
from pilothouse.api import (
    accounts,
    alarms,
    alert_hooks,
    audit,
    backtests,
    candles,
    care,
    compat,
    events,
    halts,
    keys,
    limits,
    market,
    orders,
    portfolio,
    problems,
    protection,
    signals,
    strategies,
    system,
    venue_accounts,
)
from pilothouse.api.contract import openapi_of
from pilothouse.api.deps import Guarded
from pilothouse.api.events import Feed
from pilothouse.api.hooks import PATHS, Intake
from pilothouse.core.errors import Broken, PilothouseError
from pilothouse.fleet.inbox import Door
from pilothouse.kit import log
from pilothouse.kit.redaction import is_secret_name
from pilothouse.wiring.house import House

_log = structlog.get_logger("pilothouse.api")

_CAME_LENGTH_MAX = 60

ROUTERS = (
    signals.router,
    orders.router,
    portfolio.router,
    protection.router,
    market.router,
    candles.router,
    strategies.router,
    backtests.router,
    alert_hooks.router,
    accounts.router,
    limits.router,
    halts.router,
    venue_accounts.router,
    keys.router,
    events.router,
    alarms.router,
    care.router,
    audit.router,
    compat.router,
    system.router,
)

# No answer is to be guessed at, framed or kept by anything between us and who asked.
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
)


def create_app(house: House) -> FastAPI:
    """Return the application of an open house. `app.state.end_streams()` ends what would stay open for ever."""
    intake, feed = Intake(house), Feed(house.database)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        feed.end()
        intake.close()

    app = FastAPI(
        title="Pilothouse",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.house = house
    doors = {door: intake.door(door) for door in PATHS}
    for door, path in PATHS.items():
        app.router.routes.append(Route(path, _Raw(doors[door]), methods=["POST"], name=door.name.lower()))
    app.state.intake, app.state.feed = intake, feed
    app.state.health = system.Glimpses(house)
    app.state.end_streams = feed.end
    for router in ROUTERS:
        app.router.routes.extend(router.routes)  # flat, so that what is open can be seen and walked
    app.openapi = partial(openapi_of, app)  # type: ignore[method-assign]  # the way the framework offers
    app.add_middleware(_Doorway, house=house, doors=doors)
    app.add_exception_handler(PilothouseError, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_fields)
    app.add_exception_handler(HTTPException, _refuse_http)
    _check_guards(app)
    return app


def _check_guards(app: FastAPI) -> None:
    """Raise Broken for a route that is neither public by name, nor a hook, nor behind a token."""
    known = {*system.PUBLIC_ROUTES, *PATHS.values(), "/metrics"}
    for route in app.routes:
        path = getattr(route, "path", "")
        if path not in known and not isinstance(route, Guarded):
            raise Broken(f"{path} is neither public nor behind a token")


class _Raw:
    """An ASGI application as a route's endpoint: Starlette wraps functions, and calls everything else as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


# ── Around every request ──────────────────────────────────────────────────────────────────────────


class _Doorway:
    """Gives each request its id, measures it, logs it, and answers 500 for what nobody expected."""

    def __init__(self, app: ASGIApp, house: House, doors: Mapping[Door, ASGIApp]) -> None:
        self.app = app
        self.house = house
        self._doors = {PATHS[door]: app for door, app in doors.items()}
        self._hook = doors[Door.HOOK]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["request_id"] = request_id = self.house.ids.fresh("req")
        answer = _Answer(self, scope, send)
        with log.bind(correlation=request_id):
            try:
                await self._way(scope)(scope, receive, answer)
            except Exception:
                _log.exception("request_failed", method=scope["method"], route=_route(scope))
                if answer.status == 0:
                    said = problems.told(Exception())
                    await problems.answer(Request(scope), said)(scope, receive, answer)
            finally:
                answer.note()

    def _way(self, scope: Scope) -> ASGIApp:
        """Return what answers: an alert goes straight to its door, whose route is there for everything else."""
        if scope["method"] != "POST":
            return self.app
        path = scope["path"]
        door = self._doors.get(path)
        if door is None and path.startswith(_HOOKS):
            token = path[len(_HOOKS) :]
            if token and "/" not in token:
                scope["path_params"] = {"url_token": token}
                return self._hook
        return door or self.app


_HOOKS = "/hooks/"


class _Answer:
    """One answer on its way out."""

    __slots__ = ("_doorway", "_scope", "_send", "_started", "status")

    def __init__(self, doorway: _Doorway, scope: Scope, send: Send) -> None:
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
        route, method = _route(scope), scope["method"]
        known_method = method if method in _METHODS else "OTHER"
        self._doorway.house.meters.request_seconds.labels(known_method, route, str(self.status)).observe(seconds)
        # From the alert to the fill, everything is logged under the id of the alert.
        more = {"correlation": state["signal_id"], "request": state["request_id"]} if "signal_id" in state else {}
        write = _log.info if self.status < 500 else _log.warning
        write("request_answered", method=known_method, route=route, status=self.status, ms=int(seconds * 1000), **more)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _route(scope: Scope) -> str:
    """Return the pattern of the address, such as /hooks/{url_token}; never the address itself."""
    named = scope["state"].get("route")
    if named is not None:
        return str(named)
    route = scope.get("route")
    return str(getattr(route, "path", "unmatched"))


# ── What went wrong ───────────────────────────────────────────────────────────────────────────────


def _refuse(request: Request, error: Exception) -> Response:
    said = problems.told(error)
    if said.status >= 500:
        _log.warning("request_not_done", code=said.code, route=_route(request.scope), exc_info=error)
    request.app.state.house.meters.refused.labels(said.code).inc()
    return problems.answer(request, said)


def _refuse_fields(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError), "registered for this kind alone"
    wrong = [_field(each) for each in error.errors()]
    return problems.answer(request, problems.invalid(wrong))


def _field(found: dict[str, object]) -> dict[str, str]:
    """Return one wrong field: which, what came, what would be right."""
    where = [str(each) for each in found["loc"]] if isinstance(found["loc"], tuple | list) else []
    place = where[1:] if len(where) > 1 and where[0] in {"body", "query", "path", "header"} else where
    field = ascii(".".join(place))[1:-1][:_CAME_LENGTH_MAX]
    came = found.get("input")
    if is_secret_name(field):  # a key that came as something else than a text, or at the wrong place
        return {"field": field, "message": f"{field}: {found['msg']}", "type": str(found["type"])}
    if found["type"] == "string_type" and isinstance(came, int | float):
        return {"field": field, "message": f'{field}: a number came; a decimal as text, such as "0.01"', "type": "text"}
    shown = f"{ascii(came)[:_CAME_LENGTH_MAX]} came; " if isinstance(came, str | int) and field else ""
    return {"field": field, "message": f"{field}: {shown}{found['msg']}", "type": str(found["type"])}


def _refuse_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for this kind alone"
    detail = error.detail if error.status_code != 404 else "there is nothing at this address"
    answer = problems.answer(request, problems.of_status(error.status_code, str(detail)))
    answer.headers.update(error.headers or {})
    return answer
