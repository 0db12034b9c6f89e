"""Listen to one account at its venue: what happened is queued to be settled, and how well it is heard is told on."""

from collections.abc import Callable

import structlog

from pilothouse.core.errors import PilothouseError
from pilothouse.execution.desk import Desk
from pilothouse.execution.reconcile import on_event
from pilothouse.execution.trader import Trader
from pilothouse.venues.port import AccountEvent, VenueAccount

_log = structlog.get_logger("pilothouse.execution")


def listen(desk: Desk, trader: Trader, tell_state: Callable[[str], None]) -> Callable[[], None]:
    """Take in everything the venue tells of an account until what this returns is called.

    tell_state   is told each state of the stream (a StreamState), in the order of the events; must not block
    """

    def hear(event: AccountEvent) -> None:
        try:
            if event.stream is None:
                on_event(desk, trader.owner_id, event)
            else:
                tell_state(event.stream)
        except PilothouseError as error:  # the house is closing, or the books do not answer: it is asked for later
            _log.warning("event_not_queued", account=trader.account_id, why=str(error))

    return desk.venue(trader.venue).listen(VenueAccount(trader.account_id, trader.owner_id), hear)
