"""Every query over execution's tables. Rows come out as frozen records; money is never compared in SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, and_, bindparam, func, insert, or_, select, update

from pilothouse.core.clock import Clock, Tick
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderEvent, OrderState, OrderTerms, OrderType, Purpose, TimeInForce
from pilothouse.execution.tables import order_events, orders
from pilothouse.kit.db import Tx
from pilothouse.kit.hot import hot

_NOT_SENT = frozenset({OrderState.UNKNOWN, OrderState.INTENDED})
_IN_DOUBT = (OrderState.UNKNOWN.value, OrderState.SENDING.value)


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """One order as it is stored; see `execution/tables.py`."""

    id: str
    owner_id: str
    account_id: str
    hook_id: str | None
    signal_id: str | None
    client_order_id: str
    venue_order_id: str | None
    terms: OrderTerms
    purpose: Purpose
    reason: str
    state: OrderState
    filled_quantity: Decimal
    filled_notional: Decimal
    commission: Decimal
    decided_price: Decimal
    outcome: str | None
    cancel_asked_at: datetime | None
    created_at: datetime
    sent_at: datetime | None
    sendable_until: datetime | None
    asked: int
    updated_at: datetime
    amend_quantity: Decimal | None = None
    replaced_by: str | None = None
    beside: str | None = None
    until_tick: Tick | None = None

    @property
    def about(self) -> str:
        """Return under what the record keeps what happens to it: the alert it comes from, or itself."""
        return self.signal_id or self.id

    def is_doubted(self, at: datetime) -> bool:
        """Say whether it may still arrive behind what is decided at that instant, or never.

        Its answer was lost, it waits, or whoever was to send it is gone; or it is sent later than it was decided, so
        not from the lane of its instrument.
        """
        if self.state is not OrderState.SENDING:
            return self.state in _NOT_SENT
        is_lost = self.sendable_until is None or self.sendable_until <= at
        return is_lost or self.asked > 0 or self.sent_at != self.created_at

    @property
    def remaining_at_most(self) -> Decimal:
        """Return what has not filled, or would not have if a change that is on its way is made; the larger, base."""
        if not self.amend_quantity:
            return self.remaining
        return max(self.remaining, self.amend_quantity - self.filled_quantity)

    @property
    def remaining(self) -> Decimal:
        """Return what has not filled, base, zero or more."""
        return self.terms.quantity - self.filled_quantity


@dataclass(frozen=True, slots=True)
class OrderEventRecord:
    """One line of an order's timeline."""

    id: int
    order_id: str
    at: datetime
    event: str
    state: str
    detail: str


_SELECT = select(orders)
_BY_CLIENT_ID = hot(
    _SELECT.where(
        orders.c.account_id == bindparam("account_id"), orders.c.client_order_id == bindparam("client_order_id")
    )
)
_LIVE_OF_ACCOUNT = _SELECT.where(orders.c.is_live.is_(True), orders.c.account_id == bindparam("account_id")).order_by(
    orders.c.id
)
_OF_SIGNAL = hot(_SELECT.where(orders.c.signal_id == bindparam("signal_id")).order_by(orders.c.id))
_INSERT = hot(insert(orders))
_CHANGE = hot(update(orders).where(orders.c.id == bindparam("this_order")))
_INSERT_EVENT = hot(insert(order_events))
_EVENTS = select(order_events).where(order_events.c.order_id == bindparam("order_id")).order_by(order_events.c.id)


def _record(row: Row[Any]) -> OrderRecord:
    terms = OrderTerms(
        symbol=row.symbol,
        side=Side(row.side),
        type=OrderType(row.type),
        quantity=row.quantity,
        price=row.price,
        stop_price=row.stop_price,
        time_in_force=TimeInForce(row.time_in_force),
        reduce_only=row.reduce_only,
        trail_percent=row.trail_percent,
        whole_position=bool(row.whole_position),
    )
    return OrderRecord(
        id=row.id,
        owner_id=row.owner_id,
        account_id=row.account_id,
        hook_id=row.hook_id,
        signal_id=row.signal_id,
        client_order_id=row.client_order_id,
        venue_order_id=row.venue_order_id,
        terms=terms,
        purpose=Purpose(row.purpose),
        reason=row.reason,
        state=OrderState(row.state),
        filled_quantity=row.filled_quantity,
        filled_notional=row.filled_notional,
        commission=row.commission,
        decided_price=row.decided_price,
        outcome=row.outcome,
        cancel_asked_at=row.cancel_asked_at,
        created_at=row.created_at,
        sent_at=row.sent_at,
        sendable_until=row.sendable_until,
        asked=row.asked,
        updated_at=row.updated_at,
        amend_quantity=row.amend_quantity,
        replaced_by=row.replaced_by,
        beside=row.beside,
        until_tick=tick_of(row),
    )


def tick_of(row: Row[Any]) -> Tick | None:
    """Return from which tick on nothing more of what a row tells of leaves; None: it tells none."""
    return None if row.until_boot is None or row.until_us is None else Tick(row.until_boot, row.until_us)


def as_columns(tick: Tick | None) -> dict[str, str | int | None]:
    """Return how a tick is stored."""
    return {"until_boot": tick.boot if tick else None, "until_us": tick.us if tick else None}


# Read for alert after alert while an order lives, so a row that stayed as it was is not made into a record again.
_BY_ID = hot(_SELECT.where(orders.c.id == bindparam("order_id")), _record)
_BY_ID_LOCKED = hot(_SELECT.where(orders.c.id == bindparam("order_id")).with_for_update(), _record)
_LIVE_IN = hot(
    _SELECT.where(
        orders.c.is_live.is_(True),
        orders.c.account_id == bindparam("account_id"),
        orders.c.symbol == bindparam("symbol"),
    ).order_by(orders.c.id),
    _record,
)


def add(tx: Tx, order: OrderRecord) -> None:
    """Store a new order."""
    terms = order.terms
    tx.execute(
        _INSERT,
        {
            "id": order.id,
            "owner_id": order.owner_id,
            "account_id": order.account_id,
            "hook_id": order.hook_id,
            "signal_id": order.signal_id,
            "client_order_id": order.client_order_id,
            "venue_order_id": order.venue_order_id,
            "symbol": terms.symbol,
            "side": terms.side.value,
            "type": terms.type.value,
            "time_in_force": terms.time_in_force.value,
            "quantity": terms.quantity,
            "price": terms.price,
            "stop_price": terms.stop_price,
            "reduce_only": terms.reduce_only,
            "purpose": order.purpose.value,
            "reason": order.reason,
            "state": order.state.value,
            "is_live": not order.state.is_final,
            "filled_quantity": order.filled_quantity,
            "filled_notional": order.filled_notional,
            "commission": order.commission,
            "decided_price": order.decided_price,
            "outcome": order.outcome,
            "cancel_asked_at": order.cancel_asked_at,
            "created_at": order.created_at,
            "sent_at": order.sent_at,
            "sendable_until": order.sendable_until,
            **as_columns(order.until_tick),
            "asked": order.asked,
            "updated_at": order.updated_at,
            "amend_quantity": order.amend_quantity,
            "replaced_by": order.replaced_by,
            "beside": order.beside,
            "trail_percent": terms.trail_percent,
            "whole_position": terms.whole_position or None,
        },
    )


def change(tx: Tx, order_id: str, at: datetime, **values: Any) -> None:
    """Set columns of one order; `is_live` follows the state by itself."""
    state = values.get("state")
    if state is not None:
        values["state"] = state.value
        values["is_live"] = not state.is_final
    tx.execute(_CHANGE, {"this_order": order_id, "updated_at": at, **values})


def note(tx: Tx, order: OrderRecord, at: datetime, *lines: tuple[OrderEvent | str, OrderState, str]) -> None:
    """Append lines (event, state after it, detail) to the order's timeline."""
    if lines:
        tx.execute(
            _INSERT_EVENT,
            [
                {
                    "owner_id": order.owner_id,
                    "order_id": order.id,
                    "at": at,
                    "event": str(event),
                    "state": state.value,
                    "detail": detail,
                }
                for event, state, detail in lines
            ],
        )
        noted = [(at, str(event), state.value, detail) for event, state, detail in lines]
        tx.record(order.account_id, order.about, "noted", {"order": order.id, "lines": noted})


def get(tx: Tx, order_id: str, *, lock: bool = False) -> OrderRecord | None:
    """Return one order, its row locked where the database knows row locks, or None."""
    query = _BY_ID_LOCKED if lock and tx.dialect == "postgresql" else _BY_ID
    order: OrderRecord | None = tx.execute(query, {"order_id": order_id}).first()
    return order


def by_client_id(tx: Tx, account_id: str, client_order_id: str) -> OrderRecord | None:
    """Return the order with that client id, or None."""
    row = tx.execute(_BY_CLIENT_ID, {"account_id": account_id, "client_order_id": client_order_id}).first()
    return _record(row) if row else None


def live_in(tx: Tx, account_id: str, symbol: str) -> list[OrderRecord]:
    """Return the orders of one instrument that are not final, oldest first."""
    return tx.execute(_LIVE_IN, {"account_id": account_id, "symbol": symbol}).all()


def on_their_way(tx: Tx, account_id: str, symbol: str) -> list[OrderRecord]:
    """Return the orders of an instrument that are not at the venue for certain, oldest first; none that protects."""
    live = live_in(tx, account_id, symbol)
    return [order for order in live if not order.state.is_resting and not order.purpose.protects]


def first_on_its_way(tx: Tx, account_id: str, symbol: str) -> OrderRecord | None:
    """Return the oldest of `on_their_way`, or None."""
    return next(iter(on_their_way(tx, account_id, symbol)), None)


def live_of(tx: Tx, account_id: str) -> list[OrderRecord]:
    """Return the orders of one account that are not final, oldest first."""
    return [_record(row) for row in tx.execute(_LIVE_OF_ACCOUNT, {"account_id": account_id})]


def of_signal(tx: Tx, signal_id: str) -> list[OrderRecord]:
    """Return the orders that a signal made, oldest first."""
    return [_record(row) for row in tx.execute(_OF_SIGNAL, {"signal_id": signal_id})]


def of_signals(tx: Tx, signal_ids: Sequence[str]) -> dict[str, list[OrderRecord]]:
    """Return the orders of several signals, oldest first, by signal."""
    found: dict[str, list[OrderRecord]] = {}
    for row in tx.execute(_SELECT.where(orders.c.signal_id.in_(signal_ids)).order_by(orders.c.id)):
        found.setdefault(row.signal_id, []).append(_record(row))
    return found


def by_ids(tx: Tx, order_ids: Sequence[str]) -> dict[str, OrderRecord]:
    """Return orders by their ids; what is not stored is left out."""
    found = tx.execute(_SELECT.where(orders.c.id.in_(order_ids)))
    return {row.id: _record(row) for row in found}


def protective_pairs(tx: Tx) -> set[tuple[str, str]]:
    """Return the (account id, symbol) pairs in which a stop-loss or take-profit is alive."""
    purposes = [purpose.value for purpose in Purpose if purpose.protects]
    query = select(orders.c.account_id, orders.c.symbol).where(
        orders.c.is_live.is_(True), orders.c.purpose.in_(purposes)
    )
    return {(row.account_id, row.symbol) for row in tx.execute(query.distinct())}


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """What a list of orders is narrowed to; None does not narrow."""

    account_id: str | None = None
    symbol: str | None = None
    states: tuple[OrderState, ...] = ()
    live: bool | None = None
    signal_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def page(tx: Tx, owner_id: str, narrow: OrderFilter, *, before: str | None, limit: int) -> list[OrderRecord]:
    """Return the owner's orders, newest first, behind the cursor `before` (an order id)."""
    query = _SELECT.where(orders.c.owner_id == owner_id)
    if narrow.account_id is not None:
        query = query.where(orders.c.account_id == narrow.account_id)
    if narrow.symbol is not None:
        query = query.where(orders.c.symbol == narrow.symbol)
    if narrow.states:
        query = query.where(orders.c.state.in_([state.value for state in narrow.states]))
    if narrow.live is not None:
        query = query.where(orders.c.is_live.is_(narrow.live))
    if narrow.signal_id is not None:
        query = query.where(orders.c.signal_id == narrow.signal_id)
    if narrow.since is not None:
        query = query.where(orders.c.created_at >= narrow.since)
    if narrow.until is not None:
        query = query.where(orders.c.created_at <= narrow.until)
    if before is not None:
        query = query.where(orders.c.id < before)
    return [_record(row) for row in tx.execute(query.order_by(orders.c.id.desc()).limit(limit))]


def timeline(tx: Tx, order_id: str) -> list[OrderEventRecord]:
    """Return everything that happened to an order, oldest first."""
    return [
        OrderEventRecord(row.id, row.order_id, row.at, row.event, row.state, row.detail)
        for row in tx.execute(_EVENTS, {"order_id": order_id})
    ]


def in_doubt(tx: Tx, *, limit: int = 1000) -> list[OrderRecord]:
    """Return the orders whose outcome nobody knows, oldest first."""
    query = _SELECT.where(
        orders.c.is_live.is_(True),
        or_(
            orders.c.state == OrderState.UNKNOWN.value,
            and_(orders.c.state == OrderState.SENDING.value),
        ),
    )
    return [_record(row) for row in tx.execute(query.order_by(orders.c.id).limit(limit))]


def count_by_state(tx: Tx) -> dict[str, int]:
    """Return how many orders are in each live state, and how many are unknown."""
    query = select(orders.c.state, func.count()).where(orders.c.is_live.is_(True)).group_by(orders.c.state)
    return {row[0]: row[1] for row in tx.execute(query)}


def symbols_since(tx: Tx, account_id: str, since: datetime) -> set[str]:
    """Return the instruments in which an account has live orders, or had some that moved since then."""
    query = select(orders.c.symbol).where(orders.c.account_id == account_id)
    moved = or_(orders.c.is_live.is_(True), orders.c.updated_at > since)
    return set(tx.execute(query.where(moved).distinct()).scalars())


def end_hand_offs(tx: Tx, clock: Clock, account_id: str | None = None) -> int:
    """Say that no process that ran before now can still send (for one account, if named); returns how many ended.

    What was counted by another machine, or before this one was started anew, counts from now.
    """
    now, tick = clock.now(), clock.tick()
    of = () if account_id is None else (orders.c.account_id == account_id,)
    sending = (orders.c.is_live.is_(True), orders.c.state == OrderState.SENDING.value, *of)
    in_doubt = (orders.c.is_live.is_(True), orders.c.state.in_(_IN_DOUBT), *of)
    tx.execute(update(orders).where(*in_doubt, is_behind(orders, tick)).values(**as_columns(tick)))
    return tx.execute(update(orders).where(*sending, orders.c.sendable_until > now).values(sendable_until=now)).rowcount


def is_behind(table: Table, tick: Tick) -> ColumnElement[bool]:
    """Return the question whether the tick of a row lies behind this one, or cannot be compared with it."""
    cells = table.c
    return or_(cells.until_boot.is_(None), cells.until_boot != tick.boot, cells.until_us > tick.us)
