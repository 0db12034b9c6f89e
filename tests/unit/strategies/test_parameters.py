"""Parameters of a strategy: forms, search spaces and checked values from one declaration."""

import pytest

from pilothouse.core.errors import Invalid
from pilothouse.strategies.parameters import Params, choice, combinations, count, number, resolve, schema, switch, whole

_DECLARED = {
    "fast": whole(10, 2, 50, step=4, label="Fast", help="bars"),
    "stop": number(2.0, 0.1, 10.0),
    "side": choice("both", ("both", "long", "short")),
    "strict": switch(default=False),
}


def test_what_is_not_given_has_its_default() -> None:
    """And text from a form or a command is as good as a number."""
    found = resolve(_DECLARED, {"fast": "12", "strict": "true"})

    assert dict(found) == {"fast": 12, "stop": 2.0, "side": "both", "strict": True}
    assert found.fast == 12


def test_every_wrong_parameter_is_named_with_what_would_be_right() -> None:
    """All at once, so that nobody asks four times."""
    with pytest.raises(Invalid) as raised:
        resolve(_DECLARED, {"fast": 51, "stop": "much", "side": "up", "strict": 2, "slow": 3})

    assert {problem.field for problem in raised.value.problems} == {"fast", "stop", "side", "strict", "slow"}
    assert "fast: '51' came; a whole number, 2 to 50" in str(raised.value)
    assert "side: 'up' came; one of both, long, short" in str(raised.value)


@pytest.mark.parametrize("wrong", [10.5, True, "nan", "1e400", None, []])
def test_a_whole_number_is_a_whole_number(wrong: object) -> None:
    """A truth is no 1, and half a bar is no bar."""
    with pytest.raises(Invalid, match="fast"):
        resolve(_DECLARED, {"fast": wrong})


def test_a_form_is_made_from_the_declaration() -> None:
    """JSON Schema, with title, bounds, step and options."""
    found = schema(_DECLARED)["properties"]

    assert found["fast"] == {
        "type": "integer", "title": "Fast", "default": 10, "description": "bars",
        "minimum": 2, "maximum": 50, "x-step": 4,
    }  # fmt: skip
    assert found["side"]["enum"] == ["both", "long", "short"]
    assert found["strict"]["type"] == "boolean"


def test_a_grid_has_every_combination_once() -> None:
    """The last parameter turns fastest; a number without a step stays at its default."""
    found = list(combinations(_DECLARED))

    assert len(found) == len(set(found)) == count(_DECLARED) == 13 * 1 * 3 * 2
    assert found[0] == Params({"fast": 2, "stop": 2.0, "side": "both", "strict": False})


def test_a_search_may_name_its_own_values() -> None:
    """They are checked like any other."""
    found = [params.fast for params in combinations(_DECLARED, {"fast": (5, "7")})]

    assert found == [5, 7]
    with pytest.raises(Invalid, match="slow"):
        list(combinations(_DECLARED, {"slow": (5,)}))
    with pytest.raises(Invalid, match="fast"):
        list(combinations(_DECLARED, {"fast": (1,)}))


def test_a_declaration_that_breaks_itself_is_found_at_once() -> None:
    """When the file is loaded, not when somebody trades it."""
    for least, most, step in ((2, 5, 1), (5, 2, 1), (0, 5, -1)):
        with pytest.raises(Invalid):
            whole(1, least, most, step=step)
    with pytest.raises(Invalid):
        choice("x", ("a",))


def test_a_parameter_that_does_not_exist_is_told_with_those_that_do() -> None:
    """A slip of the pen in a strategy says so."""
    with pytest.raises(AttributeError, match="'fsat'; there are fast"):
        _ = resolve(_DECLARED, {}).fsat
