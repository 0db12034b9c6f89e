"""In which instruments something may have happened: to ask a real venue about all would cost its rate budget."""

from collections.abc import Iterable
from datetime import timedelta

from pilothouse.execution import hearing, store
from pilothouse.execution.desk import Desk
from pilothouse.execution.trader import Trader
from pilothouse.kit.db import Tx
from pilothouse.ledger import positions as held
from pilothouse.venues.abilities import TellsWhereTraded
from pilothouse.venues.card import HOLDINGS, Card
from pilothouse.venues.keys import VenueKey
from pilothouse.venues.port import VenueAccount

RECENT = timedelta(days=7)
RELIED_ON = timedelta(hours=1)
"""So long after the last full comparison, a venue that tells where something was traded is asked nowhere else: what it
left out would show as a position that differs, and is asked for then."""

_SLACK = timedelta(minutes=1)


def to_ask(desk: Desk, trader: Trader, account: VenueAccount, also: Iterable[str]) -> list[str]:
    """Return the symbols in which fills are to be asked for, sorted. Raises Unavailable.

    also   symbols in which something is known to have happened

    Soon after the last comparison, where the venue itself says that something was traded since. Else and elsewhere,
    those with live or recent orders of ours, with a position of ours or of the venue's, and those it names.
    """
    venue = desk.venue(trader.venue)
    if VenueKey.parse(trader.venue).is_paper:
        return sorted(instrument.symbol for instrument in venue.instruments())
    now = desk.clock.now()

    def ours(tx: Tx) -> tuple[set[str], hearing.Hearing | None]:
        symbols = store.symbols_since(tx, account.id, now - RECENT)
        symbols |= {row.position.symbol for row in held.all_positions(tx, account.id, flat_too=False)}
        return symbols, hearing.of(tx, account.id)

    symbols, heard = desk.database.read(ours)
    compared_at = heard.compared_at if heard is not None else None
    if isinstance(venue, TellsWhereTraded) and compared_at is not None and now - compared_at < RELIED_ON:
        return sorted({*also, *venue.traded_since(account, compared_at - _SLACK)})
    symbols |= set(also) | {position.symbol for position in venue.positions(account)}
    if isinstance(venue, TellsWhereTraded):
        symbols |= set(venue.traded_since(account, compared_at - _SLACK if compared_at else now - RECENT))
    return sorted(symbols)


def holds_more_than_ours(card: Card) -> bool:
    """Say whether an account there may hold coins that were never bought here."""
    return card.has(HOLDINGS)
