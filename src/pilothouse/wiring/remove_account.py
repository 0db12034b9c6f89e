"""Remove an account: its hooks fall silent, its keys are forgotten, its history stays.

By force, its orders are taken from the venue first, and nothing is closed before the venue has said that they are gone.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pilothouse.accounts import hooks, trading_accounts, venue_keys
from pilothouse.accounts.hooks import HookState
from pilothouse.accounts.trading_accounts import AccountState, TradingAccount
from pilothouse.core.errors import Conflict, PilothouseError
from pilothouse.core.order import OrderState, Purpose
from pilothouse.core.rounding import plain
from pilothouse.execution import cancel, halt_store, halts
from pilothouse.execution import store as orders
from pilothouse.execution.reconcile import reconcile
from pilothouse.execution.store import OrderRecord
from pilothouse.execution.trader import Trader
from pilothouse.execution.withdraw import let_go, withdraw
from pilothouse.fleet import leave
from pilothouse.fleet.protections import ProtectionRecord
from pilothouse.kit.db import Tx
from pilothouse.ledger import positions
from pilothouse.wiring.house import House

_ON_THEIR_WAY = frozenset({OrderState.INTENDED, OrderState.SENDING, OrderState.UNKNOWN})
_NOT_OURS = frozenset({Purpose.FOREIGN, Purpose.LIQUIDATION})
_LEFT = "the account was removed here: it stays at the venue, unwatched"


class AccountBusy(Conflict):
    """Something is open on the account."""

    code = "account_busy"


@dataclass(frozen=True, slots=True)
class Removed:
    """An account that was closed.

    hooks     names of those that were revoked
    warnings  what stays behind at the venue
    """

    account: TradingAccount
    hooks: tuple[str, ...]
    warnings: tuple[str, ...]


def remove(
    house: House,
    owner_id: str,
    account_id: str,
    *,
    force: bool,
    leave_orders: bool = False,
    by: str,
    sleep: Callable[[float], object] = time.sleep,
) -> Removed:
    """Close an account for good, revoke its hooks and forget its keys; again is no error.

    force          also with open positions, resting orders or waiting alerts: orders that were made here are cancelled
                   at the venue first, stop-losses too; positions and orders of others stay there, unwatched
    leave_orders   with `force`: the venue is not asked, as when there is none any more; orders stay where they are

    Raises AccountNotFound, Unavailable if the venue does not answer, or AccountBusy: without `force` for what is open,
    with it while the venue has not said that an order is gone, and in any case while nobody knows what became of one.
    Then everything stays as it was, and is protected again.
    """
    if force and not leave_orders:
        _take_back_orders(house, owner_id, account_id, by, sleep)

    def work(tx: Tx) -> Removed:
        tx.lock(f"account:{account_id}")
        account = trading_accounts.get(tx, owner_id, account_id)
        if account.state is not AccountState.ACTIVE:
            return Removed(account, (), ())
        left = _left(tx, house, account, force=force, leave_orders=leave_orders)
        now = house.clock.now()
        leave.leave(tx, house.desk, account_id)
        revoked = [
            each
            for each in hooks.list_hooks(tx, owner_id)
            if each.account_id == account_id and each.state is HookState.ACTIVE
        ]
        for each in revoked:
            hooks.revoke(tx, owner_id, each.id, now=now, who=by)
        venue_keys.remove(tx, owner_id, account_id, now=now, who=by)
        closed = trading_accounts.close(tx, owner_id, account_id, now=now, who=by)
        return Removed(closed, tuple(each.name for each in revoked), tuple(left))

    removed = house.database.write(work, name="account remove")
    house.forget(removed.account)
    return removed


# ── Orders ────────────────────────────────────────────────────────────────────────────────────────


def _take_back_orders(house: House, owner_id: str, account_id: str, by: str, sleep: Callable[[float], object]) -> None:
    """Cancel every order that was made here at the venue, what adds exposure first. Raises AccountBusy or Unavailable.

    Nothing new is decided meanwhile: the account is halted. If the house dies in between it stays so, and says why.
    """
    account = house.database.read(lambda tx: trading_accounts.get(tx, owner_id, account_id))
    live = house.database.read(lambda tx: orders.live_of(tx, account_id))
    _refuse_doubtful(live)
    ours = [order for order in live if order.purpose not in _NOT_OURS]
    if account.state is not AccountState.ACTIVE or not ours:
        return
    reason = f"it is being removed by {by}; if that did not end, remove it again"

    def begin(tx: Tx) -> halt_store.Halt | None:
        tx.lock(f"account:{account_id}")
        standing = halt_store.halted(tx, account_id)
        return None if standing else halts.halt(tx, house.desk, account_id, owner_id, reason=reason, by=by)

    halt = house.database.write(begin, name="account remove")
    unprotected: list[ProtectionRecord] = []
    try:
        _cancel(house, account, [order for order in ours if not order.purpose.protects], by, sleep)
        unprotected += house.database.write(lambda tx: leave.unprotect(tx, account_id), name="account remove")
        live = house.database.read(lambda tx: orders.live_of(tx, account_id))
        _cancel(house, account, [order for order in live if order.purpose not in _NOT_OURS], by, sleep)
        reconcile(house.desk, Trader.of(account))  # a cancel can cross a fill, which is booked before the books close
    except PilothouseError:
        house.database.write(lambda tx: _go_on(tx, house, account, halt, unprotected, by), name="account remove")
        raise


def _cancel(
    house: House, account: TradingAccount, wanted: Sequence[OrderRecord], by: str, sleep: Callable[[float], object]
) -> None:
    """Cancel orders at the venue. Raises AccountBusy naming those of which it has not said that they are gone."""
    _refuse_doubtful(wanted)

    def ask(tx: Tx) -> None:
        for order in wanted:
            cancel.ask(tx, house.desk, order, by=by)

    house.database.write(ask, name="cancel")
    remaining = withdraw(house.desk, account.venue, wanted, sleep)
    if remaining:
        which, are, them = (
            ("1 order is", "it is", "it")
            if len(remaining) == 1
            else (f"{len(remaining)} orders are", "they are", "them")
        )
        raise AccountBusy(
            f"the venue has not said that {which} gone ({_names(remaining)}): {are} asked about on, and the account "
            f"stays. Remove it again when the venue has said so (pilothouse orders --open), or leave {them} there, "
            "unwatched, with --leave-orders (leave_orders=true)"
        )


def _go_on(
    tx: Tx,
    house: House,
    account: TradingAccount,
    halt: halt_store.Halt | None,
    unprotected: Sequence[ProtectionRecord],
    by: str,
) -> None:
    """Let an account go on that could not be removed: protected, and halted only by whoever else has halted it."""
    tx.lock(f"account:{account.id}")
    leave.protect_again(tx, house.desk, unprotected)
    standing = halt_store.halted(tx, account.id)
    if halt is not None and standing is not None and standing.id == halt.id:
        halts.resume(tx, house.desk, account.id, account.owner_id, by=by)


def _refuse_doubtful(live: Sequence[OrderRecord]) -> None:
    doubtful = [order for order in live if order.state in _ON_THEIR_WAY]
    if doubtful:
        raise AccountBusy(f"{_on_their_way(doubtful)}: wait until the venue has said so (pilothouse orders --open)")


def _on_their_way(doubtful: Sequence[OrderRecord]) -> str:
    if len(doubtful) == 1:
        return f"1 order is on its way, or nobody can say yet what became of it ({_names(doubtful)})"
    return f"{len(doubtful)} orders are on their way, or nobody can say yet what became of them ({_names(doubtful)})"


def _names(named: Sequence[OrderRecord]) -> str:
    return ", ".join(order.client_order_id for order in named[:20]) + (", ..." if len(named) > 20 else "")


def _left(tx: Tx, house: House, account: TradingAccount, *, force: bool, leave_orders: bool) -> list[str]:
    """Return what is left open, in words, and let go of it. Raises AccountBusy, with all that is in the way."""
    live = orders.live_of(tx, account.id)
    doubtful = [order for order in live if order.state in _ON_THEIR_WAY]
    if force:
        _refuse_doubtful(doubtful)
    standing = [order for order in live if order not in doubtful]
    open_ = []
    held = [row.position for row in positions.all_positions(tx, account.id, flat_too=False)]
    if held:
        names = ", ".join(f"{plain(one.quantity)} {one.symbol}" for one in held)
        guarded = leave_orders or not force
        stay = "1 position stays open" if len(held) == 1 else f"{len(held)} positions stay open"
        open_.append(f"{stay}: {names}" + ("" if guarded else ", without a stop-loss of ours any more"))
    if standing:
        stay = "1 order stays" if len(standing) == 1 else f"{len(standing)} orders stay"
        open_.append(f"{stay} at the venue: {_names(standing)}")
    waiting = leave.waiting(tx, account.id)
    if waiting:
        open_.append(
            "1 alert waits and is refused then"
            if len(waiting) == 1
            else f"{len(waiting)} alerts wait and are refused then"
        )
    if (open_ or doubtful) and not force:
        raise _in_use(account, open_, doubtful)
    if not leave_orders and any(order.purpose not in _NOT_OURS for order in live):
        raise AccountBusy("another order was made meanwhile: remove the account again")
    for order in live:
        let_go(tx, house.desk, order, _LEFT)
    return open_


def _in_use(account: TradingAccount, open_: Sequence[str], doubtful: Sequence[OrderRecord]) -> AccountBusy:
    """Return the refusal that names everything that is open, and in which order it is put right."""
    found = [_on_their_way(doubtful)] if doubtful else []
    wait = "Wait until the venue has said so (pilothouse orders --open); then close" if doubtful else "Close"
    return AccountBusy(
        f"the account {account.name!r} is in use ({'; '.join([*found, *open_])}). {wait} and cancel first (pilothouse "
        "positions close-all, orders cancel-all), or remove it with --force (force=true): then its orders are "
        "cancelled, and nobody watches over what is left"
    )
