"""The house: what is opened once and handed to every door and job. Nothing is decided here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pilothouse.core.clock import Clock
from pilothouse.core.ids import Ids
from pilothouse.execution.desk import Desk
from pilothouse.kit.db import Database
from pilothouse.kit.meters import Meters
from pilothouse.kit.settings import Settings
from pilothouse.marketdata.instruments import InstrumentBook
from pilothouse.marketdata.quotes import QuoteBoard
from pilothouse.observability.invariants.rule import Memory
from pilothouse.venues.paper import PaperVenue
from pilothouse.venues.port import Venue


@dataclass(frozen=True, slots=True)
class House:
    """Everything that is open.

    operator_id   the owner of what the first start made
    paper         the paper venue, which is stepped by this house; None where another process steps it
    closers       called in order by `close`
    remembered    what observability remembers from one look to the next
    """

    settings: Settings
    clock: Clock
    ids: Ids
    process: str
    database: Database
    desk: Desk
    venues: Mapping[str, Venue]
    paper: PaperVenue | None
    quotes: QuoteBoard
    instruments: InstrumentBook
    meters: Meters
    operator_id: str
    closers: tuple[Callable[[], object], ...]
    remembered: Memory = field(default_factory=Memory)

    def close(self) -> None:
        """Finish what is queued and let go of everything, in order."""
        for closer in self.closers:
            closer()
