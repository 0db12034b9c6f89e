"""What everybody may ask: whether the house lives, what it measures, and how its doors are used."""

import ipaddress
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from pilothouse import __version__
from pilothouse.accounts.access import Scope
from pilothouse.api.deps import subject_behind
from pilothouse.api.pages import docs_page
from pilothouse.core.clock import millis
from pilothouse.kit.exact_json import encoded
from pilothouse.observability import health

router = APIRouter(tags=["system"])

# What may stand between us and a stranger writes one of these; then the nearest address proves nothing.
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")

PUBLIC_ROUTES = frozenset({"/", "/docs", "/redoc", "/openapi.json", "/health", "/health/live", "/health/ready"})
"""Every route that asks for no credential, the hooks (which have their own) and /metrics (which may) aside."""


@router.get(
    "/health/live",
    summary="Is the process alive",
    responses={200: {"content": {"application/json": {"example": {"status": "live"}}}}},
)
async def live() -> Response:
    """Answer as long as the process can answer at all."""
    return _json({"status": "live" if health.live() else "dead"})


@router.get("/health/ready", summary="Can it take alerts")
def ready(request: Request) -> Response:
    """Say whether alerts can be stored and decided now; 503 if not, with what is missing."""
    is_ready, checks = health.ready(request.app.state.house)
    status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
    return _json({"status": "ready" if is_ready else "not_ready", "checks": checks}, status)


@router.get("/health", summary="How it is")
def healthy(request: Request) -> Response:
    """Say how the house is, in the words that monitors of the older wire format look for."""
    house = request.app.state.house
    is_ready, checks = health.ready(house)
    content = {
        "status": "healthy" if is_ready else "unhealthy",
        "timestamp": millis(house.clock.now()),
        "version": __version__,
        "checks": checks,
    }
    return _json(content, HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE)


@router.get("/metrics", summary="Figures for Prometheus")
def metrics(request: Request) -> Response:
    """Return every meter, to this machine itself and to who shows an operator token."""
    if not _comes_from_here(request):
        subject_behind(request.app.state.house, request.headers.get("authorization")).require(Scope.READ)
    meters = request.app.state.house.meters
    return Response(meters.text(), media_type=meters.content_type)


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
    return _json(request.app.openapi())


def _json(content: dict[str, Any], status: int = HTTPStatus.OK) -> Response:
    return Response(encoded(content), status, media_type="application/json")


def _comes_from_here(request: Request) -> bool:
    if any(name in request.headers for name in _FORWARDED) or request.client is None:
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
