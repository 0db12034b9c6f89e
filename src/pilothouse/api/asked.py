"""Parameters that many routes take, each with its bounds: ids, symbols, pages, spans of time."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import BeforeValidator, WithJsonSchema

from pilothouse.api.deps import Caller
from pilothouse.core.clock import from_micros
from pilothouse.core.errors import Refused

_ID = r"^[A-Za-z0-9_]{1,64}$"
_SYMBOL = r"^[\x21-\x7e]{1,64}$"
_MILLIS = re.compile(r"[0-9]{1,14}")

IdInPath = Annotated[str, Path(pattern=_ID, examples=["ord_0006441e8b0c4d2f0000a1b2c3d4"])]
SymbolInPath = Annotated[str, Path(pattern=_SYMBOL, description="In any spelling.", examples=["BTCUSDT"])]
Symbol = Annotated[
    str | None, Query(pattern=_SYMBOL, description="Only this instrument, in any spelling.", examples=["BTCUSDT"])
]
Cursor = Annotated[str | None, Query(pattern=_ID, description="`next_cursor` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=1_000, description="How many rows at most.")]
HookId = Annotated[str | None, Query(pattern=_ID, description="Only what came through this hook.")]
SignalId = Annotated[str | None, Query(pattern=_ID, description="Only what this alert made.")]
OrderId = Annotated[str | None, Query(pattern=_ID, description="Only what belongs to this order.")]


def _instant(came: Any) -> datetime:
    """Return an instant from ISO 8601 (without a zone: UTC) or milliseconds since 1970."""
    text = str(came).strip()
    try:
        if _MILLIS.fullmatch(text):
            return from_micros(int(text) * 1_000)
        found = datetime.fromisoformat(text.replace(" ", "+"))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("an instant such as 2026-11-21T09:30:00Z, or milliseconds since 1970") from None


_EITHER = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "integer", "minimum": 0, "maximum": 99_999_999_999_999},
    ],
    "examples": ["2026-11-21T09:30:00Z"],
}
_Instant = Annotated[datetime, BeforeValidator(_instant), WithJsonSchema(_EITHER)]
Since = Annotated[_Instant | None, Query(description="From this instant on: ISO 8601, or milliseconds since 1970.")]
Until = Annotated[_Instant | None, Query(description="Up to this instant: ISO 8601, or milliseconds since 1970.")]


def symbol_named(caller: Caller, text: str | None) -> str | None:
    """Return the venue's name of an instrument, however it is spelled; text that names none finds nothing."""
    if text is None:
        return None
    for venue in caller.house.instruments.venues():
        try:
            return caller.house.desk.resolve(venue, text).symbol
        except Refused:
            continue
    return text.upper()


def page_of(rows: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    """Return one page; `rows` has one row more than `limit` if there are more."""
    items = rows[:limit]
    return {"items": items, "next_cursor": items[-1]["id"] if len(rows) > limit else None}
