"""Open the house: settings in, everything that is opened once out. Tests build theirs here too."""

import os
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from pilothouse.accounts import house as house_values
from pilothouse.accounts import trading_accounts, users
from pilothouse.core.clock import Clock
from pilothouse.core.errors import Refused
from pilothouse.core.ids import Ids
from pilothouse.core.instrument import Instrument
from pilothouse.execution import reconcile, settle
from pilothouse.execution.desk import Desk, Patience
from pilothouse.execution.fence import Writers
from pilothouse.execution.lanes import Lanes
from pilothouse.kit import log
from pilothouse.kit.clocks import SetBack, SystemClock
from pilothouse.kit.db import Database, Tx
from pilothouse.kit.fresh_ids import FreshIds
from pilothouse.kit.meters import Meters
from pilothouse.kit.settings import Settings
from pilothouse.kit.throttle import SharedBooks, Throttle
from pilothouse.marketdata import instruments as instrument_store
from pilothouse.marketdata.instruments import InstrumentBook
from pilothouse.marketdata.quotes import QuoteBoard
from pilothouse.notifications import addresses
from pilothouse.notifications.post import Post
from pilothouse.venues import symbols
from pilothouse.venues.catalogue import open_venue
from pilothouse.venues.keys import VenueKey
from pilothouse.venues.opening import Accounts, Opening
from pilothouse.venues.paper import PaperVenue
from pilothouse.venues.paper_faults import PaperFaults
from pilothouse.venues.paper_opened import open_paper
from pilothouse.venues.port import AccountEvent, Venue, VenueAccount
from pilothouse.wiring.benches import Benches
from pilothouse.wiring.house import House
from pilothouse.wiring.open_venues import OpenVenues
from pilothouse.wiring.public_venues import PublicVenues
from pilothouse.wiring.sealed_keys import KeyRing
from pilothouse.wiring.sealing_key import SealingKey
from pilothouse.wiring.subscriptions import HEARD
from pilothouse.wiring.workshop import HOUSE_KEY, mark

PAPER = "paper"
PAPER_DEPOSIT = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a test puts in the place of the real thing; None or empty is the real thing.

    benches   shared with other houses, and closed by whoever made them
    writers   connections that write at once, on PostgreSQL
    witness, paper_witness   called around each commit of the books and of the paper venue's journal
    """

    clock: Clock | None = None
    ids: Ids | None = None
    process: str | None = None
    witness: Callable[[str], None] | None = None
    paper_witness: Callable[[str], None] | None = None
    paper_faults: PaperFaults | None = None
    patience: Patience | None = None
    benches: Benches | None = None
    writers: int = 8


_REAL = Parts()


def build(settings: Settings, parts: Parts = _REAL) -> House:
    """Open everything over a database that is migrated already; nothing runs yet.

    Raises Unavailable if the database does not answer, KeyGivenTwice or KeyFileMissing for a sealing key that is not as
    the settings say, AddressNotUnderstood for an alarm address that no service fits.
    """
    clock = parts.clock or SystemClock()
    ids = parts.ids or FreshIds(clock)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = SealingKey.of(settings)
    post = _post(settings)
    database = Database(settings.database_url, clock=clock, ids=ids, witness=parts.witness, writers=parts.writers)
    database.heard_kinds |= HEARD
    paper = open_paper(
        settings.data,
        clock=clock,
        seed=settings.market_seed,
        witness=parts.paper_witness,
        faults=parts.paper_faults,
    )
    quotes, instruments = QuoteBoard(), InstrumentBook()
    ring = KeyRing(database, place)
    throttle = Throttle(SharedBooks(database), clock)

    def open_one(key: VenueKey, accounts: Accounts, stream_url: str = "") -> Venue:
        return open_venue(key, Opening(clock, settings.data, throttle, accounts, stream_url, settings.market_seed))

    venues = OpenVenues(
        lambda key, stream_url: open_one(key, ring.at(str(key)), stream_url), database, instruments, quotes, clock
    )
    public = PublicVenues(venues, open_one)
    process = parts.process or f"{os.uname().nodename}:{os.getpid()}:{secrets.token_hex(3)}"

    def open_records(tx: Tx) -> tuple[str, str]:
        now = clock.now()
        key = house_values.keep(tx, HOUSE_KEY, secrets.token_hex(16))
        instruments.put(PAPER, instrument_store.refresh(tx, PAPER, paper.instruments(), now))
        return key, users.ensure_operator(tx, now=now).id

    house_key, operator_id = database.write(open_records, name="open")
    mark(settings.data, house_key)
    venues.put(PAPER, paper)
    desk = Desk(
        database=database,
        clock=clock,
        ids=ids,
        house_key=bytes.fromhex(house_key),
        process=process,
        venues=venues,
        instrument_of=instruments.get,
        resolve=Resolver(instruments),
        quote_of=quotes.get,
        lanes=Lanes(),
        meters=Meters(),
        writers=Writers(clock),
        patience=parts.patience
        or Patience(deaf=timedelta(seconds=settings.unheard_s), loosening=timedelta(seconds=settings.limit_delay_s)),
        protect_within_s=settings.protect_within_s,
        when_unprotected=settings.when_unprotected,
        trail_at=settings.trail_at,
    )
    owners, benches = _Owners(database), parts.benches or Benches(settings)
    unlisten = paper.listen_to_all(lambda event: reconcile.on_event(desk, owners.of(event), event))
    return House(
        settings=settings,
        clock=clock,
        ids=ids,
        process=process,
        database=database,
        desk=desk,
        venues=venues,
        ring=ring,
        public=public,
        paper=paper,
        quotes=quotes,
        instruments=instruments,
        set_back=SetBack(clock),
        meters=desk.meters,
        operator_id=operator_id,
        post=post,
        benches=benches,
        closers=(
            *(() if parts.benches else (benches.close,)),
            desk.lanes.close,
            unlisten,
            public.close,
            venues.close,
            database.close,
        ),
    )


def _post(settings: Settings) -> Post:
    """Return the addresses that alarms go to; what is secret of them is hidden from the log first."""
    given = addresses.read(settings.alarm_urls)
    for one in given:
        log.hide(*addresses.hidden_in_logs(one.url))
    return Post(given)


class Resolver:
    """Find the instrument that somebody wrote down; remembers what it found."""

    def __init__(self, instruments: InstrumentBook) -> None:
        """Look in `instruments`."""
        self._instruments = instruments
        self._found: dict[tuple[str, str], Instrument] = {}

    def __call__(self, venue: str, text: str) -> Instrument:
        """Return the instrument; raises SymbolUnknown or SymbolAmbiguous."""
        found = self._found.get((venue, text))
        known = self._instruments.all(venue)
        if found is not None and known.get(found.symbol) is found:
            return found
        found = symbols.resolve(text, known.values())
        if len(self._found) < 1_000:  # bounded: the text comes from outside
            self._found[venue, text] = found
        return found


class _Owners:
    """Whose each account is, read once each."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, str] = {}
        self._lock = threading.Lock()

    def of(self, event: AccountEvent) -> str | None:
        with self._lock:
            if event.account_id not in self._known:
                accounts: Sequence[trading_accounts.TradingAccount] = self._database.read(
                    trading_accounts.active_accounts
                )
                self._known |= {account.id: account.owner_id for account in accounts}
            return self._known.get(event.account_id)


class NotPaperMoney(Refused):
    """A venue that cannot keep the paper money of an account."""

    code = "not_paper_money"


def open_paper_account(house: House, account_id: str, deposit: Decimal = PAPER_DEPOSIT) -> None:
    """Open the paper venue's side of a trading account, once, and book its first deposit.

    Raises Refused if its venue keeps no paper money or keeps another currency, Unavailable if its venue rides on the
    prices of one that does not answer.
    """
    account = house.database.read(lambda tx: trading_accounts.by_id(tx, account_id))
    venue = house.venues.open(account)
    if not isinstance(venue, PaperVenue):
        raise NotPaperMoney(f"{account.venue} keeps no paper money")
    if venue.settlement != account.currency:
        raise NotPaperMoney(f"{account.venue} settles in {venue.settlement}, the account is in {account.currency}")
    venue_account = VenueAccount(account.id, account.owner_id)
    venue.open_account(venue_account, deposit)
    transfers = venue.transfers_after(venue_account, None)
    house.database.write(
        lambda tx: settle.transferred(tx, account.id, account.owner_id, transfers, house.clock.now()),
        name="deposit",
    )
