"""The venue's own countdown: orders that it cancels by itself when it is not told in time that somebody is there.

In: an account, and when what was set last. Out: countdowns set again, or ended, at venues that have them.
"""

from collections.abc import Collection
from typing import Final

from pilothouse.core.order import Purpose
from pilothouse.execution import store
from pilothouse.execution.desk import Desk
from pilothouse.kit.db import Tx
from pilothouse.ledger import positions
from pilothouse.venues.abilities import CountsDown
from pilothouse.venues.card import COUNTDOWN
from pilothouse.venues.port import VenueAccount

_NOT_OURS: Final = frozenset({Purpose.FOREIGN, Purpose.LIQUIDATION})


def set_again(
    desk: Desk, venue_name: str, account_id: str, owner_id: str, armed: dict[str, float], seconds: int
) -> None:
    """Set the countdown where entries rest and nothing is held, whenever a third of it has passed.

    armed     instruments in which it is set, and at what monotonic time; kept up to date here
    seconds   until the venue cancels, 1 or more

    The venue would cancel stops too: where a position is held or protected it is not set, and ended if it is.
    Raises Refused, Unavailable or Unknown.
    """
    venue = desk.venue(venue_name)
    if not venue.card.has(COUNTDOWN) or not isinstance(venue, CountsDown):
        return
    live, held = desk.database.read(lambda tx: (ours(tx, account_id), what_is_held(tx, account_id)))
    wanted = _entries_alone(live) - set(held)
    account, now = VenueAccount(account_id, owner_id), desk.clock.monotonic()
    for symbol in sorted(set(armed) - wanted):
        venue.cancel_after(account, symbol, 0)
        del armed[symbol]
    for symbol in sorted(wanted):
        if symbol not in armed or now - armed[symbol] >= seconds / 3:
            venue.cancel_after(account, symbol, seconds)
            armed[symbol] = now


def what_is_held(tx: Tx, account_id: str) -> list[str]:
    """Return the instruments in which an account holds something."""
    return sorted(row.position.symbol for row in positions.all_positions(tx, account_id, flat_too=False))


def ours(tx: Tx, account_id: str) -> list[store.OrderRecord]:
    """Return the live orders of an account that this house made."""
    return [one for one in store.live_of(tx, account_id) if one.purpose not in _NOT_OURS]


def _entries_alone(live: Collection[store.OrderRecord]) -> set[str]:
    """Return the instruments in which orders rest that could add, and none that protects."""
    adding = {one.terms.symbol for one in live if not one.terms.reduce_only and not one.purpose.protects}
    return adding - {one.terms.symbol for one in live if one.purpose.protects}
