"""Who may leave before whom: an order, and what of its instrument is still on its way, in; yes or no out.

Orders were decided as if those before them had filled, so they leave in that order.
"""

from pilothouse.core.order import OrderTerms
from pilothouse.execution import store
from pilothouse.kit.db import Tx
from pilothouse.ledger import positions


def waits_for_nobody(tx: Tx, account_id: str, order_id: str, terms: OrderTerms, *, protects: bool) -> bool:
    """Say whether an order may leave before others: it protects, or closes just what is held and can open nothing.

    What is still on its way and does not rest was counted as filled when a later one was decided. Behind such an order
    a reduction may happen to be as large as what is held now, and mean another position.
    """
    if protects or not terms.reduce_only:
        return protects
    if any(not one.terms.rests for one in store.on_their_way(tx, account_id, terms.symbol) if one.id < order_id):
        return False
    return positions.position(tx, account_id, terms.symbol).quantity == -terms.side.sign * terms.quantity


def has_others_before(tx: Tx, order: store.OrderRecord) -> bool:
    """Say whether something decided before an order is still on its way, for which it has to wait."""
    if waits_for_nobody(tx, order.account_id, order.id, order.terms, protects=order.purpose.protects):
        return False
    first = store.first_on_its_way(tx, order.account_id, order.terms.symbol)
    return first is not None and first.id != order.id
