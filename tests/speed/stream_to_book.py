"""From the exchange's fill to our books: a whole house at a simulated exchange on this machine.

    python -m tests.speed.stream_to_book    measures alone; `make bench` does it too

The exchange stamps a fill in whole milliseconds when it happens, and the house tells it once it is durable. Both run in
one process here and share its interpreter, so the figure is an upper one.
"""

import logging
import statistics
import tempfile
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import structlog

from pilothouse.core.facts import FactKind, StampedFact
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.execution.trader import Trader
from pilothouse.fleet import manual
from pilothouse.fleet.manual import Ticket
from tests.living import Living, within
from tests.slices.simexchange.sim_house import WALLET, RunningExchange

FILLS = 120
WARM = 20

Add = Callable[[str, float, str, str], None]


def measure(add: Add) -> None:
    """Measure and hand both figures to `add`: name, figure, unit, aim."""
    with RunningExchange(profile="aster") as exchange, tempfile.TemporaryDirectory() as folder:
        exchange.control("POST", "accounts", wallet=WALLET)
        with Living(Path(folder), f"sqlite:///{folder}/pilothouse.db", exchange.base) as living:
            spans = sorted(_spans(living)[WARM:])
    add("a fill at the exchange, to its commit in the books, p50", statistics.median(spans), "ms", "aim < 50")
    add("a fill at the exchange, to its commit in the books, p99", spans[int(len(spans) * 0.99)], "ms", "aim < 50")


def _spans(living: Living) -> list[float]:
    """Return milliseconds for each fill, in their order."""
    assert within(20, living.is_heard), "the exchange answers"
    living.house.venues[living.key].follow(["BTCUSDT"])
    assert within(20, lambda: living.house.quotes.all(living.key)), "it has prices"
    booked, spans = threading.Event(), []

    def hear(facts: Sequence[StampedFact]) -> None:
        for each in facts:
            if each.fact.kind is FactKind.FILL_BOOKED:
                at = datetime.fromisoformat(str(each.fact.payload["at"]))
                spans.append((living.house.clock.now() - at).total_seconds() * 1_000)
                booked.set()

    unsubscribe = living.house.database.bell.subscribe(hear)
    house, trader = living.house, Trader.of(living.account)
    for number in range(FILLS):
        booked.clear()
        side = Side.SELL if number % 2 else Side.BUY
        ticket = Ticket(
            "BTCUSDT", side, OrderType.MARKET, Decimal("0.001"), None, None, TimeInForce.GTC, reduce_only=False
        )
        house.database.write(
            lambda tx, ticket=ticket: manual.place(tx, house.desk, trader, ticket, by="bench"),  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            name="manual",
        )
        assert booked.wait(20), "every order is filled"
    unsubscribe()
    return spans


def _say(name: str, figure: float, unit: str, aim: str) -> None:
    print(f"{name:60} {figure:10.2f} {unit:4} {aim}")


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    measure(_say)
