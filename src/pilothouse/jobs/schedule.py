"""Everything periodic, in one table."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog

from pilothouse.accounts import idempotency, trading_accounts
from pilothouse.accounts.trading_accounts import TradingAccount
from pilothouse.backtest import store as backtest_store
from pilothouse.core.errors import PilothouseError, Refused, Unavailable
from pilothouse.execution import account_store, hearing
from pilothouse.execution import store as orders_store
from pilothouse.execution.reconcile import reconcile
from pilothouse.execution.trader import Trader
from pilothouse.fleet import drive, halting, levels, protections
from pilothouse.fleet import store as fleet_store
from pilothouse.fleet.protections import ProtectionRecord
from pilothouse.kit import outbox, told_facts
from pilothouse.kit.db import Tx
from pilothouse.ledger import equity
from pilothouse.ledger.exposure import holdings
from pilothouse.marketdata import candle_records
from pilothouse.notifications import store as alarm_store
from pilothouse.notifications.letters import unwritten
from pilothouse.observability import standing, watch
from pilothouse.observability.record.anchors import anchor
from pilothouse.wiring import account_tests, arm_account
from pilothouse.wiring.house import House
from pilothouse.wiring.subscriptions import trader_of

_log = structlog.get_logger("pilothouse.schedule")


DEAF_COMPARED_EVERY = timedelta(seconds=25)
"""An account that is not heard is compared at least this often."""


@dataclass(frozen=True, slots=True)
class Periodic:
    """Something done again and again; `first` after the start.

    aside   it may wait long for a venue, and nothing that trades may wait for it: it has a thread of its own
    """

    name: str
    every: timedelta
    first: timedelta
    work: Callable[[House], None]
    aside: bool = False


def reconcile_all(house: House, *, inside_only: bool = False) -> None:
    """Bring every account's books up to what its venue says; a venue that does not answer is tried again later.

    inside_only   only accounts whose venue lives in this house and answers at once
    """
    for account in house.database.read(trading_accounts.active_accounts):
        if (inside_only and not house.is_inside(account.venue)) or _is_fresh(house, account):
            continue
        try:
            found = reconcile(house.desk, trader_of(account))
        except (Refused, Unavailable) as reason:
            _log.warning("account not reconciled", account=account.id, venue=account.venue, error=str(reason))
            continue
        if found.fills_booked or found.orders_asked or found.foreign_orders or found.mismatches:
            _log.info(
                "reconciled",
                account=account.id,
                fills_booked=found.fills_booked,
                orders_asked=found.orders_asked,
                foreign_orders=found.foreign_orders,
                mismatches=found.mismatches,
            )


def _is_fresh(house: House, account: TradingAccount) -> bool:
    """Say whether an account was compared recently: one that is heard well needs it less often."""
    heard = house.database.read(lambda tx: hearing.of(tx, account.id))
    if heard is None or heard.compared_at is None:
        return False
    now = house.clock.now()
    if heard.compared_at > now:  # the clock was set back: nobody knows how long ago that was
        return False
    every = timedelta(seconds=house.settings.reconcile_s)
    if heard.deaf_since(now) is not None:
        every = min(every, DEAF_COMPARED_EVERY)
    return now - heard.compared_at < every


def drive_waiting(house: House) -> None:
    """Look again at every instrument in which a signal waits, a position is protected, or a stop stands."""
    accounts = {account.id: account for account in house.database.read(trading_accounts.active_accounts)}
    pairs = set(house.database.read(fleet_store.waiting))
    pairs |= {(one.account_id, one.symbol) for one in house.database.read(protections.every)}
    pairs |= house.database.read(orders_store.protective_pairs)
    for account_id, symbol in sorted(pairs):
        if account_id in accounts:
            _drive(house, trader_of(accounts[account_id]), symbol)


def watch_levels(house: House) -> None:
    """Give a turn to every protection whose trail moved, or whose level or time came, and that nobody else watches."""
    wanted = house.database.read(protections.every)
    if not wanted:
        return
    accounts = {account.id: account for account in house.database.read(trading_accounts.active_accounts)}
    for record in wanted:
        account = accounts.get(record.account_id)
        if account is None or not levels.needs_looking(house.desk, trader_of(account), record):
            continue
        if house.database.read(partial(_asks_for_a_turn, house=house, account=account, record=record)):
            _drive(house, trader_of(account), record.symbol)


def _asks_for_a_turn(tx: Tx, house: House, account: TradingAccount, record: ProtectionRecord) -> bool:
    return levels.asks_for_a_turn(tx, house.desk, trader_of(account), record, house.clock.now())


def _drive(house: House, trader: Trader, symbol: str) -> None:
    def work(tx: Tx) -> None:
        drive.advance(tx, house.desk, trader, symbol, drive.HookBook())

    try:
        house.database.write(work, name="drive")
    except Unavailable as unavailable:
        _log.warning("cannot decide yet", account=trader.account_id, symbol=symbol, error=str(unavailable))
    except PilothouseError:  # one instrument that cannot be decided must not stop all others
        _log.exception("cannot decide", account=trader.account_id, symbol=symbol)


def carry_halts_on(house: House) -> None:
    """Do what halts have left to do: cancel what rests again, close what is open again."""
    for account, stops in house.database.read(halting.due):
        work = partial(halting.carry_out, desk=house.desk, account=account, stops=stops)
        for problem in house.database.write(work, name="halt", urgent=True):
            _log.warning("halt not carried out yet", account=account.id, problem=problem)


def snapshot_equity(house: House) -> None:
    """Keep what every account is worth now; its first look of a day is where the day's loss counts from."""
    for account in house.database.read(trading_accounts.active_accounts):
        _snapshot(house, account)


def _snapshot(house: House, account: TradingAccount) -> None:
    now = house.clock.now()
    marks = {symbol: quote.mark for symbol, quote in house.quotes.all(account.venue).items()}

    def work(tx: Tx) -> None:
        worth = holdings(tx, account.id, now, account.currency).equity(marks)
        equity.snapshot(tx, owner_id=account.owner_id, account_id=account.id, worth=worth, now=now)

    try:
        house.database.write(work, name="equity")
    except Unavailable as unavailable:
        _log.warning("cannot value the account yet", account=account.id, error=str(unavailable))


def sweep(house: House) -> None:
    """Forget what has had its time: rates of past minutes, old answers, old facts."""
    now = house.clock.now()

    def work(tx: Tx) -> None:
        account_store.forget_counts(tx, now - timedelta(minutes=5))
        idempotency.forget(tx, now - timedelta(days=1))
        told_facts.forget_facts(tx, now - timedelta(days=30))
        alarm_store.forget(tx, now - timedelta(days=90))
        backtest_store.forget(tx, now - timedelta(days=2))

    house.database.write(work, name="sweep")


def refresh_instruments(house: House) -> None:
    """Ask venues what can be traded: each once an hour, and those at once that did not answer when they were opened."""
    for name in house.venues.due_for_refresh():
        house.venues.refresh(name)


def check_invariants(house: House) -> None:
    """Ask what must always be true."""
    for finding in watch.run(house):
        _log.error("invariant broken", finding=str(finding))
    standing.end_invariants(house)


def look_after_alarms(house: House) -> None:
    """Tell what has begun and should not be, and what is over; past the record, if the record cannot be written."""
    try:
        standing.look(house)
    except Unavailable as error:
        _log.error("alarms_not_recorded", error=str(error))
        told = house.post.cry_out(unwritten(str(error)), house.clock.monotonic())
        _log.warning("told_past_the_record", addresses=told)


def look_at_clock(house: House) -> None:
    """Let nothing wait longer because the wall clock was set back: what is to be asked, sent or protected again."""
    by = house.set_back.by()
    if by:
        now = house.clock.now()
        moved = house.database.write(lambda tx: outbox.set_back(tx, by, now), name="clock", urgent=True)
        _log.warning("clock_set_back", by=f"{by.total_seconds():.1f} s", messages=moved)


def follow_funding(house: House) -> None:
    """Fetch funding rates that were settled, of what is followed; nothing is loaded for it where nothing is."""
    if not house.database.read(candle_records.follows_of_funding):
        return
    from pilothouse.marketdata import funding_follow  # noqa: PLC0415 - who follows nothing needs no columns
    from pilothouse.wiring.funding_desk import shelf_of_funding  # noqa: PLC0415 - as above

    for found in funding_follow.turn_of_funding(shelf_of_funding(house), house.public):
        if found.error:
            _log.warning("funding not fetched yet", series=str(found.follow.series), error=found.error)
        elif found.fetched is not None and found.fetched.conflicts:
            _log.warning("funding told differently", series=str(found.follow.series), count=found.fetched.conflicts)


def follow_candles(house: House) -> None:
    """Fetch candles that closed, of what is followed; nothing is loaded for it where nothing is."""
    if not house.database.read(candle_records.follows):
        return
    from pilothouse.marketdata import candle_follow  # noqa: PLC0415 - who follows nothing needs no columns
    from pilothouse.wiring.candle_desk import shelf_of  # noqa: PLC0415 - as above

    for found in candle_follow.turn(shelf_of(house), house.public):
        if found.error:
            _log.warning("candles not fetched yet", series=str(found.follow.series), error=found.error)
        elif found.fetched is not None and found.fetched.conflicts:
            _log.warning("candles told differently", series=str(found.follow.series), count=found.fetched.conflicts)


def rest_benches(house: House) -> None:
    """End processes beside the house that nobody asked anything for long."""
    house.benches.rest()


def anchor_record(house: House) -> None:
    """Keep the heads of the record in a second place."""
    anchor(house)


def try_accounts(house: House) -> None:
    """Ask venues about accounts that were never tested, and arm those that passed if the setting says so."""
    account_tests.try_untested(house)
    arm_account.arm_all_by_setting(house)


SCHEDULE: tuple[Periodic, ...] = (
    Periodic("reconcile", timedelta(seconds=5), timedelta(seconds=30), reconcile_all),
    Periodic("halts", timedelta(seconds=2), timedelta(seconds=1), carry_halts_on),
    Periodic("drive", timedelta(seconds=5), timedelta(seconds=1), drive_waiting),
    Periodic("levels", timedelta(milliseconds=500), timedelta(seconds=1), watch_levels),
    Periodic("equity", timedelta(seconds=60), timedelta(seconds=2), snapshot_equity),
    Periodic("invariants", timedelta(seconds=60), timedelta(seconds=20), check_invariants),
    Periodic("accounts", timedelta(seconds=30), timedelta(0), try_accounts, aside=True),
    Periodic("instruments", timedelta(seconds=15), timedelta(seconds=15), refresh_instruments),
    Periodic("sweep", timedelta(seconds=300), timedelta(seconds=60), sweep),
    Periodic("record", timedelta(seconds=60), timedelta(seconds=10), anchor_record),
    Periodic("benches", timedelta(seconds=60), timedelta(seconds=60), rest_benches, aside=True),
    Periodic("candles", timedelta(seconds=1), timedelta(seconds=3), follow_candles, aside=True),
    Periodic("funding", timedelta(seconds=5), timedelta(seconds=4), follow_funding, aside=True),
)

ALARMS: tuple[Periodic, ...] = (
    Periodic("alarms", timedelta(seconds=5), timedelta(seconds=5), look_after_alarms),
    Periodic("clock", timedelta(seconds=1), timedelta(seconds=1), look_at_clock),
)
"""On a thread of its own: everything else may wait for a venue, and that is when a person must be told."""
