"""Keep the right to send for every account at a real venue: one process of the house has it, under a lease.

In: the active accounts. Out: leases in the record, and what `Desk.writers` says right before the wire.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import structlog

from pilothouse.accounts import trading_accounts
from pilothouse.accounts.trading_accounts import TradingAccount
from pilothouse.core.errors import PilothouseError
from pilothouse.core.facts import Fact, FactKind
from pilothouse.execution import writing
from pilothouse.execution.fence import needs_lease
from pilothouse.execution.reconcile import reconcile
from pilothouse.execution.trader import Trader
from pilothouse.kit.db import Tx
from pilothouse.kit.lease import Held
from pilothouse.notifications.words import LEASE_LOST
from pilothouse.wiring.house import House

_LOOK_S = 1.0
_OTHERS_COMPARE_S = 3.0
_COMPARERS = 2
_log = structlog.get_logger("pilothouse.writers")


class WriterKeeper:
    """Takes, renews and gives back the leases of all accounts. `look` often: at least three times within a lease."""

    def __init__(self, house: House, lease_for: timedelta = writing.LEASE) -> None:
        """Keep leases for `house`; nothing is taken before the first `look`."""
        self._house = house
        self._for = lease_for
        self._turn = threading.Lock()
        self._rung = threading.Event()
        self._free_since: dict[str, float] = {}
        self._comparing: set[str] = set()
        self._pool = ThreadPoolExecutor(_COMPARERS, thread_name_prefix="pilothouse-writer")
        house.desk.writers.on_compared = self._rung.set

    def run(self, stopping: threading.Event) -> None:
        """Look again and again until told to stop."""
        while not stopping.is_set():
            self._rung.clear()
            self.look()
            self._rung.wait(_LOOK_S)

    def ring(self) -> None:
        """Look now."""
        self._rung.set()

    def look(self) -> None:
        """Renew what a third of has passed, take what nobody has, let go of what is no longer wanted."""
        with self._turn:
            self._look()

    def _look(self) -> None:
        house = self._house
        active = house.database.read(trading_accounts.active_accounts)
        wanted = {one.id: one for one in active if needs_lease(one.venue)}
        held = house.desk.writers.holds()
        now = house.clock.now()
        due = [one for one in held.values() if now >= one.until - self._for * 2 / 3]
        free = self._takeable([account for account_id, account in wanted.items() if account_id not in held], now)
        gone = [account_id for account_id in held if account_id not in wanted]
        if not (due or free or gone):
            return
        asked_at = house.clock.monotonic()
        try:
            after = house.database.write(lambda tx: self._work(tx, held, wanted, free), name="writers", urgent=True)
        except PilothouseError as error:
            # What is held stays held until its end, and not a moment longer.
            _log.warning("writer_leases_not_renewed", why=str(error))
            return
        for account_id in gone:
            house.desk.writers.drop(account_id)
        for account_id, lease in after.items():
            if lease is None:
                house.desk.writers.drop(account_id)
                self._tell_lost(wanted[account_id], held[account_id])
            else:
                house.desk.writers.hold(account_id, lease, asked_at)

    def _takeable(self, without: list[TradingAccount], now: datetime) -> list[TradingAccount]:
        """Return which accounts can be taken: nobody else may send, and they were compared since anybody else could.

        Whoever listens to an account compares it; where that does not come about, it is done here.
        """
        if not without:
            return []
        house, names = self._house, self._house.process
        found = []
        lasts = house.database.read(lambda tx: {one.id: writing.last_holder(tx, one.id) for one in without})
        for account in without:
            last = lasts[account.id]
            if not writing.is_free(last, account.venue, owner=names, now=now):
                self._free_since.pop(account.id, None)
                continue
            at = house.desk.writers.compared_at(account.id)
            if at is not None and (last is None or last.owner == names or at >= last.until):
                found.append(account)
            else:
                self._compare_soon(account)
        return found

    def _compare_soon(self, account: TradingAccount) -> None:
        """Compare an account that nobody has compared for a while, on another thread."""
        now = self._house.clock.monotonic()
        if account.id in self._comparing or now - self._free_since.setdefault(account.id, now) < _OTHERS_COMPARE_S:
            return
        self._free_since[account.id] = now
        self._comparing.add(account.id)
        self._pool.submit(self._compare, account)

    def _compare(self, account: TradingAccount) -> None:
        try:
            reconcile(self._house.desk, Trader.of(account))
        except PilothouseError as error:
            _log.warning("account_not_compared", account=account.id, why=str(error))
        finally:
            self._comparing.discard(account.id)

    def _work(
        self, tx: Tx, held: dict[str, Held], wanted: dict[str, TradingAccount], free: list[TradingAccount]
    ) -> dict[str, Held | None]:
        """Return, by account, the lease that this process has from here on; None: it was lost."""
        house = self._house
        after: dict[str, Held | None] = {}
        for account_id, one in held.items():
            if account_id in wanted:
                after[account_id] = writing.renew(tx, house.clock, one, lease_for=self._for)
            else:
                writing.give_back(tx, house.clock, one)
        for account in free:
            taken = writing.take(tx, house.clock, account.id, account.venue, owner=house.process, lease_for=self._for)
            if taken is not None:
                after[account.id] = taken
        return after

    def close(self, *, is_quiet: bool) -> None:
        """Send nothing more; give the leases back if nothing of ours is on the wire (`is_quiet`)."""
        house = self._house
        self._pool.shutdown(wait=True, cancel_futures=True)
        with self._turn:
            held = house.desk.writers.holds()
            for account_id in held:
                house.desk.writers.drop(account_id)

            def work(tx: Tx) -> None:
                for one in held.values():
                    writing.give_back(tx, house.clock, one)

            if held and is_quiet:
                try:
                    house.database.write(work, name="writers", urgent=True)
                except PilothouseError as error:
                    _log.warning("writer_leases_not_given_back", why=str(error))

    def _tell_lost(self, account: TradingAccount, was: Held) -> None:
        """Raise an alarm: a process that was stopped for longer than its lease is not one to rely on."""
        house = self._house
        _log.warning("writer_lease_lost", account=account.id, epoch=was.epoch)
        words = (
            f"{was.owner} lost its right to send for the account (epoch {was.epoch}); what it had in hand is asked for"
        )
        fact = Fact(
            FactKind.ALARM_RAISED,
            account.owner_id,
            house.clock.now(),
            account.id,
            {"code": LEASE_LOST, "message": words},
        )
        try:
            house.database.write(lambda tx: tx.announce(fact), name="alarm")
        except PilothouseError as error:
            _log.warning("alarm_not_raised", account=account.id, why=str(error))
