"""Funding rates from a venue on the wire: asked for in pages, kept, and told again through the desk."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from pilothouse.backtest.contents import content, page_of
from pilothouse.backtest.shelf import Shelf
from pilothouse.core.clock import millis
from pilothouse.core.errors import NotFound
from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.db import Database
from pilothouse.kit.settings import Settings
from pilothouse.kit.throttle import SharedBooks, Throttle
from pilothouse.marketdata.funding_backfill import unasked
from pilothouse.marketdata.funding_kept import check_rates, load_rates
from pilothouse.strategies import registry
from pilothouse.venues.catalogue import open_venue
from pilothouse.venues.opening import Opening
from pilothouse.wiring import candle_desk, funding_desk
from pilothouse.wiring.backtest_run import Done, carry_out
from pilothouse.wiring.backtest_search import Tried, plan
from pilothouse.wiring.backtest_wishes import changed_by, wish_of
from pilothouse.wiring.bench_requests import read_request
from pilothouse.wiring.data_only import DataHouse
from pilothouse.wiring.public_venues import PublicVenues
from tests.plain_http import NO_TLS
from tests.slices.simexchange.sim_house import RunningExchange


@pytest.fixture(scope="module")
def exchange() -> Iterator[RunningExchange]:
    """Yield an exchange that both sides take for a real one."""
    with RunningExchange(profile="both") as running:
        yield running


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Iterator[DataHouse]:
    """Yield a house of which only the market data is open."""
    clock = SystemClock()
    settings = Settings(data=tmp_path / "data", database_url="sqlite://")
    settings.data.mkdir()
    throttle = Throttle(SharedBooks(database), clock)
    public = PublicVenues(
        {}, lambda key, accounts: open_venue(key, Opening(clock, settings.data, throttle, accounts, seed=1))
    )
    yield DataHouse(settings, clock, "here", database, public, ())
    public.close()


def _download(desk: DataHouse, venue: str, days: int, page_hours: int = 10_000) -> int:
    """Ask for so many days until all is settled, or may still come; return how many questions that took."""
    start = desk.clock.now() - timedelta(days=days)
    spans = funding_desk.plan(desk, venue, "BTC/USDT", start, None, again=False)["spans"]
    series, asked = funding_desk.kept_funding(venue, "BTCUSDT"), 0
    while spans:
        first, until = spans.pop(0)
        cut = min(until, first + page_hours * 3_600_000)
        found = funding_desk.fetch_once(desk, series, (first, cut), take_new=False)
        asked += 1
        settled = found["settled"]
        rest = [(first, settled[0][0]), (settled[-1][1], until)] if settled else [(cut, until)]
        spans = [span for span in rest if span[0] < span[1]] + spans
    return asked


@pytest.mark.parametrize("name", ["aster", "binanceusdm"])
def test_what_a_venue_has_settled_is_kept_as_it_told_it(desk: DataHouse, exchange: RunningExchange, name: str) -> None:
    """To the last digit, in pages or at once, with nothing between two pages left out."""
    venue = f"{name}@{exchange.base}"
    start = millis(desk.clock.now() - timedelta(days=12))
    _download(desk, venue, 12, page_hours=50)
    told = httpx.get(
        f"{exchange.base}/fapi/v1/fundingRate?symbol=BTCUSDT&startTime={start}&limit=1000", verify=NO_TLS
    ).json()
    series = funding_desk.kept_funding(venue, "BTCUSDT")
    files = funding_desk.rate_files(desk.settings)

    found = load_rates(desk.database, files, series, start, millis(desk.clock.now()))

    assert len(told) >= 35
    assert [(int(at), found.rates.decimal(place)) for place, at in enumerate(found.rates.at_ms)] == [
        (row["fundingTime"], Decimal(row["fundingRate"])) for row in told
    ]
    assert check_rates(desk.database, files, series).is_sound
    (row,) = funding_desk.overview(desk.database, desk.settings)
    assert (row["rates"], row["gaps"], row["followed"]) == (len(told), [], False)


def test_a_venue_without_funding_says_so_before_anything_is_asked(desk: DataHouse, exchange: RunningExchange) -> None:
    """Spot lends nothing; a download that finds nothing for ever would look like a fault of ours."""
    start = desk.clock.now() - timedelta(days=1)
    for venue in (f"binance@{exchange.base}", "paper"):
        with pytest.raises(funding_desk.NoFunding, match="no history of funding"):
            funding_desk.plan(desk, venue, "BTCUSDT", start, None, again=False)
        with pytest.raises(NotFound, match="funding"):
            desk.public(venue).funding_rates("BTCUSDT", start, start)
    with pytest.raises(funding_desk.NoFunding):
        funding_desk.follow(desk, f"binance@{exchange.base}", "BTCUSDT", None)


# ── Backtests ─────────────────────────────────────────────────────────────────────────────────────

_WANTED = {"strategy": "ema-cross", "params": {"fast": "5", "slow": "20"}, "leverage": 3}


@pytest.fixture
def perpetual(desk: DataHouse, exchange: RunningExchange) -> dict[str, Any]:
    """Return a request over twenty days of hours of a perpetual, whose candles are kept and whose funding is not."""
    venue = f"aster@{exchange.base}"
    end = desk.clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    begin = end - timedelta(days=20)
    told = candle_desk.plan(desk, venue, "BTCUSDT", "1h", begin, end, again=False)
    series = candle_desk.kept_series(venue, "BTCUSDT", "1h")
    for first, until in told["spans"]:
        candle_desk.fetch_once(desk, series, (first, until), take_new=False)
    span = {"start_ms": millis(begin), "until_ms": millis(end)}
    return {**_WANTED, "venue": venue, "symbols": ["BTCUSDT"], "timeframe": "1h", "uploads_of": "me", **span}


def _ran(desk: DataHouse, asked: dict[str, Any]) -> Done:
    request = read_request(asked, desk.settings, lambda: desk.database)
    described = registry.find(asked["strategy"])
    return carry_out(
        desk.settings, described, wish_of(request, described), request.found, changed_by(request), orders=True
    )


def _told(done: Done) -> list[Any]:
    return [done.card.told[name] for name in ("unfunded", "underfunded")]


def _spec(desk: DataHouse, done: Done) -> dict[str, Any]:
    folder = Shelf(desk.settings.data / "backtests").place(done.card.name)
    return dict(json.loads((folder / "spec.json").read_text()))


def test_a_run_over_kept_candles_pays_kept_funding_as_a_file_of_the_same_rates_would(
    desk: DataHouse, exchange: RunningExchange, perpetual: dict[str, Any]
) -> None:
    """Where rates come from changes nothing: one name, one fingerprint, the same trades to the last byte."""
    _download(desk, perpetual["venue"], 25)
    kept = _ran(desk, perpetual)
    shelf = Shelf(desk.settings.data / "backtests")
    trades, orders, fills = (content(shelf.get(kept.card.name), what, ".csv") for what in ("trades", "orders", "fills"))
    told = httpx.get(f"{exchange.base}/fapi/v1/fundingRate?symbol=BTCUSDT&startTime=1&limit=1000", verify=NO_TLS).json()
    folder = desk.settings.data / "files"
    folder.mkdir()
    rows = [f"{row['fundingTime']},{row['fundingRate']}" for row in told]
    (folder / "rates.csv").write_text("\n".join(["time,rate", *rows]) + "\n")
    shelf.remove(kept.card.name)

    filed = _ran(desk, {**perpetual, "funding": ["rates.csv"]})

    assert not filed.found
    assert (filed.card.name, filed.card.digest) == (kept.card.name, kept.card.digest)
    assert kept.card.metrics["funding"]
    assert trades.count(b"\n") > 10
    again = shelf.get(filed.card.name)
    assert [content(again, what, ".csv") for what in ("trades", "orders", "fills")] == [trades, orders, fills]
    print_ = _spec(desk, filed)["data"]["BTCUSDT funding"]
    notes = kept.card.told["notes"]
    assert any(f"kept of {perpetual['venue']}, 60 rates" in note and print_[:16] in note for note in notes)
    assert _told(kept) == _told(filed) == [False, ""]
    described = registry.find("ema-cross")
    request = read_request({**perpetual, "params": {}}, desk.settings, lambda: desk.database)
    search = plan(
        described, wish_of(request, described), request.found, changed_by(request), Tried(over=("fast=4,8",))
    )  # fmt: skip
    assert search.task.spec.data["BTCUSDT funding"] == print_


def test_funding_that_is_kept_in_part_or_not_at_all_or_declined_is_said_in_red(
    desk: DataHouse, perpetual: dict[str, Any]
) -> None:
    """A run that pays less than life does looks better than life; nobody may overlook that."""
    bare = _ran(desk, perpetual)
    assert _told(bare) == [True, ""]
    assert any("data download" in note and "--funding" in note for note in bare.card.told["notes"])

    _download(desk, perpetual["venue"], 8)
    part = _ran(desk, perpetual)
    unfunded, lacks = _told(part)
    assert not unfunded
    assert "BTCUSDT has no rates in" in lacks
    assert "of 480 hours" in lacks
    assert part.card.name != bare.card.name
    assert "FUNDING IN PART" in page_of(Shelf(desk.settings.data / "backtests").get(part.card.name))

    declined = _ran(desk, {**perpetual, "funding": ["none"]})
    assert (declined.card.name, declined.found) == (bare.card.name, True)
    _download(desk, perpetual["venue"], 25)
    whole = _ran(desk, perpetual)
    assert _told(whole) == [False, ""]
    assert len({each.card.name for each in (bare, part, whole)}) == 3


def test_a_history_that_grows_outside_of_a_run_is_the_same_run(desk: DataHouse, perpetual: dict[str, Any]) -> None:
    """Who follows funding must find yesterday's result again, not make it anew under another name."""
    day = 24 * 3_600_000
    asked = {**perpetual, "start_ms": perpetual["start_ms"] + 8 * day, "until_ms": perpetual["until_ms"] - 4 * day}
    series = funding_desk.kept_funding(asked["venue"], "BTCUSDT")
    span = (asked["start_ms"], asked["until_ms"])
    while spans := desk.database.read(lambda tx: unasked(tx, series, span)):
        funding_desk.fetch_once(desk, series, spans[0], take_new=False)
    first = _ran(desk, asked)
    _download(desk, asked["venue"], 25)
    again = _ran(desk, asked)

    assert len(funding_desk.rate_files(desk.settings).read_all(series)) > 60
    assert _told(first) == [False, ""]
    assert (again.found, again.card.name) == (True, first.card.name)
