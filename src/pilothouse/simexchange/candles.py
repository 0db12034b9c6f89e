"""Candles of one instrument: a made-up past of a month, then what really trades here; minutes in, any interval out.

Seconds are kept for two hours; those of older minutes are cut out of the minute, so that they always add up to it.
"""

import random
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from pilothouse.simulation.contracts import Contract
from pilothouse.simulation.division import clamped

SECOND = "1s"
SECOND_MS, MINUTE_MS = 1_000, 60_000
PAST_DAYS = 30
PAST_TRADES = 240
"""How many trades a minute of the past had."""

SECONDS_KEPT = 7_200

_UNITS = {"m": MINUTE_MS, "h": 60 * MINUTE_MS, "d": 1_440 * MINUTE_MS}
INTERVALS = {
    text: int(text[:-1]) * _UNITS[text[-1]]
    for text in ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d")
} | {SECOND: SECOND_MS, "1w": 7 * _UNITS["d"], "1M": 0}
"""Text -> milliseconds; a month has its own length each time."""

_MONDAY_MS = 4 * _UNITS["d"]  # 1970 began on a Thursday


class Candle(NamedTuple):
    """One candle: milliseconds, ticks, lots, quote units, counts; `bought` is what takers bought."""

    opened: int
    open: int
    high: int
    low: int
    close: int
    lots: int
    traded: int
    trades: int
    bought_lots: int
    bought: int


def opened_at(interval: str, at_ms: int) -> int:
    """Return when the candle of that instant opened."""
    if interval == "1M":
        day = datetime.fromtimestamp(at_ms // 1_000, UTC)
        return int(day.replace(day=1, hour=0, minute=0, second=0).timestamp()) * 1_000
    span = INTERVALS[interval]
    shift = _MONDAY_MS if interval == "1w" else 0
    return at_ms - (at_ms - shift) % span


def closes_at(interval: str, opened: int) -> int:
    """Return the last millisecond of the candle that opened then."""
    if interval == "1M":
        day = datetime.fromtimestamp(opened // 1_000, UTC)
        after = day.replace(year=day.year + day.month // 12, month=day.month % 12 + 1)
        return int(after.timestamp()) * 1_000 - 1
    return opened + INTERVALS[interval] - 1


class Candles:
    """Minutes of one instrument, oldest first and without a gap."""

    def __init__(self, contract: Contract, seed: int, start_ms: int) -> None:
        self._contract = contract
        self._seed = seed
        self._start = start_ms - start_ms % MINUTE_MS
        self._minutes: list[Candle] = []
        self._live: list[Candle] = []
        self._seconds: deque[Candle] = deque(maxlen=SECONDS_KEPT)

    @property
    def trades_before(self) -> int:
        """Return how many trades the past had."""
        return PAST_DAYS * 1_440 * PAST_TRADES

    @property
    def minutes(self) -> list[Candle]:
        """Return every minute, the open one last; the past is made when it is first asked for."""
        if not self._minutes:
            self._minutes = [*self._past(), *self._live]
            self._live = self._minutes
        return self._minutes

    @property
    def first_ms(self) -> int:
        """Return when the oldest minute opened."""
        return self._start - PAST_DAYS * _UNITS["d"]

    def trade(self, at_ms: int, ticks: int, lots: int, *, is_buy: bool) -> None:
        """Add a trade; minutes in which nothing traded are flat."""
        opened = at_ms - at_ms % MINUTE_MS
        live, seconds = self._live, self._seconds
        traded = lots * ticks * self._contract.unit
        bought_lots, bought = (lots, traded) if is_buy else (0, 0)
        one = Candle(at_ms - at_ms % SECOND_MS, ticks, ticks, ticks, ticks, lots, traded, 1, bought_lots, bought)
        if seconds and seconds[-1].opened >= one.opened:
            seconds[-1] = joined([seconds[-1], one])
        else:
            seconds.append(one)
        if live and live[-1].opened >= opened:
            last = live[-1]
            live[-1] = Candle(
                last.opened, last.open, max(last.high, ticks), min(last.low, ticks), ticks, last.lots + lots,
                last.traded + traded, last.trades + 1, last.bought_lots + bought_lots, last.bought + bought,
            )  # fmt: skip
            return
        before = live[-1].close if live else self._contract.start_ticks
        at = live[-1].opened + MINUTE_MS if live else self._start
        while at < opened:
            live.append(Candle(at, before, before, before, before, 0, 0, 0, 0, 0))
            at += MINUTE_MS
        live.append(Candle(opened, ticks, ticks, ticks, ticks, lots, traded, 1, bought_lots, bought))

    def candles(self, interval: str, start: int | None, end: int | None, limit: int) -> list[Candle]:
        """Return up to `limit` candles from `start` on, or the last ones up to `end`; milliseconds, both included."""
        minutes = self.minutes
        if not minutes:
            return []
        if interval == SECOND:
            return self._by_seconds(start, end, limit)
        first = minutes[0].opened
        last = minutes[-1].opened if end is None else min(end, minutes[-1].opened)
        if start is not None:
            begin = opened_at(interval, max(start, first))
            if begin < start:
                begin = closes_at(interval, begin) + 1
            span = INTERVALS[interval] or 31 * _UNITS["d"]
            last = min(last, begin + span * limit - 1)
        else:
            span = INTERVALS[interval] or 31 * _UNITS["d"]
            begin = opened_at(interval, max(first, last - span * (limit - 1)))
        lower = max(0, (begin - first) // MINUTE_MS)
        upper = max(0, (closes_at(interval, opened_at(interval, last)) - first) // MINUTE_MS + 1)
        found = list(_merged(interval, minutes[lower:upper])) if last >= begin else []
        return found[:limit] if start is not None else found[-limit:]

    def _by_seconds(self, start: int | None, end: int | None, limit: int) -> list[Candle]:
        """Return seconds; in those without a trade nothing moves."""
        minutes = self.minutes
        first, newest = minutes[0].opened, self._seconds[-1].opened
        last = newest if end is None else min(end - end % SECOND_MS, newest)
        if start is None:
            begin = max(first, last - SECOND_MS * (limit - 1))
        else:
            begin = max(first, start + -start % SECOND_MS)
            last = min(last, begin + SECOND_MS * (limit - 1))
        if last < begin:
            return []
        lower = (begin - first) // MINUTE_MS
        found = [
            second
            for minute in minutes[lower : (last - first) // MINUTE_MS + 1]
            for second in self._seconds_of(minute, minutes[max(0, (minute.opened - first) // MINUTE_MS - 1)].close)
        ]
        return [each for each in found if begin <= each.opened <= last]

    def _seconds_of(self, minute: Candle, before: int) -> list[Candle]:
        """Return the sixty seconds of a minute; `before` is where the market closed before it, ticks."""
        # A deque that is full may have lost the first seconds of its first minute.
        kept_from = self._seconds[0].opened + (MINUTE_MS if len(self._seconds) == SECONDS_KEPT else 0)
        if minute.opened + MINUTE_MS <= kept_from:
            return _cut(minute)
        traded = {each.opened: each for each in self._seconds if 0 <= each.opened - minute.opened < MINUTE_MS}
        found = []
        for opened in range(minute.opened, minute.opened + MINUTE_MS, SECOND_MS):
            one = traded.get(opened) or Candle(opened, before, before, before, before, 0, 0, 0, 0, 0)
            found.append(one)
            before = one.close
        return found

    def day(self, at_ms: int) -> Candle:
        """Return the last 24 hours as one candle."""
        minutes = self.minutes[-1_440:]
        if not minutes:
            price = self._contract.start_ticks
            return Candle(at_ms, price, price, price, price, 0, 0, 0, 0, 0)
        return joined(minutes)

    def _past(self) -> Iterator[Candle]:
        """Make the minutes before the exchange began: a walk that ends where its market starts."""
        draw = random.Random(f"{self._seed}|{self._contract.symbol}|past")  # the same seed is the same past
        contract, close = self._contract, self._contract.start_ticks
        found = []
        for back in range(1, PAST_DAYS * 1_440 + 1):
            bits = draw.getrandbits(64)
            drawn = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) - 65_535
            shock = drawn * contract.sigma_ppb // 1_726  # 15.5 steps' worth of a triangle with sigma 26,755
            opened = close - close * shock // 1_000_000_000
            opened += (contract.start_ticks - opened) // 2_000
            opened = clamped(opened, contract.start_ticks // 2, contract.start_ticks * 2)
            reach = 1 + close * contract.sigma_ppb * (bits >> 32 & 0x7) // 1_000_000_000
            high, low = max(opened, close) + reach, min(opened, close) - reach
            lots = 10 * contract.flow_min + (bits >> 40 & 0xFFF) * contract.flow_max // 256
            bought = lots * (40 + (bits >> 56) % 21) // 100
            each = (opened + close) // 2 * contract.unit
            at = self._start - back * MINUTE_MS
            found.append(Candle(at, opened, high, low, close, lots, lots * each, PAST_TRADES, bought, bought * each))
            close = opened
        return reversed(found)


def _merged(interval: str, minutes: list[Candle]) -> Iterator[Candle]:
    """Join minutes into the candles of an interval."""
    part: list[Candle] = []
    ends = -1
    for minute in minutes:
        if minute.opened > ends:
            if part:
                yield joined(part, opened_at(interval, part[0].opened))
            part, ends = [], closes_at(interval, opened_at(interval, minute.opened))
        part.append(minute)
    if part:
        yield joined(part, opened_at(interval, part[0].opened))


def _cut(minute: Candle) -> list[Candle]:
    """Cut a minute into seconds that add up to it: open, then one extreme, then the other, then close."""
    turns = (minute.open, minute.low, minute.high, minute.close)
    if minute.close < minute.open:
        turns = (minute.open, minute.high, minute.low, minute.close)
    at = [turns[i // 20] + (turns[i // 20 + 1] - turns[i // 20]) * (i % 20) // 20 for i in range(60)] + [minute.close]
    shares = [
        [whole * (i + 1) // 60 - whole * i // 60 for i in range(60)]
        for whole in (minute.lots, minute.traded, minute.trades, minute.bought_lots, minute.bought)
    ]
    return [
        Candle(
            minute.opened + i * SECOND_MS, at[i], max(at[i], at[i + 1]), min(at[i], at[i + 1]), at[i + 1],
            *(share[i] for share in shares),
        )
        for i in range(60)
    ]  # fmt: skip


def joined(minutes: list[Candle], opened: int | None = None) -> Candle:
    """Return one candle for minutes, at least one, that follow on each other; it opens with the first unless told."""
    return Candle(
        minutes[0].opened if opened is None else opened,
        minutes[0].open,
        max(each.high for each in minutes),
        min(each.low for each in minutes),
        minutes[-1].close,
        sum(each.lots for each in minutes),
        sum(each.traded for each in minutes),
        sum(each.trades for each in minutes),
        sum(each.bought_lots for each in minutes),
        sum(each.bought for each in minutes),
    )
