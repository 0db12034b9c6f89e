"""A house of which only the market data is open: settings in; database and public venues out. Nothing of it trades."""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from pilothouse.core.clock import Clock
from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.db import Database
from pilothouse.kit.settings import Settings
from pilothouse.kit.throttle import SharedBooks, Throttle
from pilothouse.venues.catalogue import open_venue
from pilothouse.venues.opening import Opening
from pilothouse.wiring.public_venues import PublicVenues


@dataclass(frozen=True, slots=True)
class DataHouse:
    """What candles need, and what closes it; closed by leaving a `with`."""

    settings: Settings
    clock: Clock
    process: str
    database: Database
    public: PublicVenues
    closers: tuple[Callable[[], object], ...]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Finish what is queued and let go of everything."""
        for closer in self.closers:
            closer()


def open_data(settings: Settings, clock: Clock | None = None) -> DataHouse:
    """Open a database that is migrated already. Who writes through it holds the house's lock. Raises Unavailable."""
    clock = clock or SystemClock()
    database = Database(settings.database_url, clock=clock)
    throttle = Throttle(SharedBooks(database), clock)
    public = PublicVenues(
        {},
        lambda key, accounts: open_venue(
            key, Opening(clock, settings.data, throttle, accounts, seed=settings.market_seed)
        ),
    )
    process = f"{os.uname().nodename}:{os.getpid()}:{secrets.token_hex(3)}"
    return DataHouse(settings, clock, process, database, public, (public.close, database.close))
