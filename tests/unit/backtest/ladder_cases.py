"""Random runs of grids and averaging entries: a seed goes in, everything that a run needs comes out."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np

from pilothouse.backtest.inside import Finer, Tape
from pilothouse.backtest.spec import BacktestSpec, Costs, Fills, Market, Slip
from pilothouse.core.candles import Candles
from pilothouse.strategies.parameters import Params, resolve
from pilothouse.strategies.registry import BUILT_IN
from pilothouse.strategies.sdk import Turns
from tests.unit.backtest.bar_cases import HOUR_MS, random_candles
from tests.unit.backtest.inside_cases import bars_over, chosen, tape_of


@dataclass(frozen=True)
class LadderCase:
    """One run."""

    spec: BacktestSpec
    candles: Candles
    strategy: Turns
    params: Params


def calm_candles(rng: np.random.Generator, count: int, span_ms: int = HOUR_MS) -> Candles:
    """Return a market that swings around a price, so that a level is met again and again."""
    base = int(rng.choice([3_000, 90_000, 2_000_000]))
    width = float(rng.uniform(0.002, 0.08))
    way = np.cumsum(rng.normal(0, width / 3, count))
    pulled = way - 0.7 * np.concatenate(([0.0], way[:-1]))
    closes = np.maximum((base * np.exp(pulled)).astype(np.int64), 2)
    opens = np.concatenate((closes[:1], closes[:-1]))
    reach = np.abs(rng.normal(0, width / 4, (2, count)))
    highs = np.maximum(opens, closes) + (reach[0] * closes).astype(np.int64)
    lows = np.maximum(np.minimum(opens, closes) - (reach[1] * closes).astype(np.int64), 1)
    at = np.arange(1, count + 1, dtype=np.int64) * span_ms
    volume = rng.integers(0, 4_000, count).astype(np.int64)
    return Candles("BTCUSDT", span_ms, at, opens, highs, lows, closes, volume, price_digits=2, volume_digits=2)


def random_grid(rng: np.random.Generator) -> dict[str, Any]:
    """Return parameters of a grid."""
    return {
        "side": str(rng.choice(["long", "neutral", "short"])),
        "levels": int(rng.choice([1, 3, 12, 60])), "step": float(rng.choice([0.05, 0.3, 1.234567, 20.0])),
        "spacing": str(rng.choice(["geometric", "arithmetic"])), "take": float(rng.choice([0.0, 0.0, 0.4, 3.0])),
        "order": float(rng.choice([50.0, 333.33333333333, 900.0])), "base": float(rng.choice([0.0, 700.0])),
        "stop_loss": float(rng.choice([0.0, 1.0, 7.0])),
    }  # fmt: skip


def random_averaging(rng: np.random.Generator) -> dict[str, Any]:
    """Return parameters of averaging entries."""
    return {
        "base": float(rng.choice([40.0, 100.1, 2_000.0])), "safety": float(rng.choice([0.0, 60.0, 777.77])),
        "safety_most": int(rng.choice([0, 2, 7, 40])), "deviation": float(rng.choice([0.1, 0.5, 3.0])),
        "scale": float(rng.choice([0.7, 1.0, 1.35])), "volume_scale": float(rng.choice([0.6, 1.0, 1.8])),
        "take_1": float(rng.choice([0.1, 0.5, 2.0])), "share_1": float(rng.choice([1.0, 40.0, 98.0])),
        "take_2": float(rng.choice([0.3, 1.0, 3.0])), "share_2": float(rng.choice([5.0, 40.0, 66.67])),
        "take_3": float(rng.choice([0.2, 1.5, 20.0])), "stop_loss": float(rng.choice([0.0, 0.5, 5.0])),
        "cooldown": int(rng.choice([0, 0, 1, 9])),
    }  # fmt: skip


def random_ladder(seed: int, *, bars: int | None = None, candles: Candles | None = None) -> LadderCase:
    """Return the run of a seed, over candles of its own or over these."""
    rng = np.random.default_rng(seed)
    if candles is None:
        count = bars if bars is not None else int(rng.integers(1, 160))
        candles = calm_candles(rng, count) if rng.random() < 0.6 else random_candles(rng, count)
    name = ("grid", "dca")[int(rng.integers(0, 2))]
    strategy = BUILT_IN[name].strategy
    assert isinstance(strategy, Turns)
    params = resolve(strategy.parameters, random_grid(rng) if name == "grid" else random_averaging(rng))
    slip = (Slip.NONE, Slip.FIXED, Slip.SPREAD)[int(rng.integers(0, 3))]
    costs = Costs(
        int(rng.choice([0, 200])), int(rng.choice([0, 400, 999])), slip=slip, slip_ppm=int(rng.choice([0, 150, 9_000])),
        slip_ticks=int(rng.choice([0, 1, 3])),
    )  # fmt: skip
    market = Market(
        "aster", "BTCUSDT", Decimal(str(rng.choice(["0.001", "0.01", "0.2"]))), int(rng.choice([1, 1, 5])),
        int(rng.integers(40, 4_000)) if rng.random() < 0.2 else None, Decimal(int(rng.choice([0, 5]))),
    )  # fmt: skip
    spec = BacktestSpec(
        name, "0", dict(params), (market,), "1h", 0, 1 + int(candles.closed_ms[-1]),
        {"BTCUSDT": candles.fingerprint()}, Decimal(int(rng.choice([300, 10_000, 1_000_000]))), costs=costs,
        fills=Fills(through=bool(rng.random() < 0.3)),
    )  # fmt: skip
    return LadderCase(spec, candles, strategy, params)


def inside_ladder(seed: int) -> tuple[LadderCase, Finer]:
    """Return the run of a seed that walks inside its bars, and what is below them: candles or trades with holes."""
    rng = np.random.default_rng(seed)
    times = int(rng.choice([2, 4, 12]))
    count = int(rng.integers(2 * times, 60 * times))
    fine = (calm_candles if rng.random() < 0.6 else random_candles)(rng, count, HOUR_MS // times)
    case = random_ladder(seed, candles=bars_over(fine, times))
    kept = chosen(fine, rng.random(len(fine)) < 0.97)
    finer: Finer = tape_of(rng, kept) if rng.random() < 0.4 else kept
    fills = replace(case.spec.fills, finer="trades" if isinstance(finer, Tape) else f"{60 // times}m")
    return replace(case, spec=replace(case.spec, fills=fills)), finer
