"""One machine: the same handlers on threads of this process, woken by the commit.

Start and recovery are one path: what an earlier process left is freed, then the lanes, the messages and the clockwork
run, and alerts are taken in at once. Nothing is sent for an account before it has been compared with its venue.
"""

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from pilothouse.backtest import computers
from pilothouse.backtest.computers import Presence
from pilothouse.core.errors import PilothouseError
from pilothouse.execution import amendments, hearing, send, writing
from pilothouse.execution import store as orders_store
from pilothouse.jobs.dispatch import Dispatcher
from pilothouse.jobs.schedule import ALARMS, SCHEDULE, Periodic, drive_waiting, reconcile_all
from pilothouse.jobs.streams import PREFIX, StreamKeeper
from pilothouse.jobs.writers import WriterKeeper
from pilothouse.kit import lease, outbox
from pilothouse.kit.db import Tx
from pilothouse.notifications import deliver
from pilothouse.notifications.raising import TELL_TOPIC
from pilothouse.wiring.compute import lease_of
from pilothouse.wiring.house import House
from pilothouse.wiring.subscriptions import ALARM_TOPICS, COMPUTE_TOPICS, TRADING_TOPICS

MARKET_TICK_S = 0.25
LANE_WORKERS = 4
DISPATCHERS = 2
TELLERS_MAX = 16
"""Threads that tell alarms: one for each address, up to so many."""

_log = structlog.get_logger("pilothouse.embedded")


def recover(house: House) -> None:
    """Take over what an earlier process left behind; asks no venue that is elsewhere, so that it takes no time.

    Accounts at real venues are compared by whoever listens to them: until then they are not heard, nothing is decided
    for them, and this process does not take the lease without which it cannot send (`jobs/writers.py`).

    On SQLite this process holds the house alone, so whoever held a message before is dead. On PostgreSQL others may
    be alive: what they hold is taken over when their leases end.
    """
    now = house.clock.now()

    def work(tx: Tx) -> tuple[int, int]:
        outbox.hurry(tx, now)
        if tx.dialect != "sqlite":
            return 0, 0
        lease.free_others(tx, house.process, PREFIX, now)
        lease.free_others(tx, house.process, deliver.LEASE_PREFIX, now)
        writing.forget_dead_houses(tx, house.clock, house.process)
        hearing.lose_all(tx, now)
        amendments.end_hand_offs(tx, house.clock)
        return orders_store.end_hand_offs(tx, house.clock), outbox.free_others(tx, house.process, now)

    doubtful, freed = house.database.write(work, name="recover")
    if doubtful or freed:
        _log.info("took over from an earlier process", orders_to_ask_about=doubtful, messages=freed)
    house.know_instruments()
    reconcile_all(house, inside_only=True)


class Embedded:
    """The threads of one house."""

    def __init__(self, house: House) -> None:
        """Prepare threads; nothing runs before `start`."""
        self._house = house
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._dispatchers = [Dispatcher(house, topics=TRADING_TOPICS) for _ in range(DISPATCHERS)]
        tellers = min(len(house.post.addresses), TELLERS_MAX)
        # Those of alarms are not rung by commits: looking once in a second is soon enough and costs orders nothing.
        self._alarms = [Dispatcher(house, topics=ALARM_TOPICS)]
        self._alarms += [Dispatcher(house, topics=(TELL_TOPIC,), limit=1) for _ in range(tellers)]
        # What computes is woken by whoever queued it, not by each commit: orders pay nothing for it.
        workers = house.settings.backtest_workers
        leased = lease_of(house.settings)
        self._computers = [Dispatcher(house, topics=COMPUTE_TOPICS, limit=1, lease_for=leased) for _ in range(workers)]
        self._presence = Presence(house.database, house.clock, house.process)
        self._writers = WriterKeeper(house)
        # An account that was just added may send at once, not only when leases are looked after by the clock.
        self._streams = StreamKeeper(house, changed=self._writers.look)

    def start(self) -> None:
        """Recover, then run until `stop`."""
        house = self._house
        recover(house)
        drive_waiting(house)
        house.database.wake.add(self._ring)
        loops: list[tuple[str, Callable[[], None]]] = [
            ("writers", lambda: self._writers.run(self._stopping)),
            ("streams", lambda: self._streams.run(self._stopping)),
            *(
                (name, self._keeper_of([one for one in SCHEDULE if one.aside is aside]))
                for name, aside in (("schedule", False), ("aside", True))
            ),
        ]
        loops += [(f"lane-{n}", self._work_lanes) for n in range(LANE_WORKERS)]
        loops += [(f"dispatch-{n}", self._loop_of(one)) for n, one in enumerate(self._dispatchers)]
        loops.append(("alarm-watch", self._keeper_of(ALARMS)))
        loops += [(f"alarms-{n}", self._loop_of(one)) for n, one in enumerate(self._alarms)]
        loops += [(f"compute-{n}", self._loop_of(one)) for n, one in enumerate(self._computers)]
        if self._computers:
            loops.append(("computes", self._tell_that_it_computes))
        house.benches.wake.add(self._ring_computers)
        if house.paper is not None:
            loops.append(("market", self._step_market))
        for name, loop in loops:
            thread = threading.Thread(target=self._guarded(name, loop), name=f"pilothouse-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, patience_s: float = 3.0) -> None:
        """Finish what is in hand and end the threads; what waits is committed and goes on at the next start."""
        self._stopping.set()
        self._ring_computers()
        self._house.benches.wake.discard(self._ring_computers)
        self._house.benches.stop_work()  # what is under way is given back, and taken up at the next start
        self._house.desk.lanes.close()
        self._house.changes.ring()
        self._writers.ring()
        self._ring()
        deadline = time.monotonic() + patience_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._put_off()
        self._leave()
        self._writers.close(is_quiet=not any(thread.is_alive() for thread in self._threads))
        self._streams.close()

    def _leave(self) -> None:
        try:
            self._presence.leave()
        except PilothouseError as error:
            _log.warning("presence_not_ended", why=str(error))

    def _put_off(self) -> None:
        """Note of what still waits in the lanes that it was not sent: the next start need not ask for it."""
        house = self._house
        left = house.desk.lanes.drain()
        if left:
            try:
                house.database.write(
                    lambda tx: send.put_off_all(tx, house.desk, left, "the house stopped"), name="stop"
                )
            except PilothouseError as error:
                _log.warning("orders_left_in_doubt", orders=len(left), why=str(error))

    def alive(self) -> bool:
        """Say whether every thread runs."""
        return bool(self._threads) and all(thread.is_alive() for thread in self._threads)

    def _ring(self) -> None:
        for dispatcher in (*self._dispatchers, *(self._alarms if self._stopping.is_set() else ())):
            dispatcher.rung.set()

    def _ring_computers(self) -> None:
        for computer in self._computers:
            computer.rung.set()

    def _guarded(self, name: str, loop: Callable[[], None]) -> Callable[[], None]:
        """Return the loop, begun anew when it fails: a thread that ended in silence would leave orders unsent."""

        def run() -> None:
            while not self._stopping.is_set():
                try:
                    loop()
                except Exception:  # a door: the loop is the last to hear of it
                    if self._stopping.is_set():
                        return
                    _log.exception("thread failed and begins anew", thread=name)
                    self._stopping.wait(0.5)

        return run

    def _tell_that_it_computes(self) -> None:
        while not self._stopping.is_set():
            try:
                self._presence.tell()
            except PilothouseError as error:
                _log.warning("presence_not_told", why=str(error))
            self._stopping.wait(computers.EVERY_S)

    def _work_lanes(self) -> None:
        house = self._house
        while not self._stopping.is_set():
            house.desk.lanes.work_once(lambda batch: send.send_batch(house.desk, batch), wait_s=1.0)

    def _loop_of(self, dispatcher: Dispatcher) -> Callable[[], None]:
        def run() -> None:
            while not self._stopping.is_set():
                dispatcher.rung.clear()
                if dispatcher.run_due() == 0:
                    dispatcher.rung.wait(dispatcher.wait_s(1.0))

        return run

    def _step_market(self) -> None:
        house = self._house
        while not self._stopping.is_set():
            begun = time.monotonic()
            house.step_markets()
            self._stopping.wait(max(0.0, MARKET_TICK_S - (time.monotonic() - begun)))

    def _keeper_of(self, periodics: Sequence[Periodic]) -> Callable[[], None]:
        def run() -> None:
            due = {periodic.name: time.monotonic() + periodic.first.total_seconds() for periodic in periodics}
            while not self._stopping.is_set():
                for periodic in periodics:
                    if time.monotonic() >= due[periodic.name] and not self._stopping.is_set():
                        self._run(periodic)
                        due[periodic.name] = time.monotonic() + periodic.every.total_seconds()
                self._stopping.wait(min(1.0, max(0.0, min(due.values()) - time.monotonic())))

        return run

    def _run(self, periodic: Periodic) -> None:
        """Run one periodic thing; its failure is logged and costs the others nothing."""
        try:
            periodic.work(self._house)
        except Exception:  # a door
            if not self._stopping.is_set():
                _log.exception("periodic work failed", name=periodic.name)
