"""Every field, word, default and alias that senders use, and what each is answered."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest

from tests.house_process import ORDER, STRATEGY, HouseProcess, fresh
from tests.journeys.wire import (
    ANSWER,
    BUY,
    DECIMAL,
    ERROR,
    MISSING,
    NO_SECRET,
    ORDER_FIELDS,
    POSITION_FIELDS,
    WRONG,
    named_in,
    new_hook,
    snake,
)

pytestmark = pytest.mark.timeout(400)


# ── What an answer looks like ─────────────────────────────────────────────────────────────────────


def test_an_answer_carries_order_and_position_under_both_spellings(house: HouseProcess) -> None:
    """Clients were written against camelCase that was sent and snake_case that was documented: both find theirs."""
    told = house.alert(**BUY)
    order, position = told["order"], told["position"]

    assert set(told) >= ANSWER
    assert (told["success"], told["state"], told["duplicate"]) == (True, "filled", False)
    assert told["message"] == "Position opened successfully for BTCUSDT"
    assert set(order) >= ORDER_FIELDS
    assert set(position) >= POSITION_FIELDS
    for shown in (order, position):
        for name, value in shown.items():
            assert shown[snake(name)] == value, name
    assert isinstance(order["orderId"], int)
    assert re.fullmatch(r"[A-Za-z0-9]{1,32}", order["clientOrderId"])
    fixed: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "MARKET",
        "status": "FILLED",
        "positionSide": "BOTH",
    }
    fixed |= {"reduceOnly": False, "closePosition": False, "origQty": "0.01", "executedQty": "0.01"}
    assert {name: order[name] for name in fixed} == fixed
    assert (position["symbol"], position["positionAmt"], position["leverage"]) == ("BTCUSDT", "0.01", 10)
    for value in (*(order[name] for name in ("origQty", "executedQty", "avgPrice")),
                  *(position[name] for name in ("positionAmt", "entryPrice", "markPrice", "notional"))):  # fmt: skip
        assert isinstance(value, str)
        assert DECIMAL.fullmatch(value), value
    assert position["entryPrice"] == order["avgPrice"]


def test_every_answer_tells_its_id_and_its_time(house: HouseProcess) -> None:
    """Good or bad, an answer can be found in the log."""
    for answer in (
        house.send({"webhook_secret": house.secret, **BUY, "timenow": fresh()}),
        house.send({**BUY, "webhook_secret": "wrong wrong"}),
        house.send(b"{", house.hook_path),
        house.client.get("/positions"),
    ):
        assert re.fullmatch(r"[0-9.]+", answer.headers["X-Process-Time"])
        assert answer.headers["X-Request-Id"]
        if answer.status_code != 200:
            assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


# ── The order endpoint: every word ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("held", "fields", "after", "message"),
    [
        (0, {"action": "open", "side": "BUY", "quantity": "0.01"}, "0.01", "opened"),
        (0, {"action": "OPEN", "side": "sell", "quantity": 0.01}, "-0.01", "opened"),
        (0, {"action": "Open", "side": "Buy", "quantity": "0.010", "order_type": "market"}, "0.01", "opened"),
        (0, {"action": "buy", "quantity": "0.01"}, "0.01", "opened"),
        (0, {"action": "SELL", "quantity": "1e-2"}, "-0.01", "opened"),
        (0, {"Action": "open", "SIDE": "buy", "Quantity": ".01", "orderType": "Market"}, "0.01", "opened"),
        (0, {"action": "open", "side": "long", "qty": "0.01"}, "0.01", "opened"),
        ("0.02", {"action": "increase", "quantity": "0.01"}, "0.03", "increased"),
        ("0.02", {"action": "Increase", "side": "SELL", "quantity": "0.01"}, "0.03", "increased"),
        ("-0.02", {"action": "INCREASE", "quantity": 0.01}, "-0.03", "increased"),
        ("0.02", {"action": "decrease", "quantity": "0.01"}, "0.01", "decreased"),
        ("-0.02", {"action": "DECREASE", "quantity": "0.015", "side": "SELL"}, "-0.005", "decreased"),
        ("0.02", {"action": "decrease", "quantity": "0.02"}, "0", "decreased"),
        ("0.02", {"action": "close"}, "0", "closed"),
        ("-0.02", {"action": "CLOSE", "quantity": "0.001", "side": "BUY"}, "0", "closed"),
        ("0.02", {"action": "open", "side": "SELL", "quantity": "0.005"}, "0.015", "opened"),
        ("0.02", {"action": "open", "side": "SELL", "quantity": "0.03"}, "-0.01", "opened"),
    ],
)
def test_every_action_does_what_its_word_says(
    held: str | int, fields: dict[str, Any], after: str, message: str, house: HouseProcess
) -> None:
    """Words in any case, numbers as numbers or texts; an opposite opening nets, as one-way mode does."""
    if held:
        house.alert(STRATEGY, symbol="BTCUSDT", order_action="buy", contracts=1, position_size=held)
    told = house.alert(symbol="BTCUSDT", **fields)

    assert (told["success"], told["state"]) == (True, "filled"), told
    assert told["message"] == f"Position {message} successfully for BTCUSDT"
    assert house.position() == Decimal(after)
    reduces = message in {"decreased", "closed"}
    assert told["order"]["reduceOnly"] is reduces
    assert (told["position"] is None) == (Decimal(after) == 0)


@pytest.mark.parametrize(
    "symbol",
    ["BTCUSDT", "btcusdt", "BTCUSDT.P", "BINANCE:BTCUSDT.P", "BYBIT:BTCUSDT.P", "BTC/USDT:USDT", "BTC-USDT-SWAP",
     "BTCUSDTPERP", "binance:btcusdt", " BTCUSDT "],
)  # fmt: skip
def test_a_symbol_is_understood_however_charts_and_exchanges_spell_it(symbol: str, house: HouseProcess) -> None:
    """A sender pastes what the chart shows."""
    assert house.alert(**{**BUY, "symbol": symbol})["order"]["symbol"] == "BTCUSDT"
    assert house.position() == Decimal("0.01")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain; charset=utf-8"},
        {"Content-Type": "application/json"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/octet-stream"},
        {"Content-Type": "nonsense"},
    ],
)
@pytest.mark.parametrize("door", [ORDER, STRATEGY, "hook"])
def test_json_is_read_whatever_the_header_calls_it(door: str, headers: dict[str, str], house: HouseProcess) -> None:
    """TradingView says text/plain whenever it feels like it; curl -d says it is a form."""
    path = house.hook_path if door == "hook" else door
    body: dict[str, Any] = {"order_action": "buy", "contracts": 1, "position_size": "0.01"}
    if door != STRATEGY:
        body = dict(BUY)
    body |= {"symbol": "BTCUSDT", "webhook_secret": house.secret, "timenow": fresh(), "nobody": {"knows": ["this"]}}

    answer = house.carried_out(body, path, headers=headers)

    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json()["state"] == "filled"


def test_a_byte_order_mark_and_blanks_around_the_body_are_no_obstacle(house: HouseProcess) -> None:
    """Editors leave them there."""
    body = json.dumps({**BUY, "webhook_secret": house.secret, "timenow": fresh()}).encode()

    assert house.carried_out(b"\xef\xbb\xbf\n  " + body + b"\n").json()["state"] == "filled"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"symbol": None}, {"symbol"}),
        ({"action": None}, {"action"}),
        ({"action": "explode"}, {"action"}),
        ({"action": 7}, {"action"}),
        ({"side": None}, {"side"}),
        ({"side": "UP"}, {"side"}),
        ({"quantity": None}, {"quantity"}),
        ({"quantity": ""}, {"quantity"}),
        ({"quantity": "0"}, {"quantity"}),
        ({"quantity": "-0.01"}, {"quantity"}),
        ({"quantity": "much"}, {"quantity"}),
        ({"quantity": True}, {"quantity"}),
        ({"quantity": ["0.01"]}, {"quantity"}),
        ({"order_type": "STOP"}, {"order_type"}),
        ({"order_type": "LIMIT"}, {"price"}),
        ({"order_type": "LIMIT", "price": "0"}, {"price"}),
        ({"price": "-1"}, {"price"}),
        ({"symbol": "DOGEUSDT"}, {"symbol"}),
        ({"symbol": "BTC USDT!"}, {"symbol"}),
        ({"stop_loss": "0%"}, {"stop_loss"}),
        ({"take_profit": "soon"}, {"take_profit"}),
        ({"quote_amount": "100"}, {"quote_amount"}),
        ({"quantity": None, "risk_percent": "1"}, {"stop_loss"}),
        ({"action": "x", "side": "y", "quantity": "z", "order_type": "w", "price": "v"},
         {"action", "side", "quantity", "order_type", "price"}),
    ],
)  # fmt: skip
def test_every_wrong_field_is_named_with_what_came_and_what_is_allowed(
    fields: dict[str, Any], named: set[str], house: HouseProcess
) -> None:
    """Who wrote an alert once, a year ago, must see at one glance what to mend."""
    before = len(house.orders())

    answer = house.send({"webhook_secret": house.secret, "timenow": fresh(), **BUY, **fields})

    assert named_in(answer) == named, answer.text
    assert answer.json()["state"] == "refused"
    for name, came in fields.items():
        if isinstance(came, str) and came and name in named and name != "symbol":
            message = next(one["message"] for one in answer.json()["validation_errors"] if one["field"] == name)
            assert came in message, message
    assert len(house.orders()) == before


@pytest.mark.parametrize("action", ["close", "increase", "decrease"])
def test_without_a_position_there_is_nothing_to_change(action: str, house: HouseProcess) -> None:
    """404 is what these senders know; nothing is opened, and the same alert may come again and then work."""
    body = {"webhook_secret": house.secret, "action": action, "symbol": "BTCUSDT", "quantity": "0.01", "n": fresh()}

    answer = house.send(body)

    assert answer.status_code == 404, answer.text
    assert set(answer.json()) >= ERROR
    assert answer.json()["code"] == "POSITIONNOTFOUND"
    assert "BTCUSDT" in answer.json()["detail"]
    assert house.position() == 0
    house.alert(**{**BUY, "quantity": "0.02"})
    again = house.carried_out(body).json()
    assert (again["state"], again["duplicate"]) == ("filled", False)


def test_more_than_the_position_cannot_be_taken_off_it(house: HouseProcess) -> None:
    """400, with both numbers."""
    house.alert(**BUY)
    answer = house.send({"webhook_secret": house.secret, "action": "decrease", "symbol": "BTCUSDT", "quantity": "0.02"})

    assert named_in(answer) == {"quantity"}
    assert "0.02" in answer.text
    assert "0.01" in answer.text
    assert house.position() == Decimal("0.01")


# ── Secrets ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", [ORDER, STRATEGY])
@pytest.mark.parametrize(
    ("in_body", "in_header", "status", "text"),
    [
        ("right", None, 200, None),
        (None, "right", 200, None),
        ("right", "wrong", 200, None),
        ("wrong", "right", 401, WRONG),
        ("", "right", 200, None),
        (None, None, 401, MISSING),
        ("", None, 401, MISSING),
        ("", "", 401, MISSING),
        ("wrong", None, 401, WRONG),
        (None, "wrong", 401, WRONG),
    ],
)
def test_the_secret_of_the_body_decides_and_else_that_of_the_header(
    path: str, in_body: str | None, in_header: str | None, status: int, text: str | None, house: HouseProcess
) -> None:
    """The order and the two texts are what existing senders were written against."""
    known = {"right": house.secret, "wrong": NO_SECRET, "": ""}
    body = dict(BUY) if path == ORDER else {"order_action": "buy", "contracts": "1", "position_size": "0.01"}
    body |= {"symbol": "BTCUSDT", "timenow": fresh()}
    if in_body is not None:
        body["webhook_secret"] = known[in_body]
    headers = {"X-Webhook-Secret": known[in_header]} if in_header is not None else {}
    before = len(house.orders())

    answer = house.carried_out(body, path, headers=headers)

    assert answer.status_code == status, answer.text
    assert len(house.orders()) == before + (status == 200)
    if text is not None:
        assert answer.json()["detail"] == text
        assert set(answer.json()) >= ERROR
        assert NO_SECRET not in answer.text


def test_a_wrong_secret_is_said_before_anything_else_is(house: HouseProcess) -> None:
    """A stranger is not told what fields there are, and nothing of what they send is stored."""
    before = len(house.signals())

    for body in (
        b'{"webhook_secret": "%s", "action": 5' % NO_SECRET.encode(),
        b'{"webhook_secret":"nope-nope"}',
        b"[]",
    ):
        answer = house.send(body)
        assert answer.status_code == 401, answer.text
        assert answer.json()["detail"] in {WRONG, MISSING}
        assert answer.json()["validation_errors"] == []
    assert len(house.signals()) == before


def test_the_secret_selects_the_hook(house: HouseProcess) -> None:
    """Two strategies on one address are told apart by their secrets; each has its own memory of what came."""
    other = new_hook(house)
    body = {**BUY, "alert_id": fresh()}

    mine = house.carried_out({**body, "webhook_secret": house.secret}).json()
    theirs = house.carried_out(body, headers={"X-Webhook-Secret": other["secret"]}).json()

    assert (mine["duplicate"], theirs["duplicate"]) == (False, False)
    assert house.signal(theirs["signal_id"])["hook_id"] == other["id"] != house.signal(mine["signal_id"])["hook_id"]
    assert house.signal(theirs["signal_id"])["orders"][0]["hook_id"] == other["id"]
    assert house.position() == Decimal("0.02")
