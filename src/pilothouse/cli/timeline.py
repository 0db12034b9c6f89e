"""The life of an alert's orders as lines: what the house recorded in, one line for each happening out, once each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "decide": ("decided", "default"),
    "send": ("sending", "yellow"),
    "accept": ("accepted", "cyan"),
    "fill_part": ("filled part", "green"),
    "fill_rest": ("filled", "bold green"),
    "reject": ("rejected", "bold red"),
    "lose": ("unknown", "bold yellow"),
    "put_off": ("put off", "yellow"),
    "warned": ("warned", "yellow"),
    "deny": ("never arrived", "yellow"),
    "cancel_asked": ("cancelling", "yellow"),
    "cancel_refused": ("not cancelled", "yellow"),
    "cancel": ("cancelled", "dim"),
    "expire": ("expired", "dim"),
    "withdraw": ("withdrawn", "dim"),
    "broken": ("BROKEN", "bold red"),
}
"""What an event is called, and its colour."""

_WORD_WIDTH: Final = 14


def events_of(order: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the lines of an order's timeline, oldest first."""
    lines = order.get("timeline") or []
    return [line for line in lines if isinstance(line, dict)]


def clock_text(since: timedelta) -> str:
    """Return a span as a column of 9 characters: `   18 ms`, ` 4.210 s`, `  12m 03s`."""
    ms = since // timedelta(milliseconds=1)
    if ms < 1_000:
        return f"{ms} ms".rjust(9)
    if ms < 60_000:
        return f"{ms // 1000}.{ms % 1000:03d} s".rjust(9)
    return f"{ms // 60_000}m {ms // 1000 % 60:02d}s".rjust(9)


def line(since: timedelta | None, word: str, style: str, detail: str) -> "Text":
    """Return one line: when, a dot, what, and the particulars."""
    from rich.text import Text

    made = Text()
    made.append((clock_text(since) if since is not None else "").rjust(9), style="dim")
    made.append("  ●  ", style=style)
    made.append(word.ljust(_WORD_WIDTH), style=style)
    made.append(detail)
    return made


def print_line(screen: "Console", made: "Text") -> None:
    """Print a line; what does not fit goes on below its particulars, never below its time."""
    from rich.table import Table

    indent = 9 + 5 + _WORD_WIDTH
    grid = Table.grid(padding=0)
    grid.add_column(width=indent, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(made[:indent], made[indent:])
    screen.print(grid)


def draw_events(screen: "Console", order: Mapping[str, Any]) -> None:
    """Draw everything that happened to one order, by the time since it was decided."""
    from pilothouse.cli.show import instant

    began: datetime | None = None
    for event in events_of(order):
        at = instant(event.get("at"))
        began = began or at
        since = at - began if at is not None and began is not None else None
        print_line(screen, _line_of(event, order, since, name_it=False))


def _line_of(event: Mapping[str, Any], order: Mapping[str, Any], since: timedelta | None, *, name_it: bool) -> "Text":
    word, style = WORDS.get(str(event.get("event")), (str(event.get("event")).replace("_", " "), "default"))
    detail = str(event.get("detail") or "")
    if str(event.get("event")) == "send":
        detail = order_words(order)
    elif name_it:
        detail = f"{detail}  ({purpose_words(order)})"
    return line(since, word, style, detail)


def order_words(order: Mapping[str, Any]) -> str:
    """Return an order in one line: BUY 0.01 BTCUSDT MARKET, and what it is for where it protects."""
    from pilothouse.cli.show import number

    words = f"{order.get('side')} {number(order.get('quantity'))} {order.get('symbol')} {kind_of(order)}"
    return words + (" reduce-only" if order.get("reduce_only") else "")


def kind_of(row: Mapping[str, Any]) -> str:
    """Return the type of an order as traders abbreviate it, with its limit and trigger."""
    from pilothouse.cli.show import number

    words = [str(row.get("type") or "")]
    if row.get("stop_price"):
        words.append(f"if {number(row['stop_price'])}")
    if row.get("price"):
        words.append(f"at {number(row['price'])}")
    if row.get("time_in_force") not in {None, "GTC"}:
        words.append(str(row["time_in_force"]))
    return " ".join(words)


def purpose_words(order: Mapping[str, Any]) -> str:
    """Return what an order is for, in words: stop loss, take profit, exit, entry."""
    return str(order.get("purpose") or "order").replace("_", " ")


@dataclass(slots=True)
class Timeline:
    """The lines of one alert, drawn as they become known; told again, nothing is drawn twice.

    began   when the alert was sent, by the clock of the house
    """

    screen: "Console"
    began: datetime
    drawn: set[object] = field(default_factory=set)

    def say(self, at: datetime | None, word: str, style: str, detail: str) -> None:
        """Draw a line of our own."""
        since = max(at - self.began, timedelta(0)) if at is not None else None
        print_line(self.screen, line(since, word, style, detail))

    def learn(self, orders: Iterable[Mapping[str, Any]]) -> None:
        """Draw what these orders have lived through since they were last told of, in the order in which it happened."""
        from pilothouse.cli.show import instant

        told = list(orders)
        fresh = [
            (event, order)
            for order in told
            for event in events_of(order)
            if (order.get("id"), event.get("id") or (event.get("at"), event.get("event"))) not in self.drawn
        ]
        fresh.sort(key=lambda pair: (str(pair[0].get("at")), int(pair[0].get("id") or 0)))
        for event, order in fresh:
            self.drawn.add((order.get("id"), event.get("id") or (event.get("at"), event.get("event"))))
            at = instant(event.get("at"))
            since = max(at - self.began, timedelta(0)) if at is not None else None
            print_line(self.screen, _line_of(event, order, since, name_it=len(told) > 1))
