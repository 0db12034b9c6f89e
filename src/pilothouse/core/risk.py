"""The risk gate: limits and what the account is exposed to in, Allowed or Denied with every reason out.

Pure. It runs last before an order exists. An order that only reduces a position is never denied for size or loss:
a limit must not keep anybody in a position.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from pilothouse.core.instrument import Instrument, Side
from pilothouse.core.order import OrderTerms
from pilothouse.core.quote import Quote
from pilothouse.core.rounding import EXACT, plain, ratio

HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one account allows; every number is above zero.

    order_notional_max        of one order, quote
    position_equity_ratio_max largest position in one instrument, as a multiple of equity
    orders_per_minute_max     orders made within any 60 seconds
    daily_loss_percent_max    loss since midnight UTC, percent of the equity at midnight, open result in
    price_collar_percent      how far a limit or trigger price may lie from the mark on the losing side
    quote_age_max_s           older quotes are stale, seconds
    """

    order_notional_max: Decimal
    position_equity_ratio_max: Decimal
    orders_per_minute_max: int
    daily_loss_percent_max: Decimal
    price_collar_percent: Decimal
    quote_age_max_s: Decimal


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the account holds and has asked for, in the instrument of the order and at all.

    position          base, signed, as booked
    pending_buy, pending_sell   base at rest or under way, zero or more, without orders that only reduce
    equity            quote, may be below zero
    equity_at_midnight quote
    orders_last_minute orders made within the last 60 seconds
    """

    position: Decimal
    pending_buy: Decimal
    pending_sell: Decimal
    equity: Decimal
    equity_at_midnight: Decimal
    orders_last_minute: int


@dataclass(frozen=True, slots=True)
class Denial:
    """One reason: its code, the number that was met and the limit it broke, and a sentence."""

    code: str
    number: str
    limit: str
    message: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """The order may be made."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The order may not be made; there is at least one reason."""

    reasons: tuple[Denial, ...]

    def __str__(self) -> str:
        """Say why, in one line."""
        return "; ".join(reason.message for reason in self.reasons)


def check(
    terms: OrderTerms, exposure: Exposure, limits: Limits, instrument: Instrument, quote: Quote, now: datetime
) -> Allowed | Denied:
    """Say whether the order may be made now.

    Every limit is asked, so that all reasons are told at once. Source of the set: what exchanges and brokers ask
    before an order (SEC rule 15c3-5 names size, price, rate and loss).
    """
    reasons = [*_of_the_quote(limits, quote, now), *_of_the_rate(exposure, limits)]
    if not _only_reduces(terms, exposure):
        reasons += _of_the_size(terms, exposure, limits, instrument, quote)
        reasons += _of_the_loss(exposure, limits)
    reasons += _of_the_price(terms, limits, quote)
    return Denied(tuple(reasons)) if reasons else Allowed()


def _only_reduces(terms: OrderTerms, exposure: Exposure) -> bool:
    """Say whether the order can only make the position smaller: the venue holds it to that, or the numbers do.

    By the numbers, all that is pending on its side counts as filled first: together they stop at zero, or this order
    could be the one that turns the position round.
    """
    if terms.reduce_only:
        return True
    if exposure.position == 0 or Side.of(exposure.position) is terms.side:
        return False
    pending = exposure.pending_sell if terms.side is Side.SELL else exposure.pending_buy
    return EXACT.add(terms.quantity, pending) <= EXACT.abs(exposure.position)


def _of_the_quote(limits: Limits, quote: Quote, now: datetime) -> Iterator[Denial]:
    age = Decimal((now - quote.at) // timedelta(microseconds=1)) / 1_000_000
    if age > limits.quote_age_max_s:
        yield Denial(
            "stale_quote",
            plain(age),
            plain(limits.quote_age_max_s),
            f"the price of {quote.symbol} is {plain(age)} s old, at most {plain(limits.quote_age_max_s)} s are allowed",
        )


def _of_the_rate(exposure: Exposure, limits: Limits) -> Iterator[Denial]:
    made = exposure.orders_last_minute + 1
    if made > limits.orders_per_minute_max:
        yield Denial(
            "order_rate",
            str(made),
            str(limits.orders_per_minute_max),
            f"this would be order {made} within a minute, at most {limits.orders_per_minute_max} are allowed",
        )


def _of_the_size(
    terms: OrderTerms, exposure: Exposure, limits: Limits, instrument: Instrument, quote: Quote
) -> Iterator[Denial]:
    reference = max(terms.price or quote.mark, quote.mark)
    notional = instrument.notional(reference, terms.quantity)
    if notional > limits.order_notional_max:
        yield Denial(
            "order_size",
            plain(notional),
            plain(limits.order_notional_max),
            f"the order is worth {plain(notional)} {instrument.quote}, at most "
            f"{plain(limits.order_notional_max)} are allowed",
        )
    pending = exposure.pending_buy if terms.side.sign > 0 else exposure.pending_sell
    asked = EXACT.add(terms.quantity, pending)
    signed = asked if terms.side is Side.BUY else EXACT.minus(asked)
    after = EXACT.abs(EXACT.add(exposure.position, signed))
    worth = EXACT.multiply(after, quote.mark)
    most = EXACT.multiply(max(exposure.equity, Decimal(0)), limits.position_equity_ratio_max)
    if worth > most and after > EXACT.abs(exposure.position):
        yield Denial(
            "position_size",
            plain(worth),
            plain(most),
            f"the position in {terms.symbol} could become worth {plain(worth)} {instrument.quote}, at most "
            f"{plain(limits.position_equity_ratio_max)} x equity = {plain(most)} are allowed",
        )


def lost_percent(at_midnight: Decimal, now: Decimal) -> Decimal:
    """Return what was lost since midnight UTC, percent of the equity then; zero for a gain, or where nothing was."""
    lost = at_midnight - now
    return ratio(lost * HUNDRED, at_midnight) if at_midnight > 0 and lost > 0 else Decimal(0)


def _of_the_loss(exposure: Exposure, limits: Limits) -> Iterator[Denial]:
    percent = lost_percent(exposure.equity_at_midnight, exposure.equity)
    if percent > 0 and percent >= limits.daily_loss_percent_max:
        yield Denial(
            "daily_loss",
            plain(percent),
            plain(limits.daily_loss_percent_max),
            f"the account lost {plain(percent)} % since midnight UTC, {plain(limits.daily_loss_percent_max)} % "
            "stop new exposure until the next day",
        )


def _of_the_price(terms: OrderTerms, limits: Limits, quote: Quote) -> Iterator[Denial]:
    """Ask the collar of the side on which a wrong price costs money at once: a buy far above, a sell far below."""
    price = terms.price
    if price is None:
        return
    away = ratio((price - quote.mark) * terms.side.sign * HUNDRED, quote.mark)
    if away > limits.price_collar_percent:
        where = "above" if terms.side.sign > 0 else "below"
        yield Denial(
            "price_collar",
            plain(away),
            plain(limits.price_collar_percent),
            f"a {terms.side.lower()} at {plain(price)} is {plain(away)} % {where} the mark price "
            f"{plain(quote.mark)}, at most {plain(limits.price_collar_percent)} % are allowed",
        )
