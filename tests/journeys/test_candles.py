"""Candles as a trader gets them: by the command, from an exchange on the wire, whoever is killed on the way."""

import contextlib
import io
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from pilothouse.cli import main
from pilothouse.kit.clocks import SystemClock
from tests.house_process import PROGRAM, HouseProcess, eventually
from tests.slices.simexchange.sim_house import RunningExchange

pytestmark = pytest.mark.timeout(400)

NewHouse = Callable[..., HouseProcess]


@pytest.fixture(scope="module")
def venue() -> Iterator[str]:
    """Yield the key of a simulated exchange that thinks for a moment before each answer."""
    with RunningExchange(profile="aster", latency_ms=(100, 100)) as exchange:
        yield f"aster@{exchange.base}"


def _begin(house: HouseProcess, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [str(PROGRAM), "data", *words],
        env=house.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def _ask(house: HouseProcess, *words: str, code: int = 0) -> Any:
    """Run a command here to its end and return what it tells as JSON: starting Python again proves nothing more."""
    out = io.StringIO()
    with (
        mock.patch.dict(os.environ, house.environment(), clear=True),
        contextlib.redirect_stdout(out),
        pytest.raises(SystemExit) as left,
    ):
        main.main(["data", *words, "--json"])
    assert left.value.code == code, out.getvalue()
    return json.loads(out.getvalue())


def _written(house: HouseProcess) -> list[int]:
    """Return when each file of candles was written last."""
    return sorted(path.stat().st_mtime_ns for path in (house.data / "candles").rglob("*.parquet"))


def test_a_download_that_is_killed_goes_on_and_ends_the_same(new_house: NewHouse, venue: str) -> None:
    """SIGKILL between any two answers: no half file, nothing twice, nothing lost."""
    today = SystemClock().now().date()
    days = ("--from", str(today - timedelta(days=13)), "--until", str(today - timedelta(days=1)))
    words = ("download", venue, "BTCUSDT", "--timeframe", "1m", *days)
    house, quiet = new_house(), new_house()
    for _ in range(2):
        before = _written(house)
        process = _begin(house, *words)
        eventually(lambda before=before: _written(house) != before, "a page is kept")
        process.kill()
        process.communicate(timeout=30)
        assert process.returncode == -9, "it was done before it could be killed"
        checked = _ask(house, "check")  # killed between a file and its note, even the series is not noted yet
        assert checked["ok"]
        assert sum(each["candles"] for each in checked["items"]) < 12 * 1_440

    _ask(house, *words)
    _ask(quiet, *words)

    (one,), (other,) = (_ask(each, "check")["items"] for each in (house, quiet))
    assert one["ok"]
    assert one["candles"] == 12 * 1_440
    assert one["fingerprint"] == other["fingerprint"]
    assert not list((house.data / "candles").rglob(".draft-*"))


def test_a_running_desk_fetches_and_follows_for_the_command(new_house: NewHouse, venue: str) -> None:
    """One process writes; the command leads, and a desk that keeps no candles has not even loaded what reads them."""
    house = new_house().start()
    maps = Path(f"/proc/{house.pid}/maps").read_text()
    assert "pyarrow" not in maps
    assert "numpy" not in maps

    (brought,) = _ask(house, "download", venue, "eth/usdt", "--timeframe", "10m", "--from", "3h")["downloads"]
    assert (brought["symbol"], brought["timeframe"], brought["wanted"]) == ("ETHUSDT", "1m", "10m")
    assert brought["fresh"] >= 170
    _ask(house, "follow", venue, "BTCUSDT", "--from", "1h")

    def followed() -> Any:
        rows = house.get("/api/v1/coverage", symbol="BTCUSDT")["items"]
        return rows and rows[0]["followed"] and rows[0]["candles"] >= 59

    eventually(followed, "the hour is there")
    query: dict[str, Any] = {"venue": venue, "symbol": "ETHUSDT", "timeframe": "10m", "limit": 5}
    pages: list[dict[str, Any]] = []
    while not pages or pages[-1]["next_cursor"]:
        pages.append(house.get("/api/v1/candles", **query, cursor=pages[-1]["next_cursor"] if pages else None))
    rows = [row for page in pages for row in page["items"]]
    assert len(rows) in {16, 17, 18}
    assert [row["opened_at"] for row in rows] == sorted({row["opened_at"] for row in rows})
    assert all(isinstance(row["close"], str) for row in rows)
    assert {page["source"] for page in pages} == {"1m"}
    refused = _ask(house, "download", venue, "NOPE", "--from", "1d", code=1)
    assert refused["code"] == "symbol_unknown"
    assert _ask(house, "unfollow", venue, "BTCUSDT")["follows"][0]["followed"] is False
