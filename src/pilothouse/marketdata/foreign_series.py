"""Trades and funding from elsewhere: a file goes in; exact columns come out, oldest first.

Layouts: freqtrade (trades as Parquet, Feather or JSON; funding as candles whose open is the rate), Binance's public
archive (aggTrades, trades, fundingRate), or a table whose columns can be recognised.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from pilothouse.core.errors import Invalid, Problem
from pilothouse.marketdata.candle_columns import Ints
from pilothouse.marketdata.exact_columns import steps_of
from pilothouse.marketdata.foreign_tables import MOST_BYTES, Table, read_table
from pilothouse.marketdata.foreign_times import millis_of
from pilothouse.marketdata.funding_columns import Rates

_TIME: Final = ("timestamp", "time", "transact_time", "date", "datetime", "calc_time", "funding_time", "fundingtime")
_PRICE: Final = ("price", "p")
_QUANTITY: Final = ("quantity", "qty", "amount", "size", "q")
_RATE: Final = ("funding_rate", "fundingrate", "last_funding_rate", "rate", "open")


@dataclass(frozen=True, slots=True, eq=False)
class Trades:
    """Trades of a market, oldest first; those of one millisecond in the order of the file.

    at_ms            int64[n], milliseconds since 1970, UTC
    price, quantity  int64[n], above zero, in steps of 10^-price_digits and 10^-quantity_digits
    """

    at_ms: Ints
    price: Ints
    quantity: Ints
    price_digits: int
    quantity_digits: int


def read_trades(path: Path, *, zone: str | None = None) -> Trades:
    """Return the trades of a file. Raises Invalid that names the file, the column and the row."""
    table = read_table(path)
    at, price, quantity = (_column(table, names, path) for names in (_TIME, _PRICE, _QUANTITY))
    times = millis_of(table.columns[at], at, zone)
    prices, quantities = (steps_of(table.columns[name], name) for name in (price, quantity))
    for name, steps in ((price, prices), (quantity, quantities)):
        wrong = np.flatnonzero(steps.blank | (steps.counted <= 0))
        if len(wrong):
            raise Invalid([Problem(name, f"row {int(wrong[0]) + 1} is none or not above zero", "numbers above zero")])
    order = np.argsort(times, kind="stable")
    return Trades(
        times[order], prices.counted[order], quantities.counted[order], prices.digits, quantities.digits
    )  # fmt: skip


def read_funding(path: Path, *, zone: str | None = None, most_bytes: int = MOST_BYTES) -> Rates:
    """Return the funding rates of a file. Raises Invalid; the same time twice is refused, with both rows."""
    table = read_table(path, most_bytes=most_bytes)
    at, rate = _column(table, _TIME, path), _column(table, _RATE, path)
    times = millis_of(table.columns[at], at, zone)
    rates = steps_of(table.columns[rate], rate)
    if bool(rates.blank.any()):
        row = int(np.flatnonzero(rates.blank)[0]) + 1
        raise Invalid([Problem(rate, f"row {row} is none", "a rate in every row, such as 0.0001", "missing")])
    order = np.argsort(times, kind="stable")
    twice = np.flatnonzero(np.diff(times[order]) == 0)
    if len(twice):
        first, second = sorted((int(order[twice[0]]) + 1, int(order[twice[0] + 1]) + 1))
        raise Invalid(
            [Problem(at, f"rows {first} and {second} are of one time", "a time of its own for each", "twice")]
        )
    return Rates(times[order], rates.counted[order], rates.digits)


def _column(table: Table, names: tuple[str, ...], path: Path) -> Any:
    by_low = {name.strip().lower(): name for name in table.columns}
    for name in names:
        if name in by_low:
            return by_low[name]
    came = f"{path.name}: columns {', '.join(table.columns)[:160]}"
    raise Invalid([Problem("file", came, f"a column {' or '.join(names)}", "column_missing")])
