"""Sends alerts as fast, or as evenly, as it was told: a plan on standard input, what happened on standard output.

    python -m tests.speed.load < plan.json

A process of its own, so that what it costs is not counted as the house's; plain sockets, because an HTTP client would
cost more than what is measured. Bounded: a plan says how many alerts and how many seconds at most, and it only ever
speaks to 127.0.0.1.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import cast

import uvloop

ALERTS_MAX = 50_000
SECONDS_MAX = 60.0
_PATIENCE_S = 20.0


@dataclass(frozen=True)
class Plan:
    """What is to be sent.

    name         begins every alert id, so that runs do not repeat each other's alerts
    per_second   alerts a second, evenly; None: each connection sends the next one as soon as it has its answer
    """

    name: str
    port: int
    path: str
    connections: int
    alerts: int
    seconds: float
    per_second: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is not bounded."""
        assert 0 < self.alerts <= ALERTS_MAX, "a plan has a bounded number of alerts"
        assert 0 < self.seconds <= SECONDS_MAX, "a plan has a bounded time"


@dataclass
class Report:
    """What happened: for each alert its number, when its last byte was handed over and its answer was there, status.

    Instants are microseconds of the machine's clock, the same as the house's. cpu_s is what sending cost.
    """

    sent: list[tuple[int, int, int, int]] = field(default_factory=list)
    unanswered: int = 0
    cpu_s: float = 0.0


def body_of(name: str, number: int) -> bytes:
    """Return an alert unlike any other; sides alternate, so that no position and no margin grows."""
    side = "BUY" if number % 2 else "SELL"
    return (
        f'{{"action":"open","symbol":"BTCUSDT","side":"{side}","quantity":"0.001","alert_id":"{name}-{number}"}}'
    ).encode()


class _Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self, sender: "_Sender") -> None:
        self._sender = sender
        self._received = b""
        self._number = -1
        self._sent_at = 0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # the quick loop's is one without being derived from it

    def send(self, number: int, due_at: int | None = None) -> None:
        """Send one alert; `due_at` is when it should have been sent, if that was earlier."""
        assert self.transport is not None, "connections are open before anything is sent"
        body = body_of(self._sender.plan.name, number)
        self._number = number
        head = f"POST {self._sender.plan.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        self._sent_at = due_at or micros_now()
        self.transport.write(head.encode("ascii") + body)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(rest) < length:
            return
        self._received = b""
        number, self._number = self._number, -1
        self._sender.answered(self, number, self._sent_at, int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._number >= 0:
            self._sender.lost()


class _Sender:
    """All connections of one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.report = Report()
        self._connections: list[_Connection] = []
        self._free: deque[_Connection] = deque()
        self._next = 0
        self._under_way = 0
        self._ends = 0.0
        self._late: deque[tuple[int, int]] = deque()  # (number, due), for want of a free connection
        self._all_in = asyncio.Event()

    async def run(self) -> Report:
        loop = asyncio.get_running_loop()
        for _ in range(self.plan.connections):
            _, connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self.plan.port)
            self._connections.append(connection)
        begun_cpu = time.process_time()
        self._ends = loop.time() + self.plan.seconds
        if self.plan.per_second is None:
            for connection in self._connections:
                self._send_next(connection)
        else:
            self._free.extend(self._connections)
            await self._send_evenly(self.plan.per_second)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_in.wait(), max(0.0, self._ends - loop.time()) + _PATIENCE_S)
        self.report.unanswered += self._under_way + len(self._late)
        self.report.cpu_s = time.process_time() - begun_cpu
        for connection in self._connections:
            if connection.transport is not None:
                connection.transport.abort()
        return self.report

    async def _send_evenly(self, per_second: int) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while self._next < self.plan.alerts and loop.time() < self._ends:
            due = begun + self._next / per_second
            ahead = due - loop.time()
            if ahead > 0:
                await asyncio.sleep(ahead)
            number, self._next = self._next, self._next + 1
            self._under_way += 1
            if self._free:
                self._free.popleft().send(number)
            else:
                self._under_way -= 1
                self._late.append((number, micros_now()))
        self._finish_if_done()

    def _send_next(self, connection: _Connection) -> None:
        loop = asyncio.get_running_loop()
        if self._next < self.plan.alerts and loop.time() < self._ends:
            number, self._next = self._next, self._next + 1
            self._under_way += 1
            connection.send(number)

    def answered(self, connection: _Connection, number: int, sent_at: int, status: int) -> None:
        self.report.sent.append((number, sent_at, micros_now(), status))
        self._under_way -= 1
        if self.plan.per_second is None:
            self._send_next(connection)
        elif self._late:
            self._under_way += 1
            connection.send(*self._late.popleft())
        else:
            self._free.append(connection)
        self._finish_if_done()

    def lost(self) -> None:
        self.report.unanswered += 1
        self._under_way -= 1
        self._finish_if_done()

    def _finish_if_done(self) -> None:
        over = self._next >= self.plan.alerts or asyncio.get_running_loop().time() >= self._ends
        if over and self._under_way == 0 and not self._late:
            self._all_in.set()


def micros_now() -> int:
    """Return the machine's clock in microseconds."""
    return time.time_ns() // 1_000


if __name__ == "__main__":
    json.dump(asdict(uvloop.run(_Sender(Plan(**json.load(sys.stdin))).run())), sys.stdout)
