"""`pilothouse protect`: its words become the fields of an alert."""

import pytest
import typer

from pilothouse.cli.protect import _asked, _wanted


def test_words_become_the_fields_of_an_alert() -> None:
    """One way to say it, wherever it is said."""
    asked = _asked("2%", ["66000:50", "5%"], 1, "1%", "3%", 60)

    assert asked == {
        "stop_loss": "2%",
        "take_profits": [{"price": "66000", "share": "50"}, {"percent": "5%"}],
        "break_even_after": 1,
        "trailing_stop": {"percent": "1%", "activation": "3%"},
        "time_stop_s": 60,
    }
    assert _asked(None, None, None, "250", None, None) == {"trailing_stop": {"distance": "250"}}
    assert _asked(None, None, None, None, None, None) == {}
    with pytest.raises(typer.BadParameter):
        _asked(None, None, None, None, "3%", None)


def test_what_is_wanted_is_said_in_one_line() -> None:
    """As it is asked for, not as it is stored."""
    wanted = {
        "stop_loss": {"price": None, "percent": "2", "distance": None},
        "targets": [{"level": {"price": "66000", "percent": None, "distance": None}, "share": "50"}],
        "break_even_after": 1,
        "trailing": {"percent": None, "distance": "250", "activation": None},
        "time_stop_s": 60,
    }
    said = "stop 2 %, target 66000 for 50 %, break-even after 1, trailing 250 away, closed after 60 s"
    assert _wanted({"wanted": wanted}) == said
    assert _wanted({"wanted": None}) == "nothing guards it"
