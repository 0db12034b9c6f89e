"""The risk gate: limits and what the account is exposed to in; Allowed with warnings, or Denied with every reason, out.

Pure, and of nothing but `core`. It runs last before an order exists, in backtests as with real money. An order that
only reduces a position is never denied for size or loss: a limit must not keep anybody in a position. What is asked
stands in `core/limits.py`, rule by rule.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from pilothouse.core.exposure import ZERO, Activity, Elsewhere, Exposure, Together
from pilothouse.core.hours import moment
from pilothouse.core.instrument import Instrument, Side
from pilothouse.core.limits import BY_LIMIT, KERNELS, NOTHING, RULES, Kind, Limits, Rule, tightest
from pilothouse.core.order import OrderTerms, OrderType, TimeInForce
from pilothouse.core.quote import Quote
from pilothouse.core.rounding import EXACT, plain, ratio

__all__ = [
    "KERNELS",
    "RULES",
    "Activity",
    "Allowed",
    "Denial",
    "Denied",
    "Elsewhere",
    "Exposure",
    "Limits",
    "Rule",
    "Together",
    "check",
    "lost_percent",
    "tightest",
]

HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Denial:
    """One limit that was met, or one warning: its code, the number, the limit, and a sentence."""

    code: str
    number: str
    limit: str
    message: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """The order may be made; `warnings` name what a person wanted to hear of."""

    warnings: tuple[Denial, ...] = ()


@dataclass(frozen=True, slots=True)
class Denied:
    """The order may not be made; there is at least one reason."""

    reasons: tuple[Denial, ...]

    def __str__(self) -> str:
        """Say why, in one line."""
        return "; ".join(reason.message for reason in self.reasons)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One order, and all there is to measure it by."""

    terms: OrderTerms
    exposure: Exposure
    instrument: Instrument
    quote: Quote
    now: datetime
    whom: str = "the account"


def check(
    terms: OrderTerms,
    exposure: Exposure,
    limits: Limits,
    instrument: Instrument,
    quote: Quote,
    now: datetime,
    *,
    warn: Limits = NOTHING,
    bot: Limits = NOTHING,
    bot_warn: Limits = NOTHING,
    closes: bool = False,
    together: tuple[Together, ...] = (),
) -> Allowed | Denied:
    """Say whether the order may be made now.

    limits, warn    of the account: at the first it stops, at the second a person is told
    bot, bot_warn   limits that count what the bot itself did (`Rule.own`)
    together        limits of the user and of the house that count all of their accounts
    closes          it is a reduce-only order that closes a position: only the price collar is asked, because an old
                    price or a full minute must not keep anybody in a position

    Every limit is asked, so that all reasons are told at once. Source of the set: what exchanges and brokers ask
    before an order (SEC rule 15c3-5 names size, price, rate and loss; FIA's pre-trade controls name repeats, open
    orders and self-trades).
    """
    asked = _Asked(terms, exposure, instrument, quote, now)
    reduces = _only_reduces(terms, exposure)
    stops = [(each, each.limits) for each in together]
    reasons = _all_met(asked, limits, bot, stops, reduces=reduces, closes=closes)
    if reasons:
        return Denied(reasons)
    warns = [(each, each.warn) for each in together if each.warn is not NOTHING]
    if warn is NOTHING and bot_warn is NOTHING and not warns:
        return _ALLOWED
    return Allowed(_all_met(asked, warn, bot_warn, warns, reduces=reduces, closes=closes))


_ALLOWED = Allowed()


def _all_met(
    asked: _Asked,
    limits: Limits,
    bot: Limits,
    together: Iterable[tuple[Together, Limits]],
    *,
    reduces: bool,
    closes: bool,
) -> tuple[Denial, ...]:
    """Return every limit that the order meets, each code once: the account's own words before those of all together."""
    if closes:
        return tuple(_of_the_price(asked, limits))
    met = [one for each, its in together for one in _of_all(asked, each, its, reduces=reduces)]
    met += [*_of_the_quote(asked, limits), *_of_the_rate(asked.exposure.done, limits)]
    if bot is not NOTHING:
        met += _of_the_rate(asked.exposure.bot, bot)
    if not reduces:
        met += [*_of_the_size(asked, limits), *_of_the_position(asked, limits), *_of_the_whole(asked, limits)]
        met += [*_of_the_loss(asked, limits), *_of_the_market(asked, limits)]
        met += _of_what_was_done(asked, asked.exposure.done, limits)
        if bot is not NOTHING:
            met += _of_what_was_done(asked, asked.exposure.bot, bot)
    met += _of_the_price(asked, limits)
    return tuple({one.code: one for one in met}.values())


def _of_all(asked: _Asked, all_: Together, limits: Limits, *, reduces: bool) -> Iterator[Denial]:
    """Ask what accounts hold, lost and did together: those limits that can be summed."""
    summed = replace(asked, exposure=all_.exposure, whom=all_.whose)
    met = [*_of_the_rate(all_.exposure.done, limits)]
    if not reduces:
        met += [*_of_the_position(summed, limits), *_of_the_whole(summed, limits), *_of_the_loss(summed, limits)]
        met += [*_of_itself(summed, limits), *_of_what_was_done(summed, all_.exposure.done, limits)]
    for one in met:
        yield replace(one, message=f"over {all_.whose}: {one.message}")


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


def _over(name: str, number: Decimal | int, limit: Decimal | int | None, words: str) -> Iterator[Denial]:
    """Yield the rule of the limit `name` if `number` is over `limit`; `words` take {number} and {limit}."""
    if limit is None:
        return
    rule = BY_LIMIT[name]
    over = number >= limit if rule.kind is Kind.BELOW else number > limit
    if over:
        shown, most = _plain(number), _plain(limit)
        yield Denial(rule.code, shown, most, words.format(number=shown, limit=most))


def _plain(number: Decimal | int) -> str:
    return str(number) if isinstance(number, int) else plain(number)


def _of_the_quote(asked: _Asked, limits: Limits) -> Iterator[Denial]:
    if limits.quote_age_max_s is None:
        return
    age = Decimal((asked.now - asked.quote.at) // timedelta(microseconds=1)) / 1_000_000
    words = f"the price of {asked.quote.symbol} is {{number}} s old, at most {{limit}} s are allowed"
    yield from _over("quote_age_max_s", age, limits.quote_age_max_s, words)


def _of_the_rate(done: Activity, limits: Limits) -> Iterator[Denial]:
    words = "this would be order {number} within a second, at most {limit} are allowed"
    yield from _over("orders_per_second_max", done.orders_last_second + 1, limits.orders_per_second_max, words)
    words = "this would be order {number} within a minute, at most {limit} are allowed"
    yield from _over("orders_per_minute_max", done.orders_last_minute + 1, limits.orders_per_minute_max, words)
    words = "this would be order {number} since midnight UTC, at most {limit} are allowed"
    yield from _over("orders_per_day_max", done.orders_today + 1, limits.orders_per_day_max, words)
    words = "this would be the same order {number} times within a minute, at most {limit} are allowed"
    yield from _over("repeats_per_minute_max", done.repeats_last_minute + 1, limits.repeats_per_minute_max, words)


def _worth(asked: _Asked) -> Decimal:
    """Return what the order may cost, quote: by its own prices where they are above the mark."""
    terms, mark = asked.terms, asked.quote.mark
    reference = max(terms.price or mark, terms.stop_price or mark, mark)
    return asked.instrument.notional(reference, terms.quantity)


def _of_the_size(asked: _Asked, limits: Limits) -> Iterator[Denial]:
    base, quote = asked.instrument.base, asked.instrument.quote
    words = f"the order is for {{number}} {base}, at most {{limit}} are allowed"
    yield from _over("order_quantity_max", asked.terms.quantity, limits.order_quantity_max, words)
    words = f"the order is worth {{number}} {quote}, at most {{limit}} are allowed"
    yield from _over("order_notional_max", _worth(asked), limits.order_notional_max, words)


def _signed(asked: _Asked) -> Decimal:
    """Return by how much the order, with what is pending on its side, can move the position; base, signed."""
    exposure, terms = asked.exposure, asked.terms
    pending = exposure.pending_buy if terms.side is Side.BUY else exposure.pending_sell
    together = EXACT.add(terms.quantity, pending)
    return together if terms.side is Side.BUY else EXACT.minus(together)


def _of_the_position(asked: _Asked, limits: Limits) -> Iterator[Denial]:
    exposure, terms, quote = asked.exposure, asked.terms, asked.instrument.quote
    after = EXACT.abs(EXACT.add(exposure.position, _signed(asked)))
    if after <= EXACT.abs(exposure.position):
        return
    worth = EXACT.add(EXACT.multiply(after, asked.quote.mark), exposure.elsewhere.same)
    could = f"the position in {terms.symbol} could become worth {{number}} {quote}, at most "
    times = limits.position_equity_ratio_max
    if times is not None:
        most = EXACT.multiply(max(exposure.equity, ZERO), times)
        words = f"{could}{plain(times)} x equity = {{limit}} are allowed"
        yield from _over("position_equity_ratio_max", worth, most, words)
    yield from _over("position_notional_max", worth, limits.position_notional_max, f"{could}{{limit}} are allowed")


def _of_the_whole(asked: _Asked, limits: Limits) -> Iterator[Denial]:
    """Ask what is held in all instruments together."""
    if limits.gross_notional_max is None and limits.leverage_max is None and limits.net_notional_max is None:
        return
    exposure, mark, quote = asked.exposure, asked.quote.mark, asked.instrument.quote
    bought, sold = EXACT.add(exposure.position, exposure.pending_buy), exposure.position - exposure.pending_sell
    signed = EXACT.add(exposure.position, _signed(asked))
    before = max(EXACT.abs(bought), EXACT.abs(sold))
    after = max(before, EXACT.abs(signed))
    gross = EXACT.add(exposure.elsewhere.gross, EXACT.multiply(after, mark))
    if after > before:
        words = f"all positions together could become worth {{number}} {quote}, at most {{limit}} are allowed"
        yield from _over("gross_notional_max", gross, limits.gross_notional_max, words)
        times = limits.leverage_max
        if times is not None:
            most = EXACT.multiply(max(exposure.equity, ZERO), times)
            words = f"all positions together could become worth {{number}} {quote}, at most {plain(times)} x equity = "
            yield from _over("leverage_max", gross, most, f"{words}{{limit}} are allowed")
    aside = exposure.elsewhere.net_bought if asked.terms.side is Side.BUY else exposure.elsewhere.net_sold
    net = EXACT.abs(EXACT.add(aside, EXACT.multiply(signed, mark)))
    if net > EXACT.abs(EXACT.add(exposure.elsewhere.net, EXACT.multiply(exposure.position, mark))):
        words = f"long less short could become worth {{number}} {quote}, at most {{limit}} are allowed"
        yield from _over("net_notional_max", net, limits.net_notional_max, words)


def lost_percent(before: Decimal, now: Decimal) -> Decimal:
    """Return what was lost since an earlier equity, percent of it; zero for a gain, or where nothing was."""
    lost = before - now
    return ratio(lost * HUNDRED, before) if before > 0 and lost > 0 else ZERO


def _of_the_loss(asked: _Asked, limits: Limits) -> Iterator[Denial]:
    exposure, whom = asked.exposure, asked.whom
    percent = lost_percent(exposure.equity_at_midnight, exposure.equity)
    if percent > 0:
        words = f"{whom} lost {{number}} % since midnight UTC, {{limit}} % stop new exposure until the next day"
        yield from _over("daily_loss_percent_max", percent, limits.daily_loss_percent_max, words)
    percent = ZERO if exposure.high_water is None else lost_percent(exposure.high_water, exposure.equity)
    if percent > 0:
        words = f"the equity of {whom} is {{number}} % below its highest, {{limit}} % stop new exposure"
        yield from _over("drawdown_percent_max", percent, limits.drawdown_percent_max, words)


def _of_the_market(asked: _Asked, limits: Limits) -> Iterator[Denial]:
    """Ask where and when, and what the order would meet there."""
    terms, quote = asked.terms, asked.quote
    if limits.spread_percent_max is not None:
        spread = ratio((quote.ask - quote.bid) * HUNDRED, quote.mark)
        words = f"the ask of {terms.symbol} is {{number}} % above the bid, at most {{limit}} % are allowed"
        yield from _over("spread_percent_max", spread, limits.spread_percent_max, words)
    if limits.symbols is not None and terms.symbol not in limits.symbols:
        allowed = ", ".join(sorted(limits.symbols)) or "none"
        yield Denial("symbol", terms.symbol, allowed, f"{terms.symbol} is not among what may be traded: {allowed}")
    if limits.hours is not None and not limits.hours.holds(asked.now):
        at, allowed = moment(asked.now), str(limits.hours) or "never"
        yield Denial("hours", at, allowed, f"it is {at} UTC, new exposure is allowed {allowed}")
    yield from _of_itself(asked, limits)


def _of_itself(asked: _Asked, limits: Limits) -> Iterator[Denial]:
    """Ask how much it would trade with those that it is for."""
    if limits.self_trade_quantity_max is not None:
        words = f"it would meet {{number}} of the resting orders of {asked.whom}, at most {{limit}} are allowed"
        yield from _over("self_trade_quantity_max", _own_met(asked), limits.self_trade_quantity_max, words)


def _own_met(asked: _Asked) -> Decimal:
    """Return how much of its own resting orders an order can meet when it arrives, base.

    A market order reaches the best price of the other side; one that waits for a trigger, or must not take, meets
    nothing now.
    """
    terms = asked.terms
    if terms.type.is_conditional or terms.time_in_force is TimeInForce.GTX:
        return ZERO
    best = asked.quote.ask if terms.side is Side.BUY else asked.quote.bid
    reach = best if terms.type is OrderType.MARKET or terms.price is None else terms.price
    met = sum((quantity for price, quantity in asked.exposure.opposing if (reach - price) * terms.side.sign >= 0), ZERO)
    return min(met, terms.quantity)


def _of_what_was_done(asked: _Asked, done: Activity, limits: Limits) -> Iterator[Denial]:
    """Ask what came before: open orders, what orders were worth, losses."""
    words = "this would be open order {number}, at most {limit} are allowed"
    yield from _over("open_orders_max", done.open_orders + 1, limits.open_orders_max, words)
    worth, quote = _worth(asked), asked.instrument.quote
    for name, before, since in (
        ("notional_per_second_max", done.notional_last_second, "within a second"),
        ("notional_per_minute_max", done.notional_last_minute, "within a minute"),
        ("notional_per_day_max", done.notional_today, "since midnight UTC"),
    ):
        words = f"orders {since} would be worth {{number}} {quote}, at most {{limit}} are allowed"
        yield from _over(name, EXACT.add(before, worth), getattr(limits, name), words)
    words = "{number} closing orders in a row lost today, {limit} stop new exposure until the next day"
    yield from _over("losses_in_a_row_max", done.losses_in_a_row, limits.losses_in_a_row_max, words)
    since_loss, pause = done.since_loss_s, limits.cooldown_s
    if pause is not None and since_loss is not None and since_loss < pause:
        number, limit = plain(since_loss), plain(pause)
        yield Denial("cooldown", number, limit, f"the last loss is {number} s ago, new exposure waits {limit} s")


def _of_the_price(asked: _Asked, limits: Limits) -> Iterator[Denial]:
    """Ask the collar of the side on which a wrong price costs money at once: a buy far above, a sell far below."""
    price, terms, mark = asked.terms.price, asked.terms, asked.quote.mark
    if price is None or limits.price_collar_percent is None:
        return
    away = ratio((price - mark) * terms.side.sign * HUNDRED, mark)
    where = "above" if terms.side.sign > 0 else "below"
    words = (
        f"a {terms.side.lower()} at {plain(price)} is {{number}} % {where} the mark price {plain(mark)}, "
        "at most {limit} % are allowed"
    )
    yield from _over("price_collar_percent", away, limits.price_collar_percent, words)
