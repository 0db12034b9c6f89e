"""JSON carries exact numbers, or it is not written."""

import contextlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.rounding import plain
from pilothouse.kit.exact_json import NotJson, dumps, loads
from pilothouse.kit.sealed import Secret


class Side(StrEnum):
    """An enum of text, as most are."""

    BUY = "buy"


class Size(Enum):
    """An enum of another kind."""

    LOT = Decimal("0.10")


@dataclass(frozen=True, slots=True)
class Order:
    """Something with fields."""

    side: Side
    price: Decimal
    tags: tuple[str, ...] = ()


class Label(str):
    """A kind of text."""

    __slots__ = ()


texts = st.text(st.characters(codec="utf-8"))
plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)
)


@given(plain_values)
def test_plain_data_comes_back_as_it_was_and_any_reader_agrees(value: Any) -> None:
    """What we write is JSON as everybody knows it."""
    assert loads(dumps(value)) == value
    assert json.loads(dumps(value)) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=18))
def test_a_decimal_is_written_as_the_shortest_plain_text(value: Decimal) -> None:
    """A browser that reads a number would round it; a text it leaves alone."""
    text = json.loads(dumps(value))
    assert text == plain(value)
    assert Decimal(text) == value
    assert "e" not in text.lower()


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=6))
def test_a_number_with_a_point_is_read_exactly(value: Decimal) -> None:
    """Many senders write prices as JSON numbers; 0.1 must stay 0.1."""
    found = loads(f'{{"price": {value:f}}}')["price"]
    assert type(found) is Decimal
    assert found == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Order(Side.BUY, Decimal("65000.10"), ("a",)), '{"side":"buy","price":"65000.1","tags":["a"]}'),
        (datetime(2026, 11, 21, 4, tzinfo=UTC), '"2026-11-21T04:00:00.000000Z"'),
        (datetime(2026, 11, 21, 4, 0, 0, 1, tzinfo=timezone(timedelta(hours=1))), '"2026-11-21T03:00:00.000001Z"'),
        (date(2026, 11, 21), '"2026-11-21"'),
        (Size.LOT, '"0.1"'),
        ({Side.BUY: 1, Label("sell"): Label("x")}, '{"buy":1,"sell":"x"}'),
        (10**30, "1" + "0" * 30),
        (Secret("hunter2"), '"•••"'),
    ],
)
def test_each_kind_of_value_has_one_form(value: object, text: str) -> None:
    """Readers in other languages rely on it."""
    assert dumps(value) == text


@pytest.mark.parametrize(
    "wrong",
    [
        1.5,
        float("nan"),
        {"deep": [{"inside": 0.1}]},
        Decimal("NaN"),
        Decimal("Infinity"),
        datetime(2026, 1, 5),  # noqa: DTZ001 - the mistake itself
        {1: "a"},
        b"bytes",
        {"a", "set"},
        object(),
        "half a character: \ud800",
    ],
)
def test_what_has_no_exact_form_is_not_written(wrong: object) -> None:
    """Better no message than a wrong number."""
    with pytest.raises(TypeError):
        dumps(wrong)


@pytest.mark.parametrize(
    "wrong", ["", "{", "NaN", "Infinity", "[1,]", '"\\ud800"', "'a'", "[" * 100_000, b"\xff", "1" * 9999]
)
def test_what_is_no_json_is_refused_without_a_crash(wrong: str | bytes) -> None:
    """It may come from anybody."""
    with pytest.raises(NotJson):
        loads(wrong)


@given(st.binary(max_size=60) | st.text(alphabet='[]{}":,0123456789.eE+-truefalsn\\u ', max_size=60))
def test_reading_ends_in_data_or_in_a_refusal(noise: str | bytes) -> None:
    """No third outcome, whatever comes."""
    with contextlib.suppress(NotJson):
        dumps(loads(noise))
