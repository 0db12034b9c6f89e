"""What a halt does: orders that rest are cancelled, positions are closed; at once, and again as long as it stands.

In: a scope and how much is to be stopped. Out: cancels and closing orders, in the caller's transaction. Whoever comes
again does what is left to do: an order that crossed the halt on its way, a position that a late fill opened.
"""

from collections.abc import Sequence
from decimal import Decimal

from pilothouse.accounts import trading_accounts
from pilothouse.accounts.trading_accounts import TradingAccount
from pilothouse.bots.follow import PositionNotFound
from pilothouse.core.errors import Refused, Unavailable
from pilothouse.core.halts import HaltKind
from pilothouse.core.order import Purpose
from pilothouse.execution import cancel, halt_store, halts
from pilothouse.execution import store as orders_store
from pilothouse.execution.desk import Desk
from pilothouse.execution.halt_store import Halt
from pilothouse.execution.limit_sets import Scope
from pilothouse.execution.trader import Trader
from pilothouse.fleet import manual
from pilothouse.fleet.scene import look
from pilothouse.kit.db import Tx
from pilothouse.ledger import bot_share, positions

BY = "halt"
_NOT_OURS = frozenset({Purpose.FOREIGN, Purpose.LIQUIDATION})


def halt(tx: Tx, desk: Desk, scope: Scope, kind: HaltKind, *, reason: str, by: str) -> Halt:
    """Halt at a level, and do at once what the halt does; what cannot be done yet is done by `carry_on`."""
    stop = halts.halt_at(tx, desk, scope, kind, reason=reason, by=by)
    for account in trading_accounts.active_accounts(tx):
        if stop.concerns(account.owner_id, account.id):
            carry_out(tx, desk, account, [stop])
    return stop


def due(tx: Tx) -> list[tuple[TradingAccount, list[Halt]]]:
    """Return the accounts under a halt that does more than keep new orders out, with those halts."""
    doing = [stop for stop in halt_store.standing(tx) if stop.kind is not HaltKind.NO_NEW_EXPOSURE]
    if not doing:
        return []
    pairs = [
        (account, [stop for stop in doing if stop.concerns(account.owner_id, account.id)])
        for account in trading_accounts.active_accounts(tx)
    ]
    return [(account, stops) for account, stops in pairs if stops]


def carry_out(tx: Tx, desk: Desk, account: TradingAccount, stops: Sequence[Halt]) -> list[str]:
    """Do what is left to do for an account under halts; returns what could not be done now, in words."""
    trader = Trader.of(account)
    tx.lock(f"account:{account.id}")
    live = orders_store.live_of(tx, account.id)
    problems: list[str] = []
    for stop in stops:
        for order in live:
            mine = stop.hook_id in {None, order.hook_id} and order.purpose not in _NOT_OURS
            if mine and order.terms.rests and stop.kind.cancels(order.terms, order.purpose):
                cancel.ask(tx, desk, order, by=f"{BY} {stop.id}")
        if stop.kind is HaltKind.FLATTEN:
            problems += _flatten(tx, desk, trader, stop)
    return problems


def _flatten(tx: Tx, desk: Desk, trader: Trader, stop: Halt) -> list[str]:
    """Close every position that a halt concerns and that is not being closed yet."""
    shares: dict[str, Decimal] | None = None
    if stop.hook_id is not None:
        shares = bot_share.bought_less_sold(tx, trader.account_id, stop.hook_id)
    problems = []
    for row in positions.all_positions(tx, trader.account_id, flat_too=False):
        symbol = row.position.symbol
        share = None if shares is None else shares.get(symbol, Decimal(0))
        try:
            scene = look(tx, desk, trader, symbol)
            if scene.view.in_lots(scene.view.expected()) != 0 and share != 0:
                manual.close(tx, desk, trader, symbol, by=f"{BY} {stop.id}", share=share, hook_id=stop.hook_id)
        except PositionNotFound:
            continue
        except (Unavailable, Refused) as reason:  # one instrument without a price must not keep the others open
            problems.append(f"{symbol}: {reason}")
    return problems
