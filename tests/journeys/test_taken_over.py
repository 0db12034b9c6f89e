"""The process that listens to an account is killed: another one takes over, and books what happened meanwhile."""

import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pilothouse.wiring.sealing_key import KEY_FILE
from tests.exchange_process import FUTURES, ExchangeProcess, add_account, agree
from tests.house_process import HouseProcess, eventually, fresh
from tests.journeys.wire import new_hook

pytestmark = [pytest.mark.postgres, pytest.mark.soak, pytest.mark.timeout(300)]

BUY = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010", "stop_loss": "5%"}
WITHIN_S = 90.0


def test_a_stream_whose_holder_was_killed_is_taken_over_with_what_happened_meanwhile(
    postgres_url: str, tmp_path: Path, new_house: Callable[..., HouseProcess]
) -> None:
    """A stop that fills while nobody listens is a position that is gone; so is the next alert's starting point."""
    with ExchangeProcess(tmp_path / "exchange") as exchange:
        one, two = (new_house(settings={"DATABASE_URL": postgres_url}) for _ in range(2))
        one.start()
        account_id = add_account(one, exchange, FUTURES, FUTURES)
        hook = new_hook(one, account_id=account_id)["path"]
        two.data.mkdir(parents=True)
        for name in (KEY_FILE, "first-steps.json"):
            shutil.copy(one.data / name, two.data / name)
        _filled(one, hook, BUY)
        eventually(lambda: len(exchange.standing(FUTURES)) == 1, "its stop stands")
        two.start()

        one.kill()
        exchange.control("POST", "price", {"symbol": "BTCUSDT", "price": str(_bought_at(exchange) * Decimal("0.9"))})
        eventually(lambda: len(exchange.fills(FUTURES)) == 2, "the stop fills while nobody listens")
        assert two.get(f"/api/v1/accounts/{account_id}")["stream"]["compared_at"] is not None
        assert len(two.pages("/api/v1/fills", account=account_id)) == 1, "nobody has heard of it"

        agree(two, exchange, FUTURES, account_id, WITHIN_S)
        assert two.pages("/api/v1/positions", account=account_id) == []
        eventually(lambda: _stream(two, account_id) == "live", "the account is heard again", WITHIN_S)
        _filled(two, hook, BUY)
        eventually(lambda: [held for _, held, _ in exchange.standing(FUTURES)] == [Decimal("0.010")], "a new stop")
        agree(two, exchange, FUTURES, account_id, WITHIN_S)


def _stream(house: HouseProcess, account_id: str) -> str:
    return str(house.get(f"/api/v1/accounts/{account_id}")["stream"]["state"])


def _bought_at(exchange: ExchangeProcess) -> Decimal:
    return Decimal(exchange.fills(FUTURES)[0]["price"]).quantize(Decimal(1))


def _filled(house: HouseProcess, hook: str, alert: dict[str, Any]) -> None:
    body = dict(alert, alert_id=fresh())
    eventually(lambda: house.send(body, hook).status_code == 200, "the alert is taken", WITHIN_S)
    signal_id = house.send(body, hook).json()["signal_id"]
    assert house.settle(signal_id, WITHIN_S)["outcome"] == "filled"
