"""What the oracle reads: candles, signals and rules as plain objects with exact decimals. Pure, slow, plain."""

import itertools
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from pilothouse.backtest.inside import Finer, Tape
from pilothouse.backtest.simulate import Funding
from pilothouse.backtest.spec import BacktestSpec, FillAt, Market
from pilothouse.core.candles import Candles
from pilothouse.core.rounding import down, is_on_grid, nearest, up
from pilothouse.strategies.rules import By, Distance, Rules, Side, SizeBy
from pilothouse.strategies.sdk import Signals

_YEAR_MS = 365 * 86_400_000
_MOST_LOTS = 2**43 - 1
NEVER = 10**9
"""In place of a part of a bar: none."""

Away = Callable[[Decimal], Decimal | None]


@dataclass(frozen=True)
class Wish:
    """What a bar's close led the strategy to want.

    enters    1 long, -1 short, 0 nothing;  leaves: sides that are to be left;  resizes: hold exactly this much
    stop, trail, after, even, targets   distances by the entry's price; None or 0: none
    """

    bar: int
    close: Decimal
    enters: int
    leaves: tuple[int, ...]
    resizes: bool
    limit: Decimal | None
    trigger: Decimal | None
    weight: Decimal
    share: Decimal
    stop: Away
    trail: Away
    after: Away
    even: Away
    targets: Callable[[Decimal], list[tuple[Decimal, Decimal]]]


@dataclass
class Bar:
    """One candle, what is due in it and what is to be carried out; where a run walks inside the bars, a part of one.

    opened_ms, closed_ms   of a trade both are its time; the last part of a bar closes with it
    part_of                the bar that it is a part of
    """

    index: int
    part_of: int
    opened_ms: int
    day: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    closed_ms: int
    funding_at_open: Decimal
    funding_inside: Decimal
    interest: Decimal
    wishes: list[Wish] = field(default_factory=list)
    closing: bool = False

    @property
    def wish(self) -> Wish | None:
        """Return the wish that is carried out here, the first where several arrive together."""
        return self.wishes[0] if self.wishes else None


@dataclass(frozen=True)
class Feed:
    """All bars or their parts, and what a tick and the smallest amount are worth.

    last      of each bar the last part
    arrives   of each bar the part at whose open comes what was decided at its close; NEVER if none does
    """

    bars: list[Bar]
    tick: Decimal
    unit: Decimal
    last: list[int]
    arrives: list[int]

    def last_of(self, part: int, more: int) -> int:
        """Return the last part of the bar that comes `more` bars behind that of a part; NEVER if there is none."""
        bar = self.bars[min(part, len(self.bars) - 1)].part_of + more
        return self.last[bar] if bar < len(self.last) else NEVER


def feed_of(
    spec: BacktestSpec,
    market: Market,
    candles: Candles,
    signals: Signals,
    rules: Rules,
    warm_up: int,
    funding: Funding | None,
    finer: Finer | None = None,
    whole: frozenset[int] = frozenset(),
) -> Feed:
    """Return the bars, or their parts, with everything that happens in them; `whole`: openings of undivided bars."""
    tick = candles.price_step
    unit = Decimal("0.00000001")
    while not is_on_grid(tick * market.lot, unit):
        unit /= 10
    bars = [_bar(index, part, market) for index, part in enumerate(parts_of(candles, finer, whole))]
    for bar, before in zip(bars, bars[:1] + bars, strict=False):
        bar.interest = _interest(spec, bars[0].opened_ms, before.opened_ms, bar.opened_ms)
    if spec.costs.funding and funding is not None:
        _fund(bars, funding)
    last = (
        [max(bar.index for bar in bars if bar.part_of == each) for each in range(len(candles))]
        if finer
        else [*range(len(bars))]
    )
    arrives = [_arrival(spec, bars, last, each) for each in range(len(candles))]
    ranges = _average_true_ranges(candles, rules.atr_bars)
    exits = rules.exits
    every = (exits.stop, exits.trail, exits.trail_after, exits.break_even_after, *(each.at for each in exits.targets))
    if any(distance is not None and distance.by is By.ATR for distance in every):
        warm_up = max(warm_up, rules.atr_bars)
    for index in range(warm_up, len(candles)):
        wish = _wish(candles, signals, rules, tick, ranges, index)
        if wish is not None and arrives[index] != NEVER:
            bars[arrives[index]].wishes.append(replace(wish, bar=last[index]))
    return Feed(bars, tick, unit, last, arrives)


Part = tuple[int, int, int, Decimal, Decimal, Decimal, Decimal, Decimal]
"""The bar, when it opened and closed, open, high, low, close, volume."""


def parts_of(candles: Candles, finer: Finer | None, whole: frozenset[int] = frozenset()) -> Iterator[Part]:
    """Yield what the bars are made of; a bar of which nothing finer tells the same is its own only part.

    whole   openings of bars that are their own only part in any case
    """
    told = divided_bars(candles, finer)
    for index in range(len(candles)):
        opened = int(candles.opened_ms[index])
        closed = opened + candles.span_ms
        inside = told.get(index, [])
        if not inside or opened in whole:
            first, high, low, last = _prices(candles, index)
            yield index, opened, closed, first, high, low, last, int(candles.volume[index]) * candles.volume_step
            continue
        for place, each in enumerate(inside):
            yield (index, each[0], closed if place == len(inside) - 1 else each[1], *each[2:])


Below = tuple[int, int, Decimal, Decimal, Decimal, Decimal, Decimal]
"""When it opened and closed, open, high, low, close, volume."""


def divided_bars(candles: Candles, finer: Finer | None) -> dict[int, list[Below]]:
    """Return of each bar that something finer tells the same of what that is."""
    below = sorted(_told_below(finer), key=lambda each: each[0])
    found, begin = {}, 0
    for index in range(len(candles)):
        opened = int(candles.opened_ms[index])
        while begin < len(below) and below[begin][0] < opened:
            begin += 1
        end = begin
        while end < len(below) and below[end][0] < opened + candles.span_ms:
            end += 1
        inside = below[begin:end]
        if inside and _prices(candles, index) == [
            inside[0][2], max(each[3] for each in inside), min(each[4] for each in inside), inside[-1][5],
        ]:  # fmt: skip
            found[index] = inside
    return found


def _prices(candles: Candles, index: int) -> list[Decimal]:
    columns = (candles.open, candles.high, candles.low, candles.close)
    return [int(column[index]) * candles.price_step for column in columns]


def _told_below(finer: Finer | None) -> Iterator[Below]:
    if isinstance(finer, Tape):
        for at, price, quantity in zip(
            finer.at_ms.tolist(), finer.price.tolist(), finer.quantity.tolist(), strict=True
        ):
            paid = price * Decimal((0, (1,), -finer.price_digits))
            yield at, at, paid, paid, paid, paid, quantity * Decimal((0, (1,), -finer.volume_digits))
    elif finer is not None:
        for row in range(len(finer)):
            opened = int(finer.opened_ms[row])
            first, high, low, last = (
                int(column[row]) * finer.price_step for column in (finer.open, finer.high, finer.low, finer.close)
            )
            volume = int(finer.volume[row]) * finer.volume_step
            yield opened, opened + finer.span_ms, first, high, low, last, volume


def _bar(index: int, part: Part, market: Market) -> Bar:
    bar, opened, closed, first, high, low, last, traded = part
    volume, none = down(min(traded, _MOST_LOTS * market.lot), market.lot), Decimal(0)
    return Bar(index, bar, opened, opened // 86_400_000, first, high, low, last, volume, closed, none, none, none)


def _interest(spec: BacktestSpec, first: int, before: int, opened: int) -> Decimal:
    year = spec.costs.borrow_ppm_year * 1_000
    parts = [(at - first) * year // _YEAR_MS for at in (before, opened)]
    return (parts[1] - parts[0]) * Decimal("1e-9")


def _arrival(spec: BacktestSpec, bars: list[Bar], last: list[int], decided: int) -> int:
    """Return the part at whose open an order arrives that was decided at the close of a bar."""
    fills = spec.fills
    if fills.latency_ms:
        due = bars[last[decided]].closed_ms + fills.latency_ms
        return next((bar.index for bar in bars if bar.opened_ms >= due), NEVER)
    if fills.at is FillAt.CLOSE:
        return last[decided + fills.latency] if decided + fills.latency < len(last) else NEVER
    before = decided + fills.latency
    return last[before] + 1 if before + 1 < len(last) else NEVER


def _fund(bars: list[Bar], funding: Funding) -> None:
    for at, ppb in zip(funding.at_ms.tolist(), funding.ppb.tolist(), strict=True):
        # The last one that had opened by then, so that of several trades in one millisecond one is charged.
        held = next((bar for bar in reversed(bars) if bar.opened_ms <= at), None)
        if held is None:
            continue
        closed = max(bar.closed_ms for bar in bars if bar.part_of == held.part_of)
        if at >= closed:
            # Nobody trades there: it is paid when there is a price again.
            later = next((bar for bar in bars if bar.index > held.index), None)
            if later is not None:
                later.funding_at_open += ppb * Decimal("1e-9")
        elif at == held.opened_ms:
            held.funding_at_open += ppb * Decimal("1e-9")
        else:
            held.funding_inside += ppb * Decimal("1e-9")


def _wish(
    candles: Candles, signals: Signals, rules: Rules, tick: Decimal, ranges: list[float], index: int
) -> Wish | None:
    enters, leaves, resizes = _sides(signals, index)
    if (rules.side is Side.LONG and enters < 0) or (rules.side is Side.SHORT and enters > 0):
        leaves, enters, resizes = {*leaves, -enters}, 0, False
    if not enters and not leaves:
        return None
    buys = _sells(signals, index) is False
    exits = rules.exits

    def away(distance: Distance | None, column: Any = None) -> Away:
        own = _ticks(column, index, tick, upward=True)
        if own is None and distance is not None and distance.by is By.ATR:
            own = _ticks([ranges[index] * distance.value], 0, tick, upward=True)
        return lambda price: own if own is not None else _distance(distance, price, tick)

    targets = [(away(each.at, signals.take if n == 0 else None), each.share) for n, each in enumerate(exits.targets)]
    if not targets and signals.take is not None:
        targets = [(away(None, signals.take), 1.0)]
    weight = _value(signals.weight if signals.target is None else abs(signals.target), index)
    return Wish(
        index, int(candles.close[index]) * tick, enters, tuple(sorted(leaves)), resizes,
        _ticks(signals.limit, index, tick, upward=not buys), _ticks(signals.trigger, index, tick, upward=buys),
        Decimal(1) if weight is None else down(nearest(weight, Decimal("1e-12")), Decimal("0.000001")),
        _volatility_share(candles, rules, index),
        away(exits.stop, signals.stop), away(exits.trail, signals.trail), away(exits.trail_after),
        away(exits.break_even_after),
        lambda price: [
            (far(price) or Decimal(0), nearest(Decimal(repr(share)), Decimal("0.000001"))) for far, share in targets
        ],
    )  # fmt: skip


def _sides(signals: Signals, index: int) -> tuple[int, set[int], bool]:
    if signals.target is not None:
        target = float(signals.target[index])
        if math.isnan(target):
            return 0, set(), False
        return (1, set(), True) if target > 0 else (-1, set(), True) if target < 0 else (0, {1, -1}, False)
    told = {
        name: column is not None and bool(column[index])
        for name in ("long", "short", "leave_long", "leave_short")
        for column in [getattr(signals, name)]
    }
    enters = int(told["long"]) - int(told["short"])
    return enters, {side for side, name in ((1, "leave_long"), (-1, "leave_short")) if told[name]}, False


def _sells(signals: Signals, index: int) -> bool:
    if signals.target is not None:
        return float(signals.target[index]) < 0
    return signals.short is not None and bool(signals.short[index])


def _value(column: Any, index: int) -> Decimal | None:
    return None if column is None or math.isnan(column[index]) else Decimal(repr(float(column[index])))


def _ticks(column: Any, index: int, tick: Decimal, *, upward: bool) -> Decimal | None:
    """Return a column's value on the grid of prices; None where there is none, or zero."""
    value = _value(column, index)
    if value is None:
        return None
    # What lies behind the sixth digit of a tick is the noise of a float.
    settled = nearest(value / tick, Decimal("0.000001"))
    found = (up if upward else down)(settled, Decimal(1)) * tick
    return found or None


def _distance(distance: Distance | None, price: Decimal, tick: Decimal) -> Decimal | None:
    if distance is None or distance.by is By.ATR:
        return None
    value = Decimal(repr(distance.value))
    if distance.by is By.PRICE:
        return up(value, tick)
    return up(price * up(value / 100, Decimal("0.000001")), tick)


def _average_true_ranges(candles: Candles, bars: int) -> list[float]:
    """Return Wilder's average true range, quote; NaN until `bars` true ranges are known."""
    high, low, close = (candles.price(name).tolist() for name in ("high", "low", "close"))
    found: list[float] = []
    ranges: list[float] = []
    for at in range(len(close)):
        before = close[at - 1] if at else close[at]
        ranges.append(max(high[at] - low[at], abs(high[at] - before), abs(low[at] - before)) if at else math.nan)
        found.append(_wilder(found, ranges, bars))
    return found


def _wilder(found: Sequence[float], ranges: Sequence[float], bars: int) -> float:
    known = len(ranges) - 1
    if known < bars:
        return math.nan
    if known == bars:
        return sum(ranges[1:]) / bars
    return (found[-1] * (bars - 1) + ranges[-1]) / bars


def _volatility_share(candles: Candles, rules: Rules, index: int) -> Decimal:
    looked = rules.size.lookback
    if rules.size.by is not SizeBy.VOLATILITY or index < looked:
        return Decimal(0)
    closes = candles.price("close")[index - looked : index + 1].tolist()
    moves = [math.log(after) - math.log(before) for before, after in itertools.pairwise(closes)]
    yearly = statistics.stdev(moves) * math.sqrt(_YEAR_MS / candles.span_ms)
    if yearly <= 0:
        return Decimal(0)
    return down(Decimal(repr(min(rules.size.value / 100 / yearly, 200.0))), Decimal("0.000001"))
