"""Backtests over kept candles that walk inside their bars along shorter kept ones."""

from pathlib import Path

import pytest

from pilothouse.backtest.request import Wish
from pilothouse.core.clock import millis
from pilothouse.core.errors import Invalid
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Database
from pilothouse.kit.settings import Settings
from pilothouse.marketdata.candle_backfill import Shelf
from pilothouse.marketdata.candle_series import Series
from pilothouse.strategies.registry import BUILT_IN
from pilothouse.wiring.backtest_data import Asked
from pilothouse.wiring.backtest_inside import is_length, told
from pilothouse.wiring.backtest_kept import add_kept, of_folder
from pilothouse.wiring.backtest_run import carry_out
from pilothouse.wiring.candle_desk import files_of
from tests.conftest import NOON
from tests.slices.marketdata.told_market import ToldMarket, download, minutes

NOON_MS = millis(NOON)
HOUR_MS = 3_600_000


def test_several_markets_are_walked_along_their_own_minutes(
    database: Database, clock: FrozenClock, tmp_path: Path
) -> None:
    """Each has its own below it, and each of them names the result; the run goes turn by turn and says so."""
    settings = Settings(data=tmp_path)
    begin = NOON_MS - 6 * HOUR_MS
    shelf = Shelf(database, files_of(settings), clock, "here")
    for symbol in ("BTCUSDT", "ETHUSDT"):
        market = ToldMarket(minutes(begin, [*range(360)]), NOON, page=500)
        download(shelf, market, Series("aster", symbol, "1m"), (begin, NOON_MS))
    asked = Asked(venue="aster", symbols=("BTCUSDT", "ETHUSDT"), timeframe="1h", traded=("BTCUSDT", "ETHUSDT"))
    found = of_folder(database, settings, asked)
    add_kept(database, settings, found, "1m")
    wish = Wish("buy-and-hold", BUILT_IN["buy-and-hold"].version, {}, "aster", "1h", markets=asked.traded)
    done = carry_out(settings, BUILT_IN["buy-and-hold"], wish, found, lambda _: None)

    assert sorted(found.finer) == ["BTCUSDT", "ETHUSDT"]
    assert (done.card.told["engine"], done.card.told["pessimistic"]) == ("turns", 0)
    assert any("no compiled loop knows fills.finer" in note for note in done.card.told["notes"])


def test_hours_are_walked_along_the_kept_minutes(database: Database, clock: FrozenClock, tmp_path: Path) -> None:
    """Nothing is fetched for it; where minutes are missing the hour is walked on the pessimistic path, and counted."""
    settings = Settings(data=tmp_path)
    begin = NOON_MS - 6 * HOUR_MS
    there = [each for each in range(360) if not 130 <= each < 140]
    shelf = Shelf(database, files_of(settings), clock, "here")
    download(
        shelf, ToldMarket(minutes(begin, there), NOON, page=500), Series("aster", "BTCUSDT", "1m"), (begin, NOON_MS)
    )
    found = of_folder(database, settings, Asked(venue="aster", symbols=("BTCUSDT",), timeframe="1h"))
    add_kept(database, settings, found, "1m")
    wish = Wish("grid", BUILT_IN["grid"].version, {"step": 0.5, "stop_loss": 0}, "aster", "1h")
    done = carry_out(settings, BUILT_IN["grid"], wish, found, lambda _: None)

    assert (found.inside, len(found.finer["BTCUSDT"])) == ("1m", 350)
    assert done.card.told["engine"] == "compiled"
    assert done.card.told["pessimistic"] == 0
    assert "every one of 6 bars was walked along 1m" in done.card.told["notes"]
    assert told(found, 2)[0].startswith("2 of 6 bars took the pessimistic path: no 1m below them")
    with pytest.raises(Invalid, match="inside: 4h came"):
        add_kept(database, settings, found, "4h")
    assert [is_length(words) for words in ("1m", "15m", "trades.csv", "1M")] == [True, True, False, False]
