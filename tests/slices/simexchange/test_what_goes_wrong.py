"""Faults strike as asked, and the truth says what really happened."""

import json
import time
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from pilothouse.simexchange.faults import AFTER, KINDS
from tests.plain_http import NO_TLS
from tests.slices.simexchange.raw_asking import Desk
from tests.slices.simexchange.sim_house import PATIENCE_S, WINDOW_MS, RunningExchange

_ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010"}


@pytest.mark.parametrize(
    ("kind", "status", "text", "done"),
    [
        ("unknown", 503, "Unknown error, please check your request", True),
        ("unknown_undone", 503, "Unknown error, please check your request", False),
        ("unavailable", 503, "Service Unavailable.", False),
        ("internal", 503, "Internal error; unable to process", False),
        ("throttled", 503, "-1008", False),
        ("timeout", 408, "-1007", True),
        ("unexpected", 503, "-1006", True),
        ("gateway", 502, "<html>", False),
        ("too_many", 429, "-1003", False),
        ("banned", 418, "-1003", False),
        ("maintenance", 503, "Service Unavailable.", False),
    ],
)
def test_an_answer_that_says_little_hides_what_was_done(kind: str, status: int, text: str, done: object) -> None:
    """An adapter must not guess: the same status stands for an order that fills and for one that never was."""
    desk = Desk()
    desk.sim.front.faults.add({"kind": kind, "method": "POST", "path": "order"})
    reply = desk.reply("POST", "order", **_ORDER)
    assert (reply.status, text in reply.body.decode()) == (status, True)
    assert any(name == "Retry-After" for name, _ in reply.headers) == (status in {418, 429})
    assert len(desk.exchange.files["binance-K"].orders) == done
    assert desk.reply("POST", "order", **_ORDER).status == 200, "it strikes once unless told otherwise"


def test_a_request_may_bring_its_own_fault() -> None:
    """One header, and only this request is struck."""
    desk = Desk()
    assert desk.reply("POST", "order", headers={"x-sim-fault": "unknown"}, **_ORDER).status == 503
    assert len(desk.exchange.files["binance-K"].orders) == 1


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_fault_may_be_brought_by_a_request(kind: str) -> None:
    """What a rule can do to many, a header does to one; the log says so."""
    desk = Desk()
    reply = desk.reply("POST", "order", headers={"x-sim-fault": f"{kind}:1"}, **_ORDER)
    if reply.how != "later":
        assert desk.sim.front.log[-1].fault == kind
    assert desk.reply("POST", "order", **_ORDER).status == 200


def test_an_answer_may_be_slow() -> None:
    """The order is done at once; only the answer waits."""
    desk = Desk()
    desk.sim.front.faults.add({"kind": "slow", "path": "order", "value": 700})
    reply = desk.reply("POST", "order", **_ORDER)
    assert (reply.status, reply.delay_ms) == (200, 700)
    assert len(desk.exchange.files["binance-K"].orders) == 1


def test_a_stop_may_be_rejected_when_it_triggers() -> None:
    """The position stays without protection, and the stream says so."""
    desk = Desk()
    desk.market("BUY", "0.010")
    desk.sim.front.faults.add({"kind": "reject_trigger", "path": "algoOrder"})
    stop = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"}
    desk.ask("POST", "algoOrder", **stop, triggerPrice="64000", quantity="0.010")
    desk.price("63990.0")
    assert [event["o"]["X"] for kind, event in desk.events if kind == "ALGO_UPDATE"][-1] == "REJECTED"
    assert desk.exchange.account("binance-K").holding("BTCUSDT").lots == 10


def test_throttling_spares_what_only_reduces() -> None:
    """The venue lets risk go down even when it lets nothing in."""
    desk = Desk()
    desk.market("BUY", "0.010")
    desk.sim.front.faults.add({"kind": "throttled", "path": "order", "times": -1})
    assert desk.reply("POST", "order", **_ORDER).status == 503
    assert desk.market("SELL", "0.010", reduceOnly="true")["status"] == "FILLED"


def test_rules_choose_their_requests() -> None:
    """By method, path, parameters, after so many."""
    desk = Desk()
    rule = {"kind": "reject", "code": -2019, "path": "order", "where": {"side": "SELL"}, "skip": 1}
    desk.sim.front.faults.add(rule)
    assert desk.market("BUY", "0.010")["status"] == "FILLED"
    assert desk.market("SELL", "0.001")["status"] == "FILLED"
    assert desk.code("POST", "order", **{**_ORDER, "side": "SELL"}) == -2019


def test_an_order_may_fill_in_part() -> None:
    """A thin crowd: the rest of a market order expires, that of a limit order rests."""
    desk = Desk()
    desk.sim.front.faults.add({"kind": "partial", "value": 3, "times": 2})
    order = desk.market("BUY", "0.010")
    assert (order["status"], order["executedQty"]) == ("EXPIRED", "0.003")
    order = desk.limit("SELL", "0.010", "64900.0", newOrderRespType="RESULT")
    assert (order["status"], order["executedQty"]) == ("PARTIALLY_FILLED", "0.003")


@pytest.mark.parametrize("kind", sorted({"lost", "hang", "reset", "silent"}))
def test_a_connection_may_die_before_or_after(kind: str) -> None:
    """A reset says nothing about the order."""
    with RunningExchange() as running:
        running.control("POST", "faults", kind=kind, path="leverage")
        desk = _signed_at(running, {"symbol": "BTCUSDT", "leverage": 3})
        with pytest.raises(httpx.TransportError):
            httpx.post(
                f"{running.base}/fapi/v1/leverage",
                timeout=httpx.Timeout(PATIENCE_S, read=0.5 if kind in {"hang", "silent"} else PATIENCE_S),
                headers={"X-MBX-APIKEY": "K"},
                content=desk,
                verify=NO_TLS,
            )
        deadline = time.monotonic() + PATIENCE_S
        while not (struck := running.control("GET", "requests")) and time.monotonic() < deadline:
            time.sleep(0.01)  # who gave up so soon may have done so before it was looked at
        assert struck[0]["fault"] == kind
        leverage = running.sim.exchange.account("binance-K").holding("BTCUSDT").leverage
        assert (leverage == 3) == (kind in AFTER)


def _signed_at(running: RunningExchange, params: dict[str, Any]) -> str:
    desk = Desk.__new__(Desk)
    desk.exchange = running.sim.exchange
    return desk.signed({**params, "recvWindow": WINDOW_MS})


def _post_order(running: RunningExchange, body: str) -> None:
    httpx.post(
        f"{running.base}/fapi/v1/order",
        headers={"X-MBX-APIKEY": "K"},
        content=body,
        verify=NO_TLS,
        timeout=PATIENCE_S,
    ).raise_for_status()


def test_a_kind_of_market_stream_falls_silent_while_its_connection_lives() -> None:
    """What looks alive and tells half is worse than a line that is cut: nobody opens it anew."""
    with RunningExchange() as running:
        running.control("POST", "faults", kind="mute", stream=True, event="bookTicker", times=-1)
        names = ["btcusdt@bookTicker", "!bookTicker", "btcusdt@depth", "btcusdt@markPrice@1s", "!markPrice@arr@1s"]
        with connect(running.base.replace("http", "ws") + "/stream?streams=" + "/".join(names)) as socket:
            heard: set[str] = set()
            while not heard.issuperset({*names[2:]}):
                heard.add(json.loads(socket.recv(timeout=PATIENCE_S))["stream"])
            assert heard == {*names[2:]}
            running.control("DELETE", "faults")
            while not heard.issuperset(names):
                heard.add(json.loads(socket.recv(timeout=PATIENCE_S))["stream"])


def test_user_events_are_dropped_doubled_and_turned_around() -> None:
    """A stream that lies like this is what reconciling is for."""
    with RunningExchange() as running:
        key = running.sim.exchange.listen_keys.issue("binance-K")
        with connect(running.base.replace("http", "ws") + f"/private/ws?listenKey={key}") as socket:
            while not running.sim.exchange.telling.watched("binance-K"):
                time.sleep(0.005)
            running.control("POST", "faults", kind="drop", stream=True, event="TRADE_LITE")
            running.control("POST", "faults", kind="duplicate", stream=True, event="ACCOUNT_UPDATE")
            running.control("POST", "faults", kind="reorder", stream=True, event="ORDER_TRADE_UPDATE")
            body = _signed_at(running, _ORDER)
            _post_order(running, body)
            heard = [json.loads(socket.recv(timeout=PATIENCE_S)) for _ in range(4)]
            names = [f"{each['e']} {each['o']['x']}" if "o" in each else each["e"] for each in heard]
            assert names == ["ACCOUNT_UPDATE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE TRADE", "ORDER_TRADE_UPDATE NEW"]
            running.control("POST", "faults", kind="delay", stream=True, event="ACCOUNT_UPDATE", value=200)
            body = _signed_at(running, _ORDER)
            _post_order(running, body)
            heard = [json.loads(socket.recv(timeout=PATIENCE_S))["e"] for _ in range(4)]
            assert heard == ["ORDER_TRADE_UPDATE", "TRADE_LITE", "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"]
            running.control("POST", "streams", do="expire")
            assert json.loads(socket.recv(timeout=PATIENCE_S))["e"] == "listenKeyExpired"
            key = running.sim.exchange.listen_keys.issue("binance-K")
            socket.send(json.dumps({"method": "SUBSCRIBE", "params": [key]}))
            assert json.loads(socket.recv(timeout=PATIENCE_S)) == {"result": None, "id": None}
            assert running.control("POST", "streams", do="drop", account="binance-K") == {"dropped": 1}
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=PATIENCE_S)


def test_limits_are_counted_always_and_enforced_when_asked() -> None:
    """429 with Retry-After first, 418 for those who do not listen."""
    desk = Desk(enforce_limits=True)
    replies = [desk.reply("GET", "positionSide/dual") for _ in range(100)]
    assert [each.status for each in replies[:80]] == [200] * 80
    assert dict(replies[0].headers)["X-MBX-USED-WEIGHT-1M"] == "30"
    assert {each.status for each in replies[80:]} == {429, 418}
    assert all(int(dict(each.headers)["Retry-After"]) > 0 for each in replies[80:])


def test_limits_may_be_raised_and_are_told_as_they_are() -> None:
    """Exchanges grant more to who trades much; a client that reads them may use them."""
    desk = Desk(enforce_limits=True, raised_limits=3)
    limits = desk.ask("GET", "exchangeInfo")["rateLimits"]
    assert [each["limit"] for each in limits] == [7_200, 3_600, 900]
    assert [each["limit"] for each in desk.ask("GET", "rateLimit/order")] == [3_600, 900]
    replies = [desk.reply("GET", "positionSide/dual") for _ in range(245)]
    assert {each.status for each in replies[:230]} == {200}
    assert replies[-1].status == 429


def test_every_fault_is_described() -> None:
    """The page of faults is the docstring; a fault that is not there is not found."""
    from pilothouse.simexchange import faults  # noqa: PLC0415  (its text is what is read)

    assert all(kind in str(faults.__doc__) for kind in KINDS)


def test_control_needs_its_token() -> None:
    """Whoever trades here does not set prices here."""
    with RunningExchange() as running:
        assert httpx.get(f"{running.base}/control/truth", verify=NO_TLS, timeout=PATIENCE_S).status_code == 401
        assert running.control("POST", "settings", skewMs=2_000, insurance=5) == {"done": True}
        clock = running.sim.exchange.clock
        before = clock.now() // 1_000
        skewed = httpx.get(f"{running.base}/fapi/v1/time", verify=NO_TLS, timeout=PATIENCE_S).json()["serverTime"]
        assert before <= skewed - 2_000 <= clock.now() // 1_000


def test_faults_come_from_a_file(tmp_path: Path) -> None:
    """A rehearsal is written down."""
    path = tmp_path / "faults.json"
    path.write_bytes(msgspec.json.encode([{"kind": "unknown", "path": "order"}]))
    desk = Desk(faults=path)
    assert desk.reply("POST", "order", **_ORDER).status == 503
