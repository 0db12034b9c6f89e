"""A storm of alerts, resends and power cuts; at its end every acknowledged alert is exactly one order."""

import json
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial

import httpx
import pytest

from tests.house_process import HouseProcess, eventually
from tests.plain_http import NO_TLS

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]

ALERTS, CONNECTIONS, KILLS = 300, 20, 2
LOTS = {"BTCUSDT": Decimal("0.001"), "ETHUSDT": Decimal("0.01"), "SOLUSDT": Decimal("0.1")}
SENT_AGAIN_MAX = 400


class Sender:
    """Sends alerts as a stubborn sender does: again until it is told that they are known, and sometimes once more."""

    def __init__(self, house: HouseProcess, seed: int) -> None:
        """Prepare every alert: an opening of so many lots, of its own id."""
        self._house, self._path = house, house.hook_path
        self._lock = threading.Lock()
        self.acknowledged: dict[int, str] = {}
        self.wanted: dict[int, tuple[str, Decimal]] = {}
        self._bodies: list[bytes] = []
        chance = random.Random(seed)
        for number in range(ALERTS):
            symbol = chance.choice(list(LOTS))
            quantity = LOTS[symbol] * chance.randint(1, 5)
            side = chance.choice(["buy", "sell"])
            self.wanted[number] = (symbol, quantity if side == "buy" else -quantity)
            fields = {"action": side, "symbol": symbol, "quantity": str(quantity), "alert_id": f"storm-{number}"}
            self._bodies.append(json.dumps(fields).encode())

    def knows(self, count: int) -> bool:
        """Say whether so many alerts were acknowledged."""
        return len(self.acknowledged) >= count

    def send(self, numbers: list[int]) -> None:
        """Deliver these alerts over one connection at a time."""
        chance = random.Random(numbers[0])
        for number in numbers:
            self._until_known(number, chance)
            while chance.random() < 0.3:
                self._until_known(chance.choice(numbers), chance)

    def _until_known(self, number: int, chance: random.Random) -> None:
        for _ in range(SENT_AGAIN_MAX):
            try:
                with httpx.Client(base_url=self._house.url, trust_env=False, timeout=20, verify=NO_TLS) as client:
                    answer = client.post(
                        self._path, content=self._bodies[number], params={"wait_ms": chance.choice([0, 50, 1000])}
                    )
            except httpx.TransportError:
                time.sleep(0.1)  # it is dead, or not up yet
                continue
            if answer.status_code == 503:
                time.sleep(0.1)
                continue
            assert answer.status_code == 200, answer.text
            told = answer.json()
            with self._lock:
                assert self.acknowledged.setdefault(number, told["signal_id"]) == told["signal_id"]
            return
        pytest.fail(f"alert {number} was never acknowledged")


def test_every_acknowledged_alert_is_one_order_through_storm_and_power_cuts(
    new_house: Callable[..., HouseProcess],
) -> None:
    """Twenty connections, resends at random, killed twice in between: nothing lost, nothing doubled, books exact."""
    house = new_house().start()
    sender = Sender(house, seed=4127)
    shares = [list(range(first, ALERTS, CONNECTIONS)) for first in range(CONNECTIONS)]

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        work = [pool.submit(sender.send, share) for share in shares]
        for kill in range(KILLS):
            enough = ALERTS * (kill + 1) // (KILLS + 1)
            eventually(partial(sender.knows, enough), f"{enough} alerts are in", within_s=120)
            house.restart()
        for one in work:
            one.result()

    assert len(sender.acknowledged) == ALERTS
    assert len(set(sender.acknowledged.values())) == ALERTS

    def rest() -> bool:
        return not [one for one in house.signals() if one["outcome"] == "pending"]

    eventually(rest, "every alert is carried out", within_s=90)
    signals = {one["id"]: one for one in house.signals()}
    orders = house.orders()
    assert set(signals) == set(sender.acknowledged.values())
    assert len(orders) == ALERTS
    by_signal = {order["signal_id"]: order for order in orders}
    for number, signal_id in sender.acknowledged.items():
        symbol, quantity = sender.wanted[number]
        order = by_signal[signal_id]
        signed = Decimal(order["filled_quantity"]) * (1 if order["side"] == "BUY" else -1)
        assert (order["state"], order["symbol"], signed) == ("filled", symbol, quantity), order
    for symbol in LOTS:
        wanted = sum((quantity for name, quantity in sender.wanted.values() if name == symbol), Decimal(0))
        assert house.position(symbol) == wanted
    assert house.stop() == 0
    with house.autopsy() as found:
        found.check()
