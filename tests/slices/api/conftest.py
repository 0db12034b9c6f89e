"""A whole house behind a real socket: what a client on this machine meets."""

import io
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
import uvicorn
from fastapi import FastAPI

from pilothouse.accounts import hooks, tokens, trading_accounts
from pilothouse.accounts.access import ALL_SCOPES
from pilothouse.accounts.trading_accounts import Mode
from pilothouse.api.app import create_app
from pilothouse.jobs.embedded import Embedded
from pilothouse.kit import log
from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.db import Tx
from pilothouse.kit.http_client import HttpLimits
from pilothouse.kit.settings import Settings
from pilothouse.wiring.build import Parts, build, open_paper_account
from pilothouse.wiring.house import House
from tests.bench_files import SharedBenches
from tests.plain_http import NO_TLS

PATIENCE_S = 100.0
"""Whatever is waited for comes long before, unless it never comes. Nothing that a test needs may hang on less."""


@dataclass
class Served:
    """An open house, its address, and what opens it.

    jobs   not started unless a test asks: then orders stay where their commit left them
    log    everything that was logged since the house was opened
    """

    house: House
    app: FastAPI
    jobs: Embedded
    url: str
    account: str
    url_token: str
    secret: str
    token: str
    log: io.StringIO
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def api(self) -> httpx.Client:
        """Return a client that shows the operator token."""
        return self.client({"Authorization": f"Bearer {self.token}"})

    def client(self, headers: dict[str, str] | None = None) -> httpx.Client:
        """Return a client that shows only what is said."""
        made = httpx.Client(base_url=self.url, headers=headers, timeout=2 * PATIENCE_S, verify=NO_TLS)
        self.clients.append(made)
        return made

    def alert(self, door: str = "/webhook/tradingview", wait_ms: int | None = None, **fields: Any) -> httpx.Response:
        """Send an alert, with the right secret where it has none and the door wants one.

        wait_ms   for how long the door waits for the outcome; None: until it is there, if the jobs run
        """
        if wait_ms is None:
            wait_ms = int(PATIENCE_S * 1_000) if self.jobs.alive() else 0
        body = {"symbol": "BTCUSDT", **fields}
        if door.startswith("/webhook") and "webhook_secret" not in body:
            body["webhook_secret"] = self.secret
        return self.client().post(door, params={"wait_ms": wait_ms}, json=body)

    def signals(self) -> list[dict[str, Any]]:
        """Return every alert that is stored, newest first."""
        rows: list[dict[str, Any]] = self.api.get("/api/v1/signals", params={"limit": 1000}).json()["items"]
        return rows

    def orders(self) -> list[dict[str, Any]]:
        """Return every order there is, newest first."""
        rows: list[dict[str, Any]] = self.api.get("/api/v1/orders", params={"limit": 1000}).json()["items"]
        return rows


def until(found: Callable[[], Any]) -> Any:
    """Return what `found` returns once it is true; fails when that does not come."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        value = found()
        if value:
            return value
        time.sleep(0.01)
    pytest.fail("what was waited for did not come")


@pytest.fixture
def served(
    tables_url: str, tmp_path: Path, benches: SharedBenches, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Served]:
    """Yield a house on either database whose orders stay where they are until `jobs.start()`.

    Its doors wait for an alert's turn, its price and its outcome as long as a test does, and it for answers of venues:
    a sender waits for three seconds, and what then comes of an alert would hang on how busy this machine is.
    """
    for name in ("STORED_SECONDS_MAX", "PRICE_SECONDS_MAX", "BODY_SECONDS_MAX"):
        monkeypatch.setattr(f"pilothouse.api.hooks.{name}", PATIENCE_S)
    monkeypatch.setattr("pilothouse.api.hooks.WAIT_MS_MAX", int(PATIENCE_S * 1_000))
    monkeypatch.setattr("pilothouse.venues.aster.adapter._LIMITS", HttpLimits(read_s=PATIENCE_S))
    with_jobs = _serve(tables_url, tmp_path, benches)
    yield from with_jobs


@pytest.fixture
def running(served: Served) -> Served:
    """Return the same house at work: orders leave, fill and are booked."""
    served.jobs.start()
    return served


def _serve(url: str, data: Path, benches: SharedBenches) -> Iterator[Served]:
    said = io.StringIO()
    log.configure(clock=SystemClock(), level="DEBUG", stream=said)
    house = build(Settings(data=data, database_url=url), Parts(benches=benches))
    made = house.database.write(lambda tx: _first_steps(tx, house), name="first steps")
    open_paper_account(house, made[0], Decimal(10_000))
    app = create_app(house)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server")
    thread.start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    served = Served(house, app, Embedded(house), address, *made, said)
    until(lambda: server.started)
    yield served
    for client in served.clients:
        client.close()
    app.state.end_streams()
    server.should_exit = True
    thread.join()
    listener.close()
    served.jobs.stop()
    house.close()
    structlog.reset_defaults()
    root = logging.getLogger()
    root.handlers = [each for each in root.handlers if type(each).__module__ != "pilothouse.kit.log"]


def _first_steps(tx: Tx, house: House) -> tuple[str, str, str, str]:
    now, owner_id = house.clock.now(), house.operator_id
    account = trading_accounts.open_account(
        tx, owner_id=owner_id, name="paper", venue="paper", mode=Mode.PAPER, currency="USDT", now=now
    )
    _, url_token, secret = hooks.create(tx, owner_id=owner_id, account_id=account.id, name="first", now=now)
    _, token = tokens.issue(tx, owner_id=owner_id, label="operator", scopes=ALL_SCOPES, now=now)
    return account.id, url_token.reveal(), secret.reveal(), token.reveal()
