"""Candles, trades and funding from files of others."""

import gzip
import json
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import feather, parquet

from pilothouse.core.errors import Invalid
from pilothouse.marketdata.exact_columns import steps_of
from pilothouse.marketdata.foreign_candles import CandlesUnsound, Foreign, Gap, read_candles, sound, symbol_of
from pilothouse.marketdata.foreign_series import read_funding, read_trades
from pilothouse.marketdata.foreign_times import millis_of

_ROWS = [
    (1_704_067_200_000, "42283.58", "42298.62", "42261.02", "42298.61", "35.92724"),
    (1_704_067_260_000, "42298.62", "42320.00", "42298.61", "42320.00", "21.16779"),
    (1_704_067_320_000, "42319.99", "42331.54", "42319.99", "42325.50", "21.60391"),
]


def _binance(path: Path, *, names: bool, unit: int = 1) -> Path:
    head = (
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
        "taker_buy_quote_volume,ignore\n"
    )
    body = "".join(
        f"{at * unit},{','.join(rest)},{(at + 59_999) * unit},1519032.5,1327,16.1,680915.9,0\n" for at, *rest in _ROWS
    )
    path.write_text((head if names else "") + body)
    return path


def _zipped(path: Path) -> Path:
    inner = _binance(path.with_suffix(".csv"), names=False, unit=1_000)
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(inner, inner.name)
    return path


def _tradingview(path: Path) -> Path:
    body = "".join(f"{at // 1_000},{','.join(rest[:4])},{rest[4]},50.5\n" for at, *rest in _ROWS)
    path.write_text("time,open,high,low,close,Volume,RSI\n" + body)
    return path


def _table() -> pa.Table:
    times = pa.array([row[0] for row in _ROWS], pa.timestamp("ms", "UTC"))
    numbers = {
        name: pa.array([float(row[place]) for row in _ROWS])
        for place, name in enumerate(("open", "high", "low", "close", "volume"), 1)
    }
    return pa.table({"date": times, **numbers})


def _feather(path: Path) -> Path:
    feather.write_feather(_table(), path)
    return path


def _parquet(path: Path) -> Path:
    parquet.write_table(_table(), path)
    return path


def _json(path: Path) -> Path:
    path.write_text(json.dumps([[at, *(float(cell) for cell in rest)] for at, *rest in _ROWS]))
    return path


def _packed(path: Path) -> Path:
    plain = _binance(path.with_suffix(""), names=True)
    path.write_bytes(gzip.compress(plain.read_bytes()))
    return path


_LAYOUTS: dict[str, tuple[str, str, Callable[[Path], Path]]] = {
    "Binance's archive without names": ("BTCUSDT-1m-2024-01.csv", "binance", lambda path: _binance(path, names=False)),
    "Binance's archive with names": ("BTCUSDT-1m-2024-01.csv", "binance", lambda path: _binance(path, names=True)),
    "Binance's archive, zipped, in microseconds": ("BTCUSDT-1m-2025-01.zip", "binance", _zipped),
    "a packed table": ("BTCUSDT-1m-2024-01.csv.gz", "binance", _packed),
    "an export of TradingView": ("BINANCE_BTCUSDT, 1.csv", "tradingview", _tradingview),
    "Feather of freqtrade": ("BTC_USDT-1m.feather", "freqtrade", _feather),
    "Parquet of freqtrade": ("BTC_USDT-1m.parquet", "freqtrade", _parquet),
    "JSON of freqtrade": ("BTC_USDT-1m.json", "freqtrade", _json),
}


@pytest.mark.parametrize("name", _LAYOUTS)
def test_every_layout_is_read_to_the_last_digit(name: str, tmp_path: Path) -> None:
    """The same candles are the same candles, in whichever file they came."""
    file, layout, write = _LAYOUTS[name]
    found = read_candles(write(tmp_path / file))

    assert found.layout == layout
    assert found.timeframe == "1m"
    assert found.has_volume
    assert str(found.faults) == "nothing wrong"
    assert found.bars.opened_ms.tolist() == [row[0] for row in _ROWS]
    assert [(candle.open, candle.high, candle.low, candle.close, candle.volume) for candle in found.bars.candles()] == [
        tuple(Decimal(cell) for cell in row[1:]) for row in _ROWS
    ]


def test_columns_are_our_own_wherever_they_were_read_from(tmp_path: Path) -> None:
    """Machine code is made anew for columns that may not be written, and takes seconds for it."""
    whole = {
        name: [int(Decimal(row[place]) * 1_000) for row in _ROWS]
        for place, name in enumerate(("open", "high", "low", "close", "volume"), 1)
    }
    parquet.write_table(pa.table({"time": [row[0] for row in _ROWS], **whole}), tmp_path / "x.parquet")

    for path in (tmp_path / "x.parquet", _parquet(tmp_path / "y.parquet"), _json(tmp_path / "z.json")):
        assert all(column.flags.writeable for column in sound(read_candles(path)).bars.columns), path.name


def test_a_daily_table_of_yahoo_needs_to_be_told_its_zone(tmp_path: Path) -> None:
    """A date names no zone; a day begins at another instant in New York than in Tokyo."""
    path = tmp_path / "SPY.csv"
    path.write_text(
        "Date,Open,High,Low,Close,Adj Close,Volume\n"
        "2024-03-08,511.4,515.8,511.1,511.7,505.2,86532500\n"
        "2024-03-11,510.4,512.0,508.5,511.2,504.8,62557200\n"
    )

    with pytest.raises(Invalid, match="timezone: none was given"):
        read_candles(path)
    found = read_candles(path, zone="America/New_York", span="1d")

    # Clocks went forward between the two: the second day begins 71 hours after the first.
    assert np.diff(found.bars.opened_ms).tolist() == [71 * 3_600_000]
    assert found.layout == "yahoo"
    assert found.extra["Adj Close"].tolist() == [505.2, 504.8]


def test_other_columns_of_numbers_are_kept_for_strategies(tmp_path: Path) -> None:
    """What was plotted on the chart may be what a strategy looks at."""
    assert read_candles(_tradingview(tmp_path / "chart.csv")).extra == {"RSI": pytest.approx([50.5] * 3)}


def _faulty(tmp_path: Path) -> Path:
    path = tmp_path / "faulty.csv"
    path.write_text(
        "time,open,high,low,close,volume\n"
        "1704067200,10,12,9,11,5\n"
        "1704067260,11,12,10,11,5\n"
        "1704067260,11,12,10,11,5\n"  # the same again
        "1704067320,11,10,9,11,5\n"  # a high below the open
        "1704067500,11,12,10,11,5\n"  # two are missing before it
        "1704067500,11,12,10,10.5,5\n"  # told differently
        "1704067440,11,12,10,11,5\n"  # late
        "1704067560,,12,10,11,5\n"  # no open
    )
    return path


def test_everything_that_is_wrong_is_named_with_its_row(tmp_path: Path) -> None:
    """Nothing is repaired in silence."""
    faults = read_candles(_faulty(tmp_path)).faults

    assert faults.kinds == {
        "duplicates": (3,),
        "conflicts": (6,),
        "out_of_order": (7,),
        "impossible": (4,),
        "blank": (8,),
    }
    assert faults.gaps == (Gap(1_704_067_380_000, 1_704_067_440_000, 1),)


def test_a_faulty_file_is_refused_until_somebody_says_what_to_leave_out(tmp_path: Path) -> None:
    """Then exactly that is left out, and what is gone is a gap."""
    found = read_candles(_faulty(tmp_path))

    with pytest.raises(CandlesUnsound, match=r"duplicates: row 3.*impossible: row 4"):
        sound(found, leave_out=["conflicts"])
    clean = sound(found, leave_out=["duplicates", "conflicts", "out_of_order", "impossible", "blank"])

    assert clean.rows.tolist() == [1, 2, 7, 5]
    assert clean.faults.kinds == {}
    assert clean.faults.gaps == (Gap(1_704_067_320_000, 1_704_067_440_000, 2),)


def test_what_is_to_be_left_out_must_be_a_kind_of_fault(tmp_path: Path) -> None:
    """A word that means nothing here would leave nothing out."""
    with pytest.raises(Invalid, match="leave_out: doubles"):
        sound(read_candles(_faulty(tmp_path)), leave_out=["doubles"])


def test_a_mark_price_has_no_volume_and_says_so(tmp_path: Path) -> None:
    """No number is made up for it."""
    path = tmp_path / "mark.json"
    path.write_text(json.dumps([[at, *map(float, rest[:4]), None] for at, *rest in _ROWS]))

    found = read_candles(path)

    assert not found.has_volume
    assert found.bars.volume.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", b"", "no rows|first line is empty"),
        ("x.csv", b"time,open,high,low\n1,1,1,1\n", "columns for close"),
        ("x.csv", b"time,open,high,low,close\n2024-01-01T00:00:00Z,1,2,x,1\n", "low: row 1 is 'x'"),
        ("x.csv", b"time,open,high,low,close\nyesterday,1,2,1,1\n", "time: 'yesterday' came"),
        ("x.csv", b"a,a,b\n1,2,3\n", "a name of its own"),
        ("x.csv", b"1,2,3\n1,2,3\n", "3 columns without names"),
        ("x.json", b"{", "no JSON"),
        ("x.json", b"[[1,2],[1]]", "rows of 1 to 2 cells"),
        ("x.feather", b"nothing of the kind", "a whole file of the kind"),
        ("x.parquet", b"nothing of the kind", "a whole file of the kind"),
        ("x.zip", b"nothing of the kind", "a whole file of the kind"),
        ("x.csv.gz", b"nothing of the kind", "a whole file of the kind"),
        ("x.xlsx", b"", "a name that ends in"),
    ],
)
def test_a_file_that_is_none_is_refused_by_what_is_wrong(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    """The error says which column, which row, and what would be right."""
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(Invalid, match=message):
        read_candles(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the reason of the system."""
    with pytest.raises(Invalid, match="No such file"):
        read_candles(tmp_path / "nowhere.csv")


def test_hours_that_clocks_never_showed_are_refused(tmp_path: Path) -> None:
    """Half past two on the last Sunday of March does not exist in Berlin; in October it is there twice."""
    for day in ("2024-03-31 02:30:00", "2024-10-27 02:30:00"):
        with pytest.raises(Invalid, match=f"timezone: Europe/Berlin: {day}"):
            millis_of(pa.array([day]), "time", "Europe/Berlin")


def test_a_zone_that_does_not_exist_is_refused() -> None:
    """It is not taken for UTC."""
    with pytest.raises(Invalid, match="timezone: 'Mars/Base' came"):
        millis_of(pa.array(["2024-01-01"]), "time", "Mars/Base")


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000])
def test_units_of_time_are_told_apart_by_size(unit: int) -> None:
    """Milliseconds, microseconds, nanoseconds; seconds are a thousandth."""
    at = 1_704_067_200_000

    assert millis_of(pa.array([at * unit]), "time", None).tolist() == [at]
    assert millis_of(pa.array([str(at // 1_000)]), "time", None).tolist() == [at]


@given(st.lists(st.decimals("-99999999.9999999999", "99999999.9999999999", places=10), min_size=1, max_size=20))
def test_text_is_read_to_the_last_digit(numbers: list[Decimal]) -> None:
    """Ten digits before and behind the point, whatever they are."""
    steps = steps_of(pa.array([str(number) for number in numbers]), "open")

    assert [Decimal(int(count)).scaleb(-steps.digits) for count in steps.counted] == numbers


@given(st.lists(st.decimals("0.00001", "99999.99999", places=5), min_size=1, max_size=20))
def test_a_float_is_the_decimal_that_was_meant(numbers: list[Decimal]) -> None:
    """What was written as a decimal comes back as that decimal, also with the noise of an addition behind it."""
    exact = [float(number) for number in numbers]

    for written in (exact, [float(np.nextafter(number, 1e9)) for number in exact]):
        found = steps_of(pa.array(written), "open")
        assert [Decimal(int(count)).scaleb(-found.digits) for count in found.counted] == numbers


def test_numbers_that_64_bits_cannot_count_are_refused() -> None:
    """Rounding them would invent a price."""
    for column in (pa.array(["0.0000000000001", "92233720.1"]), pa.array([1e-13, 92233720.1]), pa.array(["1e30"])):
        with pytest.raises(Invalid, match="digits fit 64 bits"):
            steps_of(column, "open")


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("ETH_BTC-5m.feather", "ETH/BTC"),
        ("XRP_USDT_USDT-1h-futures.feather", "XRP/USDT:USDT"),
        ("BTCUSDT-1m-2024-01.zip", "BTCUSDT"),
        ("BTCUSDT-aggTrades-2024-01-01.zip", "BTCUSDT"),
        ("BINANCE_BTCUSDT, 60.csv", "BTCUSDT"),
        ("NASDAQ_AAPL, 1D_1a2b3.csv", "AAPL"),
        ("BTCUSDT-1h.csv", "BTCUSDT"),
        ("ETHUSDT_15m.parquet", "ETHUSDT"),
        ("chart.csv", None),
    ],
)
def test_a_name_tells_the_symbol_where_it_does(name: str, symbol: str | None) -> None:
    """Where it does not, somebody must say it."""
    assert symbol_of(Path(name)) == symbol


def test_trades_are_read_in_order_and_exactly(tmp_path: Path) -> None:
    """Binance's archive and freqtrade's table are the same trades."""
    archive = tmp_path / "BTCUSDT-aggTrades-2024-01-01.csv"
    archive.write_text("7,42283.58,0.001,7,7,1704067200123,true\n8,42283.59,0.5,8,9,1704067200100,false\n")
    table = tmp_path / "BTC_USDT-trades.parquet"
    parquet.write_table(
        pa.table({"timestamp": [1704067200123, 1704067200100], "price": [42283.58, 42283.59], "amount": [0.001, 0.5]}),
        table,
    )

    for path in (archive, table):
        found = read_trades(path)
        assert found.at_ms.tolist() == [1704067200100, 1704067200123]
        assert found.price.tolist() == [4228359, 4228358]
        assert found.quantity.tolist() == [500, 1]
        assert (found.price_digits, found.quantity_digits) == (2, 3)


def test_a_trade_for_nothing_is_refused(tmp_path: Path) -> None:
    """A price of zero was never traded."""
    path = tmp_path / "t.csv"
    path.write_text("timestamp,price,amount\n1704067200123,1.5,1\n1704067200124,0,1\n")

    with pytest.raises(Invalid, match="price: row 2"):
        read_trades(path)


def test_funding_is_read_and_never_twice(tmp_path: Path) -> None:
    """Each payment has a time of its own."""
    path = tmp_path / "BTCUSDT-fundingRate-2024-01.csv"
    path.write_text(
        "calc_time,funding_interval_hours,last_funding_rate\n1704096000000,8,0.00025\n1704067200003,8,-0.0001\n"
    )
    found = read_funding(path)

    assert found.at_ms.tolist() == [1704067200003, 1704096000000]
    assert found.rate.tolist() == [-10, 25]
    assert found.digits == 5
    with path.open("a") as more:
        more.write("1704096000000,8,0.00026\n")
    with pytest.raises(Invalid, match="rows 1 and 3 are of one time"):
        read_funding(path)


def test_months_are_no_fixed_length(tmp_path: Path) -> None:
    """February is no gap."""
    path = tmp_path / "m.csv"
    path.write_text(
        "time,open,high,low,close\n" + "".join(f"2024-{month:02d}-01T00:00:00Z,1,1,1,1\n" for month in (1, 2, 3, 4, 6))
    )
    found: Foreign = read_candles(path)

    assert found.timeframe == "1M"
    assert [gap.missing for gap in found.faults.gaps] == [1]
