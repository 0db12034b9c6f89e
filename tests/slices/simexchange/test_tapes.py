"""What a real market did is told again, from a file of either kind."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from pyarrow import parquet

from pilothouse.simexchange.requests import Request
from pilothouse.simexchange.tape import Mark, TapeUnreadable, read_tape
from pilothouse.simulation.contracts import CONTRACTS
from tests.slices.simexchange.raw_asking import NOON, Desk

BEGAN_US = 1_700_000_000_000_000
_TIMES: dict[str, list[Any]] = {
    "milliseconds": [1_700_000_000_000, 1_700_000_060_000],
    "microseconds": [1_700_000_000_000_000, 1_700_000_060_000_000],
    "text": ["2023-11-14T22:13:20Z", "2023-11-14T22:14:20Z"],
    "timestamps": [datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), datetime(2023, 11, 14, 22, 14, 20, tzinfo=UTC)],
    "timestamps without a zone": [datetime(2023, 11, 14, 22, 13, 20), datetime(2023, 11, 14, 22, 14, 20)],  # noqa: DTZ001  (what is tested)
}
_PRICES: dict[str, list[Any]] = {
    "text": ["64000.10", "64100.3"],
    "decimals": [Decimal("64000.10"), Decimal("64100.30")],
    "floating point": [64000.1, 64100.3],
}


def _written(path: Path, columns: dict[str, list[Any]]) -> Path:
    parquet.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("prices", _PRICES)
@pytest.mark.parametrize("times", _TIMES)
def test_a_tape_in_parquet_is_read_whatever_its_columns_are_made_of(tmp_path: Path, times: str, prices: str) -> None:
    """Whoever recorded it chose the types; the market it tells of is the same."""
    columns = {
        "symbol": ["BTCUSDT", "btcusdt"],
        "time": _TIMES[times],
        "price": _PRICES[prices],
        "quantity": ["1", "2"],
    }
    assert read_tape(_written(tmp_path / "tape.parquet", columns), CONTRACTS) == [
        Mark(BEGAN_US, "BTCUSDT", 640_001), Mark(BEGAN_US + 60_000_000, "BTCUSDT", 641_003),
    ]  # fmt: skip


def test_candles_say_the_same_in_parquet_as_in_text(tmp_path: Path) -> None:
    """A candle that rises went low first, one that falls went high first; both within its interval."""
    columns: dict[str, list[Any]] = {
        "time": [1_700_000_000_000, 1_700_000_300_000], "symbol": ["ETHUSDT", "ETHUSDT"], "open": ["3000", "3010.5"],
        "high": ["3020", "3012"], "low": ["2990", "2995"], "close": ["3010.5", "3000"], "interval": [300, 300],
    }  # fmt: skip
    lines = [",".join(columns), *(",".join(str(each) for each in row) for row in zip(*columns.values(), strict=True))]
    text = tmp_path / "tape.csv"
    text.write_text("\n".join(lines) + "\n")
    told = read_tape(_written(tmp_path / "tape.parquet", columns), CONTRACTS)
    assert told == read_tape(text, CONTRACTS)
    assert [each.ticks for each in told] == [300_000, 299_000, 302_000, 301_050, 301_050, 301_200, 299_500, 300_000]
    assert told[5].at - told[4].at == 75_000_000


def test_a_tape_leads_the_price(tmp_path: Path) -> None:
    """What a real market did is told again, from the moment the exchange starts."""
    tape = tmp_path / "tape.csv"
    tape.write_text("time,symbol,price,quantity\n1700000000000,BTCUSDT,64000.1,1\n1700000060000,BTCUSDT,70000,1\n")
    desk = Desk(tape=tape)
    desk.steps(1)
    assert desk.exchange.floor.desks["BTCUSDT"].prices.last == 640_001
    desk.steps(241)
    assert abs(desk.exchange.floor.desks["BTCUSDT"].prices.last - 700_000) < 700


@pytest.mark.parametrize("at_once", [True, False])
def test_candles_of_a_tape_are_candles_here(tmp_path: Path, at_once: bool) -> None:  # noqa: FBT001  (a parameter of the test)
    """A strategy that was tested on these candles meets the same ones, however fast time runs."""
    candles = [
        ("64000.0", "64120.5", "63950.1", "64100.0"),
        ("64100.0", "64111.1", "63800.0", "63820.2"),
        ("63820.2", "65000.0", "63820.2", "64990.9"),
    ]
    tape = tmp_path / "tape.csv"
    rows = [f"{1_700_000_040_000 + i * 60_000},BTCUSDT,{','.join(each)}" for i, each in enumerate(candles)]
    tape.write_text("time,symbol,open,high,low,close\n" + "\n".join(rows) + "\n")
    desk = Desk(tape=tape)
    for _ in range(1 if at_once else 45):
        desk.steps(720 if at_once else 16)
    query = f"symbol=BTCUSDT&interval=1m&startTime={int(NOON.timestamp()) * 1_000}&limit=3"
    reply = desk.sim.front.answer(Request("GET", "/fapi/v1/klines", query, "", {}, "test"))
    assert [tuple(row[1:5]) for row in msgspec.json.decode(reply.body)] == candles


@pytest.mark.parametrize(
    "columns",
    [
        {"time": [1], "symbol": ["DOGEUSDT"], "price": ["1"]},
        {"time": [1], "symbol": ["BTCUSDT"], "price": ["cheap"]},
        {"time": [1], "symbol": ["BTCUSDT"], "open": ["1"]},
        {"time": ["yesterday"], "symbol": ["BTCUSDT"], "price": ["65000"]},
        {"time": [], "symbol": [], "price": []},
    ],
)
def test_a_tape_that_makes_no_sense_is_refused(tmp_path: Path, columns: dict[str, list[Any]]) -> None:
    """A market that is not what the file says would be worse than none."""
    with pytest.raises(TapeUnreadable):
        read_tape(_written(tmp_path / "tape.parquet", columns), CONTRACTS)


def test_a_file_that_is_no_tape_is_refused(tmp_path: Path) -> None:
    """The name alone makes nothing a tape."""
    path = tmp_path / "tape.parquet"
    path.write_text("time,symbol,price")
    with pytest.raises(TapeUnreadable, match="cannot be read"):
        read_tape(path, CONTRACTS)
