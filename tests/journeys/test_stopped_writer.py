"""A process that is stopped for longer than lease and window: another one takes over, and the first comes too late."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from pilothouse.wiring.sealing_key import KEY_FILE
from tests.exchange_process import FUTURES, ExchangeProcess, add_account, agree
from tests.house_process import HouseProcess, eventually, fresh
from tests.journeys.wire import new_hook
from tests.plain_http import NO_TLS

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.soak, pytest.mark.timeout(300)]

BUY = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.002"}
PATIENCE_S = 90.0


def test_a_process_that_was_stopped_for_too_long_sends_nothing_that_counts(
    postgres_url: str, tmp_path: Path, new_house: Callable[..., HouseProcess]
) -> None:
    """It wakes up with orders in hand that another one has resolved meanwhile; sent again they would be doubled."""
    settings = {"DATABASE_URL": postgres_url}
    with ExchangeProcess(tmp_path / "exchange") as exchange:
        one, two = new_house(settings=settings).start(), new_house(settings=settings)
        account_id = add_account(one, exchange, FUTURES, FUTURES)
        hook = new_hook(one, account_id=account_id)["path"]
        two.data.mkdir(parents=True)
        shutil.copy(one.data / KEY_FILE, two.data / KEY_FILE)
        shutil.copy(one.data / "first-steps.json", two.data / "first-steps.json")
        eventually(lambda: one.send(dict(BUY, alert_id=fresh()), hook).status_code == 200, "the first is taken")
        eventually(lambda: exchange.orders(FUTURES), "it stands at the exchange")
        two.start()

        exchange.control("POST", "settings", {"latencyMs": [150, 150]})
        alerts = [dict(BUY, alert_id=fresh()) for _ in range(20)]
        acknowledged = _sent_until_stopped(one, hook, alerts)
        assert acknowledged, "it had something in hand"

        for body in alerts:  # their senders heard nothing, or heard a yes: both send again
            eventually(lambda body=body: two.send(body, hook).status_code == 200, "the other one takes it", PATIENCE_S)
        eventually(lambda: _bought(exchange) == 21, "each alert is one order", PATIENCE_S)
        os.kill(one.pid, signal.SIGCONT)
        time.sleep(4)

        agree(two, exchange, FUTURES, account_id)
        assert _bought(exchange) == 21
        assert {Decimal(each["executedQty"]) for each in exchange.orders(FUTURES)} == {Decimal("0.002")}
        made = {each["client_order_id"] for each in two.orders(account=account_id)}
        assert {each["clientOrderId"] for each in exchange.orders(FUTURES)} <= made
        assert one.send(dict(BUY, alert_id=fresh()), hook).status_code == 200
        eventually(lambda: _bought(exchange) == 22, "what it decides now, the other one sends", PATIENCE_S)


def _sent_until_stopped(house: HouseProcess, hook: str, alerts: list[dict[str, Any]]) -> int:
    """Send alerts, and stop the house in the middle of them; returns how many it had acknowledged."""

    def deliver(alert: dict[str, Any]) -> bool:
        try:
            return httpx.post(
                house.url + hook,
                params={"wait_ms": 0},
                content=json.dumps(alert),
                trust_env=False,
                timeout=5,
                verify=NO_TLS,
            ).is_success
        except httpx.TransportError:
            return False

    with ThreadPoolExecutor(len(alerts)) as pool:
        sent = [pool.submit(deliver, alert) for alert in alerts]
        eventually(lambda: any(one.done() for one in sent), "something is acknowledged")
        os.kill(house.pid, signal.SIGSTOP)
        return sum(one.result() for one in sent)


def _bought(exchange: ExchangeProcess) -> int:
    return len([one for one in exchange.orders(FUTURES) if one["side"] == "BUY"])
