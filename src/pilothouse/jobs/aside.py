"""Protection kept up beside a house that is gone: under its accounts' leases, taken when they are over, and no longer.

In: settings and an open desk beside the house. Out: at the venues, the stops that should stand, or positions closed.
Nothing that adds exposure is decided or sent here, and no waiting alert is looked at. Paper accounts are left alone:
their venue died with the house.
"""

from datetime import timedelta
from functools import partial

import structlog

from pilothouse.accounts import trading_accounts
from pilothouse.accounts.trading_accounts import TradingAccount
from pilothouse.core.errors import PilothouseError
from pilothouse.execution import cancel, pursue, send, writing
from pilothouse.execution import store as orders_store
from pilothouse.execution.fence import needs_lease
from pilothouse.execution.reconcile import reconcile
from pilothouse.execution.trader import Trader
from pilothouse.execution.verify import ask_for_missing
from pilothouse.fleet import protections
from pilothouse.fleet.escalate import escalate
from pilothouse.fleet.guard import guard_position
from pilothouse.fleet.scene import look
from pilothouse.fleet.turn import alarm
from pilothouse.kit.db import Tx
from pilothouse.kit.engines import Lost
from pilothouse.kit.lease import Held
from pilothouse.notifications.words import WATCHER_IN_CHARGE
from pilothouse.wiring.aside import Beside

ROUNDS_MOST = 8
"""So often in one look what a turn made is sent and looked at again: a stop may be refused and tried otherwise."""

_log = structlog.get_logger("pilothouse.watcher")


class Keeper:
    """Keeps up the protection of real accounts while it holds their leases. `look` every second or two."""

    def __init__(self, beside: Beside, lease_for: timedelta = writing.LEASE) -> None:
        """Hold nothing before the first `look`."""
        self._beside = beside
        self._desk = beside.desk
        self._for = lease_for
        self._held: dict[str, Held] = {}

    @property
    def in_charge(self) -> frozenset[str]:
        """Return the accounts whose leases are held here."""
        return frozenset(self._held)

    def wanted(self) -> list[TradingAccount]:
        """Return the real accounts in which something is to be protected. Raises Unavailable without the books."""
        records = self._desk.database.read(protections.every)
        named = {record.account_id for record in records}
        active = self._desk.database.read(trading_accounts.active_accounts)
        return [one for one in active if one.id in named and needs_lease(one.venue) and one.may_send]

    def look(self) -> None:
        """Take the leases that are over, renew those that are held, and see to the protection of each account.

        Raises Lost when nothing can be written.
        """
        for account in self.wanted():
            try:
                if self._take(account):
                    self._look_after(account)
            except Lost:
                raise  # the books are held, or gone: for every account
            except PilothouseError as error:  # one account that cannot be looked after must not stop the others
                _log.warning("account_not_looked_after", account=account.id, why=str(error))

    def give_back(self) -> None:
        """Let the house that is there again have its accounts at once."""
        held, self._held = self._held, {}
        if not held:
            return
        for account_id in held:
            self._desk.writers.drop(account_id)

        def work(tx: Tx) -> None:
            for one in held.values():
                writing.give_back(tx, self._desk.clock, one)

        self._desk.database.write(work, name="watcher gives back", urgent=True)
        _log.info("watcher_gave_back", accounts=sorted(held))

    def _take(self, account: TradingAccount) -> bool:
        """Hold the account's lease; False while somebody else has it, or may have something on the wire."""
        desk, before = self._desk, self._held.get(account.id)
        asked_at = desk.clock.monotonic()

        def work(tx: Tx) -> Held | None:
            if before is not None:
                return writing.renew(tx, desk.clock, before, lease_for=self._for)
            taken = writing.take(tx, desk.clock, account.id, account.venue, owner=desk.process, lease_for=self._for)
            if taken is not None:
                words = "the house does not answer and its lease is over: the watcher keeps up the protection alone"
                alarm(tx, Trader.of(account), desk.clock.now(), WATCHER_IN_CHARGE, words)
            return taken

        held = desk.database.write(work, name="watcher lease", urgent=True)
        if held is None:
            self._held.pop(account.id, None)
            desk.writers.drop(account.id)
            return False
        if before is None:
            _log.warning("watcher_in_charge", account=account.id, epoch=held.epoch)
        self._held[account.id] = held
        desk.writers.hold(account.id, held, asked_at)
        return True

    def _look_after(self, account: TradingAccount) -> None:
        """See what is there, and make the protection fit it."""
        desk, trader = self._desk, Trader.of(account)
        venue = self._beside.venues.open(account)
        records = desk.database.read(lambda tx: protections.every(tx, [account.id]))
        venue.follow([record.symbol for record in records])
        self._beside.quotes.put(account.venue, venue.quotes([record.symbol for record in records]))
        reconcile(desk, trader)
        ask_for_missing(desk, trader)
        for record in records:
            for _ in range(ROUNDS_MOST):
                if not self._turn(trader, record.symbol):
                    break
            desk.database.write(partial(escalate, desk=desk, trader=trader, symbol=record.symbol), name="escalate")
            self._turn(trader, record.symbol)

    def _turn(self, trader: Trader, symbol: str) -> bool:
        """Make one turn and carry out what it asks for; return whether anything was sent or asked."""
        desk = self._desk

        def work(tx: Tx) -> None:
            tx.lock(f"account:{trader.account_id}")
            guard_position(tx, desk, trader, look(tx, desk, trader, symbol))

        desk.database.write(work, name="watcher guard")
        sent = False
        while desk.lanes.work_once(lambda batch: send.send_batch(desk, batch)):
            sent = True
        for order in desk.database.read(lambda tx: orders_store.live_in(tx, trader.account_id, symbol)):
            if not order.state.is_resting:
                sent = pursue.pursue(desk, trader.venue, order.id) is None or sent
            elif order.cancel_asked_at is not None:
                cancel.carry_out(desk, trader.venue, order.id)
                sent = True
        return sent
