"""Paper money on a real venue's public prices: its instruments, quotes and funding, and nothing of it but the fills.

The source is any adapter; it needs no key. Every quote it tells meets the orders here in the order in which it came.
Best prices that an order needs, and that do not come by themselves, are asked for; before they are told nothing fills.
"""

import hashlib
import re
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from pilothouse.core.candle import Candle
from pilothouse.core.clock import Clock, micros
from pilothouse.core.errors import Refused, Unavailable, Unknown
from pilothouse.core.funding_rate import FundingRate
from pilothouse.core.instrument import Instrument
from pilothouse.core.quote import Quote
from pilothouse.simulation import outside
from pilothouse.simulation.account import Account, Holding
from pilothouse.simulation.admission import Unfit, contract_of
from pilothouse.simulation.contracts import Contract
from pilothouse.simulation.floor import Changes, Floor
from pilothouse.simulation.orders import Asked, Order, Refusal
from pilothouse.simulation.outside_desk import OutsideDesk
from pilothouse.venues import paper_words as words
from pilothouse.venues.card import Card
from pilothouse.venues.paper import PaperVenue
from pilothouse.venues.paper_durable import DurableFloor
from pilothouse.venues.paper_faults import PaperFaults
from pilothouse.venues.paper_prices import PaperPrices, PriceSource, Seen
from pilothouse.venues.paper_real_card import card_on
from pilothouse.venues.port import AccountEvent, OrderRequest

_WRITE_EVERY: Final = 200
_INSTRUMENTS_AGAIN: Final = timedelta(seconds=30)
_log = structlog.get_logger("pilothouse.venues.paper")


class RealPrices(Refused):
    """The prices are not ours to set."""

    code = "real_prices"


class RealPaper(PaperVenue):
    """Paper accounts on the prices of `source`; safe for many threads. `close()` it: that closes the source too."""

    def __init__(
        self,
        url: str,
        source: PriceSource,
        *,
        clock: Clock,
        witness: Callable[[str], None] | None = None,
        faults: PaperFaults | None = None,
        threaded: bool = True,
    ) -> None:
        """Open the journal at `url` and listen to the prices of what stands in it; asks the source nothing yet.

        threaded   take quotes in and ask for lacking ones on threads of its own; without it, on the caller's, for tests
        """
        self._source = source
        self._latest: dict[str, Quote] = {}
        self._latest_lock = threading.Lock()
        self._followed: set[str] = set()
        self._instruments_at: datetime | None = None
        self._prices = PaperPrices(source, clock, self._meet, threaded=threaded)
        super().__init__(url, clock=clock, witness=witness, faults=faults)
        self._prices.listen()
        self.follow(self._floor.glance(_touched))

    def _open(self, url: str, seed: int, witness: Callable[[str], None] | None) -> DurableFloor:
        blank = partial(Floor, seed, {})
        return DurableFloor(url, clock=self._clock, blank=blank, witness=witness, write_every=_WRITE_EVERY)

    def close(self) -> None:
        """Stop listening, write down where the markets are, and let go of the journal and the source."""
        self._prices.close()
        super().close()
        self._source.close()

    # ── What can be traded ────────────────────────────────────────────────────────────────────────

    @property
    def card(self) -> Card:
        """Return what this venue can do."""
        return self._as_faults_have_it(card_on(self._source.card))

    def instruments(self) -> Sequence[Instrument]:
        """Return what the source trades now, in the settlement currency, and trade it here. Raises Unavailable.

        The currency is that of most instruments at the first time, and stays.
        """
        found = list(self._source.instruments())

        def change(floor: Floor, _: int) -> list[Instrument]:
            if not floor.contracts and found:
                floor.settlement = _most_common(each.quote for each in found)
            offered = []
            for each in found:
                contract = _contract(floor, each)
                if contract is not None:
                    outside.admit(floor, contract)
                    offered.append(contract.instrument)
            return offered

        offered = self._floor.change("paper_instruments", change, lambda offered, _: offered).certain()
        self._instruments_at = self._clock.now()
        return offered

    def quotes(self, symbols: Collection[str] = ()) -> list[Quote]:
        """Ask the source for present prices, and let them meet the orders here. Raises Unavailable."""
        return self._prices.ask(symbols or self._followed)

    def follow(self, symbols: Collection[str]) -> None:
        """Follow the prices of these symbols too; does not wait."""
        fresh = set(symbols) - self._followed
        if fresh:
            self._followed |= fresh
            self._source.follow(sorted(fresh))

    def watch(self, sink: Callable[[Sequence[Quote]], None]) -> Callable[[], None]:
        """Hand what is known to `sink` at once, then every quote as it has met the orders; return what stops it."""
        stop = self._listeners.to_quotes(sink)
        with self._latest_lock:
            known = list(self._latest.values())
        if known:
            sink(known)
        return stop

    def timeframes(self) -> tuple[str, ...]:
        """Return how long candles of the source may be."""
        return self._source.timeframes()

    def candles(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> list[Candle]:
        """Return candles of the source. Raises NotFound or Unavailable."""
        return self._source.candles(symbol, timeframe, start, end)

    def tells_funding(self) -> bool:
        """Say whether past funding rates of the source can be asked for."""
        return self._source.tells_funding()

    def funding_rates(self, symbol: str, start: datetime, end: datetime) -> list[FundingRate]:
        """Return funding rates of the source. Raises NotFound or Unavailable."""
        return self._source.funding_rates(symbol, start, end)

    @property
    def settlement(self) -> str:
        """Return the currency in which every account here is kept. Raises Unavailable before the source told it."""
        if not self._floor.contracts:
            self.instruments()
        return super().settlement

    # ── Orders ────────────────────────────────────────────────────────────────────────────────────

    def make_ready(self, orders: Sequence[OrderRequest], arrived: int) -> None:
        """Ask, once, for what these orders need and nobody has told of late; without it they are refused for now."""
        symbols = {request.terms.symbol for request in orders}
        self._learn(symbols)
        self.follow({symbol for symbol in symbols if symbol in self._floor.contracts})
        self._prices.ask_for_orders(partial(self._unready, orders, arrived))

    def _unready(self, orders: Sequence[OrderRequest], arrived: int) -> set[str]:
        """Return the markets that are not known well enough to take in what arrived then."""
        now = micros(self._clock.now())

        def look(floor: Floor) -> set[str]:
            return {
                terms.symbol
                for terms in (request.terms for request in orders)
                if isinstance(desk := floor.desks.get(terms.symbol), OutsideDesk)
                and not outside.is_ready(desk, now, arrived, waits=terms.type.is_conditional)
            }

        return self._floor.glance(look)

    def _learn(self, symbols: Collection[str]) -> None:
        """Ask for the instruments if one of these is not known, but not again and again."""
        if all(symbol in self._floor.contracts for symbol in symbols):
            return
        asked = self._instruments_at
        if asked is None or self._clock.now() - asked > _INSTRUMENTS_AGAIN:
            with suppress(Unavailable, Unknown):
                self.instruments()

    def take_in(self, floor: Floor, account_id: str, asked: Asked, at: tuple[int, int]) -> Order | Refusal:
        """Let an order arrive, if the market is known well enough for it."""
        return outside.place(floor, account_id, asked, *at)

    def _holding(self, floor: Floor, its: Account, symbol: str) -> Holding:
        outside.settle_in(floor, its, symbol)
        return its.holding(symbol)

    def _known(self, symbol: str) -> None:
        self._learn([symbol])
        super()._known(symbol)

    # ── Time and prices ───────────────────────────────────────────────────────────────────────────

    def step(self, now: datetime) -> None:
        """Pay the funding that is due at `now`. Prices come by themselves; where they lack, they are asked for."""
        instant = micros(now)
        self._prices.ask_for_what_lacks(self._floor.glance(lambda floor: outside.lacking(floor, instant)))

        def change(floor: Floor, _: int) -> None:
            outside.pay_announced(floor, instant)

        def answer(_: None, changes: Changes) -> list[AccountEvent]:
            return words.events(self._floor.contracts, changes)

        self._listeners.tell(self._floor.change("paper_step", change, answer, at_once=False).certain())

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Refuse: the prices are those of a real market. Raises RealPrices."""
        raise RealPrices(f"{symbol} is worth what {self._source.card.title} says, not {price}")

    def _meet(self, batch: Sequence[Seen]) -> None:
        """Let quotes meet the orders; tell what came of it, and the quotes, once all of it is durable."""

        def change(floor: Floor, now: int) -> list[Quote]:
            return [quote for quote, seen in batch if _tell(floor, quote, seen, now)]

        def answer(heard: list[Quote], changes: Changes) -> tuple[list[Quote], list[AccountEvent]]:
            return heard, words.events(self._floor.contracts, changes)

        heard, events = self._floor.change("paper_told", change, answer, at_once=False).certain()
        with self._latest_lock:
            self._latest |= {quote.symbol: quote for quote in heard}
        self._listeners.tell(events)
        self._listeners.tell_quotes(heard)


def _tell(floor: Floor, quote: Quote, seen: int, now: int) -> bool:
    contract = floor.contracts.get(quote.symbol)
    return contract is not None and outside.tell(floor, words.told(contract, quote, seen), now)


def _contract(floor: Floor, instrument: Instrument) -> Contract | None:
    """Return the contract of an instrument, on the grid it has here already; None for one that cannot be kept here."""
    if instrument.quote != floor.settlement:
        return None
    known = floor.contracts.get(instrument.symbol)
    if known is not None:
        instrument = replace(instrument, tick=known.instrument.tick, lot=known.instrument.lot)
    try:
        return contract_of(instrument)
    except Unfit as unfit:
        _log.info("instrument_left_out", symbol=instrument.symbol, why=str(unfit))
        return None


def _touched(floor: Floor) -> set[str]:
    """Return the symbols in which somebody has an order or a position."""
    standing = {symbol for symbol, desk in floor.desks.items() if desk.orders}
    held = {key for account in floor.accounts.values() for key, each in account.holdings.items() if each.lots}
    return standing | held


def _most_common(names: Iterable[str]) -> str:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return min(counts, key=lambda name: (-counts[name], name))


def journal_file(key: str) -> str:
    """Return the name of the journal of a venue key, such as paper-aster: no two keys have the same."""
    safe = re.sub(r"[^a-z0-9.-]+", "_", key.lower())
    return f"{safe}.db" if safe == key else f"{safe[:80]}-{hashlib.blake2b(key.encode(), digest_size=4).hexdigest()}.db"


def open_real_paper(
    key: str,
    source: PriceSource,
    data_dir: Path,
    *,
    clock: Clock,
    witness: Callable[[str], None] | None = None,
    faults: PaperFaults | None = None,
) -> RealPaper:
    """Open paper money on the prices of `source`, with the journal of that venue key in `data_dir`."""
    url = f"sqlite:///{data_dir / journal_file(key)}"
    return RealPaper(url, source, clock=clock, witness=witness, faults=faults)
