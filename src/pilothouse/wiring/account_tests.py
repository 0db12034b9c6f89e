"""Ask a venue about an account that is kept, and keep what it said."""

from dataclasses import replace
from functools import partial

import structlog

from pilothouse.accounts import setups, trading_accounts
from pilothouse.accounts.audit import record
from pilothouse.accounts.setups import Setup
from pilothouse.accounts.trading_accounts import AccountGone, AccountState, Mode, TradingAccount
from pilothouse.core.errors import Conflict, Refused, Unavailable
from pilothouse.kit.db import Tx
from pilothouse.venues.keys import VenueKey
from pilothouse.venues.port import VenueAccount
from pilothouse.wiring import examination
from pilothouse.wiring.examination import Tested
from pilothouse.wiring.house import House

_log = structlog.get_logger("pilothouse.accounts")


class NothingToTest(Conflict):
    """A paper account has no credential."""

    code = "nothing_to_test"


def try_again(house: House, owner_id: str, account_id: str, *, withdrawals_allowed: bool = False, by: str) -> Tested:
    """Ask the venue about an account again, and keep what it said.

    withdrawals_allowed   its key may withdraw from now on

    Raises AccountNotFound, AccountGone, NothingToTest, what `examination` refuses (kept as not passed), and Unavailable
    if the venue does not answer (then what was known stays).
    """
    account = house.database.read(lambda tx: trading_accounts.get(tx, owner_id, account_id))
    if account.state is not AccountState.ACTIVE:
        raise AccountGone(f"the account {account.name!r} is closed")
    if account.mode is Mode.PAPER:
        raise NothingToTest(f"the account {account.name!r} is paper: there is no key to test")
    known = house.database.read(lambda tx: setups.of_account(tx, account_id)) or Setup(account_id, owner_id)
    allowed = known.withdrawals_allowed or withdrawals_allowed
    parts = house.ring.parts_of(VenueAccount(account_id, owner_id))
    setup = replace(known, withdrawals_allowed=allowed, passed=False, message=None, found=None)
    try:
        examined = examination.examine(house, VenueKey.parse(account.venue), parts, account.stream_url, owner_id)
        setup = replace(setup, found=examination.found(examined))
        examination.check(examined, withdrawals_allowed=allowed)
    except Refused as refusal:
        _keep(house, replace(setup, message=str(refusal)), by)
        raise
    setup = _keep(house, replace(setup, passed=True), by)
    return Tested(account, setup.found, tuple(examination.remarks(examined)))


def untested(house: House) -> list[str]:
    """Return the ids of the active accounts whose venue was never asked about them."""

    def look(tx: Tx) -> list[str]:
        waiting = {each.account_id for each in setups.every_setup(tx).values() if each.tested_at is None}
        accounts = trading_accounts.active_accounts(tx)
        return [each.id for each in accounts if each.id in waiting and each.mode is not Mode.PAPER]

    return house.database.read(look)


def try_untested(house: House) -> list[str]:
    """Ask about every account whose venue was never asked; return the ids of those that passed.

    One whose venue does not answer stays untested and is asked about at the next turn.
    """
    passed = []
    for account_id in untested(house):
        account = house.database.read(partial(trading_accounts.by_id, account_id=account_id))
        try:
            try_again(house, account.owner_id, account_id, by="house")
            passed.append(account_id)
        except Unavailable as unavailable:
            _log.warning("account_not_tested", account=account_id, venue=account.venue, why=str(unavailable))
        except Refused as refusal:
            _log.warning("account_did_not_pass", account=account_id, venue=account.venue, why=str(refusal))
            _disarm(house, account, str(refusal))
    return passed


def _disarm(house: House, account: TradingAccount, why: str) -> None:
    """Stop a live account whose key was replaced by one that does not pass."""
    if account.mode is Mode.LIVE and account.armed_at is not None:
        now = house.clock.now()
        house.database.write(
            lambda tx: trading_accounts.disarm(tx, account.owner_id, account.id, now=now, reason=why), name="disarm"
        )


def _keep(house: House, setup: Setup, by: str) -> Setup:
    """Keep what a test has found, unless the account was closed meanwhile."""
    tested = replace(setup, tested_at=house.clock.now())

    def work(tx: Tx) -> None:
        if trading_accounts.by_id(tx, setup.account_id).state is not AccountState.ACTIVE:
            return
        setups.keep(tx, tested)
        detail = {"account_id": setup.account_id, "passed": bool(setup.passed), "message": setup.message}
        now = house.clock.now()
        record(tx, owner_id=setup.owner_id, who=by, what="account.tested", now=now, detail=detail)

    house.database.write(work, name="account test")
    return tested
