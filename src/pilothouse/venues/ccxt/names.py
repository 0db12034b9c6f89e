"""Which client id an order of an exchange has: fills, and orders that a trigger made, are told without it."""

import threading
from collections import OrderedDict
from typing import Final

_MOST: Final = 20_000


class OrderNames:
    """What is known of the names of orders. Bounded; forgets the oldest. Safe for many threads."""

    def __init__(self) -> None:
        """Know none."""
        self._known: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._lock = threading.Lock()

    def learn(self, account_id: str, venue_order_id: str, client_order_id: str) -> None:
        """Remember the names of one order."""
        with self._lock:
            self._known[account_id, venue_order_id] = client_order_id
            while len(self._known) > _MOST:
                self._known.popitem(last=False)

    def of(self, account_id: str, venue_order_id: str) -> str | None:
        """Return the client id, if it is known."""
        with self._lock:
            return self._known.get((account_id, venue_order_id))
