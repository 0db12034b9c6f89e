"""What a bench answers, as both ends of its pipe read and write it: an answer, or the error in its place."""

from typing import Any, Final

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
)

_KINDS: Final[dict[str, type[PilothouseError]]] = {
    each.__name__: each for each in (NotFound, Conflict, Forbidden, Refused, Unavailable, Broken)
}
"""How an error is told; the first that fits."""


def told(error: PilothouseError) -> dict[str, Any]:
    """Return an error as it goes through the pipe."""
    words = {"code": error.code, "message": str(error)}
    if isinstance(error, Invalid):
        problems = [[each.field, each.came, each.allowed, each.code] for each in error.problems]
        return {"kind": "Invalid", "problems": problems, **words}
    kind = next((name for name, each in _KINDS.items() if isinstance(error, each)), Refused.__name__)
    return {"kind": kind, **words}


def found(line: dict[str, Any]) -> Any:
    """Return an answer; raises the error that it tells of."""
    error = line.get("error")
    if error is None:
        return line["answer"]
    if error["kind"] == "Invalid":
        raise Invalid([Problem(*each) for each in error["problems"]])
    base = _KINDS.get(error["kind"], Refused)
    raise type(base.__name__, (base,), {"code": error["code"]})(error["message"])
