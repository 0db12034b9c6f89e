"""The oracle: one instrument, bar by bar, in decimals and plain objects, slowly and as it would be told to a person.

What a kernel says must equal this to the unit. It was written from the rules (the head of `kernels/bars.py`), not from
the kernel, and shares no line with it nor with `simulation`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from itertools import pairwise
from math import ceil, floor, sqrt

_EXACT = Context(prec=60)
_ONE = Decimal(1)
_PPM, _PPB = Decimal(1_000_000), Decimal(1_000_000_000)


@dataclass(frozen=True, slots=True)
class Candle:
    """Prices in ticks, volume in lots."""

    open: int
    high: int
    low: int
    close: int
    volume: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided at the close of a bar; distances in ticks, 0 for those of the rules; weight in 10^-9."""

    long: bool = False
    short: bool = False
    leave_long: bool = False
    leave_short: bool = False
    limit: int = 0
    stop: int = 0
    take: int = 0
    trail: int = 0
    weight: int = 10**9


@dataclass(frozen=True, slots=True)
class Told:
    """The rules of a run, named as in `kernels.bars.Rulebook`; `targets` are pairs of ppm and share in 10^-9."""

    rules: dict[str, int]
    targets: Sequence[tuple[int, int]] = ()
    funding: Sequence[tuple[int, int]] = ()

    def __getattr__(self, name: str) -> int:
        return self.rules[name]


@dataclass(slots=True)
class Held:
    """An open position. `paid` is what it cost, fees apart."""

    side: int
    quantity: int
    paid: Decimal
    fees: Decimal
    since: int
    entry: int
    first: int
    decided: int
    stop: int
    trail: int
    take: int
    best: int
    funding: Decimal = Decimal(0)
    against: int = 0
    favour: int = 0
    reached: int = 0
    at_entry: bool = False
    adds: int = 0


@dataclass(slots=True)
class Story:
    """What happened: fills and trades as the kernel writes them, equity at each close."""

    fills: list[tuple[int, ...]] = field(default_factory=list)
    trades: list[tuple[int, ...]] = field(default_factory=list)
    equity: list[int] = field(default_factory=list)
    exposed: int = 0


def _up(value: Decimal) -> Decimal:
    return value.to_integral_value(ROUND_CEILING)


def _down(value: Decimal) -> Decimal:
    return value.to_integral_value(ROUND_FLOOR)


class Reference:
    """Trades one instrument; everything is exact, and every rounding is against the trader."""

    def __init__(self, candles: Sequence[Candle], decisions: Sequence[Decision], told: Told) -> None:
        """Begin with the cash that was told."""
        self._bars, self._decisions, self._told = candles, decisions, told
        self._cash = Decimal(told.cash)
        self._held: Held | None = None
        self._story = Story()
        self._last_exit: int | None = None
        self._leaving: str | None = None
        self._opening: tuple[int, int] | None = None  # signed lots still wanted, and when that was decided
        self._resting: tuple[int, int, int, int] | None = None  # signed lots, price, decided, until
        self._results: list[Decimal] = []

    def run(self) -> Story:
        """Return what happened."""
        for bar in range(len(self._bars)):
            self._pay_funding(bar)
            if not self._told.at_close:
                self._at_market(bar, bar - 1 - self._told.delay, self._bars[bar].open, at_open=True)
            else:
                self._at_market(bar, None, self._bars[bar].open, at_open=True)
            fresh = self._fill_resting(bar)
            if self._held is not None:
                self._story.exposed += 1
                self._guard(bar, fresh=fresh)
            self._look(bar, fresh=fresh)
            if self._told.at_close:
                self._at_market(bar, bar, self._bars[bar].close, at_open=False)
            self._story.equity.append(int(self._equity(self._bars[bar].close)))
        self._close_the_book()
        return self._story

    # ── Money ─────────────────────────────────────────────────────────────────────────────────────

    def _equity(self, price: int) -> Decimal:
        held = self._held
        return self._cash + (held.side * held.quantity * Decimal(price) if held else 0)

    def _taker_price(self, price: int, *, buys: bool, quantity: int, bar: int) -> int:
        told, volume = self._told, self._bars[bar].volume
        ppm = told.slip_ppm
        if told.volume_slip_ppm or told.impact_ppm:
            taken = min(quantity / volume, 1.0) if volume > 0 else 1.0
            ppm += ceil(told.volume_slip_ppm * taken + told.impact_ppm * sqrt(taken))
        worse = int(_up(Decimal(price) * ppm / _PPM)) + told.spread_ticks
        return price + worse if buys else max(price - worse, 1)

    def _pay_funding(self, bar: int) -> None:
        held = self._held
        if held is None:
            return
        value = Decimal(held.quantity) * self._bars[bar].open
        amounts = [-held.side * value * rate / _PPB for due, rate in self._told.funding if due == bar]
        if held.side < 0 and self._told.borrow_ppb:
            amounts.append(-value * self._told.borrow_ppb / _PPB)
        for amount in amounts:
            whole = _down(amount)
            self._cash += whole
            held.funding += whole

    # ── Decisions ─────────────────────────────────────────────────────────────────────────────────

    def _at_market(self, bar: int, decided: int | None, price: int, *, at_open: bool) -> None:
        told, held = self._told, self._held
        decision = Decision()
        if decided is not None and decided >= max(told.warm_up, 0):
            decision = self._decisions[decided]
        if at_open and held and told.bars_most and bar - held.since >= told.bars_most and self._leaving is None:
            self._leaving = "time"
        if any((decision.long, decision.short, decision.leave_long, decision.leave_short)):
            assert decided is not None, "somebody decided"
            self._hear(bar, decided, decision, at_open=at_open)
        room = None
        if told.volume_share_ppm:
            room = int(_down(Decimal(self._bars[bar].volume) * told.volume_share_ppm / _PPM))
            room -= room % told.lot_multiple
        if self._leaving is not None and self._held is not None:
            quantity = self._held.quantity if room is None else min(self._held.quantity, room)
            if quantity:
                paid = self._taker_price(price, buys=self._held.side < 0, quantity=quantity, bar=bar)
                self._leave(bar, quantity, paid, self._leaving, told.taker_ppb)
                room = None if room is None else room - quantity
        if self._held is None:
            self._leaving = None
        if self._opening is not None and self._leaving is None:
            self._open(bar, price, room)

    def _hear(self, bar: int, decided: int, decision: Decision, *, at_open: bool) -> None:
        told, held = self._told, self._held
        long = decision.long and bool(told.sides & 1)
        short = decision.short and bool(told.sides & 2)
        if held and held.side > 0 and (decision.leave_long or decision.short):
            self._leaving = "flip" if short and told.flips else "signal"
        if held and held.side < 0 and (decision.leave_short or decision.long):
            self._leaving = "flip" if long and told.flips else "signal"
        side = (1 if long else -1) if long != short else 0
        if side and held:
            again = held.side == side
            if (
                (held.adds >= told.pyramiding or self._leaving is not None)
                if again
                else not told.flips or told.cooldown
            ):
                side = 0
        elif side and self._last_exit is not None and bar - self._last_exit <= told.cooldown:
            side = 0
        if side or decision.leave_long or decision.leave_short:
            self._opening = self._resting = None
        if not side:
            return
        # What an account was worth when the decision was taken.
        worth = Decimal(self._story.equity[decided]) if at_open else self._equity(self._bars[bar].close)
        asked = decision.limit or self._bars[decided].close
        size = self._size(decided, decision, worth, asked, side)
        if size:
            if decision.limit:
                self._resting = (side * size, decision.limit, decided, bar + told.limit_bars)
            else:
                self._opening = (side * size, decided)

    def _size(self, decided: int, decision: Decision, worth: Decimal, asked: int, side: int) -> int:
        told, held = self._told, self._held
        if worth <= 0:
            return 0
        wanted = self._by_rule(decided, decision, worth, asked)
        if decision.weight < 10**9:
            wanted = _down(wanted * decision.weight / _PPB)
        if told.leverage:
            affords = _down(_EXACT.divide(worth * told.leverage, Decimal(asked)))
            if held and held.side == side:
                affords -= held.quantity
            wanted = min(wanted, affords)
        lots = int(wanted)
        lots -= lots % told.lot_multiple
        enough = lots >= told.lots_min and lots > 0 and lots * asked >= told.notional_min
        return lots if enough else 0

    def _by_rule(self, decided: int, decision: Decision, worth: Decimal, asked: int) -> Decimal:
        told = self._told
        match told.size_by:
            case 0:
                return Decimal(told.size_value)
            case 1:
                return _down(_EXACT.divide(Decimal(told.size_value), Decimal(asked)))
            case 2:
                return _down(_EXACT.divide(_down(worth * told.size_value / _PPB), Decimal(asked)))
            case 3:
                risked = decision.stop or (self._away(asked, told.stop_ppm) if told.stop_ppm else 0)
                if not risked:
                    return Decimal(0)
                return _down(_EXACT.divide(_down(worth * told.size_value / _PPB), Decimal(risked)))
            case 4:
                return self._by_volatility(decided, worth, asked)
            case _:
                return _down(_EXACT.divide(_down(worth * min(self._kelly(), told.size_value) / _PPB), Decimal(asked)))

    def _by_volatility(self, decided: int, worth: Decimal, asked: int) -> Decimal:
        count = self._told.size_lookback
        if decided < count:
            return Decimal(0)
        closes = [bar.close for bar in self._bars[decided - count : decided + 1]]
        # Floats may advise: added up in the order of time, as anybody would.
        total = squares = 0.0
        for before, after in pairwise(closes):
            step = after / before - 1.0
            total += step
            squares += step * step
        variance = (squares - total * total / count) / (count - 1)
        if variance <= 0.0:
            return Decimal(0)
        return Decimal(floor(int(worth) * (self._told.size_value / 1e9) / sqrt(variance) / asked))

    def _kelly(self) -> int:
        won = [int(each) for each in self._results if each > 0]
        lost = [-int(each) for each in self._results if each < 0]
        if not won:
            return 0
        if not lost:
            return 10**9
        rate = len(won) / (len(won) + len(lost))
        payoff = (sum(won) / len(won)) / (sum(lost) / len(lost))
        return max(floor((rate - (1.0 - rate) / payoff) * 1e9), 0)

    @staticmethod
    def _away(price: int, ppm: int) -> int:
        return max(int(_down(Decimal(price) * ppm / _PPM)), 1)

    # ── Positions ─────────────────────────────────────────────────────────────────────────────────

    def _open(self, bar: int, price: int, room: int | None) -> None:
        assert self._opening is not None, "something is wanted"
        wanted, decided = self._opening
        quantity = abs(wanted) if room is None else min(abs(wanted), room)
        side = 1 if wanted > 0 else -1
        if quantity == 0 or (self._held is not None and self._held.side != side):
            return
        paid = self._taker_price(price, buys=side > 0, quantity=quantity, bar=bar)
        self._enter(bar, side, quantity, paid, decided, self._told.taker_ppb, resting=0)
        left = wanted - side * quantity
        self._opening = (left, decided) if left else None

    def _enter(
        self, bar: int, side: int, quantity: int, price: int, decided: int, fee_ppb: int, *, resting: int
    ) -> None:
        value = Decimal(quantity) * price
        fee = _up(value * fee_ppb / _PPB)
        self._cash -= side * value + fee
        self._story.fills.append((bar, side * quantity, price, int(fee), 0, resting))
        held = self._held
        if held is None:
            told, decision = self._told, self._decisions[decided]
            self._held = Held(
                side, quantity, value, fee, bar, price, quantity, decided,
                stop=decision.stop or (self._away(price, told.stop_ppm) if told.stop_ppm else 0),
                trail=decision.trail or (self._away(price, told.trail_ppm) if told.trail_ppm else 0),
                take=decision.take, best=price,
            )  # fmt: skip
            return
        if resting or decided != held.decided:
            held.adds += 1
        held.decided = decided
        held.quantity += quantity
        held.first += quantity
        held.paid += value
        held.fees += fee

    def _leave(self, bar: int, quantity: int, price: int, why: str, fee_ppb: int) -> None:
        held = self._held
        assert held is not None, "something is held"
        value = Decimal(quantity) * price
        fee = _up(value * fee_ppb / _PPB)
        rest = quantity == held.quantity
        paid, fees, funding = (
            each if rest else _toward_zero(each * quantity / held.quantity)
            for each in (held.paid, held.fees, held.funding)
        )
        result = held.side * (value - paid) - fee - fees + funding
        self._cash += held.side * value - fee
        self._results.append(result)
        reason = _REASONS.index(why)
        self._story.fills.append((bar, -held.side * quantity, price, int(fee), reason, 0))
        self._note(bar, quantity, paid, value, fee + fees, funding, reason)
        held.paid -= paid
        held.fees -= fees
        held.funding -= funding
        held.quantity -= quantity
        if held.quantity == 0:
            self._held, self._last_exit, self._leaving = None, bar, None

    def _note(
        self, bar: int, quantity: int, paid: Decimal, value: Decimal, fees: Decimal, funding: Decimal, reason: int
    ) -> None:
        held = self._held
        assert held is not None, "something is held"
        self._story.trades.append((
            held.since, bar, held.side * quantity, int(paid), int(value), int(fees), int(funding), reason,
            held.against, held.favour, held.decided,
        ))  # fmt: skip

    def _fill_resting(self, bar: int) -> bool:
        if self._resting is None:
            return False
        wanted, price, decided, until = self._resting
        held, candle = self._held, self._bars[bar]
        if bar >= until or (held is not None and held.side * wanted < 0):
            self._resting = None
            return False
        if (candle.low >= price) if wanted > 0 else (candle.high <= price):
            return False
        self._resting = None
        side = 1 if wanted > 0 else -1
        self._enter(bar, side, abs(wanted), price, decided, self._told.maker_ppb, resting=1)
        return True

    # ── Protection ────────────────────────────────────────────────────────────────────────────────

    def _closest(self, held: Held) -> tuple[int, str] | None:
        """Return the stop that the price meets first, and what it is."""
        told, found = self._told, []
        if held.stop:
            found.append((max(held.entry - held.side * held.stop, 1), "stop"))
        if held.at_entry:
            found.append((held.entry, "break_even"))
        gone = (held.best - held.entry) * held.side
        if held.trail and (not told.trail_after_ppm or gone >= self._away(held.entry, told.trail_after_ppm)):
            found.append((max(held.best - held.side * held.trail, 1), "trail"))
        ruin = self._ruin(held)
        best = None
        for level, name in found:
            if best is None or (level - best[0]) * held.side > 0:
                best = (level, name)
        if ruin is not None and (best is None or (ruin - best[0]) * held.side >= 0):
            best = (ruin, "liquidation")
        return best

    def _ruin(self, held: Held) -> int | None:
        """Return the price at which what is left meets maintenance, None where no price above zero does."""
        told = self._told
        if told.margin == 0:
            return None
        if told.margin == 1:
            owed = -held.side * self._cash
        else:
            owed = held.paid - held.side * _down(_EXACT.divide(held.paid, Decimal(told.leverage)))
        if owed <= 0:
            return None
        # The price per lot in millionths of a tick, then over what is kept of it.
        each = _down(_EXACT.divide(owed * _PPM, Decimal(held.quantity)))
        kept = _PPM - held.side * told.maintenance_ppm
        exact = _EXACT.divide(each, kept)
        price = int(_up(exact) if held.side > 0 else _down(exact))
        return price if price > 0 else None

    def _guard(self, bar: int, *, fresh: bool) -> None:
        held, candle, told = self._held, self._bars[bar], self._told
        assert held is not None, "something is held"
        stop = self._closest(held)
        if stop is not None and ((candle.low <= stop[0]) if held.side > 0 else (candle.high >= stop[0])):
            level, why = stop
            gapped = not fresh and ((candle.open < level) if held.side > 0 else (candle.open > level))
            at = candle.open if gapped else level
            held.against = max(held.against, held.side * (held.entry - at))
            paid = self._taker_price(at, buys=held.side < 0, quantity=held.quantity, bar=bar)
            self._leave(bar, held.quantity, paid, why, told.liquidation_ppb if why == "liquidation" else told.taker_ppb)
            self._opening = None
            return
        if not fresh:
            self._take_profits(bar, held, candle)

    def _take_profits(self, bar: int, held: Held, candle: Candle) -> None:
        told = self._told
        while self._held is not None:
            if held.take:
                at, quantity = held.entry + held.side * held.take, held.quantity
            elif held.reached < len(told.targets):
                ppm, share = told.targets[held.reached]
                at = held.entry + held.side * self._away(held.entry, ppm)
                quantity = int(_down(Decimal(held.first) * share / _PPB))
                quantity -= quantity % told.lot_multiple
                if held.reached == len(told.targets) - 1 and share >= 10**9:
                    quantity = held.quantity
                quantity = min(quantity, held.quantity)
            else:
                return
            if at < 1 or ((candle.high < at) if held.side > 0 else (candle.low > at)):
                return
            if quantity:
                paid = self._taker_price(at, buys=held.side < 0, quantity=quantity, bar=bar)
                held.favour = max(held.favour, held.side * (at - held.entry))
                self._leave(bar, quantity, paid, "target", told.taker_ppb)
            held.reached += 1
        self._opening = None

    def _look(self, bar: int, *, fresh: bool) -> None:
        """Remember how far the price went for and against the position."""
        held, candle = self._held, self._bars[bar]
        if held is None:
            return
        good, bad = (candle.high, candle.low) if held.side > 0 else (candle.low, candle.high)
        if fresh:
            good = max(candle.close, held.entry) if held.side > 0 else min(candle.close, held.entry)
        held.best = max(held.best, good) if held.side > 0 else min(held.best, good)
        held.favour = max(held.favour, held.side * (good - held.entry))
        held.against = max(held.against, held.side * (held.entry - bad))
        rule = self._told.break_even_ppm
        if rule and abs(held.best - held.entry) >= self._away(held.entry, rule):
            held.at_entry = True

    def _close_the_book(self) -> None:
        held = self._held
        if held is not None:
            last = len(self._bars) - 1
            value = Decimal(held.quantity) * self._bars[last].close
            self._note(last, held.quantity, held.paid, value, held.fees, held.funding, _REASONS.index("open"))


_REASONS = ("signal", "stop", "target", "trail", "break_even", "time", "liquidation", "flip", "open")


def _toward_zero(value: Decimal) -> Decimal:
    return _down(value) if value >= 0 else _up(value)
