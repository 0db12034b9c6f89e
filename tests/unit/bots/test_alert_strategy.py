"""What an alert of the strategy shape is read as, and how the two shapes are told apart."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from pilothouse.bots.alert import Shape, read
from pilothouse.core.errors import Invalid
from pilothouse.core.order import OrderType
from pilothouse.core.signals import Level, Signal, SignalKind

BUY = {"order_action": "buy", "symbol": "BTCUSDT", "contracts": "0.5"}


def signal(shape: Shape = Shape.STRATEGY, /, **fields: Any) -> Signal:
    """Return what an alert with `fields` asks for; a None leaves the field out."""
    sent = {name: value for name, value in fields.items() if value is not None}
    return read(json.dumps(sent).encode(), shape).signal


def wrong(shape: Shape = Shape.STRATEGY, /, **fields: Any) -> dict[str, str]:
    """Return the code of every problem of an alert with `fields`, by field."""
    with pytest.raises(Invalid) as refused:
        signal(shape, **fields)
    return {problem.field: problem.code for problem in refused.value.problems}


@pytest.mark.parametrize(
    ("position", "target"),
    [
        ({"position_size": "0.5"}, "0.5"),
        ({"position_size": -0.5}, "-0.5"),
        ({"position_size": 0}, "0"),
        ({"position_size": "-0"}, "0"),
        ({"positionSize": "1e-3"}, "0.001"),
        ({"position_size": ".5"}, "0.5"),
        ({"position_size": "0.5", "market_position": "long"}, "0.5"),
        ({"position_size": "0.5", "market_position": "SHORT"}, "-0.5"),
        ({"position_size": "-0.5", "market_position": "short"}, "-0.5"),
        ({"position_size": "0.5", "market_position": "flat"}, "0"),
        ({"market_position": "flat"}, "0"),
        ({"market_position": "short", "market_position_size": "2"}, "-2"),
        ({"position_size": "-2", "market_position": "short", "market_position_size": "2"}, "-2"),
        ({"position_size": "-2", "market_position_size": "2"}, "-2"),
        ({"market_position_size": "0"}, "0"),
        ({"position_after": "-3", "position_before": "1"}, "-3"),
    ],
)
def test_the_target_is_the_position_after_the_alert(position: dict[str, Any], target: str) -> None:
    """Signed, or unsigned with the word that gives its sign."""
    asked = signal(**BUY, **position)

    assert replace(asked, position_before=None) == Signal(SignalKind.TARGET, "BTCUSDT", target=Decimal(target))
    assert str(asked.target) != "-0"


@pytest.mark.parametrize(
    ("fields", "before"),
    [
        ({"position_before": "-0.5"}, "-0.5"),
        ({"prev_market_position": "flat"}, "0"),
        ({"prev_market_position": "short", "prev_market_position_size": "2"}, "-2"),
        ({"prev_market_position": "LONG", "prev_market_position_size": 2}, "2"),
        ({"prev_market_position_size": "2"}, None),
        ({"position_before": "some"}, None),
        ({"prev_market_position": "long"}, None),
        ({}, None),
    ],
)
def test_what_was_held_before_is_read_where_it_is_told_in_numbers(fields: dict[str, Any], before: str | None) -> None:
    """It is compared with the account; what cannot be read is no reason to refuse an alert."""
    asked = signal(**BUY, position_size="1", **fields)

    assert asked.position_before == (None if before is None else Decimal(before))


@pytest.mark.parametrize(("sent", "counter"), [("7", 7), (0, 0), ("7.5", None), ("-1", None), ("seven", None)])
def test_a_running_number_is_a_whole_one_or_free_text(sent: Any, counter: int | None) -> None:
    """Alerts had such a field before it meant anything."""
    assert signal(**BUY, position_size="1", counter=sent).counter == counter


def test_a_heartbeat_is_read_at_every_address() -> None:
    """It says that the sender lives, and nothing else."""
    for shape in Shape:
        beat = read(json.dumps({"action": "Heartbeat", "seq": 3}).encode(), shape).signal
        assert beat == Signal(SignalKind.HEARTBEAT, "", counter=3)


@pytest.mark.parametrize(
    ("position", "problems"),
    [
        ({}, {"position_size": "missing"}),
        ({"market_position": "long"}, {"position_size": "missing"}),
        ({"market_position_size": "1"}, {"market_position": "missing"}),
        ({"position_size": "-1", "market_position": "long"}, {"position_size": "conflict"}),
        ({"position_size": "0", "market_position": "short"}, {"position_size": "conflict"}),
        ({"position_size": "1", "position_after": "2"}, {"position_after": "conflict"}),
        ({"position_size": "1", "market_position": "sideways"}, {"market_position": "invalid_value"}),
        ({"position_size": "{{strategy.position_size}}"}, {"position_size": "placeholder_not_filled"}),
        ({"position_size": "NaN"}, {"position_size": "not_finite"}),
        ({"position_size": "Infinity"}, {"position_size": "not_finite"}),
        ({"position_size": True}, {"position_size": "invalid_value"}),
        ({"position_size": [1]}, {"position_size": "invalid_value"}),
        ({"position_size": "NaN", "market_position": "flat"}, {"position_size": "not_finite"}),
    ],
)
def test_a_position_that_is_not_told_or_contradicts_itself_is_refused(
    position: dict[str, Any], problems: dict[str, str]
) -> None:
    """The target is the whole alert; nothing of it may be guessed."""
    assert wrong(**BUY, **position) == problems


def test_action_and_contracts_are_checked_but_decide_nothing() -> None:
    """`buy` may open a long, close a short or flip; only the position after it says which."""
    told = {"symbol": "BTCUSDT", "position_size": "0"}

    for order_action in ("buy", "SELL", None):
        for contracts in ("0.5", 0, None):
            assert signal(order_action=order_action, contracts=contracts, **told).target == 0
    assert wrong(order_action="hold", contracts="-1", **told) == {
        "order_action": "invalid_value",
        "contracts": "invalid_value",
    }
    assert wrong(contracts="{{strategy.order.contracts}}", **told) == {"contracts": "placeholder_not_filled"}


def test_a_target_may_be_a_limit_order_and_carry_protection() -> None:
    """The rest of the alert means what it means in the order shape."""
    asked = signal(**BUY, position_size="0.5", order_type="LIMIT", price="50000", stop_loss="2%", take_profit=60000)

    assert (asked.order_type, asked.price) == (OrderType.LIMIT, Decimal(50000))
    assert (asked.stop_loss, asked.take_profit) == (Level(percent=Decimal(2)), Level(price=Decimal(60000)))
    assert wrong(**BUY, position_size="0.5", order_type="LIMIT") == {"price": "missing"}


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ({"action": "buy", "quantity": 1}, Shape.ORDER),
        ({"action": "close"}, Shape.ORDER),
        ({"action": "buy", "quantity": 1, "market_position": "long"}, Shape.ORDER),
        ({"action": "buy", "position_size": 1}, Shape.STRATEGY),
        ({"order_action": "buy", "contracts": 1, "position_size": 1}, Shape.STRATEGY),
        ({"market_position": "flat"}, Shape.STRATEGY),
        ({"strategy_action": "buy", "position_after": 1}, Shape.STRATEGY),
    ],
)
def test_a_hook_with_its_own_address_tells_the_shapes_apart(fields: dict[str, Any], shape: Shape) -> None:
    """One address serves every alert of a chart."""
    assert read(json.dumps({"symbol": "BTCUSDT", **fields}).encode(), Shape.EITHER).shape is shape


def test_an_order_of_a_strategy_without_its_position_is_refused_everywhere() -> None:
    """`{{strategy.order.action}}` alone does not say whether to open or to close."""
    assert wrong(Shape.EITHER, **BUY) == {"position_size": "missing"}
    assert wrong(Shape.STRATEGY, **BUY) == {"position_size": "missing"}
    assert wrong(Shape.ORDER, **BUY) == {"action": "missing"}


def test_a_fixed_address_is_never_told_otherwise() -> None:
    """An order alert that went to the strategy address names what is missing there."""
    assert wrong(action="open", symbol="BTCUSDT", side="BUY", quantity=1) == {"position_size": "missing"}
