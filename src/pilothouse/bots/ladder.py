"""Levels and sizes of what protects a position: where the stop stands now, and how much each target closes.

Pure. A position's protection and how far it has come in; prices on the tick and quantities on the lot out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from pilothouse.core.instrument import Instrument, Price, Quantity, Side
from pilothouse.core.rounding import EXACT, toward_zero, up
from pilothouse.core.signals import Guards, Level, Trailing

HUNDRED = Decimal(100)
ZERO = Decimal(0)

_STEP = Decimal("0.1")
"""A trailing stop moves when the best price has gained so much of its distance: not with every tick of the market."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the protection of one position has come.

    filled      by target, from 0: what its orders have filled, base
    done        targets of which an order filled whole; they are not asked for again
    best        the best price since the stop trails, quote per base; None while it does not
    counts_from since when its time stop counts; None while nothing is held
    kept_here   places whose orders the venue does not take: they are watched and triggered by the house
    way         in which of the venue's forms stops are asked for, from 0: those before were not taken
    trail_floor a stop that has to stand beside the venue's own trailing order, quote per base: so far that order had
                trailed before it was placed anew, and began again; None: it never was
    """

    filled: Mapping[int, Decimal] = field(default_factory=dict)
    done: frozenset[int] = frozenset()
    best: Decimal | None = None
    counts_from: datetime | None = None
    kept_here: frozenset[str] = frozenset()
    way: int = 0
    trail_floor: Decimal | None = None


def level_price(level: Level, entry: Decimal, side: Side, instrument: Instrument, *, loses: bool) -> Price:
    """Return where a stop-loss (`loses`) or take-profit stands for a position opened by `side` at `entry`.

    A percentage or distance counts from the entry. Rounded to the tick towards the entry: it triggers early rather
    than late.
    """
    below = (side is Side.BUY) == loses
    if level.price is not None:
        price = level.price
    else:
        away = level.distance if level.distance is not None else entry * (level.percent or ZERO) / HUNDRED
        price = entry - away if below else entry + away
    return instrument.price_up(price) if below else instrument.price_down(price)


def stop_price(
    guards: Guards,
    progress: Progress,
    entry: Decimal,
    side: Side,
    instrument: Instrument,
    *,
    venue_trails: bool = False,
) -> Price | None:
    """Return where the stop stands now, or None if there is none (yet): the tightest of what was asked for.

    The stop-loss; the entry price once enough targets have filled; the trail behind the best price.

    venue_trails   whether an order of the venue's own trails: then the stop stands where that order had come before
                   it was placed anew
    """
    found: list[Price] = []
    if guards.stop_loss is not None:
        found.append(level_price(guards.stop_loss, entry, side, instrument, loses=True))
    if is_at_break_even(guards, progress):
        found.append(level_price(Level(price=entry), entry, side, instrument, loses=True))
    if venue_trails and progress.trail_floor is not None:
        found.append(level_price(Level(price=progress.trail_floor), entry, side, instrument, loses=True))
    elif guards.trailing is not None and not venue_trails and progress.best is not None:
        found.append(trail_price(guards.trailing, progress.best, side, instrument))
    if not found:
        return None
    return max(found) if side is Side.BUY else min(found)


def trail_price(trailing: Trailing, best: Decimal, side: Side, instrument: Instrument) -> Price:
    """Return where a trailing stop stands when the best price since it follows is `best`."""
    behind = Level(percent=trailing.percent, distance=trailing.distance)
    return level_price(behind, best, side, instrument, loses=True)


def is_at_break_even(guards: Guards, progress: Progress) -> bool:
    """Say whether so many targets have filled that the stop stands at the entry price at least."""
    return guards.break_even_after is not None and len(progress.done) >= guards.break_even_after


def best_price(
    trailing: Trailing | None, best: Decimal | None, mark: Decimal, entry: Decimal, side: Side, instrument: Instrument
) -> Decimal | None:
    """Return the best price that a trailing stop follows, given the mark price of now; None while it does not follow.

    It moves by a tenth of the stop's distance or more, so that the stop is not replaced with every tick.
    """
    if trailing is None:
        return None
    sign = side.sign
    if best is None:
        if trailing.activation is not None:
            begins = level_price(trailing.activation, entry, side, instrument, loses=False)
            if (mark - begins) * sign < 0:
                return None
        return mark
    distance = trailing.distance if trailing.distance is not None else best * (trailing.percent or ZERO) / HUNDRED
    step = max(instrument.tick, distance * _STEP)
    return mark if (mark - best) * sign >= step else best


def target_sizes(
    guards: Guards, progress: Progress, held: Decimal, instrument: Instrument, least: Decimal
) -> dict[int, Quantity]:
    """Return how much each target that is not done closes, base, together at most `held`.

    held    base, above zero, in whole lots
    least   what the venue takes in one order, base: a smaller part is closed with the next target

    Shares count from the position as it would be had no target filled, so that each closes its share of what was
    built up, however the entry filled and whatever was taken off by hand.
    """
    whole = held + sum(progress.filled.values(), ZERO)
    due = [number for number in range(len(guards.targets)) if number not in progress.done]
    rest = _takes_the_rest(guards, due)
    sizes: dict[int, Decimal] = {}
    left, small = held, ZERO
    for number in due:
        if number == rest:
            continue
        share = guards.targets[number].share
        assert share is not None, "only what takes the rest has no share"
        wanted = EXACT.divide(EXACT.multiply(whole, share), HUNDRED) - progress.filled.get(number, ZERO)
        size = min(toward_zero(max(wanted, ZERO) + small, instrument.lot), left)
        small = size if size < least else ZERO
        if size >= least:
            sizes[number] = size
            left -= size
    if rest is not None and left > 0:
        if left >= least or not sizes:
            sizes[rest] = left
        else:
            last = max(sizes)
            sizes[last] += left
    elif small > 0:
        last = max(sizes, default=due[-1])
        sizes[last] = sizes.get(last, ZERO) + small
    return {number: instrument.quantity_down(size) for number, size in sorted(sizes.items()) if size > 0}


def least_order(instrument: Instrument, mark: Decimal, *, coins: bool) -> Decimal:
    """Return the smallest quantity of an order that reduces, base: a sale of coins has to be worth something too."""
    if not coins or instrument.notional_min <= 0:
        return instrument.quantity_min
    return max(instrument.quantity_min, up(EXACT.divide(instrument.notional_min, mark), instrument.lot))


def _takes_the_rest(guards: Guards, due: list[int]) -> int | None:
    """Return the target that closes what the others leave: the one without a share, or the last one of a whole."""
    for number in due:
        if guards.targets[number].share is None:
            return number
    shares = [target.share for target in guards.targets]
    if due and None not in shares and sum((share for share in shares if share is not None), ZERO) == HUNDRED:
        return due[-1]
    return None
