"""How many orders the simulated exchange takes, next to a server that answers without looking.

    python -m tests.speed.simexchange_orders     measures alone; `make bench` does it too

Each runs in a process of its own and is asked over the same kept-alive connections, each request signed as Binance
clients sign. The figure that does not depend on who else uses the machine is the CPU time per order.
"""

import hashlib
import hmac
import os
import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ORDERS, CONNECTIONS, WARM_UP = 12_000, 16, 2_000
_HEAD = "POST /fapi/v1/order HTTP/1.1\r\nHost: sim\r\nX-MBX-APIKEY: sim-key\r\nContent-Length: {}\r\n\r\n{}"
_EXCHANGE = [sys.executable, "-m", "pilothouse.cli.main", "simexchange", "--port", "0"]
_FLOOR = [sys.executable, "-m", "tests.speed.floor"]

Add = Callable[[str, float, str, str], None]


def measure(add: Add) -> None:
    """Measure both and hand each figure to `add`: name, figure, unit, aim."""
    _, floor_cpu_s, floor_span_s = _asked(_FLOOR)
    taken, cpu_s, span_s = _asked(_EXCHANGE)
    add("simexchange: orders taken a second, on one core", ORDERS / cpu_s, "orders/s", "aim 3,000")
    add("simexchange: orders taken a second, by the clock", taken / span_s, "orders/s", "")
    add("simexchange: processor for each order", cpu_s / ORDERS * 1_000_000, "µs", "")
    add("  as a multiple of answering without looking", cpu_s / floor_cpu_s, "x", "")
    add("simexchange: orders refused", float(ORDERS - taken), "orders", "none")
    add("floor: answers a second, by the clock", ORDERS / floor_span_s, "/s", "")


def _asked(command: list[str]) -> tuple[int, float, float]:
    """Run a server and ask it; return how many orders it took, its CPU seconds for them, and how long it was."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as server:
        try:
            assert server.stdout is not None, "it was asked for"
            port = int(re.findall(r"[0-9]{4,5}", server.stdout.readline())[0])
            _ask(port, WARM_UP)
            before, began = _cpu_seconds(server.pid), time.perf_counter()
            taken = _ask(port, ORDERS)
            return taken, _cpu_seconds(server.pid) - before, time.perf_counter() - began
        finally:
            server.terminate()


def _request(number: int) -> bytes:
    """Return a signed market order as bytes on the wire."""
    side = "BUY" if number % 2 else "SELL"
    text = (
        f"symbol=BTCUSDT&side={side}&type=MARKET&quantity=0.001&newClientOrderId=b{number}&newOrderRespType=RESULT"
        f"&timestamp={time.time_ns() // 1_000_000}&recvWindow=10000"
    )
    text += f"&signature={hmac.new(b'sim-secret', text.encode(), hashlib.sha256).hexdigest()}"
    return _HEAD.format(len(text), text).encode()


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ask(port: int, orders: int) -> int:
    """Send orders over all connections, one at a time on each; return how many were taken."""
    taken = done = sent = 0
    with selectors.DefaultSelector() as waiting:
        for _ in range(CONNECTIONS):
            connection = socket.create_connection(("127.0.0.1", port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            waiting.register(connection, selectors.EVENT_READ, connection)
            connection.sendall(_request(sent))
            sent += 1
        while done < orders:
            for key, _ in waiting.select():
                taken += key.data.recv(65_536).startswith(b"HTTP/1.1 200") and done < orders
                done += 1
                if sent < orders:
                    key.data.sendall(_request(sent))
                    sent += 1
        for key in list(waiting.get_map().values()):
            key.data.close()
    return taken


def _show(name: str, figure: float, unit: str, aim: str) -> None:
    print(f"  {name:<58} {figure:>10,.2f} {unit:<10} {aim}", flush=True)


if __name__ == "__main__":
    measure(_show)
