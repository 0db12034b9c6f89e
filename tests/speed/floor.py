"""The least that an alert could cost on this machine: one durable commit and one request to somebody else.

    python -m tests.speed.floor          answers any POST with 200; writes its port to standard output first

Both are measured in the same run as the house, on the same disk, and everything slow is told as a multiple of it.
"""

import asyncio
import json
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 100
PACE_S = 0.05
"""As far apart as the alerts that are measured next to it: after a pause, every machine is slower."""

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
_BODY = b'{"symbol":"BTCUSDT","side":"BUY","type":"MARKET","quantity":"0.001"}'
_REQUEST = b"POST /order HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)


def yardstick() -> tuple[float, float]:
    """Return how long a fixed piece of Python takes, in ms, and the share of a processor that it got meanwhile.

    Figures of two runs can be compared only where these agree: a machine that others use is slower, also per alert.
    """
    begun, begun_cpu = time.perf_counter(), time.process_time()
    for number in range(40_000):
        json.loads(json.dumps({"number": number, "text": "BTCUSDT"}))
    taken, cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
    return cpu * 1_000, cpu / taken * 100


def measure(folder: Path, pause_s: float) -> list[float]:
    """Return, for each round, the milliseconds of one SQLite commit in `folder` and one POST over loopback.

    pause_s   between rounds: 0 for one after the other, PACE_S for the pace of the alerts
    """
    server = subprocess.Popen([sys.executable, "-m", "tests.speed.floor"], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None, "it was asked for"
        port = int(server.stdout.readline())
        return _rounds(folder / f"floor-{pause_s}.db", port, pause_s)
    finally:
        server.kill()
        server.wait()


def _rounds(file: Path, port: int, pause_s: float) -> list[float]:
    taken = []
    database = sqlite3.connect(file, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL").close()
    database.execute("PRAGMA synchronous = FULL").close()
    database.execute("CREATE TABLE intents (id INTEGER PRIMARY KEY, body TEXT NOT NULL)")
    with socket.create_connection(("127.0.0.1", port)) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            database.execute("BEGIN IMMEDIATE")
            database.execute("INSERT INTO intents (body) VALUES (?)", (_BODY.decode(),))
            database.execute("COMMIT")
            wire.sendall(_REQUEST)
            assert wire.recv(1024) == _ANSWER, "the server says one thing"
            taken.append((time.perf_counter() - begun) * 1_000)
            time.sleep(pause_s)
    database.close()
    return taken


class _Trivial(asyncio.Protocol):
    """Answers whatever comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "TCP connections write and read"
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(_ANSWER)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Trivial, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
