"""A desk beside the house: for the watcher, when the house is gone and its lease over. No jobs, no paper, no doors.

What is opened is what one turn of protection needs: the books, the keys, the venues of real accounts.
"""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from pilothouse.accounts import house as house_values
from pilothouse.core.clock import Clock
from pilothouse.core.errors import Unavailable
from pilothouse.execution.desk import Desk
from pilothouse.execution.fence import Writers
from pilothouse.execution.lanes import Lanes
from pilothouse.execution.writing import ASIDE
from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.db import Database
from pilothouse.kit.fresh_ids import FreshIds
from pilothouse.kit.meters import Meters
from pilothouse.kit.settings import Settings
from pilothouse.kit.throttle import SharedBooks, Throttle
from pilothouse.marketdata.instruments import InstrumentBook
from pilothouse.marketdata.quotes import QuoteBoard
from pilothouse.venues.catalogue import open_venue
from pilothouse.venues.keys import VenueKey
from pilothouse.venues.opening import Opening
from pilothouse.venues.port import Venue
from pilothouse.wiring.build import Resolver
from pilothouse.wiring.open_venues import OpenVenues
from pilothouse.wiring.sealed_keys import KeyRing
from pilothouse.wiring.sealing_key import SealingKey
from pilothouse.wiring.subscriptions import HEARD
from pilothouse.wiring.workshop import HOUSE_KEY


@dataclass(frozen=True, slots=True)
class Beside:
    """What is open beside the house."""

    desk: Desk
    venues: OpenVenues
    ring: KeyRing
    quotes: QuoteBoard
    closers: tuple[Callable[[], object], ...]

    def close(self) -> None:
        """Let go of everything, in order."""
        for closer in self.closers:
            closer()


def open_beside(settings: Settings, clock: Clock | None = None) -> Beside:
    """Open a desk on the books of a house that is gone. Raises Unavailable if they cannot be read."""
    clock = clock or SystemClock()
    ids = FreshIds(clock)
    database = Database(settings.database_url, clock=clock, ids=ids)
    database.heard_kinds |= HEARD
    quotes, instruments = QuoteBoard(), InstrumentBook()
    ring = KeyRing(database, SealingKey.of(settings))
    throttle = Throttle(SharedBooks(database), clock)

    def open_one(key: VenueKey, stream_url: str) -> Venue:
        return open_venue(
            key, Opening(clock, settings.data, throttle, ring.at(str(key)), stream_url, settings.market_seed)
        )

    venues = OpenVenues(open_one, database, instruments, quotes, clock)
    house_key = database.read(lambda tx: house_values.value(tx, HOUSE_KEY))
    if house_key is None:
        database.close()
        raise Unavailable("the books were never opened by a house")
    desk = Desk(
        database=database,
        clock=clock,
        ids=ids,
        house_key=bytes.fromhex(house_key),
        process=f"{ASIDE}watcher:{os.uname().nodename}:{os.getpid()}:{secrets.token_hex(3)}",
        venues=venues,
        instrument_of=instruments.get,
        resolve=Resolver(instruments),
        quote_of=quotes.get,
        lanes=Lanes(),
        meters=Meters(),
        writers=Writers(clock),
        protect_within_s=settings.protect_within_s,
        when_unprotected=settings.when_unprotected,
        trail_at=settings.trail_at,
    )
    return Beside(desk, venues, ring, quotes, (desk.lanes.close, venues.close, database.close))
