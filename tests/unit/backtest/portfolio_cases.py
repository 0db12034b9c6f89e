"""Random accounts with random markets: a seed goes in, whatever a run over several of them needs comes out."""

from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from pilothouse.backtest.inside import Finer
from pilothouse.backtest.simulate import Funding
from pilothouse.backtest.spec import BacktestSpec, Costs, FillAt, Fills, Margin, Market, Ranking, Slip
from pilothouse.core.candles import Candles, Ints
from pilothouse.strategies.rules import Rules, Side, Size, SizeBy
from pilothouse.strategies.sdk import Signals
from tests.unit.backtest.bar_cases import (
    HOUR_MS,
    Case,
    random_candles,
    random_case,
    random_costs,
    random_limits,
    random_signals,
)
from tests.unit.backtest.inside_cases import bars_over, chosen, tape_of


@dataclass(frozen=True)
class Many:
    """One run over several instruments."""

    spec: BacktestSpec
    data: dict[str, Candles]
    signals: dict[str, Signals]
    rules: Rules
    funding: dict[str, Funding]
    warm_up: int


def random_many(seed: int) -> Many:
    """Return the run of a seed: instruments that are listed late or taken off early, with holes of their own."""
    rng = np.random.default_rng(seed)
    pattern = random_case(int(rng.integers(0, 1 << 30)))
    aligned = rng.random() < 0.2
    count = int(rng.integers(2, 6))
    bars = int(rng.integers(20, 90))
    data, signals, funding, markets = {}, {}, {}, []
    for place in rng.permutation(count).tolist():
        symbol = f"COIN{place}USDT"
        candles = replace(_candles(rng, bars, aligned=aligned), symbol=symbol)
        if rng.random() < 0.3:
            candles = replace(candles, price_digits=int(rng.integers(1, 5)))
        data[symbol] = candles
        rank = np.rint(rng.normal(0, 2, len(candles)))
        rank[rng.random(len(candles)) < 0.1] = np.nan
        wishes = random_signals(rng, candles)
        signals[symbol] = replace(wishes, rank=rank if rng.random() < 0.8 else None)
        funding[symbol] = _funding(rng, candles)
        most = int(rng.integers(40, 4_000)) if rng.random() < 0.2 else None
        costs = random_costs(rng) if rng.random() < 0.4 else None
        lot = Decimal(1).scaleb(-int(rng.integers(0, 4)))
        markets.append(Market("aster", symbol, lot, int(rng.choice([1, 1, 5])), most, Decimal(0), costs))
    size = pattern.rules.size
    if rng.random() < 0.5:
        size = Size(float(rng.choice([10.0, 40.0, 90.0])), SizeBy.PERCENT)
    spec = replace(
        pattern.spec, markets=tuple(markets), data=dict.fromkeys(data, "0"),
        positions_most=int(rng.integers(1, count + 3)), ranking=list(Ranking)[int(rng.integers(0, 2))],
        hedge=bool(rng.random() < 0.4), margin=list(Margin)[int(rng.integers(0, 2))],
        leverage=int(rng.choice([1, 1, 2, 5, 20])),
    )  # fmt: skip
    return Many(spec, data, signals, replace(pattern.rules, size=size), funding, int(rng.integers(0, 6)))


def tight_many(seed: int) -> Many:
    """Return a run whose account is called now and then: everything is borrowed, and all stand for one another."""
    case = random_many(seed)
    size = Size(float([150.0, 400.0, 1_200.0][seed % 3]), SizeBy.PERCENT)
    spec = replace(case.spec, margin=Margin.CROSS, leverage=int([20, 50, 100][seed % 3]), positions_most=5)
    return replace(case, spec=spec, rules=replace(case.rules, size=size))


def _candles(rng: np.random.Generator, bars: int, *, aligned: bool) -> Candles:
    if aligned:
        return replace(random_candles(rng, bars), opened_ms=np.arange(1, bars + 1, dtype=np.int64) * HOUR_MS)
    first, last = sorted(rng.integers(0, bars, 2).tolist())
    candles = random_candles(rng, max(last - first, 12))
    return replace(candles, opened_ms=candles.opened_ms + int(first) * HOUR_MS)


def _funding(rng: np.random.Generator, candles: Candles) -> Funding:
    at: Ints = np.unique(
        np.concatenate((candles.opened_ms[:: int(rng.integers(3, 9))], candles.opened_ms[1::5] + 900_000))
    )
    return Funding(at, rng.integers(-3_000_000, 3_000_000, len(at)).astype(np.int64))


def random_rotation(seed: int) -> Many:
    """Return a run that the quick loop can do: long only, at the market, no exits, every instrument with every bar."""
    rng = np.random.default_rng(seed)
    case = random_many(seed)
    bars = int(rng.integers(20, 90))
    at = np.arange(1, bars + 1, dtype=np.int64) * HOUR_MS
    data = {
        symbol: replace(random_candles(rng, bars), symbol=symbol, opened_ms=at, price_digits=int(rng.integers(1, 4)))
        for symbol in case.data
    }
    ranks = rng.random() < 0.7
    signals = {}
    for symbol in data:
        long, leave = rng.random(bars) < 0.2, rng.random(bars) < 0.15
        rank = np.where(rng.random(bars) < 0.1, np.nan, np.rint(rng.normal(0, 2, bars)))
        signals[symbol] = Signals(long=long, leave_long=leave, rank=rank if ranks else None)
    slip = list(Slip)[int(rng.integers(0, 3))]
    costs = Costs(
        0, int(rng.choice([0, 400, 999])), (), slip, int(rng.choice([0, 150, 20_000])), int(rng.integers(0, 3))
    )
    by = (SizeBy.FIXED, SizeBy.QUOTE, SizeBy.PERCENT)[int(rng.integers(0, 3))]
    value = {SizeBy.FIXED: 0.5, SizeBy.QUOTE: 900.0, SizeBy.PERCENT: 40.0}[by] * float(rng.choice([0.1, 1.0, 2.0]))
    markets = tuple(
        replace(market, costs=None, notional_min=Decimal(int(rng.choice([0, 20])))) for market in case.spec.markets
    )
    spec = replace(
        case.spec, markets=markets, costs=costs, fills=Fills(latency=case.spec.fills.latency), hedge=False, leverage=1
    )
    return Many(spec, data, signals, Rules(size=Size(round(value, 3), by), side=Side.LONG), {}, case.warm_up)


def limited_many(seed: int) -> Many:
    """Return the run of a seed with limits that count what all positions come to."""
    case = random_many(seed)
    candles = next(iter(case.data.values()))
    alone = Case(case.spec, candles, Signals(), case.rules, next(iter(case.funding.values())), 0)
    limits = random_limits(np.random.default_rng([seed, 1]), alone)
    return replace(case, spec=replace(case.spec, limits=limits))


@dataclass(frozen=True)
class Inside:
    """A run over several instruments, and what is finer than the bars of each; nothing for a latency alone."""

    case: Many
    finer: dict[str, Finer]


def inside_many(seed: int) -> Inside:
    """Return the run of a seed that walks inside the bars: candles or trades, with gaps, with a latency or not."""
    rng = np.random.default_rng([seed, 7])
    case = (limited_many if rng.random() < 0.3 else random_many)(seed)
    times, by_trades = int(rng.choice([2, 4])), bool(rng.random() < 0.4)
    none = bool(rng.random() < 0.15)
    data, finer = {}, dict[str, Finer]()
    for symbol, candles in case.data.items():
        # The hours of the case, each made of finer candles: prices are drawn anew, what is listed when stays.
        fine = random_candles(rng, times * len(candles), HOUR_MS // times)
        at = (candles.opened_ms[:, None] + np.arange(times, dtype=np.int64) * (HOUR_MS // times)).ravel()
        fine = replace(fine, symbol=symbol, opened_ms=at, price_digits=candles.price_digits)
        data[symbol] = bars_over(fine, times)
        kept = chosen(fine, rng.random(len(fine)) < 0.97)
        finer[symbol] = tape_of(rng, kept) if by_trades else kept
    fills = replace(case.spec.fills, finer=None if none else "trades" if by_trades else f"{60 // times}m")
    if fills.at is FillAt.OPEN and (none or rng.random() < 0.5):
        latency = int(rng.choice([1, 250, HOUR_MS // times, HOUR_MS // 2, HOUR_MS, HOUR_MS + 1, 5 * HOUR_MS]))
        fills = replace(fills, latency=0, latency_ms=latency)
    spec = replace(case.spec, fills=fills)
    return Inside(replace(case, spec=spec, data=data), {} if fills.finer is None else finer)
