"""What the record costs for one alert that becomes a filled order: processor, disk and rows.

    python -m tests.speed.recording    measures alone; `make bench` does it too

A whole house in this process, stepped; timed by the processor's clock are the two calls that make rows of what happened
and append them to their chain. What rules keep of their questions is a tuple until then.
"""

import json
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import func, select

from pilothouse.execution import send
from pilothouse.jobs.dispatch import Dispatcher
from pilothouse.kit import commits
from pilothouse.kit.chain import Chains, Line
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Tx
from pilothouse.kit.tables import records
from pilothouse.kit.transaction import Happening
from pilothouse.migrations.migrate import migrate
from tests.stepped import Stepped

ALERTS, WARM_UP = 1_000, 200

Add = Callable[[str, float, str, str], None]


class _Timed:
    """Adds up the processor seconds of the calls that make the record; `undo` takes it out again."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._lines_of, self._append = vars(commits)["lines_of"], Chains.append
        timed = self

        def lines_of(happened: Iterable[Happening]) -> Any:
            return timed.run(timed._lines_of, happened)

        def append(self: Chains, tx: Tx, lines: Sequence[Line], now: datetime) -> Any:
            return timed.run(timed._append, self, tx, lines, now)

        vars(commits)["lines_of"] = lines_of
        Chains.append = append  # type: ignore[method-assign]  # for as long as it is measured

    def run(self, work: Callable[..., Any], *args: Any) -> Any:
        begun = time.thread_time()
        try:
            return work(*args)
        finally:
            self.seconds += time.thread_time() - begun

    def undo(self) -> None:
        vars(commits)["lines_of"] = self._lines_of
        Chains.append = self._append  # type: ignore[method-assign]  # as above


def measure(add: Add) -> None:
    """Measure and hand the figures to `add`: name, figure, unit, aim."""
    clock = FrozenClock(datetime(2026, 1, 5, 12, tzinfo=UTC))
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/pilothouse.db"
        migrate(url, backup_to=None, clock=clock)
        stepped = Stepped(Path(folder) / "data", url, clock).open()
        dispatcher = Dispatcher(stepped.house)
        for number in range(WARM_UP):
            _alert(stepped, dispatcher, number)
        before, timed, spans = _kept(stepped), _Timed(), []
        try:
            for number in range(WARM_UP, WARM_UP + ALERTS):
                begun = timed.seconds
                _alert(stepped, dispatcher, number)
                spans.append(timed.seconds - begun)
        finally:
            timed.undo()
        rows, size = (after - was for after, was in zip(_kept(stepped), before, strict=True))
        assert len([order for order in stepped.orders() if order.state == "filled"]) == WARM_UP + ALERTS
        stepped.die()
    add("the record, processor for an alert to its fill, mean", statistics.mean(spans) * 1_000, "ms", "")
    add("  median", statistics.median(spans) * 1_000, "ms", "")
    add("  written for it", size / ALERTS / 1_000, "kB", "")
    add("  rows for it", rows / ALERTS, "rows", "")


def _alert(stepped: Stepped, dispatcher: Dispatcher, number: int) -> None:
    """Take one alert, send its order, and do what follows, once each."""
    side = "BUY" if number % 2 == 0 else "SELL"
    body = {"action": "open", "symbol": "BTCUSDT", "side": side, "quantity": "0.010", "alert_id": f"n{number}"}
    stepped.send(json.dumps(body).encode())
    desk = stepped.house.desk
    while desk.lanes.work_once(lambda batch: send.send_batch(desk, batch)) or dispatcher.run_due():
        pass
    stepped.clock.advance(0.01)
    assert stepped.house.paper is not None, "a house with a paper venue"
    if number % 100 == 0:
        stepped.house.paper.step(stepped.clock.now())


def _kept(stepped: Stepped) -> tuple[int, int]:
    """Return how many rows the record has, and how many bytes their texts."""
    query = select(func.count(), func.sum(func.length(records.c.body)))
    row = stepped.house.database.read(lambda tx: tx.execute(query).one())
    return int(row[0]), int(row[1] or 0)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    measure(lambda name, figure, unit, aim: print(f"  {name:<58} {figure:>10,.3f} {unit:<10} {aim}"))
