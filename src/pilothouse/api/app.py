"""The FastAPI application: every door of the house in one place, and what is answered when something went wrong."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pilothouse import __version__
from pilothouse.api import (
    accounts,
    alarms,
    alert_hooks,
    audit,
    backtests,
    candle_files,
    candles,
    care,
    compat,
    events,
    funding_files,
    funding_rates,
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
from pilothouse.api.doorway import Doorway, route_of
from pilothouse.api.events import Feed
from pilothouse.api.hooks import PATHS, Intake
from pilothouse.core.errors import Broken, PilothouseError
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
    funding_rates.router,
    funding_files.router,
    candle_files.router,
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


def create_app(house: House, intake: Intake | None = None) -> FastAPI:
    """Return the application of an open house. `app.state.end_streams()` ends what would stay open for ever.

    intake   what takes alerts in already, and is closed by whoever made it
    """
    own, feed = intake is None, Feed(house.database)
    intake = intake or Intake(house)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        feed.end()
        if own:
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
    app.add_middleware(Doorway, house=house, doors=doors)
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


# ── What went wrong ───────────────────────────────────────────────────────────────────────────────


def _refuse(request: Request, error: Exception) -> Response:
    said = problems.told(error)
    if said.status >= 500:
        _log.warning("request_not_done", code=said.code, route=route_of(request.scope), exc_info=error)
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
