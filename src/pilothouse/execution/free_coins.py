"""A sale of coins that a stop locks: an order that waits goes in; the stops let go, and it is sized by what is left.

Where positions are coins, the venue sells none that wait for a stop-loss, a take-profit or another sale. So the sale is
stored unsent, the stops and what was asked to make way are cancelled, and each time it is looked at, it is seen from
what is there how far that came.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState, Purpose
from pilothouse.core.rounding import plain, toward_zero
from pilothouse.execution import cancel, store
from pilothouse.execution.desk import Desk
from pilothouse.execution.give_up import give_up
from pilothouse.execution.tell import told
from pilothouse.kit.db import Tx
from pilothouse.ledger import positions


def still_locked(tx: Tx, desk: Desk, venue: str, order_id: str) -> timedelta | None:
    """Return after how long to look again, while a stop locks what an unsent order would sell; None if none does.

    Each stop that stands is asked to be cancelled, again if the venue refused that. What a stop sold meanwhile is
    not sold twice: the order is made smaller, or withdrawn when not one lot is left.
    """
    known = store.get(tx, order_id)
    if known is None or known.purpose is not Purpose.EXIT or known.terms.side is not Side.SELL:
        return None
    if not desk.holds_coins(venue):
        return None
    tx.lock(f"account:{known.account_id}")
    order = store.get(tx, order_id, lock=True)
    if order is None or order.state is not OrderState.INTENDED or order.cancel_asked_at is not None:
        return None
    now = desk.clock.now()
    live = [one for one in store.live_in(tx, order.account_id, order.terms.symbol) if one.id != order.id]
    locks = [one for one in live if one.purpose.protects or _makes_way(one)]
    for lock in locks:
        cancel.ask(tx, desk, lock, by=f"order {order.id}, which sells what it locks")
    if locks:
        patience = desk.patience
        return patience.ask_first if now - order.created_at < patience.ask_most else patience.ask_most
    _fit(tx, desk, venue, order, live)
    return None


def _makes_way(one: store.OrderRecord) -> bool:
    """Say whether a resting sale was asked to end: it keeps its coins until it has."""
    return one.terms.rests and one.terms.side is Side.SELL and one.cancel_asked_at is not None


def _fit(tx: Tx, desk: Desk, venue: str, order: store.OrderRecord, live: Sequence[store.OrderRecord]) -> None:
    """Make an unsent sale no larger than what is held and in no other sale; withdraw it if that is less than a lot."""
    now, symbol = desk.clock.now(), order.terms.symbol
    instrument = desk.instrument_of(venue, symbol)
    sales = [one for one in live if one.terms.side is Side.SELL and one.state is not OrderState.INTENDED]
    bound = sum((one.remaining for one in sales), Decimal(0))
    free = max(positions.position(tx, order.account_id, symbol).quantity - bound, Decimal(0))
    held = toward_zero(free, instrument.lot)
    if held >= order.terms.quantity:
        return
    if held > 0:
        store.change(tx, order.id, now, quantity=held)
        reason = f"{plain(held)} instead of {plain(order.terms.quantity)}: the rest was sold while it waited"
        reason += f", or waits in other sales ({plain(bound)})" if bound else ""
        store.note(tx, order, now, ("resized", order.state, reason))
        told(tx, replace(order, terms=replace(order.terms, quantity=held)), now)
        return
    reason = "nothing is left to sell: a stop sold it while this waited"
    reason += f", or other sales keep it ({plain(bound)})" if bound else ""
    give_up(tx, desk, order.id, reason)
