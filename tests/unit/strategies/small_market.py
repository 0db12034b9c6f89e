"""A small honest market for strategies that take turns: it fills what the price reaches, in whole lots, and says so."""

import json
import random
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pilothouse.strategies.parameters import Params, resolve
from pilothouse.strategies.registry import BUILT_IN
from pilothouse.strategies.sdk import Bar, Filled, Turn, Turns, Want

LOT = Decimal("0.001")


@dataclass
class Venue:
    """Fills resting orders where the price goes, cut to whole lots, in parts if asked; a small honest market."""

    strategy: Turns
    params: Params
    parts: int = 1
    orders: dict[str, Want] = field(default_factory=dict)
    held: Decimal = Decimal(0)
    state: dict[str, Any] = field(default_factory=dict)
    fills: list[Filled] = field(default_factory=list)
    clock: int = 0

    def __post_init__(self) -> None:
        """Begin, and keep the state as a file would."""
        self.state = json.loads(json.dumps(self.strategy.begin(self.params)))

    def tell(self, happening: Bar | Filled) -> Turn:
        """Let the strategy take a turn, and take over its orders."""
        turn = self.strategy.decide(self.state, happening, self.params)
        assert turn == self.strategy.decide(json.loads(json.dumps(self.state)), happening, self.params)
        self.state = json.loads(json.dumps(turn.state))
        for key in turn.cancels:
            self.orders.pop(key, None)
        for want in turn.wants:
            self.orders[want.key] = want
        return turn

    def go(self, price: Decimal) -> None:
        """Move the price there, fill what it reaches, and close a bar."""
        self.clock += 60_000
        for _ in range(200):
            reached = next((want for want in self.orders.values() if self._reached(want, price)), None)
            if reached is None:
                break
            self._fill(reached, price)
        self.tell(Bar("BTCUSDT", self.clock - 60_000, self.clock, price, price, price, price, Decimal(1)))

    def _reached(self, want: Want, price: Decimal) -> bool:
        if want.stop is not None:
            return price <= want.stop
        if want.price is None:
            return True
        return price <= want.price if want.quantity > 0 else price >= want.price

    def _fill(self, want: Want, price: Decimal) -> None:
        whole = want.quantity
        if want.reduce_only:
            whole = -min(-whole, self.held)
        part = (whole / self.parts / LOT).to_integral_value(rounding="ROUND_DOWN") * LOT
        part = part or (whole / LOT).to_integral_value(rounding="ROUND_DOWN") * LOT
        left = want.quantity - part
        if abs(left) < LOT or part == 0 or want.stop is not None:
            self.orders.pop(want.key)
            part = (whole / LOT).to_integral_value(rounding="ROUND_DOWN") * LOT if want.stop is not None else part
        else:
            self.orders[want.key] = Want(want.key, want.symbol, left, want.price, want.stop, want.reduce_only)
        if part == 0:
            return
        self.held += part
        at = want.price if want.price is not None else price
        fill = Filled(want.key, want.symbol, part, at, self.clock)
        self.fills.append(fill)
        self.tell(fill)


def venue(name: str, parts: int = 1, **chosen: Any) -> Venue:
    """Return a market for a strategy."""
    strategy = BUILT_IN[name].strategy
    assert isinstance(strategy, Turns)
    return Venue(strategy, resolve(strategy.parameters, chosen), parts)


def prices(seed: int, count: int, swing: int) -> list[Decimal]:
    """Return a random walk near 100."""
    chance = random.Random(seed)
    price = 10_000
    path = []
    for _ in range(count):
        price = max(2_000, price + price * chance.randint(-swing, swing) // 10_000)
        path.append(Decimal(price) / 100)
    return path
