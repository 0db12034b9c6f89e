"""The protection of a position: stop, targets, trailing and time stop, which live and die with it.

Pure and level-triggered: the protection that is wanted, how far it has come, the position and the protective orders
that stand go in; which to place, which to cancel and what to close now come out. A new order is placed before the one
it replaces is cancelled: two reduce-only orders for a moment cannot open anything, none for a moment can lose
everything.

Where orders lock what they would sell, stop and target of one share are tied into a pair, if the venue has those. What
is left, and all of it where the venue takes no stops, is kept by the house: it is watched at the mark price and closed
at the market when its price comes.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from pilothouse.bots.follow import Planned
from pilothouse.bots.free import at_hand, for_exits, to_protect
from pilothouse.bots.ladder import (
    Progress,
    is_at_break_even,
    least_order,
    level_price,
    stop_price,
    target_sizes,
)
from pilothouse.bots.pairs import PAIR_STOP, is_stop, other_half, paired
from pilothouse.bots.venue_trail import TRAIL, trail_floor, trailing_terms, trails_here
from pilothouse.bots.view import LiveOrder, View
from pilothouse.core.instrument import Price, Side
from pilothouse.core.order import OrderState, OrderTerms, OrderType, Purpose
from pilothouse.core.rounding import plain
from pilothouse.core.signals import Guards
from pilothouse.core.stops import StopWay

STOP = "stop"
TARGET = "target:"
TIME = "time"

_DOUBTED_MOST = 2
_ASKED_LEAST = 2
_LIMIT_BEYOND = Decimal("0.02")
"""A stop placed in the other way has a limit so far beyond its trigger: it fills, and at no price whatever."""


@dataclass(frozen=True, slots=True)
class Protection:
    """What a position is to be protected with.

    side     the side that opens the position it is meant for
    guards   something is asked for in it
    """

    side: Side
    guards: Guards


@dataclass(frozen=True, slots=True)
class Wanted:
    """One part of a protection as it should be now.

    place    "stop", "trail", "target:" and its number, or "stop:" and the number of the target that it is tied to
    terms    the order that should stand; where the house keeps it, what it would be
    keeps    whether the house keeps it, because the venue cannot
    """

    place: str
    purpose: Purpose
    terms: OrderTerms
    keeps: bool

    @property
    def trigger(self) -> Decimal:
        """Return the mark price at which it triggers."""
        assert self.terms.stop_price is not None, "what protects waits for a price"
        return self.terms.stop_price


@dataclass(frozen=True, slots=True)
class Guarding:
    """What to do now.

    place     orders to place, in this order, each with its place in the protection
    exits     what to close at the market now, each with its place: the house keeps it and its price has come
    cancels   ids of protective orders to cancel
    ended     whether the protection has nothing left to protect and is forgotten
    trail_floor   where the venue's own trailing order stood that is placed anew now, if that is to be remembered
    """

    place: tuple[tuple[str, Planned], ...] = ()
    exits: tuple[tuple[str, Planned], ...] = ()
    cancels: tuple[str, ...] = field(default=())
    ended: bool = False
    trail_floor: Decimal | None = None


_NONE = Progress()


def guard(
    protection: Protection | None,
    view: View,
    progress: Progress = _NONE,
    *,
    entry_pending: bool,
    exit_waits: bool = False,
    now: datetime | None = None,
    may_exit: bool = True,
) -> Guarding:
    """Return what makes the protective orders fit the position.

    Coins that wait for one order cannot wait for another: there the old order is cancelled first, and the new one is
    placed when it is gone. A crumb below one lot cannot be protected and counts as nothing held.

    entry_pending   whether an order that could still open the position is alive
    exit_waits      whether somebody waits for coins to be let go, to sell them: then none are locked again
    now             by which the time stop counts; None: it does not
    may_exit        whether the position is known well enough to close it at the market
    """
    standing = [order for order in view.orders if order.purpose.protects]
    held = view.held()
    if protection is None or held == 0 or Side.of(held) is not protection.side:
        ended = protection is not None and not entry_pending
        return Guarding(cancels=_uncancelled(standing), ended=ended)
    exits = _exits(protection, view, progress, now) if may_exit else ()
    leaving = sum((each.terms.quantity for _, each in exits), Decimal(0))
    if view.coins:
        # More may be on its way out than is held, where somebody sold some at the venue: then nothing is left either.
        held = protection.side.sign * min(abs(held), protection.side.sign * at_hand(view) - leaving)
        if held == 0 or Side.of(held) is not protection.side:
            # All of it is being sold. Should that fail, it is held still, and to be protected again.
            return Guarding(exits=exits, cancels=_uncancelled(standing))
    floor = _floor(protection, view, progress, standing, abs(held))
    if floor is not None:
        progress = replace(progress, trail_floor=floor)
    place: list[tuple[str, Planned]] = []
    keep: set[str] = set()
    for wanted in wants(protection, view, progress, abs(held)):
        if wanted.keeps:
            continue
        fitting = [o for o in standing if place_of(o) == wanted.place and not o.cancel_asked and _fits(o, wanted.terms)]
        certain = next((order for order in fitting if order.state is not OrderState.UNKNOWN), None)
        if certain is not None:
            keep.add(certain.id)
            continue
        keep |= {order.id for order in fitting}
        if not fitting and wanted.terms.whole_position and _is_there_whole(standing, wanted.place):
            continue  # venues take one of its kind: the old one goes first
        if not fitting or (_is_doubted(fitting) and not view.coins):
            reason = f"{wanted.purpose} of {view.instrument.symbol}{_how(wanted, protection, view, progress)}"
            place.append((wanted.place, Planned(wanted.terms, wanted.purpose, reason)))
    keep -= _halves_alone(standing, {each for each, _ in place})
    if view.coins and (exit_waits or _sale_waits(view) or len(keep) < len(standing)):
        place = []
    cancels = _uncancelled([order for order in standing if order.id not in keep])
    return Guarding(tuple(place), exits, cancels, trail_floor=floor)


def _halves_alone(standing: list[LiveOrder], missing: set[str]) -> set[str]:
    """Return the orders of pairs of which the other half is missing: they go, and a whole pair is placed."""
    pairs = {place for place in missing if place.startswith(PAIR_STOP)}
    pairs |= {other_half(place) for place in missing if any(place_of(one) == other_half(place) for one in standing)}
    return (
        {order.id for order in standing if place_of(order) in pairs or other_half(place_of(order)) in pairs}
        if pairs
        else set()
    )


def _is_there_whole(standing: list[LiveOrder], place: str) -> bool:
    """Say whether an order that closes the whole position stands in that place, or has not gone yet."""
    return any(order.terms.whole_position and place_of(order) == place for order in standing)


def _sale_waits(view: View) -> bool:
    """Say whether an unsent sale waits for coins: a stop placed now would lock them again, and be cancelled for it."""
    return any(
        order.state is OrderState.INTENDED and order.terms.side is Side.SELL and not order.purpose.protects
        for order in view.orders
    )


def wants(protection: Protection, view: View, progress: Progress, held: Decimal) -> list[Wanted]:
    """Return the parts of the protection that should stand now for `held`, base, above zero: stop, trail, targets."""
    guards, instrument = protection.guards, view.instrument
    entry = view.position.entry_price()
    assert entry is not None, "a position that is held has an entry price"
    found = []
    venue_trails = guards.trailing is not None and not trails_here(guards, view, progress)
    stop = stop_price(guards, progress, entry, protection.side, instrument, venue_trails=venue_trails)
    least = least_order(instrument, view.quote.mark, coins=view.coins)
    sizes = target_sizes(guards, progress, held, instrument, least)
    pairs: tuple[int, ...] = ()
    if stop is not None:
        rest = held
        if view.coins and view.pairs and progress.way == 0 and not _keeps(STOP, view, progress):
            kept = [number for number in sizes if _keeps(f"{TARGET}{number}", view, progress)]
            pairs, rest = paired(sizes, kept, held, least)
        for place, size in ((STOP, rest), *((f"{PAIR_STOP}{number}", sizes[number]) for number in pairs)):
            if size > 0:
                terms = in_way(_terms(protection, view, OrderType.STOP_MARKET, size, stop), view, progress.way)
                found.append(Wanted(place, Purpose.STOP_LOSS, terms, _keeps(STOP, view, progress)))
    if venue_trails:
        found.append(
            Wanted(TRAIL, Purpose.STOP_LOSS, trailing_terms(guards, view, progress, protection.side, held), keeps=False)
        )
    for number, size in sizes.items():
        price = level_price(guards.targets[number].level, entry, protection.side, instrument, loses=False)
        terms = _terms(protection, view, OrderType.TAKE_PROFIT_MARKET, size, price)
        place = f"{TARGET}{number}"
        # Coins are locked by one order: beside a stop that is not tied to them, the house keeps the targets.
        alone = view.coins and stop is not None and not _keeps(STOP, view, progress) and number not in pairs
        keeps = _keeps(place, view, progress) or alone
        found.append(Wanted(place, Purpose.TAKE_PROFIT, terms, keeps))
    return found


def _how(wanted: Wanted, protection: Protection, view: View, progress: Progress) -> str:
    """Return how a trailing stop is carried out, for people; empty for what does not trail."""
    if wanted.place == TRAIL:
        return ", the venue's own trailing order"
    if wanted.place.startswith(PAIR_STOP):
        return f", one of a pair with {other_half(wanted.place)}"
    if wanted.place != STOP or protection.guards.trailing is None or progress.best is None:
        return ""
    why = trails_here(protection.guards, view, progress)
    return f", moved by the house: {why}" if why else ""


def _floor(
    protection: Protection, view: View, progress: Progress, standing: list[LiveOrder], held: Decimal
) -> Price | None:
    """Return what the venue's own trailing order had gained, if it has to be placed anew and that is news."""
    guards = protection.guards
    if guards.trailing is None or trails_here(guards, view, progress):
        return None
    terms = trailing_terms(guards, view, progress, protection.side, held)
    if any(place_of(order) == TRAIL and not order.cancel_asked and _fits(order, terms) for order in standing):
        return None
    return trail_floor(guards.trailing, view, progress, protection.side)


def place_of(order: LiveOrder) -> str:
    """Return which part of the protection an order is; of one from before places were kept, what its purpose says."""
    if order.place or not order.purpose.protects:
        return order.place
    return STOP if order.purpose is Purpose.STOP_LOSS else f"{TARGET}0"


def stands(protection: Protection, view: View, progress: Progress) -> bool:
    """Say whether nothing is held that should be protected, or all of it that the venue carries stands there.

    An order that is larger than the position, or at a price that is being changed, stands; one that is smaller does
    not. What the house keeps, it keeps while it runs.
    """
    held = to_protect(view)
    if held == 0 or Side.of(held) is not protection.side:
        return True
    there: dict[str, Decimal] = {}
    for order in view.orders:
        if order.purpose.protects and order.state.is_resting:
            place = place_of(order)
            size = abs(held) if order.terms.whole_position else order.remaining
            there[place] = max(there.get(place, Decimal(0)), size)
    return all(
        wanted.keeps or there.get(wanted.place, Decimal(0)) >= wanted.terms.quantity
        for wanted in wants(protection, view, progress, abs(held))
    )


def is_due(protection: Protection, view: View, progress: Progress, now: datetime) -> bool:
    """Say whether something that the house keeps, or the clock, asks for an exit now."""
    held = view.held()
    return held != 0 and Side.of(held) is protection.side and bool(_exits(protection, view, progress, now))


def _exits(
    protection: Protection, view: View, progress: Progress, now: datetime | None
) -> tuple[tuple[str, Planned], ...]:
    """Return what is closed at the market now: everything when the time is up or the stop came, else targets."""
    everything, left = (min(abs(view.held()), protection.side.sign * each) for each in for_exits(view))
    if everything <= 0:
        return ()
    symbol, mark = view.instrument.symbol, view.quote.mark
    limit, since = protection.guards.time_stop_s, progress.counts_from
    if limit is not None and since is not None and now is not None and now - since >= timedelta(seconds=limit):
        return ((TIME, _closing(protection, view, everything, f"time stop of {symbol} after {limit} s")),)
    due = []
    for wanted in wants(protection, view, progress, abs(to_protect(view)) or everything):
        if not wanted.keeps or not _came(wanted, protection.side, mark) or _is_leaving(view, wanted.place):
            continue
        size = min(wanted.terms.quantity, left)
        reason = f"{wanted.purpose} of {symbol} at {plain(wanted.trigger)}, kept by the house"
        if wanted.place == STOP:
            return ((STOP, _closing(protection, view, everything, reason)),)
        if size > 0:
            due.append((wanted.place, _closing(protection, view, size, reason)))
            left -= size
    return tuple(due)


def _came(wanted: Wanted, side: Side, mark: Decimal) -> bool:
    """Say whether the mark price is at the trigger or beyond it."""
    rises = is_stop(wanted.place) == (side is Side.SELL)
    return mark >= wanted.trigger if rises else mark <= wanted.trigger


def _is_leaving(view: View, place: str) -> bool:
    """Say whether an exit of that part is under way already."""
    return any(order.place == place and not order.purpose.protects for order in view.orders)


def _closing(protection: Protection, view: View, quantity: Decimal, reason: str) -> Planned:
    terms = OrderTerms(
        symbol=view.instrument.symbol,
        side=protection.side.opposite,
        type=OrderType.MARKET,
        quantity=view.instrument.quantity_down(quantity),
        reduce_only=True,
    )
    return Planned(terms, Purpose.EXIT, reason)


def _keeps(place: str, view: View, progress: Progress) -> bool:
    return not view.carries_stops or place in progress.kept_here


def _terms(protection: Protection, view: View, kind: OrderType, quantity: Decimal, price: Price) -> OrderTerms:
    return OrderTerms(
        symbol=view.instrument.symbol,
        side=protection.side.opposite,
        type=kind,
        quantity=view.instrument.quantity_down(quantity),
        stop_price=price,
        reduce_only=True,
    )


def in_way(terms: OrderTerms, view: View, number: int) -> OrderTerms:
    """Return a stop in one of the forms in which the venue takes stops; in the last one where no other is left.

    number   from 0, in the order in which they are tried
    """
    terms = replace(terms, type=OrderType.STOP_MARKET, price=None, whole_position=False)
    way = view.stop_ways[min(number, len(view.stop_ways) - 1)]
    if way is StopWay.WHOLE_POSITION:
        return replace(terms, whole_position=True)
    return _with_limit(terms, view) if way is StopWay.LIMIT else terms


def _with_limit(terms: OrderTerms, view: View) -> OrderTerms:
    """Return a stop at the market as one with a limit."""
    assert terms.stop_price is not None, "a stop has a trigger"
    away = terms.stop_price * _LIMIT_BEYOND
    if terms.side is Side.SELL:
        limit = view.instrument.price_down(terms.stop_price - away)
    else:
        limit = view.instrument.price_up(terms.stop_price + away)
    return OrderTerms(
        symbol=terms.symbol,
        side=terms.side,
        type=OrderType.STOP,
        quantity=terms.quantity,
        price=limit,
        stop_price=terms.stop_price,
        reduce_only=True,
    )


def _is_doubted(unknown: list[LiveOrder]) -> bool:
    """Say whether another order is placed beside those of which nobody knows whether they arrived.

    The venue did not know them when it was asked: that is no proof before its window has passed, and so long no
    position waits for its stop. Two reduce-only orders cannot open anything; the one too many is cancelled.
    """
    return len(unknown) < _DOUBTED_MOST and all(order.asked >= _ASKED_LEAST for order in unknown)


def _fits(order: LiveOrder, wanted: OrderTerms) -> bool:
    """Say whether a standing order is the wanted one: same side, form, trigger and remaining size.

    One that closes the whole position has every size; one that trails goes on from where it began to.
    """
    terms = order.terms
    if (terms.side, terms.type, terms.trail_percent, terms.whole_position) != (
        wanted.side, wanted.type, wanted.trail_percent, wanted.whole_position
    ):  # fmt: skip
        return False
    begun = wanted.trail_percent is not None and wanted.stop_price is None
    fits = begun or terms.stop_price == wanted.stop_price
    return fits and (wanted.whole_position or order.remaining == wanted.quantity)


def _uncancelled(orders: list[LiveOrder]) -> tuple[str, ...]:
    return tuple(order.id for order in orders if not order.cancel_asked)


__all__ = ["Guarding", "Progress", "Protection", "Wanted", "guard", "is_at_break_even", "is_due", "stands", "wants"]
