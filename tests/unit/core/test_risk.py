"""The risk gate: each limit on its own, with the number and the limit, and no limit that keeps anybody in."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.hours import Hours
from pilothouse.core.instrument import Instrument, Side
from pilothouse.core.limits import BY_LIMIT, NAMES, NOTHING, RULES, is_looser, tightest
from pilothouse.core.order import OrderTerms, OrderType, TimeInForce
from pilothouse.core.quote import Quote
from pilothouse.core.risk import Activity, Allowed, Denial, Denied, Elsewhere, Exposure, Limits, check

D = Decimal
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
BTC = Instrument(
    symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    tick=D("0.1"),
    lot=D("0.001"),
    quantity_min=D("0.001"),
    quantity_max=D(1000),
    notional_min=D(5),
    price_min=D("0.1"),
    price_max=D(10**7),
    leverage_max=125,
)
WIDE = Limits(
    order_notional_max=D(10**9),
    position_equity_ratio_max=D(1000),
    orders_per_minute_max=1000,
    daily_loss_percent_max=D(100),
    price_collar_percent=D(50),
    quote_age_max_s=D(10),
)
FLAT = Exposure(
    position=D(0),
    pending_buy=D(0),
    pending_sell=D(0),
    equity=D(10_000),
    equity_at_midnight=D(10_000),
)
QUOTE = Quote("BTCUSDT", D("99.9"), D("100.1"), D(100), D(100), NOW, "simulated")


def order(side: Side = Side.BUY, quantity: Decimal | int = 1, price: Decimal | None = None, **more: Any) -> OrderTerms:
    """Return a market order, or a limit order if there is a price."""
    kind = OrderType.MARKET if price is None else OrderType.LIMIT
    return OrderTerms("BTCUSDT", side, kind, D(quantity), price, **more)


def verdict(
    terms: OrderTerms,
    exposure: Exposure = FLAT,
    limits: Limits = WIDE,
    quote: Quote = QUOTE,
    **more: Any,
) -> dict[str, tuple[str, str]]:
    """Return the denials: number and limit by code; empty when allowed."""
    result = check(terms, exposure, limits, BTC, quote, more.pop("now", NOW), **more)
    if isinstance(result, Allowed):
        return {}
    assert result.reasons
    assert all(reason.message in str(result) for reason in result.reasons)
    assert all(reason.number in reason.message and reason.limit in reason.message for reason in result.reasons)
    return {reason.code: (reason.number, reason.limit) for reason in result.reasons}


def test_an_order_within_all_limits_is_allowed() -> None:
    """Limits are open until somebody sets them."""
    assert verdict(order()) == {}


def test_an_order_that_is_too_large_is_denied() -> None:
    """A slip of a digit does not reach the venue. Exactly the limit is allowed."""
    limits = replace(WIDE, order_notional_max=D(500))

    assert verdict(order(quantity=5), limits=limits) == {}
    assert verdict(order(quantity=6), limits=limits) == {"order_size": ("600", "500")}
    # A limit above the mark is measured by its own price: that is what it may cost.
    assert verdict(order(quantity=5, price=D(101)), limits=limits) == {"order_size": ("505", "500")}
    assert verdict(order(quantity=5, price=D(99)), limits=limits) == {}


def test_a_position_that_would_be_too_large_is_denied() -> None:
    """What is held and what already rests on that side both count."""
    limits = replace(WIDE, position_equity_ratio_max=D("0.1"))
    exposure = replace(FLAT, position=D(3), pending_buy=D(2), pending_sell=D(4))

    assert verdict(order(quantity=5), exposure, limits) == {}
    assert verdict(order(quantity=6), exposure, limits) == {"position_size": ("1100", "1000")}
    # Held 3, sell 4 rests: 9 more would leave 10 short, 10 would leave 11.
    assert verdict(order(Side.SELL, 9), exposure, limits) == {}
    assert verdict(order(Side.SELL, 10), exposure, limits) == {"position_size": ("1100", "1000")}


def test_without_equity_nothing_can_be_added() -> None:
    """An account that owes money holds no more than it holds."""
    for equity in (D(0), D(-50)):
        assert "position_size" in verdict(order(), replace(FLAT, equity=equity, equity_at_midnight=equity))


def test_too_many_orders_within_a_minute_are_denied() -> None:
    """A loop somewhere must not become a thousand orders."""
    limits = replace(WIDE, orders_per_minute_max=3)

    assert verdict(order(), replace(FLAT, done=Activity(orders_last_minute=2)), limits) == {}
    assert verdict(order(), replace(FLAT, done=Activity(orders_last_minute=3)), limits) == {"order_rate": ("4", "3")}


def test_a_day_that_lost_too_much_is_over() -> None:
    """New exposure stops at the limit, not behind it."""
    limits = replace(WIDE, daily_loss_percent_max=D(5))

    assert verdict(order(), replace(FLAT, equity=D("9500.01")), limits) == {}
    assert verdict(order(), replace(FLAT, equity=D(9500)), limits) == {"daily_loss": ("5", "5")}
    assert verdict(order(), replace(FLAT, equity=D(11_000)), limits) == {}


@pytest.mark.parametrize(("side", "price", "away"), [(Side.BUY, "103.1", "3.1"), (Side.SELL, "96.9", "3.1")])
def test_a_limit_far_on_the_losing_side_is_denied(side: Side, price: str, away: str) -> None:
    """A misplaced point would be filled at once and cost the difference."""
    limits = replace(WIDE, price_collar_percent=D(3))

    assert verdict(order(side, price=D(price)), limits=limits) == {"price_collar": (away, "3")}
    assert verdict(order(side, price=D(103) if side is Side.BUY else D(97)), limits=limits) == {}
    # On the winning side a limit merely rests.
    assert verdict(order(side, price=D(50) if side is Side.BUY else D(200)), limits=limits) == {}


def test_a_stale_quote_denies() -> None:
    """What nobody has seen for ten seconds is no price to size by."""
    fresh = replace(QUOTE, at=NOW - timedelta(seconds=10))
    stale = replace(QUOTE, at=NOW - timedelta(seconds=10, microseconds=1))

    assert verdict(order(), quote=fresh) == {}
    assert verdict(order(), quote=stale) == {"stale_quote": ("10.000001", "10")}


def test_all_reasons_are_told_at_once() -> None:
    """Whoever is denied should not find out one limit at a time."""
    limits = Limits(
        order_notional_max=D(1),
        position_equity_ratio_max=D("0.001"),
        orders_per_minute_max=1,
        daily_loss_percent_max=D(1),
        price_collar_percent=D(1),
        quote_age_max_s=D(1),
    )
    exposure = replace(FLAT, equity=D(9000), done=Activity(orders_last_minute=5))
    found = verdict(order(quantity=5, price=D(110)), exposure, limits, replace(QUOTE, at=NOW - timedelta(seconds=5)))

    assert set(found) == {"stale_quote", "order_rate", "order_size", "position_size", "daily_loss", "price_collar"}


def test_a_denial_tells_why_in_a_sentence() -> None:
    """People and programs both read it."""
    result = check(order(quantity=6), FLAT, replace(WIDE, order_notional_max=D(500)), BTC, QUOTE, NOW)

    assert isinstance(result, Denied)
    assert str(result) == "the order is worth 600 USDT, at most 500 are allowed"


TIGHT = replace(WIDE, order_notional_max=D(1), position_equity_ratio_max=D("0.0001"), daily_loss_percent_max=D(1))
sizes = st.decimals(min_value="0.001", max_value=20, places=3)
amounts = st.decimals(min_value=0, max_value=20, places=3)


@given(sizes, sizes, st.sampled_from(Side))
def test_no_limit_keeps_anybody_in_a_position(held: Decimal, quantity: Decimal, side: Side) -> None:
    """Reduce-only orders are held to it by the venue; size and loss do not ask them."""
    exposure = replace(FLAT, position=held * side.sign, equity=D(1))

    assert verdict(order(side.opposite, quantity, reduce_only=True), exposure, TIGHT) == {}
    assert verdict(order(side.opposite, min(quantity, held)), exposure, TIGHT) == {}


@given(st.decimals(min_value=-20, max_value=20, places=3), amounts, amounts, sizes, st.sampled_from(Side))
def test_only_what_cannot_pass_through_zero_escapes_the_limits(
    held: Decimal, buying: Decimal, selling: Decimal, quantity: Decimal, side: Side
) -> None:
    """An order that could turn the position round, with what rests beside it, is new exposure and is asked."""
    exposure = replace(FLAT, position=held, pending_buy=buying, pending_sell=selling, equity=D(1))
    pending = buying if side is Side.BUY else selling
    opposes = held * side.sign < 0
    reduces = opposes and quantity + pending <= abs(held)
    found = verdict(order(side, quantity), exposure, TIGHT)

    assert ("daily_loss" in found) == (not reduces)
    assert found == {} or not reduces


# ── The other rules, each by itself ───────────────────────────────────────────────────────────────


def test_an_order_for_too_many_units_is_denied() -> None:
    """Of a coin that costs nothing, a million is a slip all the same."""
    limits = Limits(order_quantity_max=D(5))

    assert verdict(order(quantity=5), limits=limits) == {}
    assert verdict(order(quantity=D("5.001")), limits=limits) == {"order_quantity": ("5.001", "5")}


def test_a_stop_is_measured_by_the_price_at_which_it_triggers() -> None:
    """A buy stop far above the mark costs what it costs up there."""
    stop = OrderTerms("BTCUSDT", Side.BUY, OrderType.STOP_MARKET, D(1), stop_price=D(200))

    assert verdict(stop, limits=Limits(order_notional_max=D(199))) == {"order_size": ("200", "199")}


def test_a_position_worth_too_much_is_denied() -> None:
    """In money, whatever the equity is; what rests on that side counts, an order nobody knows of too."""
    limits = Limits(position_notional_max=D(1000))
    exposure = replace(FLAT, position=D(3), pending_buy=D(2))

    assert verdict(order(quantity=5), exposure, limits) == {}
    assert verdict(order(quantity=6), exposure, limits) == {"position_notional": ("1100", "1000")}


def test_all_positions_together_are_bounded() -> None:
    """Long and short add up: both can go wrong at once."""
    limits = Limits(gross_notional_max=D(1000))
    exposure = replace(FLAT, elsewhere=Elsewhere(gross=D(600), net=D(-600), net_bought=D(-600), net_sold=D(-600)))

    assert verdict(order(quantity=4), exposure, limits) == {}
    assert verdict(order(quantity=5), exposure, limits) == {"gross_exposure": ("1100", "1000")}
    # What stands on the other side already makes the instrument as large: this order makes it no larger.
    assert verdict(order(quantity=5), replace(exposure, pending_sell=D(5)), limits) == {}


def test_long_less_short_is_bounded() -> None:
    """A market that falls takes all longs at once; a short elsewhere pays for it."""
    limits = Limits(net_notional_max=D(1000))
    exposure = replace(FLAT, elsewhere=Elsewhere(gross=D(800), net=D(800), net_bought=D(800), net_sold=D(800)))

    assert verdict(order(quantity=2), exposure, limits) == {}
    assert verdict(order(quantity=3), exposure, limits) == {"net_exposure": ("1100", "1000")}
    assert verdict(order(Side.SELL, 10), exposure, limits) == {}
    assert verdict(order(Side.SELL, 19), exposure, limits) == {"net_exposure": ("1100", "1000")}


def test_leverage_is_all_positions_by_equity() -> None:
    """Whatever the venue calls leverage: what is held against what is owned."""
    limits = Limits(leverage_max=D("0.1"))
    exposure = replace(FLAT, elsewhere=Elsewhere(gross=D(600)))

    assert verdict(order(quantity=4), exposure, limits) == {}
    assert verdict(order(quantity=5), exposure, limits) == {"leverage": ("1100", "1000")}
    assert verdict(order(), replace(exposure, equity=D(-1)), limits) == {"leverage": ("700", "0")}


LATELY = Activity(
    orders_last_second=3,
    orders_last_minute=3,
    orders_today=3,
    notional_last_second=D(300),
    notional_last_minute=D(300),
    notional_today=D(300),
    repeats_last_minute=3,
    open_orders=3,
    losses_in_a_row=3,
    since_loss_s=D(30),
)


@pytest.mark.parametrize(
    ("limit", "passes", "stops", "code", "number"),
    [
        ("open_orders_max", 4, 3, "open_orders", "4"),
        ("orders_per_second_max", 4, 3, "order_rate_second", "4"),
        ("orders_per_minute_max", 4, 3, "order_rate", "4"),
        ("orders_per_day_max", 4, 3, "order_rate_day", "4"),
        ("repeats_per_minute_max", 4, 3, "repeat_order", "4"),
        ("notional_per_second_max", D(400), D(399), "notional_rate_second", "400"),
        ("notional_per_minute_max", D(400), D(399), "notional_rate_minute", "400"),
        ("notional_per_day_max", D(400), D(399), "notional_rate_day", "400"),
        ("losses_in_a_row_max", 4, 3, "losses_in_a_row", "3"),
        ("cooldown_s", D(30), D(31), "cooldown", "30"),
    ],
)
def test_what_was_done_lately_is_bounded(limit: str, passes: Any, stops: Any, code: str, number: str) -> None:
    """Of the account and, by a limit of the bot, of the bot: each counts its own."""
    within, over = Limits(**{limit: passes}), Limits(**{limit: stops})
    busy, bot_busy = replace(FLAT, done=LATELY), replace(FLAT, bot=LATELY)

    assert verdict(order(), busy, within) == {}
    assert verdict(order(), busy, over) == {code: (number, str(stops))}
    assert verdict(order(), bot_busy, over) == {}, "the account itself has done nothing"
    assert verdict(order(), bot_busy, NOTHING, bot=over) == {code: (number, str(stops))}
    assert verdict(order(), busy, NOTHING, bot=over) == {}, "the bot itself has done nothing"


def test_an_account_far_below_its_best_is_stopped() -> None:
    """From the highest equity so far; without a look there is nothing to measure from."""
    limits = Limits(drawdown_percent_max=D(20))

    assert verdict(order(), replace(FLAT, equity=D("8000.01"), high_water=D(10_000)), limits) == {}
    assert verdict(order(), replace(FLAT, equity=D(8000), high_water=D(10_000)), limits) == {"drawdown": ("20", "20")}
    assert verdict(order(), replace(FLAT, equity=D(8000)), limits) == {}


def test_a_wide_spread_is_denied() -> None:
    """Who buys into it has lost it at once."""
    assert verdict(order(), limits=Limits(spread_percent_max=D("0.2"))) == {}
    assert verdict(order(), limits=Limits(spread_percent_max=D("0.19"))) == {"spread": ("0.2", "0.19")}


def test_only_listed_symbols_are_traded() -> None:
    """A list that is empty after all levels have spoken allows nothing."""
    assert verdict(order(), limits=Limits(symbols=frozenset({"BTCUSDT", "ETHUSDT"}))) == {}
    assert verdict(order(), limits=Limits(symbols=frozenset({"ETHUSDT"}))) == {"symbol": ("BTCUSDT", "ETHUSDT")}
    assert verdict(order(), limits=Limits(symbols=frozenset())) == {"symbol": ("BTCUSDT", "none")}


def test_exposure_is_added_in_the_allowed_hours_only() -> None:
    """The fifth of January 2026 is a Monday, and it is noon."""
    assert verdict(order(), limits=Limits(hours=Hours.read("mon-fri 08:00-16:30"))) == {}
    early = Hours.read("mon 08:00-12:00")
    assert verdict(order(), limits=Limits(hours=early)) == {"hours": ("mon 12:00", "mon 08:00-12:00")}
    assert verdict(order(), limits=Limits(hours=early), now=NOW - timedelta(seconds=1)) == {}
    assert verdict(order(), limits=Limits(hours=Hours(()))) == {"hours": ("mon 12:00", "never")}


def test_an_order_does_not_meet_the_accounts_own() -> None:
    """To trade with oneself costs two fees, moves nothing, and is forbidden at most venues."""
    limits = Limits(self_trade_quantity_max=D(0))
    exposure = replace(FLAT, opposing=((D("100.1"), D("0.3")), (D(101), D(5))))

    assert verdict(order(), exposure, limits) == {"self_trade": ("0.3", "0")}
    assert verdict(order(price=D(100)), exposure, limits) == {}
    assert verdict(order(price=D(101)), exposure, limits) == {"self_trade": ("1", "0")}
    assert verdict(order(price=D(101), time_in_force=TimeInForce.GTX), exposure, limits) == {}


# ── Laws ──────────────────────────────────────────────────────────────────────────────────────────

EVERY = Limits(
    order_quantity_max=D(0),
    order_notional_max=D(1),
    position_equity_ratio_max=D("0.01"),
    position_notional_max=D(1),
    gross_notional_max=D(1),
    net_notional_max=D(1),
    leverage_max=D("0.01"),
    open_orders_max=1,
    orders_per_second_max=1,
    orders_per_minute_max=1,
    orders_per_day_max=1,
    notional_per_second_max=D(1),
    notional_per_minute_max=D(1),
    notional_per_day_max=D(1),
    repeats_per_minute_max=1,
    price_collar_percent=D("0.01"),
    quote_age_max_s=D("0.1"),
    spread_percent_max=D("0.01"),
    daily_loss_percent_max=D("0.01"),
    drawdown_percent_max=D("0.01"),
    losses_in_a_row_max=1,
    cooldown_s=D(86_400),
    symbols=frozenset(),
    hours=Hours(()),
    self_trade_quantity_max=D(0),
)
SIZE_AND_LOSS = {rule.code for rule in RULES if not rule.reducing}
LOST = replace(
    FLAT,
    equity=D(50),
    high_water=D(20_000),
    elsewhere=Elsewhere(D(700), D(700), D(700), D(700)),
    opposing=((D("100.1"), D(1)),),
    done=LATELY,
    bot=LATELY,
)


def values(name: str) -> st.SearchStrategy[Any]:
    """Return what a limit may be set to."""
    rule = BY_LIMIT[name]
    if name == "symbols":
        return st.frozensets(st.sampled_from(["BTCUSDT", "ETHUSDT", "SOLUSDT"]))
    if name == "hours":
        spans = ["mon 08:00-13:00", "mon-fri 00:00-24:00", "sat 22:00-02:00", "12:00-12:01", "sun 00:00-12:00"]
        return st.sampled_from(spans).map(Hours.read)
    if rule.whole:
        return st.integers(1, 6)
    return st.sampled_from(["0.01", "0.5", "1", "20", "29", "31", "100", "199.5", "500", "1100"]).map(D)


limit_sets = st.fixed_dictionaries({}, optional={name: values(name) for name in NAMES}).map(
    lambda found: Limits(**found)
)
exposures = st.builds(
    Exposure,
    position=st.sampled_from(["-20", "-1", "0", "0.5", "7"]).map(D),
    pending_buy=amounts,
    pending_sell=amounts,
    equity=st.sampled_from(["-10", "0", "900", "10000"]).map(D),
    equity_at_midnight=st.sampled_from(["900", "10000"]).map(D),
    high_water=st.sampled_from([None, D(950), D(12_000)]),
    elsewhere=st.sampled_from([Elsewhere(), Elsewhere(D(500), D(-400), D(-300), D(-500))]),
    opposing=st.sampled_from([(), ((D("100.1"), D(1)),)]),
    done=st.sampled_from([Activity(), LATELY]),
    bot=st.sampled_from([Activity(), LATELY]),
)
terms_of_all_kinds = st.builds(
    order,
    st.sampled_from(Side),
    st.sampled_from([D("0.5"), D(2), D(20)]),
    st.sampled_from([None, D(90), D(100), D(115)]),
    reduce_only=st.booleans(),
)


def codes(terms: OrderTerms, exposure: Exposure, limits: Limits, bot: Limits = NOTHING) -> set[str]:
    """Return the codes of all denials, two seconds after the quote."""
    return set(verdict(terms, exposure, limits, replace(QUOTE, at=NOW - timedelta(seconds=2)), bot=bot))


@given(terms_of_all_kinds, exposures, st.lists(limit_sets, max_size=4))
def test_the_tightest_level_wins(terms: OrderTerms, exposure: Exposure, levels: list[Limits]) -> None:
    """What any level denies is denied, and nothing else is."""
    together = codes(terms, exposure, tightest(levels))

    assert together == {code for level in levels for code in codes(terms, exposure, level)}


@given(terms_of_all_kinds, exposures, limit_sets, limit_sets)
def test_a_tighter_limit_never_lets_more_through(
    terms: OrderTerms, exposure: Exposure, limits: Limits, more: Limits
) -> None:
    """Denials grow with the limits: nobody gets an order through by forbidding something else."""
    tighter = tightest([limits, more])

    assert codes(terms, exposure, limits) <= codes(terms, exposure, tighter)
    assert codes(terms, exposure, NOTHING, limits) <= codes(terms, exposure, NOTHING, tighter)
    assert not any(is_looser(name, getattr(tighter, name), getattr(limits, name)) for name in NAMES)


@given(terms_of_all_kinds, exposures, limit_sets)
def test_what_only_reduces_is_never_denied_for_size_or_loss(
    terms: OrderTerms, exposure: Exposure, limits: Limits
) -> None:
    """Nor for hours, symbols or spread; and what closes a position is asked for its price alone."""
    reducing = replace(terms, reduce_only=True)

    assert codes(reducing, exposure, limits, limits).isdisjoint(SIZE_AND_LOSS)
    assert set(verdict(reducing, exposure, limits, bot=limits, closes=True)) <= {"price_collar"}


@given(terms_of_all_kinds, exposures, limit_sets, limit_sets, limit_sets)
def test_a_warning_never_denies(
    terms: OrderTerms, exposure: Exposure, limits: Limits, warn: Limits, bot_warn: Limits
) -> None:
    """It names what it saw in the same words, and the order is made."""
    plainly = check(terms, exposure, limits, BTC, QUOTE, NOW)
    warned = check(terms, exposure, limits, BTC, QUOTE, NOW, warn=warn, bot_warn=bot_warn)

    assert type(plainly) is type(warned)
    if isinstance(warned, Allowed):
        expected = check(terms, exposure, warn, BTC, QUOTE, NOW, bot=bot_warn)
        assert warned.warnings == (expected.reasons if isinstance(expected, Denied) else ())


@given(terms_of_all_kinds, exposures, limit_sets)
def test_every_denial_names_code_number_and_limit(terms: OrderTerms, exposure: Exposure, limits: Limits) -> None:
    """The sentence holds both numbers, and the code is one of the listed rules."""
    found = check(terms, exposure, limits, BTC, QUOTE, NOW)
    for reason in found.reasons if isinstance(found, Denied) else ():
        assert reason.code in {rule.code for rule in RULES}
        assert reason.number
        assert reason.limit
        assert reason.number in reason.message
        assert reason.limit in reason.message


def test_every_rule_can_deny() -> None:
    """A rule that no order can break is none."""
    stale = replace(QUOTE, at=NOW - timedelta(seconds=5))
    found = check(order(price=D(101)), LOST, EVERY, BTC, stale, NOW)

    assert isinstance(found, Denied)
    assert [reason.code for reason in found.reasons if reason.code not in {rule.code for rule in RULES}] == []
    assert {reason.code for reason in found.reasons} == {rule.code for rule in RULES}
    assert len(found.reasons) == len(RULES), "each once"


def test_the_declared_rules_are_all_limits_and_have_their_own_code() -> None:
    """The list is what kernels, the API and the documentation go by."""
    assert [rule.limit for rule in RULES] == list(dict.fromkeys(rule.limit for rule in RULES))
    assert len({rule.code for rule in RULES}) == len(RULES)
    assert {rule.limit for rule in RULES} == set(NAMES)
    assert any(rule.kernels for rule in RULES)
    assert not all(rule.kernels for rule in RULES)


def test_the_gate_needs_nothing_but_the_law() -> None:
    """A backtest imports it alone: no database, no framework, no clock."""
    code = (
        "import sys, pilothouse.core.risk\n"
        "rooms = {name.split('.')[1] for name in sys.modules if name.startswith('pilothouse.')}\n"
        "assert rooms == {'core'}, rooms\n"
        "assert not {'sqlalchemy', 'structlog', 'fastapi'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_denial_is_a_value() -> None:
    """Equal reasons are equal, so that a record can be compared with its replay."""
    assert Denial("a", "1", "2", "m") == Denial("a", "1", "2", "m")
