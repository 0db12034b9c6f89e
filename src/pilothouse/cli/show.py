"""How things look on a terminal: plain JSON data in, tables, colours and words out; everything fits 80 columns.

Numbers stand right-aligned with their digits grouped and none of them lost. Colour only repeats what a word says:
without colours nothing is missing.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from pilothouse.core.rounding import nearest, plain
from pilothouse.kit.clocks import SystemClock

SIDE_STYLES: Final[Mapping[str, str]] = {"BUY": "green", "LONG": "green", "SELL": "red", "SHORT": "red"}

STATE_STYLES: Final[Mapping[str, str]] = {
    "intended": "yellow",
    "sending": "yellow",
    "pending": "yellow",
    "active": "yellow",
    "unknown": "bold black on yellow",
    "working": "cyan",
    "partly_filled": "cyan",
    "filled": "green",
    "decided": "green",
    "ok": "green",
    "canceled": "dim",
    "expired": "dim",
    "noop": "dim",
    "superseded": "dim",
    "closed": "dim",
    "revoked": "dim",
    "dry": "magenta",
    "rejected": "red",
    "refused": "red",
    "halted": "bold red",
    "broken": "bold red",
}

CENT: Final = Decimal("0.01")
NOTHING: Final = "–"
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def console() -> Console:
    """Return the console for what was asked for: standard output, 80 columns where nobody knows the width."""
    return Console(highlight=False, emoji=False, soft_wrap=False)


def complaints() -> Console:
    """Return the console for everything else: standard error."""
    return Console(stderr=True, highlight=False, emoji=False)


def out(data: object, *, as_json: bool, draw: Callable[[Console], None]) -> None:
    """Show `data`: as one line of JSON and nothing else, or drawn for a person."""
    if as_json:
        print_json(data)
    else:
        draw(console())


def print_json(data: object) -> None:
    """Print `data` as JSON on one line; decimals are text in it already."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n")


# ── words and numbers ─────────────────────────────────────────────────────────────────────────────


def decimal(value: object) -> Decimal | None:
    """Return the number that `value` says, or None if it says none."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def number(value: object) -> str:
    """Return every digit of a number, thousands apart: 65000.10 -> 65,000.1; a dash for none."""
    exact = decimal(value)
    if exact is None:
        return NOTHING
    whole, point, rest = plain(exact).partition(".")
    return f"{int(whole):,}{point}{rest}" if whole != "-0" else f"-0{point}{rest}"


def money(value: object) -> str:
    """Return an amount to the cent, thousands apart: for a look, never for a book."""
    exact = decimal(value)
    return NOTHING if exact is None else f"{nearest(exact, CENT):,.2f}"


def percent(value: object) -> str:
    """Return a percentage as it is shown: 2 -> 2 %."""
    exact = decimal(value)
    return NOTHING if exact is None else f"{number(exact)} %"


def gain(value: object) -> Text:
    """Return a result with its sign, to the cent, green above zero and red below."""
    exact = decimal(value)
    if exact is None:
        return Text(NOTHING, style="dim")
    cents = nearest(exact, CENT)
    style = "green" if cents > 0 else "red" if cents < 0 else "dim"
    return Text(f"{cents:+,.2f}" if cents else "0.00", style=style)


def side(word: object) -> Text:
    """Return BUY, SELL, LONG or SHORT in its colour."""
    text = str(word or NOTHING).upper()
    return Text(text, style=SIDE_STYLES.get(text, "dim"))


def state(word: object) -> Text:
    """Return a state in its colour, its words apart."""
    text = str(word or NOTHING)
    return Text(text.replace("_", " "), style=STATE_STYLES.get(text.lower(), ""))


def instant(text: object) -> datetime | None:
    """Return the instant that an answer of the API tells: ISO 8601, or milliseconds since 1970; None if none."""
    if isinstance(text, int) and not isinstance(text, bool):
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=text)
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None


def now() -> datetime:
    """Return the present instant, for ages."""
    return SystemClock().now()


def age(at: object, now: datetime) -> str:
    """Return how long ago that was: now, 12s, 3m, 5h, 2d; `in 3m` for what is still to come."""
    then = at if isinstance(at, datetime) else instant(at)
    if then is None:
        return NOTHING
    seconds = (now - then) // timedelta(seconds=1)
    words = span(abs(seconds))
    return "now" if seconds in {0, -1} else words if seconds > 0 else f"in {words}"


def span(seconds: int) -> str:
    """Return a span in its largest unit: 12s, 3m, 5h, 2d."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return "0s"


def short(long_id: object) -> str:
    """Return the part of an id that a person types: its kind is known, its time and counter tell it from the others.

    An id ends in 16 digits of microseconds, 4 of a counter and 8 of noise. The last ten of the microseconds do not
    come round within twelve days; whoever types them is told if they fit two.
    """
    text = str(long_id or NOTHING)
    digits = text.rpartition("_")[2]
    return digits[6:16] if len(digits) == 28 else text


# ── tables ────────────────────────────────────────────────────────────────────────────────────────


def table(*columns: str, title: str = "") -> Table:
    """Return an empty table without lines.

    columns   headings; `>` in front aligns right, `*` in front takes what width is left and is cut off at its end
    """
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", title=title or None)
    made.title_justify = "left"
    made.title_style = "bold"
    for column in columns:
        heading = column.lstrip(">*")
        wide = column.startswith("*")
        made.add_column(
            heading,
            justify="right" if column.startswith(">") else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=1 if wide else None,
        )
    made.expand = any(column.startswith("*") for column in columns)
    return made


def pairs(rows: Iterable[tuple[str, RenderableType]]) -> Table:
    """Return names on the left and what they have on the right, wrapped where it is long."""
    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(name, value)
    return made


def listed(screen: Console, rows: Sequence[object], filled: Table, nothing: str) -> None:
    """Print a table, or what it means that there is no row."""
    if rows:
        screen.print(filled)
    else:
        screen.print(Text(nothing, style="dim"))


def items(answer: Any) -> list[dict[str, Any]]:
    """Return the rows of an answer: a page `{items, next_cursor}` or a bare list."""
    rows = answer.get("items", []) if isinstance(answer, dict) else answer
    return [row for row in rows if isinstance(row, dict)]
