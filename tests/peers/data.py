"""The seeded candles of `make bench`, written once to files that every peer can read."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.speed.backtest import year
from tests.speed.portfolio import markets

COLUMNS = ("open", "high", "low", "close")


def write(place: Path) -> None:
    """Write `year.npz` and `markets.npz`: opening times in milliseconds, prices in whole hundredths."""
    place.mkdir(parents=True, exist_ok=True)
    one = year()
    columns: dict[str, Any] = {name: getattr(one, name) for name in COLUMNS}
    np.savez(place / "year.npz", opened_ms=one.opened_ms, **columns)
    many = list(markets().values())
    stacked: dict[str, Any] = {name: np.stack([getattr(each, name) for each in many]) for name in COLUMNS}
    np.savez(place / "markets.npz", opened_ms=many[0].opened_ms, **stacked)
