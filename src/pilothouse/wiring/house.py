"""The house: what is opened once and handed to every door and job. Nothing is decided here."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import structlog

from pilothouse.accounts import trading_accounts
from pilothouse.accounts.trading_accounts import TradingAccount
from pilothouse.core.clock import Clock
from pilothouse.core.errors import Refused
from pilothouse.core.ids import Ids
from pilothouse.execution import hearing
from pilothouse.execution.desk import Desk
from pilothouse.kit.clocks import SetBack
from pilothouse.kit.db import Database
from pilothouse.kit.meters import Meters
from pilothouse.kit.settings import Settings
from pilothouse.marketdata.instruments import InstrumentBook
from pilothouse.marketdata.quotes import QuoteBoard
from pilothouse.notifications.post import Post
from pilothouse.observability.invariants.rule import Memory
from pilothouse.venues.paper import PaperVenue
from pilothouse.venues.port import Venue
from pilothouse.wiring import followed
from pilothouse.wiring.benches import Benches
from pilothouse.wiring.changes import Changes
from pilothouse.wiring.open_venues import OpenVenues
from pilothouse.wiring.public_venues import PublicVenues
from pilothouse.wiring.sealed_keys import KeyRing

_log = structlog.get_logger("pilothouse.house")

_OPENED_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class House:
    """Everything that is open.

    operator_id   the owner of what the first start made
    paper         the paper venue, which is stepped by this house; None where another process steps it
    closers       called in order by `close`
    set_back      sees the wall clock being set back
    ring          credentials of accounts at their venues, opened
    public        any venue, for its public prices
    benches       processes that know strategies and compute backtests
    remembered    what observability remembers from one look to the next
    post          the addresses that alarms go to
    changes       which accounts were opened, changed or closed, so that their streams are held or ended
    """

    settings: Settings
    clock: Clock
    ids: Ids
    process: str
    database: Database
    desk: Desk
    venues: OpenVenues
    ring: KeyRing
    public: PublicVenues
    paper: PaperVenue | None
    quotes: QuoteBoard
    instruments: InstrumentBook
    meters: Meters
    operator_id: str
    benches: Benches
    closers: tuple[Callable[[], object], ...]
    set_back: SetBack
    remembered: Memory = field(default_factory=Memory)
    changes: Changes = field(default_factory=Changes)
    post: Post = field(default_factory=Post)

    def open_for(self, account: TradingAccount) -> None:
        """Let an account be traded: its venue is opened, its instruments known, its quotes followed, its stream held.

        Again is no error, and reads a replaced credential. Raises Refused if there is no such venue; a venue that does
        not answer is asked again by the schedule.
        """
        self.ring.drop(account.id)
        venue = self.venues.open(account)
        self._expect(account)
        self._follow(account, venue)
        self.changes.tell(account.id)

    def follow_soon(self, account_id: str) -> None:
        """Follow the prices that an account needs by now, on another thread: a hook of it was made or changed."""
        account = self.database.read(lambda tx: trading_accounts.by_id(tx, account_id))
        for symbol in self.database.read(lambda tx: followed.symbols(tx, account_id, self.clock.now())):
            self.venues.follow_soon(account.venue, symbol)

    def open_all(self) -> None:
        """Open the venues of all active accounts that are not open yet; one that cannot be is logged.

        Side by side, some at a time: several venues that are slow to answer cost as long as the slowest, not their sum.
        """
        due: dict[str, TradingAccount] = {}
        for account in self.database.read(trading_accounts.active_accounts):
            if account.venue not in self.venues:
                due.setdefault(account.venue, account)
        if not due:
            return
        with ThreadPoolExecutor(min(len(due), _OPENED_AT_ONCE), thread_name_prefix="pilothouse-open") as openers:
            for opened in [openers.submit(self._open_one, account) for account in due.values()]:
                opened.result()

    def _open_one(self, account: TradingAccount) -> None:
        try:
            venue = self.venues.open(account)
        except Refused as refused:
            _log.error("venue_not_opened", account=account.id, venue=account.venue, why=str(refused))
            return
        for each in self.database.read(trading_accounts.active_accounts):
            if each.venue == account.venue:
                self._follow(each, venue)

    def step_markets(self) -> None:
        """Let every paper venue that is open go on to now."""
        now = self.clock.now()
        for venue in self.venues.opened():
            if isinstance(venue, PaperVenue):
                venue.step(now)

    def forget(self, account: TradingAccount) -> None:
        """Let go of an account that was closed: its stream ends, and its venue if no other account is there."""
        self.ring.drop(account.id)
        self.changes.tell(account.id)
        self.database.write(lambda tx: hearing.forget(tx, account.id), name="forget")
        active = self.database.read(trading_accounts.active_accounts)
        is_needed = any(one.venue == account.venue and one.id != account.id for one in active)
        if not is_needed and not self.is_inside(account.venue):
            self.venues.close_one(account.venue)

    def is_inside(self, venue: str) -> bool:
        """Say whether a venue tells its events from inside of this house, without a stream."""
        return self.paper is not None and venue in self.venues and self.venues[venue] is self.paper

    def know_instruments(self) -> None:
        """Know what the venues of all active accounts trade, as they said last, before any of them is open."""
        for name in {account.venue for account in self.database.read(trading_accounts.active_accounts)}:
            self.venues.know(name)

    def _expect(self, account: TradingAccount) -> None:
        """Decide nothing for an account at a real venue until it is heard."""
        if not self.is_inside(account.venue):
            now = self.clock.now()
            self.database.write(lambda tx: hearing.expect(tx, account.id, account.owner_id, now), name="expect")

    def _follow(self, account: TradingAccount, venue: Venue) -> None:
        wanted = self.database.read(lambda tx: followed.symbols(tx, account.id, self.clock.now()))
        known = self.instruments.all(account.venue)
        wanted = {symbol for symbol in wanted if not known or symbol in known}
        if wanted:
            venue.follow(wanted)

    def close(self) -> None:
        """Finish what is queued and let go of everything, in order."""
        for closer in self.closers:
            closer()
