"""A live account is armed by somebody, and who did it is on record."""

from functools import partial

import pytest

from pilothouse.accounts import trading_accounts
from pilothouse.accounts.audit import list_audit
from pilothouse.accounts.trading_accounts import AccountGone, AccountNotFound, Mode, NotLive, TradingAccount
from pilothouse.kit.db import Database
from tests.conftest import NOON
from tests.slices.accounts.test_accounts import opened, user


def _now(database: Database, account: TradingAccount) -> TradingAccount:
    return database.read(lambda tx: trading_accounts.by_id(tx, account.id))


@pytest.mark.parametrize(("mode", "sends"), [(Mode.PAPER, True), (Mode.TESTNET, True), (Mode.LIVE, False)])
def test_only_real_money_begins_disarmed(database: Database, mode: Mode, *, sends: bool) -> None:
    """Whoever adds a live account wants to see first what it would do."""
    assert opened(database, user(database), mode=mode).may_send is sends


def test_arming_and_disarming_is_kept_and_recorded(database: Database) -> None:
    """It outlives the process, and the record says who it was; saying it twice changes nothing."""
    owner = user(database)
    account = opened(database, owner, mode=Mode.LIVE)

    for _ in range(2):
        database.write(lambda tx: trading_accounts.arm(tx, owner, account.id, now=NOON, who="cli"), name="arm")
    assert _now(database, account).may_send
    assert _now(database, account).armed_at == NOON
    for _ in range(2):
        database.write(lambda tx: trading_accounts.disarm(tx, owner, account.id, now=NOON, who="cli"), name="disarm")
    assert not _now(database, account).may_send

    told = database.read(lambda tx: [(one.what, one.who) for one in list_audit(tx, owner)])
    assert [one for one in told if "arm" in one[0]] == [("account.disarmed", "cli"), ("account.armed", "cli")]


def test_what_is_not_live_or_not_theirs_is_not_armed(database: Database) -> None:
    """Nothing to arm, nobody to arm it, or nothing left to trade."""
    owner = user(database)
    paper, live = opened(database, owner), opened(database, owner, "live", Mode.LIVE)
    database.write(lambda tx: trading_accounts.close(tx, owner, live.id, now=NOON), name="close")

    for account, by, error in (
        (paper, owner, NotLive),
        (live, owner, AccountGone),
        (live, user(database, "b"), AccountNotFound),
    ):
        work = partial(trading_accounts.arm, owner_id=by, account_id=account.id, now=NOON)
        with pytest.raises(error):
            database.write(work, name="arm")


def test_another_address_for_streams_is_kept(database: Database) -> None:
    """A simulated exchange may have its streams elsewhere."""
    owner = user(database)
    account = database.write(
        lambda tx: trading_accounts.open_account(
            tx,
            owner_id=owner,
            name="sim",
            venue="aster@http://127.0.0.1:18100",
            mode=Mode.TESTNET,
            currency="USDT",
            now=NOON,
            endpoint={"base_url": "http://127.0.0.1:18100", "stream_url": "ws://127.0.0.1:18101"},
        ),
        name="open",
    )

    assert _now(database, account) == account
    assert _now(database, account).stream_url == "ws://127.0.0.1:18101"
