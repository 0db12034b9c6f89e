"""The house is killed with SIGKILL while it trades at an exchange that fails too: one order there, protected, booked.

`make test` dies a few times; `make soak` dies at every commit of an alert's life, with every fault, at every venue.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.exchange_process import ASTER, FUTURES, SPOT, ExchangeProcess, add_account, agree
from tests.house_process import DYING_UP, HouseProcess, eventually, fresh
from tests.journeys.dying_up import DIED, lay, put_out
from tests.journeys.wire import new_hook
from tests.plain_http import NO_TLS

NewHouse = Callable[..., HouseProcess]
BUY = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.002", "stop_loss": "20%"}
QUANTITY, LOT = Decimal("0.002"), Decimal("0.001")  # small enough for some hundred deaths on 100,000 USDT of spot
ORDER = {"method": "POST", "path": "order"}
LOST = {"kind": "lost", **ORDER}
UNKNOWN = {"kind": "unknown", **ORDER}
TIMEOUT = {"kind": "timeout", **ORDER}
SLOW = {"kind": "slow", "value": 700, **ORDER}
RESET = {"kind": "reset", **ORDER}
"""It never arrives, which is certain only when the venue's window has passed: 70 s at AsterDEX."""

TOO_MANY = {"kind": "too_many", "value": 1, "method": "GET"}
DROP, DUPLICATE, REORDER = ({"kind": kind, "stream": True, "times": 3} for kind in ("drop", "duplicate", "reorder"))
FAULTS: tuple[dict[str, Any], ...] = (LOST, UNKNOWN, TIMEOUT, SLOW, TOO_MANY, DROP, DUPLICATE, REORDER, RESET)
PARTS = 4
"""In so many parts the commits of an alert's life are divided, so that each says its verdict in minutes."""

PATIENCE_S = 200.0
"""As long as a lost request takes to become certain, and a spent limit of the exchange to begin anew."""


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[ExchangeProcess]:
    """Yield an exchange that listens."""
    with ExchangeProcess(tmp_path / "exchange") as running:
        yield running


@dataclass
class Trial:
    """One house at one venue of an exchange; each alert adds as much as the one before."""

    house: HouseProcess
    exchange: ExchangeProcess
    venue: str
    bought: int = 0
    deaths: list[str] = field(default_factory=list)

    def begin(self) -> "Trial":
        """Start the house, with an account and a hook of its own, and buy once."""
        self.house.start()
        self.account_id = add_account(self.house, self.exchange, self.venue, self.venue)
        self.hook = new_hook(self.house, account_id=self.account_id)["path"]
        self.buy(dict(BUY, alert_id=fresh()))
        return self

    def buy(self, alert: dict[str, Any]) -> None:
        """Send an alert until it was taken, and look for what it made."""

        def taken() -> str | None:
            if not self.house.lives_on():  # it died later than was waited for
                self.house.restart()
            answer = self.house.send(alert, self.hook)
            assert answer.status_code in {200, 503}, answer.text
            known: str | None = answer.json().get("signal_id")
            return known

        signal_id = eventually(taken, "the alert is taken", PATIENCE_S)
        assert self.house.send(alert, self.hook).json()["duplicate"] is True
        eventually(lambda: self._has_filled(signal_id), f"alert {signal_id} is filled", PATIENCE_S)
        self.bought += 1

    def _has_filled(self, signal_id: str) -> bool:
        told = self.house.signal(signal_id)
        if told["outcome"] in {"pending", "working"}:
            return False
        assert told["outcome"] == "filled", json.dumps(told)
        assert len(told["orders"]) == 1, told
        return True

    def look(self) -> None:
        """Find one stop as large as the position, and the exchange's own truth in the books."""
        eventually(self._is_protected, f"{self.venue}: the position is protected", PATIENCE_S)
        agree(self.house, self.exchange, self.venue, self.account_id, PATIENCE_S)
        bought = [one for one in self.exchange.orders(self.venue) if one["side"] == "BUY"]
        assert len(bought) == self.bought, "one order at the exchange for each alert"

    def _is_protected(self) -> bool:
        held = self.bought * QUANTITY
        if self.venue == SPOT:  # the fee is taken in the coin, and a stop takes whole lots
            held = self.exchange.coins()["BTC"].quantize(LOT, rounding=ROUND_DOWN)
        return [quantity for _, quantity, _ in self.exchange.standing(self.venue)] == [held]

    def dies_at(self, point: int, fault: dict[str, Any]) -> bool:
        """Die at one commit of an alert's life while the exchange fails; say whether there was that commit."""
        alert = dict(BUY, alert_id=fresh())
        self.exchange.control("POST", "faults", fault)
        lay(self.house.data, "alert", point, after_too=False)
        try:
            self.house.send(alert, self.hook, wait_ms=0)
        except httpx.TransportError:
            code = self.house.ended()
        else:
            try:
                code = self.house.ended(within_s=4.0)
            except subprocess.TimeoutExpired:
                code = 0
        assert code in {0, -signal.SIGKILL}, self.house.said("err")[-2000:]
        if code:
            self.deaths.append(f"{(self.house.data / DIED).read_text().strip()} with {fault['kind']}")
            self.house.start()
        else:
            put_out(self.house.data)
        self.buy(alert)
        self.exchange.control("DELETE", "faults")
        self.look()
        return code != 0


def _mortal(new_house: NewHouse, **settings: str) -> HouseProcess:
    return new_house(program=(sys.executable, str(DYING_UP)), settings=settings)


@pytest.mark.slow
def test_a_house_that_is_killed_while_its_exchange_fails_has_one_order_there(
    new_house: NewHouse, exchange: ExchangeProcess
) -> None:
    """Two failures at once are where orders are sent twice, or positions lose their stop."""
    trial = Trial(_mortal(new_house), exchange, ASTER).begin()
    for point, fault in ((1, LOST), (3, UNKNOWN), (5, DROP)):
        trial.dies_at(point, fault)
    assert len(trial.deaths) == 3, trial.deaths


def _die_at_each(trial: Trial, first: int, fault: dict[str, Any]) -> None:
    """Die at every PARTS-th commit of an alert's life from `first` on, until there is none; tell each as it comes."""
    point = first
    while trial.dies_at(point, fault):
        print(f"{trial.venue}: died at commit {point}, {trial.deaths[-1]}: one order, protected, booked", flush=True)
        point += PARTS
    print(f"{trial.venue}: {len(trial.deaths)} deaths with {fault['kind']}, from {first} on: none wrong", flush=True)
    assert point > first, "an alert has more commits than there are parts"


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("first", range(PARTS))
@pytest.mark.parametrize("fault", FAULTS, ids=[each["kind"] for each in FAULTS])
@pytest.mark.parametrize("venue", [ASTER, FUTURES, SPOT])
def test_a_house_may_die_at_every_commit_with_every_fault(
    venue: str, fault: dict[str, Any], first: int, new_house: NewHouse, exchange: ExchangeProcess
) -> None:
    """Wherever it dies and whatever fails there: one order for each alert, one stop, and books that agree."""
    _die_at_each(Trial(_mortal(new_house), exchange, venue).begin(), first, fault)


@pytest.mark.soak
@pytest.mark.postgres
@pytest.mark.timeout(900)
@pytest.mark.parametrize("first", range(PARTS))
@pytest.mark.parametrize("venue", [ASTER, FUTURES, SPOT])
def test_a_house_on_postgresql_may_die_at_every_commit(
    venue: str, first: int, postgres_url: str, new_house: NewHouse, exchange: ExchangeProcess
) -> None:
    """There the one that starts anew waits for the dead one's right to send: for its lease and the venue's window."""
    _die_at_each(Trial(_mortal(new_house, DATABASE_URL=postgres_url), exchange, venue).begin(), first, LOST)


@pytest.mark.parametrize("venue", [ASTER, FUTURES, SPOT])
def test_ten_deliveries_of_one_alert_are_one_order_at_the_exchange(
    venue: str, new_house: NewHouse, exchange: ExchangeProcess
) -> None:
    """The answer to the order is lost as well: whoever sends again then has bought twice."""
    trial = Trial(new_house(), exchange, venue).begin()
    exchange.control("POST", "faults", LOST)
    alert = dict(BUY, alert_id=fresh())

    body = json.dumps(alert).encode()

    def deliver(_: int) -> httpx.Response:
        return httpx.post(trial.house.url + trial.hook, content=body, trust_env=False, timeout=60, verify=NO_TLS)

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(deliver, range(10)))

    assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers]
    told = [answer.json() for answer in answers]
    assert len({one["signal_id"] for one in told}) == 1
    assert sorted(one["duplicate"] for one in told) == [False] + [True] * 9
    trial.buy(alert)
    trial.look()
