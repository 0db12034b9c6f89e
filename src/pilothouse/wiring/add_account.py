"""Add an account at a venue: it is tried there first, its credential is kept sealed, and real money begins disarmed.

The venue is asked outside of any transaction. What it does not take, or does not answer for, is not kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from urllib.parse import urlsplit

from pilothouse.accounts import setups, trading_accounts, venue_keys
from pilothouse.accounts.setups import Setup
from pilothouse.accounts.trading_accounts import AccountState, Mode, TradingAccount
from pilothouse.core.errors import Conflict, Invalid, Problem, Refused, Unavailable
from pilothouse.core.rounding import EXACT, QUOTE_UNIT, plain
from pilothouse.kit import log
from pilothouse.kit.db import Tx
from pilothouse.kit.sealed import SealBroken, Secret
from pilothouse.venues.catalogue import VenueUnknown, checked_credential, credential_fields
from pilothouse.venues.keys import VenueKey, private
from pilothouse.venues.opening import CredentialField
from pilothouse.venues.port import VenueAccount
from pilothouse.wiring import examination
from pilothouse.wiring.arm_account import BY_SETTING, arm_by_setting
from pilothouse.wiring.build import PAPER_DEPOSIT, open_paper_account
from pilothouse.wiring.examination import Tested
from pilothouse.wiring.house import House

DEPOSIT_MOST = Decimal(1_000_000_000)


class LiveNotMeant(Refused):
    """Real money takes an explicit word."""

    code = "live_not_meant"


class CredentialInUse(Conflict):
    """Another account of this house trades with the same credential."""

    code = "credential_in_use"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An account that somebody wants to add.

    mode     None: paper for a paper venue, testnet for a testnet and for an address on this machine, else live
    parts    of the credential, as they came
    live     whether real money is meant
    deposit  of a paper account, settlement currency; None: the usual one
    """

    name: str
    venue: VenueKey
    parts: Mapping[str, Secret]
    mode: Mode | None = None
    stream_url: str = ""
    live: bool = False
    withdrawals_allowed: bool = False
    deposit: Decimal | None = None


def add(house: House, owner_id: str, wanted: Wanted, *, by: str) -> Tested:
    """Try an account at its venue, keep it, and open it for trading; a live one is disarmed.

    Raises Invalid, NameTaken, LiveNotMeant, CredentialInUse, what `examination` refuses, and Unavailable if the venue
    does not answer: then nothing is kept.
    """
    mode = mode_of(wanted)
    parts, label = credential_of(wanted.venue, wanted.parts)
    deposit = _deposit(wanted, mode)
    house.database.read(lambda tx: trading_accounts.refuse_taken(tx, owner_id, wanted.name))
    setup = Setup("", owner_id, deposit, wanted.withdrawals_allowed)
    warnings: list[str] = []
    currency = "USDT"
    if parts:
        refuse_in_use(house, owner_id, wanted.venue, parts)
        examined = examination.examine(house, wanted.venue, parts, wanted.stream_url, owner_id)
        examination.check(examined, withdrawals_allowed=wanted.withdrawals_allowed)
        setup = replace(setup, tested_at=house.clock.now(), passed=True, found=examination.found(examined))
        warnings += examination.remarks(examined)
        currency, label = examined.balance.asset, examined.label or label
    account = house.database.write(
        lambda tx: keep(tx, house, owner_id, wanted, mode, parts, label, currency, setup, by=by), name="account add"
    )
    try:
        open_kept(house, account, deposit)
    except (Refused, Unavailable):
        house.database.write(lambda tx: _discard(tx, account, by), name="account add")
        house.forget(account)
        raise
    account = arm_by_setting(house, account)
    return Tested(account, setup.found, tuple(warnings + _live_words(account)))


def keep(  # each is one value of the new account
    tx: Tx,
    house: House,
    owner_id: str,
    wanted: Wanted,
    mode: Mode,
    parts: Mapping[str, Secret],
    label: str,
    currency: str,
    setup: Setup,
    *,
    by: str,
) -> TradingAccount:
    """Keep a new account with its credential, in one transaction. Raises NameTaken."""
    now = house.clock.now()
    endpoint = {"base_url": wanted.venue.base_url, "stream_url": wanted.stream_url}
    account = trading_accounts.open_account(
        tx,
        owner_id=owner_id,
        name=wanted.name,
        venue=str(wanted.venue),
        mode=mode,
        currency=currency,
        now=now,
        who=by,
        endpoint={name: each for name, each in endpoint.items() if each} or None,
    )
    if parts:
        venue_keys.keep(tx, house.ring.sealer, owner_id, account.id, parts, label=label[:120], now=now, who=by)
    setups.keep(tx, replace(setup, account_id=account.id))
    return account


def _discard(tx: Tx, account: TradingAccount, by: str) -> None:
    """Forget an account that could not be opened, as if it had never been added."""
    venue_keys.remove(tx, account.owner_id, account.id, now=account.created_at, who=by)
    setups.forget(tx, account.id)
    trading_accounts.discard(tx, account, who=by)


def open_kept(house: House, account: TradingAccount, deposit: Decimal | None) -> None:
    """Open an account that was kept for trading; for paper, at its venue too, with its first deposit."""
    house.open_for(account)
    if account.mode is Mode.PAPER:
        open_paper_account(house, account.id, deposit if deposit is not None else PAPER_DEPOSIT)


def venue_of(name: str, base_url: str) -> VenueKey:
    """Return the venue that is meant by a name and, perhaps, another address. Raises Invalid or NotPrivate."""
    if base_url and "@" in name:
        raise Invalid([Problem("base_url", "an address came twice", "behind the venue's name, or here")])
    return VenueKey.parse(f"{name}@{base_url}" if base_url else name)


def stream_of(url: str) -> str:
    """Return another address for streams if it is one. Raises Invalid or NotPrivate."""
    if url and urlsplit(url).scheme not in {"ws", "wss"}:
        raise Invalid([Problem("stream_url", f"{url[:80]!a} came", "an address such as ws://127.0.0.1:18100")])
    return private(url.rstrip("/")) if url else ""


def mode_of(wanted: Wanted) -> Mode:
    """Return whether the money of an account is real. Raises Invalid or LiveNotMeant."""
    key = wanted.venue
    guessed = Mode.LIVE
    if key.is_paper:
        guessed = Mode.PAPER
    elif key.is_testnet or key.is_here:
        guessed = Mode.TESTNET
    mode = wanted.mode or guessed
    if (mode is Mode.PAPER) is not key.is_paper:
        raise Invalid([Problem("mode", f"{mode} came", f"{guessed} for an account at {key}")])
    if mode is Mode.LIVE and key.is_testnet:
        raise Invalid([Problem("mode", f"{mode} came", f"{guessed} for an account at {key}")])
    if mode is Mode.TESTNET and not key.is_testnet and not key.base_url:
        allowed = f"live for an account at {key}; its testnet, if it has one, is {key.name}-testnet"
        raise Invalid([Problem("mode", f"{mode} came", allowed)])
    if mode is Mode.LIVE and not wanted.live:
        raise LiveNotMeant(
            f"an account at {key} trades real money: say --live (live: true) if that is meant. It begins disarmed: "
            "everything is shown and decided, nothing is sent until somebody arms it"
        )
    return mode


def credential_of(key: VenueKey, parts: Mapping[str, Secret]) -> tuple[dict[str, Secret], str]:
    """Return a credential as it is kept, and what may be shown of it; from here on no part of it is logged.

    Raises Invalid for a venue, or a part, that is not there, and Refused if the parts do not fit together.
    """
    log.hide(*(parts[each.name] for each in _fields(key) if each.secret and each.name in parts))
    return checked_credential(key, parts)


def refuse_in_use(
    house: House, owner_id: str, key: VenueKey, parts: Mapping[str, Secret], *, but: str | None = None
) -> None:
    """Return if no other account (`but` one, by its id) trades with this credential. Raises CredentialInUse."""
    other = who_uses(house, owner_id, key, parts, but=but)
    if other is not None:
        raise CredentialInUse(
            f"the account {other.name!r} trades with this credential already: two accounts in one would book the same "
            "fills twice"
        )


def who_uses(
    house: House, owner_id: str, key: VenueKey, parts: Mapping[str, Secret], *, but: str | None = None
) -> TradingAccount | None:
    """Return the active account of this owner, `but` one, that is the same account at the venue, or None.

    What tells one from another is the first part of a credential: the address of the account, or the name of the key.
    """
    first = _fields(key)[0].name
    for account in house.database.read(lambda tx: trading_accounts.list_accounts(tx, owner_id)):
        if account.id == but or account.venue != str(key) or account.state is not AccountState.ACTIVE:
            continue
        try:
            kept = house.ring.parts_of(VenueAccount(account.id, owner_id))
        except (Refused, SealBroken):  # it has none, or none that opens
            continue
        if first in kept and kept[first].reveal().strip().lower() == parts[first].reveal().strip().lower():
            return account
    return None


def _fields(key: VenueKey) -> tuple[CredentialField, ...]:
    try:
        return credential_fields(key.name)
    except VenueUnknown as unknown:
        raise Invalid([Problem("venue", f"{str(key)!r} came", str(unknown), unknown.code)]) from None


def _deposit(wanted: Wanted, mode: Mode) -> Decimal | None:
    deposit = wanted.deposit
    if deposit is None:
        return None
    if mode is not Mode.PAPER:
        raise Invalid([Problem("deposit", plain(deposit), "only for a paper account")])
    if not 0 < deposit <= DEPOSIT_MOST or EXACT.remainder(deposit, QUOTE_UNIT) != 0:
        raise Invalid([Problem("deposit", plain(deposit), "above zero, a thousand million at most, eight digits")])
    return deposit


def _live_words(account: TradingAccount) -> list[str]:
    """Return what will happen with real money."""
    if account.mode is not Mode.LIVE:
        return []
    armed = (
        f"REAL MONEY, armed by {BY_SETTING}: every alert that comes to one of its hooks becomes an order at the venue. "
        "Its limits are wide until you set them: pilothouse limits set"
    )
    disarmed = (
        "REAL MONEY, disarmed: alerts are shown and decided, nothing is sent. Set its limits (pilothouse limits set), "
        f"then arm it: pilothouse account arm {account.name}"
    )
    return [armed if account.may_send else disarmed]
