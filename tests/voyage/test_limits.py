"""Limits at four levels, as an order meets them in a whole house: read, counted, recorded, loosened in time."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from pilothouse.accounts import hooks
from pilothouse.core.errors import Invalid
from pilothouse.core.instrument import Side
from pilothouse.core.limits import Limits
from pilothouse.execution import limit_sets, limits
from pilothouse.execution import store as orders_store
from pilothouse.execution.desk import Patience
from pilothouse.execution.gate import DeniedByRisk
from pilothouse.execution.limit_sets import Level
from pilothouse.fleet.answer import AnswerState, Outcome
from pilothouse.jobs.schedule import snapshot_equity
from pilothouse.ledger import high_water
from pilothouse.notifications import store as alarm_store
from pilothouse.venues.paper_faults import Fault
from tests.stepped import Stepped

OPEN = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010"}
CLOSE = {"action": "close", "symbol": "BTCUSDT"}
RESTS = {**OPEN, "order_type": "LIMIT", "price": "30000"}
LOW: dict[str, Any] = {"price_collar_percent": "100"}


def _bot(stepped: Stepped) -> str:
    """Return the id of the hook that alerts of this house come in by."""
    found = stepped.house.database.read(lambda tx: hooks.list_hooks(tx, stepped.account.owner_id))
    return found[0].id


def _codes(outcome: Outcome) -> list[str]:
    """Return the codes of a refusal; none if it was no refusal by the gate."""
    return [one["code"] for one in (outcome.signal.detail or {}).get("reasons", [])]


@pytest.mark.parametrize("level", list(Level))
def test_the_tightest_of_four_levels_stops_an_order(level: Level, stepped: Stepped) -> None:
    """House, user, account, bot: each can only take away from what the others allow."""
    for each in Level:
        stepped.limit(each, bot=_bot(stepped), order_notional_max="100000")
    assert stepped.alert(**OPEN).state is AnswerState.FILLED

    stepped.limit(level, bot=_bot(stepped), order_notional_max="10")
    refused = stepped.alert(**OPEN)

    assert (refused.state, _codes(refused)) == (AnswerState.REFUSED, ["order_size"])
    assert stepped.alert(**CLOSE).state is AnswerState.FILLED
    holds = _standing(stepped, _bot(stepped))
    assert holds.set_at["order_notional_max"] is level
    assert holds.stop.order_notional_max == Decimal(10)


def _standing(stepped: Stepped, bot: str | None = None) -> limit_sets.Standing:
    account, now = stepped.account, stepped.clock.now()
    return stepped.house.database.read(lambda tx: limit_sets.standing(tx, account.owner_id, account.id, bot, now))


SPANS = {
    "orders_per_second_max": ("order_rate_second", 1.1),
    "orders_per_minute_max": ("order_rate", 61),
    "repeats_per_minute_max": ("repeat_order", 61),
    "notional_per_second_max": ("notional_rate_second", 1.1),
    "notional_per_minute_max": ("notional_rate_minute", 61),
}


@pytest.mark.parametrize("level", [Level.ACCOUNT, Level.BOT])
def test_what_is_made_within_a_span_is_counted(level: Level, stepped: Stepped) -> None:
    """Second and minute, in orders and in money, of the account and of the bot itself."""
    bot = _bot(stepped)
    for limit, (code, seconds) in SPANS.items():
        mark = stepped.house.quotes.get("paper", "BTCUSDT").mark
        wanted: dict[str, Any] = {limit: mark * Decimal("0.029") if limit.startswith("notional") else 2}
        stepped.limit(level, bot=bot, **wanted)
        outcomes = [stepped.alert(**OPEN) for _ in range(3)]
        assert [_codes(one) for one in outcomes] == [[], [], [code]], limit
        _later(stepped, seconds)
        assert stepped.alert(**OPEN).state is AnswerState.FILLED, limit
        stepped.limit(level, bot=bot, **dict.fromkeys(wanted))
        _later(stepped, 61)


@pytest.mark.parametrize("level", [Level.ACCOUNT, Level.BOT])
def test_what_is_made_within_a_day_is_counted(level: Level, stepped: Stepped) -> None:
    """In orders and in money, until midnight UTC."""
    mark = stepped.house.quotes.get("paper", "BTCUSDT").mark
    bot = _bot(stepped)
    stepped.limit(level, bot=bot, orders_per_day_max=2, notional_per_day_max=mark * Decimal("0.029"))
    outcomes = [stepped.alert(**OPEN) for _ in range(3)]
    assert [set(_codes(one)) for one in outcomes] == [set(), set(), {"order_rate_day", "notional_rate_day"}]
    _later(stepped, 12 * 3600)
    assert stepped.alert(**OPEN).state is AnswerState.FILLED


def _later(stepped: Stepped, seconds: float) -> None:
    stepped.clock.advance(seconds)
    assert stepped.house.paper is not None, "a house with a paper venue"
    stepped.house.paper.step(stepped.clock.now())


def test_the_day_is_counted_on_when_its_first_hours_are_remembered(stepped: Stepped) -> None:
    """Orders older than a minute are added up once; the sum is the same as if all were read again."""
    stepped.limit(orders_per_day_max=4)
    for _ in range(4):
        assert stepped.alert(**OPEN).state is AnswerState.FILLED
        stepped.pass_time(90, step=30)
    assert _codes(stepped.alert(**OPEN)) == ["order_rate_day"]

    stepped.die()
    stepped.open()
    assert _codes(stepped.alert(**OPEN)) == ["order_rate_day"], "also after a restart, which remembers nothing"


def test_open_orders_and_all_positions_together_are_bounded(stepped: Stepped) -> None:
    """What rests in another instrument counts as if it were filled."""
    stepped.limit(open_orders_max=2, **LOW)
    assert [stepped.alert(**RESTS).state for _ in range(2)] == [AnswerState.WORKING] * 2
    assert _codes(stepped.alert(**RESTS)) == ["open_orders"]

    stepped.limit(open_orders_max=10, gross_notional_max="700")
    eth = {"action": "open", "symbol": "ETHUSDT", "side": "BUY", "quantity": "0.1"}
    assert _codes(stepped.alert(**eth)) == ["gross_exposure"], "two orders of 300 rest elsewhere"
    stepped.limit(gross_notional_max="2000")
    assert stepped.alert(**eth).state is AnswerState.FILLED


def test_an_order_nobody_knows_of_counts_as_filled(stepped: Stepped) -> None:
    """It may have bought: until it is known, the position may be as large as both."""
    mark = stepped.house.quotes.get("paper", "BTCUSDT").mark
    most = mark * Decimal("0.015")
    stepped.limit(position_notional_max=most, gross_notional_max=most)
    stepped.faults.arm(Fault.LOSE_ANSWER)
    stepped.faults.arm(Fault.LOSE_ANSWER, "find", times=50)
    first = stepped.alert(**OPEN)
    assert stepped.unknown()
    unknown_in = first.signal.symbol

    house = stepped.house

    def place(symbol: str, quantity: str) -> list[str]:
        try:
            stepped.by_hand(symbol, quantity)
        except DeniedByRisk as denied:
            return [one.code for one in denied.reasons]
        return []

    assert unknown_in == "BTCUSDT"
    assert place("BTCUSDT", "0.010") == ["position_notional", "gross_exposure"]
    half = most / 2 / stepped.house.quotes.get("paper", "ETHUSDT").mark
    eth = house.instruments.get("paper", "ETHUSDT")
    assert place("ETHUSDT", str(eth.quantity_down(half))) == ["gross_exposure"], "elsewhere too"


def test_losses_in_a_row_stop_new_exposure_until_the_next_day(stepped: Stepped) -> None:
    """Each way in and out pays the spread and two fees: a loss. A pause after each is another rule."""
    for _ in range(2):
        assert stepped.alert(**OPEN).state is AnswerState.FILLED
        assert stepped.alert(**CLOSE).state is AnswerState.FILLED
    stepped.limit(losses_in_a_row_max=2)
    assert _codes(stepped.alert(**OPEN)) == ["losses_in_a_row"]
    stepped.limit(losses_in_a_row_max=3, cooldown_s="60")
    assert _codes(stepped.alert(**OPEN)) == ["cooldown"]
    stepped.pass_time(61, step=20)
    assert stepped.alert(**OPEN).state is AnswerState.FILLED
    assert stepped.alert(**CLOSE).state is AnswerState.FILLED
    assert set(_codes(stepped.alert(**OPEN))) == {"losses_in_a_row", "cooldown"}

    stepped.pass_time(12 * 3600, step=3600)
    assert stepped.alert(**OPEN).state is AnswerState.FILLED, "another day has begun"


def test_drawdown_counts_from_the_highest_equity_and_not_from_what_was_paid_in(stepped: Stepped) -> None:
    """A deposit is no gain and a withdrawal no loss; to begin anew is a decision of a person."""
    house, account = stepped.house, stepped.account
    stepped.limit(drawdown_percent_max="10")
    snapshot_equity(house)
    owner = account.owner_id
    lift: dict[str, Any] = {"owner_id": owner, "account_id": account.id, "now": stepped.clock.now()}
    house.database.write(lambda tx: high_water.rise(tx, equity=Decimal(11_200), **lift), name="lift")
    assert _codes(stepped.alert(**OPEN)) == ["drawdown"]
    house.database.write(lambda tx: high_water.move(tx, account.id, Decimal(-1_000)), name="paid out")
    assert stepped.alert(**OPEN).state is AnswerState.FILLED

    house.database.write(lambda tx: high_water.rise(tx, equity=Decimal(12_000), **lift), name="lift")
    assert _codes(stepped.alert(**OPEN)) == ["drawdown"]
    house.database.write(lambda tx: high_water.begin_anew(tx, equity=Decimal(10_000), **lift), name="anew")
    assert stepped.alert(**OPEN).state is AnswerState.FILLED


def test_a_warning_is_told_and_the_order_is_made(stepped: Stepped) -> None:
    """It stands in the order's timeline, and an alarm names number and limit."""
    stepped.limit(warn={"order_notional_max": "10"})
    outcome = stepped.alert(**OPEN)

    assert outcome.state is AnswerState.FILLED
    order = stepped.only_order()
    lines = stepped.house.database.read(lambda tx: orders_store.timeline(tx, order.id))
    assert [line.detail.split(":")[0] for line in lines if line.event == "warned"] == ["order_size"]
    alarms = stepped.house.database.read(lambda tx: alarm_store.open_alarms(tx, ["limit_warning"]))
    assert [alarm.about for alarm in alarms] == ["order_size"]
    assert "at most 10 are allowed" in alarms[0].message


def test_what_is_loosened_holds_after_the_delay_of_the_house(stepped: Stepped) -> None:
    """Nobody talks themselves into a larger bet within a minute; what is tightened holds at once."""
    stepped.limit(order_notional_max="100")
    stepped.die()
    stepped.patience = Patience(loosening=timedelta(hours=1))
    stepped.open()

    stepped.limit(order_notional_max="100000", leverage_max="3")
    stepped.limit(leverage_max=None)
    assert _standing(stepped).stop == _limits(order_notional_max=Decimal(100), leverage_max=Decimal(3))
    assert _codes(stepped.alert(**OPEN)) == ["order_size"]

    _later(stepped, 3601)
    assert _standing(stepped).stop == _limits(order_notional_max=Decimal(100_000))
    assert stepped.alert(**OPEN).state is AnswerState.FILLED

    stepped.limit(order_notional_max="200000")
    stepped.limit(order_notional_max="50")
    stepped.clock.advance(3601)
    assert _standing(stepped).stop.order_notional_max == 50, "tightening took the loosening back"


def _limits(**named: Any) -> Limits:
    return Limits(**{**limit_sets.WIDE.named(), **named})


def test_who_changed_a_limit_and_why_is_kept(stepped: Stepped) -> None:
    """From what, to what, and from when on; the same again is no change."""
    stepped.limit(order_notional_max="100")
    stepped.limit(order_notional_max="100")
    stepped.limit(Level.HOUSE, symbols=["ETHUSDT", "BTCUSDT"], warn={"leverage_max": "2"})

    kept = stepped.house.database.read(
        lambda tx: limit_sets.changes_of(tx, stepped.account.owner_id, before=None, limit=10)
    )
    lines = [(one.level, one.name, one.which, one.was, one.became, one.by, one.why) for one in kept][::-1]
    assert lines == [
        ("account", "order_notional_max", "stop", None, "100", "test", "a test"),
        ("house", "symbols", "stop", None, "BTCUSDT, ETHUSDT", "test", "a test"),
        ("house", "leverage_max", "warn", None, "2", "test", "a test"),
    ]


def test_every_wrong_limit_is_named_with_what_would_be_right(stepped: Stepped) -> None:
    """All at once, and nothing is changed."""
    with pytest.raises(Invalid) as refused:
        stepped.limit(nonsense=1, hours="noon", symbols=[], leverage_max="0", warn={"open_orders_max": "1.5"})

    assert {one.field for one in refused.value.problems} == {
        "nonsense",
        "hours",
        "symbols",
        "leverage_max",
        "warnings.open_orders_max",
    }
    assert _standing(stepped).stop == limit_sets.WIDE


def test_a_default_of_the_account_comes_back_when_its_limit_is_taken_away(stepped: Stepped) -> None:
    """There is always an order size that is too large, and a price that is too old."""
    stepped.limit(price_collar_percent="50")
    assert _standing(stepped).stop.price_collar_percent == 50
    stepped.limit(price_collar_percent=None)
    assert _standing(stepped).stop == limit_sets.WIDE
    read = stepped.house.database.read(
        lambda tx: limits.of_account(tx, stepped.account.id, stepped.account.owner_id, stepped.clock.now())
    )
    assert read.price_collar_percent == 10


def test_what_turns_a_position_round_is_asked_as_what_opens_it(stepped: Stepped) -> None:
    """Beside what is still held, the order that opens the other way must not look as if it only reduced."""
    assert stepped.alert(**OPEN).state is AnswerState.FILLED
    stepped.limit(order_notional_max="10")

    turned = stepped.alert(order_action="sell", symbol="BTCUSDT", contracts="0.02", position_size="-0.01")
    stepped.pass_time(1)

    assert _codes(stepped.outcome(turned.signal.id)) == ["order_size"]
    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == 0


def test_an_order_by_hand_beside_a_close_on_its_way_is_asked_as_what_opens(stepped: Stepped) -> None:
    """The close takes out what is held: whatever else is sold then goes short, and no limit may miss it."""
    assert stepped.alert(**OPEN).state is AnswerState.FILLED
    stepped.limit(order_notional_max="10")
    stepped.faults.arm(Fault.LOSE_ANSWER)
    stepped.faults.arm(Fault.LOSE_ANSWER, "find", times=50)
    stepped.alert(**CLOSE)
    assert [order.terms.reduce_only for order in stepped.unknown()] == [True]

    with pytest.raises(DeniedByRisk) as denied:
        stepped.by_hand("BTCUSDT", "0.010", Side.SELL)

    assert [one.code for one in denied.value.reasons] == ["order_size"]
