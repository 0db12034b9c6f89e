"""Let a live account send, and stop it: by a person, or once by the setting that says so."""

from dataclasses import replace

from pilothouse.accounts import setups, trading_accounts
from pilothouse.accounts.trading_accounts import Mode, TradingAccount
from pilothouse.kit.db import Tx
from pilothouse.wiring import account_tests
from pilothouse.wiring.examination import Tested
from pilothouse.wiring.house import House

BY_SETTING = "PILOTHOUSE_LIVE"


def arm(house: House, owner_id: str, account_id: str, *, reason: str, by: str) -> Tested:
    """Try a live account at its venue once more, and let it send orders from now on; again is no error.

    Raises AccountNotFound, NotLive, AccountGone, what `examination` refuses, and Unavailable if the venue does not
    answer: then it stays as it was.
    """
    account = house.database.read(lambda tx: trading_accounts.get_live(tx, owner_id, account_id))
    tested = account_tests.try_again(house, owner_id, account.id, by=by)
    armed = house.database.write(
        lambda tx: trading_accounts.arm(tx, owner_id, account_id, now=house.clock.now(), who=by, reason=reason),
        name="account arm",
    )
    return replace(tested, account=armed)


def disarm(house: House, owner_id: str, account_id: str, *, reason: str, by: str) -> TradingAccount:
    """Keep a live account from sending orders; again is no error. Raises AccountNotFound or NotLive.

    What stands at the venue stays there, and a cancel by a person still goes out.
    """
    return house.database.write(
        lambda tx: trading_accounts.disarm(tx, owner_id, account_id, now=house.clock.now(), who=by, reason=reason),
        name="account disarm",
    )


def arm_by_setting(house: House, account: TradingAccount) -> TradingAccount:
    """Arm a live account that passed its test, if the setting says so; once: who disarms it later is obeyed."""
    if house.settings.live != "yes" or account.mode is not Mode.LIVE:
        return account

    def work(tx: Tx) -> TradingAccount:
        known = setups.of_account(tx, account.id)
        fresh = trading_accounts.by_id(tx, account.id)
        if known is None or not known.passed or known.armed_by_setting_at is not None or fresh.may_send:
            return fresh
        now = house.clock.now()
        setups.keep(tx, replace(known, armed_by_setting_at=now))
        return trading_accounts.arm(tx, account.owner_id, account.id, now=now, who=BY_SETTING)

    return house.database.write(work, name="account arm")


def arm_all_by_setting(house: House) -> None:
    """Arm every live account that passed its test and was never armed by the setting, if the setting says so."""
    for account in house.database.read(trading_accounts.active_accounts):
        arm_by_setting(house, account)
