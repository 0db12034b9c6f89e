"""Make the accounts and the hook that stand in variables, at the first start, and keep them so at later ones.

A changed key takes the place of the one that is kept; a variable that is gone removes nothing. The venue is not asked
here: whether it answers or not, the house starts, and asks it as soon as it runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pilothouse.accounts import hooks, setups, trading_accounts, venue_keys
from pilothouse.accounts import house as house_values
from pilothouse.accounts.hooks import HookState
from pilothouse.accounts.setups import Setup
from pilothouse.accounts.trading_accounts import AccountState, Mode, TradingAccount
from pilothouse.kit import log
from pilothouse.kit.db import Tx
from pilothouse.kit.sealed import Secret
from pilothouse.venues.port import VenueAccount
from pilothouse.wiring import add_account
from pilothouse.wiring.add_account import Wanted
from pilothouse.wiring.house import House
from pilothouse.wiring.replace_key import AnotherAccount
from pilothouse.wiring.variables import WEBHOOK_SECRET, Bridge, Given

BY: Final = "variables"
HOOK_NAME: Final = "bridge"
SECRET_LENGTH_LEAST: Final = 16

_ACCOUNT_KEY = "given_account:"
_HOOK_KEY = "given_hook"


@dataclass(frozen=True, slots=True)
class Ready:
    """One account of the variables, once it is certain that its credential fits together."""

    given: Given
    parts: Mapping[str, Secret]
    label: str


def ready(bridge: Bridge) -> list[Ready]:
    """Return the accounts whose credentials fit together; asked before anything is made.

    Raises Refused for a key that is not the signer's, or that is none; no key is repeated.
    """
    if bridge.webhook_secret is not None:
        log.hide(bridge.webhook_secret)
    checked = []
    for given in bridge.accounts:
        parts, label = add_account.credential_of(given.venue, given.parts)
        checked.append(Ready(given, parts, label))
    return checked


def take(house: House, bridge: Bridge) -> list[str]:
    """Make what stands in the variables, or bring it up to date; returns what a person should be told.

    Raises Refused for a credential that does not fit together, and AnotherAccount where an account would be traded as
    another one than before: then nothing is changed.
    """
    accounts = ready(bridge)
    told: list[str] = []
    for one in accounts:
        told += _account(house, one)
    if bridge.webhook_secret is not None:
        told += _hook(house, bridge, bridge.webhook_secret)
    return told


# ── Accounts ──────────────────────────────────────────────────────────────────────────────────────


def _account(house: House, one: Ready) -> list[str]:
    given, owner_id = one.given, house.operator_id
    account = _made_before(house, given)
    if account is None:
        account = add_account.who_uses(house, owner_id, given.venue, one.parts)
        if account is not None:
            house.database.write(lambda tx: _remember(tx, given, account), name="given account")
            return [f"{given.name}: the variables name the account {account.name!r}, which is used"]
        made = house.database.write(lambda tx: _make(tx, house, one), name="given account")
        house.open_for(made)
        state = "" if made.may_send else ", disarmed: nothing is sent until `pilothouse account arm` or PILOTHOUSE_LIVE"
        return [f"{made.name}: account at {made.venue}, {made.mode}{state}"]
    if account.state is not AccountState.ACTIVE:
        return [f"{account.name}: it was removed, and is not made again from {given.first}; add it by `account add`"]
    if account.venue != str(given.venue):
        raise AnotherAccount(
            f"the account {account.name!r} is at {account.venue}, and {given.kind.base_url} now names "
            f"{given.venue}: set it back, or remove the account and add one there"
        )
    kept = house.ring.parts_of(VenueAccount(account.id, owner_id))
    return _replaced(house, account, one, kept)


def _replaced(house: House, account: TradingAccount, one: Ready, kept: Mapping[str, Secret]) -> list[str]:
    """Put a changed key in the place of the one that is kept. Raises AnotherAccount."""
    if kept == one.parts:
        return []
    first = next(iter(one.given.parts))
    if one.given.kind.is_address and not _alike(kept[first], one.parts[first]):
        raise AnotherAccount(
            f"{one.given.first} names another account than {account.name!r} is: its books would be another's. Set it "
            "back, or remove the account first"
        )
    now, sealer = house.clock.now(), house.ring.sealer

    def work(tx: Tx) -> None:
        known = setups.of_account(tx, account.id) or Setup(account.id, account.owner_id)
        setups.keep(tx, Setup(account.id, account.owner_id, armed_by_setting_at=known.armed_by_setting_at))
        venue_keys.keep(tx, sealer, account.owner_id, account.id, one.parts, label=one.label[:120], now=now, who=BY)

    house.database.write(work, name="given key")
    house.open_for(account)
    return [f"{account.name}: its key was replaced by the one in the variables"]


def _made_before(house: House, given: Given) -> TradingAccount | None:
    def look(tx: Tx) -> TradingAccount | None:
        account_id = house_values.value(tx, _ACCOUNT_KEY + given.name)
        return None if account_id is None else trading_accounts.by_id(tx, account_id)

    return house.database.read(look)


def _make(tx: Tx, house: House, one: Ready) -> TradingAccount:
    """Make an account; real money unless the venue is a testnet by name, and then disarmed. Raises NameTaken."""
    given, owner_id = one.given, house.operator_id
    mode = Mode.TESTNET if given.venue.is_testnet else Mode.LIVE
    wanted = Wanted(given.name, given.venue, one.parts, mode, live=True)
    setup = Setup("", owner_id)
    account = add_account.keep(tx, house, owner_id, wanted, mode, one.parts, one.label, "USDT", setup, by=BY)
    _remember(tx, given, account)
    return account


def _remember(tx: Tx, given: Given, account: TradingAccount) -> None:
    house_values.keep(tx, _ACCOUNT_KEY + given.name, account.id)


def _alike(a: Secret, b: Secret) -> bool:
    return a.reveal().strip().lower() == b.reveal().strip().lower()


# ── The hook ──────────────────────────────────────────────────────────────────────────────────────


def _hook(house: House, bridge: Bridge, secret: Secret) -> list[str]:
    told = []
    if len(secret.reveal()) < SECRET_LENGTH_LEAST:
        told.append(
            f"{WEBHOOK_SECRET} is short: whoever guesses it trades; {SECRET_LENGTH_LEAST} characters are better"
        )

    def work(tx: Tx) -> list[str]:
        now, owner_id = house.clock.now(), house.operator_id
        hook_id = house_values.value(tx, _HOOK_KEY)
        if hook_id is not None:
            hook = hooks.get(tx, owner_id, hook_id)
            if hook.state is HookState.REVOKED:
                return [f"the hook of {WEBHOOK_SECRET} was revoked, and is not made again"]
            changed = hooks.set_secret(tx, owner_id, hook_id, secret, now=now, who=BY)
            return [f"the secret of the hook {hook.name!r} is now that of {WEBHOOK_SECRET}"] if changed else []
        account = next((found for found in (_known(tx, given) for given in bridge.accounts) if found), None)
        if account is None:
            return [f"{WEBHOOK_SECRET} is set, and no keys of an account are: no hook was made"]
        hook, _, _ = hooks.create(
            tx, owner_id=owner_id, account_id=account.id, name=HOOK_NAME, now=now, who=BY, secret=secret
        )
        house_values.keep(tx, _HOOK_KEY, hook.id)
        return [f"{account.name}: alerts with {WEBHOOK_SECRET} trade here"]

    return told + house.database.write(work, name="given hook")


def _known(tx: Tx, given: Given) -> TradingAccount | None:
    account_id = house_values.value(tx, _ACCOUNT_KEY + given.name)
    account = None if account_id is None else trading_accounts.by_id(tx, account_id)
    return account if account is not None and account.state is AccountState.ACTIVE else None
