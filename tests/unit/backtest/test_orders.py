"""Orders and fills explain a run: every fill has its order, every trade its fills, and equity is what they come to."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilothouse.backtest.columns_in_turns import simulate_in_turns, simulate_many_in_turns
from pilothouse.backtest.contents import NoOrders, content
from pilothouse.backtest.exports import EQUITY_NAMES, FILL_NAMES, ORDER_NAMES, equity_rows, fill_rows, order_rows
from pilothouse.backtest.exposure import exposure_of
from pilothouse.backtest.order_log import OrderLog
from pilothouse.backtest.orders import Orders, Outcome
from pilothouse.backtest.result import Reason, Result
from pilothouse.backtest.result_of_many import Portfolio
from pilothouse.backtest.run import OrdersDiffer, orders_of, run
from pilothouse.backtest.shelf import RunDamaged, Shelf
from pilothouse.backtest.simulate import TooLargeToCount
from pilothouse.backtest.spec import BacktestSpec
from pilothouse.backtest.turns import run_turns
from pilothouse.core.candles import Candles
from pilothouse.strategies.parameters import Params
from pilothouse.strategies.rules import Distance, Exits, Rules, Size, SizeBy
from tests.unit.backtest.bar_cases import limited_case, random_case
from tests.unit.backtest.inside_cases import inside_case
from tests.unit.backtest.ladder_cases import random_ladder
from tests.unit.backtest.portfolio_cases import limited_many, random_many
from tests.unit.backtest.test_run import CANDLES, SPEC, SmaCross
from tests.unit.backtest.test_turns_at_random import Anything, spec_of

Seen = Counter[Any]


def hold_to_the_laws(result: Result, orders: Orders, bars: list[Candles], seen: Seen, told: str) -> None:
    """Assert that orders explain fills, fills explain trades, and all of it equity, to the last unit."""
    fills, trades, of = result.fills, result.trades, orders.fill_order
    assert len(of) == len(fills), told
    filled = np.zeros(len(orders), np.int64)
    np.add.at(filled, of, np.abs(fills.lots))
    assert (filled == orders.filled).all(), f"{told}: an order was filled by other fills than its own"
    assert (np.sign(fills.lots) == orders.sign[of]).all(), told
    sized = orders.lots > 0
    assert (orders.filled[sized] <= orders.lots[sized]).all(), f"{told}: more was filled than was asked for"
    stopped = np.isin(orders.outcome, [Outcome.DENIED, Outcome.TOO_SMALL, Outcome.TOO_LARGE, Outcome.NO_PLACE])
    assert not orders.filled[stopped].any(), told
    assert ((orders.outcome == Outcome.OPEN) == (orders.ended_ms < 0)).all(), told
    ended = orders.ended_ms >= 0
    assert (orders.ended_ms[ended] >= orders.made_ms[ended]).all(), told

    entries = fills.lots * trades.side[fills.trade] > 0
    assert not orders.reduces[of][entries].any(), f"{told}: an order that may only reduce has opened something"
    by_trade = {name: np.zeros(len(trades), np.int64) for name in ("in", "out", "fees")}
    np.add.at(by_trade["in"], fills.trade[entries], np.abs(fills.lots[entries]))
    np.add.at(by_trade["out"], fills.trade[~entries], np.abs(fills.lots[~entries]))
    np.add.at(by_trade["fees"], fills.trade, fills.fee)
    assert (by_trade["in"] == trades.lots).all(), told
    assert (by_trade["fees"] == trades.fees).all(), told
    closed = trades.reason_out != Reason.OPEN
    assert (by_trade["out"][closed] == trades.lots[closed]).all(), told

    limits = orders.limit[of]
    is_limit = (limits > 0) & (fills.reason != Reason.LIQUIDATION) & (orders.moves[of] == 0)
    worse = (fills.price - limits) * np.sign(fills.lots)
    assert (worse[is_limit] <= 0).all(), f"{told}: worse than the limit"

    exposure = exposure_of(result, bars)
    scales = result.scales if isinstance(result, Portfolio) else (result.scale,)
    market = result.fill_market if isinstance(result, Portfolio) else np.zeros(len(fills), np.int64)
    units = np.array([scale.units for scale in scales], np.int64)[market]
    spent = np.zeros(len(result), np.int64)
    np.add.at(spent, fills.bar, fills.lots * fills.price * units + fills.fee)
    owed = result.equity - (result.capital - np.cumsum(spent) + exposure.net)
    paid = trades.funding.sum()
    assert owed[-1] == paid, f"{told}: equity is not what orders, fills and funding come to"
    if not trades.funding.any():
        assert not owed.any(), f"{told}: equity is not what fills come to at some bar"
    assert (exposure.gross >= np.abs(exposure.net)).all(), told
    seen.update(Outcome(each) for each in orders.outcome.tolist())
    seen.update({"fills": len(fills), "without funding": not trades.funding.any()})


def test_orders_of_rules_explain_trades_and_equity() -> None:
    """Of every kind of rule, with and without limits, over one instrument and inside its bars."""
    seen: Seen = Counter()
    for seed in range(66):
        inside = inside_case(seed) if seed % 3 == 0 else None
        case = inside.case if inside else (random_case(seed), limited_case(seed))[seed % 2]
        log = OrderLog()
        told: dict[str, Any] = {"warm_up": case.warm_up, "funding": case.funding}
        told |= {"finer": inside.finer} if inside else {}
        try:
            bare = simulate_in_turns(case.spec, case.market, case.candles, case.signals, case.rules, **told)
        except TooLargeToCount:
            continue
        found = simulate_in_turns(case.spec, case.market, case.candles, case.signals, case.rules, log=log, **told)
        assert found.digest() == bare.digest(), "whoever writes down changes nothing"
        hold_to_the_laws(found, log.orders(), [case.candles], seen, f"seed {seed}")
        of = log.orders().fill_order
        assert (log.orders().reason[of] == found.fills.reason).all(), f"seed {seed}"
    never = {Outcome.TOO_LARGE, Outcome.NOTHING_HELD, Outcome.NO_PLACE, Outcome.UNPAID, Outcome.NO_PRICE}
    assert set(seen) >= {*Outcome} - never
    assert seen["without funding"] > 20


def test_orders_over_several_instruments_explain_trades_and_equity() -> None:
    """On one account, hedged or not, with ranks and places and limits: whose order it was is known as well."""
    seen: Seen = Counter()
    for seed in range(36):
        case = (random_many(seed), limited_many(seed))[seed % 2]
        log = OrderLog()
        told = (case.spec, case.data, case.signals, case.rules)
        try:
            found = simulate_many_in_turns(*told, warm_up=case.warm_up, funding=case.funding, log=log)
        except TooLargeToCount:
            continue
        assert isinstance(found, Portfolio)
        orders = log.orders()
        hold_to_the_laws(found, orders, [case.data[each] for each in found.symbols], seen, f"seed {seed}")
        assert (orders.market[orders.fill_order] == found.fill_market).all()
    assert {Outcome.NO_PLACE, Outcome.DENIED, Outcome.FILLED, Outcome.CANCELED} <= set(seen)


def test_orders_of_strategies_in_turns_explain_trades_and_equity() -> None:
    """Orders of every kind under names that are used again, late or not: each fill is still of one order."""
    seen: Seen = Counter()
    for seed in range(44):
        case = random_case(seed, bars=100)
        spec, log = spec_of(case, seed), OrderLog()
        strategy: Any = Anything(seed, (0.05, 0.3)[seed % 2], 400)
        funding = {case.market.symbol: case.funding} if spec.costs.funding else None
        found = run_turns(replace(spec, rules=None), case.candles, strategy, Params({}), funding=funding, log=log)
        bars = [case.candles]
        hold_to_the_laws(found, log.orders(), bars, seen, f"seed {seed}")
    assert {Outcome.REPLACED, Outcome.CANCELED, Outcome.NOTHING_HELD, Outcome.UNPAID, Outcome.CUT} <= set(seen)


def test_orders_of_ladders_explain_trades_and_equity() -> None:
    """A grid and averaging entries run compiled; turn by turn they come to the same, and tell their orders."""
    seen: Seen = Counter()
    for seed in range(12):
        case = random_ladder(seed, bars=150)
        log = OrderLog()
        found = run_turns(case.spec, case.candles, case.strategy, case.params, log=log)
        hold_to_the_laws(found, log.orders(), [case.candles], seen, f"seed {seed}")
    assert seen["fills"] > 50


def test_an_engine_that_came_to_another_result_tells_no_orders() -> None:
    """Orders are told turn by turn, and believed only where the trades are those that are kept."""
    spec, data, strategy = _sample()
    result = run(spec, data, strategy, known=True)

    assert len(orders_of(spec, data, strategy, result.digest()).fill_order) == len(result.fills)
    with pytest.raises(OrdersDiffer):
        orders_of(spec, data, strategy, "0" * 64)


def test_orders_are_kept_beside_a_run_and_come_later_too(tmp_path: Path) -> None:
    """A long run has none at first; whoever asks for them has them added, once, and a change of them is found."""
    spec, data, strategy = _sample()
    result, shelf, (candles,) = run(spec, data, strategy, known=True), Shelf(tmp_path), data.values()
    shelf.put(spec.name, spec.canonical(), result, candles, {}, {"title": "x"})
    with pytest.raises(NoOrders):
        content(shelf.get(spec.name), "orders", ".csv")
    orders = orders_of(spec, data, strategy, result.digest())
    for _ in range(2):
        shelf.put_orders(spec.name, orders)

    kept = shelf.get(spec.name).orders
    assert kept is not None
    rows = order_rows(result, "BTCUSDT", kept)
    assert rows == order_rows(result, "BTCUSDT", orders)
    assert [path.name for path in tmp_path.iterdir()] == [spec.name]
    words = tmp_path / spec.name / "orders" / "words.json"
    words.write_text(words.read_text().replace("the position was closed", "somebody closed it"))
    with pytest.raises(RunDamaged):
        shelf.get(spec.name)


def test_orders_fills_and_exposure_are_written_exactly() -> None:
    """As decimals, with what became of each order in words; the tables lead from one to the other."""
    spec, data, strategy = _sample()
    (candles,) = data.values()
    result = run(spec, data, strategy, known=True)
    orders = orders_of(spec, data, strategy, result.digest())
    made = [dict(zip(ORDER_NAMES, row, strict=True)) for row in order_rows(result, "BTCUSDT", orders)]
    fills = [dict(zip(FILL_NAMES, row, strict=True)) for row in fill_rows(result, "BTCUSDT", orders)]
    curve = [dict(zip(EQUITY_NAMES, row, strict=True)) for row in equity_rows(result, exposure_of(result, [candles]))]

    first = fills[0]
    assert made[first["order"] - 1]["average_price"] == first["price"]
    assert sum(fill["fee"] for fill in fills) == sum(order["fees"] for order in made)
    cash = spec.capital - sum(
        fill["value"] * (1 if fill["side"] == "buy" else -1) + fill["fee"] for fill in fills
    )  # fmt: skip
    assert cash + curve[-1]["net_notional"] == curve[-1]["equity"] == result.final
    assert curve[-1]["gross_exposure"] == pytest.approx(float(curve[-1]["gross_notional"] / curve[-1]["equity"]))
    assert {order["stopped_by"] for order in made if order["outcome"] == "canceled"} == {"the position was closed"}
    assert all(isinstance(order["filled"], Decimal) for order in made)


def _sample() -> tuple[BacktestSpec, dict[str, Candles], SmaCross]:
    rules = Rules(exits=Exits(stop=Distance(2.0)), size=Size(0.01, SizeBy.FIXED))
    return replace(SPEC, rules=rules), {"BTCUSDT": CANDLES}, SmaCross()
