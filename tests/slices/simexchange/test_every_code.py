"""Every code that the exchange causes by itself comes from its situation, not from a fault that was asked for."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pilothouse.simexchange.requests import Request
from pilothouse.simexchange.typed_signatures import address_of
from tests.slices.simexchange.raw_asking import Desk
from tests.slices.simexchange.test_signatures import AGENT, USER, AsterDesk, sign

Answered = tuple[int, int]
_STRANGER = address_of(AGENT.public_key)
_LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}
_MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010"}
_STOP = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "quantity": "0.010"}


def told(desk: Desk, method: str, path: str, **params: Any) -> Answered:
    """Return status and code of a refusal."""
    reply = desk.reply(method, path, **params)
    return reply.status, int(msgspec.json.decode(reply.body)["code"])


def raw(desk: Desk, text: str, key: str = "K") -> Answered:
    """Ask for the balance with parameters as they are."""
    reply = desk.sim.front.answer(Request("GET", "/fapi/v2/balance", text, "", {"x-mbx-apikey": key}, "test"))
    return reply.status, int(msgspec.json.decode(reply.body)["code"])


def _twice(desk: Desk) -> Answered:
    order = {**_LIMIT, "price": "63000", "newClientOrderId": "one"}
    desk.ask("POST", "order", **order)
    return told(desk, "POST", "order", **order)


def _algo_twice(desk: Desk) -> Answered:
    order = {**_STOP, "triggerPrice": "60000", "clientAlgoId": "one"}
    desk.ask("POST", "algoOrder", **order)
    return told(desk, "POST", "algoOrder", **order)


def _cancelled_twice(desk: Desk) -> Answered:
    number = desk.limit("BUY", "0.010", "63000")["orderId"]
    desk.ask("DELETE", "order", symbol="BTCUSDT", orderId=number)
    return told(desk, "DELETE", "order", symbol="BTCUSDT", orderId=number)


def _open_asked_when_filled(desk: Desk) -> Answered:
    number = desk.market("BUY", "0.010")["orderId"]
    return told(desk, "GET", "openOrder", symbol="BTCUSDT", orderId=number)


def _over_the_leverage(desk: Desk) -> Answered:
    desk.ask("POST", "leverage", symbol="BTCUSDT", leverage=125)
    return told(desk, "POST", "order", **{**_MARKET, "quantity": "1.000"})


def _nobody_near(desk: Desk) -> Answered:
    desk.limit("SELL", "0.010", "70000", "K2")
    desk.exchange.floor.desks["BTCUSDT"].ladder(1).take(10**9, None)
    return told(desk, "POST", "order", **_MARKET)


def _hedged_but_not_said(desk: Desk) -> Answered:
    desk.ask("POST", "positionSide/dual", dualSidePosition="true")
    return told(desk, "POST", "order", **_MARKET)


def _mode_with_order(desk: Desk) -> Answered:
    desk.limit("BUY", "0.010", "63000")
    return told(desk, "POST", "positionSide/dual", dualSidePosition="true")


def _mode_with_position(desk: Desk) -> Answered:
    desk.market("BUY", "0.010")
    return told(desk, "POST", "positionSide/dual", dualSidePosition="true")


def _margin_with_order(desk: Desk) -> Answered:
    desk.limit("BUY", "0.010", "63000")
    return told(desk, "POST", "marginType", symbol="BTCUSDT", marginType="ISOLATED")


def _margin_with_position(desk: Desk) -> Answered:
    desk.market("BUY", "0.010")
    return told(desk, "POST", "marginType", symbol="BTCUSDT", marginType="ISOLATED")


def _isolated_lowered(desk: Desk) -> Answered:
    desk.ask("POST", "marginType", symbol="BTCUSDT", marginType="ISOLATED")
    desk.market("BUY", "0.010")
    return told(desk, "POST", "leverage", symbol="BTCUSDT", leverage=2)


def _isolated_with_many_assets(desk: Desk) -> Answered:
    desk.ask("POST", "multiAssetsMargin", multiAssetsMargin="true")
    return told(desk, "POST", "marginType", symbol="BTCUSDT", marginType="ISOLATED")


def _unchanged(desk: Desk) -> Answered:
    number = desk.limit("BUY", "0.010", "63000")["orderId"]
    return told(desk, "PUT", "order", symbol="BTCUSDT", orderId=number, side="BUY", quantity="0.010", price="63000")


def _closed_twice(desk: Desk) -> Answered:
    desk.market("BUY", "0.010")
    order = {**_STOP, "triggerPrice": "60000", "closePosition": "true"}
    del order["quantity"]
    desk.ask("POST", "algoOrder", **order)
    return told(desk, "POST", "algoOrder", **{**order, "triggerPrice": "61000"})


def _amended(**changed: Any) -> Callable[[Desk], Answered]:
    def situation(desk: Desk) -> Answered:
        number = desk.limit("BUY", "0.010", "63000")["orderId"]
        return told(desk, "PUT", "order", symbol="BTCUSDT", orderId=number, side="BUY", **changed)

    return situation


def _too_many(desk: Desk) -> Answered:
    for number in range(200):
        desk.limit("BUY", "0.001", "63000", newClientOrderId=f"n{number}")
    return told(desk, "POST", "order", **{**_LIMIT, "price": "63000"})


def _stamped(off: int) -> Callable[[Desk], Answered]:
    return lambda desk: raw(desk, desk.signed({}, timestamp=desk.exchange.clock.now() // 1_000 + off))


def _order(**changed: Any) -> Callable[[Desk], Answered]:
    return lambda desk: told(desk, "POST", "order", **{**_LIMIT, "price": "64000", **changed})


def _market(**changed: Any) -> Callable[[Desk], Answered]:
    return lambda desk: told(desk, "POST", "order", **{**_MARKET, **changed})


def _algo(**changed: Any) -> Callable[[Desk], Answered]:
    return lambda desk: told(desk, "POST", "algoOrder", **{**_STOP, **changed})


def _asked(method: str, path: str, **params: Any) -> Callable[[Desk], Answered]:
    return lambda desk: told(desk, method, path, **params)


def _closing_with_reduce(desk: Desk) -> Answered:
    order = {**_STOP, "triggerPrice": "60000", "closePosition": "true", "reduceOnly": "true"}
    del order["quantity"]
    return told(desk, "POST", "algoOrder", **order)


@pytest.mark.parametrize(
    ("status", "code", "situation"),
    [
        (400, -1021, _stamped(-5_001)),
        (400, -1021, _stamped(1_001)),
        (400, -1022, lambda desk: raw(desk, desk.signed({}, secret="not it"))),
        (401, -2014, lambda desk: raw(desk, desk.signed({}), key="")),
        (401, -2015, lambda desk: raw(desk, desk.signed({}), key="nobody")),
        (400, -1102, lambda desk: raw(desk, "")),
        (400, -1100, _market(quantity="much")),
        (400, -1106, _closing_with_reduce),
        (400, -1111, _order(price="64000.055")),
        (400, -1115, _order(timeInForce="SOON")),
        (400, -1116, _market(type="NONSENSE")),
        (400, -1117, _market(side="NEITHER")),
        (400, -1120, _asked("GET", "klines", symbol="BTCUSDT", interval="7m")),
        (400, -1121, _market(symbol="NONE")),
        (400, -1125, _asked("PUT", "listenKey")),
        (400, -2007, _algo(type="TRAILING_STOP_MARKET", callbackRate="30")),
        (400, -2011, _cancelled_twice),
        (400, -2011, _asked("DELETE", "order", symbol="BTCUSDT", orderId=99)),
        (400, -2013, _asked("GET", "order", symbol="BTCUSDT", orderId=99)),
        (400, -2013, _open_asked_when_filled),
        (400, -2019, _market(quantity="900")),
        (400, -2021, _algo(triggerPrice="66000")),
        (400, -2021, _algo(type="TRAILING_STOP_MARKET", callbackRate="1", activatePrice="64000")),
        (400, -2022, _market(side="SELL", reduceOnly="true")),
        (400, -2025, _too_many),
        (400, -2027, _over_the_leverage),
        (400, -4002, _order(price="99999999")),
        (400, -4003, _market(quantity="0")),
        (400, -4005, _market(quantity="1001")),
        (400, -4013, _order(price="0.1")),
        (400, -4014, _order(price="64000.05")),
        (400, -4015, _order(newClientOrderId="with space")),
        (400, -4015, _order(newClientOrderId="x" * 37)),
        (400, -4016, _order(price="70000")),
        (400, -4021, _asked("GET", "depth", symbol="BTCUSDT", limit=7)),
        (400, -4023, _market(symbol="SOLUSDT", quantity="1.005")),
        (400, -4024, _order(side="SELL", price="60000")),
        (400, -1023, _asked("GET", "allOrders", symbol="BTCUSDT", startTime=2, endTime=1)),
        (400, -4165, _asked("GET", "userTrades", symbol="BTCUSDT", startTime=0, endTime=604_800_001)),
        (400, -1106, _market(timeInForce="GTC")),
        (400, -1106, _market(price="64000")),
        (400, -1106, _order(priceMatch="QUEUE")),
        (400, -1136, _market(newOrderRespType="SHORT")),
        (400, -4001, _order(price="-1")),
        (400, -4006, _algo(triggerPrice="0")),
        (400, -4031, _order(workingType="INDEX_PRICE")),
        (400, -4055, _asked("POST", "positionMargin", symbol="BTCUSDT", amount="0", type=1)),
        (400, -4060, _market(positionSide="NONE")),
        (400, -4130, _closed_twice),
        (400, -5029, _amended(quantity="0.001", price="4000")),
        (400, -4003, _amended(quantity="0", price="60000")),
        (400, -4016, _amended(quantity="0.010", price="90000")),
        (400, -5037, _order(price="", priceMatch="BEST")),
        (400, -5038, _market(priceMatch="QUEUE")),
        (400, -5039, _order(selfTradePreventionMode="SOMETIMES")),
        (400, -5040, _order(timeInForce="GTD", goodTillDate=1_767_614_400_000 + 600_000)),
        (400, -4028, _asked("POST", "leverage", symbol="BTCUSDT", leverage=126)),
        (400, -4049, _asked("POST", "positionMargin", symbol="BTCUSDT", amount="5", type=1)),
        (400, -4046, _asked("POST", "marginType", symbol="BTCUSDT", marginType="CROSSED")),
        (400, -4047, _margin_with_order),
        (400, -4048, _margin_with_position),
        (400, -4059, _asked("POST", "positionSide/dual", dualSidePosition="false")),
        (400, -4061, _market(positionSide="LONG")),
        (400, -4061, _hedged_but_not_said),
        (400, -4067, _mode_with_order),
        (400, -4068, _mode_with_position),
        (400, -4116, _twice),
        (400, -4120, _market(type="STOP_MARKET", stopPrice="66000")),
        (400, -4131, _nobody_near),
        (400, -4136, _algo(type="TAKE_PROFIT", triggerPrice="66000", price="66000", closePosition="true")),
        (400, -4137, _algo(triggerPrice="60000", closePosition="true")),
        (400, -4161, _isolated_lowered),
        (400, -4164, _market(symbol="SOLUSDT", quantity="0.01")),
        (400, -4168, _isolated_with_many_assets),
        (400, -4171, _asked("POST", "multiAssetsMargin", multiAssetsMargin="false")),
        (400, -5021, _order(timeInForce="FOK", price="65010", quantity="999")),
        (400, -5022, _order(timeInForce="GTX", price="66000")),
        (400, -5027, _unchanged),
        (400, -20132, _algo_twice),
        (404, -1000, _asked("GET", "no/such/path")),
    ],
)
def test_each_situation_has_its_code(status: int, code: int, situation: Callable[[Desk], Answered]) -> None:
    """An adapter decides by these; each must come for its own reason, with its own status."""
    assert situation(Desk(deposit=100_000)) == (status, code)


@pytest.mark.parametrize(
    ("status", "code", "path", "many"),
    [(429, -1003, "positionSide/dual", 81), (418, -1003, "positionSide/dual", 95), (429, -1015, "order", 301)],
)
def test_who_asks_too_often_is_told_to_wait(status: int, code: int, path: str, many: int) -> None:
    """By weight, by weight again and again, and by orders; the wait is in a header."""
    desk = Desk(enforce_limits=True)
    for _ in range(many):
        reply = desk.reply("POST" if path == "order" else "GET", path, **(_MARKET if path == "order" else {}))
    assert (reply.status, msgspec.json.decode(reply.body)["code"]) == (status, code)
    assert int(dict(reply.headers)["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("code", "off", "signer"),
    [(-1021, 10_000_001, USER), (-2015, 0, _STRANGER), (-4225, 0, USER)],
)
def test_each_nonce_and_signer_has_its_code(code: int, off: int, signer: str) -> None:
    """The other venue's codes: too far off, not an agent, used before."""
    desk = AsterDesk()
    text = f"nonce={desk.nonce + off}&user={USER}&signer={signer}"
    signed = sign(text) if signer == USER else sign(text, key=AGENT)
    if code == -4225:
        assert desk.status(signed)[0] == 200
    assert msgspec.json.decode(desk.status(signed)[1])["code"] == code


def test_a_noop_overtakes_an_order_that_waits() -> None:
    """The order was sent first and is looked at second: its nonce has gone, and nothing was bought."""
    desk = AsterDesk()
    desk.sim.front.faults.add({"kind": "queued", "path": "order", "value": 500})
    text = sign(f"nonce={desk.nonce}&user={USER}&signer={USER}&symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01")
    order = Request("POST", "/fapi/v3/order", "", text, {}, "test")
    assert desk.sim.front.answer(order).how == "later"
    assert desk.status(sign(f"nonce={desk.nonce}&user={USER}&signer={USER}"), "POST", "noop")[0] == 200
    late = desk.sim.front.answer(order, is_late=True)
    assert (late.status, msgspec.json.decode(late.body)) == (400, {"code": -4225, "msg": "Nonce Expired"})
    assert not desk.sim.exchange.files[f"aster-{USER}"].orders


def test_an_order_that_waits_is_taken_when_nothing_voids_it() -> None:
    """Late, once, and not kept back again."""
    desk = Desk()
    desk.sim.front.faults.add({"kind": "queued", "path": "order", "value": 500, "times": -1})
    order = Request("POST", "/fapi/v1/order", "", desk.signed(_MARKET), {"x-mbx-apikey": "K"}, "test")
    assert desk.sim.front.answer(order).how == "later"
    assert not desk.exchange.files["binance-K"].orders
    assert desk.sim.front.answer(order, is_late=True).status == 200
