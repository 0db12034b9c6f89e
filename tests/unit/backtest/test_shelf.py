"""Results on disk, and the ledger of all trials."""

import json
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from pilothouse.backtest.denials import Denials, Stopped
from pilothouse.backtest.shelf import NoSuchRun, RunDamaged, Shelf
from pilothouse.backtest.trials import Trial, Trials
from pilothouse.core.errors import Invalid
from pilothouse.core.instrument import Side
from pilothouse.core.risk import Denial
from tests.unit.backtest.results import candles, result

_NAME = "ab" * 32


def _put(shelf: Shelf, name: str = _NAME) -> None:
    bars = replace(candles(), extra={"rsi": np.linspace(0.0, 1.0, 6)})
    shelf.put(name, '{"a":1}', result(), bars, {"sharpe": 1.5, "calmar": None}, {"title": "Cross"})


def test_a_run_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    """Every column, every number, and the candles it ran over."""
    shelf = Shelf(tmp_path / "backtests")
    _put(shelf)
    found = shelf.get(_NAME)

    assert found.result.digest() == result().digest() == found.card.digest
    assert found.spec == '{"a":1}'
    assert found.card.metrics == {"sharpe": 1.5, "calmar": None}
    assert found.candles.fingerprint() == replace(candles(), extra={"rsi": np.linspace(0.0, 1.0, 6)}).fingerprint()


def test_columns_come_back_that_span_all_of_64_bits(tmp_path: Path) -> None:
    """They are kept as differences, and that of the largest and the smallest number fits no 64 bits."""
    shelf, known = Shelf(tmp_path), result()
    far = np.resize(np.array([2**63 - 1, -(2**63), 0, -1], np.int64), len(known.equity))
    shelf.put(_NAME, "{}", replace(known, equity=far), candles(), {}, {})

    assert shelf.get(_NAME).result.equity.tolist() == far.tolist()


def test_the_same_run_is_kept_once(tmp_path: Path) -> None:
    """Several at once, too: one of them is kept, and nothing is left of the others."""
    shelf = Shelf(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda _: _put(shelf), range(8)):
            pass

    assert [path.name for path in tmp_path.iterdir()] == [_NAME]
    assert [card.name for card in shelf.cards()] == [_NAME]


def test_what_was_cut_off_by_a_crash_is_no_result(tmp_path: Path) -> None:
    """A draft never looks like a run."""
    shelf = Shelf(tmp_path)
    (tmp_path / ".draft-1").mkdir()
    (tmp_path / ".draft-1" / "card.json").write_text("{}")
    (tmp_path / "cd").mkdir()

    assert list(shelf.cards()) == []
    with pytest.raises(NoSuchRun):
        shelf.get("cd")


def test_a_number_that_was_changed_is_found(tmp_path: Path) -> None:
    """The digest of the columns stands on the card."""
    shelf = Shelf(tmp_path)
    _put(shelf)
    shape = tmp_path / _NAME / "shape.json"
    shape.write_text(shape.read_text().replace('"exposed": 4', '"exposed": 5'))

    with pytest.raises(RunDamaged, match="not those that were kept"):
        shelf.get(_NAME)


@pytest.mark.parametrize("file", ["card.json", "shape.json", "trades.parquet", "candles.parquet"])
def test_a_damaged_file_is_named(file: str, tmp_path: Path) -> None:
    """It is neither read nor taken for an empty result; the others are still listed."""
    shelf = Shelf(tmp_path)
    _put(shelf)
    _put(shelf, "cd" * 32)
    (tmp_path / _NAME / file).write_bytes(b"nothing of the kind")

    with pytest.raises(RunDamaged):
        shelf.get(_NAME)
    assert "cd" * 32 in [card.name for card in shelf.cards()]


def test_a_run_is_named_by_its_first_letters(tmp_path: Path) -> None:
    """As long as they name one alone."""
    shelf = Shelf(tmp_path)
    for name in ("abcdef1" + "0" * 57, "abcdef2" + "0" * 57):
        _put(shelf, name)

    assert shelf.named("abcdef1").startswith("abcdef1")
    with pytest.raises(Invalid, match="names 2 backtests"):
        shelf.named("abcdef")
    for short in ("abc", "", "zzzzzz"):
        with pytest.raises(NoSuchRun):
            shelf.named(short)


def test_a_run_that_is_removed_is_gone(tmp_path: Path) -> None:
    """And removing it twice says so."""
    shelf = Shelf(tmp_path)
    _put(shelf)
    shelf.remove(_NAME)

    assert not list(tmp_path.iterdir())
    with pytest.raises(NoSuchRun):
        shelf.remove(_NAME)


def test_every_trial_counts_once_for_ever(tmp_path: Path) -> None:
    """The failures of yesterday are not forgotten, and running the same again is no further trial."""
    ledger = Trials(tmp_path)

    assert ledger.count("ema-cross", [Trial("a", 0.1), Trial("b", math.nan), Trial("a", 0.1)]) == 2
    assert Trials(tmp_path).count("ema-cross", [Trial("a", 0.1), Trial("c", -0.2)]) == 3
    assert ledger.count("other", [Trial("a", 0.1)]) == 1
    np.testing.assert_array_equal(ledger.sharpes("ema-cross"), [0.1, math.nan, -0.2])
    assert ledger.of("never") == []


def test_trials_of_several_processes_at_once_are_all_counted(tmp_path: Path) -> None:
    """Workers of one search write into one ledger."""
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda number: Trials(tmp_path).count("s", [Trial(str(number), 0.0)]), range(40)):
            pass

    assert len(Trials(tmp_path).of("s")) == 40


def test_a_line_that_was_cut_is_no_trial_and_spoils_no_other(tmp_path: Path) -> None:
    """The power failed while it was written."""
    ledger = Trials(tmp_path)
    ledger.count("s", [Trial("a", 0.1)])
    with (tmp_path / "s.jsonl").open("a") as file:
        file.write(json.dumps({"name": "b", "sharpe": 1.0})[:9])

    assert ledger.count("s", [Trial("c", 0.2)]) == 2
    assert [trial.name for trial in ledger.of("s")] == ["a", "c"]


def test_a_run_that_the_risk_gate_stopped_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    """Quantities of whole lots end with zeros; written down and read again they must be the same to the digest."""
    why = (Denial("gross_exposure", "1.50", "1", "too much"),)
    stopped = [Stopped(1, "BTCUSDT", Side.BUY, Decimal(each), why) for each in ("0.300", "10", "1.5")]
    run, shelf = replace(result(), denials=Denials.of(stopped)), Shelf(tmp_path)
    shelf.put(_NAME, "{}", run, candles(), {}, {"title": "Cross"})

    kept = shelf.get(_NAME).result
    assert kept.digest() == run.digest()
    assert [one.quantity for one in kept.denials.listed] == [Decimal("0.3"), Decimal(10), Decimal("1.5")]
