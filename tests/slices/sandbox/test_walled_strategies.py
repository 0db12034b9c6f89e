"""Strategies of a user: found, described, run and checked from behind walls; a broken one hurts no other."""

import pickle
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.candles import Candles
from pilothouse.core.errors import Invalid
from pilothouse.sandbox.load import FileBroken, find
from pilothouse.sandbox.plain_strategies import rules_from_plain, rules_to_plain
from pilothouse.sandbox.talk import Cell, Prisoner
from pilothouse.sandbox.walled import Walled
from pilothouse.sandbox.walled_turns import describe
from pilothouse.strategies.parameters import resolve
from pilothouse.strategies.registry import BUILT_IN
from pilothouse.strategies.rules import By, Distance, Exits, Rules, Side, Size, SizeBy, Target
from pilothouse.strategies.sdk import Columns
from pilothouse.strategies.view import View

_GOOD = '''
import numpy as np
from pilothouse.strategies.parameters import whole
from pilothouse.strategies.rules import Distance, Exits, Rules
from pilothouse.strategies.sdk import Columns, Signals

class Rising(Columns):
    """Long after so many rising closes."""
    name, title = "rising", "Rising"
    parameters = {"bars": whole(3, 1, 20)}

    def warm_up(self, p):
        return p.bars

    def signals(self, view, p):
        print("thinking")
        up = np.zeros(len(view), bool)
        rises = np.diff(view.close) > 0
        for bar in range(p.bars, len(view)):
            up[bar] = rises[bar - p.bars:bar].all()
        other = view.instrument("ETHUSDT")
        tag = up.astype(np.int16) - 1
        return Signals(long=up, leave_long=~up, stop=other.seen(other.close), tag=tag, tags=("rise",))

    def rules(self, p):
        return Rules(exits=Exits(stop=Distance(2.0)))
'''


def _candles(symbol: str = "BTCUSDT") -> Candles:
    close = 10_000 + np.cumsum(np.random.default_rng(3).integers(-50, 51, 300))
    return Candles(
        symbol, 60_000, np.arange(300, dtype=np.int64) * 60_000, close, close + 5, close - 5, close, close, 2, 0
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a good file and broken ones."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "good.py").write_text(_GOOD)
    (folder / "nameless.py").write_text(
        "from pilothouse.strategies.sdk import Columns\n\nclass X(Columns):\n    title = 'x'\n"
    )
    (folder / "liar.py").write_text(
        _GOOD.replace('"rising", "Rising"', '"liar", "Liar"').replace("long=up,", "long=up[1:],")
    )
    (folder / "crasher.py").write_text(
        _GOOD.replace('"rising", "Rising"', '"crasher", "Crasher"').replace('print("thinking")', "1 / 0")
    )
    return folder


@pytest.fixture(scope="module")
def prisoner(folder: Path) -> Iterator[Prisoner]:
    """Yield one confined process for all."""
    with Prisoner(Cell((folder,))) as prisoner:
        yield prisoner


def _strategy(folder: Path, prisoner: Prisoner, name: str) -> Walled:
    source = next(each for each in find([folder]) if each.name == name)
    (found,) = describe(source, Cell((folder,)), prisoner)
    assert isinstance(found, Walled)
    return found


def _view() -> View:
    return View(_candles(), {"ETHUSDT": _candles("ETHUSDT")})


def test_a_walled_strategy_is_a_strategy_like_any_other(folder: Path, prisoner: Prisoner) -> None:
    """Its parameters, warm-up, rules and every column of its signals come through the wall."""
    strategy = _strategy(folder, prisoner, "good")
    params = resolve(strategy.parameters, {"bars": 4})
    signals = strategy.signals(_view(), params)

    assert strategy.warm_up(params) == 4
    assert strategy.rules(params) == Rules(exits=Exits(stop=Distance(2.0)))
    assert strategy.about.rule == "Long after so many rising closes."
    assert signals.long is not None
    assert 0 < int(signals.long.sum()) < 100
    assert signals.tags == ("rise",)
    assert signals.stop is not None
    np.testing.assert_array_equal(signals.stop, _candles().price("close"))


def test_it_can_be_sent_to_the_workers_of_a_search(folder: Path, prisoner: Prisoner) -> None:
    """Each worker walls in a process of its own."""
    sent = pickle.dumps(_strategy(folder, prisoner, "good"))
    strategy = pickle.loads(sent)  # noqa: S301 - sent by ourselves, to ourselves
    params = resolve(strategy.parameters, {})

    assert strategy.warm_up(params) == 3
    strategy.end()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("liar", r"signals\.long: bool\(299,\); bool\[300\]"),
        ("crasher", r"crasher\.py:1[0-9]: ZeroDivisionError"),
    ],
)
def test_what_a_strategy_gets_wrong_is_told_with_its_line(
    name: str, message: str, folder: Path, prisoner: Prisoner
) -> None:
    """And the others go on."""
    strategy = _strategy(folder, prisoner, name)
    with pytest.raises(FileBroken, match=message):
        strategy.signals(_view(), resolve(strategy.parameters, {}))
    assert _strategy(folder, prisoner, "good").name == "rising"


def test_a_strategy_without_a_name_is_refused_when_it_is_found(folder: Path, prisoner: Prisoner) -> None:
    """Nobody could ask for it."""
    with pytest.raises(FileBroken, match="class X needs a name"):
        _strategy(folder, prisoner, "nameless")


_DISTANCES = st.builds(Distance, st.floats(0.01, 1e6), st.sampled_from(By))
_RULES = st.builds(
    Rules,
    exits=st.builds(
        Exits,
        stop=_DISTANCES,
        targets=st.lists(st.builds(Target, _DISTANCES, st.floats(0.01, 0.3)), max_size=3).map(tuple),
        trail=_DISTANCES,
        trail_after=st.none() | _DISTANCES,
        break_even_after=st.none() | _DISTANCES,
        bars=st.none() | st.integers(1, 100),
    ),
    size=st.builds(Size, st.floats(0.1, 1e6), st.sampled_from(SizeBy), st.integers(2, 500)),
    side=st.sampled_from(Side),
    pyramiding=st.integers(0, 5),
    cooldown=st.integers(0, 5),
    flips=st.booleans(),
)


@given(_RULES)
def test_rules_are_the_same_on_both_sides_of_the_wall(rules: Rules) -> None:
    """Whatever they are."""
    assert rules_from_plain(rules_to_plain(rules)) == rules


@pytest.mark.parametrize("changed", [{"exits": 5}, {"size": {"value": -1}}, {"side": "up"}, {"more": 1}])
def test_rules_that_are_none_are_refused(changed: dict[str, object]) -> None:
    """What comes from behind the wall is believed in nothing."""
    with pytest.raises(Invalid):
        rules_from_plain({**asdict(Rules()), **changed})


def test_rules_of_every_built_in_strategy_pass_the_wall() -> None:
    """What ours need, others may need too."""
    for described in BUILT_IN.values():
        if isinstance(described.strategy, Columns):
            rules = described.strategy.rules(resolve(described.strategy.parameters, {}))
            assert rules_from_plain(rules_to_plain(rules)) == rules
