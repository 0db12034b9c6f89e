"""What went wrong, as an answer: the kind of an error goes in, status and body come out. The one table is here.

Answers are problem documents (RFC 9457). On the doors that alerts and older clients use, the same body also carries
`error`, `detail`, `code`, `timestamp` and `validation_errors`, as those clients expect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pilothouse.accounts.idempotency import IdempotencyMismatch
from pilothouse.backtest.asking import Unfit
from pilothouse.backtest.bounds import TooMuch
from pilothouse.core.clock import Clock, millis
from pilothouse.core.errors import (
    Broken,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PilothouseError,
    Problem,
    Refused,
    Unavailable,
    Unknown,
)
from pilothouse.execution.gate import DeniedByRisk
from pilothouse.fleet.inbox import SecretMissing, SecretWrong
from pilothouse.kit.exact_json import encoded


class CredentialMissing(Forbidden):
    """A valid token is needed, and none came."""

    code = "credential_missing"


class BodyTooLarge(Refused):
    """The body is longer than any of ours needs to be."""

    code = "body_too_large"


class BodyTooSlow(Refused):
    """The body did not arrive in time."""

    code = "body_too_slow"


class RateExceeded(Unavailable):
    """More requests came within a second than are allowed; nothing happened."""

    code = "rate_exceeded"


# The first kind that fits decides, so the special ones stand above what they are a kind of.
STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (CredentialMissing, 401),
    (SecretMissing, 401),
    (SecretWrong, 401),
    (BodyTooLarge, 413),
    (BodyTooSlow, 408),
    (IdempotencyMismatch, 422),
    (Unfit, 422),
    (Invalid, 400),
    (NotFound, 404),
    (Conflict, 409),
    (Forbidden, 403),
    (Refused, 422),
    (RateExceeded, 429),
    (Unavailable, 503),
    (Unknown, 504),
    (Broken, 500),
    (Exception, 500),
)

_HIDDEN = "something in this house is not as it must be; the log has the details under this request id"
_NOT_KNOWN = "; nobody can say yet whether it happened: look before asking again"

# Codes that clients of the older wire format know, by ours; what is not here is ours in capitals.
_OLD_CODES: Mapping[str, str] = {
    "invalid": "VALIDATION_ERROR",
    "position_not_found": "POSITIONNOTFOUND",
    "rate_exceeded": "RATELIMITERROR",
    "unknown": "TIMEOUT_ERROR",
    "internal_error": "INTERNAL_SERVER_ERROR",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What is said about an error.

    code       stable, lower case
    problems   wrong fields, each {field, message, type}
    more       further members of the body
    """

    status: int
    code: str
    detail: str
    problems: tuple[dict[str, str], ...] = ()
    more: Mapping[str, Any] | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Return what the status asks for."""
        if self.status == HTTPStatus.UNAUTHORIZED and self.code == CredentialMissing.code:
            return {"WWW-Authenticate": 'Bearer realm="pilothouse"'}
        if self.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
            return {"Retry-After": "1"}
        if self.status in {HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT}:
            # What is left of the body is not read, so the connection cannot be used again.
            return {"Connection": "close"}
        return {}


def status_of(error: Exception) -> int:
    """Return the HTTP status of an error."""
    return next(status for kind, status in STATUSES if isinstance(error, kind))


def told(error: Exception) -> Told:
    """Return what is said about `error`; of what is our own fault, nothing but that it is."""
    status = status_of(error)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR or not isinstance(error, PilothouseError):
        return Told(status, error.code if isinstance(error, Broken) else "internal_error", _HIDDEN)
    if isinstance(error, Invalid):
        return Told(status, error.code, str(error), tuple(field_data(each) for each in error.problems))
    if isinstance(error, DeniedByRisk):
        reasons = [{"code": r.code, "number": r.number, "limit": r.limit, "message": r.message} for r in error.reasons]
        return Told(status, error.code, str(error), more={"reasons": reasons})
    if isinstance(error, TooMuch):
        bound = {"bound": error.bound, "number": error.number, "limit": error.limit}
        return Told(status, error.code, str(error), more=bound)
    detail = str(error)
    if isinstance(error, Unknown):
        detail += _NOT_KNOWN
    return Told(status, error.code, detail)


def field_data(problem: Problem) -> dict[str, str]:
    """Return one wrong field as answers show it."""
    return {"field": problem.field, "message": str(problem), "type": problem.code}


def invalid(problems: Sequence[dict[str, str]]) -> Told:
    """Return what is said of wrong fields that the framework found."""
    return Told(400, Invalid.code, "; ".join(each["message"] for each in problems), tuple(problems))


def of_status(status: int, detail: str) -> Told:
    """Return what is said where only a status is known, such as an address that does not exist."""
    return Told(status, HTTPStatus(status).phrase.lower().replace(" ", "_"), detail)


def body(said: Told, request_id: str) -> dict[str, Any]:
    """Return the problem document."""
    document: dict[str, Any] = {
        "type": f"urn:pilothouse:problem:{said.code}",
        "title": HTTPStatus(said.status).phrase,
        "status": said.status,
        "detail": said.detail,
        "code": said.code,
        "request_id": request_id,
    }
    if said.problems:
        document["errors"] = list(said.problems)
    return {**document, **(said.more or {})}


def old_body(said: Told, request_id: str, clock: Clock) -> dict[str, Any]:
    """Return the problem document with what clients of the older wire format look for."""
    document = body(said, request_id)
    document["error"] = document["title"]
    document["code"] = _OLD_CODES.get(said.code, said.code.upper())
    document["timestamp"] = millis(clock.now())
    document["validation_errors"] = document.pop("errors", [])
    return document


def answer(request: Request, said: Told, clock: Clock | None = None) -> Response:
    """Return the answer to a request that cannot be granted; `clock`: of the house, where no application knows it."""
    request_id = str(request.scope["state"].get("request_id", ""))
    if speaks_old(request.scope["path"]):
        content = old_body(said, request_id, clock or request.app.state.house.clock)
    else:
        content = body(said, request_id)
    plain = is_hook(request.scope["path"])
    media = "application/json" if plain else "application/problem+json"
    return Response(encoded(content), said.status, said.headers, media)


def is_hook(path: str) -> bool:
    """Say whether alerts come in at this address."""
    return path.startswith(("/webhook/", "/hooks/"))


def speaks_old(path: str) -> bool:
    """Say whether clients of the older wire format use this address."""
    return is_hook(path) or path.startswith(("/positions", "/account/", "/orders"))
