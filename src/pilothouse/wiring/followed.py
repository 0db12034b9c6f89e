"""Which prices an account needs from the start: of what it holds, has ordered, protects, was told or may trade."""

from datetime import datetime, timedelta

from pilothouse.accounts import hooks
from pilothouse.execution import store as orders_store
from pilothouse.fleet import protections
from pilothouse.fleet import store as fleet_store
from pilothouse.kit.db import Tx
from pilothouse.ledger import positions

RECENT = timedelta(days=7)
NAMED_MOST = 50
"""So many of the symbols that hooks are restricted to are followed before the first alert names one."""


def symbols(tx: Tx, account_id: str, now: datetime) -> set[str]:
    """Return the symbols whose prices are followed for an account, before anybody asks for them."""
    found = {row.position.symbol for row in positions.all_positions(tx, account_id, flat_too=False)}
    found |= {order.terms.symbol for order in orders_store.live_of(tx, account_id)}
    found |= {each.symbol for each in protections.every(tx, [account_id])}
    found |= set(sorted(hooks.symbols_named(tx, account_id))[:NAMED_MOST])
    return found | fleet_store.symbols_since(tx, account_id, now - RECENT)
