"""Trading accounts: whose, at which venue, in which currency."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, delete, insert, select, update

from pilothouse.accounts.access import owned
from pilothouse.accounts.audit import record
from pilothouse.accounts.tables import trading_accounts
from pilothouse.core.errors import Conflict, NotFound
from pilothouse.kit.db import Tx
from pilothouse.kit.hot import hot

_CELLS = trading_accounts.c
_COLUMNS = (
    _CELLS.id,
    _CELLS.owner_id,
    _CELLS.name,
    _CELLS.venue,
    _CELLS.mode,
    _CELLS.currency,
    _CELLS.state,
    _CELLS.generation,
    _CELLS.created_at,
    _CELLS.armed_at,
    _CELLS.endpoint,
)
_ACTIVE = select(*_COLUMNS).where(_CELLS.state == "active").order_by(_CELLS.id)
_INSERT = insert(trading_accounts)


class Mode(StrEnum):
    """Whether an account's money is real."""

    PAPER = "paper"
    TESTNET = "testnet"
    LIVE = "live"


class AccountState(StrEnum):
    """Whether an account may be traded."""

    ACTIVE = "active"
    CLOSED = "closed"


class AccountNotFound(NotFound):
    """There is no such trading account, or it is somebody else's."""

    code = "account_not_found"


class NameTaken(Conflict):
    """The owner has something of this name already."""

    code = "name_taken"


class NotLive(Conflict):
    """Only a live account is armed and disarmed."""

    code = "not_live"


class AccountGone(Conflict):
    """The account is closed."""

    code = "account_closed"


class NotPaper(Conflict):
    """Only a paper account can start over."""

    code = "not_paper"


@dataclass(frozen=True, slots=True)
class TradingAccount:
    """An account at a venue.

    venue        key of the venue, such as paper or aster
    generation   counts how often a paper account was started over, from 1
    armed_at     since when a live account may send
    endpoint     base_url and stream_url where they are not the venue's own
    """

    id: str
    owner_id: str
    name: str
    venue: str
    mode: Mode
    currency: str
    state: AccountState
    generation: int
    created_at: datetime
    armed_at: datetime | None = None
    endpoint: Mapping[str, str] | None = None

    @property
    def may_send(self) -> bool:
        """Say whether its orders leave the house: those of a live account only once somebody armed it."""
        return self.mode is not Mode.LIVE or self.armed_at is not None

    @property
    def stream_url(self) -> str:
        """Return another address for streams than what follows from the venue's key; empty if there is none."""
        return (self.endpoint or {}).get("stream_url", "")


def open_account(
    tx: Tx,
    *,
    owner_id: str,
    name: str,
    venue: str,
    mode: Mode,
    currency: str,
    now: datetime,
    who: str = "house",
    endpoint: Mapping[str, str] | None = None,
) -> TradingAccount:
    """Return a new account, a live one disarmed. Raises NameTaken. The venue is told by whoever calls this."""
    tx.lock(f"owner:{owner_id}")
    refuse_taken(tx, owner_id, name)
    account = TradingAccount(
        tx.ids.fresh("acc"), owner_id, name, venue, Mode(mode), currency, AccountState.ACTIVE, 1, now, None, endpoint
    )
    tx.execute(
        _INSERT,
        {
            "id": account.id,
            "owner_id": owner_id,
            "name": name,
            "venue": venue,
            "mode": account.mode,
            "currency": currency,
            "state": account.state,
            "generation": account.generation,
            "created_at": now,
            "armed_at": None,
            "endpoint": dict(endpoint) if endpoint else None,
        },
    )
    detail = {"account_id": account.id, "name": name, "venue": venue, "mode": account.mode}
    record(tx, owner_id=owner_id, who=who, what="account.opened", now=now, detail=detail)
    return account


def get(tx: Tx, owner_id: str, account_id: str) -> TradingAccount:
    """Return an account of this owner. Raises AccountNotFound."""
    row = tx.execute(select(*_COLUMNS).where(_mine(owner_id, account_id))).one_or_none()
    if row is None:
        raise AccountNotFound(f"there is no account {account_id[:40]!r}")
    return _account(row)


def by_id(tx: Tx, account_id: str) -> TradingAccount:
    """Return an account, whoever's it is: for work the house does by itself. Raises AccountNotFound."""
    account: TradingAccount | None = tx.execute(_BY_ID, {"of_id": account_id}).one_or_none()
    if account is None:
        raise AccountNotFound(f"there is no account {account_id[:40]!r}")
    return account


def is_account(tx: Tx, account_id: str) -> bool:
    """Say whether this is the id of an account, whoever's."""
    return tx.execute(_BY_ID, {"of_id": account_id}).one_or_none() is not None


def list_accounts(tx: Tx, owner_id: str) -> list[TradingAccount]:
    """Return all accounts of an owner, closed ones too, oldest first."""
    rows = tx.execute(select(*_COLUMNS).where(owned(trading_accounts, owner_id)).order_by(_CELLS.id))
    return [_account(row) for row in rows]


def active_accounts(tx: Tx) -> list[TradingAccount]:
    """Return every account that may be traded, whoever's it is, oldest first: for work the house does by itself."""
    return [_account(row) for row in tx.execute(_ACTIVE)]


def close(tx: Tx, owner_id: str, account_id: str, *, now: datetime, who: str = "house") -> TradingAccount:
    """Close an account for good; its history stays. Again is no error. Raises AccountNotFound."""
    account = get(tx, owner_id, account_id)
    if account.state is AccountState.ACTIVE:
        _change(tx, owner_id, account_id, state=AccountState.CLOSED)
        record(tx, owner_id=owner_id, who=who, what="account.closed", now=now, detail={"account_id": account_id})
    return get(tx, owner_id, account_id)


def discard(tx: Tx, account: TradingAccount, *, who: str = "house") -> None:
    """Forget an account that was opened a moment ago and never used; only the record of it stays."""
    tx.execute(delete(trading_accounts).where(_mine(account.owner_id, account.id)))
    detail = {"account_id": account.id, "name": account.name}
    now = account.created_at
    record(tx, owner_id=account.owner_id, who=who, what="account.not_opened", now=now, detail=detail)


def arm(
    tx: Tx, owner_id: str, account_id: str, *, now: datetime, who: str = "house", reason: str = ""
) -> TradingAccount:
    """Let a live account send orders; again is no error. Raises AccountNotFound, NotLive or AccountGone."""
    account = _live(tx, owner_id, account_id)
    if account.state is not AccountState.ACTIVE:
        raise AccountGone(f"the account {account.name!r} is closed")
    if account.armed_at is None:
        _change(tx, owner_id, account_id, armed_at=now)
        record(tx, owner_id=owner_id, who=who, what="account.armed", now=now, detail=_why(account_id, reason))
    return get(tx, owner_id, account_id)


def disarm(
    tx: Tx, owner_id: str, account_id: str, *, now: datetime, who: str = "house", reason: str = ""
) -> TradingAccount:
    """Keep a live account from sending orders; again is no error. Raises AccountNotFound or NotLive.

    What stands at the venue stays there: its stops guard what is held.
    """
    account = _live(tx, owner_id, account_id)
    if account.armed_at is not None:
        _change(tx, owner_id, account_id, armed_at=None)
        record(tx, owner_id=owner_id, who=who, what="account.disarmed", now=now, detail=_why(account_id, reason))
    return get(tx, owner_id, account_id)


def rename(tx: Tx, owner_id: str, account_id: str, name: str, *, now: datetime, who: str = "house") -> TradingAccount:
    """Call an account something else; what it is called already is no change. Raises AccountNotFound or NameTaken."""
    tx.lock(f"owner:{owner_id}")
    account = get(tx, owner_id, account_id)
    if account.name == name:
        return account
    refuse_taken(tx, owner_id, name)
    _change(tx, owner_id, account_id, name=name)
    detail = {"account_id": account_id, "name": name, "was": account.name}
    record(tx, owner_id=owner_id, who=who, what="account.renamed", now=now, detail=detail)
    return get(tx, owner_id, account_id)


def refuse_taken(tx: Tx, owner_id: str, name: str) -> None:
    """Return if this owner has no account of this name, closed ones counted. Raises NameTaken."""
    if tx.execute(select(_CELLS.id).where(owned(trading_accounts, owner_id), _CELLS.name == name)).first():
        raise NameTaken(f"there is, or was, an account called {name[:60]!r}: choose another name")


def _why(account_id: str, reason: str) -> dict[str, str]:
    return {"account_id": account_id} | ({"reason": reason} if reason else {})


def get_live(tx: Tx, owner_id: str, account_id: str) -> TradingAccount:
    """Return a live account of this owner. Raises AccountNotFound or NotLive."""
    account = get(tx, owner_id, account_id)
    if account.mode is not Mode.LIVE:
        raise NotLive(f"the account {account.name!r} is {account.mode}: it sends without being armed")
    return account


def _live(tx: Tx, owner_id: str, account_id: str) -> TradingAccount:
    """Return a live account, locked against orders being decided meanwhile."""
    tx.lock(f"account:{account_id}")
    return get_live(tx, owner_id, account_id)


def start_over(tx: Tx, owner_id: str, account_id: str, *, now: datetime, who: str = "house") -> TradingAccount:
    """Count a new generation of a paper account; its history stays. Raises AccountNotFound or NotPaper."""
    account = get(tx, owner_id, account_id)
    if account.mode is not Mode.PAPER:
        raise NotPaper(f"the account {account.name!r} is {account.mode}: only paper money can start over")
    _change(tx, owner_id, account_id, generation=account.generation + 1)
    detail = {"account_id": account_id, "generation": account.generation + 1}
    record(tx, owner_id=owner_id, who=who, what="account.started_over", now=now, detail=detail)
    return get(tx, owner_id, account_id)


def _mine(owner_id: str, account_id: str) -> ColumnElement[bool]:
    return owned(trading_accounts, owner_id) & (_CELLS.id == account_id)


def _change(tx: Tx, owner_id: str, account_id: str, **values: object) -> None:
    tx.execute(update(trading_accounts).where(_mine(owner_id, account_id)), values)


def _account(row: Row[*tuple[Any, ...]]) -> TradingAccount:
    id_, owner_id, name, venue, mode, currency, state, generation, created_at, armed_at, endpoint = row
    return TradingAccount(
        id_,
        owner_id,
        name,
        venue,
        Mode(mode),
        currency,
        AccountState(state),
        generation,
        created_at,
        armed_at,
        endpoint,
    )


# Asked for each alert, so that a row that stayed as it was is not made into a record again.
_BY_ID = hot(select(*_COLUMNS).where(_CELLS.id == bindparam("of_id")), _account, seldom=True)
