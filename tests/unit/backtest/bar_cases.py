"""Random markets with random rules: a seed goes in, everything that a run needs comes out."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np

from pilothouse.backtest.simulate import Funding
from pilothouse.backtest.spec import BacktestSpec, Costs, FeeTier, FillAt, Fills, Margin, Market, Slip
from pilothouse.core.candles import Candles
from pilothouse.core.limits import Limits
from pilothouse.strategies.rules import By, Distance, Exits, Rules, Side, Size, SizeBy, Target
from pilothouse.strategies.sdk import Signals

HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Case:
    """One run."""

    spec: BacktestSpec
    candles: Candles
    signals: Signals
    rules: Rules
    funding: Funding
    warm_up: int

    @property
    def market(self) -> Market:
        """Return the one instrument."""
        return self.spec.markets[0]


def random_candles(rng: np.random.Generator, count: int, span_ms: int = HOUR_MS) -> Candles:
    """Return a market with jumps: opens away from the last close, still bars, bars without volume, missing bars."""
    step = int(rng.choice([1, 20, 150]))
    start = int(rng.choice([60, 2_000, 50_000]))
    price, rows = start, []
    for _ in range(count):
        opened = max(2, price + int(rng.integers(-step, step + 1)) * int(rng.integers(0, 2)))
        closed = max(2, opened + int(rng.integers(-step, step + 1)) * int(rng.integers(0, 4) > 0))
        high = max(opened, closed) + int(rng.integers(0, step + 1))
        low = max(1, min(opened, closed) - int(rng.integers(0, step + 1)))
        rows.append((opened, high, low, closed))
        price = closed
    opens, highs, lows, closes = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    at = np.cumsum(rng.choice([1, 1, 1, 1, 1, 1, 1, 3], count)).astype(np.int64) * span_ms
    volume = rng.integers(0, 4_000, count).astype(np.int64) * rng.integers(0, 5, count).clip(0, 1)
    return Candles(
        "BTCUSDT",
        span_ms,
        at,
        opens,
        highs,
        lows,
        closes,
        volume,
        price_digits=2,
        volume_digits=int(rng.integers(1, 4)),
    )


def _some(rng: np.random.Generator, count: int, often: float) -> Any:
    return rng.random(count) < often


def _maybe(rng: np.random.Generator, values: Any, chance: float, gaps: float = 0.5) -> Any:
    """Return the values with gaps, or none at all."""
    if rng.random() >= chance:
        return None
    return np.where(rng.random(len(values)) < gaps, np.nan, values)


def random_signals(rng: np.random.Generator, candles: Candles) -> Signals:
    """Return wishes of every kind."""
    count = len(candles)
    close = candles.price("close")
    near = np.rint(close * (1 + rng.normal(0, 0.004, count)) * 100) / 100
    often = float(rng.choice([0.02, 0.1, 0.4]))
    distances = {
        name: _maybe(rng, np.rint(close * rng.uniform(0.001, 0.03, count) * 1_000) / 1_000, 0.12)
        for name in ("stop", "take", "trail")
    }
    priced = {name: _maybe(rng, np.maximum(near, 0.01), 0.2, gaps=0.3) for name in ("limit", "trigger")}
    if rng.random() < 0.15:
        target = np.where(_some(rng, count, 0.7), np.nan, np.rint(rng.uniform(-1, 1, count) * 4) / 4)
        return Signals(target=target, **distances, **priced)
    weight = _maybe(rng, np.rint(rng.uniform(0, 1, count) * 8) / 8, 0.2)
    long, short = _some(rng, count, often), _some(rng, count, often) if rng.random() < 0.8 else None
    leave_long, leave_short = (_some(rng, count, often / 2) if rng.random() < 0.5 else None for _ in range(2))
    return Signals(long, short, leave_long, leave_short, weight=weight, **distances, **priced)


def random_distance(rng: np.random.Generator, chance: float) -> Distance | None:
    """Return a distance of any kind, or none."""
    if rng.random() >= chance:
        return None
    by = list(By)[int(rng.integers(0, 3))]
    least, most = {By.PERCENT: (0.05, 4.0), By.ATR: (0.5, 4.0), By.PRICE: (0.02, 5.0)}[by]
    return Distance(round(float(rng.uniform(least, most)), 3), by)


def random_rules(rng: np.random.Generator) -> Rules:
    """Return exits, sizes and everything else."""
    shares = rng.choice([1.0, 0.25, 0.5], int(rng.integers(0, 4)))
    shares = shares[np.cumsum(shares) <= 1.0]
    targets = tuple(Target(random_distance(rng, 1.1) or Distance(1.0), float(share)) for share in shares)
    trail = random_distance(rng, 0.3)
    stop = random_distance(rng, 0.5)
    exits = Exits(
        stop, targets, trail, random_distance(rng, 0.5) if trail else None, random_distance(rng, 0.2),
        int(rng.integers(1, 12)) if rng.random() < 0.2 else None,
    )  # fmt: skip
    kinds = [by for by in SizeBy if by is not SizeBy.RISK or stop is not None]
    by = kinds[int(rng.integers(0, len(kinds)))]
    values = {
        SizeBy.FIXED: 0.5, SizeBy.QUOTE: 900.0, SizeBy.PERCENT: 60.0, SizeBy.RISK: 1.5, SizeBy.VOLATILITY: 30.0,
        SizeBy.KELLY: 80.0,
    }  # fmt: skip
    size = Size(round(values[by] * float(rng.uniform(0.2, 3.0)), 2), by, lookback=int(rng.integers(2, 40)))
    return Rules(
        exits, size, list(Side)[int(rng.choice([0, 0, 0, 1, 2]))], int(rng.choice([0, 0, 1, 3])),
        int(rng.choice([0, 0, 0, 2])), bool(rng.random() < 0.8), int(rng.integers(2, 10)),
    )  # fmt: skip


def random_costs(rng: np.random.Generator) -> Costs:
    """Return fees, slippage, funding, interest and what a forced close costs."""
    tiers = (FeeTier(Decimal(5_000), 90, 300), FeeTier(Decimal(20_000), 0, 111)) if rng.random() < 0.3 else ()
    return Costs(
        int(rng.choice([0, 200])), int(rng.choice([0, 400, 999])), tiers, list(Slip)[int(rng.integers(0, 5))],
        int(rng.choice([0, 150, 20_000])), int(rng.choice([0, 1, 3])), bool(rng.random() < 0.4),
        int(rng.choice([0, 0, 300_000])), int(rng.choice([5_000, 40_000])), int(rng.choice([0, 7_500])),
    )  # fmt: skip


def random_case(seed: int, *, bars: int | None = None, candles: Candles | None = None) -> Case:
    """Return the run of a seed, over candles of its own or over these."""
    rng = np.random.default_rng(seed)
    if candles is None:
        candles = random_candles(rng, bars if bars is not None else int(rng.integers(1, 140)))
    fills = Fills(
        list(FillAt)[int(rng.choice([0, 0, 0, 1]))], int(rng.choice([0, 0, 0, 1, 3])),
        int(rng.choice([50_000, 400_000])) if rng.random() < 0.3 else None, int(rng.choice([1, 1, 4])),
        bool(rng.random() < 0.3),
    )  # fmt: skip
    most = int(rng.integers(40, 4_000)) if rng.random() < 0.2 else None
    market = Market(
        "aster", "BTCUSDT", Decimal("0.01"), int(rng.choice([1, 1, 5])), most, Decimal(int(rng.choice([0, 5])))
    )
    spec = BacktestSpec(
        "random", "0", {"seed": seed}, (market,), "1h", 0, 1 + int(candles.closed_ms[-1]), {"BTCUSDT": "0"},
        Decimal(int(rng.choice([300, 10_000, 1_000_000]))), int(rng.choice([1, 1, 3, 20, 100])),
        list(Margin)[int(rng.integers(0, 2))], random_costs(rng), fills,
    )  # fmt: skip
    at = np.unique(rng.integers(0, int(candles.closed_ms[-1]) + 1, len(candles) // 4) // 900_000) * 900_000
    at = np.unique(np.concatenate((at, candles.opened_ms[:: int(rng.integers(3, 9))]))).astype(np.int64)
    funding = Funding(at, rng.integers(-3_000_000, 3_000_000, len(at)).astype(np.int64))
    return Case(
        spec,
        candles,
        random_signals(rng, candles),
        random_rules(rng),
        funding,
        int(rng.integers(0, min(8, len(candles)))),
    )


def random_limits(rng: np.random.Generator, case: Case) -> Limits:
    """Return limits that a compiled run asks, some of them, in the sizes of the case."""
    worth = max(1, int(case.spec.capital) * case.spec.leverage // int(rng.choice([1, 10, 100, 1_000])))
    money = Decimal(worth) + Decimal(int(rng.integers(0, 100))) / 100
    values: dict[str, Any] = {
        "order_quantity_max": money / int(case.candles.price("close").mean() + 1),
        "order_notional_max": money * 2,
        "position_equity_ratio_max": Decimal(int(rng.integers(1, 4_000))) / 1_000,
        "position_notional_max": money * 3,
        "gross_notional_max": money * 2,
        "net_notional_max": money * 2,
        "leverage_max": Decimal(int(rng.integers(1, 4_000))) / 1_000,
        "daily_loss_percent_max": Decimal(int(10 ** rng.uniform(0, 5))) / 10_000,
        "drawdown_percent_max": Decimal(int(10 ** rng.uniform(0, 5))) / 10_000,
        "losses_in_a_row_max": int(rng.integers(1, 5)),
        "cooldown_s": Decimal(int(rng.integers(1, 50_000))) / 2,
    }
    if case.spec.fills.volume_ppm is not None:
        del values["losses_in_a_row_max"], values["cooldown_s"]
    often = float(rng.choice([0.1, 0.3]))
    return Limits(**{name: value for name, value in values.items() if rng.random() < often})


def limited_case(seed: int) -> Case:
    """Return the run of a seed with limits."""
    case = random_case(seed)
    limits = random_limits(np.random.default_rng([seed, 1]), case)
    return replace(case, spec=replace(case.spec, limits=limits))


def plain_case(seed: int, *, bars: int | None = None) -> Case:
    """Return a run that the quick loop can do: at the market, fixed distances, nothing that is due."""
    rng = np.random.default_rng(seed)
    case = random_case(seed, bars=bars)
    shares = (Target(Distance(round(float(rng.uniform(0.1, 4)), 2))),) if rng.random() < 0.5 else ()
    by = (By.PERCENT, By.PRICE)[int(rng.integers(0, 2))]
    stop, trail = (Distance(round(float(rng.uniform(0.1, 3)), 2), by) if rng.random() < 0.5 else None for _ in range(2))
    size = case.rules.size
    if size.by is SizeBy.VOLATILITY or (size.by is SizeBy.RISK and stop is None) or rng.random() < 0.4:
        size = Size(float(rng.choice([0.02, 0.5, 30.0])), SizeBy.FIXED)
    rules = Rules(Exits(stop, shares, trail), size, case.rules.side, flips=case.rules.flips)
    costs = case.spec.costs
    slip = costs.slip if costs.slip in {Slip.NONE, Slip.FIXED, Slip.SPREAD} else Slip.NONE
    costs = replace(costs, tiers=(), slip=slip, funding=False, borrow_ppm_year=0)
    fills = Fills(latency=case.spec.fills.latency, through=case.spec.fills.through)
    spec = replace(case.spec, margin=Margin.ISOLATED, costs=costs, fills=fills)
    signals = Signals(*(getattr(case.signals, name) for name in ("long", "short", "leave_long", "leave_short")))
    if signals.long is None:
        signals = replace(signals, long=rng.random(len(case.candles)) < 0.2)
    return replace(case, spec=spec, rules=rules, signals=signals)
