"""The venue's own trailing order as a part of a protection: whether it is asked for, as what, and what it had gained.

Pure. A new trailing order begins at the price of now. So where one is placed anew, because the position has another
size, a stop beside it keeps what the old one had gained.
"""

from decimal import Decimal
from typing import Final

from pilothouse.bots.ladder import Progress, level_price, trail_price
from pilothouse.bots.view import View
from pilothouse.core.instrument import Price, Side
from pilothouse.core.order import OrderTerms, OrderType
from pilothouse.core.signals import Guards, Trailing

TRAIL: Final = "trail"


def trails_here(guards: Guards, view: View, progress: Progress) -> str:
    """Return why the house moves a stop instead of asking for the venue's own trailing order; empty: it does not."""
    assert guards.trailing is not None, "only asked where something trails"
    if not view.carries_stops:
        return "the venue carries no stops"
    if view.trails is None:
        return "the venue has no trailing orders that are used here"
    if guards.trailing.percent is None:
        return "it trails by a distance, and the venue by a percentage only"
    if TRAIL in progress.kept_here:
        return "the venue did not take its own trailing order"
    if progress.way > 0:
        return "the venue did not take what protects in the usual form"
    return view.trails.misfit(guards.trailing.percent)


def trailing_terms(guards: Guards, view: View, progress: Progress, side: Side, held: Decimal) -> OrderTerms:
    """Return the venue's own trailing order: from now on, or from the activation on while that was not reached.

    side   the side that opens the position
    held   base, above zero
    """
    trailing, entry = guards.trailing, view.position.entry_price()
    assert trailing is not None, "it trails"
    assert entry is not None, "a position that is held has an entry price"
    begins = None
    if trailing.activation is not None and progress.best is None:
        begins = level_price(trailing.activation, entry, side, view.instrument, loses=False)
    return OrderTerms(
        symbol=view.instrument.symbol,
        side=side.opposite,
        type=OrderType.TRAILING_STOP_MARKET,
        quantity=view.instrument.quantity_down(held),
        stop_price=begins,
        reduce_only=True,
        trail_percent=trailing.percent,
    )


def trail_floor(trailing: Trailing, view: View, progress: Progress, side: Side) -> Price | None:
    """Return where an order that is placed anew had come with its trail, or None if that is known, or was nowhere."""
    best, known = progress.best, progress.trail_floor
    if best is None or (best - view.quote.mark) * side.sign <= 0:
        return None
    floor = trail_price(trailing, best, side, view.instrument)
    return floor if known is None or (floor - known) * side.sign > 0 else None
