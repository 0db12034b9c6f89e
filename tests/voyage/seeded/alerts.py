"""What is sent to the house on a voyage, and what its sender was told: who hears nothing sends again.

Each alert for a single order asks for a size that no other asks for, so that an order at the exchange tells by its size
alone which alert it is for, without a word of our books.
"""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pilothouse.fleet.inbox import Door
from pilothouse.simulation.contracts import CONTRACTS
from pilothouse.simulation.division import divided_even
from tests.voyage.seeded.chance import Chance
from tests.voyage.seeded.worlds import LADDER, PLAIN, TRAILING

ORDERS, PROTECTED, STRATEGY = "orders", "protected", "strategy"
LANES: Mapping[str, tuple[str, Decimal]] = {
    kind: (symbol, CONTRACTS[symbol].instrument.lot)
    for kind, symbol in ((ORDERS, "BTCUSDT"), (PROTECTED, "ETHUSDT"), (STRATEGY, "SOLUSDT"))
}
"""By what is asked for, single orders, single orders with protection, or a position: the instrument and its lot."""

KIND_OF = {symbol: kind for kind, (symbol, _) in LANES.items()}
_LOTS_MOST = 400
_SOLD_MOST, _BOUGHT_MOST = 60, 200
"""Of coins: any purchase is more than any sale, so that mostly there is enough to sell."""
_TARGET_STEP, _TARGETS = 10, 6
"""Positions are whole multiples of so many lots: the difference of two of them is above the venue's minimum."""


@dataclass
class Alert:
    """One alert.

    lots         of its order, above zero; of a strategy: the position that shall be, signed
    side         BUY, SELL, or empty for a strategy
    due          when it is sent next, seconds of the sea
    is_answered  whether the sender knows that it was taken
    is_script    whether its sender sends it again after silence; TradingView never does
    is_given_up  whether the sender stopped sending it, and does not know whether it was taken
    heard        which delivery was answered last, or waited for in vain
    refused      why it never will be; empty: it may
    """

    number: int
    kind: str
    symbol: str
    lots: int
    side: str
    body: bytes
    door: Door
    due: float
    attempts: int = 0
    is_answered: bool = False
    is_script: bool = True
    is_given_up: bool = False
    heard: int = 0
    refused: str = ""
    signal_ids: set[str] = field(default_factory=set)

    @property
    def may_come_again(self) -> bool:
        """Say whether its sender may send it once more, or waits for the answer to what it sent."""
        return self.due < float("inf") or self.heard < self.attempts


def drawn(
    chance: Chance, count: int, within_s: float, protection: str = PLAIN, *, is_spot: bool = False
) -> list[Alert]:
    """Return so many alerts, sent at instants within so many seconds, oldest first.

    protection   what they ask for
    is_spot      nothing is asked for that would be sold without being held
    """
    source = chance.of("alerts")
    bought = range(_SOLD_MOST, _BOUGHT_MOST) if is_spot else range(20, _LOTS_MOST)
    sizes = {kind: source.sample(bought, count) for kind in (ORDERS, PROTECTED)}
    sold = {kind: source.sample(range(20, _SOLD_MOST), count) for kind in sizes} if is_spot else sizes
    held = dict.fromkeys((ORDERS, PROTECTED), 0)
    instants = sorted(source.uniform(1.0, within_s) for _ in range(count))
    alerts = []
    for number, due in enumerate(instants):
        kind = source.choice(list(LANES))
        symbol, lot = LANES[kind]
        body: dict[str, Any] = {"symbol": symbol}
        if source.random() < 0.5:
            body["alert_id"] = f"voyage-{number}"
        else:
            body["comment"] = f"alert {number}"  # bodies differ, as those of TradingView do by their times
        side = ""
        if kind == STRATEGY:
            lots = _TARGET_STEP * source.randint(0 if is_spot else -_TARGETS, _TARGETS)
            body |= {"position_size": str(lot * lots), "order_action": "buy", "contracts": "1"}
        else:
            if is_spot:
                side = "SELL" if held[kind] >= 2 * _SOLD_MOST and source.random() < 0.5 else "BUY"
            else:
                side = "BUY" if held[kind] < 0 or (held[kind] == 0 and source.random() < 0.5) else "SELL"
            lots = (sizes if side == "BUY" else sold)[kind][number]
            held[kind] += lots if side == "BUY" else -lots
            body |= {"action": "open", "side": side, "quantity": str(lot * lots)}
            if kind == ORDERS and source.random() < 0.25:
                body |= {"order_type": "LIMIT", "price": str(_limit(source.choice((-1, 1, 3)), symbol, side))}
        if kind == PROTECTED and side == "SELL" and is_spot:
            body["action"] = "decrease"
            del body["side"]
        elif kind == PROTECTED:
            body |= _GUARDS[protection](source)
        door = Door.STRATEGY if kind == STRATEGY else Door.ORDER
        alerts.append(Alert(number, kind, symbol, lots, side, json.dumps(body).encode(), door, due))
    return alerts


def _plain(source: random.Random) -> dict[str, Any]:
    found = {"stop_loss": source.choice(["1%", "3%", "20%"])}
    return found | ({"take_profit": source.choice(["1%", "2%", "10%"])} if source.random() < 0.6 else {})


def _trailing(source: random.Random) -> dict[str, Any]:
    return {"trailing_stop": source.choice(["2%", "5%", "5%"])}


def _ladder(source: random.Random) -> dict[str, Any]:
    first, second = source.choice([("0.3", "1"), ("0.5", "2"), ("1", "3")])
    targets = [{"percent": first, "share": "30"}, {"percent": second, "share": "50"}, {"percent": "10"}]
    found: dict[str, Any] = {"stop_loss": source.choice(["1%", "3%"]), "take_profits": targets}
    return found | ({"break_even_after": 1} if source.random() < 0.5 else {})


_GUARDS: Mapping[str, Callable[[random.Random], dict[str, Any]]] = {
    PLAIN: _plain,
    TRAILING: _trailing,
    LADDER: _ladder,
}


def _limit(permille: int, symbol: str, side: str) -> Decimal:
    """Return a price a little better than where the market begins (below zero: worse, so that it trades at once)."""
    contract = CONTRACTS[symbol]
    away = divided_even(contract.start_ticks * permille, 1_000)
    return contract.instrument.tick * (contract.start_ticks + (-away if side == "BUY" else away))
