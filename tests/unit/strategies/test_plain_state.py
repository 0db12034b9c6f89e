"""The state of strategies in turns: what is plain data, and that it comes back as it went."""

import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.errors import Invalid
from pilothouse.strategies.plain_state import DEPTH_MOST, checked, saved, taken_up

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text()
)
_STATES = st.dictionaries(
    st.text(),
    st.recursive(_LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12),
)


def _told(value: Any) -> Any:
    """Return a value with the kinds of all that is in it: 1, 1.0, True and Decimal(1) are equal and not the same."""
    if isinstance(value, dict):
        return {name: _told(each) for name, each in value.items()}
    return [_told(each) for each in value] if isinstance(value, list) else (type(value), str(value))


@given(_STATES)
def test_a_state_that_was_saved_is_the_same_when_it_is_taken_up(state: dict[str, Any]) -> None:
    """A bot that is started again must not trade on other numbers."""
    assert _told(taken_up(saved(state))) == _told(state)


def _deep() -> Any:
    found: Any = []
    for _ in range(DEPTH_MOST + 1):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ([], r"^state: list came; a dict"),
        ({"seen": {1, 2}}, r"^state\['seen'\]: set came; a list, sorted"),
        ({"levels": [{"a": 1}, {"a": (1, 2)}]}, r"^state\['levels'\]\[1\]\['a'\]: tuple came; a list"),
        ({"at": {3: "x"}}, r"^state\['at'\]\[3\]: a key that is int; text"),
        ({"$decimal": "1"}, r"^state\['\$decimal'\]: "),
        ({"mean": float("nan")}, r"^state\['mean'\]: nan, which is no number; .*None"),
        ({"price": Decimal("Infinity")}, r"^state\['price'\]: Infinity"),
        ({"mean": np.float64(1.5)}, r"^state\['mean'\]: float64 came; text, whole numbers"),
        ({"part": Fraction(1, 2)}, r"^state\['part'\]: Fraction came"),
        ({"text": "\ud800"}, r"^state\['text'\]: text with half a letter"),
        ({"count": 1 << 5_000}, r"^state\['count'\]: a number of 5,001 bits"),
        ({"deep": _deep()}, r"^state\['deep'\].*more than 32 dicts and lists"),
        ({"closes": [0] * 100_001}, r"^state\['closes'\]\[99998\]: more than 100,000 values"),
        ({"log": ["x" * 3_000_000] * 2}, r"^state\['log'\]\[1\]: more than 4,000,000 letters"),
    ],
)
def test_what_cannot_be_saved_is_named_by_its_key(state: Any, message: str) -> None:
    """Else it is found out when the bot is started again, with a position open."""
    with pytest.raises(Invalid) as caught:
        checked(state)
    problem = caught.value.problems[0]
    assert re.search(message, str(problem)), str(problem)
