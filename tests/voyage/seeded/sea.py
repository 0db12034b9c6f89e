"""What is outside of the house: the one time that all clocks follow, and the simulated exchange that lives in it.

Time moves only when it is told to; then the exchange makes the steps that have come due, and what waits for an instant
happens at it.
"""

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from pilothouse.core.clock import Tick
from pilothouse.kit.clocks import FrozenClock
from pilothouse.simexchange.candles import Candle, Candles
from pilothouse.simexchange.clock import ExchangeClock
from pilothouse.simexchange.exchange import SPOT, Exchange
from pilothouse.simexchange.front import Front
from pilothouse.simexchange.keys import ApiKey
from pilothouse.simexchange.order_intake import Wanted
from pilothouse.simexchange.records import AccountFile, Algo, Told
from pilothouse.simexchange.streams import Hub
from pilothouse.simulation.contracts import CONTRACTS, UNITS_PER_QUOTE, Contract
from pilothouse.simulation.division import divided_even
from pilothouse.simulation.spot_orders import SpotOrder
from tests.voyage.seeded.coins import Coins
from tests.voyage.seeded.worlds import API_KEY, API_SECRET, ASTER, FIRST, WALLET, World

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
THIN_AT = ("BTCUSDT", "ETHUSDT")
"""There, orders fill in parts."""

STRIDE_S = 0.25
BEAT_S = 2.0
"""What streams tell by the clock, such as the prices of a day, they tell this often: it costs much."""


@dataclass(frozen=True, slots=True)
class There:
    """One order at the exchange, whichever way it keeps it; lots.

    of      what it is kept as
    kind    its type in the exchange's words
    waits   for a trigger
    """

    of: Told | Algo | SpotOrder
    kind: str
    client_id: str
    symbol: str
    sign: int
    lots: int
    filled: int
    is_open: bool
    waits: bool
    trails: bool
    is_stop: bool
    reduce_only: bool
    closes: bool
    status: str


class Sea:
    """Time and the exchange."""

    def __init__(self, seed: int, world: World = FIRST) -> None:
        """Begin at START with one funded account."""
        self.world = world
        self.time = FrozenClock(START)
        contracts = {
            symbol: _thinned(CONTRACTS[symbol]) if symbol in THIN_AT else CONTRACTS[symbol] for symbol in SYMBOLS
        }
        self.exchange = Exchange(ExchangeClock(self.time), seed=seed, contracts=contracts)
        for symbol, contract in contracts.items():
            self.exchange.candles[symbol] = _WithoutPast(contract, seed, self.exchange.started // 1_000)
        self.front = Front(self.exchange, profile=world.profile)
        self.hub = Hub(self.exchange, self.front.faults, lambda ms, what: self.later(ms / 1_000, what))
        self.account_id = world.account_id
        if world.venue == ASTER:
            self.front.add_wallet(WALLET, self.account_id)
        else:
            self.front.add_api_key(ApiKey(API_KEY, API_SECRET, self.account_id))
        self.coins = Coins(self.exchange, self.account_id) if world.is_spot else None
        self.listener = SPOT + self.account_id if world.is_spot else self.account_id
        self.foreign: set[str] = set()
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._beats_at = 0.0

    @property
    def file(self) -> AccountFile:
        """Return what the exchange has of our account."""
        return self.exchange.files[self.account_id]

    def there(self) -> list[There]:
        """Return every order of our account, oldest first; a conditional one and what it made are one."""
        if self.coins is not None:
            return [_of_spot(order) for order in self.coins.orders()]
        made = [_of_told(told) for told in self.file.orders.values() if not told.conditional]
        return made + [_of_algo(algo) for algo in self.file.algos.values()]

    def count(self) -> int:
        """Return how many orders our account has made."""
        if self.coins is not None:
            return len(self.coins.account.orders)
        return len(self.file.orders) + len(self.file.algos)

    def held_lots(self, symbol: str) -> int:
        """Return what our account holds of an instrument, whole lots, signed."""
        if self.coins is not None:
            return self.coins.lots(symbol)
        return self.exchange.floor.accounts[self.account_id].holding(symbol).lots

    def held(self, symbol: str) -> Decimal:
        """Return the same in base currency, with what is no whole lot."""
        instrument = CONTRACTS[symbol].instrument
        return self.coins.of(instrument.base) if self.coins is not None else instrument.lot * self.held_lots(symbol)

    def money(self) -> Decimal:
        """Return what is in the wallet of our account."""
        if self.coins is not None:
            return self.coins.money()
        return Decimal(self.exchange.floor.accounts[self.account_id].wallet) / UNITS_PER_QUOTE

    def fills(self) -> "Counter[tuple[Any, ...]]":
        """Return every trade of our account: symbol, number, side, price, quantity, commission, result."""
        if self.coins is not None:
            return Counter(self.coins.fills())
        grids = self.exchange.grids
        return Counter(
            (
                fill.symbol, str(fill.trade), "BUY" if fill.sign > 0 else "SELL",
                Decimal(grids[fill.symbol].price(fill.price)), Decimal(grids[fill.symbol].quantity(fill.lots)),
                Decimal(fill.commission) / UNITS_PER_QUOTE, Decimal(fill.realised) / UNITS_PER_QUOTE,
            )
            for fill in self.file.fills
        )  # fmt: skip

    def trade_by_hand(self, symbol: str, sign: int, lots: int) -> str:
        """Buy or sell as somebody does who uses the exchange's own screens; returns the order's client id.

        Of coins that are not free, nothing can be sold: then it is empty.
        """
        if self.coins is not None:
            made = self._of_coins(symbol, sign, lots)
            return made.client_id if made is not None else ""
        wanted = Wanted(
            symbol, sign, "BOTH", "MARKET", "GTC", lots, None, None, None, False, False, "CONTRACT_PRICE", False, "",
            "NONE", "EXPIRE_MAKER", 0,
        )  # fmt: skip
        told = self.exchange.place(self.file, wanted)
        self.foreign.add(told.order.client_id)
        return told.order.client_id

    def offer_by_hand(self, symbol: str, lots: int, above_ppm: int, lasts_s: float) -> str:
        """Let coins rest in a sale above the market for a while, as the same somebody does; empty if none are free."""
        mark = self.exchange.floor.desks[symbol].prices.mark
        made = self._of_coins(symbol, -1, lots, mark + divided_even(mark * above_ppm, 1_000_000))
        if made is None or self.coins is None:
            return ""
        self.later(lasts_s, partial(self.coins.end, made))
        return made.client_id

    def _of_coins(self, symbol: str, sign: int, lots: int, ticks: int | None = None) -> SpotOrder | None:
        assert self.coins is not None, "at spot"
        name = f"somebody{len(self.foreign)}"
        made = self.coins.trade(symbol, sign, lots, name, ticks=ticks)
        if made is not None:
            self.foreign.add(name)
        return made

    def cancel_by_hand(self, one: There) -> None:
        """End an order that stands, as the same somebody does."""
        if isinstance(one.of, SpotOrder):
            assert self.coins is not None, "it is of its account"
            self.coins.end(one.of)
        elif isinstance(one.of, Algo):
            self.exchange.conditional.end(self.file, one.of, "CANCELED")
        else:
            self.exchange.cancel(one.of)

    def now(self) -> float:
        """Return the seconds that have passed."""
        return self.time.monotonic()

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Let something happen after so many seconds."""
        heapq.heappush(self._later, (self.now() + seconds, next(self._numbers), what))

    def next_at(self) -> float:
        """Return when the next of these things happens."""
        return self._later[0][0] if self._later else float("inf")

    def pass_time(self, seconds: float) -> None:
        """Go on by so many seconds, in strides that are short enough for the market to be seen moving."""
        until = self.now() + seconds
        while True:
            at = min(until, self.next_at(), self.now() + STRIDE_S)
            if at > self.now():
                self.time.advance(timedelta(microseconds=max(1, round((at - self.now()) * 1_000_000))))
            while self._later and self._later[0][0] <= self.now():
                heapq.heappop(self._later)[2]()
            if self.exchange.run() and self.now() >= self._beats_at:
                self._beats_at = self.now() + BEAT_S
                self.hub.beat()
            if self.now() >= until:
                return


def _of_told(told: Told) -> There:
    order = told.order
    waits = order.stop is not None or order.trail is not None
    return There(
        told, told.kind, order.client_id, order.symbol, order.sign, order.lots, order.filled, order.is_open, waits,
        order.trail is not None, order.type.value.startswith("STOP"), order.reduce_only, order.closes,
        str(order.status),
    )  # fmt: skip


def _of_algo(algo: Algo) -> There:
    made = algo.actual
    return There(
        algo, algo.kind, algo.client_id, algo.symbol, algo.sign, algo.lots, made.filled if made is not None else 0,
        algo.is_open or (made is not None and made.is_open), True, algo.trail is not None,
        algo.kind.startswith(("STOP", "TRAILING")), algo.reduce_only or algo.closes, algo.closes, algo.status,
    )  # fmt: skip


def _of_spot(order: SpotOrder) -> There:
    waits = order.stop is not None
    is_bound = order.sign < 0 and (waits or bool(order.list_id))
    return There(
        order, order.kind, order.client_id, order.symbol, order.sign, order.lots, order.filled, order.is_open,
        waits or bool(order.list_id), False, order.kind.startswith("STOP"), is_bound, False, order.word,
    )  # fmt: skip


def _thinned(contract: Contract) -> Contract:
    """Return the same with few lots on each level."""
    return replace(contract, depth_min=15, depth_max=90, flow_min=3, flow_max=40)


class _WithoutPast(Candles):
    """Minutes from the beginning of the voyage on: nobody asks for those before, and to make them takes long."""

    def _past(self) -> Iterator[Candle]:
        return iter(())


class HouseClock:
    """The clock of the house: it shows the time of the sea, and may be wrong by `off`."""

    def __init__(self, sea: Sea) -> None:
        """Show the right time at first."""
        self._sea = sea
        self.off = timedelta(0)

    def now(self) -> datetime:
        """Return what the clock shows."""
        return self._sea.time.now() + self.off

    def monotonic(self) -> float:
        """Return seconds that nobody sets."""
        return self._sea.time.monotonic()

    def tick(self) -> Tick:
        """Return what the machine counts since it was started."""
        return self._sea.time.tick()
