"""Rules in words."""

import pytest

from pilothouse.core.errors import Invalid
from pilothouse.strategies.rules import By, Distance, Size, SizeBy, Target
from pilothouse.strategies.rules_text import distance, size, targets


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2%", Distance(2.0)),
        (" 1.5 ATR", Distance(1.5, By.ATR)),
        ("100", Distance(100.0, By.PRICE)),
        (".5%", Distance(0.5)),
    ],
)
def test_a_distance_is_told_in_three_ways(text: str, wanted: Distance) -> None:
    """Percent of the entry price, true ranges, or quote per base."""
    assert distance(text, "stop") == wanted


def test_targets_are_a_ladder_with_shares() -> None:
    """One alone takes everything."""
    assert targets("4%", "take") == (Target(Distance(4.0)),)
    assert targets("2%:0.5,1.5atr:0.5", "take") == (Target(Distance(2.0), 0.5), Target(Distance(1.5, By.ATR), 0.5))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("100%", Size(100.0)),
        ("1% risk", Size(1.0, SizeBy.RISK)),
        ("20% volatility over 30", Size(20.0, SizeBy.VOLATILITY, 30)),
        ("25% kelly", Size(25.0, SizeBy.KELLY)),
        ("500 quote", Size(500.0, SizeBy.QUOTE)),
        ("0.01 base", Size(0.01, SizeBy.FIXED)),
    ],
)
def test_a_size_is_told_in_six_ways(text: str, wanted: Size) -> None:
    """As people say it."""
    assert size(text) == wanted


@pytest.mark.parametrize("text", ["", "2 %%", "-1%", "0%", "much", "1e9%", "2% of", "NaN"])
def test_what_is_no_distance_is_refused_with_what_would_be(text: str) -> None:
    """It names the field."""
    with pytest.raises(Invalid, match=r"stop: .*such as 2%"):
        distance(text, "stop")


@pytest.mark.parametrize("text", ["", "5", "1% luck", "0 quote", "10 lots", "1 risk"])
def test_what_is_no_size_is_refused_with_what_would_be(text: str) -> None:
    """A number alone does not say of what."""
    with pytest.raises(Invalid, match=r"size: .*such as 100%"):
        size(text)


@pytest.mark.parametrize("text", ["2%:0", "2%:1.5", "2%:half", ":1", "2%,"])
def test_what_is_no_ladder_is_refused(text: str) -> None:
    """A share is above zero and at most one."""
    with pytest.raises(Invalid, match="take"):
        targets(text, "take")
