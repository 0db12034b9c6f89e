"""User streams: each account at a real venue is listened to by one process of the house, which holds a lease for it.

In: what venues tell. Out: settled events, and how well each account is heard. After each reconnect the account is
reconciled in full before it counts as heard; until then nothing is decided for it (`execution/hearing.py`).
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import structlog

from pilothouse.accounts import trading_accounts
from pilothouse.accounts.trading_accounts import TradingAccount
from pilothouse.core.errors import PilothouseError
from pilothouse.core.facts import Fact, FactKind
from pilothouse.execution import hearing
from pilothouse.execution.listen import listen
from pilothouse.execution.reconcile import reconcile
from pilothouse.execution.tell import moved
from pilothouse.execution.trader import Trader
from pilothouse.fleet import store as fleet_store
from pilothouse.kit import lease
from pilothouse.kit.db import Tx
from pilothouse.kit.lease import Held
from pilothouse.notifications.words import LEASE_LOST
from pilothouse.wiring.house import House

PREFIX = "stream:"
_COMPARERS = 4
_log = structlog.get_logger("pilothouse.streams")


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a lease lasts (it is renewed at a third), and how often is looked for what is to be listened to."""

    lease: timedelta = timedelta(seconds=15)
    look: timedelta = timedelta(seconds=1)


@dataclass(slots=True)
class _Listening:
    """One account that this process listens to.

    turn        counts what the stream said of itself: what was begun at an earlier turn is void
    is_open     whether the stream is open and waits to be compared
    comparing   whether that is under way
    """

    account: TradingAccount
    venue: object
    held: Held
    stop: Callable[[], None] = lambda: None
    turn: int = 0
    is_open: bool = False
    comparing: bool = False
    ended: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class StreamKeeper:
    """Listens to every account that nobody else listens to. `look` now and then, `close` it."""

    def __init__(self, house: House, pace: Pace | None = None, *, changed: Callable[[], None] = lambda: None) -> None:
        """Listen for `house`; nothing is done before the first `look`.

        changed   called when accounts were opened, changed or closed, before their streams are looked after
        """
        self._house = house
        self._changed = changed
        self._pace = pace or Pace()
        self._listening: dict[str, _Listening] = {}
        self._pool = ThreadPoolExecutor(_COMPARERS, thread_name_prefix="pilothouse-compare")

    def run(self, stopping: threading.Event) -> None:
        """Look again and again until told to stop."""
        while not stopping.is_set():
            self.look()
            self._house.changes.wait(self._pace.look.total_seconds())

    def look(self) -> None:
        """Do what is due: renew leases, end what is not wanted or was lost, listen to what nobody listens to."""
        house = self._house
        again = house.changes.take()
        if again:
            self._changed()
        house.open_all()
        wanted = {account.id: account for account in self._of_streams()}
        for account_id, one in list(self._listening.items()):
            account = wanted.get(account_id)
            is_same = account is not None and house.venues.get(account.venue) is one.venue
            if account_id in again or not is_same:
                self._end(one)
            elif not self._renewed(one):
                _log.warning("stream_lease_lost", account=account_id)
                self._end(one)
                self._tell_lost(one)
        for account in wanted.values():
            if account.id not in self._listening and account.venue in house.venues:
                self._begin(account)
        for one in self._listening.values():
            self._compare_soon(one)
        if wanted:
            now, patience = house.clock.now(), house.desk.patience
            house.database.write(lambda tx: hearing.raise_alarms(tx, patience, now), name="alarms")

    def close(self) -> None:
        """End every stream and give the leases back, so that another process can listen at once."""
        for one in list(self._listening.values()):
            self._end(one)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _of_streams(self) -> list[TradingAccount]:
        """Return the active accounts whose venue is not inside of this house."""
        active = self._house.database.read(trading_accounts.active_accounts)
        return [account for account in active if not self._house.is_inside(account.venue)]

    # ── One account ───────────────────────────────────────────────────────────────────────────────

    def _begin(self, account: TradingAccount) -> None:
        house, now = self._house, self._house.clock.now()

        def take(tx: Tx) -> Held | None:
            hearing.expect(tx, account.id, account.owner_id, now)
            held = lease.acquire(tx, f"{PREFIX}{account.id}", owner=house.process, now=now, lease_for=self._pace.lease)
            if held is not None:
                hearing.begin(tx, held, account.id, now)
            return held

        if house.database.read(lambda tx: lease.holder(tx, f"{PREFIX}{account.id}", now=now)) is not None:
            return
        held = house.database.write(take, name="stream", urgent=True)
        if held is None:
            return
        one = self._listening[account.id] = _Listening(account, house.venues[account.venue], held)
        one.stop = listen(house.desk, Trader.of(account), partial(self._hear, one))

    def _renewed(self, one: _Listening) -> bool:
        """Say whether this process still holds an account, its lease renewed once a third of it has passed."""
        house, now = self._house, self._house.clock.now()
        if now < one.held.until - self._pace.lease * 2 / 3:
            return True

        def renew(tx: Tx) -> Held | None:
            held = lease.renew(tx, one.held, now=now, lease_for=self._pace.lease)
            if held is not None:
                hearing.prolong(tx, held, one.account.id)
            return held

        try:
            held = house.database.write(renew, name="stream", urgent=True)
        except PilothouseError as error:
            _log.warning("stream_lease_not_renewed", account=one.account.id, why=str(error))
            return now < one.held.until
        if held is None:
            return False
        one.held = held
        return True

    def _end(self, one: _Listening) -> None:
        """Listen no longer; let go of the lease if it is still ours."""
        with one.lock:
            one.ended = True
            one.turn += 1
        one.stop()
        self._listening.pop(one.account.id, None)
        house, now = self._house, self._house.clock.now()

        def let_go(tx: Tx) -> None:
            hearing.say(tx, one.held, one.account.id, hearing.LOST, now)
            lease.release(tx, one.held, now=now)

        try:
            house.database.write(let_go, name="stream", urgent=True)
        except PilothouseError as error:
            _log.warning("stream_lease_not_given_back", account=one.account.id, why=str(error))

    def _tell_lost(self, one: _Listening) -> None:
        """Raise an alarm: a process that was stopped for longer than its lease is not one to rely on."""
        now = self._house.clock.now()
        payload = {"code": LEASE_LOST, "message": f"{one.held.owner} lost its lease of the account's stream"}
        fact = Fact(FactKind.ALARM_RAISED, one.account.owner_id, now, one.account.id, payload)
        try:
            self._house.database.write(lambda tx: tx.announce(fact), name="alarm")
        except PilothouseError as error:
            _log.warning("alarm_not_raised", account=one.account.id, why=str(error))

    # ── What it tells ─────────────────────────────────────────────────────────────────────────────

    def _hear(self, one: _Listening, state: str) -> None:
        """Take in how the stream is, on the venue's thread: queue what follows from it."""
        with one.lock:
            if one.ended:
                return
            one.turn += 1
            one.is_open = state == hearing.LIVE
        if one.is_open:
            self._compare_soon(one)
        else:
            self._say(one, state)

    def _say(self, one: _Listening, state: str) -> "Future[None]":
        """Keep how the account is heard, behind every event that was told before."""
        house, now = self._house, self._house.clock.now()

        def work(tx: Tx) -> None:
            if not hearing.say(tx, one.held, one.account.id, state, now) or state != hearing.LIVE:
                return
            for account_id, symbol in fleet_store.waiting(tx):
                if account_id == one.account.id:
                    moved(tx, account_id, symbol, now)

        return house.database.submit(work, name="heard", urgent=True, lane=f"account:{one.account.id}")

    def _compare_soon(self, one: _Listening) -> None:
        """Compare an account whose stream has opened, on another thread: it asks the venue."""
        with one.lock:
            if not one.is_open or one.comparing or one.ended:
                return
            one.comparing = True
            turn = one.turn
        self._pool.submit(self._compare, one, turn).add_done_callback(_told_if_broken)

    def _compare(self, one: _Listening, turn: int) -> None:
        """Reconcile in full, and only then count the account as heard; what fails is tried again with the next look."""
        try:
            found = reconcile(self._house.desk, Trader.of(one.account))
            with one.lock:
                if one.turn != turn:
                    return
                one.is_open = False
            self._say(one, hearing.LIVE).result()
            _log.info("account_heard", account=one.account.id, fills_booked=found.fills_booked)
        except PilothouseError as error:
            _log.warning("account_not_compared", account=one.account.id, why=str(error))
        finally:
            with one.lock:
                one.comparing = False


def _told_if_broken(done: "Future[None]") -> None:
    """Say it when a comparison ended by an error of ours."""
    if not done.cancelled() and (error := done.exception()) is not None:
        _log.critical("comparison_broken", error=repr(error))
