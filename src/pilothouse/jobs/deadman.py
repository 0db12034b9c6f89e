"""The dead man's switch: when a house is gone for longer than it was told to wait, its accounts are flattened.

In: settings and a desk beside the house. Out, while the house lives: the venue's own countdown, set again and again.
Out, when its leases are over: a halt, cancels and closing orders under a lease of its own, so that nothing of a house
that wakes up late counts. It acts once for each disappearance. Paper accounts are left alone: their venue died too.
"""

import os
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from pilothouse.accounts import trading_accounts
from pilothouse.accounts.trading_accounts import TradingAccount
from pilothouse.core.errors import PilothouseError
from pilothouse.core.facts import Fact, FactKind
from pilothouse.core.halts import HaltKind
from pilothouse.execution import cancel, countdown, halts, pursue, send, writing
from pilothouse.execution import store as orders_store
from pilothouse.execution.fence import needs_lease
from pilothouse.execution.limit_sets import Level, Scope
from pilothouse.execution.reconcile import reconcile
from pilothouse.execution.trader import Trader
from pilothouse.fleet import halting
from pilothouse.kit import lease
from pilothouse.kit.db import Tx
from pilothouse.kit.lease import Held
from pilothouse.notifications.words import DEADMAN_ACTED
from pilothouse.wiring.aside import Beside

BY: Final = "deadman"
_log = structlog.get_logger("pilothouse.deadman")


@dataclass(frozen=True, slots=True)
class Done:
    """What was done for one account, and how long after it was noticed that the house is gone.

    taken_s    until its lease was ours
    flat_s     until nothing was held and nothing stood any more
    """

    account_id: str
    taken_s: float
    flat_s: float


@dataclass(slots=True)
class _Watch:
    """What is known of one account.

    gone_since   monotonic time at which it was first seen that nobody of the house has its lease
    free_at      from then on nothing of whoever had it can count; None: not ended by us
    armed        instruments whose countdown is set at the venue, and when last
    """

    gone_since: float | None = None
    free_at: datetime | None = None
    held: Held | None = None
    taken_s: float | None = None
    done: bool = False
    armed: dict[str, float] = field(default_factory=dict)


class Deadman:
    """One dead man's switch. `look` once a second, from one thread."""

    def __init__(
        self,
        beside: Beside,
        *,
        after: timedelta,
        countdown_for: timedelta = timedelta(0),
        lease_for: timedelta = writing.LEASE,
    ) -> None:
        """Act when the house is gone for so long.

        after           counted from the end of the house's lease
        countdown_for   of the venue, where it has one; zero: none is set
        """
        name = f"{writing.ASIDE}{BY}:{os.uname().nodename}:{os.getpid()}:{secrets.token_hex(3)}"
        self._beside = beside
        self._desk = replace(beside.desk, process=name)
        self._after = after.total_seconds()
        self._countdown = int(countdown_for.total_seconds())
        self._for = lease_for
        self._watches: dict[str, _Watch] = {}

    def look(self) -> list[Done]:
        """Look at every real account once; return what was finished by it. One that fails is tried again."""
        finished = []
        desk = self._desk
        for account in desk.database.read(trading_accounts.active_accounts):
            if not needs_lease(account.venue) or not account.may_send:
                continue
            try:
                done = self._look_at(account, self._watches.setdefault(account.id, _Watch()))
            except PilothouseError as error:
                _log.warning("account_not_looked_at", account=account.id, why=str(error))
                continue
            finished += [done] if done is not None else []
        return finished

    def close(self) -> None:
        """Give back what is held."""
        for account_id, watch in self._watches.items():
            self._give_back(account_id, watch)

    # ── Who is there ──────────────────────────────────────────────────────────────────────────────

    def _look_at(self, account: TradingAccount, watch: _Watch) -> Done | None:
        desk = self._desk
        last = desk.database.read(lambda tx: lease.last(tx, f"{writing.PREFIX}{account.id}"))
        if last is None:
            return None  # no house has ever sent for it
        now = desk.clock.now()
        if last.until > now and not last.owner.startswith(writing.ASIDE):
            if watch.gone_since is not None:
                _log.info("house_is_there", account=account.id)
            self._give_back(account.id, watch)
            watch.gone_since, watch.done, watch.free_at, watch.taken_s = None, False, None, None
            if self._countdown:
                countdown.set_again(desk, account.venue, account.id, account.owner_id, watch.armed, self._countdown)
            return None
        if watch.gone_since is None:
            watch.gone_since = desk.clock.monotonic()
            _log.warning("house_is_gone", account=account.id, acts_in_s=self._after)
        if watch.done or desk.clock.monotonic() - watch.gone_since < self._after:
            return None
        if not self._take(account, watch, last):
            return None
        return self._flatten(account, watch)

    def _take(self, account: TradingAccount, watch: _Watch, last: Held) -> bool:
        """Hold the account's lease; False while somebody else has it, or may have something on the wire."""
        desk, before = self._desk, watch.held
        asked_at = desk.clock.monotonic()
        now = desk.clock.now()
        if before is None and last.until > now and last.owner != desk.process:
            # A watcher keeps up the protection of a house that is gone: it cannot renew a lease that was handed on.
            free_at = last.until + writing.window_of(account.venue)
            handed = desk.database.write(
                lambda tx: lease.hand_on(tx, last, owner=desk.process, until=free_at),
                name="deadman claims",
                urgent=True,
            )
            watch.free_at = free_at if handed else None
            return False
        if watch.free_at is not None and now < watch.free_at:
            return False

        def work(tx: Tx) -> Held | None:
            if before is not None:
                return writing.renew(tx, desk.clock, before, lease_for=self._for)
            return writing.take(tx, desk.clock, account.id, account.venue, owner=desk.process, lease_for=self._for)

        watch.held = desk.database.write(work, name="deadman lease", urgent=True)
        if watch.held is None:
            desk.writers.drop(account.id)
            return False
        desk.writers.hold(account.id, watch.held, asked_at)
        if watch.taken_s is None:
            assert watch.gone_since is not None, "it is taken because the house is gone"
            watch.taken_s = desk.clock.monotonic() - watch.gone_since
            _log.warning("deadman_in_charge", account=account.id, epoch=watch.held.epoch)
            desk.database.write(lambda tx: self._halt(tx, account), name="deadman halts", urgent=True)
        return True

    def _halt(self, tx: Tx, account: TradingAccount) -> None:
        """Halt the account for good, and tell: whoever comes back finds it halted."""
        desk = self._desk
        scope = Scope(Level.ACCOUNT, account.id, account.owner_id, account.id)
        reason = f"the house was gone for more than {self._after:.0f} s"
        halts.halt_at(tx, desk, scope, HaltKind.FLATTEN, reason=reason, by=BY)
        payload = {"code": DEADMAN_ACTED, "message": f"{reason}: the account is halted, its positions are being closed"}
        tx.announce(Fact(FactKind.ALARM_RAISED, account.owner_id, desk.clock.now(), account.id, payload))

    def _give_back(self, account_id: str, watch: _Watch) -> None:
        held, watch.held = watch.held, None
        if held is not None:
            self._desk.writers.drop(account_id)
            self._desk.database.write(
                lambda tx: writing.give_back(tx, self._desk.clock, held), name="deadman gives back", urgent=True
            )

    # ── Getting flat ──────────────────────────────────────────────────────────────────────────────

    def _flatten(self, account: TradingAccount, watch: _Watch) -> Done | None:
        """Do what is left to do; return what was done once nothing is held and nothing stands."""
        desk, trader = self._desk, Trader.of(account)
        venue = self._beside.venues.open(account)
        for words in reconcile(desk, trader).mismatches:
            _log.warning("venue_and_books_disagree", account=account.id, words=words)
        symbols = desk.database.read(lambda tx: countdown.what_is_held(tx, account.id))
        live = desk.database.read(lambda tx: countdown.ours(tx, account.id))
        if not symbols and not live:
            return self._flat(account, watch)
        if symbols:
            venue.follow(symbols)
            self._beside.quotes.put(account.venue, venue.quotes(symbols))
        problems = desk.database.write(lambda tx: self._ask(tx, account, symbols), name="deadman flattens", urgent=True)
        for problem in problems:
            _log.warning("not_flat_yet", account=account.id, problem=problem)
        while desk.lanes.work_once(lambda batch: send.send_batch(desk, batch)):
            pass
        for order in desk.database.read(lambda tx: countdown.ours(tx, account.id)):
            if not order.state.is_resting:
                pursue.pursue(desk, account.venue, order.id)
            elif order.cancel_asked_at is not None:
                cancel.carry_out(desk, account.venue, order.id)
        return None

    def _flat(self, account: TradingAccount, watch: _Watch) -> Done:
        """Let go of an account whose books, compared with its venue just now, hold nothing; tell how long it took."""
        assert watch.gone_since is not None, "it acts because the house is gone"
        done = Done(account.id, watch.taken_s or 0.0, self._desk.clock.monotonic() - watch.gone_since)
        watch.done = True
        self._give_back(account.id, watch)
        _log.warning("deadman_flat", account=account.id, taken_s=done.taken_s, flat_s=done.flat_s)
        return done

    def _ask(self, tx: Tx, account: TradingAccount, symbols: Collection[str]) -> list[str]:
        """Ask for what the halt asks for, and for stops to go where nothing is held any more."""
        desk = self._desk
        stops = [stop for _, found in halting.due(tx) for stop in found if stop.account_id == account.id]
        problems = halting.carry_out(tx, desk, account, stops)
        for order in orders_store.live_of(tx, account.id):
            if order.purpose.protects and order.terms.symbol not in symbols:
                cancel.ask(tx, desk, order, by=BY)
        return problems
