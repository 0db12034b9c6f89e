"""An order that a strategy wants goes in, in base and quote; the order that stands comes out, in lots and ticks."""

from decimal import Decimal
from typing import Final

import msgspec

from pilothouse.backtest.orders import Outcome
from pilothouse.backtest.result import Reason
from pilothouse.backtest.turn_orders import Lane, Leg, Order, Ticket
from pilothouse.core.errors import Invalid, Problem
from pilothouse.core.rounding import divided
from pilothouse.strategies.sdk import Want

_ONE: Final = Decimal(1)
_SIZES_KNOWN: Final = 1_024


class NotMade(msgspec.Struct):
    """An order that could not be made, as far as it was counted, and why."""

    lots: int
    limit: int | None
    trigger: int | None
    outcome: Outcome
    words: str


def ticket_order(want: Ticket, leg: Leg, since: int) -> Order:
    """Return the order of rules, which is counted already; it stands since bar `since` of its instrument."""
    return Order(
        want, leg, want.sign, want.lots, want.limit or None, want.trigger or None, 0, want.reduce_only, since,
        want.reason, ticket=want, key=want.key,
    )  # fmt: skip


def cut_order(want: Want, leg: Leg, step: int, before: Order | None) -> Order | NotMade:
    """Return an order cut to whole lots and ticks, against who asks for it.

    It is not made if it is too small or too large, nor for an instrument of which no bar has closed: it has no price.

    step     in which it is asked for
    before   what stands under its key
    Raises Invalid for a trail that does not stand alone.
    """
    lane = leg.lane
    market = lane.market
    lots = _lots_of(want.quantity, lane)
    sign = 1 if want.quantity > 0 else -1
    limit = trigger = None
    trail = 0
    if want.price is not None or want.stop is not None or want.trail is not None:
        limit, trigger, trail = _levels(want, lane, sign)
    known = limit if limit is not None else trigger
    small = known is not None and not want.reduce_only and lots * known * lane.units * lane.scale.unit
    too_small = lots < market.lots_min or (small is not False and small < market.notional_min)
    if too_small or (market.lots_most or lots) < lots or not lane.has_closed:
        return NotMade(lots, limit, trigger, *_why_not(lane, too_small=too_small))
    made = Order(
        want, leg, sign, lots, limit, trigger, trail, want.reduce_only, step, _reason(want, trail),
        best=lane.last, key=want.key,
    )  # fmt: skip
    if before is not None and lots <= before.lots and before.trail == trail:
        same = before.limit == limit and (trail or before.trigger == trigger)
        if same:
            # Whoever is told again what stands already does not begin to wait anew, nor to follow.
            made.since, made.best, made.trigger = before.since, before.best, before.trigger
    return made


def _why_not(lane: Lane, *, too_small: bool) -> tuple[Outcome, str]:
    market = lane.market
    if not lane.has_closed:
        return Outcome.NO_PRICE, "no bar of its instrument had closed yet: it had no price"
    if too_small:
        return Outcome.TOO_SMALL, f"{market.lots_min} lots, worth {market.notional_min}, are the least"
    return Outcome.TOO_LARGE, f"{market.lots_most} lots are the most"


def _levels(want: Want, lane: Lane, sign: int) -> tuple[int | None, int | None, int]:
    """Return limit, trigger and trail in ticks; None and 0 where there is none."""
    tick, buys = lane.scale.tick, sign > 0
    if want.trail is not None and (want.stop is not None or want.price is not None or want.trail <= 0):
        allowed = "a distance above zero, without price and stop"
        raise Invalid([Problem(f"wants.{want.key}.trail", "does not stand alone", allowed, "trail")])
    limit = None if want.price is None else int(divided(want.price, tick, _ONE, upward=not buys))
    trigger = None if want.stop is None else int(divided(want.stop, tick, _ONE, upward=buys))
    if want.trail is None:
        return limit, trigger, 0
    trail = max(int(divided(want.trail, tick, _ONE, upward=True)), 1)
    return limit, max(lane.last + sign * trail, 1), trail


def _lots_of(quantity: Decimal, lane: Lane) -> int:
    """Return whole lots, rounded down; most strategies ask for the same few sizes again and again."""
    lots = lane.sizes.get(quantity)
    if lots is None:
        if len(lane.sizes) >= _SIZES_KNOWN:
            lane.sizes.clear()
        lots = lane.sizes[quantity] = int(divided(abs(quantity), lane.scale.lot, _ONE))
    return lots


def _reason(want: Want, trail: int) -> Reason:
    """Return why an order of a strategy fills, as far as its kind tells."""
    if not want.reduce_only:
        return Reason.SIGNAL
    if trail:
        return Reason.TRAIL
    if want.stop is not None:
        return Reason.STOP
    return Reason.LEAVE if want.price is None else Reason.TARGET
