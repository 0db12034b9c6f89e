"""What happened on a paper account: read from the journal, once everything that was decided so far is in it."""

from pilothouse.core.errors import NotFound
from pilothouse.core.fill import Fill
from pilothouse.kit.db import Tx
from pilothouse.simulation.orders import MovementKind
from pilothouse.venues import paper_journal as journal
from pilothouse.venues import paper_words as words
from pilothouse.venues.paper_durable import DurableFloor
from pilothouse.venues.port import FundingPayment, Transfer, VenueAccount

_TRANSFERS = (MovementKind.TRANSFER, MovementKind.INSURANCE)


def fills_after(floor: DurableFloor, account: VenueAccount, symbol: str, venue_trade_id: str | None) -> list[Fill]:
    """Return the fills behind `venue_trade_id`, oldest first."""
    after, known = int(venue_trade_id or 0), floor.contracts
    return floor.read(
        lambda tx: [words.fill(known, trade) for trade in journal.executions_after(tx, account.id, symbol, after)]
    )


def funding_after(floor: DurableFloor, account: VenueAccount, venue_id: str | None) -> list[FundingPayment]:
    """Return the funding payments behind `venue_id`, oldest first."""
    after, known = int(venue_id or 0), floor.contracts

    def look(tx: Tx) -> list[FundingPayment]:
        found = journal.movements_after(tx, account.id, after, MovementKind.FUNDING)
        return [words.funding(known, movement) for movement in found]

    return floor.read(look)


def transfers_after(
    floor: DurableFloor, account: VenueAccount, venue_id: str | None, settlement: str
) -> list[Transfer]:
    """Return what came in or left behind `venue_id`, oldest first; what insurance paid is among it."""
    after = int(venue_id or 0)

    def look(tx: Tx) -> list[Transfer]:
        found = journal.movements_after(tx, account.id, after, *_TRANSFERS)
        return [words.transfer(movement, settlement) for movement in found]

    return floor.read(look)


def first_transfer(floor: DurableFloor, account: VenueAccount, settlement: str) -> Transfer:
    """Return the transfer that an account was opened with. Raises NotFound for one that is not open."""

    def look(tx: Tx) -> Transfer:
        for movement in journal.movements_after(tx, account.id, 0, MovementKind.TRANSFER):
            return words.transfer(movement, settlement)
        raise NotFound(f"there is no paper account {account.id}")

    return floor.read(look)
