"""Every way in which clients subscribe is understood, on every path that the venues have."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.plain_http import NO_TLS
from tests.slices.simexchange.raw_asking import Desk
from tests.slices.simexchange.sim_house import PATIENCE_S, WINDOW_MS, RunningExchange


@pytest.fixture(scope="module")
def running() -> Iterator[RunningExchange]:
    """Yield an exchange whose time runs."""
    with RunningExchange() as exchange:
        yield exchange


@pytest.mark.parametrize(
    ("path", "combined"),
    [
        ("/ws/btcusdt@aggTrade", False),
        ("/stream?streams=btcusdt@aggTrade/ethusdt@trade", True),
        ("/market/ws/btcusdt@aggTrade", False),
        ("/market/stream?streams=btcusdt@aggTrade", True),
        ("/fstream/stream?streams=btcusdt@aggTrade", True),
        ("/public/ws/btcusdt@bookTicker", False),
    ],
)
def test_a_stream_may_be_named_in_the_address(running: RunningExchange, path: str, combined: bool) -> None:  # noqa: FBT001  (a parameter of the test)
    """Bare on /ws, wrapped with its name on /stream."""
    with connect(running.base.replace("http", "ws") + path) as socket:
        told = json.loads(socket.recv(timeout=PATIENCE_S))
        assert ("stream" in told) == combined
        assert (told["data"] if combined else told)["e"] in {"aggTrade", "trade", "bookTicker"}


@pytest.mark.parametrize("number", [None, 7, "3f0a-uuid"])
@pytest.mark.parametrize("path", ["/ws", "/private/stream", "/fstream/stream"])
def test_a_user_stream_may_be_subscribed_to_by_its_key(running: RunningExchange, path: str, number: object) -> None:
    """Without an id, with a number, with a text; the answer carries the same."""
    key = running.sim.exchange.listen_keys.issue("binance-K")
    with connect(running.base.replace("http", "ws") + path) as socket:
        asked = {"method": "SUBSCRIBE", "params": [key], **({} if number is None else {"id": number})}
        socket.send(json.dumps(asked))
        assert json.loads(socket.recv(timeout=PATIENCE_S)) == {"result": None, "id": number}
        desk = Desk.__new__(Desk)
        desk.exchange = running.sim.exchange
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001", "recvWindow": WINDOW_MS}
        httpx.post(
            f"{running.base}/fapi/v1/order",
            headers={"X-MBX-APIKEY": "K"},
            content=desk.signed(order),
            verify=NO_TLS,
            timeout=PATIENCE_S,
        ).raise_for_status()
        told = json.loads(socket.recv(timeout=PATIENCE_S))
        assert (told["data"] if path.endswith("stream") else told)["e"] == "ORDER_TRADE_UPDATE"


def test_changes_of_the_book_follow_on_each_other(running: RunningExchange) -> None:
    """A client that starts from REST and applies what follows has the book; a gap would show."""
    with connect(running.base.replace("http", "ws") + "/public/ws/btcusdt@depth@100ms") as socket:
        address = f"{running.base}/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
        book = httpx.get(address, verify=NO_TLS, timeout=PATIENCE_S).json()
        last, behind = None, 0
        while behind < 5:  # what came before the book was asked for waits in the socket, and is in the book
            told = json.loads(socket.recv(timeout=PATIENCE_S))
            assert last is None or told["pu"] == last
            assert told["U"] <= told["u"]
            last = told["u"]
            behind += last > book["lastUpdateId"]


@pytest.mark.parametrize(
    ("route", "heard", "silent"),
    [("public", "btcusdt@bookTicker", "btcusdt@aggTrade"), ("market", "btcusdt@aggTrade", "btcusdt@depth@100ms")],
)
def test_what_an_address_does_not_carry_stays_silent(
    running: RunningExchange, route: str, heard: str, silent: str
) -> None:
    """The subscription is taken, and nothing ever comes: a client that goes the old way must notice by itself."""
    with connect(running.base.replace("http", "ws") + f"/{route}/stream") as socket:
        socket.send(json.dumps({"method": "SUBSCRIBE", "params": [silent, heard], "id": 1}))
        assert json.loads(socket.recv(timeout=PATIENCE_S)) == {"result": None, "id": 1}
        told = {json.loads(socket.recv(timeout=PATIENCE_S))["stream"] for _ in range(6)}
        assert told == {heard}
        socket.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 2}))
        listed = next(
            each for each in (json.loads(socket.recv(timeout=PATIENCE_S)) for _ in range(50)) if "result" in each
        )
        assert set(listed["result"]) == {heard, silent}


def _call(socket: Any, desk: Desk, method: str, **params: Any) -> Any:
    """Call a method over a socket, signed as such calls are: by the names in their order."""
    params |= {"apiKey": "K", "timestamp": desk.exchange.clock.now() // 1_000, "recvWindow": WINDOW_MS}
    text = "&".join(f"{name}={params[name]}" for name in sorted(params))
    params["signature"] = hmac.new(b"S", text.encode(), hashlib.sha256).hexdigest()
    socket.send(json.dumps({"id": "x", "method": method, "params": params}))
    told = (json.loads(socket.recv(timeout=PATIENCE_S)) for _ in range(50))
    return next(each for each in told if each.get("id") == "x")


def test_orders_and_accounts_may_be_asked_for_by_socket(running: RunningExchange) -> None:
    """The same doors as over HTTP, with the weight that was used."""
    desk = Desk.__new__(Desk)
    desk.exchange = running.sim.exchange
    with connect(running.base.replace("http", "ws") + "/ws-fapi/v1") as socket:
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "62000"}
        placed = _call(socket, desk, "order.place", **order, quantity="0.010")
        assert (placed["status"], placed["result"]["status"]) == (200, "NEW")
        assert placed["rateLimits"][0]["rateLimitType"] == "REQUEST_WEIGHT"
        named = {"symbol": "BTCUSDT", "orderId": placed["result"]["orderId"]}
        amended = _call(socket, desk, "order.modify", **named, side="BUY", quantity="0.020", price="62100")
        assert amended["result"]["origQty"] == "0.020"
        assert _call(socket, desk, "order.status", **named)["result"]["price"] == "62100.0"
        assert _call(socket, desk, "order.cancel", **named)["result"]["status"] == "CANCELED"
        assert _call(socket, desk, "order.cancel", **named)["error"]["code"] == -2011
        assert "assets" in _call(socket, desk, "v2/account.status")["result"]
        assert _call(socket, desk, "v2/account.balance")["result"][0]["asset"] == "USDT"
        assert _call(socket, desk, "session.logon")["error"]["code"] == -4056
        assert _call(socket, desk, "no.such")["status"] == 400


def test_the_socket_of_spot_knows_its_own_methods(running: RunningExchange) -> None:
    """Lists, windows and amendments by socket; what is about futures alone is not there."""
    desk = Desk.__new__(Desk)
    desk.exchange = running.sim.exchange
    with connect(running.base.replace("http", "ws") + "/ws-api/v3") as socket:
        assert _call(socket, desk, "session.subscriptions")["result"] == []
        assert _call(socket, desk, "userDataStream.subscribe.signature")["status"] == 200
        assert _call(socket, desk, "session.subscriptions")["result"] == [{"subscriptionId": 0}]
        legs = {"aboveType": "STOP_LOSS", "aboveStopPrice": "90000", "belowType": "LIMIT_MAKER", "belowPrice": "60000"}
        made = _call(socket, desk, "orderList.place.oco", symbol="BTCUSDT", side="BUY", quantity="0.010", **legs)
        assert made["result"]["contingencyType"] == "OCO"
        number = made["result"]["orderListId"]
        assert _call(socket, desk, "orderList.cancel", symbol="BTCUSDT", orderListId=number)["status"] == 200
        assert _call(socket, desk, "ticker", symbol="BTCUSDT", windowSize="1h")["result"]["symbol"] == "BTCUSDT"
        assert _call(socket, desk, "algoOrder.place")["status"] == 400


def test_a_base_address_may_end_with_a_slash(running: RunningExchange) -> None:
    """Clients put a path behind what they were given; the venue's own doors do not mind two slashes."""
    assert httpx.get(f"{running.base}//fapi/v1/ping", verify=NO_TLS, timeout=PATIENCE_S).json() == {}
    with connect(running.base.replace("http", "ws") + "//market//ws/btcusdt@aggTrade") as socket:
        assert json.loads(socket.recv(timeout=PATIENCE_S))["e"] == "aggTrade"


def test_who_says_too_much_is_cut_off_where_limits_are_enforced(running: RunningExchange) -> None:
    """Ten frames a second are borne, as at the venue; a load test is not disturbed by it."""
    ask = json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 1})
    with connect(running.base.replace("http", "ws") + "/market/ws") as socket:
        for _ in range(40):
            socket.send(ask)
            socket.recv(timeout=PATIENCE_S)
        running.sim.front.limits.enforced = True
        try:
            with pytest.raises(ConnectionClosed):
                _ask_until_cut(socket, ask)
        finally:
            running.sim.front.limits.enforced = False


def _ask_until_cut(socket: Any, ask: str) -> None:
    for _ in range(2_000):  # none of them waits for an answer: they come much quicker than ten a second
        socket.send(ask)
    while True:
        socket.recv(timeout=PATIENCE_S)
