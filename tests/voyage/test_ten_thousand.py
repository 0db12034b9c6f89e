"""Thousands of random alerts, some of them sent again, against a simple exact model of what the position must be."""

import json
import random
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from pilothouse.fleet.answer import AnswerState
from pilothouse.fleet.inbox import Door
from tests.stepped import Stepped

LOTS = {"BTCUSDT": Decimal("0.001"), "ETHUSDT": Decimal("0.01"), "SOLUSDT": Decimal("0.1")}
MOST = 20
"""Lots held at most, so that margin never runs out."""


@dataclass
class Model:
    """What must be true, in a few lines: lots by symbol."""

    lots: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LOTS, 0))

    def hear(self, symbol: str, kind: str, lots: int) -> bool:
        """Change the position as the alert asks; say whether it asked for an order."""
        held = self.lots[symbol]
        sign = (held > 0) - (held < 0)
        match kind:
            case "buy" | "sell":
                after = held + (lots if kind == "buy" else -lots)
            case "increase":
                after = held + sign * lots
            case "decrease":
                after = held - sign * lots if lots <= abs(held) else held
            case "close":
                after = 0
            case _:
                after = lots
        self.lots[symbol] = after
        return after != held


def _alert(chance: random.Random, model: Model) -> tuple[dict[str, str], str, str, int]:
    """Return a random alert, and (symbol, kind, lots) as the model hears it."""
    symbol = chance.choice(list(LOTS))
    held = model.lots[symbol]
    kind = chance.choice(["buy", "sell", "increase", "decrease", "close", "target", "target", "target"])
    lots = chance.randint(1, 5)
    if kind == "target":
        lots = chance.choice([0, chance.randint(-MOST, MOST)])
    if kind in {"buy", "sell", "increase"} and abs(held) + lots > MOST:
        kind = "close"
    quantity = str(LOTS[symbol] * lots)
    spelled = chance.choice([symbol, f"{symbol}.P", f"BINANCE:{symbol}.P", symbol.lower()])
    if kind == "target":
        return (
            {"order_action": "buy", "symbol": spelled, "contracts": "1", "position_size": quantity},
            symbol,
            kind,
            lots,
        )
    if kind in {"buy", "sell"}:
        return {"action": "open", "side": kind, "symbol": spelled, "quantity": quantity}, symbol, kind, lots
    return {"action": kind, "symbol": spelled, "quantity": quantity}, symbol, kind, lots


def _play(house: Stepped, count: int, seed: int) -> None:
    chance = random.Random(seed)
    model, orders = Model(), 0
    sent: list[bytes] = []
    for number in range(count):
        if sent and chance.random() < 0.1:
            again = house.send(chance.choice(sent[-500:]))
            assert again.duplicate
        fields, symbol, kind, lots = _alert(chance, model)
        body = json.dumps({"alert_id": str(number), **fields}).encode()
        held = model.lots[symbol]
        flips = kind == "target" and held * lots < 0
        if flips and any(waiting == (house.account.id, symbol) for waiting in house.waiting()):
            house.run()  # the flip before is in the middle: what comes now would rightly supersede it
        orders += model.hear(symbol, kind, lots) + flips
        taken = house.send(body, Door.HOOK)
        assert not taken.duplicate
        if taken.signal.http_status == 200:
            sent.append(body)
        if flips or chance.random() < 0.3:
            house.run()
        if chance.random() < 0.02:
            house.pass_time(0.5)
        if number % 500 == 0 or number == count - 1:
            house.run()
            held_now = {name: house.position(name) for name in LOTS}
            assert held_now == {name: lot * model.lots[name] for name, lot in LOTS.items()}, number
    assert len(house.orders()) == orders
    assert {name: house.venue_position(name) for name in LOTS} == {name: house.position(name) for name in LOTS}
    assert house.drift() == []
    assert all(house.outcome(order.signal_id or "").state is AnswerState.FILLED for order in house.orders()[-50:])


@pytest.mark.timeout(600)
def test_thousands_of_alerts_end_where_a_simple_model_says(stepped: Stepped, dialect: str) -> None:
    """Opens, adds, reductions, closes, targets and flips, batched as they come; every order exactly once."""
    _play(stepped, 2_500 if dialect == "sqlite" else 500, seed=20260105)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("seed", range(3))
def test_ten_thousand_alerts_end_where_a_simple_model_says(seed: int, stepped: Stepped) -> None:
    """The same for longer: memory, pages and counters have time to go wrong."""
    _play(stepped, 10_000, seed)
