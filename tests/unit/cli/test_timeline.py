"""The timeline of an alert: each happening once, in order, in columns that do not jump."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pilothouse.cli import timeline
from pilothouse.core.order import OrderEvent

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def order(name: str, *events: tuple[int, str], **more: Any) -> dict[str, Any]:
    """Return an order of which (milliseconds after noon, event) is known."""
    lines = [
        {"id": at * 10 + index, "at": (NOON + timedelta(milliseconds=at)).isoformat(), "event": event, "detail": name}
        for index, (at, event) in enumerate(events)
    ]
    terms = {"side": "BUY", "quantity": "0.010", "symbol": "BTCUSDT", "type": "MARKET", "purpose": "entry"}
    return {"id": name, **terms, "timeline": lines, **more}


def drawing() -> tuple[timeline.Timeline, io.StringIO]:
    """Return a timeline and what is drawn of it."""
    out = io.StringIO()
    return timeline.Timeline(Console(file=out, width=80), NOON), out


def test_what_was_told_twice_is_drawn_once() -> None:
    """It is looked at after every event, and an event may come twice."""
    drawn, out = drawing()
    first = order("ord_1", (1, "decide"), (2, "send"))
    drawn.learn([first])
    drawn.learn([first])
    drawn.learn([order("ord_1", (1, "decide"), (2, "send"), (9, "fill_rest"))])

    words = [line.split("●")[1].split()[0] for line in out.getvalue().splitlines()]

    assert words == ["decided", "sending", "filled"]


def test_orders_of_one_alert_are_drawn_as_one_story() -> None:
    """A flip closes, then opens; read from top to bottom it must be so."""
    drawn, out = drawing()
    close, open_ = order("close", (1, "send"), (5, "fill_rest")), order("open", (6, "send"), (9, "fill_rest"))
    drawn.learn([open_, close])

    assert [line.split("●")[0].strip() for line in out.getvalue().splitlines()] == ["1 ms", "5 ms", "6 ms", "9 ms"]


@pytest.mark.parametrize("event", [*OrderEvent, "decide", "cancel_asked", "cancel_refused", "broken"])
def test_everything_that_can_happen_to_an_order_has_a_word(event: str) -> None:
    """A new event in the house must not reach the trader as a variable name."""
    assert str(event) in timeline.WORDS


@given(st.integers(min_value=0, max_value=10**10))
def test_a_span_is_as_wide_as_its_column(ms: int) -> None:
    """Columns that jump cannot be read while they grow."""
    text = timeline.clock_text(timedelta(milliseconds=ms))

    assert len(text) >= 9
    assert ms > 9_999 * 60_000 or len(text) == 9


def test_a_long_reason_goes_on_below_itself() -> None:
    """80 columns are enough for whatever a venue says."""
    drawn, out = drawing()
    drawn.say(NOON, "rejected", "red", "because " * 30)

    lines = out.getvalue().splitlines()

    assert all(len(line) <= 80 for line in lines)
    assert all(line.startswith(" " * 28) for line in lines[1:])


def test_a_clock_that_runs_behind_draws_no_negative_time() -> None:
    """Two machines never agree to the millisecond."""
    drawn, out = drawing()
    drawn.say(NOON - timedelta(milliseconds=3), "stored", "default", "")

    assert out.getvalue().split("●")[0].strip() == "0 ms"
