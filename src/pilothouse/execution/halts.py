"""Stop trading at one of four levels, and let it go on; what a halt does to orders stands in `fleet/halting.py`."""

from pilothouse.accounts import trading_accounts
from pilothouse.core.clock import iso
from pilothouse.core.facts import Fact, FactKind
from pilothouse.core.halts import HaltKind
from pilothouse.execution import halt_store
from pilothouse.execution.desk import Desk
from pilothouse.execution.halt_store import Halt
from pilothouse.execution.limit_sets import Level, Scope
from pilothouse.kit.db import Tx


def halt(
    tx: Tx,
    desk: Desk,
    account_id: str,
    owner_id: str,
    *,
    reason: str,
    by: str,
    kind: HaltKind = HaltKind.NO_NEW_EXPOSURE,
) -> Halt:
    """Halt one account; one that is halted as severely already stays as it is."""
    return halt_at(tx, desk, Scope(Level.ACCOUNT, account_id, owner_id, account_id), kind, reason=reason, by=by)


def halt_at(tx: Tx, desk: Desk, scope: Scope, kind: HaltKind, *, reason: str, by: str) -> Halt:
    """Halt the house, a user, an account or a bot; what is halted there as severely already stays as it is."""
    tx.lock(f"account:{scope.account_id}" if scope.account_id else f"halts:{scope.id}")
    for known in halt_store.of_scope(tx, scope):
        if known.kind.severity >= kind.severity:
            return known
    stop = Halt(
        id=desk.ids.fresh("hlt"),
        owner_id=scope.owner_id,
        account_id=scope.account_id or "",
        at=desk.clock.now(),
        by=by,
        reason=reason,
        level=scope.level,
        kind=kind,
        hook_id=scope.id if scope.level is Level.BOT else None,
    )
    halt_store.add(tx, stop)
    said = {"reason": reason, "by": by, "at": iso(stop.at), "level": stop.level.value, "kind": kind.value}
    if stop.hook_id is not None:
        said["hook_id"] = stop.hook_id
    for owner_id, account_id in _accounts_of(tx, scope):
        tx.announce(Fact(FactKind.ACCOUNT_HALTED, owner_id, stop.at, account_id, said))
    return stop


def resume(tx: Tx, desk: Desk, account_id: str, owner_id: str, *, by: str) -> bool:
    """Let an account trade again; returns whether it was halted itself. Halts above it stay."""
    return resume_at(tx, desk, Scope(Level.ACCOUNT, account_id, owner_id, account_id), by=by)


def resume_at(tx: Tx, desk: Desk, scope: Scope, *, by: str) -> bool:
    """End every halt at one level; returns whether there was any. An account may stay halted by another level."""
    tx.lock(f"account:{scope.account_id}" if scope.account_id else f"halts:{scope.id}")
    now = desk.clock.now()
    if not halt_store.end(tx, scope, now, by):
        return False
    said = {"by": by, "at": iso(now), "level": scope.level.value}
    if scope.level is Level.BOT:
        said["hook_id"] = scope.id
    for owner_id, account_id in _accounts_of(tx, scope):
        if scope.level is Level.BOT or halt_store.halted(tx, account_id, owner_id) is None:
            tx.announce(Fact(FactKind.ACCOUNT_RESUMED, owner_id, now, account_id, said))
    return True


def _accounts_of(tx: Tx, scope: Scope) -> list[tuple[str, str]]:
    """Return (owner, account) of every account that a level concerns."""
    if scope.account_id is not None:
        return [(scope.owner_id, scope.account_id)]
    active = trading_accounts.active_accounts(tx)
    everybody = scope.level is Level.HOUSE
    return [(each.owner_id, each.id) for each in active if everybody or each.owner_id == scope.owner_id]


def halted_accounts(tx: Tx) -> set[str]:
    """Return the accounts that are halted themselves, or by their user or the house."""
    stops = [stop for stop in halt_store.standing(tx) if stop.level is not Level.BOT]
    if not stops:
        return set()
    # Of an account that was closed the halt stays, and counts no more.
    active = trading_accounts.active_accounts(tx)
    return {each.id for each in active if any(stop.concerns(each.owner_id, each.id) for stop in stops)}
