"""The compiled loop over one instrument equals the slow story in decimals, to the unit, whatever market and rules."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from pilothouse.backtest.kernels.bars import LEAVE_LONG, LEAVE_SHORT, LONG, REASONS, SHORT, Rulebook, run_bars
from pilothouse.backtest.reference import Candle, Decision, Reference, Told

_NONE = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Case:
    """One market with decisions and rules; which of the optional columns the kernel is given."""

    candles: list[Candle]
    decisions: list[Decision]
    rules: dict[str, int]
    targets: tuple[tuple[int, int], ...]
    funding: list[tuple[int, int]]
    columns: frozenset[str]


Found = tuple[list[tuple[int, ...]], list[tuple[int, ...]], list[int], int]


def _market(chance: random.Random, count: int, base: int) -> list[Candle]:
    """Return wild candles: gaps, dry bars, moves of a twelfth."""
    found, close = [], base
    for _ in range(count):
        first = max(close + (chance.randint(-base // 30, base // 30) if chance.random() < 0.3 else 0), 3)
        last = max(5, close + chance.randint(-base // 12, base // 12))
        high = max(first, last) + chance.randint(0, base // 20)
        low = max(1, min(first, last) - chance.randint(0, base // 20))
        volume = chance.choice([0, chance.randint(1, 400), chance.randint(100, 10_000)])
        volume = chance.choice([0, chance.randint(1, 400), chance.randint(100, 10_000)])
        found.append(Candle(first, high, low, last, volume))
        close = last
    return found


def _rules(chance: random.Random, base: int) -> dict[str, int]:
    """Return rules of every kind, most of them off most of the time."""
    pick = chance.choice
    found = {
        "at_close": pick([0, 0, 1]), "delay": pick([0, 0, 1, 3]), "cash": base * pick([10, 1_000, 100_000]),
        "maker_ppb": pick([0, 200_000]), "taker_ppb": pick([0, 400_000, 1_000_001]),
        "slip_ppm": pick([0, 100, 777]), "spread_ticks": pick([0, 0, 1]), "volume_slip_ppm": pick([0, 0, 5_000]),
        "impact_ppm": pick([0, 0, 3_000]), "volume_share_ppm": pick([0, 0, 100_000]),
        "size_by": pick([0, 1, 2, 3, 4, 5]), "size_lookback": pick([2, 5]), "lot_multiple": pick([1, 1, 3]),
        "lots_min": pick([1, 2]), "notional_min": pick([0, 0, base * 3]), "leverage": pick([0, 1, 5, 20]),
        "maintenance_ppm": pick([0, 5_000, 20_000]), "liquidation_ppb": pick([0, 12_500_000]),
        "borrow_ppb": pick([0, 0, 12_345]), "stop_ppm": pick([0, 20_000, 60_000]), "trail_ppm": pick([0, 0, 30_000]),
        "break_even_ppm": pick([0, 0, 25_000]), "bars_most": pick([0, 0, 3]), "pyramiding": pick([0, 0, 2]),
        "cooldown": pick([0, 0, 2]), "flips": pick([0, 1, 1]), "sides": pick([1, 2, 3, 3]),
        "limit_bars": pick([1, 2, 5]), "warm_up": pick([0, 0, 4]),
    }  # fmt: skip
    found["margin"] = pick([0, 1, 2]) if found["leverage"] else 0
    found["trail_after_ppm"] = pick([0, 20_000]) if found["trail_ppm"] else 0
    sizes = [
        chance.randint(1, 50), base * chance.randint(1, 50), pick([10**9, 3 * 10**8]), pick([2 * 10**7, 10**7]),
        pick([10**7, 5 * 10**7]), pick([10**9, 5 * 10**8]),
    ]  # fmt: skip
    return {**found, "size_value": sizes[found["size_by"]]}


def _decision(chance: random.Random, candle: Candle, base: int, columns: frozenset[str]) -> Decision:
    drawn = chance.random()
    near = max(1, candle.close + chance.randint(-base // 15, base // 15))
    often = chance.random() < 0.5
    return Decision(
        long=drawn < 0.15,
        short=0.15 < drawn < 0.3,
        leave_long=0.3 < drawn < 0.36,
        leave_short=0.34 < drawn < 0.4,
        limit=near if "limit" in columns and often else 0,
        stop=chance.randint(0, base // 10) if "stop" in columns else 0,
        take=chance.randint(0, base // 8) if "take" in columns and often else 0,
        trail=chance.randint(0, base // 8) if "trail" in columns and often else 0,
        weight=chance.randint(0, 10**9) if "weight" in columns else 10**9,
    )


def case_of(seed: int) -> Case:
    """Return the market, the decisions and the rules of a seed."""
    chance = random.Random(seed)
    count, base = chance.randint(2, 60), chance.choice([50, 1_000, 100_000])
    columns = frozenset(name for name in ("limit", "stop", "take", "trail", "weight") if chance.random() < 0.3)
    candles = _market(chance, count, base)
    targets: tuple[tuple[int, int], ...] = chance.choice([
        (), (), ((40_000, 10**9),), ((20_000, 400_000_000), (50_000, 10**9)),
        ((10_000, 300_000_000), (30_000, 300_000_000)),
    ])  # fmt: skip
    due = sorted(
        (chance.randrange(count), chance.randint(-2_000_000, 2_000_000)) for _ in range(chance.choice([0, 0, 4]))
    )
    decisions = [_decision(chance, candle, base, columns) for candle in candles]
    return Case(candles, decisions, _rules(chance, base), targets, due, columns)


def by_kernel(case: Case) -> Found:
    """Return what the compiled loop says: fills, trades, equity, bars with a position."""
    count = len(case.candles)
    prices = [
        np.array([getattr(candle, name) for candle in case.candles], np.int64)
        for name in ("open", "high", "low", "close", "volume")
    ]
    columns = [
        np.array([getattr(each, name) for each in case.decisions], np.int64) if name in case.columns else _NONE
        for name in ("limit", "stop", "take", "trail", "weight")
    ]
    action = np.array(
        [
            each.long * LONG + each.short * SHORT + each.leave_long * LEAVE_LONG + each.leave_short * LEAVE_SHORT
            for each in case.decisions
        ],
        np.int8,
    )
    pairs = [np.array([row[at] for row in rows], np.int64) for rows in (case.targets, case.funding) for at in (0, 1)]
    fills, trades = np.zeros((8 * count + 20, 6), np.int64), np.zeros((8 * count + 20, 11), np.int64)
    equity = np.zeros(count, np.int64)
    kernel: Any = run_bars  # its arrays come in two lists
    filled, traded, exposed, _ = kernel(
        *prices, action, *columns, *pairs, Rulebook(**case.rules), fills, trades, equity
    )  # fmt: skip
    return (
        [tuple(map(int, row)) for row in fills[:filled]],
        [tuple(map(int, row)) for row in trades[:traded]],
        equity.tolist(),
        exposed,
    )


def by_reference(case: Case) -> Found:
    """Return what the slow story says."""
    story = Reference(case.candles, case.decisions, Told(case.rules, case.targets, case.funding)).run()
    return story.fills, story.trades, story.equity, story.exposed


def test_the_kernel_equals_the_reference_in_hundreds_of_markets() -> None:
    """Every fill, every trade with its costs and reasons, and equity at every close."""
    seen: set[str] = set()
    for seed in range(400):
        case = case_of(seed)
        found = by_kernel(case)
        assert found == by_reference(case), f"seed {seed}"
        seen |= {REASONS[trade[7]] for trade in found[1]}
    assert seen == set(REASONS), "every reason to leave was met"


@pytest.mark.soak
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("start", range(1_000, 101_000, 10_000))
def test_the_kernel_equals_the_reference_in_a_hundred_thousand_markets(start: int) -> None:
    """The same for longer."""
    for seed in range(start, start + 10_000):
        case = case_of(seed)
        assert by_kernel(case) == by_reference(case), f"seed {seed}"


_MISTAKES: dict[str, Callable[[Case], Case]] = {
    "a fee that is a billionth too small": lambda case: _with(case, taker_ppb=case.rules["taker_ppb"] - 1),
    "a fill one bar too early": lambda case: _with(case, delay=case.rules["delay"] - 1),
    "a stop one tick away": lambda case: _with(case, stop_ppm=case.rules["stop_ppm"] + 1_000),
    "a trail that begins at once": lambda case: _with(case, trail_after_ppm=0),
    "funding that is not paid": lambda case: replace(case, funding=[]),
    "a target that is forgotten": lambda case: replace(case, targets=()),
    "a cooldown that is not kept": lambda case: _with(case, cooldown=0),
    "slippage that is not paid": lambda case: _with(case, slip_ppm=0),
    "maintenance that is too low": lambda case: _with(case, maintenance_ppm=0),
}


def _with(case: Case, **changed: int) -> Case:
    return replace(case, rules={**case.rules, **changed})


@pytest.mark.parametrize("name", _MISTAKES)
def test_a_mistake_would_be_found(name: str) -> None:
    """A comparison that cannot fail proves nothing: a story with a mistake in it differs from the kernel somewhere."""
    mistaken = _MISTAKES[name]
    differs = 0
    for seed in range(250):
        case = case_of(seed)
        wrong = mistaken(case)
        if wrong == case or min(wrong.rules["delay"], wrong.rules["taker_ppb"]) < 0:
            continue
        differs += by_kernel(case) != by_reference(wrong)
    assert differs


def test_costs_and_results_add_up_to_the_equity() -> None:
    """What an account gained is the sum of its trades, the open one at its last price; nothing comes from nowhere."""
    for seed in range(200):
        case = case_of(seed)
        _, trades, equity, _ = by_kernel(case)
        gained = sum(
            (1 if lots > 0 else -1) * (proceeds - cost) - fees + funding
            for _, _, lots, cost, proceeds, fees, funding, *_ in trades
        )
        assert case.rules["cash"] + gained == equity[-1], f"seed {seed}"
