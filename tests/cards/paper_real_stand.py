"""Paper money on the public prices of AsterDEX, which here is the simulated exchange: only the fills are paper.

Prices are asked for when a card moves them. That they follow by themselves is a card of AsterDEX: a stream tells marks
once a second, so that a card would now and then meet the mark of the card before it.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import NoReturn

from sqlalchemy import create_engine

from pilothouse.core.instrument import Instrument
from pilothouse.kit.http_client import HttpClient, HttpLimits
from pilothouse.kit.throttle import OwnBooks, Throttle
from pilothouse.venues.aster.accounts import Accounts
from pilothouse.venues.aster.adapter import AsterVenue
from pilothouse.venues.aster.endpoint import MAINNET, endpoint_at
from pilothouse.venues.aster.rest import Tools
from pilothouse.venues.aster.rules import LEVERAGE_UNTOLD
from pilothouse.venues.paper_faults import PaperFaults
from pilothouse.venues.paper_real import RealPaper, journal_file
from pilothouse.venues.port import VenueAccount
from tests.cards.aster_stand import AsterStand
from tests.cards.paper_stand import PaperStand
from tests.cards.stand import START


class _Asked(AsterVenue):
    """AsterDEX without any key, whose prices are asked for and not heard."""

    def follow(self, symbols: Collection[str]) -> None:
        """Follow nothing."""


class PaperRealStand(PaperStand):
    """A paper account at prices that an adapter without any key reads from the simulated exchange."""

    name = "paper-aster"
    venue: RealPaper

    def __init__(self, folder: Path) -> None:
        self._opened: list[VenueAccount] = []
        self._sim = AsterStand(folder)
        self.clock = self._sim.clock
        self._faults = PaperFaults()
        tools = Tools(self.clock, Throttle(OwnBooks(), self.clock), folder)
        http = HttpClient(self._sim.base, limits=HttpLimits(read_s=20.0))
        self._source = _Asked(endpoint_at(MAINNET, self._sim.base), Accounts(_nobody, list), tools, http=http)
        url = f"sqlite:///{folder / journal_file(self.name)}"
        self.venue = RealPaper(url, self._source, clock=self.clock, faults=self._faults)
        self._journal = create_engine(url)
        self.venue.instruments()

    def close(self) -> None:
        """Let go of everything."""
        super().close()
        self._sim.close()

    def put(self, symbol: str, price: str) -> None:
        self._sim.put(symbol, price)
        self.venue.quotes([symbol])

    def advance(self, span: timedelta) -> None:
        self._sim.advance(span)
        self.venue.quotes(START)
        self.venue.step(self.clock.now())

    def pause(self) -> timedelta:
        return self._sim.pause()

    def clear(self) -> None:
        super().clear()
        self._sim.clear()

    def change_rules(self, symbol: str, quantity_max: Decimal) -> None:
        self._sim.change_rules(symbol, quantity_max)

    def rules_there(self, symbol: str) -> Instrument:
        """Return the rules as everybody is told them: the most leverage is told to accounts only."""
        return replace(super().rules_there(symbol), leverage_max=LEVERAGE_UNTOLD)


def _nobody(account: VenueAccount) -> NoReturn:
    raise AssertionError(f"prices are asked for without any key, and not with that of {account.id}")
