"""A market that tells what a test feeds it: the public part of a venue, without a wire."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pilothouse.core.candle import Candle
from pilothouse.core.errors import Unavailable
from pilothouse.core.funding_rate import FundingRate
from pilothouse.core.instrument import Instrument
from pilothouse.core.quote import Quote
from pilothouse.kit.clocks import FrozenClock
from pilothouse.venues.card import Card
from pilothouse.venues.paper_real import RealPaper, journal_file
from tests.slices.venues.paper_house import ACCOUNT, DEPOSIT

KEY = "paper-fed"
BTC = "BTCUSDT"


def instrument(symbol: str = BTC, tick: str = "0.1", lot: str = "0.001", **more: Any) -> Instrument:
    """Return an instrument settled in USDT."""
    about: dict[str, Any] = {
        "symbol": symbol,
        "base": symbol.removesuffix("USDT"),
        "quote": "USDT",
        "tick": Decimal(tick),
        "lot": Decimal(lot),
        "quantity_min": Decimal(lot),
        "quantity_max": Decimal(1_000_000),
        "notional_min": Decimal(5),
        "price_min": Decimal(tick),
        "price_max": Decimal(1_000_000),
        "leverage_max": 50,
    }
    return Instrument(**(about | more))


class Fed:
    """Tells what `feed` is given; `away` says whether it answers questions."""

    def __init__(self, clock: FrozenClock, *instruments: Instrument) -> None:
        """Trade these."""
        self.clock = clock
        self.offered = list(instruments) or [instrument(), instrument("PEPEUSDT", "0.00000001", "1")]
        self.now: dict[str, Quote] = {}
        self.away = False
        self.asked = 0
        self.followed: list[str] = []
        self.sinks: list[Callable[[Sequence[Quote]], None]] = []

    @property
    def card(self) -> Card:
        """Return its name."""
        return Card("fed", "Fed", simulated=False, acceptance_window_s=None)

    def instruments(self) -> Sequence[Instrument]:
        """Return what is offered."""
        self._answer()
        return self.offered

    def quotes(self, symbols: Collection[str] = ()) -> list[Quote]:
        """Return what was fed last."""
        self._answer()
        self.asked += 1
        return [quote for symbol, quote in self.now.items() if symbol in symbols]

    def feed(self, bid: str, ask: str, *, symbol: str = BTC, tell: bool = True, **more: Any) -> Quote:
        """Be at these prices now, and tell it; mark and last lie at the bid unless given."""
        about: dict[str, Any] = {"mark": Decimal(bid), "last": Decimal(bid), "at": self.clock.now(), "source": "fed"}
        quote = Quote(symbol=symbol, bid=Decimal(bid), ask=Decimal(ask), **(about | more))
        self.now[symbol] = quote
        if tell:
            for sink in self.sinks:
                sink([quote])
        return quote

    def watch(self, sink: Callable[[Sequence[Quote]], None]) -> Callable[[], None]:
        """Tell `sink` what is fed."""
        self.sinks.append(sink)
        return lambda: self.sinks.remove(sink)

    def follow(self, symbols: Collection[str]) -> None:
        """Note them."""
        self.followed += symbols

    def timeframes(self) -> tuple[str, ...]:
        """Return one."""
        return ("1m",)

    def candles(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> list[Candle]:
        """Return one that opens at `start`."""
        price = self.now[symbol].last
        return [Candle(start, price, price, price, price, Decimal(1), closed=end > start and timeframe == "1m")]

    def tells_funding(self) -> bool:
        """Have some."""
        return True

    def funding_rates(self, symbol: str, start: datetime, end: datetime) -> list[FundingRate]:
        """Return one that was due at `start`."""
        return [FundingRate(start, Decimal("0.0001"))] if symbol in self.now and start <= end else []

    def close(self) -> None:
        """Be away for ever."""
        self.away = True

    def _answer(self) -> None:
        if self.away:
            raise Unavailable("the fed market does not answer")


@contextmanager
def real_paper(folder: Path, clock: FrozenClock, source: Fed, **more: Any) -> Iterator[RealPaper]:
    """Open paper money on that market with its account, and close it."""
    source.away = False
    url = f"sqlite:///{folder / journal_file(KEY)}"
    venue = RealPaper(url, source, clock=clock, **({"threaded": False} | more))
    try:
        venue.instruments()
        venue.open_account(ACCOUNT, DEPOSIT)
        yield venue
    finally:
        venue.close()
