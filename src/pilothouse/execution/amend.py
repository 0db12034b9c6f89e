"""Ask for price, trigger or size of a resting order to be changed, in a transaction; a message has it done later.

The venue changes it in place, or ends it and takes another for the rest. The client id of that other one is stored
before the wire is touched.
"""

from dataclasses import replace
from decimal import Decimal

from pilothouse.core.errors import Conflict, Invalid, Problem, Refused
from pilothouse.core.ids import client_order_id
from pilothouse.core.intent import OrderIntent
from pilothouse.core.rounding import EXACT, plain
from pilothouse.core.sizing import within_bounds
from pilothouse.execution import account_store, amendments, store
from pilothouse.execution.amendments import Amendment
from pilothouse.execution.desk import Desk
from pilothouse.execution.gate import Basis, ask_the_gate
from pilothouse.execution.trader import Trader
from pilothouse.kit import outbox
from pilothouse.kit.db import Tx

AMEND_TOPIC = "amend"
"""Messages under this topic ask for one resting order to be changed."""


class NotResting(Conflict):
    """The order does not stand at its venue, so there is nothing to change."""

    code = "order_not_resting"


class AlreadyAsked(Conflict):
    """Another change, or a cancel, of this order is on its way."""

    code = "order_changing"


class Protects(Refused):
    """A stop-loss or take-profit follows its position and is not changed by hand."""

    code = "order_protects"


def ask(
    tx: Tx,
    desk: Desk,
    trader: Trader,
    order: store.OrderRecord,
    basis: Basis,
    *,
    price: Decimal | None,
    quantity: Decimal | None,
    by: str,
    stop_price: Decimal | None = None,
) -> bool:
    """Ask for an order to be changed, in the caller's transaction, in which the account is locked.

    price      its new limit; None: as it is
    stop_price its new trigger; None: as it is
    quantity   its new size, base, with what has filled already; None: as it is

    Returns whether it could add to what the account risks: then the risk gate has allowed it. Raises Invalid,
    NotResting, AlreadyAsked, Protects, AccountDisarmed, OffGrid, SizeBelowMinimum, DeniedByRisk.
    """
    _may_change(trader, order)
    wanted = _wanted(desk, order, basis, price, stop_price, quantity, by)
    now = wanted.asked_at
    rest = replace(wanted.terms_of(order), quantity=EXACT.subtract(wanted.quantity, order.filled_quantity))
    within_bounds(
        basis.instrument.quantity(rest.quantity),
        basis.instrument,
        rest.price or rest.stop_price or basis.quote.mark,
        reduces=rest.reduce_only,
    )
    adds = wanted.adds_to(order)
    if adds:
        others = tuple(each for each in basis.orders if each.id != order.id)
        intent = OrderIntent(order.id, rest, order.purpose, basis.quote.mark, f"amended by hand: {by}")
        ask_the_gate(tx, desk, trader, intent, replace(basis, orders=others), now, without=order.id)
    amendments.add(tx, wanted)
    account_store.count_order(tx, order.account_id, order.owner_id, now)
    words = f"to {amendments.in_words(wanted.terms_of(order))}, by {by}"
    store.note(tx, order, now, ("amend_asked", order.state, words))
    outbox.put(
        tx,
        AMEND_TOPIC,
        key=order.account_id,
        payload={"order_id": order.id},
        dedupe_key=f"amend:{wanted.client_order_id}",
        available_at=now,
        now=now,
    )
    return adds


def _may_change(trader: Trader, order: store.OrderRecord) -> None:
    if order.purpose.protects:
        raise Protects(f"this {order.purpose} follows its position; it is not changed by hand")
    if not order.state.is_resting:
        raise NotResting(f"an order that is {order.state} does not stand at its venue: there is nothing to change")
    if order.amend_quantity is not None or order.cancel_asked_at is not None:
        raise AlreadyAsked("another change, or a cancel, of this order is on its way")
    trader.must_be_armed()


def _wanted(
    desk: Desk,
    order: store.OrderRecord,
    basis: Basis,
    price: Decimal | None,
    stop_price: Decimal | None,
    quantity: Decimal | None,
    by: str,
) -> Amendment:
    """Return the change as it is stored; raises Invalid for what cannot be one."""
    problems = []
    if price is not None and not order.terms.type.has_limit:
        problems.append(Problem("price", "a number", f"nothing: a {order.terms.type} order has none", "unexpected"))
    if stop_price is not None and not order.terms.type.is_conditional:
        nothing = f"nothing: a {order.terms.type} order has none"
        problems.append(Problem("stop_price", "a number", nothing, "unexpected"))
    if quantity is not None and quantity <= order.filled_quantity:
        above = f"a number above {plain(order.filled_quantity)}, which has filled already"
        problems.append(Problem("quantity", plain(quantity), above, "out_of_range"))
    new_price = order.terms.price if price is None else price
    new_stop = order.terms.stop_price if stop_price is None else stop_price
    new_quantity = order.terms.quantity if quantity is None else quantity
    if (new_price, new_stop, new_quantity) == (order.terms.price, order.terms.stop_price, order.terms.quantity):
        allowed = "another price, stop_price or quantity"
        problems.append(Problem("price", "nothing new", allowed, "missing"))
    if problems:
        raise Invalid(problems)
    return Amendment(
        order_id=order.id,
        owner_id=order.owner_id,
        account_id=order.account_id,
        client_order_id=client_order_id(desk.house_key, order.account_id, desk.ids.fresh("amd")),
        quantity=basis.instrument.quantity(new_quantity),
        price=None if new_price is None else basis.instrument.price(new_price),
        decided_price=basis.quote.mark,
        asked_by=by,
        asked_at=desk.clock.now(),
        sendable_until=None,
        asked=0,
        stop_price=None if new_stop is None else basis.instrument.price(new_stop),
    )
