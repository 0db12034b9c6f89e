"""Which orders of each account stand at a venue, as far as was told: so that what ended unheard is asked for.

An old order that was cancelled while nobody listened stands in none of a venue's lists of what is new.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Final

import structlog

from pilothouse.venues.port import Absent, Accepted, AccountEvent, FindOutcome, OrderReport, VenueAccount, VenueStatus

_RESTS: Final = frozenset({VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED})
_log = structlog.get_logger("pilothouse.venues.standing_orders")


class StandingOrders:
    """What was told of the orders at one endpoint; in memory, safe for many threads."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._touched: dict[str, set[str]] = {}
        self._standing: dict[str, dict[str, str]] = {}

    def touched(self, account_id: str, symbols: Collection[str]) -> None:
        """Remember where something may happen."""
        self._touched.setdefault(account_id, set()).update(symbols)

    def note(self, account_id: str, report: OrderReport) -> None:
        """Remember where something happened, and which orders stand."""
        self.touched(account_id, [report.terms.symbol])
        standing = self._standing.setdefault(account_id, {})
        if report.status in _RESTS:
            standing[report.client_order_id] = report.terms.symbol
        else:
            standing.pop(report.client_order_id, None)

    def symbols(self, account_id: str) -> set[str]:
        """Return the symbols in which something may have happened."""
        return set(self._touched.get(account_id, ()))

    def of(self, account_id: str) -> dict[str, str]:
        """Return the symbol of each order that stood when it was told last, by its client id."""
        return dict(self._standing.get(account_id, {}))

    def found_out(
        self, account: VenueAccount, asked: Mapping[str, str], find: Callable[[VenueAccount, str, str], FindOutcome]
    ) -> list[AccountEvent]:
        """Ask for orders one by one, by client id and symbol, and return what is known of them."""
        events = []
        for client_order_id, symbol in asked.items():
            found = find(account, symbol, client_order_id)
            if isinstance(found, Accepted):
                events.append(AccountEvent(account.id, report=found.report))
            elif isinstance(found, Absent):
                self._standing.get(account.id, {}).pop(client_order_id, None)
            else:  # one order is no reason to be deaf to all others: it stays, and is asked for again
                _log.warning("order_not_found_out", client_order_id=client_order_id, why=found.reason)
        return events
