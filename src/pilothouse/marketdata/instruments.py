"""Instruments: taken from a venue, kept in the database, and held in memory for whoever decides."""

import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from pilothouse.core.errors import NotFound
from pilothouse.core.instrument import Instrument
from pilothouse.kit.db import Tx
from pilothouse.marketdata.tables import instruments as table

_NAMES = tuple(Instrument.__dataclass_fields__)
_LOAD = select(*(table.c[name] for name in _NAMES)).where(table.c.venue == bindparam("of_venue"))
_FORGET = delete(table).where(table.c.venue == bindparam("of_venue"))
_INSERT = insert(table)


class InstrumentMissing(NotFound):
    """The venue does not trade this."""

    code = "instrument_missing"


def refresh(tx: Tx, venue: str, instruments: Iterable[Instrument], now: datetime) -> dict[str, Instrument]:
    """Keep `instruments` as everything the venue trades, and return them by symbol; what is not among them is gone.

    Raises ValueError for none at all: a venue that trades nothing has not answered properly.
    """
    fresh = {each.symbol: each for each in instruments}
    if not fresh:
        raise ValueError(f"{venue} named no instrument; what was known stays")
    tx.lock(f"instruments:{venue}")
    tx.execute(_FORGET, {"of_venue": venue})
    rows: list[dict[str, Any]] = [
        {**{name: getattr(each, name) for name in _NAMES}, "venue": venue, "refreshed_at": now}
        for each in fresh.values()
    ]
    tx.execute(_INSERT, rows)
    return fresh


def load(tx: Tx, venue: str) -> dict[str, Instrument]:
    """Return what is known of a venue's instruments, by symbol; empty before the first refresh."""
    found = [Instrument(*row) for row in tx.execute(_LOAD, {"of_venue": venue})]
    return {each.symbol: each for each in sorted(found, key=lambda each: each.symbol)}


class InstrumentBook:
    """All instruments of all venues, in memory; safe to use from several threads."""

    def __init__(self) -> None:
        """Begin empty."""
        self._venues: dict[str, Mapping[str, Instrument]] = {}
        self._lock = threading.Lock()

    def put(self, venue: str, instruments: Mapping[str, Instrument]) -> None:
        """Know `instruments`, by symbol, as everything the venue trades from now on."""
        whole = MappingProxyType(dict(instruments))
        with self._lock:
            self._venues = {**self._venues, venue: whole}

    def get(self, venue: str, symbol: str) -> Instrument:
        """Return one instrument. Raises InstrumentMissing."""
        found = self._venues.get(venue, {}).get(symbol)
        if found is None:
            raise InstrumentMissing(f"{venue} does not trade {symbol[:40]}")
        return found

    def all(self, venue: str) -> Mapping[str, Instrument]:
        """Return everything the venue trades, by symbol; it does not change in the reader's hands."""
        return self._venues.get(venue, {})

    def venues(self) -> tuple[str, ...]:
        """Return the venues that are known."""
        return tuple(self._venues)
