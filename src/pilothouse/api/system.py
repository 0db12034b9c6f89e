"""What everybody may ask: whether the house lives, what it measures, and how its doors are used."""

import contextlib
import ipaddress
import json
import threading
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from pilothouse.accounts.access import Scope
from pilothouse.api.deps import subject_behind
from pilothouse.api.pages import docs_page
from pilothouse.api.shapes import REFUSALS, Alive, Health, Readiness, answer
from pilothouse.core.clock import millis
from pilothouse.core.errors import Unavailable
from pilothouse.observability import health
from pilothouse.observability.gauges import set_gauges
from pilothouse.wiring.house import House

router = APIRouter(tags=["system"])

SECONDS_KEPT = 1.0
NOT_READY: dict[int | str, dict[str, Any]] = {503: {"model": Readiness, "description": "It cannot take alerts now."}}
NOT_HEALTHY: dict[int | str, dict[str, Any]] = {503: {"model": Health, "description": "It cannot take alerts now."}}

# What may stand between us and a stranger writes one of these; then the nearest address proves nothing.
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")

PUBLIC_ROUTES = frozenset({"/", "/docs", "/redoc", "/openapi.json", "/health", "/health/live", "/health/ready"})
"""Every route that asks for no credential, the hooks (which have their own) and /metrics (which may) aside."""


@router.get("/health/live", summary="Is the process alive", response_model=Alive)
async def live() -> Response:
    """Answer as long as the process can answer at all; nothing is looked at."""
    return answer(health.live())


@router.get("/health/ready", summary="Can it take alerts", response_model=Readiness, responses=NOT_READY)
def ready(request: Request) -> Response:
    """Say whether alerts can be stored, decided and sent now; 503 if not, with what is missing."""
    found = health.ready(request.app.state.house)
    checks = {check.name: {"ok": check.ok, "words": check.words} for check in found.checks}
    status = HTTPStatus.OK if found.ok else HTTPStatus.SERVICE_UNAVAILABLE
    return answer({"status": "ready" if found.ok else "not_ready", "checks": checks}, status)


@router.get("/health", summary="How it is", response_model=Health, responses=NOT_HEALTHY)
def healthy(request: Request) -> Response:
    """Say how the house is: healthy, degraded (it works, but somebody should look) or unhealthy (503)."""
    found = request.app.state.health.report()
    status = HTTPStatus.SERVICE_UNAVAILABLE if found["status"] == "unhealthy" else HTTPStatus.OK
    return answer(found, status)


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=PlainTextResponse,
    responses={401: REFUSALS[401], 403: REFUSALS[403]},
)
def metrics(request: Request) -> Response:
    """Return every meter, to this machine itself and to who shows an operator token."""
    if not _comes_from_here(request):
        subject_behind(request.app.state.house, request.headers.get("authorization")).require(Scope.READ)
    request.app.state.health.set_gauges()
    meters = request.app.state.house.meters
    return Response(meters.text(), headers={"Content-Type": meters.content_type})


class Glimpses:
    """What everybody may ask costs a look at the record at most once a second, however many ask."""

    def __init__(self, house: House) -> None:
        """Have seen nothing yet."""
        self._house = house
        self._lock = threading.Lock()
        self._report: dict[str, Any] = {}
        self._reported_at = self._gauged_at = -SECONDS_KEPT

    def report(self) -> dict[str, Any]:
        """Return how the house is."""
        with self._lock:
            now = self._house.clock.monotonic()
            if now - self._reported_at >= SECONDS_KEPT:
                self._report, self._reported_at = health.report(self._house), now
            return {**self._report, "timestamp": millis(self._house.clock.now())}

    def set_gauges(self) -> None:
        """Bring the gauges up to date, unless the record cannot be read: then they stand as they were."""
        with self._lock:
            now = self._house.clock.monotonic()
            if now - self._gauged_at >= SECONDS_KEPT:
                with contextlib.suppress(Unavailable):
                    set_gauges(self._house)
                self._gauged_at = now


@router.get("/", include_in_schema=False)
async def root() -> Response:
    """Lead to the documentation."""
    return RedirectResponse("/docs", HTTPStatus.TEMPORARY_REDIRECT)


@router.get("/redoc", include_in_schema=False)
async def redoc() -> Response:
    """Lead to the documentation."""
    return RedirectResponse("/docs", HTTPStatus.TEMPORARY_REDIRECT)


@router.get("/docs", include_in_schema=False)
def docs(request: Request) -> Response:
    """Return the documentation as one page without anything from elsewhere."""
    return HTMLResponse(docs_page(request.app.openapi()))


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> Response:
    """Return the OpenAPI document."""
    return Response(json.dumps(request.app.openapi()), media_type="application/json")


def _comes_from_here(request: Request) -> bool:
    if any(name in request.headers for name in _FORWARDED) or request.client is None:
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
