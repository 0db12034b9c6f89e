"""Strategies in turns of a user: played behind walls to the same result as in the open; searched as well."""

import pickle
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilothouse.backtest.run import run_any
from pilothouse.backtest.search import Task, search
from pilothouse.backtest.spec import BacktestSpec, Costs, Market
from pilothouse.backtest.turns import run_turns
from pilothouse.core.candles import Candles
from pilothouse.core.errors import Invalid
from pilothouse.core.limits import Limits
from pilothouse.sandbox.load import FileBroken, find, import_file
from pilothouse.sandbox.plain_turns import happening_from_plain, happening_to_plain, turn_from_plain, turn_to_plain
from pilothouse.sandbox.talk import Cell, Prisoner
from pilothouse.sandbox.walled_turns import WalledTurns, describe
from pilothouse.strategies.parameters import resolve
from pilothouse.strategies.sdk import Bar, Denied, Filled, Quoted, Turn, Want

_DIPS = '''
from decimal import Decimal
from pilothouse.strategies.parameters import whole
from pilothouse.strategies.sdk import Bar, Denied, Filled, Turn, Want

class Dips:
    """Buys below the last close after some falling ones, protects what it holds, and takes a small gain."""
    name, title = "dips", "Dips"
    parameters = {"falls": whole(2, 1, 5)}

    def begin(self, p):
        return {"last": None, "falls": 0, "denied": 0}

    def decide(self, state, happening, p):
        match happening:
            case Bar():
                fell = state["last"] is not None and happening.close < Decimal(state["last"])
                now = {**state, "last": str(happening.close), "falls": state["falls"] + 1 if fell else 0}
                if now["falls"] < p.falls:
                    return Turn(now)
                price = happening.close * Decimal("0.999")
                return Turn({**now, "falls": 0}, (Want("in", happening.symbol, Decimal("0.5"), price=price),))
            case Filled(key="in"):
                symbol, price, all_of_it = happening.symbol, happening.price, Decimal(-9)
                stop = Want("stop", symbol, all_of_it, stop=price * Decimal("0.99"), reduce_only=True)
                take = Want("take", symbol, all_of_it, price=price * Decimal("1.01"), reduce_only=True)
                return Turn(state, (stop, take))
            case Filled():
                return Turn(state, cancels=("stop", "take"))
            case Denied():
                return Turn({**state, "denied": state["denied"] + 1})
        return Turn(state)
'''


_TAKES_TURNS = '''
from decimal import Decimal
from pilothouse.strategies.sdk import Bar, Turn, Want

class TakesTurns:
    """Buys and leaves each of its instruments now and then, one of them at a limit."""
    name, title, many, parameters = "takes-turns", "Takes turns", True, {}

    def begin(self, p):
        return {"bars": {}, "closes": []}

    def decide(self, state, happening, p):
        if not isinstance(happening, Bar):
            return Turn(state)
        symbol, close = happening.symbol, happening.close
        seen = state["bars"][symbol] = state["bars"].get(symbol, 0) + 1
        state["closes"] = [*state["closes"][-20:], close]
        if seen % (40 + len(symbol)):
            return Turn(state)
        if seen % 3 == 0:
            return Turn(state, (Want(f"out {symbol}", symbol, Decimal(-9), reduce_only=True),))
        low = min(state["closes"]) if symbol == "AA" else None
        return Turn(state, (Want(f"in {symbol}", symbol, Decimal("0.5"), price=low),))
'''


def _candles() -> Candles:
    rng = np.random.default_rng(5)
    close = 10_000 + np.cumsum(rng.integers(-60, 61, 1_500))
    first = np.concatenate((close[:1], close[:-1]))
    high, low = np.maximum(first, close) + 20, np.minimum(first, close) - 20
    at = np.arange(1_500, dtype=np.int64) * 60_000
    return Candles("BTCUSDT", 60_000, at, first, high, low, close, np.full(1_500, 1_000, np.int64), 2, 0)


def _spec(candles: Candles, **changes: Any) -> BacktestSpec:
    made = BacktestSpec(
        "dips", "0", {"falls": 2}, (Market("file", "BTCUSDT", Decimal("0.001")),), "1m", 0, int(candles.closed_ms[-1]),
        {"BTCUSDT": candles.fingerprint()}, costs=Costs(200, 500),
    )  # fmt: skip
    return replace(made, **changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a good file and broken ones."""
    folder = tmp_path_factory.mktemp("turns")
    (folder / "dips.py").write_text(_DIPS)
    (folder / "liar.py").write_text(
        _DIPS.replace('"dips", "Dips"', '"liar", "Liar"').replace('Decimal("0.5"), price', "0.5, price")
    )
    (folder / "crasher.py").write_text(
        _DIPS.replace('"dips", "Dips"', '"crasher", "Crasher"').replace('"falls": 0}, (', '"falls": 1 // 0}, (')
    )
    (folder / "takes_turns.py").write_text(_TAKES_TURNS)
    (folder / "keeper.py").write_text(
        _DIPS.replace('"dips", "Dips"', '"keeper", "Keeper"').replace('"falls": 0}, (', '"falls": 0, "seen": {1}}, (')
    )
    return folder


@pytest.fixture(scope="module")
def prisoner(folder: Path) -> Iterator[Prisoner]:
    """Yield one confined process for all."""
    with Prisoner(Cell((folder,))) as prisoner:
        yield prisoner


def _strategy(folder: Path, prisoner: Prisoner, name: str) -> WalledTurns:
    source = next(each for each in find([folder]) if each.name == name)
    (found,) = describe(source, Cell((folder,)), prisoner)
    assert isinstance(found, WalledTurns)
    return found


@pytest.mark.parametrize("changes", [{}, {"leverage": 3}, {"limits": Limits(orders_per_day_max=20)}])
def test_behind_the_wall_it_comes_to_the_same_as_in_the_open(
    changes: Mapping[str, Any], folder: Path, prisoner: Prisoner
) -> None:
    """Many bars are told at a question, and every fill and denial on its own."""
    candles = _candles()
    walled = _strategy(folder, prisoner, "dips")
    params = resolve(walled.parameters, {})
    spec = _spec(candles, **changes)
    behind, engine = run_any(spec, {"BTCUSDT": candles}, walled)
    opened = run_turns(spec, candles, vars(import_file(folder / "dips.py"))["Dips"](), params)

    assert engine == "turns"
    assert behind.digest() == opened.digest()
    assert len(behind.fills) > 30 or changes.get("limits")
    assert bool(behind.denials.count) is ("limits" in changes)


def test_several_instruments_are_told_many_bars_at_a_question(folder: Path, prisoner: Prisoner) -> None:
    """Each asks some hundred times for thousands of bars, and it comes to the same as in the open."""
    data = {}
    for place, symbol in enumerate(("A", "AA", "AAA")):
        candles = _candles().before(1_500 - 100 * place)
        data[symbol] = replace(candles, symbol=symbol)
    walled = _strategy(folder, prisoner, "takes_turns")
    markets = tuple(Market("file", symbol, Decimal("0.001")) for symbol in data)
    prints = {symbol: each.fingerprint() for symbol, each in data.items()}
    spec = _spec(data["A"], strategy="takes-turns", params={}, markets=markets, data=prints, positions_most=3)
    begun = prisoner.asked
    behind, _ = run_any(spec, data, walled)
    asked = prisoner.asked - begun
    opened = run_turns(spec, data, vars(import_file(folder / "takes_turns.py"))["TakesTurns"](), resolve({}, {}))

    assert behind.digest() == opened.digest()
    assert len(behind.fills) > 30
    assert asked < 6 * len(behind.fills) < sum(map(len, data.values())) / 5


def test_a_search_over_it_runs_on_processes_with_a_wall_each(folder: Path, prisoner: Prisoner) -> None:
    """It is sent there by name and content; each trial is what a run of its own would be."""
    candles = _candles()
    walled = _strategy(folder, prisoner, "dips")
    assert pickle.loads(pickle.dumps(walled)).name == "dips"  # noqa: S301 - sent by ourselves, to ourselves
    task = Task(_spec(candles), walled, {"BTCUSDT": candles})
    tried = [resolve(walled.parameters, {"falls": falls}) for falls in (1, 2, 3)]
    found = {each.params["falls"]: each for each in search(task, tried, workers=2)}

    assert [found[falls].error for falls in (1, 2, 3)] == ["", "", ""]
    assert found[1].metrics["trades"] > found[3].metrics["trades"] > 0  # type: ignore[operator] # both are known
    again, _ = run_any(task.spec_of(tried[1]), task.data, walled)
    assert found[2].metrics["trades"] == len(again.trades)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("liar", r"wants\.in: a number that is no Decimal"),
        ("crasher", r"crasher\.py:\d+: ZeroDivisionError"),
        ("keeper", r"keeper\.py: state\['seen'\]: set came; a list, sorted"),
    ],
)
def test_what_it_gets_wrong_is_told(name: str, message: str, folder: Path, prisoner: Prisoner) -> None:
    """With its line where it has one; the others go on."""
    candles = _candles()
    spec = _spec(candles, strategy=name)
    with pytest.raises(FileBroken, match=message):
        run_any(spec, {"BTCUSDT": candles}, _strategy(folder, prisoner, name))
    assert _strategy(folder, prisoner, "dips").title == "Dips"


def test_turns_and_happenings_are_the_same_on_both_sides_of_the_wall() -> None:
    """Whatever they are."""
    one = Decimal("1.50")
    for happening in (
        Bar("X", 0, 60_000, one, one, one, one, Decimal(3)), Filled("a", "X", -one, one, 5),
        Denied("a", "X", "order_size", "too large", 5), Quoted("X", one, one, 5),
    ):  # fmt: skip
        assert happening_from_plain(happening_to_plain(happening)) == happening
    turn = Turn({}, (Want("a", "X", -one, one, one, True), Want("b", "X", one, trail=one)), ("c",))
    assert turn_from_plain(turn_to_plain(turn)) == turn


@pytest.mark.parametrize(
    "wants",
    [
        [["a", "X", "0", None, None, None, False]], [["a", "X", "1", "-5", None, None, False]],
        [["a", "X", "nan", None, None, None, False]], [["a" * 300, "X", "1", None, None, None, False]], [["a"]], 5,
    ],
)  # fmt: skip
def test_orders_that_are_none_are_refused(wants: Any) -> None:
    """What comes from behind the wall is believed in nothing."""
    with pytest.raises(Invalid):
        turn_from_plain({"wants": wants, "cancels": []})
