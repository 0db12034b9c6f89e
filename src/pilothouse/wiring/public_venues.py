"""Venues for their public prices alone: a key goes in, the open venue comes out. No account is needed for it."""

import threading
from collections.abc import Callable, Mapping

from pilothouse.core.errors import Refused
from pilothouse.core.instrument import Instrument
from pilothouse.kit.sealed import Secret
from pilothouse.venues import symbols
from pilothouse.venues.keys import VenueKey
from pilothouse.venues.opening import Accounts
from pilothouse.venues.port import Venue, VenueAccount

Opener = Callable[[VenueKey, Accounts], Venue]
"""(key, accounts that can sign there) -> the open venue; raises Refused"""


class NoCredential(Refused):
    """A venue that was opened for its prices was asked to sign."""

    code = "no_credential"


class PublicVenues:
    """Venues by their key: one that trades here is taken as it is, any other is opened without an account.

    Safe for many threads. What was opened here is closed here.
    """

    def __init__(self, trading: Mapping[str, Venue], opener: Opener) -> None:
        """Look among `trading` first; open others with `opener`."""
        self._trading = trading
        self._opener = opener
        self._open: dict[str, Venue] = {}
        self._instruments: dict[str, list[Instrument]] = {}
        self._lock = threading.Lock()

    def __call__(self, name: str) -> Venue:
        """Return the venue of a key. Raises Invalid, VenueUnknown or another Refused."""
        key = VenueKey.parse(name)
        if str(key) in self._trading:
            return self._trading[str(key)]
        with self._lock:
            if str(key) not in self._open:
                self._open[str(key)] = self._opener(key, Accounts(_refuse, list))
            return self._open[str(key)]

    def symbol(self, name: str, text: str) -> str:
        """Return the venue's own name of an instrument, however it is spelled; asks the venue once what it trades.

        Raises SymbolUnknown, SymbolAmbiguous, Unavailable, or as opening does.
        """
        if name not in self._instruments:
            self._instruments[name] = list(self(name).instruments())
        return symbols.resolve(text, self._instruments[name]).symbol

    def close(self) -> None:
        """Close what was opened here. Safe to call twice."""
        with self._lock:
            opened, self._open = self._open, {}
        for venue in opened.values():
            venue.close()


def _refuse(_: VenueAccount) -> Mapping[str, Secret]:
    raise NoCredential("this venue was opened for its public prices: it signs nothing")
