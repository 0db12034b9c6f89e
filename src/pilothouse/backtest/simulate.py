"""Candles, signals, rules and a spec go in; the compiled loop trades them; a result comes out, exact to the unit. Pure.

Everything that could not be carried out exactly is refused before the run or, where only the run can know it, instead
of a result.
"""

import hashlib
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.gate import beyond_kernels, denials_of, settings_of
from pilothouse.backtest.inside import Finer, Pieces, arrivals, later, on_bars, pieces_of
from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.bars import run_bars
from pilothouse.backtest.kernels.plain import is_plain, plain_bars
from pilothouse.backtest.orders_wanted import Flags, Ranges, Rows, Wanted, wanted
from pilothouse.backtest.result import FillTable, Result, Scale, Trades
from pilothouse.backtest.spec import PPM, BacktestSpec, Costs, FillAt, Margin, Market, Slip
from pilothouse.core.candles import Candles, Ints
from pilothouse.core.errors import Invalid, Problem, Refused
from pilothouse.core.limits import NOTHING
from pilothouse.core.rounding import EXACT, QUOTE_UNIT, is_on_grid
from pilothouse.strategies.rules import Rules, SizeBy
from pilothouse.strategies.sdk import Signals

_YEAR_MS: Final = 365 * 86_400_000
_DAY_MS: Final = 86_400_000
_LOTS_OF_VOLUME_MOST: Final = (1 << 43) - 1
_PRICE_MOST: Final = 20_000_000_000
_SLIPS: Final = {each: place for place, each in enumerate(Slip)}


class TooLargeToCount(Refused):
    """Amounts that 64 bits could not hold: nothing is rounded instead."""

    code = "too_large_to_count"


@dataclass(frozen=True, slots=True, eq=False)
class Funding:
    """The history of funding: int64[m] milliseconds since 1970, rising, and rates in parts per billion."""

    at_ms: Ints
    ppb: Ints

    def __len__(self) -> int:
        return len(self.at_ms)

    def fingerprint(self) -> str:
        """Return the SHA-256 over everything that a run could see."""
        digest = hashlib.sha256(f"funding 1 {len(self)}\n".encode())
        for column in (self.at_ms, self.ppb):
            digest.update(np.ascontiguousarray(column, dtype="<i8").data)
        return digest.hexdigest()

    def between(self, start_ms: int, until_ms: int) -> "Funding":
        """Return the rates from `start_ms` on and before `until_ms`."""
        first, end = np.searchsorted(self.at_ms, (start_ms, until_ms)).tolist()
        return Funding(self.at_ms[first:end], self.ppb[first:end])


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What the loop is handed; see `kernels/bars.py`. `candles`: the bars, or their pieces where it walks inside."""

    candles: Candles | Pieces
    scale: Scale
    flags: Flags
    rows: NDArray[np.int64]
    settings: Ints
    wanted: Wanted
    tiers: NDArray[np.int64]


def simulate(
    spec: BacktestSpec,
    market: Market,
    candles: Candles,
    signals: Signals,
    rules: Rules,
    *,
    warm_up: int,
    funding: Funding | None = None,
    finer: Finer | None = None,
    quick: bool = True,
) -> Result:
    """Return what trading `signals` by `rules` would have led to.

    warm_up   bars before which nothing is carried out
    funding   its history, if the spec wants funding
    finer     shorter candles or trades, if the spec walks inside the bars
    quick     False walks through every bar in full and in general; the result is the same, more slowly

    Raises Invalid, TooLargeToCount.
    """
    plan = planned(spec, market, candles, signals, rules, warm_up=warm_up, funding=funding, finer=finer)
    result = _carried_out(plan, candles, quick=quick, costless=not spec.costs.any, tags=signals.tags)
    if spec.limits != NOTHING:
        told = denials_of(spec.limits, market, plan.scale, plan.rows, plan.settings, plan.candles.close)
        result = replace(result, denials=told)
    if isinstance(plan.candles, Candles):
        return result
    return replace(on_bars(result, plan.candles), pessimistic=None if finer is None else plan.candles.thin)


def _carried_out(plan: Plan, candles: Candles, *, quick: bool, costless: bool, tags: tuple[str, ...]) -> Result:
    """Return what a plan leads to. Raises TooLargeToCount."""
    bars, p = plan.candles, plan.settings
    kinds, shares = plan.wanted.kinds, plan.wanted.shares
    equity = np.empty(len(bars), np.int64)
    if quick and is_plain(p, kinds, plan.tiers, shares, plan.flags):
        room = int(np.count_nonzero(plan.flags)) + 1
        trades, fills = np.empty((room, k.TRADE_WIDTH), np.int64), np.empty((2 * room, k.FILL_WIDTH), np.int64)
        counts = np.zeros(5, np.int64)
        plain_bars(
            bars.open, bars.high, bars.low, bars.close, plan.flags, p, kinds, plan.tiers, equity, trades, fills, counts
        )
        done, filled, skipped, exposed, status = (int(each) for each in counts)
        trades, fills = trades[:done], fills[:filled]
    else:
        p[k.QUIET] = int(quick)
        trades, fills, state = run_bars(
            bars.open, bars.high, bars.low, bars.close, plan.flags, plan.rows, p, kinds, plan.tiers, shares, equity
        )
        skipped, exposed, status = (int(state[slot]) for slot in (k.SKIPPED, k.EXPOSED, k.STATUS))
    refuse_overflow(status)
    return Result(
        plan.scale, int(p[k.CAPITAL]), candles.opened_ms, candles.span_ms, Trades.of(trades), FillTable.of(fills),
        equity, skipped, exposed, costless, tags,
    )  # fmt: skip


def refuse_overflow(status: int) -> None:
    """Raise TooLargeToCount where a loop ended because an amount came near to what 64 bits hold."""
    if status == k.OVERFLOW:
        raise TooLargeToCount(
            "an amount of this run does not fit 64 bits: a larger lot, or less capital or leverage, would"
        )


def planned(
    spec: BacktestSpec,
    market: Market,
    candles: Candles,
    signals: Signals,
    rules: Rules,
    *,
    warm_up: int,
    funding: Funding | None = None,
    finer: Finer | None = None,
    pieces: Pieces | None = None,
    unit: Decimal = QUOTE_UNIT,
    sharing: int = 1,
    ranges: Ranges | None = None,
) -> Plan:
    """Return what the loop is handed. Raises Invalid, TooLargeToCount.

    pieces    those of the bars, where they are known already
    unit      what amounts are counted in, or finer where tick and lot need it
    sharing   how many positions may stand on one account
    ranges    of these candles, where some are known already
    """
    costs, fills = spec.costs, spec.fills
    if costs.funding and funding is None:
        raise Invalid(
            [Problem("costs.funding", "no history of funding", "its history, or costs without it", "missing")]
        )
    if (fills.finer is None) != (finer is None):
        raise Invalid([Problem("fills.finer", str(fills.finer), "finer data exactly where the spec walks in them")])
    unasked = beyond_kernels(spec.limits, parts=fills.volume_ppm is not None)
    if unasked:
        asks = "limits that a compiled run asks by itself; turn by turn every limit is asked"
        raise Invalid(
            [Problem(f"limits.{name}", "is not asked by this loop", asks, "not_compiled") for name in unasked]
        )
    scale = scale_of(candles, market, unit)
    shift = fills.latency + (1 if fills.at is FillAt.OPEN else 0)
    rows = Rows(len(candles))
    has_pieces = finer is not None or fills.latency_ms > 0
    found = wanted(candles, signals, rules, rows, warm_up=warm_up, shift=0 if has_pieces else shift, ranges=ranges)
    walked: Candles | Pieces = candles
    flags, places = found.flags, dict(found.places)
    if has_pieces:
        walked = pieces_of(candles, finer) if pieces is None else pieces
        flags, rows = _spread(spec, candles, walked, found.flags, rows, places)
    _event_rows(spec, walked, funding, rows, flags, places)
    if fills.volume_ppm is not None or costs.slip in {Slip.VOLUME, Slip.IMPACT}:
        places[k.ROW_VOLUME] = rows.add(volume_lots(walked, market))
    if spec.limits != NOTHING:
        places[k.ROW_AT] = rows.add(walked.closed_ms)
        places[k.ROW_DENIED] = rows.add(np.zeros(len(walked), np.int64))
        for _further in range(7):
            rows.add(np.zeros(len(walked), np.int64))
    together = rows.together()
    settings = _settings(spec, market, rules, scale, len(found.shares) - 1, shift)
    if spec.limits != NOTHING:
        settings_of(spec.limits, settings, scale)
    for slot in range(k.ROW_LIMIT, k.SETTINGS):
        settings[slot] = places.get(slot, -1)
    _bound(spec, settings, scale, walked, together, places)
    settings[k.LOTS_SAFE] //= sharing
    return Plan(walked, scale, flags, together, settings, found, tiers_of(costs, scale))


def scale_of(candles: Candles, market: Market, unit: Decimal = QUOTE_UNIT) -> Scale:
    """Return tick, lot and the unit that both divide: what the house books, or finer where the two need it."""
    tick = candles.price_step
    worth = EXACT.multiply(tick, market.lot)
    while not is_on_grid(worth, unit):
        unit = unit.scaleb(-1)
    return Scale(tick, market.lot, unit)


def _settings(spec: BacktestSpec, market: Market, rules: Rules, scale: Scale, targets: int, shift: int) -> Ints:
    costs, fills, size = spec.costs, spec.fills, rules.size
    p = np.zeros(k.SETTINGS, np.int64)
    p[k.ROW_LIMIT :] = -1
    p[k.UNITS] = _counted("market.lot", scale.units)
    p[k.CAPITAL] = _counted("capital", int(spec.capital / scale.unit))
    p[k.SHIFT], p[k.AT_CLOSE] = shift, fills.at is FillAt.CLOSE
    p[k.LATENCY], p[k.REST], p[k.REACH] = fills.latency, fills.rest, fills.through
    p[k.VOLUME_PPM] = fills.volume_ppm or 0
    p[k.LEVERAGE], p[k.CROSS] = spec.leverage, spec.margin is Margin.CROSS
    p[k.MAINTENANCE_PPM], p[k.LIQUIDATION_PPM] = costs.maintenance_ppm, costs.liquidation_ppm
    p[k.SLIP], p[k.SLIP_PPM], p[k.SLIP_TICKS] = _SLIPS[costs.slip], costs.slip_ppm, costs.slip_ticks
    value = Decimal(repr(size.value))
    match size.by:
        case SizeBy.FIXED:
            p[k.SIZE_BY], counted = k.SIZE_LOTS, value / market.lot
        case SizeBy.QUOTE:
            p[k.SIZE_BY], counted = k.SIZE_QUOTE, value / scale.unit
        case SizeBy.RISK:
            p[k.SIZE_BY], counted = k.SIZE_RISK, value * 10_000
        case SizeBy.KELLY:
            p[k.SIZE_BY], counted = k.SIZE_KELLY, value * 10_000
        case _:
            p[k.SIZE_BY], counted = k.SIZE_PPM, value * 10_000
    p[k.SIZE] = _counted("size", int(counted))
    if size.by not in {SizeBy.FIXED, SizeBy.QUOTE, SizeBy.VOLATILITY} and counted > 200 * PPM:
        raise Invalid([Problem("size", f"{size.value} percent", "at most 20,000 percent of equity", "out_of_range")])
    p[k.LOOKBACK], p[k.PYRAMIDING], p[k.COOLDOWN] = size.lookback, rules.pyramiding, rules.cooldown
    p[k.FLIPS], p[k.BARS_MOST] = rules.flips, rules.exits.bars or 0
    p[k.TARGETS] = targets
    p[k.LOTS_MIN] = market.lots_min
    p[k.LOTS_MOST] = market.lots_most if market.lots_most is not None else k.BIG
    p[k.NOTIONAL_MIN] = _counted("market.notional_min", int(-(-market.notional_min // scale.unit)))
    return p


def _counted(field: str, value: int) -> int:
    if not 0 <= value < k.BIG:
        raise TooLargeToCount(f"{field} is {value} of the smallest steps, which 64 bits do not hold")
    return value


def _bound(
    spec: BacktestSpec,
    p: Ints,
    scale: Scale,
    candles: Candles | Pieces,
    rows: NDArray[np.int64],
    places: dict[int, int],
) -> None:
    """Set how far amounts may go so that no product in the loop leaves 64 bits. Raises TooLargeToCount."""
    prices = [int(candles.high.max())] if len(candles) else [1]
    prices += [int(rows[place].max()) for slot in (k.ROW_LIMIT, k.ROW_TRIGGER) if (place := places.get(slot, -1)) >= 0]
    # A position is liquidated, stopped or filled at no more than twice the worst price, and a little.
    most = 3 * (max(prices) + spec.costs.slip_ticks + 1)
    if most > _PRICE_MOST:
        raise TooLargeToCount(f"prices of {max(prices)} ticks are too fine to count with")
    p[k.LOTS_SAFE] = (1 << 60) // (most * int(p[k.UNITS]))
    if spec.margin is Margin.CROSS:
        p[k.LOTS_SAFE] = min(int(p[k.LOTS_SAFE]), 9 * 10**12 // int(p[k.UNITS]))
    p[k.WORTH_SAFE] = (1 << 60) // spec.leverage
    if int(p[k.CAPITAL]) > p[k.WORTH_SAFE] or p[k.LOTS_SAFE] < 1:
        raise TooLargeToCount(f"a capital of {spec.capital} at leverage {spec.leverage} in units of {scale.unit}")
    if p[k.SIZE_BY] == k.SIZE_LOTS and min(int(p[k.SIZE]), int(p[k.LOTS_MOST])) > p[k.LOTS_SAFE]:
        raise TooLargeToCount(f"orders of {int(p[k.SIZE])} lots at {max(prices)} ticks in units of {scale.unit}")


def tiers_of(costs: Costs, scale: Scale) -> NDArray[np.int64]:
    """Return int64[t, 3]: from how much traded in 30 days on, which maker and taker fees; the first from nothing on."""
    found = [(0, costs.maker_ppm, costs.taker_ppm)]
    for tier in costs.tiers:
        volume = _counted("costs.tiers.volume", int(-(-tier.volume // scale.unit)))
        found.append((volume, tier.maker_ppm, tier.taker_ppm))
    return np.array(found, np.int64)


def _event_rows(
    spec: BacktestSpec,
    candles: Candles | Pieces,
    funding: Funding | None,
    rows: Rows,
    flags: Flags,
    places: dict[int, int],
) -> None:
    """Add the rows of funding, interest and days, and mark the bars in which one of them matters."""
    costs, opened = spec.costs, candles.opened_ms
    if costs.tiers:
        days = opened // _DAY_MS
        places[k.ROW_DAY] = rows.add(days)
        flags[np.flatnonzero(np.diff(days, prepend=-1))] |= k.EVENT
    if not costs.funding and not costs.borrow_ppm_year:
        return
    at_open, inside, interest = due_of(costs, candles, funding)
    for slot, row, is_asked in (
        (k.ROW_FUNDING_OPEN, at_open, costs.funding), (k.ROW_FUNDING, inside, costs.funding),
        (k.ROW_BORROW, interest, costs.borrow_ppm_year > 0),
    ):  # fmt: skip
        if is_asked and len(candles):
            places[slot] = rows.add(row)
            flags[row != 0] |= k.EVENT


def due_of(costs: Costs, candles: Candles | Pieces, funding: Funding | None) -> tuple[Ints, Ints, Ints]:
    """Return int64[n] each, ppb: funding at the open of each bar, funding within it, interest at the open.

    Funding that is due where there is no bar is paid at the next open: before it nobody could know of it.
    """
    opened = candles.opened_ms
    at_open, inside, interest = (np.zeros(len(candles), np.int64) for _ in range(3))
    if costs.funding and funding is not None and len(candles):
        ends = candles.closed_ms if isinstance(candles, Candles) else candles.closed_ms[candles.last[candles.bar]]
        bar = np.searchsorted(opened, funding.at_ms, side="right") - 1
        between = funding.at_ms >= ends[bar]
        bar = np.where(between, bar + 1, bar)
        held = (bar >= 0) & (bar < len(opened)) & (funding.at_ms >= opened[0])
        bar = np.minimum(bar, len(opened) - 1)
        opens = held & (between | (funding.at_ms == opened[bar]))
        for row, chosen in ((at_open, opens), (inside, held & ~opens)):
            np.add.at(row, bar[chosen], funding.ppb[chosen])
    if costs.borrow_ppm_year and len(candles):
        interest = interest_of(opened, costs.borrow_ppm_year)
    return at_open, inside, interest


def interest_of(opened: Ints, ppm_year: int) -> Ints:
    """Return int64[n], ppb of what is owed that are due at each opening.

    Interest runs from bar to bar; what is cut off here is charged with a later one, so that none is lost.
    """
    passed = opened - opened[:1]
    ppb = ppm_year * 1_000
    run = (passed // _YEAR_MS) * ppb + (passed % _YEAR_MS) * ppb // _YEAR_MS
    found: Ints = np.diff(run, prepend=0)
    return found


def volume_lots(candles: Candles | Pieces, market: Market) -> Ints:
    """Return the volume in whole lots, rounded down; more than 2^43 count as so many."""
    ratio = (candles.volume_step / market.lot).as_integer_ratio()
    above, below = ratio
    most = int(candles.volume.max()) if len(candles) else 0
    if most * above < 1 << 62:
        lots = candles.volume * above // below
    else:
        lots = np.array([int(each) * above // below for each in candles.volume.tolist()], dtype=object)
    found: Ints = np.minimum(lots, _LOTS_OF_VOLUME_MOST).astype(np.int64)
    return found


def _spread(
    spec: BacktestSpec, candles: Candles, pieces: Pieces, told: Flags, rows: Rows, places: dict[int, int]
) -> tuple[Flags, Rows]:
    """Return flags and rows of the pieces: a row stands where its bar closed, a flag where its order arrives."""
    fills, count = spec.fills, len(pieces)
    if fills.at is FillAt.OPEN:
        arrive = arrivals(candles, pieces, bars=fills.latency, latency_ms=fills.latency_ms)
    else:
        arrive = later(pieces.last, fills.latency, count)
    flags, due = np.zeros(count, np.uint8), np.zeros(count, np.int64)
    wished = np.flatnonzero((told != 0) & (arrive < count))
    np.bitwise_or.at(flags, arrive[wished], told[wished])
    due[arrive[wished[::-1]]] = wished[::-1]  # of several that arrive together, the first
    spread = Rows(count)
    for row in rows.kept:
        column = np.zeros(count, np.int64)
        column[pieces.last] = row
        spread.add(column)
    by_bar = {k.ROW_LAST: pieces.last, k.ROW_ARRIVES: arrive, k.ROW_WISH: told.astype(np.int64)}
    places |= {k.ROW_BAR: spread.add(pieces.bar), k.ROW_DUE: spread.add(due)}
    for slot, column in by_bar.items():
        places[slot] = spread.add(np.append(column, np.zeros(count - len(column), np.int64)))
    return flags, spread
