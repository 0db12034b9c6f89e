"""Every way in which clients subscribe is understood, on every path that the venues have."""

import json
from collections.abc import Iterator

import httpx
import pytest
from websockets.sync.client import connect

from tests.slices.simexchange.raw_asking import Desk
from tests.slices.simexchange.sim_house import RunningExchange


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
        told = json.loads(socket.recv(timeout=10))
        assert ("stream" in told) == combined
        assert (told["data"] if combined else told)["e"] in {"aggTrade", "trade", "bookTicker"}


@pytest.mark.parametrize("number", [None, 7, "3f0a-uuid"])
@pytest.mark.parametrize("path", ["/ws", "/private/stream", "/fstream/stream"])
def test_a_user_stream_may_be_subscribed_to_by_its_key(running: RunningExchange, path: str, number: object) -> None:
    """Without an id, with a number, with a text; the answer carries the same."""
    key = running.sim.exchange.listen_key("binance-K")
    with connect(running.base.replace("http", "ws") + path) as socket:
        asked = {"method": "SUBSCRIBE", "params": [key], **({} if number is None else {"id": number})}
        socket.send(json.dumps(asked))
        assert json.loads(socket.recv(timeout=10)) == {"result": None, "id": number}
        desk = Desk.__new__(Desk)
        desk.exchange = running.sim.exchange
        body = desk.signed({"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"})
        httpx.post(f"{running.base}/fapi/v1/order", headers={"X-MBX-APIKEY": "K"}, content=body).raise_for_status()
        told = json.loads(socket.recv(timeout=10))
        assert (told["data"] if path.endswith("stream") else told)["e"] == "ORDER_TRADE_UPDATE"


def test_changes_of_the_book_follow_on_each_other(running: RunningExchange) -> None:
    """A client that starts from REST and applies what follows has the book; a gap would show."""
    with connect(running.base.replace("http", "ws") + "/public/ws/btcusdt@depth@100ms") as socket:
        book = httpx.get(f"{running.base}/fapi/v1/depth?symbol=BTCUSDT&limit=1000").json()
        last = None
        for _ in range(5):
            told = json.loads(socket.recv(timeout=10))
            assert last is None or told["pu"] == last
            assert told["U"] <= told["u"]
            last = told["u"]
        assert last > book["lastUpdateId"]
