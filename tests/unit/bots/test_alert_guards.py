"""What an alert asks for to protect its position, and which field is named where it cannot be read."""

from decimal import Decimal
from typing import Any

import pytest

from pilothouse.bots.alert import Shape
from pilothouse.core.signals import Guards, Level, Target, Trailing
from tests.unit.bots.test_alert_order import OPEN, signal, wrong


def test_a_ladder_with_all_that_belongs_to_it_is_read() -> None:
    """Prices, percentages, shares and the rest, numbers or texts."""
    asked = signal(
        **OPEN,
        stop_loss="2%",
        take_profits=[{"percent": 1, "share": "50%"}, {"price": "70000", "share": 30}, "9%"],
        break_even_after="1",
        trailing_stop={"percent": "1.5", "activation": "2%"},
        time_stop_s=3600,
    )

    assert asked.guards == Guards(
        Level(percent=Decimal(2)),
        (
            Target(Level(percent=Decimal(1)), Decimal(50)),
            Target(Level(price=Decimal(70_000)), Decimal(30)),
            Target(Level(percent=Decimal(9))),
        ),
        break_even_after=1,
        trailing=Trailing(percent=Decimal("1.5"), activation=Level(percent=Decimal(2))),
        time_stop_s=3600,
    )


@pytest.mark.parametrize(
    ("fields", "guards"),
    [
        ({"takeProfit": {"limitPrice": "70000"}}, Guards(targets=(Target(Level(price=Decimal(70_000))),))),
        ({"stopLoss": {"type": "stop", "stopPrice": 60000}}, Guards(Level(price=Decimal(60_000)))),
        ({"stopLoss": {"amount": 500}}, Guards(Level(distance=Decimal(500)))),
        (
            {"stopLoss": {"type": "trailing_stop", "trailPercent": 2}},
            Guards(trailing=Trailing(percent=Decimal(2))),
        ),
        ({"trailingStop": {"distance": "250.5"}}, Guards(trailing=Trailing(distance=Decimal("250.5")))),
        ({"trailing_stop": "1%"}, Guards(trailing=Trailing(percent=Decimal(1)))),
    ],
)
def test_other_dialects_say_the_same(fields: dict[str, Any], guards: Guards) -> None:
    """Whoever comes from TradersPost need not write their alerts anew."""
    assert signal(**OPEN, **fields).guards == guards


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        ({"take_profits": []}, {"take_profits": "invalid_value"}),
        ({"take_profits": "2%"}, {"take_profits": "invalid_value"}),
        ({"take_profits": [{"percent": 1}] * 21}, {"take_profits": "invalid_value"}),
        ({"take_profits": [{"percent": 1, "share": 60}, {"percent": 2, "share": 60}]}, {"take_profits": "conflict"}),
        ({"take_profits": [{"percent": 1, "share": 100}, {"percent": 2}]}, {"take_profits": "conflict"}),
        ({"take_profits": [{"percent": 1}, {"percent": 2}]}, {"take_profits[1].share": "missing"}),
        ({"take_profits": [{"percent": 1, "share": 0}]}, {"take_profits[0].share": "invalid_value"}),
        ({"take_profits": [{"share": 50}]}, {"take_profits[0]": "invalid_value"}),
        ({"take_profits": [{"percent": "{{plot_0}}"}]}, {"take_profits[0]": "placeholder_not_filled"}),
        ({"take_profits": ["1%"], "take_profit": "2%"}, {"take_profit": "conflict"}),
        ({"stop_loss": "1%", "break_even_after": 1}, {"break_even_after": "conflict"}),
        ({"take_profits": ["1%"], "break_even_after": 2}, {"break_even_after": "conflict"}),
        ({"take_profits": ["1%"], "break_even_after": "1.5"}, {"break_even_after": "invalid_value"}),
        ({"trailing_stop": 1}, {"trailing_stop": "invalid_value"}),
        ({"trailing_stop": {"percent": 1, "distance": 5}}, {"trailing_stop": "invalid_value"}),
        ({"trailing_stop": {"percent": 100}}, {"trailing_stop": "invalid_value"}),
        ({"trailingStop": {}}, {"trailingStop": "invalid_value"}),
        ({"time_stop_s": 0}, {"time_stop_s": "invalid_value"}),
        ({"time_stop_s": "1 hour"}, {"time_stop_s": "invalid_value"}),
        ({"stopLoss": {"type": "stop_limit", "stopPrice": 1}}, {"stopLoss.type": "invalid_value"}),
    ],
)
@pytest.mark.parametrize("shape", [Shape.ORDER, Shape.STRATEGY])
def test_what_cannot_be_read_one_way_only_is_refused_under_its_name(
    fields: dict[str, Any], problems: dict[str, str], shape: Shape
) -> None:
    """A position without the protection that was asked for is the worst reading of an alert."""
    asked = OPEN if shape is Shape.ORDER else {"symbol": "BTCUSDT", "position_size": 1}
    assert wrong(shape, **asked, **fields) == problems


def test_a_reduction_carries_none_of_it() -> None:
    """It is read and checked all the same."""
    close = {"action": "close", "symbol": "BTCUSDT"}
    assert not signal(**close, take_profits=["1%"], time_stop_s=5, trailing_stop="1%").guards
    assert wrong(**close, time_stop_s=-1) == {"time_stop_s": "invalid_value"}
