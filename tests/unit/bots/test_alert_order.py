"""What an alert of the order shape is read as."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from pilothouse.bots.alert import Shape, read
from pilothouse.core.errors import Invalid
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType
from pilothouse.core.signals import Level, Signal, SignalKind, Size, SizeKind

OPEN = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01"}


def signal(shape: Shape = Shape.ORDER, /, **fields: Any) -> Signal:
    """Return what an alert with `fields` asks for; a None leaves the field out."""
    sent = {name: value for name, value in fields.items() if value is not None}
    return read(json.dumps(sent).encode(), shape).signal


def wrong(shape: Shape = Shape.ORDER, /, **fields: Any) -> dict[str, str]:
    """Return the code of every problem of an alert with `fields`, by field."""
    with pytest.raises(Invalid) as refused:
        signal(shape, **fields)
    return {problem.field: problem.code for problem in refused.value.problems}


def quantity(value: str) -> Size:
    """Return a size in base units."""
    return Size(SizeKind.QUANTITY, Decimal(value))


@pytest.mark.parametrize("side", ["BUY", "buy", "Buy", "long", " buy "])
@pytest.mark.parametrize("action", ["open", "OPEN", "Open"])
def test_an_opening_says_which_side_and_how_much(action: str, side: str) -> None:
    """Whatever the case: alerts are typed by people."""
    asked = signal(**OPEN | {"action": action, "side": side})

    assert asked == Signal(SignalKind.OPEN, "BTCUSDT", Side.BUY, quantity("0.01"))


@pytest.mark.parametrize(
    ("action", "kind"),
    [("increase", SignalKind.INCREASE), ("decrease", SignalKind.DECREASE), ("Decrease", SignalKind.DECREASE)],
)
def test_a_change_of_a_position_needs_no_side(action: str, kind: SignalKind) -> None:
    """The position itself knows its side."""
    assert signal(action=action, symbol="ETHUSDT", quantity=2) == Signal(kind, "ETHUSDT", size=quantity("2"))


@pytest.mark.parametrize("action", ["close", "CLOSE", "exit", "flat"])
@pytest.mark.parametrize("ignored", [{}, {"quantity": "5"}, {"quantity": "0"}, {"quantity": 1, "quote_amount": 2}])
def test_a_close_closes_all_whatever_quantity_it_names(action: str, ignored: dict[str, Any]) -> None:
    """One template often serves every action."""
    assert signal(action=action, symbol="BTCUSDT", **ignored) == Signal(SignalKind.CLOSE, "BTCUSDT")


@pytest.mark.parametrize(
    ("action", "side"), [("buy", Side.BUY), ("SELL", Side.SELL), ("long", Side.BUY), ("short", Side.SELL)]
)
def test_a_side_is_an_action_too(action: str, side: Side) -> None:
    """`{{strategy.order.action}}` fills in buy or sell."""
    assert signal(action=action, symbol="BTCUSDT", quantity="1") == Signal(
        SignalKind.OPEN, "BTCUSDT", side, quantity("1")
    )
    assert signal(action=action, symbol="BTCUSDT", quantity="1", side=side.value).side is side


def test_an_action_and_a_side_that_contradict_are_refused() -> None:
    """Neither of the two may be guessed to be the right one."""
    assert wrong(action="buy", side="SELL", symbol="BTCUSDT", quantity="1") == {"side": "conflict"}


@pytest.mark.parametrize(
    ("field", "kind", "value"),
    [
        ("quantity", SizeKind.QUANTITY, "0.5"),
        ("quote_amount", SizeKind.QUOTE_AMOUNT, "250"),
        ("equity_percent", SizeKind.EQUITY_PERCENT, "150"),
        ("equity_percent", SizeKind.EQUITY_PERCENT, "12.5%"),
    ],
)
def test_a_size_is_told_in_one_of_four_ways(field: str, kind: SizeKind, value: str) -> None:
    """Base units, quote units, a share of equity, or a share of equity at risk."""
    asked = signal(**OPEN | {"quantity": None, field: value})

    assert asked.size == Size(kind, Decimal(value.rstrip("%")))


def test_a_size_by_risk_needs_a_stop() -> None:
    """Without a stop nobody can say what is at risk."""
    sized = OPEN | {"quantity": None, "risk_percent": 1}

    assert wrong(**sized) == {"stop_loss": "missing"}
    assert signal(**sized, stop_loss="2%").size == Size(SizeKind.RISK_PERCENT, Decimal(1))
    assert wrong(**sized | {"risk_percent": 101}, stop_loss="2%") == {"risk_percent": "invalid_value"}
    assert wrong(**sized | {"action": "decrease"}, stop_loss="2%") == {"risk_percent": "conflict"}


def test_two_sizes_are_refused() -> None:
    """Each would be another order."""
    assert wrong(**OPEN, quote_amount=100, equity_percent=5) == {
        "quote_amount": "conflict",
        "equity_percent": "conflict",
    }


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_no_size_is_the_default_size_of_the_hook(nothing: Any) -> None:
    """The hook knows it; the alert then says None."""
    assert signal(**OPEN | {"quantity": nothing}).size is None


def test_contracts_are_a_size_where_no_other_is_told() -> None:
    """An alert that says how much must not get the hook's default instead."""
    assert signal(**OPEN | {"quantity": None}, contracts="3").size == quantity("3")
    assert signal(**OPEN, contracts="3").size == quantity("0.01")


@pytest.mark.parametrize("value", [0, "0", -1, "-0.5", "0.0", "-0"])
def test_a_quantity_is_above_zero(value: Any) -> None:
    """Nothing, or less, cannot be bought."""
    assert wrong(**OPEN | {"quantity": value}) == {"quantity": "invalid_value"}


def test_a_limit_order_needs_its_price_and_a_market_order_drops_it() -> None:
    """Many templates send `{{close}}` along with a market order."""
    assert wrong(**OPEN, order_type="limit") == {"price": "missing"}
    assert wrong(**OPEN, order_type="LIMIT", price="0") == {"price": "invalid_value"}
    assert wrong(**OPEN, order_type="STOP") == {"order_type": "invalid_value"}
    limit = signal(**OPEN, order_type="limit", price=50000.5)
    assert (limit.order_type, limit.price) == (OrderType.LIMIT, Decimal("50000.5"))
    market = signal(**OPEN, order_type="Market", price="50000")
    assert (market.order_type, market.price) == (OrderType.MARKET, None)


@pytest.mark.parametrize(
    ("sent", "level"),
    [
        (48000, Level(price=Decimal(48000))),
        ("48000.50", Level(price=Decimal("48000.50"))),
        ("2%", Level(percent=Decimal(2))),
        (" 2.5 % ", Level(percent=Decimal("2.5"))),
        ({"price": "48000"}, Level(price=Decimal(48000))),
        ({"Percent": 2}, Level(percent=Decimal(2))),
        ({"percent": "2%", "price": None}, Level(percent=Decimal(2))),
    ],
)
@pytest.mark.parametrize("field", ["stop_loss", "take_profit"])
def test_a_bare_number_is_a_price_and_a_percent_sign_a_percentage(field: str, sent: Any, level: Level) -> None:
    """The two must never be taken for each other."""
    assert getattr(signal(**OPEN, **{field: sent}), field) == level


@pytest.mark.parametrize(
    "sent", [0, "-2%", "0%", "2000%", "soon", True, [2], {}, {"price": 1, "percent": 1}, {"price": 0}, {"price": {}}]
)
def test_a_stop_that_cannot_be_read_is_refused_never_left_out(sent: Any) -> None:
    """An opening without the stop it asked for would be a naked position."""
    assert "stop_loss" in wrong(**OPEN, stop_loss=sent)


def test_a_reduction_carries_no_protection() -> None:
    """What closes a position needs no stop of its own."""
    asked = signal(action="decrease", symbol="BTCUSDT", quantity=1, stop_loss="2%", take_profit="4%")

    assert (asked.stop_loss, asked.take_profit) == (None, None)


def test_every_wrong_field_is_named_at_once() -> None:
    """Nobody should have to fire an alert five times to mend it."""
    fields = {"action": "opne", "side": "up", "quantity": "lots", "price": "1,000", "order_type": "fast"}

    assert set(wrong(**fields)) == {"action", "side", "quantity", "price", "order_type", "symbol"}
    assert wrong() == {"action": "missing", "symbol": "missing"}
    assert wrong(action="open", symbol="BTCUSDT", quantity=1) == {"side": "missing"}


def test_names_of_fields_are_found_in_every_spelling() -> None:
    """Generators of alerts write camelCase, people write capitals."""
    asked = signal(ACTION="open", Ticker="ETHUSDT", Side="sell", Qty="2", orderType="LIMIT", PRICE=3000, stopLoss="1%")

    assert asked == Signal(
        SignalKind.OPEN,
        "ETHUSDT",
        Side.SELL,
        quantity("2"),
        order_type=OrderType.LIMIT,
        price=Decimal(3000),
        stop_loss=Level(percent=Decimal(1)),
    )


def test_two_spellings_that_disagree_are_refused() -> None:
    """Two that agree are harmless."""
    assert wrong(**OPEN, Quantity="0.02") == {"quantity": "conflict"}
    assert signal(**OPEN, Quantity="0.01", qty=None).size == quantity("0.01")


@pytest.mark.parametrize(
    ("fields", "target"),
    [
        ({"action": "sell", "market_position": "flat", "quantity": 1}, "0"),
        ({"action": "sell", "market_position": "flat", "prev_market_position": "long", "position_size": "0"}, "0"),
        ({"action": "sell", "position_size": "-1"}, "-1"),
        ({"action": "buy", "market_position": "long", "market_position_size": "3"}, "3"),
        ({"strategy_action": "sell", "position_before": "1", "position_after": "0"}, "0"),
        ({"position_size": 2}, "2"),
    ],
)
def test_the_position_of_the_strategy_decides_where_it_is_sent(fields: dict[str, Any], target: str) -> None:
    """`sell` may leave a long, reduce it or open a short; an exit while flat must never open."""
    asked = replace(signal(**fields, symbol="BTCUSDT"), position_before=None)
    assert asked == Signal(SignalKind.TARGET, "BTCUSDT", target=Decimal(target))


def test_a_sell_that_leaves_the_strategy_long_only_reduces() -> None:
    """Without the size of the position, its side still says whether an order adds."""
    told = {"symbol": "BTCUSDT", "quantity": 1}

    assert signal(action="sell", market_position="long", **told).kind is SignalKind.DECREASE
    assert signal(action="sell", market_position="short", **told) == Signal(
        SignalKind.OPEN, "BTCUSDT", Side.SELL, quantity("1")
    )
    assert wrong(action="open", side="buy", market_position="short", **told) == {"market_position": "conflict"}
    assert wrong(action="sell", prev_market_position="long", **told) == {"position_size": "missing"}


def test_the_sender_s_own_id_time_and_comment_are_kept() -> None:
    """The id is what makes a repeat a repeat."""
    asked = signal(**OPEN, alertId=" a-7 ", timenow="2026-11-02T09:30:00Z", comment="first\nline " + "x" * 300)

    assert asked.alert_id == "a-7"
    assert asked.sent_at is not None
    assert asked.sent_at.isoformat() == "2026-11-02T09:30:00+00:00"
    assert asked.comment is not None
    assert asked.comment.startswith("first line")
    assert len(asked.comment) == 200
    assert signal(**OPEN, alert_id=12345678901234567890).alert_id == "12345678901234567890"


@pytest.mark.parametrize("sent", ["{{strategy.order.id}}", "a" * 129, "a\u0000b", True, {"id": 1}])
def test_an_id_that_cannot_tell_alerts_apart_is_refused(sent: Any) -> None:
    """A placeholder that was not filled would make all alerts one and the same."""
    assert set(wrong(**OPEN, alert_id=sent)) == {"alert_id"}


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        ("2026-11-02T09:30:00Z", 1793611800),
        ("2026-11-02T11:30:00+02:00", 1793611800),
        ("2026-11-02 09:30:00.000Z", 1793611800),
        (1793611800, 1793611800),
        ("1793611800000", 1793611800),
        ("yesterday", None),
        ("{{timenow}}", None),
        ("2026-11-02T09:30:00", None),
        ("2026-13-02T09:30:00Z", None),
        ("0001-01-01T00:00:00+23:00", None),
        ("١٧٩٣٦١١٨٠٠", None),
        (12, None),
        (True, None),
    ],
)
def test_a_time_is_taken_where_it_parses_and_is_free_text_elsewhere(sent: Any, seconds: int | None) -> None:
    """It makes alerts differ in any form; only a time with its offset says how old one is."""
    sent_at = signal(**OPEN, timenow=sent).sent_at

    assert (None if sent_at is None else sent_at.timestamp()) == seconds


def test_unknown_fields_and_empty_ones_do_not_matter() -> None:
    """Templates of other products carry many."""
    plain = signal(**OPEN)

    assert signal(**OPEN, bot_uuid="x", leverage=5, price="", stop_loss="", extras={"a": [1, None]}) == plain
    assert read(b'{"plot": NaN, ' + json.dumps(OPEN).encode()[1:], Shape.ORDER).signal == plain
