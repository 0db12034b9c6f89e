"""The signals of the built-in strategies on a fixed market, kept as a file that a change of theirs has to change.

python -m tests.unit.strategies.golden_signals      writes the file anew; look at what changed before it is committed
"""

import hashlib
import json
from typing import Any

import numpy as np

from pilothouse.strategies.parameters import resolve
from pilothouse.strategies.registry import BUILT_IN
from pilothouse.strategies.sdk import Columns
from tests.unit.strategies.markets import view_over
from tests.unit.strategies.small_market import prices, venue
from tests.unit.strategies.uncompiled import strategies
from tools.tidy import ROOT

FILE = ROOT / "tests" / "unit" / "strategies" / "golden_signals.json"
BARS, SEED = 3_000, 2_026
WAYS = ("long", "short", "leave_long", "leave_short")

# With their defaults some wait for what a short random market does not offer.
LOOSE: dict[str, dict[str, Any]] = {
    "cpr": {"rsi_most": 100.0, "band_least": 0.0, "band_most": 50.0, "volatility_most": 50.0, "pullback": 0.0},
    "gainers-losers": {"least": 0.5, "turnover": 1_000.0},
    "momentum-rotation": {"every": 60},
    "macd-timeframes": {"timeframe": "1h"},
    "nadaraya-watson": {"width": 1.5},
    "orphan": {"width": 1.2, "slowly": 20},
    "premarket": {"minute": 30, "bars": 8, "deviation": 2.0},
    "rsi-divergence": {"lookback": 60},
    "opening-range": {"minute": 0, "minutes": 60},
}
LADDERS: dict[str, dict[str, Any]] = {
    "dca": {"base": 1_000.0, "safety": 500.0},
    "grid": {"levels": 12, "step": 0.5, "order": 500.0, "stop_loss": 0.0},
}
IN_COLUMNS = sorted(name for name, described in BUILT_IN.items() if isinstance(described.strategy, Columns))


def ladder_summary(name: str) -> dict[str, Any]:
    """Return what a strategy in turns bought and sold on a fixed walk: how often, the first few, a hash over all."""
    market = venue(name, **LADDERS[name])
    for price in prices(7, 600, 90):
        market.go(price)
    told = [f"{fill.at_ms // 60_000} {fill.key} {fill.quantity} at {fill.price}" for fill in market.fills]
    digest = hashlib.sha256(json.dumps([told, market.state]).encode()).hexdigest()
    return {"fills": len(told), "first": told[:8], "sha256": digest}


def summary(name: str) -> dict[str, Any]:
    """Return what a strategy signals on the fixed market: how often, the first few by bar, and a hash over all."""
    strategy = strategies()[name]
    params = resolve(strategy.parameters, LOOSE.get(name, {}))
    view = view_over(BUILT_IN[name].instruments, BARS, SEED)
    columns = strategy.signals(view, params).checked(len(view)).columns
    digest = hashlib.sha256()
    told: dict[str, Any] = {}
    for way in WAYS:
        if way in columns:
            bars = np.flatnonzero(columns[way])
            digest.update(way.encode() + bars.astype("<i8").tobytes())
            told[way] = {"count": len(bars), "first": bars[:8].tolist()}
    return {"warm_up": strategy.warm_up(params), **told, "sha256": digest.hexdigest()}


if __name__ == "__main__":
    every = {name: summary(name) for name in IN_COLUMNS} | {name: ladder_summary(name) for name in sorted(LADDERS)}
    FILE.write_text(json.dumps(every, indent=1) + "\n", encoding="utf-8")
