"""Remove an account: its hooks fall silent, its keys are forgotten, its history stays."""

from dataclasses import dataclass

from pilothouse.accounts import hooks, trading_accounts, venue_keys
from pilothouse.accounts.hooks import HookState
from pilothouse.accounts.trading_accounts import AccountState, TradingAccount
from pilothouse.core.errors import Conflict
from pilothouse.core.order import OrderState
from pilothouse.core.rounding import plain
from pilothouse.execution import store as orders
from pilothouse.fleet import leave
from pilothouse.kit.db import Tx
from pilothouse.ledger import positions
from pilothouse.wiring.house import House

_ON_THEIR_WAY = frozenset({OrderState.INTENDED, OrderState.SENDING, OrderState.UNKNOWN})


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


def remove(house: House, owner_id: str, account_id: str, *, force: bool, by: str) -> Removed:
    """Close an account for good, revoke its hooks and forget its keys; again is no error.

    force   also with open positions, resting orders or waiting alerts: what stands at the venue stays there, unwatched

    Raises AccountNotFound, or AccountBusy: without `force` for what is open, and in any case while it is not known what
    became of an order.
    """

    def work(tx: Tx) -> Removed:
        tx.lock(f"account:{account_id}")
        account = trading_accounts.get(tx, owner_id, account_id)
        if account.state is not AccountState.ACTIVE:
            return Removed(account, (), ())
        left = _left(tx, account, force=force)
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


def _left(tx: Tx, account: TradingAccount, *, force: bool) -> list[str]:
    """Return what is left open, in words. Raises AccountBusy."""
    live = orders.live_of(tx, account.id)
    doubtful = [order for order in live if order.state in _ON_THEIR_WAY]
    if doubtful:
        raise AccountBusy(
            f"{len(doubtful)} orders are on their way, or nobody can say yet what became of them: wait until the venue "
            "has said so (pilothouse orders --open)"
        )
    open_ = []
    held = [row.position for row in positions.all_positions(tx, account.id, flat_too=False)]
    if held:
        open_.append("positions stay open: " + ", ".join(f"{plain(one.quantity)} {one.symbol}" for one in held))
    if live:
        open_.append(
            f"{len(live)} orders stay at the venue: " + ", ".join(order.client_order_id for order in live[:20])
        )
    waiting = leave.waiting(tx, account.id)
    if waiting:
        open_.append(f"{len(waiting)} alerts wait and are refused then")
    if open_ and not force:
        raise AccountBusy(
            f"the account {account.name!r} is in use ({'; '.join(open_)}). Close and cancel first (pilothouse "
            "positions close-all, orders cancel-all), or remove it with --force (force=true): then nobody watches over "
            "what is left"
        )
    return open_
