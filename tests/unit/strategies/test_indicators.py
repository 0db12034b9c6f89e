"""What holds for every indicator of the catalogue, whatever its formula is."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilothouse.core.errors import Invalid
from pilothouse.strategies.indicators.catalogue import CATALOGUE, NoSuchIndicator, find
from pilothouse.strategies.indicators.compiling import compiled, sources_stamp
from pilothouse.strategies.indicators.twin import StateDoesNotFit, Twin
from tests.unit.strategies.markets import market, prefix, with_holes
from tests.unit.strategies.uncompiled import FOLDER as ROOM_FOLDER
from tests.unit.strategies.uncompiled import catalogue
from tools import write_indicators

PLAIN = catalogue()
FOLDER = ROOM_FOLDER / "indicators"
NAMES = sorted(PLAIN)
_TWO = """
import numpy as np
from pilothouse.strategies.indicators.compiling import compiled

@compiled
def double(values):
    return values * 2.0

@compiled
def double_and_one(values):
    return double(values) + 1.0
"""
# These answer NaN where something has not happened, also behind the warm-up.
NOT_AT_EVERY_BAR = {"swings", "pivots", "opening_range"}
# Compiling takes a second or so for each; the long run does it for all.
COMPILED_EACH_TIME = ["sma", "ema", "rsi", "donchian", "supertrend", "swings", "session_vwap"]
# What the compiler does not know, or knows only slowly; a linter that is let loose writes such things.
NOT_COMPILED = (
    ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp, ast.Dict, ast.Set, ast.Try, ast.With, ast.Yield,
    ast.Lambda, ast.JoinedStr, ast.Match, ast.ClassDef, ast.NamedExpr,
)  # fmt: skip


def columns_of(indicator: Any, columns: dict[str, Any], chosen: dict[str, float]) -> Any:
    """Return all outputs as one array, a row for each bar."""
    return np.column_stack(list(indicator.calculate(columns, **chosen).values()))


def assert_equal(one: Any, other: Any, tolerance: float, words: str = "") -> None:
    """Compare to the last bit, or within the tolerance that the catalogue states."""
    np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance, err_msg=words)


def rows_of(indicator: Any, twin: Any, columns: dict[str, Any]) -> Any:
    """Return what the twin answers bar by bar, as `columns_of` has it."""
    inputs = [columns["close" if name == "values" else name].tolist() for name in indicator.inputs]
    rows = [twin.update(*bar) for bar in zip(*inputs, strict=True)]
    return np.array([row if isinstance(row, tuple) else (row,) for row in rows], dtype=float)


def small_settings(draw: Any, indicator: Any) -> dict[str, float]:
    """Draw settings inside their bounds, small enough for a short market."""
    chosen: dict[str, float] = {}
    for setting in indicator.settings:
        if setting.name == "begin":
            chosen[setting.name] = draw(st.integers(0, 1_200))
        elif setting.whole:
            chosen[setting.name] = draw(st.integers(setting.least, setting.least + 12))
        else:
            chosen[setting.name] = draw(st.floats(setting.least, min(setting.most, setting.least + 2.0)))
    return chosen


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=6)
@given(data=st.data(), seed=st.integers(0, 10_000), holes=st.integers(0, 4))
def test_no_indicator_looks_ahead_and_its_twin_agrees(name: str, data: st.DataObject, seed: int, holes: int) -> None:
    """A backtest on columns and a bot on single bars must see the same, and neither what has not happened yet."""
    indicator = PLAIN[name]
    chosen = small_settings(data.draw, indicator)
    columns = with_holes(market(90, seed), seed, holes)
    whole = columns_of(indicator, columns, chosen)

    cut = data.draw(st.integers(1, 89), label="cut")
    np.testing.assert_array_equal(columns_of(indicator, prefix(columns, cut), chosen), whole[:cut])

    first, second = indicator.make_twin(**chosen), indicator.make_twin(**chosen)
    begun = rows_of(indicator, first, prefix(columns, cut))
    saved = json.loads(json.dumps(first.save(), allow_nan=False))
    rest = rows_of(indicator, second.load(saved), {key: column[cut:] for key, column in columns.items()})
    assert_equal(np.concatenate([begun, rest]), whole, indicator.tolerance)


@pytest.mark.parametrize("name", NAMES)
def test_the_warm_up_is_as_the_catalogue_says(name: str) -> None:
    """A strategy is kept out of the market for exactly so long."""
    indicator = PLAIN[name]
    columns = market(400, 7, calm=True)
    known = ~np.isnan(columns_of(indicator, columns, {})).any(axis=1)
    warm_up = indicator.warm_up(*indicator.settled({}))

    assert not known[:warm_up].any()
    if name not in NOT_AT_EVERY_BAR:
        assert known[warm_up:].all()


@pytest.mark.parametrize("name", NAMES)
def test_bars_behind_a_gap_are_a_new_beginning(name: str) -> None:
    """Nothing from before a hole in the data may leak past it: nobody knows what happened in between."""
    indicator = PLAIN[name]
    columns = market(400, 11, calm=True)
    gap = int(np.flatnonzero(np.diff(columns["session"]))[1]) + 1  # just before a session begins
    holed = {key: np.array(column) for key, column in columns.items()}
    for column in holed.values():
        if column.dtype == np.float64:
            column[gap] = np.nan
    after = columns_of(indicator, holed, {})

    if name in {"pivots", "opening_range"}:
        return  # their levels belong to sessions: a bar without prices is left out of its session
    assert np.isnan(after[gap]).all()
    begun = columns_of(indicator, {key: column[gap + 1 :] for key, column in columns.items()}, {})
    np.testing.assert_array_equal(after[gap + 1 :], begun)


def test_the_catalogue_says_formula_and_source_of_each() -> None:
    """A number whose making nobody can look up cannot be trusted or argued with."""
    assert len(CATALOGUE) >= 60
    for name, indicator in CATALOGUE.items():
        assert indicator.name == name
        assert len(indicator.formula) > 5, name
        assert len(indicator.source) > 5, name
        assert indicator.title.endswith((".", "-1 to 1.")), name
        for setting in indicator.settings:
            assert setting.least <= setting.default <= setting.most, (name, setting.name)


def test_the_page_of_indicators_is_what_the_catalogue_says() -> None:
    """A page typed by hand is wrong within a month. Mend it: python tools/write_indicators.py."""
    assert write_indicators.PAGE.read_text(encoding="utf-8") == write_indicators.page()


@pytest.mark.parametrize("name", COMPILED_EACH_TIME)
def test_machine_code_says_what_the_source_says(name: str) -> None:
    """What the tests prove of the text holds for what runs, to the last bit."""
    columns = with_holes(market(300, 3), 5, 3)

    compiled_rows = columns_of(CATALOGUE[name], columns, {})

    assert_equal(compiled_rows, columns_of(PLAIN[name], columns, {}), CATALOGUE[name].tolerance)


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.py")), ids=lambda file: file.stem)
def test_what_is_compiled_is_written_so_that_it_can_be(file: Path) -> None:
    """The tests run the text by the interpreter, which knows more: what it accepts may still not compile."""
    tree = ast.parse(file.read_text())
    named = {
        call.args[0].id
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "compiled"
        if isinstance(call.args[0], ast.Name)
    }
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        decorated = any(isinstance(each, ast.Name) and each.id == "compiled" for each in function.decorator_list)
        if decorated or function.name in named:
            found = [type(node).__name__ for node in ast.walk(function) if isinstance(node, NOT_COMPILED)]
            assert not found, (function.name, found)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", NAMES)
def test_machine_code_of_each_says_what_the_source_says(name: str) -> None:
    """As above, for all of them and on several markets."""
    for seed in range(20):
        columns = with_holes(market(700, seed), seed, seed % 5)
        compiled_rows = columns_of(CATALOGUE[name], columns, {})
        assert_equal(compiled_rows, columns_of(PLAIN[name], columns, {}), CATALOGUE[name].tolerance, f"seed {seed}")


def test_machine_code_is_kept_until_any_source_changes() -> None:
    """The compiler looks at one file alone; a change below it would go unseen, and old code would answer."""

    def double(value: float) -> float:
        return value * 2.0

    made: Any = compiled(double)

    kept = made._cache.kept._cache_file.sources
    assert kept == sources_stamp(Path(made.py_func.__code__.co_filename).parent)


def test_machine_code_that_is_kept_needs_no_compiler_and_the_next_function_finds_one(tmp_path: Path) -> None:
    """Readying the compiler takes longer than a year of minutes; what is missing must be compiled all the same."""
    (tmp_path / "two.py").write_text(_TWO)

    def run(words: str) -> list[str]:
        code = f"import sys, numpy as np, two; {words}; print('numba.np.arraymath' in sys.modules)"
        known = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kept"), "PYTHONPATH": str(tmp_path)}
        done = subprocess.run([sys.executable, "-c", code], env=known, capture_output=True, text=True, check=True)
        return done.stdout.split()

    column = "np.arange(4.0)"
    assert run(f"print(*two.double({column}))") == ["0.0", "2.0", "4.0", "6.0", "True"]
    assert run(f"print(*two.double({column}))") == ["0.0", "2.0", "4.0", "6.0", "False"]
    both = f"print(*two.double({column}), *two.double_and_one({column}))"
    assert run(both) == ["0.0", "2.0", "4.0", "6.0", "1.0", "3.0", "5.0", "7.0", "True"]
    assert run(both)[-1] == "False"
    (tmp_path / "two.py").write_text(_TWO.replace("* 2.0", "* 3.0"))
    assert run(both) == ["0.0", "3.0", "6.0", "9.0", "1.0", "4.0", "7.0", "10.0", "True"]


def test_unknown_names_and_values_out_of_bounds_are_named() -> None:
    """Who mistypes a setting is told which one and what would be right, not given the default."""
    with pytest.raises(NoSuchIndicator, match="'smaa'"):
        find("smaa")
    with pytest.raises(Invalid, match=r"lenght: is no setting; sma has: period"):
        find("sma").make_twin(lenght=3)
    with pytest.raises(Invalid, match=r"period: 0; a whole number from 1 to 5000"):
        find("sma").make_twin(period=0)
    with pytest.raises(Invalid, match=r"period: 2\.5; a whole number"):
        find("sma").make_twin(period=2.5)
    with pytest.raises(Invalid, match=r"width: nan; a number from"):
        find("bollinger").make_twin(width=float("nan"))


def test_columns_that_do_not_fit_are_named() -> None:
    """Machine code checks no bounds: columns of different lengths would read foreign memory."""
    with pytest.raises(Invalid, match=r"high 3, low 2"):
        find("donchian").calculate({"high": [1.0, 2.0, 3.0], "low": [1.0, 2.0]})
    with pytest.raises(Invalid, match="volume: is missing"):
        find("obv").calculate({"close": [1.0]})
    with pytest.raises(Invalid, match="infinite"):
        find("sma").calculate({"close": [1.0, float("inf")]})


def test_a_state_of_another_twin_is_refused() -> None:
    """Taking up the state of a longer average would go on with wrong numbers and no word."""
    saved = find("ema").make_twin(period=5).save()

    with pytest.raises(StateDoesNotFit, match=r"'alpha' should be 0\.28"):
        find("ema").make_twin(period=6).load(saved)
    with pytest.raises(StateDoesNotFit, match="'level' should be numbers"):
        find("ema").make_twin(period=5).load({**saved, "level": "high"})
    with pytest.raises(StateDoesNotFit, match="'level' should be there"):
        find("ema").make_twin(period=5).load({"period": 5, "alpha": saved["alpha"]})


def test_an_enormous_bar_leaves_no_trace_in_a_sum() -> None:
    """A running sum that subtracts keeps the rounding of whatever passed: zeros would not sum to zero again."""
    sums = PLAIN["vwma"].calculate({"close": np.ones(30), "volume": np.array([1e17, 0.1, 0.7] + [0.0] * 27)}, period=3)
    flat = PLAIN["std_dev"].calculate({"close": np.array([1e9] + [0.1] * 29)}, period=5)

    assert np.isnan(sums["vwma"][5:]).all()
    assert (flat["std_dev"][5:] == 0.0).all()


def test_every_twin_is_made_of_parts_that_can_be_saved() -> None:
    """What a bot remembers has to survive its process."""
    for name, indicator in PLAIN.items():
        twin = indicator.make_twin()
        assert json.loads(json.dumps(twin.save(), allow_nan=False)) == twin.save(), name
    assert issubclass(find("sma").twin, Twin)  # type: ignore[arg-type]  # it is a class, called like a function
