"""A real house for tests from outside: starts the installed `pilothouse up`, speaks to it over HTTP, ends it by its id.

Nothing of the product runs in the test's own process while a house is up. When it is down, `autopsy` opens what it
left behind and reads the books and the venue's journal side by side.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import httpx

from tests.plain_http import NO_TLS
from tests.ports import free_port

PROGRAM = Path(sys.executable).parent / "pilothouse"
DYING_UP = Path(__file__).parent / "journeys" / "dying_up.py"

READY_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 60.0
ANSWER_SECONDS_MAX = 60.0
SETTLED_SECONDS_MAX = 120.0

ORDER = "/webhook/tradingview"
STRATEGY = "/webhook/tradingview-strategy"

_PAGE = 200


class NotUp(RuntimeError):
    """The house ended, or did not become ready; the message carries what it said."""


@dataclass
class HouseProcess:
    """One house on one data directory; it may live several lives.

    place     a folder of its own: `data` is below it, and what each life wrote to stdout and stderr
    settings  further PILOTHOUSE_ variables, without the prefix
    variables further variables, under their full names
    program   what is run; the installed command unless told otherwise
    """

    place: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = (str(PROGRAM), "up")
    port: int = field(default_factory=free_port)
    lives: int = 0
    ready_after_s: float = 0.0
    _process: "subprocess.Popen[bytes] | None" = None
    _client: httpx.Client | None = None
    _streams: "list[IO[bytes]]" = field(default_factory=list)

    @property
    def data(self) -> Path:
        """Return the data directory."""
        return self.place / "data"

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self.port}"

    # ── Life and death ────────────────────────────────────────────────────────────────────────────

    def environment(self) -> dict[str, str]:
        """Return the variables it is started with: ours, and nothing that the person who tests has set for theirs."""
        theirs = ("PILOTHOUSE_", "ASTERDEX_", "BINANCE_", "WEBHOOK_SECRET")
        plain = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
        ours = {"DATA": str(self.data), "PORT": str(self.port), "MARKET_SEED": "7", "WATCHER": "no", **self.settings}
        return plain | {f"PILOTHOUSE_{name}": value for name, value in ours.items()} | dict(self.variables)

    def begin(self) -> "subprocess.Popen[bytes]":
        """Start the process without waiting for anything."""
        assert self._process is None, "it lives already"
        self.place.mkdir(parents=True, exist_ok=True)
        self.lives += 1
        out, err = ((self.place / f"{name}-{self.lives}.txt").open("wb") for name in ("out", "err"))
        self._streams += [out, err]
        self._process = subprocess.Popen(
            self.program, env=self.environment(), cwd=self.place, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        return self._process

    def start(self) -> Self:
        """Start it and wait until it is ready. Raises NotUp with its own words."""
        self.begin()
        return self.until_ready()

    def until_ready(self) -> Self:
        """Wait until what has begun is ready. Raises NotUp with its own words."""
        begun, process = time.monotonic(), self._process
        assert process is not None, "it has not begun"
        while not self._is_ready():
            if process.poll() is not None or time.monotonic() - begun > READY_SECONDS_MAX:
                words = f"{self.said('err')}\n{self.said('out')}"[-3000:]
                self.kill()
                message = f"the house is not ready (exit code {process.poll()}): {words}"
                raise NotUp(message)
            time.sleep(0.03)
        self.ready_after_s = time.monotonic() - begun
        return self

    def _is_ready(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return self.client.get("/health/ready").status_code == 200
        return False

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end and return its exit code."""
        process = self._process
        assert process is not None, "it does not live"
        process.send_signal(with_signal)
        try:
            return self.ended()
        finally:
            self.kill()

    def ended(self, within_s: float = STOP_SECONDS_MAX) -> int:
        """Wait until it has ended by itself and return its exit code. Raises TimeoutExpired."""
        assert self._process is not None, "it does not live"
        code = self._process.wait(within_s)
        self._let_go()
        return code

    def kill(self) -> None:
        """End it as a power cut would; nothing is done when it is dead already."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._let_go()

    def restart(self) -> Self:
        """Kill it and start it again."""
        self.kill()
        return self.start()

    def _let_go(self) -> None:
        self._process = None
        if self._client is not None:
            self._client.close()
            self._client = None
        for stream in self._streams:
            stream.close()
        self._streams.clear()

    @property
    def pid(self) -> int:
        """Return the id of its process."""
        assert self._process is not None, "it does not live"
        return self._process.pid

    def lives_on(self) -> bool:
        """Say whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    def said(self, stream: str = "out") -> str:
        """Return what its latest life wrote to "out" or "err"."""
        return (self.place / f"{stream}-{self.lives}.txt").read_text("utf-8", "replace")

    # ── Speaking to it ────────────────────────────────────────────────────────────────────────────

    @property
    def client(self) -> httpx.Client:
        """Return an HTTP client of this house, without any credential."""
        if self._client is None:
            self._client = httpx.Client(base_url=self.url, timeout=ANSWER_SECONDS_MAX, trust_env=False, verify=NO_TLS)
        return self._client

    @property
    def facts(self) -> dict[str, str]:
        """Return what stands in first-steps.json."""
        known: dict[str, str] = json.loads((self.data / "first-steps.json").read_text("utf-8"))
        return known

    @property
    def secret(self) -> str:
        """Return the secret of the first hook."""
        return self.facts["webhook_secret"]

    @property
    def hook_path(self) -> str:
        """Return the address of the first hook, as a path."""
        return "/hooks/" + self.facts["hook_url"].rpartition("/")[2]

    @property
    def bearer(self) -> dict[str, str]:
        """Return the header with the operator token."""
        return {"Authorization": f"Bearer {self.facts['operator_token']}"}

    def ask(self, method: str, path: str, *, body: object = None, **query: object) -> httpx.Response:
        """Ask something with the operator token; None in `query` is left out."""
        asked: dict[str, Any] = {name: value for name, value in query.items() if value is not None}
        return self.client.request(method, path, json=body, params=asked, headers=self.bearer)

    def get(self, path: str, **query: object) -> Any:
        """Return what is answered to a question; anything but 200 fails the test."""
        answer = self.ask("GET", path, **query)
        assert answer.status_code == 200, f"GET {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def post(self, path: str, body: object = None, **query: object) -> Any:
        """Return what is answered to an order of the operator; anything but success fails the test."""
        answer = self.ask("POST", path, body=body, **query)
        assert answer.is_success, f"POST {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def pages(self, path: str, **query: object) -> list[dict[str, Any]]:
        """Return every item of a list, over as many pages as it takes."""
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = self.get(path, limit=_PAGE, cursor=cursor, **query)
            found += page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                return found

    def send(
        self,
        body: Mapping[str, Any] | bytes,
        path: str = ORDER,
        *,
        headers: Mapping[str, str] | None = None,
        wait_ms: object = None,
    ) -> httpx.Response:
        """Send an alert as it is; a body that is not bytes becomes JSON.

        On a machine that is busy with something else its turn may not come in time; it is sent again then, as every
        sender does: nothing of it was stored.
        """
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        asked: dict[str, Any] = {} if wait_ms is None else {"wait_ms": wait_ms}
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while True:
            answer = self.client.post(path, content=content, params=asked, headers=headers)
            is_busy = answer.status_code == 503 and answer.json().get("code") == "too_busy"
            if not is_busy or time.monotonic() > deadline:
                return answer

    def carried_out(
        self, body: Mapping[str, Any] | bytes, path: str = ORDER, *, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Send an alert and return the answer that tells what came of it, however long that takes.

        Where the first answer came too early to tell, it is that of a repetition, with what the first said of
        `duplicate`; so not for a hook that takes the same body for another alert.
        """
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        first = self.send(content, path, headers=headers, wait_ms=2500)
        told = first.json()
        if first.status_code != 200 or told["state"] != "pending":
            return first
        self.settle(told["signal_id"])
        again = self.send(content, path, headers=headers, wait_ms=2500)
        assert again.json()["signal_id"] == told["signal_id"], "it is the same alert"
        return httpx.Response(again.status_code, json={**again.json(), "duplicate": told["duplicate"]})

    def alert(self, path: str = ORDER, **fields: Any) -> dict[str, Any]:
        """Send an alert with the first hook's secret, wait for its outcome, and return the answer to it."""
        answer = self.carried_out({"webhook_secret": self.secret, "timenow": fresh(), **fields}, path)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    # ── Looking at it ─────────────────────────────────────────────────────────────────────────────

    def orders(self, **narrow: object) -> list[dict[str, Any]]:
        """Return the orders in the books, newest first."""
        return self.pages("/api/v1/orders", **narrow)

    def signal(self, signal_id: str) -> dict[str, Any]:
        """Return one stored alert with its orders."""
        told: dict[str, Any] = self.get(f"/api/v1/signals/{signal_id}")
        return told

    def signals(self, **narrow: object) -> list[dict[str, Any]]:
        """Return the stored alerts, newest first."""
        return self.pages("/api/v1/signals", **narrow)

    def position(self, symbol: str = "BTCUSDT") -> Decimal:
        """Return what is held, signed."""
        answer = self.ask("GET", f"/positions/{symbol}")
        if answer.status_code == 404:
            return Decimal(0)
        assert answer.status_code == 200, answer.text
        return Decimal(answer.json()["positionAmt"])

    def mark(self, symbol: str = "BTCUSDT") -> Decimal:
        """Return the mark price."""
        rows = self.get("/api/v1/quotes")["items"]
        return next(Decimal(row["mark"]) for row in rows if row["symbol"] == symbol)

    def wallet(self) -> Decimal:
        """Return the wallet balance, as the venue has it."""
        return Decimal(self.get("/account/balance")[0]["walletBalance"])

    def settle(self, signal_id: str, within_s: float = SETTLED_SECONDS_MAX) -> dict[str, Any]:
        """Wait until an alert and every order it made are at rest; returns the alert with its orders."""

        def rests() -> dict[str, Any] | None:
            told = self.signal(signal_id)
            return None if told["outcome"] == "pending" else told

        found: dict[str, Any] = eventually(rests, f"alert {signal_id} comes to rest", within_s)
        return found

    def flatten(self) -> None:
        """Cancel every order and close every position, and wait until nothing is left."""
        self.post("/api/v1/positions/close-all", {})
        self.post("/api/v1/orders/cancel-all", {})
        eventually(lambda: not self.get("/positions") and not self.get("/orders/open"), "nothing is left")

    @contextlib.contextmanager
    def autopsy(self) -> "Iterator[Autopsy]":
        """Open what a house that has ended left behind."""
        assert self._process is None, "only the dead are opened"
        from pilothouse.kit.settings import Settings  # noqa: PLC0415 - a test that only speaks HTTP needs no product
        from pilothouse.wiring.build import build  # noqa: PLC0415 - as above

        house = build(Settings.from_environment({"PILOTHOUSE_DATA": str(self.data)}))
        try:
            yield Autopsy(house, self.facts["account"])
        finally:
            house.close()


class Autopsy:
    """The books and the venue's journal of a house that has ended."""

    def __init__(self, house: Any, account_id: str) -> None:
        """Read one account of an open house that does not run."""
        from pilothouse.venues.port import VenueAccount  # noqa: PLC0415 - as in HouseProcess.autopsy

        self._house = house
        self._account = VenueAccount(account_id, house.operator_id)

    def check(self) -> None:
        """Fail unless books and venue agree on every order, fill, position and on the money."""
        from pilothouse.execution import store  # noqa: PLC0415 - as above
        from pilothouse.ledger import positions  # noqa: PLC0415 - as above
        from pilothouse.ledger.exposure import holdings  # noqa: PLC0415 - as above
        from pilothouse.venues.port import Accepted  # noqa: PLC0415 - as above

        house, account = self._house, self._account
        venue, now = house.venues["paper"], house.clock.now()
        orders = house.database.read(
            lambda tx: store.page(tx, account.owner_id, store.OrderFilter(), before=None, limit=1_000_000)
        )
        assert house.database.read(lambda tx: positions.drift(tx, account.id)) == []
        held = house.database.read(lambda tx: holdings(tx, account.id, now))
        for symbol in house.instruments.all("paper"):
            at_venue = {one.symbol: one.quantity for one in venue.positions(account)}.get(symbol, Decimal(0))
            assert held.position(symbol).quantity == at_venue, symbol
            ids = {order.client_order_id for order in orders if order.terms.symbol == symbol}
            strangers = {fill.client_order_id for fill in venue.fills_after(account, symbol, None)} - ids
            assert not strangers, f"{symbol}: the venue filled what the books do not know: {strangers}"
        assert held.wallet == venue.balance(account).wallet, "money"
        for order in orders:
            told = venue.find(account, order.terms.symbol, order.client_order_id)
            if isinstance(told, Accepted):
                assert told.report.filled_quantity == order.filled_quantity, order
            else:
                assert order.filled_quantity == 0, order
        resting = {report.client_order_id for report in venue.open_orders(account)}
        assert resting == {order.client_order_id for order in orders if order.state.is_resting}


def fresh() -> str:
    """Return a text that no other alert carries, so that this one is nobody's double."""
    return f"{time.time_ns()}-{random.SystemRandom().getrandbits(32)}"


def eventually(check: Any, what: str, within_s: float = SETTLED_SECONDS_MAX) -> Any:
    """Return the first true thing that `check` returns; fails when none came. A failed connection is asked again."""
    deadline = time.monotonic() + within_s
    while True:
        with contextlib.suppress(httpx.TransportError):
            found = check()
            if found:
                return found
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.05)
