"""How many orders the simulated exchange takes: `python -m tests.speed.simexchange_orders`.

The exchange runs in a process of its own and is asked over kept-alive connections, each request signed as Binance
clients sign. The figure that does not depend on who else uses the machine is its CPU time per order.
"""

import hashlib
import hmac
import os
import selectors
import socket
import subprocess
import sys
import time
from pathlib import Path

ORDERS, CONNECTIONS = 15_000, 16
_HEAD = "POST /fapi/v1/order HTTP/1.1\r\nHost: sim\r\nX-MBX-APIKEY: sim-key\r\nContent-Length: {}\r\n\r\n{}"


def request(number: int) -> bytes:
    """Return a signed market order as bytes on the wire."""
    side = "BUY" if number % 2 else "SELL"
    text = (
        f"symbol=BTCUSDT&side={side}&type=MARKET&quantity=0.001&newClientOrderId=b{number}&newOrderRespType=RESULT"
        f"&timestamp={time.time_ns() // 1_000_000}&recvWindow=10000"
    )
    text += f"&signature={hmac.new(b'sim-secret', text.encode(), hashlib.sha256).hexdigest()}"
    return _HEAD.format(len(text), text).encode()


def cpu_seconds(pid: int) -> float:
    """Return the CPU time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask(port: int, orders: int) -> int:
    """Send orders over all connections, one at a time on each; return how many were taken."""
    waiting, sent, done, taken = selectors.DefaultSelector(), 0, 0, 0
    for _ in range(CONNECTIONS):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        waiting.register(connection, selectors.EVENT_READ, connection)
        connection.sendall(request(sent))
        sent += 1
    while done < orders:
        for key, _ in waiting.select():
            taken += key.data.recv(65_536).startswith(b"HTTP/1.1 200")
            done += 1
            key.data.sendall(request(sent))
            sent += 1
    return taken


def main() -> None:
    """Measure and print."""
    command = [sys.executable, "-m", "pilothouse.cli.main", "simexchange", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as run:
        assert run.stdout is not None
        port = int(run.stdout.readline().split("http://127.0.0.1:")[1].split()[0])
        ask(port, 2_000)
        before, began = cpu_seconds(run.pid), time.perf_counter()
        taken = ask(port, ORDERS)
        used, span = cpu_seconds(run.pid) - before, time.perf_counter() - began
        run.terminate()
    print(f"simexchange: {taken} of {ORDERS} orders taken, {taken / span:,.0f}/s on a clock others share")
    print(f"simexchange: {used / ORDERS * 1e6:.0f} µs of CPU an order, that is {ORDERS / used:,.0f}/s on one core")


if __name__ == "__main__":
    main()
