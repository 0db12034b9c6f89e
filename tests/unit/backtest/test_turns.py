"""Strategies in turns against history: exact books, the worst path through each bar, and nothing left out unsaid."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilothouse.backtest.result import Reason, Result
from pilothouse.backtest.spec import BacktestSpec, Costs, Fills, Market, Slip
from pilothouse.backtest.turns import run_turns
from pilothouse.core.candles import Candles
from pilothouse.core.errors import Invalid
from pilothouse.strategies.parameters import Parameter, Params, resolve
from pilothouse.strategies.registry import find
from pilothouse.strategies.rules import Rules
from pilothouse.strategies.sdk import Bar, Filled, Happening, Turn, Turns, Want
from tests.unit.strategies.markets import walk

MARKET = Market("paper", "AAAUSDT", Decimal("0.001"))


def spec(candles: Candles, name: str = "scripted", **changes: Any) -> BacktestSpec:
    """Return a spec of one market."""
    made = BacktestSpec(
        name, "0", {}, (MARKET,), "15m", int(candles.opened_ms[0]), int(candles.closed_ms[-1]),
        {candles.symbol: candles.fingerprint()},
    )  # fmt: skip
    return replace(made, **changes)


def bars(*rows: tuple[int, int, int, int]) -> Candles:
    """Return candles of these opens, highs, lows and closes, in hundredths."""
    columns = [np.array(column, np.int64) for column in zip(*rows, strict=True)]
    first, high, low, close = columns
    opened = np.arange(len(rows), dtype=np.int64) * 900_000
    return Candles("AAAUSDT", 900_000, opened, first, high, low, close, np.full(len(rows), 1_000, np.int64), 2, 0)


class Scripted:
    """Asks for what is written for the close of each bar, and for what is written for the fill of each key."""

    name: ClassVar[str] = "scripted"
    title: ClassVar[str] = "Scripted"
    parameters: ClassVar[Mapping[str, Parameter]] = {}

    def __init__(self, at_bars: Mapping[int, tuple[Want, ...]], at_fills: Mapping[str, tuple[Want, ...]]) -> None:
        self.at_bars, self.at_fills = at_bars, at_fills

    def begin(self, p: Params) -> dict[str, Any]:
        """Return the count of bars."""
        return {"bars": 0}

    def decide(self, state: dict[str, Any], happening: Happening, p: Params) -> Turn:
        """Return what is written."""
        match happening:
            case Bar():
                return Turn({"bars": state["bars"] + 1}, self.at_bars.get(state["bars"], ()))
            case Filled():
                return Turn(state, self.at_fills.get(happening.key, ()))
            case _:
                return Turn(state)


def buy(price: str | None, quantity: str = "1", key: str = "in") -> Want:
    """Return a purchase."""
    return Want(key, "AAAUSDT", Decimal(quantity), price=None if price is None else Decimal(price))


def sell(key: str, *, price: str | None = None, stop: str | None = None, quantity: str = "-1") -> Want:
    """Return a sale that only reduces."""
    limit, trigger = (None if text is None else Decimal(text) for text in (price, stop))
    return Want(key, "AAAUSDT", Decimal(quantity), price=limit, stop=trigger, reduce_only=True)


def fills_of(result: Result) -> list[tuple[int, int, int, int]]:
    """Return bar, lots, price in ticks and reason of each fill."""
    told = result.fills
    return list(zip(told.bar.tolist(), told.lots.tolist(), told.price.tolist(), told.reason.tolist(), strict=True))


def ran(candles: Candles, at_bars: Any, at_fills: Any = None, **changes: Any) -> Result:
    """Return the run of a script."""
    return run_turns(spec(candles, **changes), candles, Scripted(at_bars, at_fills or {}), resolve({}, {}))


def test_a_stop_and_a_target_in_one_bar_is_the_stop() -> None:
    """Nobody knows which came first; the one that hurts is taken."""
    candles = bars((10_000, 10_000, 10_000, 10_000), (10_000, 10_010, 9_990, 10_000), (10_000, 10_500, 9_500, 10_000))
    exits = (sell("stop", stop="96"), sell("take", price="104"))
    result = ran(candles, {0: (buy(None),)}, {"in": exits})

    assert fills_of(result) == [(1, 1_000, 10_000, Reason.SIGNAL), (2, -1_000, 9_600, Reason.STOP)]


def test_what_was_bought_in_a_bar_is_not_sold_at_its_high() -> None:
    """The high may have come before the purchase; its stop below is hit all the same."""
    candles = bars((10_000, 10_000, 10_000, 10_000), (10_000, 10_200, 9_800, 10_000), (10_000, 10_200, 10_000, 10_100))
    result = ran(candles, {0: (buy("99"),)}, {"in": (sell("take", price="101"),)})
    assert fills_of(result) == [(1, 1_000, 9_900, Reason.SIGNAL), (2, -1_000, 10_100, Reason.TARGET)]

    stopped = ran(candles, {0: (buy("99"),)}, {"in": (sell("stop", stop="98.5"),)})
    assert fills_of(stopped) == [(1, 1_000, 9_900, Reason.SIGNAL), (1, -1_000, 9_850, Reason.STOP)]


def test_a_gap_fills_at_the_open() -> None:
    """A limit gets the better price, a stop the worse one."""
    falls = bars((10_000, 10_000, 10_000, 10_000), (9_500, 9_600, 9_400, 9_500), (9_000, 9_100, 8_900, 9_000))
    result = ran(falls, {0: (buy("99"),)}, {"in": (sell("stop", stop="93"),)})

    assert fills_of(result) == [(1, 1_000, 9_500, Reason.SIGNAL), (2, -1_000, 9_000, Reason.STOP)]


def test_fees_and_slippage_are_rounded_against_the_trader() -> None:
    """Resting orders pay the maker's fee and their own price, others the taker's and a worse price."""
    candles = bars((10_000, 10_000, 10_000, 10_000), (10_001, 10_001, 10_001, 10_001), (10_001, 10_500, 10_000, 10_400))
    costs = Costs(maker_ppm=200, taker_ppm=500, slip=Slip.FIXED, slip_ppm=150)
    result = ran(candles, {0: (buy(None),)}, {"in": (sell("take", price="104"),)}, costs=costs)
    unit = result.scale.unit

    assert result.fills.price.tolist() == [10_003, 10_400]
    assert [int(fee) * unit for fee in result.fills.fee] == [Decimal("0.050015"), Decimal("0.0208")]
    assert result.final == Decimal(10_000) - Decimal("100.03") + 104 - Decimal("0.050015") - Decimal("0.0208")


def test_what_cannot_be_paid_is_not_bought() -> None:
    """Positions are paid in full; the wish is counted as skipped and not made smaller in silence."""
    candles = bars(*[(10_000, 10_000, 10_000, 10_000)] * 3)
    result = ran(candles, {0: (buy(None, "101"),)})

    assert (len(result.fills), result.skipped, result.final) == (0, 1, Decimal(10_000))


def test_what_is_not_known_here_is_refused_by_name() -> None:
    """What is left out without a word makes a result better than life."""
    candles = bars(*[(10_000, 10_000, 10_000, 10_000)] * 3)
    for changes, named in (
        ({"fills": Fills(finer="1m")}, r"fills\.finer"),
        ({"rules": Rules()}, "rules"),
        ({"costs": Costs(funding=True)}, r"costs\.funding: no history of funding for AAAUSDT"),
    ):
        with pytest.raises(Invalid, match=named):
            ran(candles, {}, **changes)
    for want, named in (
        (Want("x", "BBBUSDT", Decimal(1)), "one of the markets of the run: AAAUSDT"),
        (Want("x", "AAAUSDT", Decimal(1), stop=Decimal(5), trail=Decimal(5)), r"wants\.x\.trail"),
    ):
        with pytest.raises(Invalid, match=named):
            ran(candles, {0: (want,)})


@settings(max_examples=25)
@given(st.integers(0, 100_000), st.sampled_from(["dca", "grid"]), st.integers(0, 2_000))
def test_every_unit_is_accounted_for(seed: int, name: str, fee: int) -> None:
    """Equity at the end is capital, plus all that was sold, less all that was bought, less fees, plus what is held."""
    candles = walk("AAAUSDT", 300, seed)
    strategy = find(name).strategy
    assert isinstance(strategy, Turns)
    chosen = {"base": 900.0, "safety": 500.0} if name == "dca" else {"order": 700.0, "step": 0.5}
    params = resolve(strategy.parameters, chosen)
    costs = Costs(maker_ppm=fee, taker_ppm=2 * fee)
    result = run_turns(spec(candles, name, costs=costs), candles, strategy, params)
    told, units = result.fills, result.scale.units

    held = np.cumsum(told.lots)
    cash = result.capital - np.cumsum(told.lots * told.price * units + told.fee)
    assert (held >= 0).all()
    assert (cash >= 0).all()
    last = int(cash[-1]) + int(held[-1]) * int(candles.close[-1]) * units if len(told) else result.capital
    assert int(result.equity[-1]) == last == result.capital + int(result.trades.pnl.sum())
    again = run_turns(spec(candles, name, costs=costs), candles, strategy, params)
    assert again.equity.tolist() == result.equity.tolist()


@settings(max_examples=15)
@given(st.integers(0, 100_000), st.sampled_from(["dca", "grid"]), st.integers(2, 250))
def test_a_run_over_a_beginning_is_the_beginning_of_the_run(seed: int, name: str, cut: int) -> None:
    """No fill knows what comes after its bar."""
    candles = walk("AAAUSDT", 260, seed)
    strategy = find(name).strategy
    assert isinstance(strategy, Turns)
    params = resolve(strategy.parameters, {})
    whole = run_turns(spec(candles, name), candles, strategy, params)
    part = run_turns(spec(candles.before(cut), name), candles.before(cut), strategy, params)

    assert fills_of(part) == [fill for fill in fills_of(whole) if fill[0] < cut]
    assert part.equity.tolist() == whole.equity[:cut].tolist()


def test_a_latency_in_milliseconds_lets_orders_arrive_later() -> None:
    """At the first open then or after: of a later bar, or of the first candle below it; a fill is answered late too."""
    rows = [(10_000 + 10 * bar, 10_000 + 10 * bar, 10_000 + 10 * bar, 10_000 + 10 * bar) for bar in range(6)]
    candles = bars(*rows)
    at_once = ran(candles, {0: (buy(None),)}, {"in": (sell("out"),)})
    late = ran(candles, {0: (buy(None),)}, {"in": (sell("out"),)}, fills=Fills(latency_ms=1))
    very_late = ran(candles, {0: (buy(None),)}, {"in": (sell("out"),)}, fills=Fills(latency_ms=900_001))

    assert [fill[0] for fill in fills_of(at_once)] == [1, 2]
    assert [fill[0] for fill in fills_of(late)] == [2, 4]
    assert [fill[0] for fill in fills_of(very_late)] == [3]
    assert late.equity[-1] != at_once.equity[-1]


def test_a_walk_inside_the_bars_needs_what_is_below_them() -> None:
    """A run that says that it walked along minutes, and had none, would be a lie."""
    candles = bars(*[(10_000, 10_000, 10_000, 10_000)] * 3)
    with pytest.raises(Invalid, match=r"fills\.finer"):
        ran(candles, {}, fills=Fills(finer="1m"))
