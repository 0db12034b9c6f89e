"""Hooks: where alerts come in. Each has its token (in the address), its secret (in body or header), and its account.

Token and secret are shown once and kept as digests. `/hooks/{token}` is found by its token, `/webhook/*` by its
secret; a revoked hook is found by neither.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, insert, select, update

from pilothouse.accounts.access import owned
from pilothouse.accounts.audit import record
from pilothouse.accounts.hook_settings import checked
from pilothouse.accounts.tables import hooks
from pilothouse.accounts.trading_accounts import AccountState
from pilothouse.accounts.trading_accounts import get as get_account
from pilothouse.core.clock import iso
from pilothouse.core.errors import Conflict, NotFound
from pilothouse.core.rounding import exact
from pilothouse.core.signals import Size, SizeKind
from pilothouse.kit.db import Tx
from pilothouse.kit.hot import Hot, hot
from pilothouse.kit.sealed import Secret, digest, new_token, same

_CELLS = hooks.c
_COLUMNS = (
    _CELLS.id,
    _CELLS.owner_id,
    _CELLS.account_id,
    _CELLS.name,
    _CELLS.default_size,
    _CELLS.symbols,
    _CELLS.window_s,
    _CELLS.max_age_s,
    _CELLS.rate_per_s,
    _CELLS.dry,
    _CELLS.state,
    _CELLS.created_at,
    _CELLS.rotated_at,
    _CELLS.expects,
)
_ACTIVE = _CELLS.state == "active"
_INSERT = insert(hooks)

# 20 random bytes are 32 characters of base 32: 160 bits, safe in an address and in a shell.
_BYTES = 20

DEFAULTS: Mapping[str, Any] = {
    "default_size": None,
    "symbols": None,
    "window_s": 60,
    "max_age_s": None,
    "rate_per_s": 1_000,
    "dry": False,
    "expects": None,
}
"""What a hook begins with: nothing restricted, so that a first alert plays."""


class HookState(StrEnum):
    """Whether a hook is heard."""

    ACTIVE = "active"
    REVOKED = "revoked"


class Rotation(StrEnum):
    """What is made anew."""

    TOKEN = "token"  # noqa: S105 - the name of a thing, not the thing
    SECRET = "secret"  # noqa: S105 - as above
    BOTH = "both"


class HookNotFound(NotFound):
    """There is no such hook, or it is somebody else's."""

    code = "hook_not_found"


class HookRevoked(Conflict):
    """The hook was revoked, for good."""

    code = "hook_revoked"


class AccountClosed(Conflict):
    """Nothing can be attached to an account that is closed."""

    code = "account_closed"


class SecretTaken(Conflict):
    """Another hook has this secret."""

    code = "secret_taken"


@dataclass(frozen=True, slots=True)
class Expects:
    """What is missed if it does not come.

    every_s    an alert at least so often, seconds; None: it may be silent
    counter    its alerts carry running numbers, and a gap is missed ones
    position   its alerts tell the strategy's position, and the account's is to be the same within `within_s` seconds
    since      since when that is expected
    """

    every_s: int | None
    counter: bool
    position: bool
    within_s: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook.

    default_size   for alerts that name no size; None: such alerts are refused
    symbols        what it may trade, upper case; None: everything
    window_s       an equal body within so many seconds is the same alert
    max_age_s      older alerts are refused; None: any age
    rate_per_s     alerts within one second, at most
    dry            everything is decided and shown, nothing is sent
    """

    id: str
    owner_id: str
    account_id: str
    name: str
    default_size: Size | None
    symbols: tuple[str, ...] | None
    window_s: int
    max_age_s: int | None
    rate_per_s: int
    dry: bool
    state: HookState
    created_at: datetime
    rotated_at: datetime | None
    expects: Expects | None = None

    def allows(self, symbol: str) -> bool:
        """Say whether it may trade `symbol`, as the venue names it."""
        return self.symbols is None or symbol in self.symbols


@dataclass(frozen=True, slots=True)
class Rotated:
    """What was made anew, to be shown now or never; None for what stayed."""

    hook: Hook
    url_token: Secret | None
    secret: Secret | None


def create(
    tx: Tx,
    *,
    owner_id: str,
    account_id: str,
    name: str,
    now: datetime,
    fields: Mapping[str, Any] | None = None,
    who: str = "house",
    secret: Secret | None = None,
) -> tuple[Hook, Secret, Secret]:
    """Return a new hook, its token and its secret, both 32 letters and digits, to be shown now or never.

    fields   what differs from DEFAULTS, as plain JSON data
    secret   one that somebody chose elsewhere, instead of a new one

    Raises Invalid for wrong fields, AccountNotFound, AccountClosed, SecretTaken.
    """
    if get_account(tx, owner_id, account_id).state is not AccountState.ACTIVE:
        raise AccountClosed("the account is closed: a hook needs one that can be traded")
    values = _dated({**DEFAULTS, **checked({**(fields or {}), "name": name})}, now)
    url_token, plain = new_token("", _BYTES), secret.reveal() if secret else new_token("", _BYTES)
    _refuse_taken(tx, plain)
    hook_id = tx.ids.fresh("hok")
    tx.execute(
        _INSERT,
        {
            **values,
            "id": hook_id,
            "owner_id": owner_id,
            "account_id": account_id,
            "token_digest": digest(url_token),
            "secret_digest": digest(plain),
            "state": HookState.ACTIVE,
            "created_at": now,
            "rotated_at": None,
        },
    )
    detail = {"hook_id": hook_id, "account_id": account_id, **values}
    record(tx, owner_id=owner_id, who=who, what="hook.created", now=now, detail=detail)
    return get(tx, owner_id, hook_id), Secret(url_token), Secret(plain)


def by_token(tx: Tx, url_token: str) -> Hook | None:
    """Return the active hook with this token in its address, or None."""
    return _by_digest(tx, _BY_TOKEN, url_token)


def by_secret(tx: Tx, secret: str) -> Hook | None:
    """Return the active hook with this secret, or None."""
    return _by_digest(tx, _BY_SECRET, secret)


def get(tx: Tx, owner_id: str, hook_id: str) -> Hook:
    """Return a hook of this owner, revoked or not. Raises HookNotFound."""
    found: Hook | None = tx.execute(_MINE, {"of_owner": owner_id, "of_id": hook_id}).one_or_none()
    if found is None:
        raise HookNotFound(f"there is no hook {hook_id[:40]!r}")
    return found


def list_hooks(tx: Tx, owner_id: str) -> list[Hook]:
    """Return all hooks of an owner, revoked ones too, oldest first."""
    return [_hook(row) for row in tx.execute(select(*_COLUMNS).where(owned(hooks, owner_id)).order_by(_CELLS.id))]


def expecting(tx: Tx) -> list[Hook]:
    """Return the active hooks of everybody that are to expect something."""
    return [_hook(row) for row in tx.execute(select(*_COLUMNS).where(_ACTIVE, _CELLS.expects.is_not(None)))]


def symbols_named(tx: Tx, account_id: str) -> set[str]:
    """Return the symbols that the active hooks of an account are restricted to; those that may trade all name none."""
    query = select(_CELLS.symbols).where(_CELLS.account_id == account_id, _ACTIVE, _CELLS.symbols.is_not(None))
    return {symbol for named in tx.execute(query).scalars() for symbol in named or ()}


def change(
    tx: Tx, owner_id: str, hook_id: str, fields: Mapping[str, Any], *, now: datetime, who: str = "house"
) -> Hook:
    """Change the named fields, given as plain JSON data, and return the hook.

    Raises Invalid with every wrong field, HookNotFound, HookRevoked.
    """
    values = _dated(checked(fields), now)
    _active(tx, owner_id, hook_id)
    if values:
        tx.execute(update(hooks).where(_mine(owner_id, hook_id)), values)
        detail = {"hook_id": hook_id, **values}
        record(tx, owner_id=owner_id, who=who, what="hook.changed", now=now, detail=detail)
    return get(tx, owner_id, hook_id)


def _dated(values: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return values with the instant from which on something is expected."""
    if values.get("expects") is None:
        return values
    return {**values, "expects": {**values["expects"], "since": iso(now)}}


def rotate(tx: Tx, owner_id: str, hook_id: str, which: Rotation, *, now: datetime, who: str = "house") -> Rotated:
    """Make token, secret or both anew; the old ones are worthless at once. Raises HookNotFound, HookRevoked."""
    _active(tx, owner_id, hook_id)
    url_token = None if which is Rotation.SECRET else new_token("", _BYTES)
    secret = None if which is Rotation.TOKEN else new_token("", _BYTES)
    values: dict[str, Any] = {"rotated_at": now}
    if url_token:
        values["token_digest"] = digest(url_token)
    if secret:
        values["secret_digest"] = digest(secret)
    tx.execute(update(hooks).where(_mine(owner_id, hook_id)), values)
    detail = {"hook_id": hook_id, "which": which}
    record(tx, owner_id=owner_id, who=who, what="hook.rotated", now=now, detail=detail)
    return Rotated(
        get(tx, owner_id, hook_id), Secret(url_token) if url_token else None, Secret(secret) if secret else None
    )


def set_secret(tx: Tx, owner_id: str, hook_id: str, secret: Secret, *, now: datetime, who: str = "house") -> bool:
    """Let a secret that was chosen elsewhere open a hook; False if it does already.

    Raises HookNotFound, HookRevoked or SecretTaken.
    """
    _active(tx, owner_id, hook_id)
    holder = _holder(tx, secret.reveal())
    if holder == hook_id:
        return False
    _refuse_taken(tx, secret.reveal())
    values = {"secret_digest": digest(secret.reveal()), "rotated_at": now}
    tx.execute(update(hooks).where(_mine(owner_id, hook_id)), values)
    detail = {"hook_id": hook_id, "which": Rotation.SECRET}
    record(tx, owner_id=owner_id, who=who, what="hook.rotated", now=now, detail=detail)
    return True


def _holder(tx: Tx, secret: str) -> str | None:
    """Return the id of the hook with this secret, revoked or not, or None."""
    return tx.execute(select(_CELLS.id).where(_CELLS.secret_digest == digest(secret))).scalar_one_or_none()


def _refuse_taken(tx: Tx, secret: str) -> None:
    if _holder(tx, secret) is not None:
        raise SecretTaken("another hook has, or had, this secret: one secret opens one hook, so choose another")


def revoke(tx: Tx, owner_id: str, hook_id: str, *, now: datetime, who: str = "house") -> Hook:
    """Silence a hook for good; what it did stays on record. Again is no error. Raises HookNotFound."""
    if get(tx, owner_id, hook_id).state is HookState.ACTIVE:
        tx.execute(update(hooks).where(_mine(owner_id, hook_id)), {"state": HookState.REVOKED})
        record(tx, owner_id=owner_id, who=who, what="hook.revoked", now=now, detail={"hook_id": hook_id})
    return get(tx, owner_id, hook_id)


def _active(tx: Tx, owner_id: str, hook_id: str) -> None:
    if get(tx, owner_id, hook_id).state is not HookState.ACTIVE:
        raise HookRevoked("the hook was revoked; make a new one")


def _by_digest(tx: Tx, statement: Hot, plain: str) -> Hook | None:
    wanted = digest(plain)
    found: tuple[str, Hook] | None = tx.execute(statement, {"of_digest": wanted}).one_or_none()
    # Found by its digest, which nobody can choose; compared again so that the database's collation decides nothing.
    if found is None or not same(found[0], wanted):
        return None
    return found[1]


def _mine(owner_id: str, hook_id: str) -> ColumnElement[bool]:
    return owned(hooks, owner_id) & (_CELLS.id == hook_id)


def _hook(row: Row[*tuple[Any, ...]] | tuple[Any, ...]) -> Hook:
    id_, owner_id, account_id, name, size, symbols, window_s, max_age_s, rate_per_s, dry, state, *rest = row
    created, rotated, expects = rest
    return Hook(
        id=id_,
        owner_id=owner_id,
        account_id=account_id,
        name=name,
        default_size=None if size is None else Size(SizeKind(size["kind"]), exact(size["value"])),
        symbols=None if symbols is None else tuple(symbols),
        window_s=window_s,
        max_age_s=max_age_s,
        rate_per_s=rate_per_s,
        dry=dry,
        state=HookState(state),
        created_at=created,
        rotated_at=rotated,
        expects=None if expects is None else _expected(expects),
    )


def _expected(said: Mapping[str, Any]) -> Expects:
    since = datetime.fromisoformat(said["since"])
    return Expects(said["every_s"], said["counter"], said["position"], said["within_s"], since)


def _digest_and_hook(row: Any) -> tuple[str, Hook]:
    return str(row[-1]), _hook(row[:-1])


# Asked for each alert, so that a row that stayed as it was is not made into a hook again.
_BY_TOKEN = hot(
    select(*_COLUMNS, _CELLS.token_digest).where(_CELLS.token_digest == bindparam("of_digest"), _ACTIVE),
    _digest_and_hook,
    seldom=True,
)
_BY_SECRET = hot(
    select(*_COLUMNS, _CELLS.secret_digest).where(_CELLS.secret_digest == bindparam("of_digest"), _ACTIVE),
    _digest_and_hook,
    seldom=True,
)
_MINE = hot(
    select(*_COLUMNS).where(_CELLS.owner_id == bindparam("of_owner"), _CELLS.id == bindparam("of_id")),
    _hook,
    seldom=True,
)
