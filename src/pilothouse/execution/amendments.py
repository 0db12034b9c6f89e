"""Changes of resting orders that are on their way: kept from when they are asked for until their outcome is known.

What a venue reports of such an order may tell that the change was made in place before the answer to it does.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from pilothouse.core.clock import Clock, Tick
from pilothouse.core.order import OrderTerms, OrderType
from pilothouse.core.rounding import plain
from pilothouse.execution import store
from pilothouse.execution.tables import amendments
from pilothouse.execution.tell import moved, told
from pilothouse.kit.db import Tx
from pilothouse.venues.port import OrderReport

_CELLS = amendments.c


@dataclass(frozen=True, slots=True)
class Amendment:
    """One change that is on its way; see `execution/tables.py`.

    sendable_until   None: the wire was not touched for it
    until_tick       the same instant, as the machine counts it that touched the wire
    """

    order_id: str
    owner_id: str
    account_id: str
    client_order_id: str
    quantity: Decimal
    price: Decimal | None
    decided_price: Decimal
    asked_by: str
    asked_at: datetime
    sendable_until: datetime | None
    asked: int
    stop_price: Decimal | None = None
    until_tick: Tick | None = None

    def terms_of(self, order: store.OrderRecord) -> OrderTerms:
        """Return the order's terms as they are wanted; the quantity counts what has filled already."""
        stop_price = self.stop_price if self.stop_price is not None else order.terms.stop_price
        return replace(order.terms, quantity=self.quantity, price=self.price, stop_price=stop_price)

    def adds_to(self, order: store.OrderRecord) -> bool:
        """Say whether the change asks for more, or at a price that costs more."""
        if self.quantity > order.terms.quantity:
            return True
        terms, sign = order.terms, order.terms.side.sign
        costs = ((self.price, terms.price), (self.stop_price, terms.stop_price))
        return any(new is not None and old is not None and (new - old) * sign > 0 for new, old in costs)

    def is_told_by(self, terms: OrderTerms) -> bool:
        """Say whether terms that the venue tells are those that were wanted."""
        if terms.type is OrderType.MARKET or (terms.quantity, terms.price) != (self.quantity, self.price):
            return False
        return self.stop_price is None or terms.stop_price == self.stop_price


def _amendment(row: Row[Any]) -> Amendment:
    return Amendment(
        row.order_id,
        row.owner_id,
        row.account_id,
        row.client_order_id,
        row.quantity,
        row.price,
        row.decided_price,
        row.asked_by,
        row.asked_at,
        row.sendable_until,
        row.asked,
        row.stop_price,
        store.tick_of(row),
    )


def add(tx: Tx, wanted: Amendment) -> None:
    """Store a change, and mark its order with what it may come to."""
    tx.execute(
        insert(amendments).values(
            order_id=wanted.order_id,
            owner_id=wanted.owner_id,
            account_id=wanted.account_id,
            client_order_id=wanted.client_order_id,
            quantity=wanted.quantity,
            price=wanted.price,
            decided_price=wanted.decided_price,
            asked_by=wanted.asked_by,
            asked_at=wanted.asked_at,
            sendable_until=wanted.sendable_until,
            asked=wanted.asked,
            stop_price=wanted.stop_price,
            **store.as_columns(wanted.until_tick),
        )
    )
    store.change(tx, wanted.order_id, wanted.asked_at, amend_quantity=wanted.quantity)


def of(tx: Tx, order_id: str) -> Amendment | None:
    """Return the change of an order that is on its way, or None."""
    row = tx.execute(select(amendments).where(_CELLS.order_id == order_id)).first()
    return _amendment(row) if row else None


def by_client_id(tx: Tx, account_id: str, client_order_id: str) -> Amendment | None:
    """Return the change whose new order would have that client id, or None."""
    query = select(amendments).where(_CELLS.account_id == account_id, _CELLS.client_order_id == client_order_id)
    row = tx.execute(query).first()
    return _amendment(row) if row else None


def hold(tx: Tx, order_id: str, until: datetime | None, tick: Tick | None = None) -> None:
    """Know that the wire is about to be touched; None: that nothing sent for it can arrive any more."""
    values = {"sendable_until": until, **store.as_columns(tick)}
    tx.execute(update(amendments).where(_CELLS.order_id == order_id).values(**values))


def end_hand_offs(tx: Tx, clock: Clock, account_id: str | None = None) -> None:
    """Say that no process that ran before now can still send a change (for one account, if named)."""
    now, tick = clock.now(), clock.tick()
    sent = (_CELLS.sendable_until.is_not(None), *(() if account_id is None else (_CELLS.account_id == account_id,)))
    tx.execute(update(amendments).where(*sent, store.is_behind(amendments, tick)).values(**store.as_columns(tick)))
    tx.execute(update(amendments).where(*sent, _CELLS.sendable_until > now).values(sendable_until=now))


def count_question(tx: Tx, order_id: str) -> None:
    """Count one more question that was asked in vain."""
    tx.execute(update(amendments).where(_CELLS.order_id == order_id).values(asked=_CELLS.asked + 1))


def close(tx: Tx, order_id: str, now: datetime) -> None:
    """Forget a change: it is known what became of it."""
    tx.execute(delete(amendments).where(_CELLS.order_id == order_id))
    store.change(tx, order_id, now, amend_quantity=None)


def seen(tx: Tx, order: store.OrderRecord, report: OrderReport, now: datetime) -> store.OrderRecord:
    """Return the order with its new terms if the report shows that they were changed in place, else as it is.

    A fill beyond the old size shows it too: an order may be raised and filled before the answer to the change arrives.
    """
    if order.amend_quantity is None:
        return order
    wanted = of(tx, order.id)
    if wanted is None or wanted.sendable_until is None:
        return order
    beyond = order.terms.quantity < report.filled_quantity <= wanted.quantity
    if not beyond and not wanted.is_told_by(report.terms):
        return order
    return made_in_place(tx, order, wanted, now)


def made_in_place(tx: Tx, order: store.OrderRecord, wanted: Amendment, now: datetime) -> store.OrderRecord:
    """Give an order the terms that were wanted: the venue has changed it in place."""
    terms = wanted.terms_of(order)
    close(tx, order.id, now)
    store.change(tx, order.id, now, quantity=terms.quantity, price=terms.price, stop_price=terms.stop_price)
    changed = replace(order, terms=terms, amend_quantity=None, updated_at=now)
    store.note(tx, changed, now, ("amended", changed.state, f"the venue has it as {in_words(terms)}"))
    told(tx, changed, now)
    moved(tx, order.account_id, order.terms.symbol, now)
    return changed


def in_words(terms: OrderTerms) -> str:
    """Return size, price and trigger for a timeline."""
    price = f" at {plain(terms.price)}" if terms.price is not None else ""
    return plain(terms.quantity) + price + (f", stop {plain(terms.stop_price)}" if terms.stop_price is not None else "")
