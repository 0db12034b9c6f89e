"""What goes wrong on a voyage: at the exchange, on the wire, with the clocks, and with the house itself."""

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pilothouse.simexchange.wire_errors import WireError
from pilothouse.simulation.division import divided_even
from tests.voyage.seeded.alerts import LANES, ORDERS, PROTECTED
from tests.voyage.seeded.chance import Chance
from tests.voyage.seeded.sea import SYMBOLS, HouseClock, Sea, There
from tests.voyage.seeded.worlds import BINANCE, SPOT

_ORDER = {"method": "POST", "path": "order"}
_THIN = {"symbol": LANES[ORDERS][0], "type": "MARKET"}
REQUEST_FAULTS: tuple[Mapping[str, Any], ...] = (
    {"kind": "lost", **_ORDER},
    {"kind": "hang", **_ORDER},
    {"kind": "unknown", **_ORDER},
    {"kind": "unknown_undone", **_ORDER},
    {"kind": "timeout", **_ORDER},
    {"kind": "unexpected", **_ORDER},
    {"kind": "unavailable", **_ORDER},
    {"kind": "internal", **_ORDER},
    {"kind": "throttled", **_ORDER},
    {"kind": "reset", **_ORDER},
    {"kind": "silent", **_ORDER},
    {"kind": "gateway", **_ORDER},
    {"kind": "too_many", "value": 2, **_ORDER},
    {"kind": "queued", "value": 900, **_ORDER},
    {"kind": "queued", "value": 7_000, **_ORDER},
    {"kind": "slow", "value": 1_500, **_ORDER},
    {"kind": "slow", "value": 8_000, **_ORDER},
    {"kind": "partial", "value": 30, "where": _THIN, **_ORDER},
    {"kind": "lost", "path": "batchOrders"},
    {"kind": "unknown_undone", "path": "batchOrders"},
    {"kind": "silent", "path": "batchOrders"},
    {"kind": "lost", "method": "DELETE"},
    {"kind": "unknown_undone", "method": "DELETE"},
    {"kind": "internal", "method": "DELETE"},
    {"kind": "hang", "method": "DELETE"},
    {"kind": "unavailable", "method": "GET"},
    {"kind": "gateway", "method": "GET"},
    {"kind": "silent", "method": "GET"},
    {"kind": "reset", "method": "GET"},
    {"kind": "too_many", "value": 3, "method": "GET"},
    {"kind": "banned", "value": 8, "method": "GET"},
    {"kind": "unavailable", "method": "POST", "path": "listenKey"},
    {"kind": "reject_trigger"},
)
STREAM_FAULTS: tuple[Mapping[str, Any], ...] = (
    {"kind": "drop", "stream": True},
    {"kind": "duplicate", "stream": True},
    {"kind": "reorder", "stream": True},
    {"kind": "delay", "stream": True, "value": 900},
)
_ALGO = {"method": "POST", "path": "algoOrder"}
CONDITIONAL_FAULTS: tuple[Mapping[str, Any], ...] = (
    {"kind": "lost", **_ALGO},
    {"kind": "hang", **_ALGO},
    {"kind": "unknown_undone", **_ALGO},
    {"kind": "unexpected", **_ALGO},
    {"kind": "throttled", **_ALGO},
    {"kind": "slow", "value": 1_500, **_ALGO},
    {"kind": "queued", "value": 900, **_ALGO},
)
"""Where conditional orders are asked for elsewhere."""

_PAIR = {"method": "POST", "path": "orderList/oco"}
PAIR_FAULTS: tuple[Mapping[str, Any], ...] = (
    {"kind": "lost", **_PAIR},
    {"kind": "hang", **_PAIR},
    {"kind": "unknown", **_PAIR},
    {"kind": "unknown_undone", **_PAIR},
    {"kind": "unexpected", **_PAIR},
    {"kind": "throttled", **_PAIR},
    {"kind": "slow", "value": 1_500, **_PAIR},
    {"kind": "queued", "value": 900, **_PAIR},
    {"kind": "queued", "value": 7_000, **_PAIR},
    {"kind": "reject", "code": -2010, "text": "Stop price would trigger immediately.", **_PAIR},
)
"""Where stop and target are two orders of which one ends the other."""

_TRADED_BY_HAND = (LANES[PROTECTED][0], LANES[ORDERS][0])
_SOLD_LEAST = 5
_MORE = {BINANCE: CONDITIONAL_FAULTS, SPOT: PAIR_FAULTS}


@dataclass(frozen=True)
class Storm:
    """One thing that may go wrong. `share`: how often it is drawn, against the others."""

    name: str
    share: int
    strike: Callable[[], str]


class Storms:
    """Draws what goes wrong next, and lets it."""

    def __init__(self, chance: Chance, sea: Sea, clock: HouseClock) -> None:
        """Strike at the exchange, the time and the house's clock, as the world says."""
        self._world = sea.world
        self._faults = REQUEST_FAULTS + _MORE.get(sea.world.venue, ())
        self._chance, self._sea, self._clock = chance.of("storms"), sea, clock
        self.struck: Counter[str] = Counter()
        self._all = (
            Storm("request", 12, self._request),
            Storm("stream", 4, self._stream),
            Storm("sockets", 2, self._sockets),
            *(() if sea.world.is_spot else (Storm("listen key", 1, self._listen_key),)),
            Storm("maintenance", 1, self._maintenance),
            Storm("question", 4, self._question),
            Storm("skew", 1, self._skew),
            Storm("clock", 1, self._clock_jumps),
            Storm("price", 4, self._price),
            Storm("by hand", 2, self._by_hand),
            *self._others(),
        )

    def _others(self) -> tuple[Storm, ...]:
        if not self._world.is_shared:
            return ()
        somebody = Storm("somebody else", 2, self._somebody_else)
        return (Storm("somebody else", 8, self._somebody_at_spot),) if self._world.is_spot else (somebody,)

    def strike(self) -> str:
        """Let one more thing go wrong; returns what, in words."""
        storm = self._chance.choices(self._all, [each.share for each in self._all])[0]
        self.struck[storm.name] += 1
        return f"{storm.name}: {storm.strike()}"

    def swell(self) -> str:
        """Let a question go unanswered, or a stream be cut: what costs a house nothing but patience."""
        return self._question() if self._chance.random() < 0.7 else self._sockets()

    def end(self) -> None:
        """Let nothing go wrong any more; the clocks are right again."""
        self._sea.front.faults.clear()
        self._sea.exchange.conditional.trigger_refusals = 0
        self._sea.front.skew_us = 0
        self._clock.off = timedelta(0)
        for one in self._sea.there():
            if one.is_open and one.client_id in self._sea.foreign:
                self._sea.cancel_by_hand(one)

    def _request(self) -> str:
        rule = {**self._chance.choice(self._faults), "times": self._chance.choice((1, 1, 1, 2, 6))}
        self._sea.front.faults.add(rule)
        return str(rule)

    def _stream(self) -> str:
        rule = {**self._chance.choice(STREAM_FAULTS), "times": self._chance.choice((1, 1, 2, 5))}
        self._sea.front.faults.add(rule)
        return str(rule)

    def _sockets(self) -> str:
        return f"{self._sea.hub.drop_all(self._sea.listener)} cut"

    def _listen_key(self) -> str:
        self._sea.exchange.listen_keys.drop(self._sea.account_id)
        return "expired"

    def _maintenance(self) -> str:
        self._sea.hub.drop_all()
        return self._for_a_while({"kind": "maintenance"}, 12)

    def _question(self) -> str:
        """One kind of question is not answered for a while; everything else is."""
        path, kind = self._chance.choice(self._world.questions), self._chance.choice(("unavailable", "gateway", "lost"))
        return f"{path} {kind} {self._for_a_while({'kind': kind, 'method': 'GET', 'path': path}, 30)}"

    def _for_a_while(self, fault: Mapping[str, Any], most_s: float) -> str:
        faults, lasts = self._sea.front.faults, self._chance.uniform(1, most_s)
        faults.add({**fault, "times": -1})
        rule = faults.rules[-1]

        def over() -> None:
            rule.times = 0

        self._sea.later(lasts, over)
        return f"for {lasts:.1f} s"

    def _skew(self) -> str:
        self._sea.front.skew_us = self._chance.randint(-2_000_000, 2_000_000)
        return f"the exchange's clock is off by {self._sea.front.skew_us / 1_000_000:.3f} s"

    def _clock_jumps(self) -> str:
        most = self._chance.choice((0.5, self._world.clock_most_s))
        self._clock.off = timedelta(seconds=self._chance.uniform(-most, most))
        return f"the house's clock is off by {self._clock.off.total_seconds():.3f} s"

    def _price(self) -> str:
        symbol = self._chance.choice(SYMBOLS)
        desk = self._sea.exchange.floor.desks[symbol]
        ppm = self._chance.choice((-1, 1)) * self._chance.choice((2_000, 12_000, 35_000))
        ticks = desk.prices.mark + divided_even(desk.prices.mark * ppm, 1_000_000)
        self._sea.exchange.set_price(symbol, ticks)
        self._sea.hub.beat()
        return f"{symbol} moves by {ppm} ppm"

    def _by_hand(self) -> str:
        """Somebody cancels a stop or a target in the exchange's own screens."""
        standing = [one for one in self._sea.there() if one.is_open and (one.waits or self._is_our_offer(one))]
        if not standing:
            return "nothing stands"
        one = self._chance.choice(standing)
        with contextlib.suppress(WireError):  # it triggers at this moment
            self._sea.cancel_by_hand(one)
        return f"{one.client_id} is cancelled"

    def _is_our_offer(self, one: There) -> bool:
        """Say whether it is a sale of ours that rests where somebody else trades coins, too."""
        is_theirs = one.client_id in self._sea.foreign
        return self._world.is_spot and self._world.is_shared and one.sign < 0 and not is_theirs

    def _somebody_at_spot(self) -> str:
        """Somebody buys coins, sells some or lets some rest in a sale; what a stop keeps is let go for it, at times."""
        chance, coins, lots = self._chance, self._sea.coins, self._chance.randint(5, 15)
        assert coins is not None, "at spot"
        held = [symbol for symbol in _TRADED_BY_HAND if coins.lots(symbol) >= lots]
        what = chance.choice(("buys", "sells", "offers"))
        symbol = held[0] if held else _TRADED_BY_HAND[1]
        kept = [one for one in self._sea.there() if one.is_open and one.symbol == symbol and one.sign < 0]
        ended = 0
        while what != "buys" and coins.free_lots(symbol) < lots <= coins.lots(symbol) and len(kept) > ended:
            if kept[ended].is_open:
                self._sea.cancel_by_hand(kept[ended])
            ended += 1
        free = coins.free_lots(symbol)
        if what == "buys" or free < _SOLD_LEAST:
            symbol, what = LANES[ORDERS][0], "buys"  # who buys where stops are wanted wants one
            name = self._sea.trade_by_hand(symbol, 1, lots)
        elif what == "offers":
            lasts_s, lots = chance.uniform(3, 40), min(lots, free)
            name = self._sea.offer_by_hand(symbol, lots, chance.choice((3_000, 20_000, 90_000)), lasts_s)
        else:
            lots = min(lots, free)
            name = self._sea.trade_by_hand(symbol, -1, lots)
        return f"{name} {what} {lots} lots of {symbol}, {ended} orders ended for it"

    def _somebody_else(self) -> str:
        """Somebody buys or sells in the exchange's own screens, where no alert asks for a whole position."""
        symbol, sign, lots = LANES[ORDERS][0], self._chance.choice((-1, 1)), self._chance.randint(5, 15)
        return f"{self._sea.trade_by_hand(symbol, sign, lots)}: {sign * lots} lots of {symbol}"
