"""The hooks on the wire: every field, word, default and alias that senders use, and what each is answered."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

import httpx
import pytest

from tests.house_process import ORDER, STRATEGY, HouseProcess, eventually, fresh

pytestmark = pytest.mark.timeout(180)

MISSING = "Webhook secret required but not provided"
WRONG = "Invalid webhook secret"
NO_SECRET = "not-the-secret-of-any-hook-at-all"
ANSWER = {"success", "message", "signal_id", "state", "duplicate", "order", "position"}
ERROR = {"error", "detail", "code", "timestamp", "validation_errors", "request_id"}

ORDER_FIELDS = {
    "orderId", "order_id", "clientOrderId", "client_order_id", "symbol", "side", "type", "status", "origQty",
    "orig_qty", "price", "executedQty", "executed_qty", "avgPrice", "avg_price", "timeInForce", "time_in_force",
    "positionSide", "position_side", "reduceOnly", "reduce_only", "closePosition", "close_position", "stopPrice",
    "stop_price", "time", "updateTime", "update_time", "id", "purpose", "state",
}  # fmt: skip
POSITION_FIELDS = {
    "symbol", "positionSide", "position_side", "positionAmt", "position_amt", "entryPrice", "entry_price",
    "markPrice", "mark_price", "unRealizedProfit", "un_realized_profit", "leverage", "marginType", "margin_type",
    "liquidationPrice", "liquidation_price", "isolatedMargin", "isolated_margin", "notional",
}  # fmt: skip
BALANCE_FIELDS = {
    "asset", "walletBalance", "wallet_balance", "availableBalance", "available_balance", "crossWalletBalance",
    "cross_wallet_balance", "unrealizedProfit", "unrealized_profit", "crossUnPnl", "cross_un_pnl",
}  # fmt: skip
DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")

BUY = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010"}


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _new_hook(house: HouseProcess, **fields: Any) -> dict[str, Any]:
    """Make a hook and return it, with its `path`, its `token` and its `secret`."""
    made: dict[str, Any] = house.post("/api/v1/hooks", {"name": f"hook {fresh()}", **fields})
    return {**made, "path": f"/hooks/{made['token']}"}


def _named(answer: httpx.Response) -> set[str]:
    """Return the fields that a 400 names, after checking its form."""
    told = answer.json()
    assert answer.status_code == 400, answer.text
    assert set(told) >= ERROR, told
    assert told["code"] == "VALIDATION_ERROR"
    assert told["success"] is False
    assert all(set(one) >= {"field", "message", "type"} and one["message"] for one in told["validation_errors"])
    return {one["field"] for one in told["validation_errors"]}


def _low(house: HouseProcess, share: str = "0.95") -> str:
    """Return a limit price below the market, on the tick."""
    return str((house.mark() * Decimal(share)).quantize(Decimal("0.1")))


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
            assert shown[_snake(name)] == value, name
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

    answer = house.send(body, path, headers=headers, wait_ms=2500)

    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json()["state"] == "filled"


def test_a_byte_order_mark_and_blanks_around_the_body_are_no_obstacle(house: HouseProcess) -> None:
    """Editors leave them there."""
    body = json.dumps({**BUY, "webhook_secret": house.secret, "timenow": fresh()}).encode()

    assert house.send(b"\xef\xbb\xbf\n  " + body + b"\n", wait_ms=2500).json()["state"] == "filled"


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

    assert _named(answer) == named, answer.text
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
    again = house.send(body, wait_ms=2500).json()
    assert (again["state"], again["duplicate"]) == ("filled", False)


def test_more_than_the_position_cannot_be_taken_off_it(house: HouseProcess) -> None:
    """400, with both numbers."""
    house.alert(**BUY)
    answer = house.send({"webhook_secret": house.secret, "action": "decrease", "symbol": "BTCUSDT", "quantity": "0.02"})

    assert _named(answer) == {"quantity"}
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

    answer = house.send(body, path, headers=headers, wait_ms=2500)

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
    other = _new_hook(house)
    body = {**BUY, "alert_id": fresh()}

    mine = house.send({**body, "webhook_secret": house.secret}, wait_ms=2500).json()
    theirs = house.send(body, headers={"X-Webhook-Secret": other["secret"]}, wait_ms=2500).json()

    assert (mine["duplicate"], theirs["duplicate"]) == (False, False)
    assert house.signal(theirs["signal_id"])["hook_id"] == other["id"] != house.signal(mine["signal_id"])["hook_id"]
    assert house.signal(theirs["signal_id"])["orders"][0]["hook_id"] == other["id"]
    assert house.position() == Decimal("0.02")


# ── The strategy endpoint ─────────────────────────────────────────────────────────────────────────

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
    house.send(first.encode(), STRATEGY, headers={"X-Webhook-Secret": house.secret}, wait_ms=2500)
    assert house.position() == Decimal(held)

    body = (TEMPLATE % ("sell", "7", target, fresh())).encode()
    answer = house.send(body, STRATEGY, headers={"X-Webhook-Secret": house.secret}, wait_ms=2500)

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

    assert _named(answer) == named, answer.text
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
    hook = _new_hook(house)
    targets = [f"{(-1) ** n * (n + 1) * Decimal('0.001')}" for n in range(24)]

    def hail(target: str) -> int:
        body = {"order_action": "buy", "symbol": "BTCUSDT", "contracts": 1, "position_size": target, "alert_id": target}
        with httpx.Client(base_url=house.url, trust_env=False, timeout=30) as client:
            return client.post(hook["path"], json=body, params={"wait_ms": 0}).status_code

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(hail, targets)) == {200}
    stored = [one for one in house.signals() if one["hook_id"] == hook["id"]]
    for one in stored:
        house.settle(one["id"])

    assert len(stored) == len(targets)
    assert house.position() == Decimal(stored[0]["signal"]["target"])


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
    price = _low(house)
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
def test_a_position_that_cannot_be_protected_is_not_kept(side: str, name: str, house: HouseProcess) -> None:
    """A stop on the wrong side of the market is refused by the venue; then nothing stays open without it."""
    price = (house.mark() * Decimal("1.05")).quantize(Decimal("0.1"))

    told = house.send({**BUY, "side": side, name: str(price), "timenow": fresh()}, house.hook_path, wait_ms=2500).json()

    if told["state"] != "refused":
        eventually(lambda: house.position() == 0, "it is closed at the market")
    eventually(lambda: not house.get("/orders/open"), "nothing rests")


# ── Limit orders ──────────────────────────────────────────────────────────────────────────────────


def test_a_limit_order_rests_until_it_is_cancelled(house: HouseProcess) -> None:
    """It is working, shown among the open orders, and the repeated alert tells what became of it."""
    price = _low(house)
    body = {"webhook_secret": house.secret, **BUY, "order_type": "limit", "price": price, "n": fresh()}

    told = house.send(body, wait_ms=2500).json()

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
    told = house.alert(**{**BUY, "side": "SELL"}, order_type="LIMIT", price=_low(house, "0.1"))

    assert (told["state"], told["order"]) == ("refused", None)
    assert told["reasons"]


def test_a_target_may_be_reached_by_a_limit_order(house: HouseProcess) -> None:
    """It rests at its price; the same target at the market takes its place, and does not come on top."""
    wish = {"symbol": "BTCUSDT", "order_action": "buy", "contracts": 1, "position_size": "0.02"}

    rests = house.alert(STRATEGY, **wish, order_type="LIMIT", price=_low(house))
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
    house.alert(**BUY, order_type="LIMIT", price=_low(house))

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
        with httpx.Client(base_url=house.url, trust_env=False, timeout=30) as client:
            answer = client.post(path, content=body, params={"wait_ms": 2500})
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    with ThreadPoolExecutor(10) as pool:
        told = list(pool.map(deliver, range(10)))

    assert sorted(one["duplicate"] for one in told) == [False] + [True] * 9
    assert len({one["signal_id"] for one in told}) == 1
    assert len({one["order"]["clientOrderId"] for one in told}) == 1
    assert {one["state"] for one in told} == {"filled"}
    assert len(house.orders()) == before + 1
    assert house.position() == Decimal("0.01")
    assert house.signal(told[0]["signal_id"])["deliveries"] == 10


def test_an_alert_id_is_an_alert_for_ever(house: HouseProcess) -> None:
    """The same id with the same body is the same alert; with another body it is a mistake that must be told."""
    body = {**BUY, "webhook_secret": house.secret, "alert_id": fresh()}
    first = house.send(body, wait_ms=2500).json()

    again = house.send(body, wait_ms=2500)
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
    first = house.send(body, wait_ms=2500).json()

    again = house.send(body, wait_ms=2500)

    told = again.json()
    assert (again.status_code, told["duplicate"], told["signal_id"]) == (200, True, first["signal_id"])
    assert (told["state"], told["message"]) == (first["state"], first["message"])
    assert first["state"] in {"refused", "rejected"}
    assert first["success"] is told["success"] is False


def test_an_alert_id_that_cannot_be_one_is_named(house: HouseProcess) -> None:
    """Cut off, it would make two alerts one."""
    for alert_id in ("x" * 129, {"id": 1}, "a\u0000b", True):
        answer = house.send({**BUY, "webhook_secret": house.secret, "alert_id": alert_id})
        assert _named(answer) == {"alert_id"}, alert_id


def test_honest_alerts_that_differ_in_their_time_are_two(house: HouseProcess) -> None:
    """A strategy that adds twice in a minute means it."""
    hook = _new_hook(house)
    for timenow in ("2026-11-21T10:00:00Z", "2026-11-21T10:00:01Z", "2026-11-21T10:00:01Z"):
        told = house.send({**BUY, "timenow": timenow}, hook["path"], wait_ms=2500).json()
        assert told["state"] == "filled"

    assert told["duplicate"] is True
    assert house.position() == Decimal("0.02")


def test_an_equal_body_is_the_same_alert_within_the_hooks_window_only(house: HouseProcess) -> None:
    """After it, the same words are a new wish."""
    short, none = _new_hook(house, window_s=1), _new_hook(house, window_s=0)
    body = json.dumps(BUY).encode()

    told = [house.send(body, short["path"], wait_ms=2500).json()["duplicate"] for _ in range(2)]
    time.sleep(1.1)
    told.append(house.send(body, short["path"], wait_ms=2500).json()["duplicate"])
    assert told == [False, True, False]
    assert [house.send(body, none["path"], wait_ms=2500).json()["duplicate"] for _ in range(2)] == [False, False]
    assert house.position() == Decimal("0.04")


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


# ── Too large, too often, unknown ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("door", [ORDER, STRATEGY, "hook"])
def test_a_body_above_64_kib_is_not_read(door: str, house: HouseProcess) -> None:
    """Up to the bound it is an alert like any other; above it is 413, however its length is told."""
    path = house.hook_path if door == "hook" else door
    fields = {"order_action": "buy", "contracts": 1, "position_size": "0.01"} if door == STRATEGY else BUY
    bare = json.dumps({**fields, "symbol": "BTCUSDT", "webhook_secret": house.secret, "n": fresh(), "pad": ""})
    body = bare.replace('"pad": ""', f'"pad": "{"x" * (65_536 - len(bare))}"').encode()
    assert len(body) == 65_536

    assert house.send(body, path, wait_ms=2500).json()["state"] == "filled"
    for too_large in (body + b" ", body + b" " * 1_000_000):
        told = house.send(too_large, path)
        assert told.status_code == 413
        assert set(told.json()) >= ERROR
    pieces = iter([body, b" " * 10_000])
    assert house.client.post(path, content=pieces).status_code == 413


def test_above_the_hooks_rate_nothing_is_stored(house: HouseProcess) -> None:
    """429 with the time to wait; what was taken is an order, what was not is none."""
    hook = _new_hook(house, rate_per_s=5)

    answers = [house.send({**BUY, "quantity": "0.001", "n": n}, hook["path"], wait_ms=0) for n in range(40)]

    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= 5
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["code"] == "RATELIMITERROR"
    stored = [one for one in house.signals() if one["hook_id"] == hook["id"]]
    assert len(stored) == statuses.count(200)
    by_secret = [house.send({**BUY, "n": fresh()}, headers={"X-Webhook-Secret": hook["secret"]}) for _ in range(10)]
    assert 429 in {answer.status_code for answer in by_secret}, "the rate is the hook's, whichever way it is found"


@pytest.mark.parametrize("token", ["x", "a" * 32, "a" * 5_000, "%00", "..%2f..%2fetc", "%F0%9F%92%A3"])
def test_an_address_that_nobody_was_given_is_404(token: str, house: HouseProcess) -> None:
    """With a right body or a wrong one, the answer is the same: nothing is told to who guesses."""
    answers = [
        house.send({**BUY, "webhook_secret": house.secret}, f"/hooks/{token}"),
        house.send(b"{", f"/hooks/{token}"),
    ]

    for answer in answers:
        assert answer.status_code == 404, answer.text
        assert answer.json()["code"] in {"HOOK_NOT_FOUND", "NOT_FOUND"}
        assert token not in answer.text
    assert house.position() == 0


def test_the_doors_take_nothing_but_posts(house: HouseProcess) -> None:
    """405, and no page that asks for anything."""
    for path in (ORDER, STRATEGY, house.hook_path):
        for method in ("GET", "PUT", "DELETE", "PATCH"):
            answer = house.client.request(method, path)
            assert answer.status_code == 405, f"{method} {path}"
            assert house.facts["hook_url"].rpartition("/")[2] not in answer.text


# ── Hooks ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_hook_trades_only_what_it_may(house: HouseProcess) -> None:
    """A leaked address of a Bitcoin strategy cannot buy anything else."""
    hook = _new_hook(house, symbols=["BTCUSDT"])

    assert house.send({**BUY, "symbol": "BTCUSDT.P"}, hook["path"], wait_ms=2500).json()["state"] == "filled"
    answer = house.send({**BUY, "symbol": "ETHUSDT", "quantity": "0.1"}, hook["path"])

    assert _named(answer) == {"symbol"}
    assert "ETHUSDT" in answer.text
    assert "BTCUSDT" in answer.text


def test_a_default_size_is_for_alerts_that_name_none(house: HouseProcess) -> None:
    """An alert that says how much decides; one that does not gets the hook's default, or is refused."""
    sized = _new_hook(house, default_size={"kind": "quantity", "value": "0.03"})
    bare = {name: value for name, value in BUY.items() if name != "quantity"}

    assert house.send(bare, sized["path"], wait_ms=2500).json()["order"]["origQty"] == "0.03"
    assert house.send(BUY, sized["path"], wait_ms=2500).json()["order"]["origQty"] == "0.01"
    assert _named(house.send(bare, house.hook_path)) == {"quantity"}
    house.ask("PATCH", f"/api/v1/hooks/{sized['id']}", body={"default_size": {"kind": "quote_amount", "value": "700"}})
    assert house.send({**bare, "n": 1}, sized["path"], wait_ms=2500).json()["order"]["origQty"] == "0.01"


def test_a_stale_alert_is_refused_where_the_hook_says_so(house: HouseProcess) -> None:
    """A queue that was stuck for an hour must not open what the market has left behind."""
    hook = _new_hook(house, max_age_s=30)
    now = datetime.now(UTC)
    old, new = (f"{now - timedelta(seconds=age):%Y-%m-%dT%H:%M:%SZ}" for age in (90, 1))

    stale = house.send({**BUY, "timenow": old}, hook["path"], wait_ms=2500).json()
    timeless = house.send({**BUY, "timenow": "just now"}, hook["path"], wait_ms=2500).json()
    recent = house.send({**BUY, "timenow": new}, hook["path"], wait_ms=2500).json()
    in_unix = house.send({**BUY, "timestamp": int(now.timestamp() * 1000)}, hook["path"], wait_ms=2500).json()

    assert [one["state"] for one in (stale, timeless, recent, in_unix)] == ["refused", "refused", "filled", "filled"]
    assert stale["code"] == timeless["code"] == "stale_alert"
    assert "30 s" in stale["message"]
    assert house.position() == Decimal("0.02")


def test_a_dry_hook_shows_everything_and_sends_nothing(house: HouseProcess) -> None:
    """A strategy is tried out with real alerts and no order."""
    hook = _new_hook(house, dry=True)
    before = len(house.orders())

    told = house.send(BUY, hook["path"], wait_ms=2500).json()

    assert (told["state"], told["order"], told["position"]) == ("noop", None, None)
    would = told["dry"]["would"]
    assert (would["symbol"], would["side"], would["quantity"]) == ("BTCUSDT", "BUY", "0.01")
    assert len(house.orders()) == before
    assert house.position() == 0


@pytest.mark.parametrize("which", ["token", "secret", "both"])
def test_a_rotated_hook_forgets_what_it_had(which: str, house: HouseProcess) -> None:
    """A leaked address or secret is worthless at once; what was not rotated goes on."""
    hook = _new_hook(house)

    new = house.post(f"/api/v1/hooks/{hook['id']}/rotate", {"which": which})

    by_token = house.send({**BUY, "n": 1}, hook["path"]).status_code
    by_secret = house.send({**BUY, "n": 2, "webhook_secret": hook["secret"]}).status_code
    assert by_token == (200 if which == "secret" else 404)
    assert by_secret == (200 if which == "token" else 401)
    if new["token"]:
        assert house.send({**BUY, "n": 3}, f"/hooks/{new['token']}").status_code == 200
    if new["secret"]:
        assert house.send({**BUY, "n": 4, "webhook_secret": new["secret"]}).status_code == 200
    assert (new["token"] is None, new["secret"] is None) == (which == "secret", which == "token")


def test_a_revoked_hook_is_as_if_it_had_never_been(house: HouseProcess) -> None:
    """For good, for both ways in; others are not touched, and its past stays on record."""
    hook = _new_hook(house)
    told = house.send(BUY, hook["path"], wait_ms=2500).json()

    house.post(f"/api/v1/hooks/{hook['id']}/revoke")

    assert house.send({**BUY, "n": 1}, hook["path"]).status_code == 404
    assert house.send({**BUY, "webhook_secret": hook["secret"]}).json()["detail"] == WRONG
    assert house.signal(told["signal_id"])["hook_id"] == hook["id"]
    assert house.alert(**BUY)["state"] == "filled"


def test_secrets_are_shown_once(house: HouseProcess) -> None:
    """No list and no single look shows again what opens a hook."""
    hook = _new_hook(house)

    for path in ("/api/v1/hooks", f"/api/v1/hooks/{hook['id']}"):
        text = json.dumps(house.get(path))
        assert hook["secret"] not in text
        assert hook["token"] not in text


# ── What older clients read ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/positions"), ("GET", "/positions/BTCUSDT"), ("POST", "/positions/BTCUSDT/leverage"),
     ("POST", "/positions/BTCUSDT/margin-type"), ("GET", "/account/balance"), ("GET", "/account/info"),
     ("GET", "/orders"), ("GET", "/orders/open"), ("GET", "/api/v1/signals"), ("GET", "/api/v1/orders"),
     ("POST", "/api/v1/orders"), ("GET", "/api/v1/hooks"), ("GET", "/api/v1/events")],
)  # fmt: skip
def test_nothing_is_shown_or_done_without_a_token(method: str, path: str, house: HouseProcess) -> None:
    """These routes stood open in what these clients knew; here they ask who is there, before all else."""
    for headers in ({}, {"Authorization": "Bearer ph_op_guessed"}, {"Authorization": f"Basic {house.secret}"}):
        answer = house.client.request(method, path, headers=headers, content=b"{nonsense")
        assert answer.status_code == 401, f"{answer.status_code} {answer.text}"
        assert "Bearer" in answer.headers["WWW-Authenticate"]


def test_positions_have_the_fields_that_clients_know(house: HouseProcess) -> None:
    """A list of what is not flat; one by its symbol; 404 for a flat one."""
    assert house.get("/positions") == []
    assert house.ask("GET", "/positions/BTCUSDT").status_code == 404
    house.alert(**BUY)
    house.alert(action="sell", symbol="ETHUSDT", quantity="0.5")

    shown = {one["symbol"]: one for one in house.get("/positions")}

    assert set(shown) == {"BTCUSDT", "ETHUSDT"}
    assert set(shown["BTCUSDT"]) >= POSITION_FIELDS
    assert (shown["BTCUSDT"]["positionAmt"], shown["ETHUSDT"]["position_amt"]) == ("0.01", "-0.5")
    one = house.get("/positions/BTCUSDT")
    assert set(one) == set(shown["BTCUSDT"])
    for name in ("positionAmt", "entryPrice", "markPrice", "unRealizedProfit", "liquidationPrice", "notional"):
        assert isinstance(one[name], str), name
        assert DECIMAL.fullmatch(one[name]), name
    assert isinstance(one["leverage"], int)


def test_leverage_and_margin_type_are_set_where_clients_set_them(house: HouseProcess) -> None:
    """In any case, idempotently, with what is allowed when it is wrong."""
    told = house.post("/positions/SOLUSDT/leverage", {"leverage": 7})
    assert (told["success"], told["symbol"], told["leverage"]) == (True, "SOLUSDT", 7)
    house.alert(action="buy", symbol="SOLUSDT", quantity="1")
    assert house.get("/positions/SOLUSDT")["leverage"] == 7
    house.flatten()

    for word in ("isolated", "ISOLATED", "Crossed"):
        told = house.post("/positions/SOLUSDT/margin-type", {"margin_type": word})
        assert (told["success"], told["margin_type"]) == (True, word.upper())
    for path, body, name in (
        ("leverage", {"leverage": 0}, "leverage"),
        ("leverage", {"leverage": 126}, "leverage"),
        ("leverage", {"leverage": "many"}, "leverage"),
        ("leverage", {}, "leverage"),
        ("margin-type", {"margin_type": "SHARED"}, "margin_type"),
        ("margin-type", {}, "margin_type"),
    ):
        answer = house.ask("POST", f"/positions/SOLUSDT/{path}", body=body)
        assert answer.status_code == 400, answer.text
        assert [one["field"] for one in answer.json()["validation_errors"]] == [name]
    assert house.ask("POST", "/positions/DOGEUSDT/leverage", body={"leverage": 5}).status_code in {400, 404}


def test_the_balance_has_the_fields_that_clients_know(house: HouseProcess) -> None:
    """A list of one currency, exact decimals as text."""
    (told,) = house.get("/account/balance")

    assert set(told) >= BALANCE_FIELDS
    assert told["asset"] == "USDT"
    for name in BALANCE_FIELDS - {"asset"}:
        assert DECIMAL.fullmatch(told[name]), name
    assert isinstance(house.get("/account/info"), dict)


def test_orders_are_listed_as_clients_ask_for_them(house: HouseProcess) -> None:
    """The symbol is required, times go by either spelling, the limit has its bounds."""
    begun = int(time.time() * 1000)
    told = [house.alert(**BUY)["order"]["clientOrderId"] for _ in range(3)]

    def listed(**query: object) -> list[str]:
        return [one["clientOrderId"] for one in house.get("/orders", **{"symbol": "BTCUSDT", **query})]

    assert set(listed(limit=3)) == set(told)
    assert set(house.get("/orders", symbol="BTCUSDT", limit=1)[0]) >= ORDER_FIELDS
    assert len(listed(limit=1)) == 1
    assert set(listed(start_time=begun - 5_000)) >= set(told)
    assert set(listed(startTime=begun - 5_000)) >= set(told)
    for later in ({"start_time": begun + 600_000}, {"startTime": begun + 600_000}):
        assert listed(**later) == []
    for earlier in ({"end_time": begun - 600_000}, {"endTime": begun - 600_000}):
        assert listed(**earlier) == []
    assert listed(symbol="SOLUSDT", startTime=begun) == []
    for query, name in (
        ({}, "symbol"),
        ({"symbol": "BTCUSDT", "limit": 0}, "limit"),
        ({"symbol": "BTCUSDT", "limit": 1001}, "limit"),
        ({"symbol": "BTCUSDT", "limit": "all"}, "limit"),
        ({"symbol": "BTCUSDT", "start_time": "yesterday"}, "start_time"),
    ):
        answer = house.ask("GET", "/orders", **query)
        assert answer.status_code == 400, answer.text
        assert [one["field"] for one in answer.json()["validation_errors"]] == [name]


def test_health_says_what_monitors_look_for_and_no_secret(house: HouseProcess) -> None:
    """Open to all, so it tells nothing that is not for all."""
    for path, status in (("/health", "healthy"), ("/health/ready", "ready"), ("/health/live", None)):
        answer = house.client.get(path)
        assert answer.status_code == 200
        if status:
            assert answer.json()["status"] == status
        assert house.secret not in answer.text
        assert house.facts["operator_token"] not in answer.text
    told = house.client.get("/health").json()
    assert set(told) >= {"status", "timestamp", "version"}
    assert abs(told["timestamp"] - time.time() * 1000) < 60_000
