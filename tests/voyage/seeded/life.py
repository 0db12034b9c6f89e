"""One life of the house: production code from opening to death, its threads turned into hands that are moved by others.

One is moved at a time, in whatever order; a hand that is in the middle of something is not moved again.
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import httpx
import structlog

from pilothouse.accounts import hooks, trading_accounts, venue_keys
from pilothouse.accounts.trading_accounts import TradingAccount
from pilothouse.core.errors import PilothouseError, Unavailable
from pilothouse.execution import account_store, send
from pilothouse.execution.trader import Trader
from pilothouse.fleet import protections
from pilothouse.fleet.escalate import escalate
from pilothouse.jobs import embedded
from pilothouse.jobs import streams as jobs_streams
from pilothouse.jobs import writers as jobs_writers
from pilothouse.jobs.dispatch import Dispatcher
from pilothouse.jobs.schedule import ALARMS, SCHEDULE, Periodic, drive_waiting
from pilothouse.jobs.streams import StreamKeeper
from pilothouse.jobs.writers import WriterKeeper
from pilothouse.kit import commits as kit_commits
from pilothouse.kit import db as kit_db
from pilothouse.kit.db import Tx
from pilothouse.kit.fresh_ids import FreshIds
from pilothouse.kit.settings import Settings
from pilothouse.simexchange.front import Reply
from pilothouse.simexchange.requests import Request
from pilothouse.venues.aster import adapter
from pilothouse.venues.aster import opened as aster_opened
from pilothouse.venues.aster import rest as aster_rest
from pilothouse.venues.catalogue import checked_credential
from pilothouse.venues.ccxt import listening
from pilothouse.venues.ccxt import opened as ccxt_opened
from pilothouse.venues.ccxt import rest as ccxt_rest
from pilothouse.venues.held_streams import HeldOpen
from pilothouse.venues.keys import VenueKey
from pilothouse.wiring import build as wiring_build
from pilothouse.wiring import house as wiring_house
from pilothouse.wiring.build import Parts, build
from pilothouse.wiring.subscriptions import ALARM_TOPICS, TRADING_TOPICS
from tests.voyage.seeded.books import HandDatabase, kept_engine
from tests.voyage.seeded.door import Door
from tests.voyage.seeded.sea import HouseClock, Sea
from tests.voyage.seeded.threads import AtOncePool, Errands, LaterPool, TurnedLoop, TurnedStreams, abandon
from tests.voyage.seeded.wire import Crossing, Opening
from tests.voyage.seeded.worlds import MODE

_NEVER = float("inf")
_LEFT_OUT = {"candles", "accounts"}
"""Periodic work that is about no order: fetching candles, and the examination of new accounts."""


class Crash(BaseException):
    """The process died here."""


@dataclass
class Hand:
    """One thread of the house.

    due     tells when it has something to do, seconds of the sea; never: infinity
    work    does the next piece of it
    """

    name: str
    due: Callable[[], float]
    work: Callable[[], None]
    is_busy: bool = False


@dataclass
class Life:
    """The house from one start to its end. `open` it; move its `hands`; `die`, or `stop` it in order.

    url         of its database
    fuse        is called around each commit, and may raise Crash
    lookout     hears of each request: (life, request) right before it leaves
    heard       hears of what came back
    while_away  is called with the seconds that pass on the wire
    watched     whether a watcher asks once a second
    chance      draws from 0 to 1: where in its period each periodic thing begins
    """

    sea: Sea
    clock: HouseClock
    place: Path
    url: str
    number: int
    noise: bytes
    fuse: Callable[[str], None]
    lookout: Callable[["Life", Request], None]
    heard: Callable[[Request, Reply | None], None]
    while_away: Callable[[float], None]
    chance: Callable[[], float]
    watched: bool = False
    twice: bool = True
    is_over: bool = False
    hands: list[Hand] = field(default_factory=list)
    door: Door | None = None
    door_loop: TurnedLoop | None = None

    # ── Opening ───────────────────────────────────────────────────────────────────────────────────

    def open(self) -> "Life":
        """Start the house, as `pilothouse up` does."""
        self.errands = Errands()
        self.loop = TurnedLoop(self.sea.now, self.errands)
        variables = {"PILOTHOUSE_DATA": str(self.place), "PILOTHOUSE_DATABASE_URL": self.url}
        variables["PILOTHOUSE_RECONCILE_S"] = "5"  # often, or a life is over before it was done once
        parts = Parts(
            clock=self.clock,
            ids=FreshIds(self.clock, self.noise),
            process=f"house-{self.number}",
            witness=self._witness,
        )
        self.house = build(Settings.from_environment(variables), parts)
        self.database = self.house.database
        assert isinstance(self.database, HandDatabase), "it was put in the place of the other"
        self.books: HandDatabase = self.database
        self.house.venues._follower = mock.sentinel.no_thread
        embedded.recover(self.house)
        drive_waiting(self.house)
        self.writers = WriterKeeper(self.house)
        self.streams = StreamKeeper(self.house, changed=self.writers.look)
        self._make_hands()
        if self.sea.world.over_http:
            loop = self.door_loop = TurnedLoop(self.sea.now, self.errands)
            self.door = Door(self.house, loop, lambda: self.is_over)
            self.hands.append(Hand("door", loop.next_at, loop.turn))
        return self

    def new_account(self) -> TradingAccount:
        """Open the account at the exchange, with its key sealed."""
        house, now, world = self.house, self.clock.now(), self.sea.world
        parts, label = checked_credential(VenueKey.parse(world.key), world.credential)

        def work(tx: Tx) -> TradingAccount:
            account = trading_accounts.open_account(
                tx, owner_id=house.operator_id, name="sim", venue=world.key, mode=MODE, currency="USDT", now=now
            )
            venue_keys.keep(tx, house.ring.sealer, house.operator_id, account.id, parts, label=label, now=now)
            return account

        return house.database.write(work, name="account")

    def new_hook(self, account: TradingAccount) -> tuple[str, str]:
        """Make a hook of the account; returns the token in its address, and its secret."""
        now = self.clock.now()
        made = self.house.database.write(
            lambda tx: hooks.create(tx, owner_id=account.owner_id, account_id=account.id, name="hook", now=now),
            name="hook",
        )
        return made[1].reveal(), made[2].reveal()

    def has_begun(self, account: TradingAccount) -> bool:
        """Say whether the books of the account are begun: with what was there before."""
        marks = self.house.database.read(lambda tx: account_store.reconciled_up_to(tx, account.id))
        return ("opened", "") in marks

    # ── The hands ─────────────────────────────────────────────────────────────────────────────────

    def _make_hands(self) -> None:
        house = self.house
        self._dispatchers = [Dispatcher(house, topics=TRADING_TOPICS, deliver_twice=self.twice) for _ in range(2)]
        for dispatcher in self._dispatchers:
            dispatcher.rung.set()
            house.database.wake.add(dispatcher.rung.set)
        self.hands = [
            self._every("writers", 1.0, self.writers.look, at_once=True),
            self._every("streams", 1.0, self.streams.look, at_once=True),
            Hand("loop", self.loop.next_at, self.loop.turn),
            Hand("lane-0", self._lane_due, self._work_lane),
            Hand("lane-1", self._lane_due, self._work_lane),
            *(self._dispatching(f"dispatch-{n}", each) for n, each in enumerate(self._dispatchers)),
            self._every("alarms", 1.0, self._alarms(Dispatcher(house, topics=ALARM_TOPICS))),
            Hand("errand-0", self._errand_due, self._do_errand),
            Hand("errand-1", self._errand_due, self._do_errand),
            Hand("errand-2", self._errand_due, self._do_errand),
            Hand("follower", self._missed_due, self._follow),
            self._scheduled("schedule", [each for each in SCHEDULE if not each.aside and each.name not in _LEFT_OUT]),
            self._scheduled("alarm-watch", list(ALARMS)),
            *([self._every("watcher", 1.0, self._watch)] if self.watched else []),
        ]

    def _every(self, name: str, seconds: float, work: Callable[[], object], *, at_once: bool = False) -> Hand:
        due = [self.sea.now() + (0 if at_once else seconds)]

        def turn() -> None:
            try:
                work()
            finally:
                due[0] = self.sea.now() + seconds

        return Hand(name, lambda: due[0], turn)

    def _scheduled(self, name: str, periodics: list[Periodic]) -> Hand:
        """Return the thread of some periodic work, as `Embedded` runs it."""
        due = {each.name: self.sea.now() + self.chance() * each.first.total_seconds() for each in periodics}

        def turn() -> None:
            for each in periodics:
                if self.sea.now() >= due[each.name]:
                    try:
                        each.work(self.house)
                    except Exception as error:
                        self._note_error(each.name, error)
                    due[each.name] = self.sea.now() + each.every.total_seconds()

        return Hand(name, lambda: min(due.values()), turn)

    def _dispatching(self, name: str, dispatcher: Dispatcher) -> Hand:
        looks_at = [self.sea.now()]

        def due() -> float:
            return self.sea.now() if dispatcher.rung.is_set() else looks_at[0]

        def turn() -> None:
            dispatcher.rung.clear()
            looks_at[0] = self.sea.now()
            if dispatcher.run_due() == 0:
                looks_at[0] = self.sea.now() + dispatcher.wait_s(1.0)

        return Hand(name, due, turn)

    def _alarms(self, dispatcher: Dispatcher) -> Callable[[], None]:
        def turn() -> None:
            while dispatcher.run_due():
                pass

        return turn

    def _watch(self) -> None:
        """Ask for each position what the watcher asks the house for: the next step, if its stop is away for long."""
        house = self.house
        accounts = {one.id: one for one in house.database.read(trading_accounts.active_accounts)}
        for record in house.database.read(protections.every):
            trader = Trader.of(accounts[record.account_id])
            with contextlib.suppress(Unavailable):  # then the watcher is answered 503
                house.database.write(
                    partial(escalate, desk=house.desk, trader=trader, symbol=record.symbol), name="watch"
                )

    def _lane_due(self) -> float:
        lanes = self.house.desk.lanes
        return self.sea.now() if lanes._ready and not lanes.closed else _NEVER

    def _work_lane(self) -> None:
        house = self.house
        house.desk.lanes.work_once(lambda batch: send.send_batch(house.desk, batch))

    def _errand_due(self) -> float:
        return self.sea.now() if self.errands.waiting else _NEVER

    def _do_errand(self) -> None:
        _, work = self.errands.waiting.popleft()
        work()

    def _missed_due(self) -> float:
        return _NEVER if self.house.venues._missed.empty() else self.sea.now()

    def _follow(self) -> None:
        self.house.venues._missed.put(None)
        self.house.venues._follow_missed()

    def move(self, hand: Hand) -> None:
        """Let one thread do its next piece of work. Raises Crash if the process dies of it."""
        hand.is_busy = True
        try:
            contextvars.Context().run(self._guarded, hand)  # each thread has a context of its own
        finally:
            hand.is_busy = False
        if self.is_over:
            raise Crash

    def _guarded(self, hand: Hand) -> None:
        try:
            hand.work()
        except PilothouseError as error:  # the door of a thread: it begins anew
            self._note_error(hand.name, error)

    def _note_error(self, name: str, error: Exception) -> None:
        if not self.is_over:
            self.errors.append(f"{name}: {type(error).__name__}: {error}")

    errors: list[str] = field(default_factory=list)

    # ── The wire's side ───────────────────────────────────────────────────────────────────────────

    def leaves(self, request: Request) -> None:
        """Hear of a request right before it leaves. Raises Crash if this life is over."""
        self._live()
        self.lookout(self, request)

    def came_back(self, request: Request, reply: Reply | None) -> None:
        """Hear of what the house is told of it. Raises Crash if this life is over."""
        self.heard(request, reply)
        self._live()

    def meanwhile(self, seconds: float) -> None:
        """Let so many seconds pass while one thread waits."""
        self.while_away(seconds)

    def is_reachable(self) -> bool:
        """Say whether the exchange lets anybody open a stream now."""
        return not any(rule.kind == "maintenance" and rule.times for rule in self.sea.front.faults.rules)

    def _live(self) -> None:
        if self.is_over:
            raise Crash

    def _witness(self, name: str) -> None:
        self._live()
        try:
            self.fuse(name)
        except Crash:
            self.is_over = True
            raise

    # ── Ending ────────────────────────────────────────────────────────────────────────────────────

    def die(self) -> None:
        """Leave everything as a killed process would: nothing is finished, nothing is told."""
        self.is_over = True
        self.sea.hub.drop_all(self.sea.listener)
        for loop in (self.loop, self.door_loop):
            if loop is not None:
                abandon(loop)
        if hasattr(self, "house"):  # it may have died while it was being opened
            for closer in self.house.closers:
                closer()

    def stop(self) -> None:
        """End in order, as on SIGTERM: see `Embedded.stop`."""
        house = self.house
        house.desk.lanes.close()
        left = house.desk.lanes.drain()
        if left:
            house.database.write(lambda tx: send.put_off_all(tx, house.desk, left, "the house stopped"), name="stop")
        self.writers.close(is_quiet=not any(hand.is_busy for hand in self.hands))
        self.streams.close()
        self.die()


_EXPECTED = {"database_stopped", "invariant broken"}
"""What is logged when a process dies as it is meant to here, and what the laws judge by themselves."""


def _hearing(of: Callable[[], Life]) -> Callable[[object, str, MutableMapping[str, Any]], NoReturn]:
    """Return what drops every line of the log, and remembers those of errors: none is expected from sound code."""

    def hear(_logger: object, level: str, event: MutableMapping[str, Any]) -> NoReturn:
        life = of()
        if level in {"critical", "error", "exception"} and event["event"] not in _EXPECTED and not life.is_over:
            life.errors.append(f"{event}")
        raise structlog.DropEvent

    return hear


@contextmanager
def afloat(of: Callable[[], Life]) -> Iterator[None]:
    """Put what is ours in the place of threads, network and log, while a house is `of()` a voyage."""

    def later(name: str) -> Callable[..., LaterPool]:
        return lambda *_, **__: LaterPool(of().errands, name)

    def tools(kind: Callable[..., object]) -> Callable[..., object]:
        return lambda *args, **kwargs: kind(*args, **{**kwargs, "sleep": of().meanwhile})

    configured = structlog.get_config()
    structlog.configure(processors=[_hearing(of)], logger_factory=structlog.ReturnLoggerFactory())
    try:
        with ExitStack() as stack:
            for module, name, ours in (
                (wiring_build, "Database", HandDatabase),
                (kit_db, "open_engine", kept_engine),
                (kit_commits, "open_engine", kept_engine),
                (wiring_house, "ThreadPoolExecutor", AtOncePool),
                (jobs_streams, "ThreadPoolExecutor", later("compare")),
                (jobs_writers, "ThreadPoolExecutor", later("writer-compare")),
                (adapter, "Streams", lambda name: TurnedStreams(name, of().loop)),
                (listening, "Streams", lambda name: TurnedStreams(name, of().loop)),
                (aster_opened, "Tools", tools(aster_rest.Tools)),
                (ccxt_opened, "Tools", tools(ccxt_rest.Tools)),
                (httpx, "HTTPTransport", lambda **_: Crossing(of())),
                (HeldOpen, "connection", lambda _, url: Opening(of(), url, of().is_reachable)),
            ):
                stack.enter_context(mock.patch.object(module, name, ours))
            yield
    finally:
        structlog.configure(**configured)
