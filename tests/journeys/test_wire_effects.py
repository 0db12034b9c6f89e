"""What an alert does: how much, protected by what, at which price, and once."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import ROUND_DOWN, Decimal
from typing import Any

import httpx
import pytest

from tests.house_process import ORDER, STRATEGY, HouseProcess, eventually, fresh
from tests.journeys.wire import BUY, ERROR, named_in, new_hook, price_below
from tests.plain_http import NO_TLS

pytestmark = pytest.mark.timeout(400)


# ── Sizes ─────────────────────────────────────────────────────────────────────────────────────────


def _equity(house: HouseProcess) -> Decimal:
    told = house.get("/account/balance")[0]
    return Decimal(told["walletBalance"]) + Decimal(told["unrealizedProfit"])


@pytest.mark.parametrize(
    ("fields", "share", "of_equity"),
    [
        ({"quote_amount": "1000"}, "1000", False),
        ({"quote_amount": 777.77}, "777.77", False),
        ({"equity_percent": "25"}, "0.25", True),
        ({"equity_percent": "12.5%"}, "0.125", True),
        ({"risk_percent": 1, "stop_loss": "4%"}, "0.25", True),
        ({"risk_percent": "0.5%", "stop_loss": "2%"}, "0.25", True),
    ],
)
def test_a_size_is_what_it_says_rounded_down_to_the_lot(
    fields: dict[str, Any],
    share: str,
    of_equity: bool,  # noqa: FBT001 - a parameter of the test
    house: HouseProcess,
) -> None:
    """Quote amount, percent of equity, and risk: equity x risk / distance to the stop. Never more than was allowed."""
    wanted = Decimal(share) * (_equity(house) if of_equity else 1)

    told = house.alert(action="open", side="BUY", symbol="BTCUSDT", **fields)

    assert told["state"] == "filled", told
    quantity, price = Decimal(told["order"]["origQty"]), Decimal(told["order"]["avgPrice"])
    assert quantity % Decimal("0.001") == 0
    exact = wanted / price
    assert exact * Decimal("0.99") - Decimal("0.001") < quantity <= exact * Decimal("1.01")
    near = (exact / Decimal("0.001")).to_integral_value(ROUND_DOWN) * Decimal("0.001")
    assert abs(quantity - near) <= Decimal("0.001"), "the price moved by less than one lot since it was decided"


@pytest.mark.parametrize(
    ("fields", "numbers"),
    [
        ({"quantity": "0.0009"}, ["0.0009", "0.001"]),
        ({"quote_amount": "4"}, ["quote_amount 4", "0.001"]),
        ({"symbol": "SOLUSDT", "quantity": "0.01"}, ["0.01", "5 USDT"]),
        ({"quantity": "1001"}, ["1001", "1000"]),
    ],
)
def test_a_size_outside_of_the_venues_bounds_is_refused_with_the_numbers(
    fields: dict[str, Any], numbers: list[str], house: HouseProcess
) -> None:
    """It is never raised to the minimum: that would be more than somebody asked for."""
    body = {name: value for name, value in BUY.items() if name != "quantity"} | fields

    told = house.alert(**body)

    assert (told["state"], told["success"], told["order"]) == ("refused", False, None)
    assert told["code"] in {"size_below_minimum", "size_above_maximum"}
    for number in numbers:
        assert number in told["message"], told["message"]


def test_the_risk_gate_says_which_limit_and_both_numbers(house: HouseProcess) -> None:
    """A denial has a code, the number and the limit."""
    told = house.alert(**{**BUY, "quantity": "5"})

    assert (told["state"], told["success"], told["order"]) == ("refused", False, None)
    assert told["reasons"]
    for reason in told["reasons"]:
        assert set(reason) >= {"code", "number", "limit"}
        assert Decimal(reason["number"]) > Decimal(reason["limit"])


def test_what_the_venue_does_not_take_is_told_as_rejected(house: HouseProcess) -> None:
    """There is not enough margin for it; the order exists, and says so."""
    told = house.alert(**{**BUY, "quantity": "2"})

    assert (told["state"], told["success"]) == ("rejected", False), told
    assert told["order"]["status"] == "REJECTED"
    assert told["order"]["executedQty"] == "0"
    assert "margin" in told["message"].lower()
    assert house.position() == 0


# ── Stops ─────────────────────────────────────────────────────────────────────────────────────────


def _protective(house: HouseProcess) -> dict[str, dict[str, Any]]:
    """Return the protective orders that stand at the venue, by type."""
    kinds = {"STOP_MARKET", "TAKE_PROFIT_MARKET"}
    return {one["type"]: one for one in house.get("/orders/open") if one["type"] in kinds and one["status"] == "NEW"}


@pytest.mark.parametrize(
    ("side", "stop_loss", "take_profit", "below", "above"),
    [
        ("BUY", "2%", "4%", "0.98", "1.04"),
        ("SELL", "2%", "4%", "0.96", "1.02"),
        ("BUY", {"percent": 3}, {"percent": "5"}, "0.97", "1.05"),
    ],
)
def test_stops_rest_at_the_venue_and_die_with_the_position(
    side: str, stop_loss: Any, take_profit: Any, below: str, above: str, house: HouseProcess
) -> None:
    """Both are reduce-only, as large as the position, shrink with it, and are gone when it is."""
    told = house.alert(
        action="open", side=side, symbol="BTCUSDT", quantity="0.02", stop_loss=stop_loss, take_profit=take_profit
    )
    assert told["state"] == "filled"
    entry = Decimal(told["position"]["entryPrice"])
    resting = eventually(lambda: len(found := _protective(house)) == 2 and found, "stop and target rest")

    stop, target = resting["STOP_MARKET"], resting["TAKE_PROFIT_MARKET"]
    lower, upper = (stop, target) if side == "BUY" else (target, stop)
    assert abs(Decimal(lower["stopPrice"]) - entry * Decimal(below)) <= Decimal("0.1")
    assert abs(Decimal(upper["stopPrice"]) - entry * Decimal(above)) <= Decimal("0.1")
    for one in (stop, target):
        assert (one["side"], one["origQty"], one["reduceOnly"], one["status"]) == (
            "SELL" if side == "BUY" else "BUY", "0.02", True, "NEW",
        )  # fmt: skip

    house.alert(action="decrease", symbol="BTCUSDT", quantity="0.005")
    eventually(
        lambda: sorted(one["origQty"] for one in _protective(house).values()) == ["0.015", "0.015"], "both shrink"
    )
    house.alert(action="close", symbol="BTCUSDT")
    eventually(lambda: not house.get("/orders/open"), "both are gone with the position")
    assert house.position() == 0


def test_a_bare_number_is_the_price_of_the_stop(house: HouseProcess) -> None:
    """And "2%" is a percentage; nobody has to guess which was meant."""
    price = price_below(house)
    house.alert(**BUY, stop_loss=price)

    stop = eventually(lambda: _protective(house).get("STOP_MARKET"), "the stop rests")
    assert Decimal(stop["stopPrice"]) == Decimal(price)


def test_a_flip_leaves_no_stop_of_the_old_side(house: HouseProcess) -> None:
    """A stop-loss of a long, left behind under a short, would open a second short."""
    house.alert(STRATEGY, symbol="BTCUSDT", order_action="buy", contracts=1, position_size="0.02", stop_loss="5%")
    eventually(lambda: _protective(house).get("STOP_MARKET"), "the stop rests")

    house.alert(STRATEGY, symbol="BTCUSDT", order_action="sell", contracts=1, position_size="-0.01", stop_loss="5%")

    stops = eventually(
        lambda: [(one["side"], one["origQty"]) for one in house.get("/orders/open")] == [("BUY", "0.01")], "one stop"
    )
    assert stops
    house.alert(STRATEGY, symbol="BTCUSDT", order_action="buy", contracts=1, position_size="0")
    eventually(lambda: not house.get("/orders/open"), "it is gone with the position")


def test_a_position_ends_by_its_stop_or_its_target_and_the_other_one_dies(house: HouseProcess) -> None:
    """The market decides which; no order is left behind that could open something later."""
    told = house.alert(**BUY, stop_loss="0.01%", take_profit="0.01%")
    assert told["state"] == "filled"

    eventually(lambda: house.position() == 0 and not house.get("/orders/open"), "stop or target ends it", within_s=90)
    protective = house.signal(told["signal_id"])["protective"]
    ended = [order for order in protective if order["state"] == "filled"]
    assert [order["filled_quantity"] for order in ended] == ["0.01"]
    assert {order["state"] for order in protective} <= {"filled", "canceled", "expired", "rejected"}
    late = house.alert(house.hook_path, action="sell", symbol="BTCUSDT", quantity="0.01", market_position="flat")
    assert (late["state"], house.position()) == ("noop", 0)


@pytest.mark.parametrize(("side", "name"), [("BUY", "stop_loss"), ("SELL", "take_profit")])
def test_a_level_on_the_wrong_side_of_the_entry_is_refused(side: str, name: str, house: HouseProcess) -> None:
    """It would fill at once: a round trip that nobody asked for. Nothing is opened, and the field is named."""
    price = (house.mark() * Decimal("1.05")).quantize(Decimal("0.1"))

    answer = house.carried_out({**BUY, "side": side, name: str(price), "timenow": fresh()}, house.hook_path)

    assert answer.status_code == 400
    assert [problem["field"] for problem in answer.json()["validation_errors"]] == [name]
    assert house.position() == 0
    assert not house.get("/orders/open")


# ── Limit orders ──────────────────────────────────────────────────────────────────────────────────


def test_a_limit_order_rests_until_it_is_cancelled(house: HouseProcess) -> None:
    """It is working, shown among the open orders, and the repeated alert tells what became of it."""
    price = price_below(house)
    body = {"webhook_secret": house.secret, **BUY, "order_type": "limit", "price": price, "n": fresh()}

    told = house.carried_out(body).json()

    assert (told["state"], told["success"], told["position"]) == ("working", True, None)
    assert (told["order"]["type"], told["order"]["status"], told["order"]["timeInForce"]) == ("LIMIT", "NEW", "GTC")
    assert Decimal(told["order"]["price"]) == Decimal(price)
    assert [one["clientOrderId"] for one in house.get("/orders/open")] == [told["order"]["clientOrderId"]]
    assert house.get("/orders/open", symbol="ETHUSDT") == []
    assert house.send(body).json()["state"] == "working"

    house.post(f"/api/v1/orders/{told['order']['id']}/cancel")
    eventually(lambda: not house.get("/orders/open"), "it is cancelled")
    again = house.send(body).json()
    assert (again["duplicate"], again["order"]["status"], again["state"]) == (True, "CANCELED", "rejected")
    assert house.position() == 0


def test_a_limit_order_that_meets_the_market_fills(house: HouseProcess) -> None:
    """Its price is a bound, not a wish: it fills at once, and not above it."""
    price = (house.mark() * Decimal("1.01")).quantize(Decimal("0.1"))

    told = house.alert(**BUY, order_type="LIMIT", price=str(price))

    assert told["state"] == "filled"
    assert Decimal(told["order"]["avgPrice"]) <= price


def test_a_limit_price_far_from_the_market_is_refused(house: HouseProcess) -> None:
    """A digit too few is the commonest slip of the hand."""
    told = house.alert(**{**BUY, "side": "SELL"}, order_type="LIMIT", price=price_below(house, "0.1"))

    assert (told["state"], told["order"]) == ("refused", None)
    assert told["reasons"]


def test_a_target_may_be_reached_by_a_limit_order(house: HouseProcess) -> None:
    """It rests at its price; the same target at the market takes its place, and does not come on top."""
    wish = {"symbol": "BTCUSDT", "order_action": "buy", "contracts": 1, "position_size": "0.02"}

    rests = house.alert(STRATEGY, **wish, order_type="LIMIT", price=price_below(house))
    assert (rests["state"], rests["order"]["type"], rests["order"]["origQty"]) == ("working", "LIMIT", "0.02")
    filled = house.alert(STRATEGY, **wish)

    assert filled["state"] == "filled", filled
    assert house.position() == Decimal("0.02")
    assert house.get("/orders/open") == []


def test_an_order_larger_than_the_best_price_fills_in_parts_that_add_up(house: HouseProcess) -> None:
    """Each part is booked once, with its own price and fee; the average is theirs."""
    told = house.alert(**{**BUY, "quantity": "1.4"})

    assert (told["state"], told["order"]["executedQty"]) == ("filled", "1.4")
    parts = [one for one in house.pages("/api/v1/fills") if one["order_id"] == told["order"]["id"]]
    assert sum(Decimal(one["quantity"]) for one in parts) == Decimal("1.4")
    worth = sum(Decimal(one["quantity"]) * Decimal(one["price"]) for one in parts)
    assert abs(worth / Decimal("1.4") - Decimal(told["order"]["avgPrice"])) < Decimal("0.0001")
    for one in parts:
        assert Decimal(one["commission"]) > 0
        assert abs(Decimal(one["commission"]) / Decimal(one["notional"]) - Decimal("0.0005")) < Decimal("0.000001")


def test_a_target_clears_what_rests_before_it_is_sized(house: HouseProcess) -> None:
    """An entry that still rests would come on top of the target."""
    house.alert(**BUY, order_type="LIMIT", price=price_below(house))

    told = house.alert(STRATEGY, symbol="BTCUSDT", order_action="buy", contracts=1, position_size="0.03")

    assert told["state"] == "filled", told
    assert house.position() == Decimal("0.03")
    assert house.get("/orders/open") == []


# ── The same alert again ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("door", [ORDER, STRATEGY, "hook"])
def test_ten_deliveries_on_ten_connections_make_one_order(door: str, house: HouseProcess) -> None:
    """Senders repeat what they think was lost, and proxies repeat what they like."""
    path = house.hook_path if door == "hook" else door
    fields = {"order_action": "buy", "contracts": 1, "position_size": "0.01"} if door == STRATEGY else BUY
    body = json.dumps({**fields, "symbol": "BTCUSDT", "webhook_secret": house.secret, "timenow": fresh()}).encode()
    before = len(house.orders())

    def deliver(_: int) -> dict[str, Any]:
        with httpx.Client(base_url=house.url, trust_env=False, timeout=30, verify=NO_TLS) as client:
            answer = client.post(path, content=body, params={"wait_ms": 2500})
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    with ThreadPoolExecutor(10) as pool:
        told = list(pool.map(deliver, range(10)))

    assert sorted(one["duplicate"] for one in told) == [False] + [True] * 9
    assert len({one["signal_id"] for one in told}) == 1
    assert {one["state"] for one in told} <= {"filled", "pending"}
    assert house.settle(told[0]["signal_id"])["outcome"] == "filled"
    made = house.orders()
    assert {one["order"]["clientOrderId"] for one in told if one["order"]} <= {made[0]["client_order_id"]}
    assert len(made) == before + 1
    assert house.position() == Decimal("0.01")
    assert house.signal(told[0]["signal_id"])["deliveries"] == 10


def test_an_alert_id_is_an_alert_for_ever(house: HouseProcess) -> None:
    """The same id with the same body is the same alert; with another body it is a mistake that must be told."""
    body = {**BUY, "webhook_secret": house.secret, "alert_id": fresh()}
    first = house.carried_out(body).json()

    again = house.carried_out(body)
    other = house.send({**body, "quantity": "0.02"})

    assert (again.json()["duplicate"], again.json()["signal_id"]) == (True, first["signal_id"])
    assert other.status_code == 409
    assert set(other.json()) >= ERROR
    assert body["alert_id"] in other.json()["detail"]
    assert house.position() == Decimal("0.01")


@pytest.mark.parametrize("quantity", ["0.0001", "5", "2"], ids=["too small", "too risky", "too expensive"])
def test_what_was_answered_no_stays_no_when_it_is_sent_again(quantity: str, house: HouseProcess) -> None:
    """A sender that repeats itself does not get another throw of the dice."""
    body = {**BUY, "quantity": quantity, "webhook_secret": house.secret, "timenow": fresh()}
    first = house.carried_out(body).json()

    again = house.carried_out(body)

    told = again.json()
    assert (again.status_code, told["duplicate"], told["signal_id"]) == (200, True, first["signal_id"])
    assert (told["state"], told["message"]) == (first["state"], first["message"])
    assert first["state"] in {"refused", "rejected"}
    assert first["success"] is told["success"] is False


def test_an_alert_id_that_cannot_be_one_is_named(house: HouseProcess) -> None:
    """Cut off, it would make two alerts one."""
    for alert_id in ("x" * 129, {"id": 1}, "a\u0000b", True):
        answer = house.send({**BUY, "webhook_secret": house.secret, "alert_id": alert_id})
        assert named_in(answer) == {"alert_id"}, alert_id


def test_honest_alerts_that_differ_in_their_time_are_two(house: HouseProcess) -> None:
    """A strategy that adds twice in a minute means it."""
    hook = new_hook(house)
    for timenow in ("2026-11-21T10:00:00Z", "2026-11-21T10:00:01Z", "2026-11-21T10:00:01Z"):
        told = house.carried_out({**BUY, "timenow": timenow}, hook["path"]).json()
        assert told["state"] == "filled"

    assert told["duplicate"] is True
    assert house.position() == Decimal("0.02")


def test_an_equal_body_is_the_same_alert_within_the_hooks_window_only(house: HouseProcess) -> None:
    """After it, the same words are a new wish."""
    long, short, none = (new_hook(house, window_s=seconds) for seconds in (600, 1, 0))
    body = json.dumps(BUY).encode()

    def sent(hook: dict[str, Any]) -> bool:
        told = house.send(body, hook["path"]).json()
        house.settle(told["signal_id"])
        return bool(told["duplicate"])

    assert [sent(long) for _ in range(2)] == [False, True]
    assert not sent(short)
    time.sleep(1.1)
    assert not sent(short)
    assert [sent(none) for _ in range(2)] == [False, False]
    assert house.position() == Decimal("0.05")


@pytest.mark.parametrize("wait_ms", [None, 0, -5, 1, 2500, 999_999_999, "soon", "", "1e3", "NaN"])
def test_how_long_to_wait_is_clamped_and_never_refused(wait_ms: object, house: HouseProcess) -> None:
    """A query nobody can read is no reason to lose an alert."""
    body = {**BUY, "webhook_secret": house.secret, "timenow": fresh()}

    answer = house.send(body, wait_ms=wait_ms)

    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["state"] in {"filled", "pending"}
    assert told["success"] is True
    if told["state"] == "pending":
        assert told["order"] is None or told["order"]["status"] == "PENDING_NEW"
    assert house.settle(told["signal_id"])["outcome"] == "filled"
    again = house.send(body, wait_ms=0).json()
    assert (again["duplicate"], again["state"], again["signal_id"]) == (True, "filled", told["signal_id"])
