"""Seeded markets for the tests of indicators and strategies: columns as the catalogue names its inputs, and candles."""

import random
from typing import Any

import numpy as np

from pilothouse.core.candles import Candles
from pilothouse.strategies.view import View

MINUTES_OF_A_DAY = 1_440


def market(bars: int, seed: int, *, calm: bool = False, minutes: int = 45) -> dict[str, Any]:
    """Return the columns of a market: prices near 100, gaps, stretches that stand still, bars without volume.

    calm      no stretch that stands still and no bar without volume
    minutes   length of a bar; a session is a day, and the first one begins in its middle
    """
    chance = np.random.default_rng(seed)
    moves = chance.normal(0.0, 0.01, bars)
    if not calm:
        moves[chance.random(bars) < 0.15] = 0.0
        begin = int(chance.integers(0, max(bars - 30, 1)))
        moves[begin : begin + 25] = 0.0
    close = 100.0 * np.exp(np.cumsum(moves))
    open_ = np.concatenate([close[:1], close[:-1]]) * (1.0 + (moves != 0.0) * chance.normal(0.0, 0.002, bars))
    reach = np.abs(chance.normal(0.0, 0.004, (2, bars))) * (moves != 0.0)
    high, low = np.maximum(open_, close) * (1.0 + reach[0]), np.minimum(open_, close) * (1.0 - reach[1])
    volume = chance.lognormal(3.0, 1.0, bars)
    if not calm:
        volume[moves == 0.0] = 0.0
    when = MINUTES_OF_A_DAY // 2 + minutes * np.arange(bars)
    other = 50.0 * np.exp(np.cumsum(0.5 * moves + chance.normal(0.0, 0.006, bars)))
    return {
        "open": open_, "high": high, "low": low, "close": close, "volume": volume, "other": other, "market": other,
        "session": when // MINUTES_OF_A_DAY, "minute": when % MINUTES_OF_A_DAY,
    }  # fmt: skip


def with_holes(columns: dict[str, Any], seed: int, holes: int) -> dict[str, Any]:
    """Return the columns with NaN at some places of some of them."""
    chance = np.random.default_rng(seed)
    pierced = {name: np.array(column) for name, column in columns.items()}
    names = [name for name in sorted(pierced) if pierced[name].dtype == np.float64]
    for _ in range(holes):
        pierced[names[int(chance.integers(len(names)))]][int(chance.integers(len(columns["close"])))] = np.nan
    return pierced


def prefix(columns: dict[str, Any], bars: int) -> dict[str, Any]:
    """Return the first bars of each column."""
    return {name: column[:bars] for name, column in columns.items()}


# 2026-01-05, a Monday, 00:00 UTC.
MONDAY_MS = 1_767_571_200_000
SYMBOLS = ("AAAUSDT", "BBBUSDT", "CCCUSDT", "DDDUSDT")


def walk(symbol: str, bars: int, seed: int, *, minutes: int = 15, start_ms: int = MONDAY_MS) -> Candles:
    """Return candles of a random walk of whole numbers, the same on every machine: prices near 100.00."""
    chance = random.Random(seed)
    close, drift = 10_000, 0
    rows = []
    for bar in range(bars):
        if bar % 40 == 0:
            drift = chance.randint(-9, 9)
        first = close
        close = max(1_000, first + first * (drift + chance.randint(-45, 45)) // 10_000)
        high = max(first, close) + chance.randint(0, 15)
        low = min(first, close) - chance.randint(0, 15)
        rows.append((first, high, low, close, chance.randint(0, 500_000)))
    first_, high_, low_, last, volume = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    opened = start_ms + np.arange(bars, dtype=np.int64) * minutes * 60_000
    return Candles(symbol, minutes * 60_000, opened, first_, high_, low_, last, volume, price_digits=2, volume_digits=3)


def view_over(instruments: str, bars: int, seed: int, minutes: int = 15) -> View:
    """Return what a strategy of this kind sees: one walk, or one beside its others."""
    count = {"one": 1, "two": 2, "many": 4}[instruments]
    walks = [walk(symbol, bars, seed + place, minutes=minutes) for place, symbol in enumerate(SYMBOLS[:count])]
    return View(walks[0], {candles.symbol: candles for candles in walks[1:]})
