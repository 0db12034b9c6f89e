"""What execution tells: where an order stands, that it is to be brought on, and that something moved."""

from datetime import datetime

from pilothouse.core.facts import Fact, FactKind
from pilothouse.core.rounding import plain
from pilothouse.execution.store import OrderRecord
from pilothouse.kit import outbox
from pilothouse.kit.db import Tx

ORDER_TOPIC = "order"
"""Messages under this topic say: this order is not finished being sent, cancelled or asked about."""

MOVED_TOPIC = "instrument.moved"
"""Messages under this topic say: look again at this instrument of this account."""


def told(tx: Tx, order: OrderRecord, now: datetime) -> None:
    """Announce where an order stands now."""
    tx.announce(
        Fact(
            FactKind.ORDER_CHANGED,
            order.owner_id,
            now,
            order.account_id,
            {
                "order_id": order.id,
                "client_order_id": order.client_order_id,
                "signal_id": order.signal_id,
                "symbol": order.terms.symbol,
                "side": order.terms.side.value,
                "type": order.terms.type.value,
                "quantity": plain(order.terms.quantity),
                "filled_quantity": plain(order.filled_quantity),
                "purpose": order.purpose.value,
                "state": order.state.value,
                "outcome": order.outcome,
            },
        )
    )


def pursue_later(tx: Tx, order: OrderRecord, why: str, at: datetime, now: datetime) -> None:
    """Put a message that brings an order on from `at`; one for each `why` while it waits."""
    outbox.put(
        tx,
        ORDER_TOPIC,
        key=order.account_id,
        payload={"order_id": order.id},
        dedupe_key=f"{why}:{order.id}",
        available_at=at,
        now=now,
    )


def moved(tx: Tx, account_id: str, symbol: str, now: datetime) -> None:
    """Ask whoever waits for something in an instrument to look again; asked once for all that moved meanwhile.

    A message and no fact: it says nothing that the facts beside it do not say.
    """
    outbox.put(
        tx,
        MOVED_TOPIC,
        key=account_id,
        payload={"account_id": account_id, "symbol": symbol},
        dedupe_key=f"{MOVED_TOPIC}/{account_id}:{symbol}",
        now=now,
    )
