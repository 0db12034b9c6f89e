"""One process at a time writes to an account at its venue: it holds the account's lease, and its requests are fenced.

Whoever wants to send takes the lease (`take`), keeps it (`renew`) and gives it back (`give_back`), each in a
transaction. `fence.Writers` remembers in memory what this process holds, so asking right before the wire costs nothing.

The order at the wire is: stamp the request, then ask `Writers.may_send`, then send. A process that is stopped between
any two of these and wakes up late either sees that its lease is over, or sends what the venue refuses as too old.
Therefore whoever takes over from a process that may still live waits until the lease has been over for as long as the
venue accepts a request after its stamp. Accounts whose venue lives inside of the house need no lease.
"""

from datetime import datetime, timedelta
from typing import Final

from pilothouse.core.clock import EPOCH, Clock
from pilothouse.execution import amendments, store
from pilothouse.kit import lease, outbox
from pilothouse.kit.db import Tx
from pilothouse.kit.lease import Held
from pilothouse.venues.catalogue import card_of
from pilothouse.venues.keys import VenueKey

PREFIX: Final = "writer:"
ASIDE: Final = "aside:"
"""Names of holders that are no house, such as a watcher, begin so: a house that starts anew leaves their leases."""

LEASE: Final = timedelta(seconds=15)
_NEVER_SURE: Final = timedelta(seconds=60)
"""Waited for at a venue that never says when a request can no longer be accepted."""


def window_of(venue: str) -> timedelta:
    """Return how long the venue of this key may still accept a request after its stamp."""
    window = card_of(VenueKey.parse(venue).name).acceptance_window
    return _NEVER_SURE if window is None else window


def take(tx: Tx, clock: Clock, account_id: str, venue: str, *, owner: str, lease_for: timedelta = LEASE) -> Held | None:
    """Take the right to send for an account; None while somebody else has it, or may have something on the wire.

    venue   the key of the account's venue, which says how long it accepts a request after its stamp
    owner   who takes it: a name that no other process ever has; of what is no house, it begins with ASIDE

    Whatever an earlier holder had in hand is in doubt from here on: it is asked about, and never sent again blindly.
    A lease that was given back, or was `owner`'s own, is taken without waiting.
    """
    now, name = clock.now(), f"{PREFIX}{account_id}"
    last = lease.last(tx, name)
    if not is_free(last, venue, owner=owner, now=now):
        return None
    held = lease.acquire(tx, name, owner=owner, now=now, lease_for=lease_for)
    if held is not None and last is not None and last.owner != owner:
        store.end_hand_offs(tx, clock, account_id)
        amendments.end_hand_offs(tx, clock, account_id)
        outbox.free_of(tx, last.owner, account_id, now)
    return held


def last_holder(tx: Tx, account_id: str) -> Held | None:
    """Return who may send for an account, or could last; None: nobody ever could."""
    return lease.last(tx, f"{PREFIX}{account_id}")


def sender(tx: Tx, account_id: str, now: datetime) -> str | None:
    """Return the process of the house that may send for an account now; None: none has to, none may, or no house."""
    held = lease.holder(tx, f"{PREFIX}{account_id}", now=now)
    return None if held is None or held.owner.startswith(ASIDE) else held.owner


def is_free(last: Held | None, venue: str, *, owner: str, now: datetime) -> bool:
    """Say whether `owner` may take the lease that was held so last."""
    if last is None or last.until == EPOCH:
        return True
    return last.until <= now if last.owner == owner else last.until + window_of(venue) <= now


def renew(tx: Tx, clock: Clock, held: Held, *, lease_for: timedelta = LEASE) -> Held | None:
    """Hold it for longer; None if it is over: then nothing may be sent, and it is to be taken anew."""
    return lease.renew(tx, held, now=clock.now(), lease_for=lease_for)


def give_back(tx: Tx, clock: Clock, held: Held) -> None:
    """Let another one take it at once: only for who sends nothing more and has nothing on the wire."""
    lease.release(tx, held, now=clock.now(), ends=EPOCH)


def forget_dead_houses(tx: Tx, clock: Clock, owner: str) -> None:
    """End the leases of every other house: for the one that knows that they are dead.

    What they had on the wire may still arrive, so each order they had in hand stays in doubt for the venue's window.
    """
    lease.free_others(tx, owner, PREFIX, clock.now(), ends=EPOCH, but=ASIDE)
