"""Which candles: venue, symbol and timeframe go in; the name of their lease and of their folder come out. Pure."""

import hashlib
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from pilothouse.core.candle import Candle
from pilothouse.marketdata.timeframes import DAY_MS, Timeframe, timeframe

FUNDING: Final = "funding"
"""In the place of a length: funding rates of a perpetual, which are kept beside its candles."""

_PLAIN: Final = re.compile(r"[A-Z0-9_-]")
_NAME_BYTES_MAX: Final = 120
_BY_MONTH_BELOW_MS: Final = DAY_MS // 24


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """The candles of one length of one instrument at one venue.

    venue       the key of the venue, such as aster or aster@http://127.0.0.1:18100
    symbol      the venue's own name
    timeframe   such as 1m; or FUNDING: its funding rates
    """

    venue: str
    symbol: str
    timeframe: str

    @property
    def each(self) -> Timeframe:
        """Return how long its candles are. Raises Invalid."""
        return timeframe(self.timeframe)

    @property
    def is_funding(self) -> bool:
        """Say whether it is one of funding rates, and not of candles."""
        return self.timeframe == FUNDING

    @property
    def lease(self) -> str:
        """Return the name under which one writer at a time may change it."""
        told = f"{self.venue}\n{self.symbol}\n{self.timeframe}"
        return f"candles:{hashlib.sha256(told.encode()).hexdigest()[:40]}"

    @property
    def folder(self) -> str:
        """Return where its files lie, below the folder of all candles."""
        # 1M is a month and 1m a minute, which are one name where a disk does not tell letters apart.
        length = self.timeframe.replace("M", "mo")
        return f"{safe(self.venue, lower=True)}/{safe(self.symbol)}/{length}"

    def __str__(self) -> str:
        return f"{self.venue} {self.symbol} {self.timeframe}"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A candle that was told twice, differently.

    kept      what was there first
    told      what came later; None: the venue does not tell it any more
    """

    opened_ms: int
    kept: Candle
    told: Candle | None


@dataclass(frozen=True, slots=True)
class RateConflict:
    """A funding rate that was told twice, differently.

    kept      what was there first
    told      what came later; None: the venue does not tell it any more
    """

    opened_ms: int
    kept: Decimal
    told: Decimal | None


def funding_of(venue: str, symbol: str) -> Series:
    """Return the series of the funding rates of an instrument at a venue."""
    return Series(venue, symbol, FUNDING)


def safe(text: str, *, lower: bool = False) -> str:
    """Return `text` as a name that every disk can carry and that no other text has, also where letters are alike.

    lower   small letters are usual in such texts and stay, capitals are written as %41; else it is the other way round
    """
    plain = re.compile(_PLAIN.pattern.replace("A-Z", "a-z")) if lower else _PLAIN
    found = "".join(
        char if plain.match(char) or (char == "." and at) else "".join(f"%{byte:02X}" for byte in char.encode())
        for at, char in enumerate(text)
    )
    if len(found) > _NAME_BYTES_MAX:
        return f"{found[:80].rstrip('%')}~{hashlib.sha256(text.encode()).hexdigest()[:32]}"
    return found or "%"


def part_of(of: Timeframe, opened_ms: int) -> tuple[str, int, int]:
    """Return name, first instant and end of the file in which that candle lies: months for minutes, else years."""
    if 0 < of.span_ms < _BY_MONTH_BELOW_MS:
        start = timeframe("1M").floor(opened_ms)
        return _name(start)[:7], start, timeframe("1M").after(start)
    start = timeframe("12M").floor(opened_ms)
    return _name(start)[:4], start, timeframe("12M").after(start)


def _name(at_ms: int) -> str:
    from_epoch = timeframe("1M")
    count = from_epoch.count(0, at_ms) if at_ms >= 0 else -from_epoch.count(at_ms, 0)
    return f"{1970 + count // 12:04d}-{count % 12 + 1:02d}"
