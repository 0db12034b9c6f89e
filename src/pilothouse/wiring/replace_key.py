"""Put another key of the same account in the place of the one that is kept: tried at the venue first."""

from collections.abc import Mapping
from dataclasses import replace

from pilothouse.accounts import setups, trading_accounts, venue_keys
from pilothouse.accounts.audit import record
from pilothouse.accounts.setups import Setup
from pilothouse.accounts.trading_accounts import AccountGone, AccountState, Mode, TradingAccount
from pilothouse.core.errors import Conflict
from pilothouse.kit.db import Tx
from pilothouse.kit.sealed import Secret
from pilothouse.venues.keys import VenueKey
from pilothouse.venues.port import VenueAccount
from pilothouse.wiring import add_account, examination
from pilothouse.wiring.examination import Tested
from pilothouse.wiring.house import House

_ADDRESSES = frozenset({"user", "wallet_address"})
"""Parts that name the account itself, and not only a key to it."""


class NoKey(Conflict):
    """A paper account has no credential."""

    code = "no_key"


class AnotherAccount(Conflict):
    """The key opens another account than the one whose books are kept here."""

    code = "another_account"


def replace_key(
    house: House,
    owner_id: str,
    account_id: str,
    given: Mapping[str, Secret],
    *,
    withdrawals_allowed: bool = False,
    by: str,
) -> Tested:
    """Try another key of an account at its venue, keep it in the place of the old one, and listen with it.

    given                 the parts of the credential, as they came
    withdrawals_allowed   it may withdraw from now on

    An account that was armed stays armed. Raises AccountNotFound, AccountGone, NoKey, AnotherAccount, CredentialInUse,
    Invalid, what `examination` refuses, and Unavailable if the venue does not answer: then the old key stays.
    """
    account = house.database.read(lambda tx: trading_accounts.get(tx, owner_id, account_id))
    _refuse_closed(account)
    if account.mode is Mode.PAPER:
        raise NoKey(f"the account {account.name!r} is paper: it has no key")
    key = VenueKey.parse(account.venue)
    parts, label = add_account.credential_of(key, given)
    _refuse_another(account, house.ring.parts_of(VenueAccount(account.id, owner_id)), parts)
    add_account.refuse_in_use(house, owner_id, key, parts, but=account.id)
    known = house.database.read(lambda tx: setups.of_account(tx, account_id)) or Setup(account_id, owner_id)
    allowed = known.withdrawals_allowed or withdrawals_allowed
    examined = examination.examine(house, key, parts, account.stream_url, owner_id)
    examination.check(examined, withdrawals_allowed=allowed)
    now, found, sealer = house.clock.now(), examination.found(examined), house.ring.sealer

    def work(tx: Tx) -> TradingAccount:
        tx.lock(f"account:{account_id}")
        fresh = trading_accounts.get(tx, owner_id, account_id)
        _refuse_closed(fresh)
        shown = examined.label or label
        venue_keys.keep(tx, sealer, owner_id, account_id, parts, label=shown[:120], now=now, who=by)
        tested = replace(known, withdrawals_allowed=allowed, tested_at=now, passed=True, message=None, found=found)
        setups.keep(tx, tested)
        detail = {"account_id": account_id, "passed": True, "message": None}
        record(tx, owner_id=owner_id, who=by, what="account.tested", now=now, detail=detail)
        return fresh

    kept = house.database.write(work, name="account key")
    house.open_for(kept)
    return Tested(kept, found, tuple(examination.remarks(examined)))


def _refuse_closed(account: TradingAccount) -> None:
    if account.state is not AccountState.ACTIVE:
        raise AccountGone(f"the account {account.name!r} is closed")


def _refuse_another(account: TradingAccount, kept: Mapping[str, Secret], parts: Mapping[str, Secret]) -> None:
    """Raise AnotherAccount if the credential names another account, where it names one at all."""
    for name in _ADDRESSES & kept.keys() & parts.keys():
        if kept[name].reveal().strip().lower() != parts[name].reveal().strip().lower():
            raise AnotherAccount(
                f"{name} is another account than {account.name!r}: its books would be another's. Add it as an account "
                "of its own"
            )
