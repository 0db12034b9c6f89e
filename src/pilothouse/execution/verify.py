"""Ask at once about resting orders that do not stand at their venue: for who has no jobs to do it by message."""

from pilothouse.execution import pursue, store
from pilothouse.execution.desk import Desk
from pilothouse.execution.trader import Trader
from pilothouse.venues.port import VenueAccount


def ask_for_missing(desk: Desk, trader: Trader) -> int:
    """Ask the venue for each order that should rest there and does not; return how many. Raises Unavailable."""
    account = VenueAccount(trader.account_id, trader.owner_id)
    # Ours first: one that is accepted between the two questions is asked for once too often, and known by its id.
    ours = desk.database.read(lambda tx: store.live_of(tx, trader.account_id))
    standing = {report.client_order_id for report in desk.venue(trader.venue).open_orders(account)}
    missing = [order for order in ours if order.state.is_resting and order.client_order_id not in standing]
    for order in missing:
        pursue.pursue(desk, trader.venue, order.id)
    return len(missing)
