"""What a bench does with candles that the house keeps, and with requests that are no longer what they were."""

from pathlib import Path
from typing import Any

import pytest

from pilothouse.api.backtest_shapes import RunAsked, plain_of
from pilothouse.backtest.contents import NoOrders
from pilothouse.cli import backtest_orders
from pilothouse.core.clock import millis
from pilothouse.core.errors import Invalid
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Database
from pilothouse.kit.settings import Settings
from pilothouse.marketdata.candle_backfill import Shelf
from pilothouse.marketdata.candle_series import Series
from pilothouse.wiring.bench_work import Bench, Changed
from pilothouse.wiring.candle_desk import files_of
from tests.conftest import NOON
from tests.slices.marketdata.told_market import ToldMarket, download, minutes

NOON_MS = millis(NOON)
BEGIN = NOON_MS - 120 * 60_000
SERIES = Series("aster", "BTCUSDT", "1m")
ASKED: dict[str, Any] = {"strategy": "ema-cross", "venue": "aster", "symbols": ["BTCUSDT"], "timeframe": "1m"}


@pytest.fixture
def settings(tables_url: str, tmp_path: Path) -> Settings:
    """Return a house's settings, over a database with every table."""
    return Settings(data=tmp_path / "data", database_url=tables_url)


def _keep(settings: Settings, clock: FrozenClock, numbers: range) -> None:
    """Keep minutes from two hours before noon on, as a download does."""
    with_candles = Database(settings.database_url, clock=clock)
    shelf = Shelf(with_candles, files_of(settings), clock, "here")
    market = ToldMarket(minutes(BEGIN, numbers), NOON, page=1_000)
    download(shelf, market, SERIES, (BEGIN, BEGIN + numbers.stop * 60_000))
    with_candles.close()


def _prepare(bench: Bench) -> dict[str, Any]:
    asked = plain_of(RunAsked(**ASKED | {"params": {"fast": 3, "slow": 9}}))
    told: dict[str, Any] = bench.answer("prepare", {"kind": "run", "asked": asked}, lambda _: None)
    return told


def test_candles_that_come_later_do_not_change_what_was_asked_for(settings: Settings, clock: FrozenClock) -> None:
    """Between asking and running a queue may lie, and candles are followed meanwhile."""
    _keep(settings, clock, range(100))
    bench = Bench(settings)
    first = _prepare(bench)
    _keep(settings, clock, range(120))

    done = bench.answer("run", {"asked": first["asked"], "name": first["name"]}, lambda _: None)
    assert done["told"]["span"].endswith("100 bars")
    assert (first["bars"], _prepare(bench)["bars"]) == (100, 120)
    assert bench.answer("prepare", {"kind": "run", "asked": first["asked"]}, lambda _: None)["kept"] is not None


def test_orders_of_a_run_of_the_api_are_had_on_the_command_line(settings: Settings, clock: FrozenClock) -> None:
    """The results of both lie on one shelf."""
    _keep(settings, clock, range(100))
    bench = Bench(settings)
    first = _prepare(bench)
    bench.answer("run", {"asked": first["asked"] | {"orders": False}, "name": first["name"]}, lambda _: None)
    with pytest.raises(NoOrders):
        bench.answer("orders", {"name": first["name"], "after": 0, "limit": 5}, lambda _: None)
    _keep(settings, clock, range(120))

    backtest_orders.work_out(settings, first["name"])

    told = bench.answer("orders", {"name": first["name"], "after": 0, "limit": 5}, lambda _: None)
    assert told == {"items": [], "next_cursor": None}, "they are known, and these candles led to none"


def test_a_request_whose_ground_has_changed_fails_instead_of_answering_another(
    settings: Settings, clock: FrozenClock
) -> None:
    """The name was promised when it was asked for: another result under it would be a lie."""
    _keep(settings, clock, range(100))
    bench = Bench(settings)
    first = _prepare(bench)

    with pytest.raises(Changed, match="ask for it again"):
        bench.answer("run", {"asked": first["asked"] | {"taker": "0.1"}, "name": first["name"]}, lambda _: None)


def test_a_span_that_ends_before_it_begins_is_refused_by_field(settings: Settings) -> None:
    """Nothing is looked for in it."""
    asked = plain_of(RunAsked(**ASKED | {"start": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}))

    with pytest.raises(Invalid, match="until"):
        Bench(settings).answer("prepare", {"kind": "run", "asked": asked}, lambda _: None)
