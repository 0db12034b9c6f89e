"""The venues that are open: opened when the first of their accounts needs them, closed with the house.

A venue that does not answer stops nobody: it is open, its instruments are those it named when it was last asked, and
it is asked again until it answers.
"""

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import structlog

from pilothouse.accounts import trading_accounts
from pilothouse.accounts.trading_accounts import TradingAccount
from pilothouse.core.clock import Clock
from pilothouse.core.errors import PilothouseError, Unavailable
from pilothouse.kit.db import Database
from pilothouse.marketdata import instruments as instrument_store
from pilothouse.marketdata.instruments import InstrumentBook
from pilothouse.marketdata.quotes import QuoteBoard
from pilothouse.venues.keys import VenueKey
from pilothouse.venues.port import Venue

_log = structlog.get_logger("pilothouse.venues")

_EVERY: Final = timedelta(hours=1)

Opener = Callable[[VenueKey, str], Venue]
"""(key, another address for streams or nothing) -> the open venue; raises Refused"""


class OpenVenues(Mapping[str, Venue]):
    """Venues by their key as accounts name them: iterated, those that are open. Safe for many threads.

    Asking for one that is not open opens it, if an active account is there: not from inside of a transaction.
    """

    def __init__(
        self, opener: Opener, database: Database, instruments: InstrumentBook, quotes: QuoteBoard, clock: Clock
    ) -> None:
        """Open with `opener`; keep what venues tell of their markets in `instruments`, `quotes` and `database`."""
        self._opener = opener
        self._database = database
        self._instruments = instruments
        self._quotes = quotes
        self._clock = clock
        self._open: dict[str, Venue] = {}
        self._feeds: dict[str, Callable[[], None]] = {}
        self._stale: set[str] = set()
        self._refreshed_at: dict[str, datetime] = {}
        self._lock = threading.RLock()
        self._missed: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
        self._follower: threading.Thread | None = None
        quotes.missed = self.follow_soon

    # ── As a mapping: what is open now ────────────────────────────────────────────────────────────

    def __getitem__(self, name: str) -> Venue:
        found = self._open.get(name)
        return found if found is not None else self._open_for_some_account(name)

    def __contains__(self, name: object) -> bool:
        return name in self._open

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._open))

    def __len__(self) -> int:
        return len(self._open)

    def opened(self) -> tuple[Venue, ...]:
        """Return the venues that are open, the earliest first."""
        return tuple(self._open.values())

    # ── Opening and closing ───────────────────────────────────────────────────────────────────────

    def put(self, name: str, venue: Venue) -> None:
        """Know a venue that somebody else opened, and let its quotes in."""
        with self._lock:
            self._open = {**self._open, name: venue}
            self._feeds[name] = venue.watch(lambda fresh: self._quotes.put(name, fresh))

    def open(self, account: TradingAccount) -> Venue:
        """Open the venue of an account, if it is not open yet, with its instruments and quotes.

        Asks the venue for its instruments if nobody has yet; one that does not answer is open all the same.
        Raises Refused if there is no such venue.
        """
        name = account.venue
        with self._lock:
            venue = self._open.get(name)
            if venue is None:
                venue = self._opener(VenueKey.parse(name), account.stream_url)
                self.know(name)
                self._stale.add(name)
                self.put(name, venue)
        if name in self._stale:
            self.refresh(name)
        return venue

    def know(self, name: str) -> None:
        """Know the instruments that a venue named when it was last asked."""
        known = self._database.read(lambda tx: instrument_store.load(tx, name))
        if known and not self._instruments.all(name):
            self._instruments.put(name, known)

    def _open_for_some_account(self, name: str) -> Venue:
        """Open a venue whose account came in by another process of this house. Raises KeyError if it has none."""
        active = self._database.read(trading_accounts.active_accounts)
        account = next((each for each in active if each.venue == name), None)
        if account is None:
            raise KeyError(name)
        return self.open(account)

    def refresh(self, name: str) -> bool:
        """Ask a venue for its instruments and keep them; False if it did not answer: then what was known stays."""
        venue = self._open[name]
        try:
            told = venue.instruments()
        except Unavailable as unavailable:
            _log.warning("instruments_not_refreshed", venue=name, why=str(unavailable))
            self._stale.add(name)
            return False
        if told:
            now = self._clock.now()
            fresh = self._database.write(lambda tx: instrument_store.refresh(tx, name, told, now), name="instruments")
            self._instruments.put(name, fresh)
        self._stale.discard(name)
        self._refreshed_at[name] = self._clock.now()
        return True

    def due_for_refresh(self) -> tuple[str, ...]:
        """Return the venues that are to be asked for their instruments: not told yet, or an hour ago."""
        now = self._clock.now()
        return tuple(
            name
            for name in self
            if name in self._stale or ((at := self._refreshed_at.get(name)) is not None and now - at > _EVERY)
        )

    # ── Prices that somebody asked for ────────────────────────────────────────────────────────────

    def follow_soon(self, name: str, symbol: str) -> None:
        """Let a venue follow a symbol, on another thread: who misses a price may be inside of a transaction."""
        with self._lock:
            if self._follower is None:
                self._follower = threading.Thread(target=self._follow_missed, name="pilothouse-follow", daemon=True)
                self._follower.start()
        self._missed.put((name, symbol))

    def _follow_missed(self) -> None:
        while (wanted := self._missed.get()) is not None:
            name, symbol = wanted
            venue = self._open.get(name)
            if venue is not None:
                try:
                    if self._trades(name, symbol):
                        venue.follow([symbol])
                except PilothouseError as error:
                    _log.warning("symbol_not_followed", venue=name, symbol=symbol, why=str(error))

    def _trades(self, name: str, symbol: str) -> bool:
        """Say whether a venue trades a symbol, as it told this process or another one of this house."""
        if symbol not in self._instruments.all(name):
            known = self._database.read(lambda tx: instrument_store.load(tx, name))
            if symbol not in known:
                return False
            self._instruments.put(name, known)
        return True

    def close_one(self, name: str) -> None:
        """Close a venue that no account needs any more."""
        with self._lock:
            venue = self._open.get(name)
            self._open = {each: one for each, one in self._open.items() if each != name}
            unwatch = self._feeds.pop(name, None)
            self._stale.discard(name)
        if unwatch is not None:
            unwatch()
        if venue is not None:
            venue.close()
            self._quotes.forget(name)

    def close(self) -> None:
        """Close every venue; safe to call twice."""
        self._missed.put(None)
        for name in tuple(self):
            with suppress(KeyError):
                self.close_one(name)
