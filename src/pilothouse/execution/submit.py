"""An intent becomes an order, or a denial with every reason, in the caller's one transaction.

What is committed with the decision is enough to go on after a crash: the order with its client id, SENDING and held
by this process if it will send at once, and the message that somebody else takes over when the hold has passed.
"""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from pilothouse.core.ids import client_order_id
from pilothouse.core.intent import OrderIntent
from pilothouse.core.order import OrderEvent, OrderState, after
from pilothouse.core.risk import Denial
from pilothouse.core.rounding import plain
from pilothouse.execution import account_store, store
from pilothouse.execution.desk import Desk
from pilothouse.execution.gate import Basis, ask_the_gate
from pilothouse.execution.lanes import Outgoing
from pilothouse.execution.tell import ORDER_TOPIC, told
from pilothouse.execution.trader import Trader
from pilothouse.kit import outbox
from pilothouse.kit.db import Tx
from pilothouse.venues.port import OrderRequest, VenueAccount


def submit(
    tx: Tx,
    desk: Desk,
    trader: Trader,
    intent: OrderIntent,
    basis: Basis,
    *,
    alert_at: datetime | None = None,
    waits: bool = False,
) -> store.OrderRecord:
    """Return the order made of `intent`; an order with the same key is returned as it is, never made again.

    waits   it sells coins that a stop locks: it is stored unsent, and leaves when the stop has let go

    Takes the caller's transaction, in which the account is locked; after its commit the order leaves.
    Raises AccountDisarmed, DeniedByRisk.
    """
    now = desk.clock.now()
    client_id = client_order_id(desk.house_key, trader.account_id, intent.key)
    standing = store.by_client_id(tx, trader.account_id, client_id)
    if standing is not None:
        return standing
    trader.must_be_armed()
    warnings = ask_the_gate(tx, desk, trader, intent, basis, now)
    order = _new_order(desk, trader, intent, client_id, now)
    if waits:
        return _keep_unsent(tx, trader, intent, order, now, "waits until a stop lets go of the coins", warnings)
    doubted = _doubted(basis, now)
    if doubted is not None and not intent.purpose.protects and not intent.terms.reduce_only:
        why = f"waits until it is known what became of {doubted.id}"
        return _keep_unsent(tx, trader, intent, order, now, why, warnings)
    if not desk.writers.may_send(trader.venue, trader.account_id):
        why = "waits for the process that sends for this account"
        return _keep_unsent(tx, trader, intent, order, now, why, warnings)
    message_id = _keep_held(tx, desk, trader, intent, order, now, warnings)
    outgoing = _outgoing(trader, order, message_id, alert_at=alert_at)
    if doubted is not None:  # what reduces is handed on all the same: whoever sends it looks whether it must wait
        tx.after_commit(lambda: desk.lanes.doubt((trader.account_id, intent.terms.symbol), is_so=True))
    tx.after_commit(lambda: desk.lanes.push(outgoing))
    return order


def submit_pair(
    tx: Tx, desk: Desk, trader: Trader, stop: OrderIntent, target: OrderIntent
) -> tuple[store.OrderRecord, store.OrderRecord]:
    """Return the orders made of a stop-loss and a take-profit that wait for the same coins: one request, or none.

    Takes the caller's transaction, in which the account is locked. Protection always passes the gate.
    Raises AccountDisarmed.
    """
    now = desk.clock.now()
    ids = [client_order_id(desk.house_key, trader.account_id, each.key) for each in (stop, target)]
    known = [store.by_client_id(tx, trader.account_id, each) for each in ids]
    if known[0] is not None and known[1] is not None:
        return known[0], known[1]
    assert known == [None, None], "both halves are made in one transaction"
    trader.must_be_armed()
    halves = [
        replace(_new_order(desk, trader, each, mine, now), beside=other)
        for each, mine, other in ((stop, ids[0], ids[1]), (target, ids[1], ids[0]))
    ]
    if not desk.writers.may_send(trader.venue, trader.account_id):
        why = "waits for the process that sends for this account"
        first, second = (
            _keep_unsent(tx, trader, each, order, now, why, ())
            for each, order in zip((stop, target), halves, strict=True)
        )
        return first, second
    message_id, other_message = (
        _keep_held(tx, desk, trader, each, order, now, ()) for each, order in zip((stop, target), halves, strict=True)
    )
    outgoing = _outgoing(trader, halves[0], message_id, other=(halves[1], other_message))
    tx.after_commit(lambda: desk.lanes.push(outgoing))
    return halves[0], halves[1]


def _outgoing(
    trader: Trader,
    order: store.OrderRecord,
    message_id: str,
    *,
    alert_at: datetime | None = None,
    other: tuple[store.OrderRecord, str] | None = None,
) -> Outgoing:
    """Return a new order as it is handed on to be sent.

    other   the other half of a pair with its message: it leaves by the same request
    """
    assert order.sendable_until is not None, "a new order is held by this process"
    assert order.until_tick is not None, "and its time is counted by this machine"
    beside = None if other is None else OrderRequest(other[0].client_order_id, other[0].terms, other[0].created_at)
    return Outgoing(
        order_id=order.id,
        signal_id=order.signal_id,
        message_id=message_id,
        venue=trader.venue,
        account=VenueAccount(trader.account_id, trader.owner_id),
        request=OrderRequest(order.client_order_id, order.terms, order.created_at, beside=beside),
        sendable_until=order.sendable_until,
        until_tick=order.until_tick,
        alert_at=alert_at,
        is_live=trader.is_live,
        protects=order.purpose.protects,
        beside=None if other is None else (other[0].id, other[1]),
    )


def _keep_held(
    tx: Tx,
    desk: Desk,
    trader: Trader,
    intent: OrderIntent,
    order: store.OrderRecord,
    now: datetime,
    warnings: tuple[Denial, ...],
) -> str:
    """Store an order that this process sends after the commit; return its message, which is leased as long."""
    assert order.sendable_until is not None, "a new order is held by this process"
    epoch = desk.writers.in_words(trader.venue, trader.account_id)
    store.add(tx, order)
    tx.record(trader.account_id, order.about, "ordered", _made(order, intent))
    store.note(
        tx,
        order,
        now,
        ("decide", OrderState.INTENDED, f"{intent.reason}; mark {plain(intent.decided_price)}"),
        *_warned(warnings),
        (OrderEvent.SEND, OrderState.SENDING, f"held by {desk.process}{epoch}"),
    )
    account_store.count_order(tx, trader.account_id, trader.owner_id, now)
    message_id = outbox.put(
        tx,
        ORDER_TOPIC,
        key=trader.account_id,
        payload={"order_id": order.id},
        lease=outbox.Lease(owner=desk.process, until=order.sendable_until),
        now=now,
    )
    assert message_id is not None, "a new order has no message yet"
    told(tx, order, now)
    return message_id


def _warned(warnings: tuple[Denial, ...]) -> list[tuple[str, OrderState, str]]:
    """Return lines for the timeline of an order that a person wanted to be warned of."""
    return [("warned", OrderState.INTENDED, f"{one.code}: {one.message}") for one in warnings]


def _doubted(basis: Basis, now: datetime) -> store.OrderRecord | None:
    """Return an order of the instrument of which nobody knows whether it arrived; what only protects is left out."""
    return next((one for one in basis.orders if not one.purpose.protects and one.is_doubted(now)), None)


def _keep_unsent(
    tx: Tx,
    trader: Trader,
    intent: OrderIntent,
    order: store.OrderRecord,
    now: datetime,
    why: str,
    warnings: tuple[Denial, ...],
) -> store.OrderRecord:
    """Store an order that leaves later, with the message that brings it there."""
    order = replace(order, state=OrderState.INTENDED, sent_at=None, sendable_until=None, until_tick=None)
    store.add(tx, order)
    tx.record(trader.account_id, order.about, "ordered", _made(order, intent))
    detail = f"{intent.reason}; mark {plain(intent.decided_price)}; {why}"
    store.note(tx, order, now, ("decide", order.state, detail), *_warned(warnings))
    account_store.count_order(tx, trader.account_id, trader.owner_id, now)
    outbox.put(tx, ORDER_TOPIC, key=trader.account_id, payload={"order_id": order.id}, now=now)
    told(tx, order, now)
    return order


def _made(order: store.OrderRecord, intent: OrderIntent) -> dict[str, object]:
    """Return what the record holds of a new order."""
    return {"order": order.id, "client_order_id": order.client_order_id, "at": order.created_at, "intent": intent}


def _new_order(desk: Desk, trader: Trader, intent: OrderIntent, client_id: str, now: datetime) -> store.OrderRecord:
    """Return the order as it is stored first: SENDING, held by this process."""
    return store.OrderRecord(
        id=desk.ids.fresh("ord"),
        owner_id=trader.owner_id,
        account_id=trader.account_id,
        hook_id=intent.hook_id,
        signal_id=intent.signal_id,
        client_order_id=client_id,
        venue_order_id=None,
        terms=intent.terms,
        purpose=intent.purpose,
        reason=intent.reason,
        state=after(OrderState.INTENDED, OrderEvent.SEND),
        filled_quantity=Decimal(0),
        filled_notional=Decimal(0),
        commission=Decimal(0),
        decided_price=intent.decided_price,
        outcome=None,
        cancel_asked_at=None,
        created_at=now,
        sent_at=now,
        sendable_until=now + desk.patience.hand_off,
        asked=0,
        updated_at=now,
        until_tick=desk.clock.tick().later(desk.patience.hand_off),
    )
