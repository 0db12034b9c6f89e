"""Funding rates from a venue on the wire: asked for in pages, kept, and told again through the desk."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from pilothouse.core.clock import millis
from pilothouse.core.errors import NotFound
from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.db import Database
from pilothouse.kit.settings import Settings
from pilothouse.kit.throttle import SharedBooks, Throttle
from pilothouse.marketdata.funding_kept import check_rates, load_rates
from pilothouse.venues.catalogue import open_venue
from pilothouse.venues.opening import Opening
from pilothouse.wiring import funding_desk
from pilothouse.wiring.data_only import DataHouse
from pilothouse.wiring.public_venues import PublicVenues
from tests.plain_http import NO_TLS
from tests.slices.simexchange.sim_house import RunningExchange

NewDesk = Callable[[], DataHouse]


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
