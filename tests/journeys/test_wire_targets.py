"""The strategy endpoint: the position becomes what the strategy says it is."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.house_process import STRATEGY, HouseProcess, fresh
from tests.journeys.wire import BUY, named_in, new_hook
from tests.plain_http import NO_TLS

pytestmark = pytest.mark.timeout(400)

TEMPLATE = (
    '{"order_action":"%s","symbol":"BTCUSDT","contracts":"%s","position_size":"%s","order_type":"MARKET","n":"%s"}'
)


@pytest.mark.parametrize(
    ("held", "target", "state", "message", "sides"),
    [
        ("0", "0.02", "filled", "Position opened", ["BUY 0.02"]),
        ("0", "-0.02", "filled", "Position opened", ["SELL 0.02"]),
        ("0.02", "0", "filled", "Position closed", ["SELL 0.02"]),
        ("-0.02", "0", "filled", "Position closed", ["BUY 0.02"]),
        ("0.02", "0.05", "filled", "Position increased", ["BUY 0.03"]),
        ("-0.02", "-0.05", "filled", "Position increased", ["SELL 0.03"]),
        ("0.05", "0.02", "filled", "Position decreased", ["SELL 0.03"]),
        ("-0.05", "-0.02", "filled", "Position decreased", ["BUY 0.03"]),
        ("0.02", "-0.01", "filled", "Position flipped", ["SELL 0.02", "SELL 0.01"]),
        ("-0.02", "0.03", "filled", "Position flipped", ["BUY 0.02", "BUY 0.03"]),
        ("0.02", "0.02", "noop", "Already there", []),
        ("0", "0", "noop", "Already there", []),
    ],
)
def test_the_position_becomes_what_the_strategy_says(
    held: str, target: str, state: str, message: str, sides: list[str], house: HouseProcess
) -> None:
    """position_size is the target; order_action and contracts decide nothing; being there already is no error."""
    first = TEMPLATE % ("buy", "1", held, fresh())
    house.carried_out(first.encode(), STRATEGY, headers={"X-Webhook-Secret": house.secret})
    assert house.position() == Decimal(held)

    body = (TEMPLATE % ("sell", "7", target, fresh())).encode()
    answer = house.carried_out(body, STRATEGY, headers={"X-Webhook-Secret": house.secret})

    told = answer.json()
    assert (answer.status_code, told["state"], told["success"]) == (200, state, True), told
    assert told["message"].startswith(message)
    assert house.position() == Decimal(target)
    made = house.signal(told["signal_id"])["orders"]
    assert [f"{one['side']} {one['quantity']}" for one in made] == sides
    reduces = [abs(Decimal(target)) < abs(Decimal(held))] if len(sides) == 1 else [True, False][: len(sides)]
    assert [one["reduce_only"] for one in made] == reduces
    if sides:
        assert told["order"]["id"] == made[-1]["id"]
        assert message == "Already there" or told["message"].endswith("successfully for BTCUSDT")
    else:
        assert told["order"] is None
    held_now = None if Decimal(target) == 0 else target
    assert (told["position"] or {}).get("positionAmt") == held_now


@pytest.mark.parametrize(
    ("held", "fields", "after"),
    [
        ("0", {"strategy_action": "buy", "position_before": "0", "position_after": "0.02"}, "0.02"),
        ("0.02", {"strategy_action": "sell", "position_before": "0.02", "position_after": "-0.01"}, "-0.01"),
        ("0", {"order_action": "sell", "market_position": "short", "market_position_size": "0.02"}, "-0.02"),
        ("0.02", {"order_action": "sell", "market_position": "flat", "market_position_size": "0"}, "0"),
        ("0.02", {"order_action": "sell", "market_position": "flat", "position_size": "0"}, "0"),
        ("0", {"order_action": "buy", "position_size": "0.02", "market_position": "long",
               "prev_market_position": "flat", "prev_market_position_size": "0"}, "0.02"),
        ("0.02", {"order_action": "sell", "position_size": "0.02", "market_position": "short"}, "-0.02"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("door", [STRATEGY, "hook"])
def test_the_strategys_own_words_say_what_the_position_shall_be(
    door: str, held: str, fields: dict[str, Any], after: str, house: HouseProcess
) -> None:
    """Aliases from documents, and TradingView's placeholders; signed, or with the side beside the size."""
    path = house.hook_path if door == "hook" else door
    if Decimal(held):
        house.alert(STRATEGY, symbol="BTCUSDT", order_action="buy", contracts=1, position_size=held)

    told = house.alert(path, symbol="BINANCE:BTCUSDT.P", contracts="0.02", **fields)

    assert told["state"] == "filled", told
    assert house.position() == Decimal(after)


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "sell", "quantity": "0.01", "market_position": "flat", "market_position_size": "0"},
        {"action": "sell", "quantity": "0.01", "position_size": "0", "prev_market_position": "long"},
        {"order_action": "sell", "contracts": "0.01", "position_size": "0"},
        {"order_action": "buy", "contracts": "0.01", "market_position": "flat", "prev_market_position": "short"},
        {"action": "close"},
    ],
)
def test_an_exit_while_flat_never_opens_anything(fields: dict[str, Any], house: HouseProcess) -> None:
    """A stop had closed it already; the strategy's own exit comes late and must find nothing to do."""
    before = len(house.orders())

    told = house.alert(house.hook_path, symbol="BTCUSDT", **fields)

    assert (told["state"], told["success"], told["order"]) == ("noop", True, None), told
    assert len(house.orders()) == before
    assert house.position() == 0


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"position_size": None}, {"position_size"}),
        ({"position_size": "all of it"}, {"position_size"}),
        ({"symbol": ""}, {"symbol"}),
        ({"order_action": "hold"}, {"order_action"}),
        ({"contracts": "few"}, {"contracts"}),
        ({"order_type": "ICEBERG"}, {"order_type"}),
        ({"order_type": "LIMIT"}, {"price"}),
        ({"market_position": "sideways"}, {"market_position"}),
        ({"position_size": "{{strategy.position_size}}"}, {"position_size"}),
        ({"order_action": "x", "contracts": "y", "position_size": "z"}, {"order_action", "contracts", "position_size"}),
    ],
)
def test_a_strategy_alert_that_cannot_be_read_names_every_field(
    fields: dict[str, Any], named: set[str], house: HouseProcess
) -> None:
    """A target that was misread is a wrong position, so nothing is guessed."""
    body = {"order_action": "buy", "symbol": "BTCUSDT", "contracts": "1", "position_size": "0.01"}

    answer = house.send({"webhook_secret": house.secret, **body, **fields}, STRATEGY)

    assert named_in(answer) == named, answer.text
    assert house.position() == 0


def test_a_target_below_the_smallest_size_is_refused_with_the_numbers(house: HouseProcess) -> None:
    """Neither rounded up to something nobody asked for, nor silently taken for flat."""
    house.alert(**BUY)

    told = house.alert(STRATEGY, symbol="BTCUSDT", order_action="buy", contracts=1, position_size="0.0004")

    assert (told["state"], told["success"]) == ("refused", False)
    assert "0.0004" in told["message"]
    assert "0.001" in told["message"]
    assert house.position() == Decimal("0.01")


def test_many_targets_at_once_end_at_the_one_that_came_last(house: HouseProcess) -> None:
    """Decisions of one account are taken one after the other, each on what the one before left."""
    hook = new_hook(house)
    targets = [f"{(-1) ** n * (n + 1) * Decimal('0.001')}" for n in range(24)]

    def hail(target: str) -> int:
        body = {"order_action": "buy", "symbol": "BTCUSDT", "contracts": 1, "position_size": target, "alert_id": target}
        with httpx.Client(base_url=house.url, trust_env=False, timeout=30, verify=NO_TLS) as client:
            return client.post(hook["path"], json=body, params={"wait_ms": 0}).status_code

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(hail, targets)) == {200}
    stored = [one for one in house.signals() if one["hook_id"] == hook["id"]]
    for one in stored:
        house.settle(one["id"])

    assert len(stored) == len(targets)
    assert house.position() == Decimal(stored[0]["signal"]["target"])
