"""Grids and averaging entries: the compiled loop, the turns and the oracle in decimals agree to the last unit."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from pilothouse.backtest.ladders import COMPILED, IN_TURNS, compiled_ladders, run_ladders
from pilothouse.backtest.reference_ladder_desk import Desk
from pilothouse.backtest.reference_ladders import AveragingDesk, GridDesk, reference_ladder, same_ladder
from pilothouse.backtest.result import Reason
from pilothouse.backtest.spec import Costs, Fills
from pilothouse.backtest.turns import run_turns
from pilothouse.core.errors import Invalid
from pilothouse.strategies.builtin.grid import Grid
from tests.unit.backtest.ladder_cases import LadderCase, inside_ladder, random_ladder

LAY_OUT = GridDesk.lay_out


def compare(seeds: range) -> Counter[str]:
    """Hold the loop to the turns and to the oracle for each seed; return how often each thing came up."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        case = random_ladder(seed)
        result = compiled_ladders(case.spec, case.candles, case.strategy, case.params)
        if result is None:
            seen["not compiled"] += 1
            continue
        assert same_ladder(reference_ladder(case.spec, case.candles), result) == "", f"seed {seed}"
        assert in_turns(case).digest() == result.digest(), f"seed {seed}"
        seen.update(f"{case.spec.strategy} {Reason(why).name}" for why in result.trades.reason_out.tolist())
        if case.spec.strategy == "grid":
            seen.update(f"{case.params.side} {side}" for side in result.trades.side.tolist())
        seen["fills"] += len(result.fills)
        seen["skipped"] += result.skipped
    return seen


def compare_inside(seeds: range) -> Counter[str]:
    """Hold loop, turns and oracle to each other where they walk inside the bars."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        case, finer = inside_ladder(seed)
        symbol = case.candles.symbol
        result = compiled_ladders(case.spec, case.candles, case.strategy, case.params, finer)
        slowly = run_turns(case.spec, case.candles, case.strategy, case.params, finer={symbol: finer})
        if result is None:
            seen["not compiled"] += 1
            continue
        assert same_ladder(reference_ladder(case.spec, case.candles, finer), result) == "", f"seed {seed}"
        assert slowly.digest() == result.digest(), f"seed {seed}"
        assert slowly.pessimistic == result.pessimistic
        bars = compiled_ladders(
            replace(case.spec, fills=replace(case.spec.fills, finer=None)), case.candles, case.strategy, case.params
        )
        seen["other than on the bars"] += bars is not None and bars.digest() != result.digest()
        seen.update({case.spec.strategy: len(result.fills), type(finer).__name__: 1, "thin": result.pessimistic or 0})
    return seen


def in_turns(case: LadderCase) -> Any:
    """Return what the turns make of a case."""
    return run_turns(case.spec, case.candles, case.strategy, case.params)


def test_the_loop_the_turns_and_the_oracle_agree_to_the_unit() -> None:
    """Trades, fills, fees, every point of equity; each way in which a trade can end came up."""
    seen = compare(range(80))

    assert set(seen) >= {"grid LEAVE", "grid TARGET", "grid OPEN", "dca STOP", "dca TARGET", "dca OPEN", "skipped"}
    assert set(seen) >= {"long 1", "short -1", "neutral 1", "neutral -1", "grid SIGNAL"}
    assert seen["fills"] > 2_000
    assert seen["not compiled"] <= 3, "what the loop cannot count, and shorts that are liquidated, are rare"


def test_inside_the_bars_the_loop_the_turns_and_the_oracle_agree_to_the_unit() -> None:
    """Along finer candles and along trades, with bars below which something is missing."""
    seen = compare_inside(range(40))

    assert min(seen[kind] for kind in ("Candles", "Tape", "thin", "other than on the bars")) > 5
    assert min(seen["grid"], seen["dca"]) > 200


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_the_loop_the_turns_and_the_oracle_agree_in_thousands_of_markets() -> None:
    """As above, for whoever has an hour."""
    compare(range(1_000, 9_000))
    compare_inside(range(1_000, 5_000))


@pytest.mark.parametrize(
    ("desk", "name", "wrong"),
    [
        (Desk, "worse", lambda _desk, price, **_: price),
        (Desk, "first_way", lambda _desk: -1),
        (GridDesk, "lay_out", lambda desk, top: LAY_OUT(desk, top * Decimal("0.9999"))),
        (AveragingDesk, "ask_for_safeties", lambda _desk: None),
    ],
)
def test_a_mistake_would_be_found(desk: Any, name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison that cannot fail proves nothing."""
    monkeypatch.setattr(desk, name, wrong)

    with pytest.raises(AssertionError, match="seed"):
        compare(range(80))


def test_what_the_loop_does_not_know_goes_turn_by_turn() -> None:
    """A strategy that only looks like the grid, or a fill it does not know, is never carried out by a guess."""

    class Other(Grid):
        """A grid that somebody changed."""

    case = random_ladder(1, bars=60)
    assert run_ladders(case.spec, case.candles, case.strategy, case.params)[1] == COMPILED
    grid = next(each for each in map(random_ladder, range(20)) if each.spec.strategy == "grid")
    assert run_ladders(grid.spec, grid.candles, Other(), grid.params)[1] == IN_TURNS
    for changes in ({"costs": Costs(funding=True)}, {"fills": Fills(volume_ppm=10_000)}, {"leverage": 3}):
        spec = replace(case.spec, **changes)
        assert compiled_ladders(spec, case.candles, case.strategy, case.params) is None


def test_what_64_bits_do_not_hold_is_counted_turn_by_turn() -> None:
    """Nothing is rounded to fit: the slow way counts without end, and says so if the result does not fit either."""
    case = random_ladder(1, bars=60)
    rich = replace(case.spec, capital=Decimal(10**10) * 2)
    assert compiled_ladders(rich, case.candles, case.strategy, case.params) is None
    with pytest.raises(Invalid, match="candles"):
        run_ladders(case.spec, case.candles.before(0), case.strategy, case.params)
