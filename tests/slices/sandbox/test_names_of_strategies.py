"""Names of strategies: a file is my_cross.py and its strategy my-cross; whoever types either means the same."""

from pathlib import Path

import pytest

from pilothouse.core.errors import Invalid
from pilothouse.kit.settings import Settings
from pilothouse.strategies.registry import NoSuchStrategy
from pilothouse.wiring.strategies import all_of, named

_ONE = """
from pilothouse.strategies.sdk import Columns, Signals


class {kind}(Columns):
    name = "{name}"
    title = "{kind}"
    parameters = {{}}

    def warm_up(self, p):
        return 1

    def signals(self, view, p):
        return Signals()
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings with a folder of three files: one strategy, two strategies, and one whose name is taken twice."""
    folder = tmp_path / "data" / "strategies"
    folder.mkdir(parents=True)
    (folder / "sma_flip.py").write_text(_ONE.format(kind="SmaFlip", name="sma-flip"))
    both = _ONE.format(kind="One", name="first-of-two") + _ONE.format(kind="Two", name="twin")
    (folder / "pair_of.py").write_text(both)
    (folder / "other.py").write_text(_ONE.format(kind="Other", name="twin"))
    return Settings(data=tmp_path / "data")


def test_what_is_listed_can_be_run_in_either_spelling(settings: Settings) -> None:
    """The list shows one name; the name of the file, and - or _, are understood as well."""
    every, broken = all_of(settings)
    assert not broken
    assert {"sma-flip", "first-of-two"} <= {each.name for each in every}
    for typed in ("sma-flip", "sma_flip", "sma_flip:sma-flip", "sma-flip:sma_flip"):
        assert named(settings, typed).name == "sma-flip"
    for typed in ("first-of-two", "first_of_two", "pair-of:first_of_two"):
        assert named(settings, typed).name == "first-of-two"
    assert named(settings, "ema_cross").name == named(settings, "ema-cross").name == "ema-cross"


def test_a_name_that_means_two_is_refused_with_the_names_of_both(settings: Settings) -> None:
    """A run of the wrong one would look like a run of the right one."""
    with pytest.raises(Invalid, match="other:twin, pair_of:twin"):
        named(settings, "twin")
    with pytest.raises(Invalid, match="pair_of:first-of-two, pair_of:twin"):
        named(settings, "pair_of")
    assert named(settings, "pair_of:twin").strategy.title == "Two"
    with pytest.raises(NoSuchStrategy):
        named(settings, "nobody-s")
