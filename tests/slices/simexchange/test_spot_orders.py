"""Spot orders that depend on others, follow the market, make way or shrink; and what they are told to be."""

from typing import Any

import pytest

from pilothouse.simexchange.soundness import complaints
from tests.slices.simexchange.raw_asking import Desk

_SELL = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.050"}


@pytest.fixture
def desk() -> Desk:
    """Return a client with half a coin whose events are heard."""
    made = Desk()
    done(made, "POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.500")
    made.events.clear()
    return made


def done(desk: Desk, method: str, path: str, **params: Any) -> Any:
    """Ask the spot side; what is answered is a success."""
    status, body = desk.spot(method, path, **params)
    assert status == 200, body
    assert complaints(desk.exchange) == []
    return body


def refused(desk: Desk, method: str, path: str, **params: Any) -> tuple[int, str]:
    """Ask the spot side; return code and text of the refusal."""
    status, body = desk.spot(method, path, **params)
    assert status != 200, body
    assert complaints(desk.exchange) == []
    return body["code"], body["msg"]


def states(desk: Desk) -> dict[int, str]:
    """Return what each order is told to be."""
    return {each["orderId"]: each["status"] for each in done(desk, "GET", "allOrders", symbol="BTCUSDT")}


def test_a_replaced_order_leaves_no_second_one(desk: Desk) -> None:
    """One request cancels and places; the coins are locked once."""
    first = done(desk, "POST", "order", **_SELL, type="LIMIT", timeInForce="GTC", price="69000")
    both = done(
        desk, "POST", "order/cancelReplace", **_SELL, type="LIMIT", timeInForce="GTC", price="69500",
        cancelReplaceMode="STOP_ON_FAILURE", cancelOrderId=first["orderId"],
    )  # fmt: skip
    assert (both["cancelResult"], both["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    new = both["newOrderResponse"]["orderId"]
    assert states(desk) == {1: "FILLED", first["orderId"]: "CANCELED", new: "NEW"}


@pytest.mark.parametrize(
    ("mode", "price", "status", "code", "second"),
    [
        ("STOP_ON_FAILURE", "69500", 400, -2022, "NOT_ATTEMPTED"),
        ("ALLOW_FAILURE", "69500", 409, -2021, "SUCCESS"),
        ("ALLOW_FAILURE", None, 400, -2022, "FAILURE"),
    ],
)
def test_when_half_of_a_replacement_fails_it_is_said_which(
    desk: Desk, mode: str, price: str | None, status: int, code: int, second: str
) -> None:
    """Nothing to cancel, and perhaps nothing to place: the answer tells the two apart."""
    order = {**_SELL, "type": "LIMIT_MAKER", "price": price or "60000"}
    got, body = desk.spot("POST", "order/cancelReplace", **order, cancelReplaceMode=mode, cancelOrderId=99)
    assert (got, body["code"]) == (status, code)
    assert (body["data"]["cancelResult"], body["data"]["newOrderResult"]) == ("FAILURE", second)
    assert body["data"]["cancelResponse"]["code"] == -2011


def test_an_order_shrinks_in_its_place(desk: Desk) -> None:
    """What it no longer sells is free at once; it cannot grow."""
    order = done(desk, "POST", "order", **_SELL, type="LIMIT", timeInForce="GTC", price="69000")
    named = {"symbol": "BTCUSDT", "orderId": order["orderId"]}
    amended = done(desk, "PUT", "order/amend/keepPriority", **named, newQty="0.020")["amendedOrder"]
    assert (amended["qty"], amended["status"]) == ("0.020", "NEW")
    balances = {each["asset"]: each for each in done(desk, "GET", "account")["balances"]}
    assert balances["BTC"]["locked"] == "0.02000000"
    told = done(desk, "GET", "order/amendments", **named)
    assert [(each["origQty"], each["newQty"]) for each in told] == [("0.050", "0.020")]
    assert refused(desk, "PUT", "order/amend/keepPriority", **named, newQty="0.030")[0] == -2038
    assert [event["x"] for kind, event in desk.events if kind == "executionReport"] == ["NEW", "REPLACED"]


def test_a_pending_order_comes_when_the_working_one_has_filled(desk: Desk) -> None:
    """It locks nothing before, and stands afterwards."""
    made = done(
        desk, "POST", "orderList/oto", symbol="BTCUSDT", workingType="LIMIT", workingSide="BUY", workingPrice="64000",
        workingQuantity="0.010", workingTimeInForce="GTC", pendingType="LIMIT", pendingSide="SELL",
        pendingPrice="69000", pendingQuantity="0.009", pendingTimeInForce="GTC",
    )  # fmt: skip
    assert made["contingencyType"] == "OTO"
    assert [each["status"] for each in made["orderReports"]] == ["NEW", "PENDING_NEW"]
    assert {each["asset"]: each["locked"] for each in done(desk, "GET", "account")["balances"]}["BTC"] == "0.00000000"
    desk.price("63990.0")
    assert list(states(desk).values()) == ["FILLED", "FILLED", "NEW"]
    assert [each["orderListId"] for each in done(desk, "GET", "openOrderList")] == [made["orderListId"]]
    done(desk, "DELETE", "orderList", symbol="BTCUSDT", orderListId=made["orderListId"])
    assert done(desk, "GET", "openOrderList") == []
    assert done(desk, "GET", "allOrderList")[0]["listOrderStatus"] == "ALL_DONE"


def test_what_waits_for_a_cancelled_order_goes_with_it(desk: Desk) -> None:
    """A stop for coins that were never bought would sell others."""
    made = done(
        desk, "POST", "orderList/otoco", symbol="BTCUSDT", workingType="LIMIT", workingSide="BUY",
        workingPrice="64000", workingQuantity="0.010", workingTimeInForce="GTC", pendingSide="SELL",
        pendingQuantity="0.009", pendingAboveType="LIMIT_MAKER", pendingAbovePrice="69000",
        pendingBelowType="STOP_LOSS", pendingBelowStopPrice="60000",
    )  # fmt: skip
    done(desk, "DELETE", "order", symbol="BTCUSDT", orderId=made["orders"][0]["orderId"])
    assert list(states(desk).values()) == ["FILLED", "CANCELED", "CANCELED", "CANCELED"]


def test_of_a_pending_pair_one_ends_the_other(desk: Desk) -> None:
    """Bought, then stopped out: the target goes with the stop."""
    done(
        desk, "POST", "orderList/otoco", symbol="BTCUSDT", workingType="LIMIT", workingSide="BUY",
        workingPrice="64000", workingQuantity="0.010", workingTimeInForce="GTC", pendingSide="SELL",
        pendingQuantity="0.009", pendingAboveType="LIMIT_MAKER", pendingAbovePrice="69000",
        pendingBelowType="STOP_LOSS", pendingBelowStopPrice="60000",
    )  # fmt: skip
    desk.price("63990.0")
    assert list(states(desk).values()) == ["FILLED", "FILLED", "NEW", "NEW"]
    desk.price("59990.0")
    assert list(states(desk).values()) == ["FILLED", "FILLED", "EXPIRED", "FILLED"]
    heard = [event for kind, event in desk.events if kind == "listStatus"]
    assert heard[-1]["L"] == "ALL_DONE"


def test_the_form_of_old_of_a_pair_is_still_taken(desk: Desk) -> None:
    """A limit and a stop; both on one side of the market is no pair."""
    made = done(
        desk, "POST", "order/oco", **_SELL, price="69000", stopPrice="60000", stopLimitPrice="59900",
        stopLimitTimeInForce="GTC", listClientOrderId="mine",
    )  # fmt: skip
    assert sorted(each["type"] for each in made["orderReports"]) == ["LIMIT_MAKER", "STOP_LOSS_LIMIT"]
    assert done(desk, "GET", "orderList", origClientOrderId="mine")["orderListId"] == made["orderListId"]
    assert refused(desk, "POST", "order/oco", **_SELL, price="69000", stopPrice="68000")[0] == -2010
    assert refused(desk, "POST", "order/oco", **_SELL, price="69000", stopPrice="60000", listClientOrderId="mine") == (
        -2010, "Duplicate order sent.",
    )  # fmt: skip


def test_a_stop_may_trail(desk: Desk) -> None:
    """It sells one percent below the best price since it was sent."""
    order = done(desk, "POST", "order", **_SELL, type="STOP_LOSS", trailingDelta=100)
    for price in ("65500.0", "66000.0", "65400.0"):
        desk.price(price)
        assert states(desk)[order["orderId"]] == "NEW"
    desk.price("65300.0")
    assert states(desk)[order["orderId"]] == "FILLED"


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"quantity": "0.00001"}, "Precision"),
        ({"quantity": "2000"}, "LOT_SIZE"),
        ({"price": "1"}, "PERCENT_PRICE_BY_SIDE"),
        ({"icebergQty": "0.060"}, "ICEBERG_PARTS"),
        ({"quantity": "9.000", "icebergQty": "0.001"}, "ICEBERG_PARTS"),
        ({"type": "STOP_LOSS", "trailingDelta": "5"}, "TRAILING_DELTA"),
        ({"type": "LIMIT_MAKER", "price": "60000"}, "immediately match"),
        ({"symbol": "SOLUSDT", "price": "150", "quantity": "0.01"}, "NOTIONAL"),
    ],
)
def test_each_filter_names_itself(desk: Desk, wanted: dict[str, str], text: str) -> None:
    """The instruments tell these filters; each refuses what it says."""
    order = {**_SELL, "type": "LIMIT", "timeInForce": "GTC", "price": "69000", **wanted}
    code, said = refused(desk, "POST", "order", **order)
    assert code in {-1013, -1111, -2010}
    assert text in said


def test_a_window_of_prices_is_what_was_asked_for(desk: Desk) -> None:
    """Two hours, and the day since midnight; the change is the close less the open."""
    for path, more in (("ticker", {"windowSize": "2h"}), ("ticker/tradingDay", {})):
        told = done(desk, "GET", path, symbol="BTCUSDT", **more)
        opened, last, change = (int(told[name].replace(".", "")) for name in ("openPrice", "lastPrice", "priceChange"))
        assert change == last - opened
        assert told["closeTime"] - told["openTime"] in {7_200_000 - 60_000, 43_200_000}
    assert refused(desk, "GET", "ticker", symbol="BTCUSDT", windowSize="60m")[0] == -1130
    day = done(desk, "GET", "ticker/24hr", symbol="BTCUSDT")
    assert day["bidPrice"] < day["askPrice"], "clients know spot from futures by these"
    assert "bidPrice" not in desk.ask("GET", "ticker/24hr", symbol="BTCUSDT")


@pytest.mark.parametrize("pair", [False, True])
def test_an_order_is_paid_by_the_one_before_it(desk: Desk, pair: bool) -> None:  # noqa: FBT001  (a parameter of the test)
    """What was received, less its commission, is what the next order sells: not a lot more than there is."""
    first = {"workingType": "LIMIT", "workingSide": "BUY", "workingTimeInForce": "GTC", "workingQuantity": "0.050"}
    legs = {"pendingAboveType": "LIMIT_MAKER", "pendingAbovePrice": "66000",
            "pendingBelowType": "STOP_LOSS", "pendingBelowStopPrice": "60000"}  # fmt: skip
    then = legs if pair else {"pendingType": "LIMIT_MAKER", "pendingPrice": "66000"}
    wanted = {"symbol": "BTCUSDT", "workingPrice": "65100", "pendingSide": "SELL", **first, **then}
    status, made = desk.spot("POST", "orderList/opoco" if pair else "orderList/opo", **wanted)
    assert status == 200, made
    standing = desk.spot("GET", "openOrders", symbol="BTCUSDT")[1]
    assert [each["origQty"] for each in standing] == ["0.049"] * (2 if pair else 1)
    assert complaints(desk.exchange) == []
    wanted["pendingSide"] = "BUY"
    assert desk.spot("POST", "orderList/opo", **(wanted | {"pendingType": "LIMIT", "pendingPrice": "60000"}))[0] == 400
