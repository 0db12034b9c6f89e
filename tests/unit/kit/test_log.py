"""The log: one line an event, whole, and with no secret in it."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.log import bind, configure
from pilothouse.kit.redaction import OUR_TEXTS, Redactor
from pilothouse.kit.sealed import MASK, Secret, new_token

CANARY = "canary-5ecret-Värde/+1"


def ours() -> logging.Handler:
    """Return the handler that `configure` gave to `logging`: there is one, however often it was called."""
    (handler,) = [each for each in logging.getLogger().handlers if type(each).__module__.startswith("pilothouse")]
    return handler


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """Return where the log of this test goes."""
    stream = io.StringIO()
    level = logging.getLogger().level
    configure(clock=FrozenClock(datetime(2026, 1, 5, 12, tzinfo=UTC)), stream=stream)
    yield stream
    structlog.reset_defaults()
    logging.getLogger().setLevel(level)
    handler = ours()
    logging.getLogger().removeHandler(handler)
    handler.close()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    """Return the lines that were written."""
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_event_is_one_json_object_with_its_time_and_correlation(out: io.StringIO) -> None:
    """A machine reads it; one id finds everything that belongs to an alert."""
    with bind(correlation="cor_1"):
        structlog.get_logger("pilothouse.execution").info("order_sent", order_id="ord_1", price=Decimal("65000.10"))
    structlog.get_logger("pilothouse.execution").debug("not_written")
    assert lines(out) == [
        {
            "time": "2026-01-05T12:00:00.000000Z",
            "level": "info",
            "event": "order_sent",
            "logger": "pilothouse.execution",
            "correlation": "cor_1",
            "order_id": "ord_1",
            "price": "65000.10",
        }
    ]


def test_what_libraries_say_comes_out_the_same_way(out: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """An access log line names the path, and the path of a hook is its credential."""
    access = logging.getLogger("uvicorn.access")
    monkeypatch.setattr(access, "propagate", True)  # a server without access log, started earlier, turns it off
    with bind(correlation="cor_1"):
        access.info('%s - "POST %s HTTP/1.1" %d', "10.0.0.1", "/hooks/canary?x=1", 200)
    wrong = logging.LogRecord("some.library", logging.WARNING, "x.py", 1, "%d things", ("no",), None)
    ours().handle(wrong)
    first, second = lines(out)
    assert (first["logger"], first["event"]) == ("uvicorn.access", f'10.0.0.1 - "POST /hooks/{MASK}?x=1 HTTP/1.1" 200')
    assert first["correlation"] == "cor_1"
    assert (second["level"], second["event"]) == ("warning", "%d things")


def test_a_traceback_is_written_without_secrets(out: io.StringIO) -> None:
    """The message of an error may quote what somebody sent."""
    try:
        raise ValueError('{"webhook_secret": "canary", "symbol": "BTCUSDT"}')
    except ValueError:
        structlog.get_logger("x").exception("failed")
    (line,) = lines(out)
    assert "ValueError" in line["exception"]
    assert "BTCUSDT" in line["exception"]
    assert "canary" not in out.getvalue()


def test_text_for_people_keeps_a_line_a_line(out: io.StringIO) -> None:
    """What somebody sends cannot forge a line of ours."""
    configure(clock=FrozenClock(datetime(2026, 1, 5, 12, tzinfo=UTC)), stream=out, form="text")
    structlog.get_logger("x").info("took", note="a\n2026-01-05T12:00:00Z INFO fake", size=3)
    (line,) = out.getvalue().splitlines()
    assert line.startswith("2026-01-05T12:00:00.000000Z INFO     x: took note=")
    assert line.endswith("size=3")


def test_a_file_gets_the_same_lines_and_is_the_owners_alone(out: io.StringIO, tmp_path: Path) -> None:
    """Logs say who traded what."""
    path = tmp_path / "log"
    configure(clock=FrozenClock(datetime(2026, 1, 5, 12, tzinfo=UTC)), stream=out, file=path)
    structlog.get_logger("x").info("took")
    assert path.read_text() == out.getvalue()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_closed_terminal_costs_the_line_and_nothing_else(out: io.StringIO) -> None:
    """Trading does not stop because nobody listens."""
    out_of_order = io.StringIO()
    out_of_order.close()
    configure(clock=FrozenClock(datetime(2026, 1, 5, 12, tzinfo=UTC)), stream=out_of_order)
    structlog.get_logger("x").info("took")


@pytest.mark.parametrize(
    "name",
    [
        "secret",
        "webhook_secret",
        "X-Webhook-Secret",
        "token",
        "operator_token",
        "password",
        "Authorization",
        "private_key",
        "api_key",
        "apiKey",
        "signature",
        "Set-Cookie",
    ],
)
def test_a_field_with_a_secret_name_is_masked_whole(name: str) -> None:
    """However deep it lies, and whatever it holds."""
    shown = Redactor().value({"a": [{name: CANARY}, {"b": {name: {"nested": CANARY}}}]})
    assert "canary" not in str(shown)
    assert name in str(shown)


@pytest.mark.parametrize(
    "text",
    [
        f"POST /hooks/{CANARY.split('/', maxsplit=1)[0]} 200",
        "http://desk/hooks/canary",
        "path=%2Fhooks%2Fcanary%2Ftest",
        "Authorization: Bearer canary",
        "bearer   canary.abc",
        "Basic Y2FuYXJ5OmNhbmFyeQ== and canary"[:29],
        "postgresql+psycopg://me:canary@db/house",
        '{"webhook_secret": "canary"}',
        "{'token': 'canary'}",
        r"{\"webhook_secret\": \"canary\", \"a\": 1}",
        '{"secret":"can\\"ary canary"}',
        "webhook_secret=canary&symbol=X",
        "password: canary",
        "signature=canary",
    ],
)
def test_a_text_with_a_secret_in_a_known_form_is_masked(text: str) -> None:
    """Hook paths, headers, addresses and raw alerts."""
    shown = Redactor().text(text)
    assert "canary" not in shown
    assert "Y2FuYXJ5" not in shown
    assert MASK in shown


def test_our_own_tokens_are_masked_wherever_they_stand_and_ids_are_not() -> None:
    """A token that slipped into a sentence is still a token; an id is what one searches for."""
    redactor = Redactor()
    for token in (new_token("op"), new_token("ph_hook"), new_token("", 16)):
        assert token not in redactor.text(f"it was {token}, I think")
    for id_ in ("sig_000647a2cc69700000071fb8b948", "ph7K2M4QXYZABCDEFGH2345672345AB", "BTCUSDT", "order.changed"):
        assert redactor.text(f"it was {id_}, I think") == f"it was {id_}, I think"


def test_a_registered_value_is_masked_in_each_of_its_forms() -> None:
    """Also quoted for a URL or escaped for JSON."""
    redactor = Redactor()
    redactor.hide(CANARY, Secret("other-canary"), "")
    texts = [CANARY, json.dumps(CANARY), f"/x?y={CANARY}", "/x?y=canary-5ecret-V%C3%A4rde%2F%2B1", "an other-canary"]
    for text in texts:
        assert "canary" not in redactor.text(text), text
    assert redactor.value([Path(f"/tmp/{CANARY}"), ValueError(CANARY), Secret("x")]) == [  # noqa: S108 - nothing is opened
        f"/tmp/{MASK}",  # noqa: S108 - as above
        f"ValueError: {MASK}",
        MASK,
    ]


class Hostile:
    """An object that breaks whoever looks at it."""

    def __repr__(self) -> str:
        raise RuntimeError("not for you")

    __str__ = __repr__


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.decimals()
    | st.datetimes()
    | st.builds(Hostile)
    | st.builds(lambda text: ValueError(text, Hostile()), st.text()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.none(), inner) | st.tuples(inner),
    max_leaves=15,
)


@given(st.dictionaries(st.text(), anything))
def test_masking_never_fails_whatever_it_is_shown(fields: dict[str, Any]) -> None:
    """A log line that raises would stop a trade."""
    json.dumps(Redactor().fields(fields))


def test_masking_ends_also_for_what_contains_itself() -> None:
    """And a huge text is cut."""
    ring: list[Any] = []
    ring.append(ring)
    redactor = Redactor()
    assert "deeper" in str(redactor.value(ring))
    assert len(redactor.text("x " * 1_000_000)) < 30_000


def test_what_was_harmless_is_masked_once_it_is_told_to_be_secret() -> None:
    """Texts that stand in nearly every line are remembered as clean, and none for longer than it is true."""
    redactor = Redactor()
    assert [redactor.text("a-plain-word"), redactor.text("a-plain-word")] == ["a-plain-word"] * 2
    redactor.hide("a-plain-word")
    assert redactor.text("a-plain-word") == MASK


def test_the_texts_that_are_not_looked_through_come_out_as_if_they_were() -> None:
    """A short cut must lead to the same place."""
    for text, shown in OUR_TEXTS.items():
        assert Redactor().text(f"{text} ") == f"{shown} "
        assert Redactor().text(text) == shown
