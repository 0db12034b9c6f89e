"""The real process is killed with SIGKILL at every commit of an alert's life, starts again, and the order is one."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.house_process import DYING_UP, HouseProcess, eventually, fresh
from tests.journeys.dying_up import DIED, lay, put_out

pytestmark = pytest.mark.timeout(400)

CHAINS = 3
"""Houses that die side by side: each at every third commit, one life after the other. Most of a life is waiting: what
may have been sent is asked about until the venue can no longer accept it."""

ONE_STARTS = threading.Lock()
"""To start takes a processor, to wait takes none: starts are taken in turn."""

POINTS_MIN = {"market": 8, "protected": 6, "flip": 6}
"""An alert's life has at least so many commits.

Of a market order they are counted at their beginning and at their end. What is durable when one begins is what was
durable when the one before it ended; so the longer lives are cut at beginnings only.
"""

MARKET = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010"}
PROTECTED = {**MARKET, "stop_loss": "20%", "take_profit": "30%"}


@dataclass
class Chain:
    """One house that dies again and again; `deaths` says where."""

    house: HouseProcess
    scene: str
    deaths: list[str] = field(default_factory=list)
    alerts: int = 0
    held: Decimal = Decimal(0)

    def body(self) -> bytes:
        """Return the next alert of the scene; each differs from all before."""
        fields: dict[str, Any]
        match self.scene:
            case "market":
                fields = MARKET
            case "protected":
                fields = PROTECTED
            case _:
                target = "-0.010" if self.held > 0 else "0.020"
                fields = {"order_action": "buy", "symbol": "BTCUSDT", "contracts": "1", "position_size": target}
        return json.dumps({**fields, "timenow": fresh()}).encode()

    def run(self, first: int) -> None:
        """Die at commit `first` of an alert, at `first + CHAINS` of the next, and so on while there is one."""
        self._start()
        if self.scene == "flip":
            self._send_twice(self.body())
            self.held = Decimal("0.020")
        point = first
        while self._dies_at(point):
            point += CHAINS
        assert self.house.stop() == 0
        with self.house.autopsy() as found:
            found.check()

    def _start(self) -> None:
        with ONE_STARTS:
            self.house.start()

    def _dies_at(self, point: int) -> bool:
        """Send one alert, die in the middle of it, start again, send it again; say whether there was that commit."""
        house, body = self.house, self.body()
        lay(house.data, "alert", point, after_too=self.scene == "market")
        acknowledged = self._answered(body)
        try:
            code = house.ended(within_s=30.0 if acknowledged is None else 1.5)
        except subprocess.TimeoutExpired:
            code = 0  # its life has no such commit: everything was done before
        assert code in {0, -signal.SIGKILL}, f"{code}: {house.said('err')[-2000:]}"
        where = (house.data / DIED).read_text().strip() if code else "not at all"
        if code:
            self.deaths.append(where)
            self._start()
        else:
            put_out(house.data)
        signal_id = self._send_twice(body, duplicate=where != "books before:alert")
        if acknowledged is not None:
            assert signal_id == acknowledged, "what was acknowledged is the alert that is known"
        self._look(signal_id, f"{self.scene}, point {point}: {where}")
        return code != 0

    def _answered(self, body: bytes) -> str | None:
        """Return the id of the alert as the house acknowledged it, or None if it died before it could."""
        try:
            answer = self.house.send(body, self.house.hook_path, wait_ms=2500)
        except httpx.TransportError:
            return None
        assert answer.status_code == 200, answer.text
        return str(answer.json()["signal_id"])

    def _send_twice(self, body: bytes, *, duplicate: bool = False) -> str:
        """Send an alert again as its sender would, and once more; wait until it is at rest."""
        answers = [self.house.send(body, self.house.hook_path) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200], [answer.text for answer in answers]
        told = [answer.json() for answer in answers]
        assert [one["duplicate"] for one in told] == [duplicate, True], told
        signal_id = told[0]["signal_id"]
        assert told[1]["signal_id"] == signal_id
        assert self.house.settle(signal_id)["outcome"] == "filled"
        return str(signal_id)

    def _look(self, signal_id: str, where: str) -> None:
        """Find exactly the orders that the alert asked for, all filled, and the position it asked for."""
        house, flips = self.house, self.scene == "flip"
        made = house.signal(signal_id)["orders"]
        if flips:
            target = Decimal("-0.010") if self.held > 0 else Decimal("0.020")
            wanted = [abs(self.held), abs(target)]
            self.held = target
        else:
            wanted = [Decimal("0.010")]
            self.held += Decimal("0.010")
        assert [Decimal(order["filled_quantity"]) for order in made] == wanted, where
        assert {order["state"] for order in made} == {"filled"}, where
        assert house.position() == self.held, where
        if self.scene == "protected":
            eventually(self._is_protected, f"{where}: it is protected")
            self._close()
        assert not house.get("/orders/open"), where

    def _is_protected(self) -> bool:
        """Say whether exactly one stop and one target rest, each as large as the position."""
        resting = self.house.get("/orders/open")
        return sorted((one["type"], one["origQty"], one["reduceOnly"]) for one in resting) == [
            ("STOP_MARKET", "0.01", True),
            ("TAKE_PROFIT_MARKET", "0.01", True),
        ]

    def _close(self) -> None:
        """Close the position, so that the next one is protected anew; its protection dies with it."""
        closing = self.house.alert(action="close", symbol="BTCUSDT")["signal_id"]
        assert self.house.settle(closing)["outcome"] == "filled"
        eventually(lambda: not self.house.get("/orders/open"), "the protection dies with the position")
        self.held = Decimal(0)


# The two others die at every commit in process too (tests/voyage/test_crashes.py), and here under `make soak`.
_LONG = [pytest.param(scene, marks=pytest.mark.soak) for scene in ("market", "protected")]


@pytest.mark.slow
@pytest.mark.parametrize("scene", [*_LONG, "flip"])
def test_a_process_that_is_killed_at_any_commit_carries_an_alert_out_once(
    scene: str, new_house: Callable[..., HouseProcess]
) -> None:
    """Others that were measured lost acknowledged alerts when they were killed, and sent some orders twice."""
    program = (sys.executable, str(DYING_UP))
    chains = [Chain(new_house(program=program), scene) for _ in range(CHAINS)]
    with ThreadPoolExecutor(CHAINS) as pool:
        for _ in pool.map(Chain.run, chains, range(CHAINS)):
            pass

    deaths = [where for chain in chains for where in chain.deaths]
    print(f"{scene}: died {len(deaths)} times: {', '.join(sorted(set(deaths)))}")
    assert len(deaths) >= POINTS_MIN[scene]
    seen = {(database, unit) for database, _, name in map(str.split, _spaced(deaths)) for unit in name.split("+")}
    assert {("books", "alert"), ("paper", "paper_place"), ("books", "settle")} <= seen


def _spaced(deaths: list[str]) -> list[str]:
    """Return "database before|after names" for each death."""
    return [
        where.replace("before:", "before ") if "before:" in where else where.replace(" ", " after ", 1)
        for where in deaths
    ]


def test_a_house_that_was_killed_while_it_was_idle_is_simply_there_again(
    new_house: Callable[..., HouseProcess],
) -> None:
    """Nothing needs repair, and no lock is left behind."""
    house = new_house().start()
    assert house.alert(**MARKET)["state"] == "filled"
    for _ in range(2):
        house.restart()
        assert house.position() == Decimal("0.01")
    assert Path(house.data / "pilothouse.lock").exists()
    assert house.stop() == 0
    with house.autopsy() as found:
        found.check()
