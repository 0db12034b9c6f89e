"""Accounts at venues by the installed commands: a house and a simulated exchange that run, and what a person types."""

import contextlib
import hashlib
import hmac
import io
import json
import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest

from pilothouse.cli import main
from tests.house_process import PROGRAM, HouseProcess, eventually
from tests.plain_http import NO_TLS
from tests.ports import free_port

pytestmark = pytest.mark.timeout(400)

# The first two of the well-known throw-away keys of every Ethereum test chain: a wallet and its agent.
WALLET = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
WALLET_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
AGENT = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
AGENT_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
ASTER = {"ASTERDEX_USER_ADDRESS": WALLET, "ASTERDEX_SIGNER_ADDRESS": AGENT, "ASTERDEX_PRIVATE_KEY": AGENT_KEY}
BINANCE = {"BINANCE_API_KEY": "sim-key", "BINANCE_API_SECRET": "sim-secret"}

Done = subprocess.CompletedProcess[str]


@dataclass
class Exchange:
    """`pilothouse simexchange` in a process of its own."""

    place: Path
    port: int = field(default_factory=free_port)

    @property
    def base(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.port}"

    def control(self, method: str, path: str, **body: Any) -> Any:
        """Ask its control."""
        answer = httpx.request(
            method,
            f"{self.base}/control/{path}",
            json=body,
            headers={"X-Control-Token": "control"},
            timeout=30,
            verify=NO_TLS,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def hedge(self, *, on: bool) -> None:
        """Choose the position mode of the Binance account, as its owner does in the venue's settings."""
        query = f"dualSidePosition={str(on).lower()}&timestamp={time.time_ns() // 1_000_000}"
        signature = hmac.new(b"sim-secret", query.encode(), hashlib.sha256).hexdigest()
        answer = httpx.post(
            f"{self.base}/fapi/v1/positionSide/dual?{query}&signature={signature}",
            headers={"X-MBX-APIKEY": "sim-key"},
            timeout=30,
            verify=NO_TLS,
        )
        assert answer.status_code == 200, answer.text

    def answers(self) -> bool:
        """Say whether it listens."""
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.base}/fapi/v1/ping", timeout=5, verify=NO_TLS).status_code == 200
        return False


@pytest.fixture(autouse=True)
def _fresh_minute(exchange: "Exchange") -> None:
    """Let the one address of all tests have a minute of its own in each."""
    exchange.control("POST", "settings", forgetUse=True)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Yield an exchange that listens."""
    made = Exchange(tmp_path_factory.mktemp("exchange"))
    words = ["simexchange", "--port", str(made.port), "--wallet", f"{WALLET}:{AGENT}"]
    with (made.place / "said.txt").open("wb") as said:
        process = subprocess.Popen([str(PROGRAM), *words], stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        eventually(made.answers, "the exchange listens")
        yield made
    finally:
        process.terminate()
        process.wait(20)


def run(house: HouseProcess, *words: str, env: Mapping[str, str] | None = None) -> Done:
    """Run a command on the machine of `house`, in this process: starting Python each time proves nothing more."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, {**house.environment(), **(env or {})}, clear=True),
        mock.patch("sys.stdin", io.StringIO()),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as left,
    ):
        main.main(words)
    assert isinstance(left.value.code, int)
    return subprocess.CompletedProcess(list(words), left.value.code, out.getvalue(), err.getvalue())


def told(house: HouseProcess, *words: str, env: Mapping[str, str] | None = None) -> Any:
    """Run a command that must succeed, and return the JSON that it prints."""
    done = run(house, *words, "--json", env=env)
    assert done.returncode == 0, f"{words}: {done.stdout} {done.stderr}"
    return json.loads(done.stdout)


def refused(house: HouseProcess, *words: str, env: Mapping[str, str] | None = None) -> str:
    """Run a command that must be refused, and return what it said, in one line; no secret is among it."""
    done = run(house, *words, env=env)
    said = " ".join(f"{done.stdout} {done.stderr}".split())
    assert done.returncode == 1, said
    for secret in (WALLET_KEY, AGENT_KEY, "sim-secret", "wrong-secret"):
        assert secret.removeprefix("0x") not in said
    return said


def names(house: HouseProcess) -> set[str]:
    """Return the active accounts."""
    return {row["name"] for row in told(house, "account", "list")["items"] if row["state"] == "active"}


def at(exchange: Exchange, venue: str) -> tuple[str, ...]:
    """Return the options that name a venue of the exchange."""
    return ("--venue", venue, "--base-url", exchange.base)


# ── Adding ────────────────────────────────────────────────────────────────────────────────────────


def test_a_key_is_typed_where_nobody_sees_it(house: HouseProcess, exchange: Exchange) -> None:
    """On a terminal each part is asked for; the secret one stands neither on the screen nor in the history."""
    ours, theirs = pty.openpty()
    adding = subprocess.Popen(
        [str(PROGRAM), "account", "add", "typed", *at(exchange, "aster")],
        env=house.environment() | {"TERM": "dumb", "COLUMNS": "80"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen = ""
    try:
        for part, typed in (("user (", WALLET), ("signer (", AGENT), ("private_key (", AGENT_KEY)):
            seen += _read_until(ours, part)
            if part.startswith("private"):
                eventually(lambda: not termios.tcgetattr(ours)[3] & termios.ECHO, "the terminal shows nothing")
            os.write(ours, f"{typed}\n".encode())
        seen += _read_until(ours, "positions")
        assert adding.wait(40) == 0, seen
    finally:
        adding.kill()
        adding.wait()
        os.close(ours)

    assert AGENT_KEY.removeprefix("0x") not in seen
    for words in ("clock", "may withdraw", "one-way", "USDT, "):
        assert words in seen
    row = eventually(lambda: _heard(house, "typed"), "it is heard")
    assert (row["mode"], row["key"]["label"], row["market"]) == ("testnet", AGENT, "an exchange on this machine")
    shown = run(house, "account", "show", "typed").stdout
    assert "live, " in shown
    assert AGENT_KEY.removeprefix("0x") not in shown
    assert "typed" in run(house, "account", "list").stdout
    told(house, "account", "remove", "typed", "--yes")
    assert "typed" not in names(house)


def _heard(house: HouseProcess, name: str) -> Any:
    row = told(house, "account", "show", name)
    return row if (row["stream"] or {}).get("state") == "live" else None


def _read_until(terminal: int, word: str, within_s: float = 40.0) -> str:
    """Return what a terminal showed until a word was among it."""
    seen = ""
    deadline = time.monotonic() + within_s
    while word not in seen:
        assert time.monotonic() < deadline, f"{word!r} was never seen: {seen}"
        if select.select([terminal], [], [], 0.5)[0]:
            try:
                seen += os.read(terminal, 65_536).decode("utf-8", "replace")
            except OSError:  # the other end is closed
                break
    return seen


def test_keys_come_from_a_file_that_nobody_else_reads_or_from_variables(
    house: HouseProcess, exchange: Exchange, tmp_path: Path
) -> None:
    """Binance futures from a file, spot from variables; both are heard, and a file that others can read is refused."""
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"api_key": "sim-key", "api_secret": "sim-secret"}))
    file.chmod(0o644)
    way = ("account", "add", "futures", *at(exchange, "binanceusdm"), "--credentials-file", str(file))

    assert f"chmod 600 {file}" in refused(house, *way)
    file.chmod(0o600)
    futures = told(house, *way)
    assert "BINANCE_API_SECRET" in refused(house, "account", "add", "spot", *at(exchange, "binance"))
    spot = told(house, "account", "add", "spot", *at(exchange, "binance"), env=BINANCE)

    assert (futures["found"]["may_withdraw"], futures["found"]["position_mode"]) == (False, "one_way")
    assert spot["found"]["asset"] == "USDT"
    for name in ("futures", "spot"):
        eventually(lambda name=name: _heard(house, name), "it is heard")
    checks = [each["found"] for each in told(house, "doctor")["checks"] if each["check"] == "accounts"]
    assert any("futures" in each and "heard live" in each for each in checks), checks
    assert told(house, "account", "key", "futures", "--credentials-file", str(file))["test"]["passed"] is True
    for name in ("futures", "spot"):
        told(house, "account", "remove", name, "--yes", "--force")


def test_what_should_not_be_added_is_refused_with_what_to_do(house: HouseProcess, exchange: Exchange) -> None:
    """Each of these costs money later; nothing of it is kept, and no key is repeated."""
    before = names(house)
    aster, futures = at(exchange, "aster"), at(exchange, "binanceusdm")
    exchange.control("POST", "accounts", apiKey="W", secret="wrong-secret", mayWithdraw=True)
    add = ("account", "add", "no")

    assert "--live" in refused(house, *add, "--venue", "aster", env=ASTER)
    assert "signer" in refused(house, *add, *aster, env={**ASTER, "ASTERDEX_PRIVATE_KEY": WALLET_KEY})
    refused(house, *add, *futures, env={**BINANCE, "BINANCE_API_SECRET": "wrong-secret"})
    withdrawing = {"BINANCE_API_KEY": "W", "BINANCE_API_SECRET": "wrong-secret"}
    assert "--allow-withdrawals" in refused(house, *add, *futures, env=withdrawing)
    exchange.hedge(on=True)
    try:
        assert "one-way" in refused(house, *add, *futures, env=BINANCE)
    finally:
        exchange.hedge(on=False)
    nowhere = ("--venue", "aster", "--base-url", f"http://127.0.0.1:{free_port()}")
    assert "try again" in refused(house, *add, *nowhere, env=ASTER)
    far = ("--url", "http://192.0.2.1:8000", "--token", "none")
    assert "has no TLS" in refused(house, *add, *aster, *far, env=ASTER)
    assert names(house) == before

    allowed = told(house, "account", "add", "careless", *futures, "--allow-withdrawals", env=withdrawing)
    assert allowed["found"]["may_withdraw"] is True
    told(house, "account", "remove", "careless", "--yes")


# ── Looking after it ──────────────────────────────────────────────────────────────────────────────


def test_a_live_account_is_armed_disarmed_renamed_and_removed(house: HouseProcess, exchange: Exchange) -> None:
    """The whole life of an account with real money, each step said in words."""
    made = run(house, "account", "add", "real", *at(exchange, "aster"), "--mode", "live", "--live", env=ASTER)
    assert made.returncode == 0, made.stderr
    assert "REAL MONEY, disarmed" in " ".join(made.stdout.split())

    assert told(house, "account", "arm", "real", "--yes", "--reason", "tried")["may_send"] is True
    assert "LIVE, armed" in run(house, "account", "list").stdout
    assert told(house, "account", "test", "real")["test"]["passed"] is True
    assert "nothing is sent" in run(house, "account", "disarm", "real").stdout
    assert told(house, "account", "rename", "real", "swing")["name"] == "swing"
    removed = run(house, "account", "remove", "swing", "--yes")
    assert "its keys are forgotten" in removed.stdout
    assert names(house) == {"paper"}


def test_venues_are_listed_and_shown(house: HouseProcess) -> None:
    """What a venue leaves out is read before money is there."""
    assert {"paper", "aster", "binanceusdm", "binance"} <= {row["name"] for row in told(house, "venues")["items"]}
    assert "private_key" in run(house, "venues", "aster").stdout


def test_the_sealing_key_is_rotated_and_everything_still_opens(house: HouseProcess, exchange: Exchange) -> None:
    """While the house runs and while it is stopped; the accounts go on with it."""
    told(house, "account", "add", "sealed", *at(exchange, "aster"), env=ASTER)
    first = told(house, "keys", "status")
    second = told(house, "keys", "rotate")
    assert second["key_id"] != first["key_id"]
    assert told(house, "account", "test", "sealed")["test"]["passed"] is True
    assert "works on" in refused(house, "keys", "rotate", "--offline")
    assert len(told(house, "keys", "forget-old", "--yes")["forgotten"]) == 1

    house.stop()
    try:
        third = told(house, "keys", "rotate", "--offline")
    finally:
        house.start()
    assert third["key_id"] != second["key_id"]
    assert told(house, "keys", "status")["key_id"] == third["key_id"]
    assert told(house, "account", "test", "sealed")["test"]["passed"] is True
    told(house, "account", "remove", "sealed", "--yes")


@dataclass
class WithVariables(HouseProcess):
    """A house that is started with the variables of a bridge."""

    more: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return the variables it is started with."""
        return super().environment() | dict(self.more)


def test_a_copied_env_of_binance_makes_the_account_and_the_hook(tmp_path: Path, exchange: Exchange) -> None:
    """Who comes from a bridge starts the house and sees what it would do; nothing is sent before somebody arms it."""
    secret = "a-secret-of-the-old-bridge"
    more = {**BINANCE, "BINANCE_BASE_URL": exchange.base, "WEBHOOK_SECRET": secret}
    with WithVariables(tmp_path, more=more) as house:
        house.start()
        row = eventually(lambda: _heard(house, "binance"), "it is heard")
        assert (row["mode"], row["may_send"]) == ("live", False)
        assert row["venue"] == f"binanceusdm@{exchange.base}"
        eventually(lambda: (told(house, "account", "show", "binance")["test"] or {}).get("passed"), "it is tested")
        before = len(exchange.control("GET", "orders?account=binance-sim-key"))

        answer = house.alert(webhook_secret=secret, action="open", side="BUY", symbol="BTCUSDT", quantity="0.01")
        signal = eventually(lambda: _done(house, answer["signal_id"]), "it is decided")

        assert "disarmed: would" in str(signal["outcome_message"])
        assert len(exchange.control("GET", "orders?account=binance-sim-key")) == before
        assert "sim-secret" not in house.said("out") + house.said("err")


def _done(house: HouseProcess, signal_id: str) -> Any:
    signal = house.signal(signal_id)
    return None if signal["outcome"] == "pending" else signal
