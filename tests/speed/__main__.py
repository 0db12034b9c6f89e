"""How quick the house is: `make bench` runs it for real and prints figures next to the floor of this very machine.

A `pilothouse up` with a data directory of its own, alerts from another process over loopback, what came of them read
from the files afterwards. Nothing is asserted: a figure is looked at, and compared with the ones of another day on the
same machine (bench-results/latest.json).
"""

import gc
import json
import logging
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import structlog

from tests.house_process import HouseProcess
from tests.speed import (
    aster,
    backtest,
    backtest_command,
    backtest_turns,
    candles,
    ccxt_orders,
    floor,
    ladders,
    portfolio,
    reconciling,
    record,
    recording,
    simexchange_orders,
    stream_to_book,
    sweep,
)
from tests.speed.load import Plan

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "bench-results" / "latest.json"

IDLE_S = 5.0
WARM_UP = 200
BACKLOG_SECONDS_MAX = 60.0
BURST_S = 10.0
BURST_MOST = 40_000
LONG_RUN = 20_000
LONG_RUN_STEP = 5_000


@dataclass
class Figures:
    """What was measured, in the order in which it is printed: (name, figure, unit, aim)."""

    rows: list[tuple[str, float, str, str]] = field(default_factory=list)

    def add(self, name: str, figure: float, unit: str, aim: str = "") -> None:
        """Keep a figure, and print it at once."""
        self.rows.append((name, figure, unit, aim))
        print(f"  {name:<58} {figure:>10,.2f} {unit:<10} {aim}", flush=True)

    def figure(self, name: str) -> float:
        """Return a figure that was kept; 0 if there is none of this name."""
        return next((figure for each, figure, _, _ in self.rows if each == name), 0.0)

    def write(self) -> None:
        """Write all of them to bench-results/latest.json."""
        RESULTS.parent.mkdir(exist_ok=True)
        machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
        found = [dict(zip(("name", "figure", "unit", "aim"), row, strict=True)) for row in self.rows]
        RESULTS.write_text(json.dumps({"machine": machine, "figures": found}, indent=2) + "\n", "utf-8")


@dataclass(frozen=True)
class Run:
    """What became of one plan.

    acknowledged   alerts answered with 200
    seconds        from the first alert to the last answer
    backlog_s      from the last answer until nothing was under way any more; what was waited for at most, if it was
    cpu_s          what the house used, until nothing was under way
    """

    plan: Plan
    sent: list[tuple[int, int, int, int]]
    acknowledged: int
    unanswered: int
    seconds: float
    backlog_s: float
    cpu_s: float
    sender_cpu_s: float

    @property
    def answer_ms(self) -> list[float]:
        """Return how long each answer took."""
        return [(answered - begun) / 1_000 for _, begun, answered, _ in self.sent]


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share of them lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def run(house: HouseProcess, plan: Plan) -> Run:
    """Send a plan from another process and wait until nothing is under way any more."""
    cpu = record.cpu_s(house.pid)
    sender = subprocess.run(
        [sys.executable, "-m", "tests.speed.load"],
        input=json.dumps(asdict(plan)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=ROOT,
    )
    told: dict[str, Any] = json.loads(sender.stdout)
    waited = time.monotonic()
    while record.backlog(house.data) and time.monotonic() - waited < BACKLOG_SECONDS_MAX:
        time.sleep(0.05)
    sent = [(number, begun, answered, status) for number, begun, answered, status in told["sent"]]
    last = max(answered for _, _, answered, _ in sent)
    return Run(
        plan=plan,
        sent=sent,
        acknowledged=sum(status == 200 for *_, status in sent),
        unanswered=told["unanswered"],
        seconds=(last - min(begun for _, begun, _, _ in sent)) / 1e6,
        backlog_s=time.monotonic() - waited,
        cpu_s=record.cpu_s(house.pid) - cpu,
        sender_cpu_s=told["cpu_s"],
    )


def _at_venues(figures: Figures) -> None:
    print("\n  The adapter for AsterDEX, against somebody who answers without thinking\n")
    aster.measure(figures.add)
    # What all parts of the bench have loaded is no house's: a collection that walks through it takes 0.2 s of a figure.
    gc.collect()
    gc.freeze()
    stream_to_book.measure(figures.add)
    reconciling.measure(figures.add)
    recording.measure(figures.add)
    print("\n  Binance through ccxt, against the same\n")
    ccxt_orders.measure(figures.add, figures.figure("aster: an order, processor"))
    print("\n  The simulated exchange, so that load tests measure who trades\n")
    simexchange_orders.measure(figures.add)


def _on_house(figures: Figures) -> None:
    with tempfile.TemporaryDirectory(prefix="pilothouse-bench-") as name:
        place = Path(name)
        print("\n  The floor: one fsynced SQLite commit and one POST over loopback\n")
        hurried, paced = floor.measure(place, 0), floor.measure(place, floor.PACE_S)
        figures.add("floor, one after the other, p50", quantile(hurried, 0.5), "ms")
        figures.add("floor, at the pace of the alerts, p50", quantile(paced, 0.5), "ms")
        figures.add("floor, at the pace of the alerts, p99", quantile(paced, 0.99), "ms")
        _add_yardstick(figures)
        with HouseProcess(place / "house") as house:
            _bench(house, figures, hurried, paced)


def _burst_alone(figures: Figures) -> None:
    with tempfile.TemporaryDirectory(prefix="pilothouse-bench-") as name, HouseProcess(Path(name) / "house") as house:
        house.start()
        _open_wide(house)
        _burst(house, figures)


PARTS: dict[str, Callable[[Figures], None]] = {
    "venues": _at_venues,
    "candles": lambda figures: candles.measure(figures.add),
    "backtest": lambda figures: backtest.measure(figures.add),
    "portfolio": lambda figures: portfolio.measure(figures.add),
    "sweep": lambda figures: sweep.measure(figures.add),
    "ladders": lambda figures: ladders.measure(figures.add),
    "turns": lambda figures: backtest_turns.measure(figures.add),
    "command": lambda figures: backtest_command.measure(figures.add),
    "house": _on_house,
}
"""What can be measured, in order; `python -m tests.speed sweep portfolio` measures these alone."""

PIECES: dict[str, Callable[[Figures], None]] = {"burst": _burst_alone}
"""Pieces of a part that are measured alone where they are asked for by name."""


def main(wanted: Sequence[str]) -> None:
    """Measure and print what is wanted; without a name everything, which is kept then."""
    known = PARTS | PIECES
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise SystemExit(f"there is no {', '.join(unknown)} to be measured; there are: {', '.join(known)}")
    # What runs inside of this process would log each order between the figures.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    figures = Figures()
    for name, measure in known.items():
        if name in wanted or (not wanted and name in PARTS):
            print(f"\n  {name}\n", flush=True)
            measure(figures)
    if not wanted:
        figures.write()
        print(f"\n  Written to {RESULTS.relative_to(ROOT)}\n")


def _add_yardstick(figures: Figures) -> None:
    taken, share = floor.yardstick()
    figures.add("yardstick: a fixed piece of Python", taken, "ms")
    figures.add("  of a processor, it got", share, "%", "100: nobody else is at work")


def _bench(house: HouseProcess, figures: Figures, hurried: list[float], paced: list[float]) -> None:
    print("\n  At rest\n")
    figures.add("first start, until ready", house.start().ready_after_s, "s", "aim 5")
    house.stop()
    figures.add("later start, until ready", house.start().ready_after_s, "s", "aim 5")
    cpu = record.cpu_s(house.pid)
    time.sleep(IDLE_S)
    figures.add("memory, idle", record.resident_mb(house.pid), "MB", "aim < 250")
    figures.add("processor, idle", (record.cpu_s(house.pid) - cpu) / IDLE_S * 100, "%")
    _open_wide(house)

    _evenly(house, figures, hurried, paced)
    _at_once(house, figures)
    _burst(house, figures)
    _for_long(house, figures)


def _open_wide(house: HouseProcess) -> None:
    """Let the hook take more than the 1,000 alerts a second that it begins with, and get warm."""
    hook = house.get("/api/v1/hooks")["items"][0]["id"]
    answer = house.ask("PATCH", f"/api/v1/hooks/{hook}", body={"rate_per_s": 100_000})
    assert answer.is_success, answer.text
    run(house, _plan(house, "warm", connections=8, alerts=WARM_UP, seconds=10))


def _plan(house: HouseProcess, name: str, *, wait_ms: int | None = None, **how: Any) -> Plan:
    path = house.hook_path if wait_ms is None else f"{house.hook_path}?wait_ms={wait_ms}"
    return Plan(name=name, port=house.port, path=path, **how)


def _evenly(house: HouseProcess, figures: Figures, hurried: list[float], paced: list[float]) -> None:
    print("\n  20 alerts a second, for 20 seconds\n")
    done = run(house, _plan(house, "even", connections=4, alerts=400, seconds=30, per_second=20))
    made = record.made(house.data, "even")
    on_wire = [(at - begun) / 1_000 for number, begun, _, _ in done.sent if (at := made[number].at_venue) is not None]
    inside = [(each.at_venue - each.received_at) / 1_000 for each in made.values() if each.at_venue is not None]
    p50, p99 = quantile(on_wire, 0.5), quantile(on_wire, 0.99)
    # The sender's last byte is the sender's own stamp, the order's arrival the venue's: nothing in between is left out.
    figures.add("alert's last byte sent, to its order at the venue, p50", p50, "ms")
    figures.add("  as a multiple of the floor at this pace", p50 / quantile(paced, 0.5), "x", "aim 3")
    figures.add("  as a multiple of the floor one after the other", p50 / quantile(hurried, 0.5), "x")
    figures.add("alert's last byte sent, to its order at the venue, p99", p99, "ms")
    figures.add("  as a multiple of the floor at this pace", p99 / quantile(paced, 0.99), "x")
    figures.add("alert received, to its order at the venue, p50", quantile(inside, 0.5), "ms")
    figures.add("alert's last byte sent, to the answer that it filled, p50", quantile(done.answer_ms, 0.5), "ms")
    figures.add("alert's last byte sent, to the answer that it filled, p99", quantile(done.answer_ms, 0.99), "ms")
    figures.add("processor for each alert", done.cpu_s / len(done.sent) * 1_000, "ms")


def _at_once(house: HouseProcess, figures: Figures) -> None:
    print("\n  1,000 alerts within one second\n")
    done = run(house, _plan(house, "once", connections=400, alerts=1_000, seconds=20, per_second=1_000))
    made = record.made(house.data, "once")
    figures.add("acknowledged", done.acknowledged, "alerts", "aim 1,000")
    figures.add("from the first alert to the last answer", done.seconds, "s", "aim 3")
    figures.add("from the first alert until nothing is under way", done.seconds + done.backlog_s, "s", "aim 10")
    figures.add("alerts with exactly one order", sum(each.orders == 1 for each in made.values()), "alerts", "aim 1,000")
    figures.add("orders filled", sum(each.filled for each in made.values()), "orders", "aim 1,000")
    figures.add("processor for each alert", done.cpu_s / max(1, done.acknowledged) * 1_000, "ms")


def _burst(house: HouseProcess, figures: Figures) -> None:
    for title, name, wait_ms in (
        ("64 connections for 10 seconds, answered once stored and decided (wait_ms=0)", "burst", 0),
        ("64 connections for 10 seconds, answered once filled (the default)", "waits", None),
    ):
        print(f"\n  {title}\n")
        _add_yardstick(figures)
        plan = _plan(house, name, wait_ms=wait_ms, connections=64, alerts=BURST_MOST, seconds=BURST_S)
        done = run(house, plan)
        figures.add("acknowledged a second", done.acknowledged / done.seconds, "alerts/s", "aim 500, then 1,500")
        figures.add("acknowledged", done.acknowledged, "alerts")
        figures.add("  of them in the database", record.stored(house.data, name), "alerts", "all")
        made = record.made(house.data, name)
        figures.add("  of them with exactly one order", sum(each.orders == 1 for each in made.values()), "alerts")
        figures.add("refused or unanswered", len(done.sent) - done.acknowledged + done.unanswered, "alerts", "none")
        figures.add("answer, p50", quantile(done.answer_ms, 0.5), "ms")
        figures.add("answer, p99", quantile(done.answer_ms, 0.99), "ms")
        figures.add("backlog gone after", done.backlog_s, "s", "aim 60")
        figures.add("processor for each alert, socket to filled", done.cpu_s / done.acknowledged * 1_000, "ms", "aim 3")
        figures.add("processor of the sender, for each alert", done.sender_cpu_s / done.acknowledged * 1_000, "ms")


def _for_long(house: HouseProcess, figures: Figures) -> None:
    print("\n  Memory, as alerts go on\n")
    for step in range(LONG_RUN // LONG_RUN_STEP):
        name = f"long{step}"
        run(house, _plan(house, name, wait_ms=0, connections=64, alerts=LONG_RUN_STEP, seconds=30))
        figures.add(f"memory after {(step + 1) * LONG_RUN_STEP:,} more alerts", record.resident_mb(house.pid), "MB")


if __name__ == "__main__":
    main(sys.argv[1:])
