"""The facts that execution announces: where an order stands, and that an instrument moved."""

from datetime import datetime

from pilothouse.core.facts import Fact, FactKind
from pilothouse.core.rounding import plain
from pilothouse.execution.store import OrderRecord
from pilothouse.kit.db import Tx


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


def moved(tx: Tx, owner_id: str, account_id: str, symbol: str, now: datetime) -> None:
    """Say that something moved in an instrument, so that whoever waits for it looks again; told once for many."""
    tx.announce(
        Fact(
            FactKind.INSTRUMENT_MOVED,
            owner_id,
            now,
            account_id,
            {"account_id": account_id, "symbol": symbol},
            key=f"{account_id}:{symbol}",
        )
    )
