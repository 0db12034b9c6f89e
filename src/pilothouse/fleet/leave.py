"""Nothing more is to be decided on an account: what waits is refused, and protection is no longer kept up."""

from collections.abc import Sequence
from dataclasses import replace

from pilothouse.core.errors import Conflict
from pilothouse.execution.desk import Desk
from pilothouse.execution.tell import moved
from pilothouse.fleet import keep, protections, store
from pilothouse.fleet.protections import ProtectionRecord
from pilothouse.fleet.store import SignalRecord
from pilothouse.kit.db import Tx

_MOST = 1_000_000


class AccountRemoved(Conflict):
    """The account was removed before the alert was done."""

    code = "account_removed"


def waiting(tx: Tx, account_id: str) -> list[SignalRecord]:
    """Return the signals of an account that are not done, by instrument and age."""
    symbols = [symbol for of_account, symbol in store.waiting(tx) if of_account == account_id]
    return [record for symbol in symbols for record in store.waiting_in(tx, account_id, symbol, _MOST)]


def leave(tx: Tx, desk: Desk, account_id: str) -> None:
    """Refuse what waits and forget what should be protected, in the transaction that closes the account."""
    now = desk.clock.now()
    for record in waiting(tx, account_id):
        refused = replace(keep.refused(record, AccountRemoved("the account was removed")), changed_at=now)
        store.change(
            tx, record.id, now, state=refused.state, code=refused.code, message=refused.message, detail=refused.detail
        )
        keep.tell(tx, refused)
    unprotect(tx, account_id)


def unprotect(tx: Tx, account_id: str) -> list[ProtectionRecord]:
    """Keep no position of an account protected any more; return what was wanted, for `protect_again`."""
    wanted = protections.every(tx, [account_id])
    for each in wanted:
        protections.forget_awaited(tx, account_id, each.symbol)
        protections.forget(tx, account_id, each.symbol)
    return wanted


def protect_again(tx: Tx, desk: Desk, wanted: Sequence[ProtectionRecord]) -> None:
    """Want again what `unprotect` forgot, unless something else is wanted by now, and place what lacks."""
    for each in wanted:
        if protections.of(tx, each.account_id, each.symbol) is None:
            protections.put(tx, each)
        moved(tx, each.account_id, each.symbol, desk.clock.now())
