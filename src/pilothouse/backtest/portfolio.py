"""Several instruments on one account: candles, signals, rules and a spec go in; a result comes out, exact. Pure.

The plan of each instrument is the one that it would have alone; what they share is told to the loop beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.inside import Finer, Pieces
from pilothouse.backtest.kernels import columns as c
from pilothouse.backtest.kernels import rotation as r
from pilothouse.backtest.kernels import shared as h
from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.portfolio import run_portfolio
from pilothouse.backtest.kernels.rotation import is_rotation, openings, rotate
from pilothouse.backtest.result import FillTable, Trades
from pilothouse.backtest.result_of_many import Portfolio
from pilothouse.backtest.simulate import Funding, Plan, TooLargeToCount, interest_of, planned, scale_of, tiers_of
from pilothouse.backtest.spec import BacktestSpec, Costs, Margin, Market, Ranking
from pilothouse.backtest.turn_steps import ends_of
from pilothouse.core.candles import Candles, Ints
from pilothouse.core.errors import Invalid, Problem
from pilothouse.core.limits import NOTHING
from pilothouse.strategies.rules import Rules, Side
from pilothouse.strategies.sdk import Signals

_DAY_MS: Final = 86_400_000
_LEGS_BITS: Final = 16
_SHARES: Final = 10


@dataclass(frozen=True, slots=True, eq=False)
class Leg:
    """One instrument, or one side of it, as the loop sees it."""

    market: Market
    place: int
    candles: Candles
    signals: Signals
    followed: Side
    plan: Plan


def simulate_many(
    spec: BacktestSpec,
    data: Mapping[str, Candles],
    signals: Mapping[str, Signals],
    rules: Rules,
    *,
    warm_up: int,
    funding: Mapping[str, Funding] | None = None,
    quick: bool = True,
) -> Portfolio:
    """Return what trading `signals` by `rules` on one account would have led to.

    data, signals   by symbol, for every market of the spec
    warm_up         bars of each instrument before which nothing is carried out in it
    funding         its history by symbol, where costs want it
    quick           False takes the general loop for every account; the result is the same, more slowly

    Raises Invalid that names what does not fit, TooLargeToCount.
    """
    _compiled(spec)
    legs = legs_of(spec, data, signals, rules, warm_up, funding or {})
    markets = sorted(spec.markets, key=lambda market: market.symbol)
    bars = [data[market.symbol] for market in markets]
    calendar = calendar_of(bars)
    places = [None if len(each) == len(calendar) else np.searchsorted(calendar, each.opened_ms) for each in bars]
    table, kept = _table(spec, legs, places)
    equity = np.empty(len(calendar), np.int64)
    ran = None
    if quick and all(place is None for place in places) and is_rotation(
        [leg.plan.settings for leg in legs], [leg.plan.wanted.kinds for leg in legs], [leg.plan.tiers for leg in legs]
    ) and _is_long(spec, legs):  # fmt: skip
        ran = _quickly(spec, legs, table, equity)
    if ran is None:
        ran = _in_general(spec, legs, calendar, places, table, equity)
    del kept  # until here the loops were reading from them
    trades, fills, skipped, exposed, crowded = ran
    market_of = np.array([leg.place for leg in legs], np.int64)
    scales = {leg.place: leg.plan.scale for leg in legs}
    return Portfolio(
        legs[0].plan.scale, int(legs[0].plan.settings[k.CAPITAL]), calendar, bars[0].span_ms, Trades.of(trades),
        FillTable.of(fills), equity, skipped, exposed, spec.costless, legs[0].signals.tags,
        symbols=tuple(market.symbol for market in markets),
        scales=tuple(scales[place] for place in range(len(markets))),
        trade_market=market_of[trades[:, h.TRADE_LEG]], fill_market=market_of[fills[:, h.FILL_LEG]], crowded=crowded,
    )  # fmt: skip


_Ran = tuple[NDArray[np.int64], NDArray[np.int64], int, int, int]
"""Trades and fills with their legs; how many were skipped, bars with a position, how many found no place."""


def _is_long(spec: BacktestSpec, legs: list[Leg]) -> bool:
    """Say whether nothing is sold short, lent or resized: then nothing but a wish ends a position."""
    borrows = any(spec.costs_of(leg.market).borrow_ppm_year for leg in legs)
    plain = all(leg.signals.target is None and (leg.followed is Side.LONG or leg.signals.short is None) for leg in legs)
    return plain and not borrows and not spec.hedge


def _quickly(spec: BacktestSpec, legs: list[Leg], table: NDArray[np.int64], equity: Ints) -> _Ran | None:
    """Return what the quick loop leads to; None where the general one has to count."""
    wishes = sum(int(openings(leg.plan.flags)) for leg in legs)
    counts = np.zeros(r.COUNTS, np.int64)
    settings = np.stack([leg.plan.settings for leg in legs])
    places = min(spec.positions_most, len(legs))
    trades, fills = rotate(len(equity), table, settings, _tiers(legs), places, equity, wishes + 1, counts)
    if counts[r.TRADES] < 0:
        return None
    return trades, fills, int(counts[r.SKIPPED]), int(counts[r.EXPOSED]), wishes - int(counts[r.CROWDED])


def _in_general(
    spec: BacktestSpec, legs: list[Leg], calendar: Ints, places: list[Any], table: NDArray[np.int64], equity: Ints
) -> _Ran:
    """Return what the general loop leads to. Raises TooLargeToCount."""
    ends = ends_of(calendar, list({leg.place: leg.candles for leg in legs}.values()))
    due, owed_row, where = _interest(spec, legs, calendar)
    wishes = _wishes(legs, places)
    days = calendar // _DAY_MS if any(len(leg.plan.tiers) > 1 for leg in legs) else np.zeros(0, np.int64)
    settings = np.stack([leg.plan.settings for leg in legs])
    settings[:, k.CROSS] = k.SHARED if spec.margin is Margin.CROSS else 0
    shares = np.zeros((len(legs), _SHARES), np.int64)
    for row, leg in enumerate(legs):
        shares[row, : len(leg.plan.wanted.shares)] = leg.plan.wanted.shares
    kinds = np.stack([leg.plan.wanted.kinds for leg in legs])
    trades, fills, account = run_portfolio(
        calendar, ends, days, due, owed_row, *wishes, table, where, settings, kinds, shares, _tiers(legs),
        min(spec.positions_most, len(legs)), equity,
    )  # fmt: skip
    if account[h.A_STATUS] == k.OVERFLOW:
        raise TooLargeToCount(
            "an amount of this run does not fit 64 bits: a larger lot, or less capital or leverage, would"
        )
    h.matched(table, fills, trades)
    return trades, fills, int(account[h.A_SKIPPED]), int(account[h.A_EXPOSED]), int(account[h.A_CROWDED])


def calendar_of(bars: list[Candles]) -> Ints:
    """Return every opening of all instruments, rising."""
    first = bars[0].opened_ms
    if all(each.opened_ms is first or np.array_equal(each.opened_ms, first) for each in bars[1:]):
        return first
    found: Ints = np.unique(np.concatenate([each.opened_ms for each in bars]))
    return found


def sides_of(signals: Signals) -> tuple[Signals, Signals]:
    """Return what is wished of the long and of the short position, where both may be held at once."""
    if signals.target is None:
        return replace(signals, short=None, leave_short=None), replace(signals, long=None, leave_long=None)
    target = signals.target
    return replace(signals, target=np.maximum(target, 0.0)), replace(signals, target=np.minimum(target, 0.0))


def legs_of(
    spec: BacktestSpec, data: Mapping[str, Candles], signals: Mapping[str, Signals], rules: Rules, warm_up: int,
    funding: Mapping[str, Funding], finer: Mapping[str, Finer] | None = None,
    pieces: Mapping[str, Pieces] | None = None,
) -> list[Leg]:  # fmt: skip
    """Return the legs in order of name, long before short. Raises Invalid, TooLargeToCount.

    finer, pieces   what is below the bars and what they are made of, where the run walks inside them
    """
    _checked(spec, data, signals)
    markets = sorted(spec.markets, key=lambda market: market.symbol)
    unit = min(scale_of(data[market.symbol], market).unit for market in markets)
    sharing = min(spec.positions_most, len(markets) * (2 if spec.hedge else 1))
    alone = replace(spec, markets=spec.markets[:1])
    found, specs = [], dict[Costs, BacktestSpec]()
    for place, market in enumerate(markets):
        costs = spec.costs_of(market)
        if costs not in specs:
            specs[costs] = replace(alone, costs=replace(costs, borrow_ppm_year=0, tiers=()))
        candles, every = data[market.symbol], [(signals[market.symbol], rules)]
        if spec.hedge:
            sides = zip(sides_of(signals[market.symbol]), (Side.LONG, Side.SHORT), strict=True)
            every = [(wishes, replace(rules, side=side)) for wishes, side in sides if rules.side in {Side.BOTH, side}]
        for wishes, followed in every:
            plan = planned(
                specs[costs], market, candles, wishes, followed, warm_up=warm_up,
                funding=funding.get(market.symbol), finer=(finer or {}).get(market.symbol),
                pieces=(pieces or {}).get(market.symbol), unit=unit, sharing=sharing,
            )  # fmt: skip
            plan = replace(plan, tiers=tiers_of(costs, plan.scale))
            found.append(Leg(market, place, candles, wishes, followed.side, plan))
    return found


def _table(spec: BacktestSpec, legs: list[Leg], places: list[Any]) -> tuple[NDArray[np.int64], list[Any]]:
    """Return where the columns of each leg are, and the columns, which must stay until the loop has ended."""
    table, kept = np.zeros((len(legs), c.COLUMNS), np.int64), []
    for row, leg in enumerate(legs):
        bars, plan = leg.candles, leg.plan
        columns: dict[int, Any] = {
            c.OPENED: bars.opened_ms, c.OPEN: bars.open, c.HIGH: bars.high, c.LOW: bars.low, c.CLOSE: bars.close,
            c.ROWS: plan.rows, c.FLAGS: plan.flags, c.PLACE: places[leg.place],
        }  # fmt: skip
        if spec.ranking is Ranking.COLUMN:
            columns[c.RANK] = leg.signals.rank
        for slot, column in columns.items():
            if column is not None:
                whole = np.ascontiguousarray(column)
                kept.append(whole)
                table[row, slot] = whole.ctypes.data
    return table, kept


def _wishes(legs: list[Leg], places: list[Any]) -> tuple[Ints, Ints, Ints]:
    """Return every bar with a wish: in the calendar, the leg, in the leg; ordered by the first two."""
    keys, at = [], []
    for row, leg in enumerate(legs):
        bars = np.flatnonzero(leg.plan.flags & k.WISHES)
        place = places[leg.place]
        keys.append((bars if place is None else place[bars]) << _LEGS_BITS | row)
        at.append(bars)
    key = np.concatenate(keys)
    if all(place is None for place in places):
        key.sort()
        now = key >> _LEGS_BITS
        return now, key & ((1 << _LEGS_BITS) - 1), now
    order = np.argsort(key, kind="stable")
    key = key[order]
    return key >> _LEGS_BITS, key & ((1 << _LEGS_BITS) - 1), np.concatenate(at)[order].astype(np.int64)


def _interest(spec: BacktestSpec, legs: list[Leg], calendar: Ints) -> tuple[NDArray[np.int64], int, NDArray[np.int64]]:
    """Return what is due for borrowing at each bar of the calendar, which row is for cash, where each leg begins."""
    where = np.zeros((len(legs), h.WHERE), np.int64)
    yearly: dict[int, int] = {}
    for row, leg in enumerate(legs):
        rate = spec.costs_of(leg.market).borrow_ppm_year
        if rate:
            yearly.setdefault(rate, len(yearly))
        where[row, h.COUNT], where[row, h.ROW_COUNT] = len(leg.candles), len(leg.plan.rows)
        where[row, h.INSTRUMENT], where[row, h.INTEREST] = leg.place, yearly.get(rate, -1)
        where[row, h.AT] = -1
    if spec.costs.borrow_ppm_year:
        yearly.setdefault(spec.costs.borrow_ppm_year, len(yearly))
    rows = [interest_of(calendar, rate) for rate in yearly]
    due = np.stack(rows) if rows else np.zeros((0, 0), np.int64)
    return due, yearly.get(spec.costs.borrow_ppm_year, -1), where


def _tiers(legs: list[Leg]) -> NDArray[np.int64]:
    most = max(len(leg.plan.tiers) for leg in legs)
    found = np.zeros((len(legs), most, 3), np.int64)
    found[:, :, 0] = k.BIG
    for row, leg in enumerate(legs):
        found[row, : len(leg.plan.tiers)] = leg.plan.tiers
    return found


def _compiled(spec: BacktestSpec) -> None:
    """Refuse what this loop does not know; turn by turn all of it is carried out."""
    found = [("fills.finer", spec.fills.finer), ("fills.latency_ms", spec.fills.latency_ms or None)]
    found += [("limits", "some are set" if spec.limits != NOTHING else None)]
    allowed = "none in the compiled loop for several positions; turn by turn it is carried out"
    problems = [Problem(name, str(came), allowed, "not_compiled") for name, came in found if came is not None]
    if problems:
        raise Invalid(problems)


def _checked(spec: BacktestSpec, data: Mapping[str, Candles], signals: Mapping[str, Signals]) -> None:
    problems = []
    for market in spec.markets:
        for name, given in (("data", data), ("signals", signals)):
            if market.symbol not in given:
                problems.append(Problem(f"{name}.{market.symbol}", "none", "one for each market", "missing"))
    spans = {data[market.symbol].span_ms for market in spec.markets if market.symbol in data}
    if len(spans) > 1:
        came = ", ".join(f"{span} ms" for span in sorted(spans))
        problems.append(Problem("timeframe", came, "bars of one length in all markets", "different"))
    if len(spec.markets) >= 1 << (_LEGS_BITS - 1):
        problems.append(Problem("markets", str(len(spec.markets)), "fewer than 32,768", "too_many"))
    if spec.rules is not None and spec.hedge and spec.rules.side is not Side.BOTH:
        problems.append(Problem("hedge", f"with side {spec.rules.side}", "both sides, or no hedge", "one_side"))
    if problems:
        raise Invalid(problems)
