"""The drill of the dead man's switch: a house at a simulated exchange, killed with a position open, and a stopwatch.

Everything runs as a person runs it, each in a process of its own, in a folder that is thrown away: the simulated
exchange, the house, and the switch beside it. The exchange's own truth says when nothing is held any more.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import httpx

from pilothouse.core.clock import iso
from pilothouse.core.errors import PilothouseError, Unavailable
from pilothouse.kit.clocks import SystemClock
from pilothouse.simexchange.given_keys import given_wallet

VENUES: Final = ("binanceusdm", "aster")
FILE: Final = "deadman-drills.jsonl"
SYMBOL: Final = "BTCUSDT"

_SEED: Final = 1
_READY_S: Final = 90.0
_FLAT_S: Final = 300.0
_TOKEN: Final = "control"  # noqa: S105 - of a toy exchange that only this process can reach

Result = dict[str, Any]


class DrillFailed(Unavailable):
    """The drill could not be held: something that it needs did not come up."""

    code = "drill_failed"


def held(data: Path) -> list[Result]:
    """Return the drills that were held, oldest first."""
    with suppress(FileNotFoundError):
        return [json.loads(line) for line in (data / FILE).read_text("utf-8").splitlines() if line]
    return []


def drill(data: Path, venue: str, after_s: int, tell: Callable[[str], object]) -> Result:
    """Hold one drill, keep its result in `data`, and return it.

    venue     whose ways the exchange has
    after_s   how long the switch is told to wait, behind the end of the house's lease
    """
    at = iso(SystemClock().now())
    result: Result = {"at": at, "venue": venue, "after_s": after_s, "taken_s": None, "flat_s": None, "passed": False}
    try:
        with tempfile.TemporaryDirectory(prefix="pilothouse-drill-") as folder, ExitStack() as stack:
            result |= _Drill(Path(folder), venue, after_s, tell, stack).hold()
    except (PilothouseError, httpx.HTTPError, OSError) as error:
        result["words"] = f"the drill failed: {error}"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(data / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "a", encoding="utf-8") as kept:
        kept.write(json.dumps(result) + "\n")
    return result


class _Drill:
    """One drill under way."""

    def __init__(self, folder: Path, venue: str, after_s: int, tell: Callable[[str], object], stack: ExitStack) -> None:
        self._folder, self._venue, self._after_s, self._tell, self._stack = folder, venue, after_s, tell, stack
        self._exchange = f"http://127.0.0.1:{_free_port()}"
        self._house = f"http://127.0.0.1:{_free_port()}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PILOTHOUSE_", "ASTERDEX_"))}
        port = self._house.rpartition(":")[2]
        self._environment = {**kept, "PILOTHOUSE_DATA": str(folder / "data"), "PILOTHOUSE_PORT": port}
        self._client = stack.enter_context(httpx.Client(timeout=20.0, trust_env=False))

    def hold(self) -> Result:
        """Bring everything up, kill the house, and time what follows."""
        port = self._exchange.rpartition(":")[2]
        self._start("simexchange", "--port", port, "--seed", str(_SEED), "--control-token", _TOKEN)
        self._until(lambda: self._client.get(f"{self._exchange}/fapi/v1/time").status_code == 200, "the exchange")
        house = self._start("up")
        self._until(lambda: self._client.get(f"{self._house}/health/ready").status_code == 200, "the house")
        self._trade()
        self._tell("A house holds a position and an entry rests. The switch is beside it; now the house is killed.")
        said = self._folder / "deadman.txt"
        with said.open("wb") as out:
            self._start("deadman", "--after", str(self._after_s), out=out)
            self._until(lambda: b"Watching over" in said.read_bytes(), "the switch")
            house.kill()
            house.wait()
            killed = time.monotonic()
            flat = self._wait_until_flat(killed)
            with suppress(DrillFailed):  # the exchange is flat at once; the switch knows it at its next look
                self._until(lambda: flat is None or b"flat:" in said.read_bytes(), "its word")
        return self._result(flat, said.read_text("utf-8"))

    def _trade(self) -> None:
        """Give the house an account at the exchange, a position, and an entry that rests."""
        steps = json.loads((self._folder / "data" / "first-steps.json").read_text("utf-8"))
        self._client.headers["Authorization"] = f"Bearer {steps['operator_token']}"
        account = {"name": "drill", "venue": self._venue, "base_url": self._exchange, "credentials": _keys(self._venue)}
        self._ask("POST", "accounts", account)
        key = f"{self._venue}@{self._exchange}"
        entry = {"symbol": SYMBOL, "side": "BUY", "quantity": "0.010"}

        def bought() -> bool:
            address = f"{self._house}/api/v1/orders"
            answer = self._client.post(address, params={"account": "drill"}, json={**entry, "type": "MARKET"})
            return answer.is_success

        self._until(bought, "an order")  # refused until the account is heard at its venue and has a price
        quotes = self._ask("GET", f"quotes?venue={key}")["items"]
        mark = next(Decimal(quote["mark"]) for quote in quotes if quote["symbol"] == SYMBOL)
        price = str(int(mark * Decimal("0.8")))
        self._ask("POST", "orders?account=drill", {**entry, "type": "LIMIT", "price": price})
        self._until(lambda: self._stands() == (True, True), "the position and the entry")

    def _stands(self) -> tuple[bool, bool]:
        """Return whether a position is held and whether an order stands, as the exchange itself has it."""
        address = f"{self._exchange}/control/truth"
        truth = self._client.get(address, headers={"X-Control-Token": _TOKEN}).json()["accounts"]
        return any(one["positions"] for one in truth), any(one["openOrders"] for one in truth)

    def _wait_until_flat(self, killed: float) -> float | None:
        while time.monotonic() - killed < _FLAT_S:
            if self._stands() == (False, False):
                return time.monotonic() - killed
            time.sleep(0.1)
        return None

    def _result(self, flat: float | None, said: str) -> Result:
        if flat is None:
            return {"words": f"NOT flat {_FLAT_S:.0f} s after the house was killed. The switch said:\n{said[-2_000:]}"}
        words = (
            f"Flat {flat:.1f} s after the house was killed: its lease ran out, the venue took nothing of it any more, "
            f"{self._after_s} s were waited, the entry was cancelled and the position closed."
        )
        return {"flat_s": f"{flat:.1f}", "taken_s": _taken(said), "passed": True, "words": words}

    def _ask(self, method: str, path: str, body: Result | None = None) -> Any:
        answer = self._client.request(method, f"{self._house}/api/v1/{path}", json=body)
        if not answer.is_success:
            raise DrillFailed(f"{method} {path} was answered with {answer.status_code}: {answer.text[:300]}")
        return answer.json()

    def _start(self, *words: str, out: Any = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
        """Start a command of ours, to be ended with the drill."""
        process = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", "pilothouse.cli.main", *words],
            env=self._environment,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT if out is not subprocess.DEVNULL else subprocess.DEVNULL,
        )
        self._stack.callback(_end, process)
        return process

    def _until(self, check: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError, FileNotFoundError):
                if check():
                    return
            time.sleep(0.1)
        raise DrillFailed(f"{what} did not come within {_READY_S:.0f} s")


def _keys(venue: str) -> dict[str, str]:
    """Return what signs at the simulated exchange; worth nothing anywhere else."""
    if venue == "aster":
        given = given_wallet(_SEED)
        return {"user": given.wallet, "signer": given.agent, "private_key": given.agent_key}
    return {"api_key": "sim-key", "api_secret": "sim-secret"}


def _taken(said: str) -> str | None:
    """Return how long after the house was missed its lease was taken, as the switch printed it."""
    for line in said.splitlines():
        _, found, rest = line.partition("its lease taken after ")
        if found:
            return rest.partition(" s")[0]
    return None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
