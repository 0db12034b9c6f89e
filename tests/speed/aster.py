"""What the adapter for AsterDEX costs by itself: signatures, an order, and a fill from the stream to whoever listens.

    python -m tests.speed.aster          measures alone; `make bench` does it too
    python -m tests.speed.aster serve    answers every order; writes its port to standard output first

The other side is a process that answers without thinking, so that what is measured is ours.
"""

import json
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderTerms, OrderType
from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.sealed import Secret
from pilothouse.kit.throttle import OwnBooks, Throttle
from pilothouse.venues.aster.accounts import Accounts
from pilothouse.venues.aster.adapter import AsterVenue
from pilothouse.venues.aster.endpoint import MAINNET
from pilothouse.venues.aster.rest import Tools
from pilothouse.venues.aster.rules import Limits
from pilothouse.venues.aster.sign import AsterKeys, Signer
from pilothouse.venues.port import AccountEvent, OrderRequest, VenueAccount
from tests.slices.venues.aster.recorder import StreamRecorder

KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
ACCOUNT = VenueAccount("acc_bench", "usr_bench")
MESSAGE = b"nonce=1760000000000000&user=0x" + b"0" * 40 + b"&signer=0x" + b"0" * 40 + b"&symbol=BTCUSDT" + b"x" * 100
ORDERS = 1_000
SIGNATURES = 3_000
FILLS = 300

Add = Callable[[str, float, str, str], None]


def measure(add: Add) -> None:
    """Measure everything and hand each figure to `add`: name, figure, unit, aim."""
    signer = Signer(Secret(KEY))
    began = time.process_time()
    for _ in range(SIGNATURES):
        signer.sign(MESSAGE)
    each = (time.process_time() - began) / SIGNATURES
    add("aster: a signature, processor", each * 1_000_000, "µs", "aim < 100")
    add("aster: signatures a second on one core", 1 / each, "/s", "")
    server = subprocess.Popen([sys.executable, "-m", "tests.speed.aster", "serve"], stdout=subprocess.PIPE)
    streams = StreamRecorder()
    try:
        assert server.stdout is not None, "it was asked for"
        with tempfile.TemporaryDirectory() as folder:
            venue = _venue(f"http://127.0.0.1:{int(server.stdout.readline())}", streams.url, Path(folder))
            _orders(venue, add)
            _fills(venue, streams, add)
            venue.close()
    finally:
        streams.close()
        server.kill()
        server.wait()


def _venue(rest_url: str, stream_url: str, folder: Path) -> AsterVenue:
    clock = SystemClock()
    keys = AsterKeys(ADDRESS, ADDRESS, Secret(KEY))
    venue = AsterVenue(
        replace(MAINNET, rest_url=rest_url, stream_url=stream_url),
        Accounts(keys_of=lambda _: keys, all=lambda: [ACCOUNT]),
        Tools(clock, Throttle(OwnBooks(), clock), folder),
    )
    venue.warm()
    venue._rest.limit(Limits(10**9, 10**9))
    return venue


def _order() -> OrderRequest:
    terms = OrderTerms("BTCUSDT", Side.BUY, OrderType.LIMIT, Decimal("0.01"), price=Decimal(50_000))
    return OrderRequest("ph0001", terms, datetime.now(UTC))


def _orders(venue: AsterVenue, add: Add) -> None:
    for _ in range(100):
        venue.place(ACCOUNT, [_order()])
    cpu, began = time.process_time(), time.perf_counter()
    for _ in range(ORDERS):
        venue.place(ACCOUNT, [_order()])
    add("aster: an order, processor", (time.process_time() - cpu) / ORDERS * 1_000, "ms", "aim < 1")
    add("aster: an order and its answer over loopback", (time.perf_counter() - began) / ORDERS * 1_000, "ms", "")


def _fills(venue: AsterVenue, streams: StreamRecorder, add: Add) -> None:
    told, taken = threading.Event(), []

    def sink(event: AccountEvent) -> None:
        if event.report is not None:
            taken.append(time.perf_counter())
            told.set()

    venue.listen(ACCOUNT, sink)
    _, connection = streams.next()
    spans = []
    for number in range(1, FILLS + 1):
        order = {
            "s": "BTCUSDT", "c": "ph0001", "S": "BUY", "o": "LIMIT", "ot": "LIMIT", "f": "GTC", "q": "1000", "p": "5",
            "x": "TRADE", "X": "PARTIALLY_FILLED", "i": 1, "l": "1", "z": str(number), "L": "5", "N": "USDT", "n": "0",
            "T": 1_760_000_000_000, "t": number, "rp": "0",
        }  # fmt: skip
        told.clear()
        sent = time.perf_counter()
        connection.send(json.dumps({"e": "ORDER_TRADE_UPDATE", "E": 1, "T": 1, "o": order}))
        told.wait(10)
        spans.append((taken[-1] - sent) * 1_000)
    add("aster: a fill on the stream, to whoever listens, p50", statistics.median(spans[20:]), "ms", "")
    add(
        "aster: a fill on the stream, to whoever listens, p99",
        sorted(spans[20:])[int(len(spans[20:]) * 0.99)],
        "ms",
        "",
    )


# ── The other side ────────────────────────────────────────────────────────────────────────────────


def serve() -> None:
    """Answer without thinking, until killed."""
    server = socket.create_server(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)
    while True:
        connection, _ = server.accept()
        threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    came = b""
    while True:
        head, end, body = came.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        size = int(length[1]) if length else 0
        if not end or len(body) < size:
            piece = connection.recv(65_536)
            if not piece:
                return
            came += piece
            continue
        came = body[size:]
        answer = json.dumps(_said(head)).encode()
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nX-MBX-USED-WEIGHT-1M: 1\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer)
        )


def _said(head: bytes) -> object:
    if head.startswith((b"GET /fapi/v3/time", b"GET /fapi/v1/time")):
        return {"serverTime": int(datetime.now(UTC).timestamp() * 1_000)}
    if head.startswith(b"GET /fapi/v3/exchangeInfo"):
        return {"symbols": []}
    if head.startswith(b"POST /fapi/v3/listenKey"):
        return {"listenKey": "bench"}
    if head.startswith(b"GET") and not head.startswith(b"GET /fapi/v3/order?"):
        return []
    return {
        "orderId": 405, "symbol": "BTCUSDT", "status": "NEW", "clientOrderId": "ph0001", "price": "50000.0",
        "origQty": "0.010", "executedQty": "0", "timeInForce": "GTC", "type": "LIMIT", "origType": "LIMIT",
        "reduceOnly": False, "closePosition": False, "side": "BUY", "stopPrice": "0", "updateTime": 1_760_000_000_000,
    }  # fmt: skip


def _show(name: str, figure: float, unit: str, aim: str) -> None:
    print(f"  {name:<58} {figure:>10,.2f} {unit:<10} {aim}", flush=True)


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["serve"] else measure(_show)
