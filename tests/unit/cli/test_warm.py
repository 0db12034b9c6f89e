"""`pilothouse backtest warm`: what is compiled beforehand is what the first run calls, and nothing else stays."""

from pathlib import Path

import pytest

from pilothouse.kit.settings import Settings
from pilothouse.strategies.indicators import compiling
from pilothouse.strategies.registry import BUILT_IN
from pilothouse.wiring import backtest_warm
from pilothouse.wiring.backtest_run import prepare
from pilothouse.wiring.backtest_wishes import changed_by, wish_of
from tests.unit.cli.conftest import Typed


def test_every_small_run_is_one_that_can_be_asked_for(tmp_path: Path) -> None:
    """A new strategy that needs longer candles would end the warm-up in its middle."""
    ready = set()
    for words, request, searches in backtest_warm.requests(Settings(data=tmp_path)):
        described = BUILT_IN[request.asked["strategy"]]
        prepare(described, wish_of(request, described), request.found, changed_by(request))
        ready.add((words, searches))

    assert {words for words, _ in ready} >= BUILT_IN.keys()
    assert len(ready) == backtest_warm.count()


@pytest.mark.soak
def test_after_a_warm_up_no_run_and_no_search_compiles(typed: Typed, file: Path, tmp_path: Path) -> None:
    """Whoever runs the first backtest after an upgrade would wait for twenty seconds."""
    code, said, err = typed("backtest", "warm")
    assert code == 0, err
    assert "ready" in said
    assert not (tmp_path / "data" / "backtests").exists(), "its small runs are nobody's"
    begun = compiling._MADE["begun"]

    words = ("ema-cross", "--data", str(file), "--stop", "2atr", "--take", "1atr:0.5,3atr:0.5")
    assert typed("backtest", "run", *words)[0] == 0
    assert typed("backtest", "run", "donchian", "--data", str(file))[0] == 0
    assert typed("sweep", *words, "-o", "fast=5..8:1", "--workers", "1")[0] == 0

    assert compiling._MADE["begun"] == begun
