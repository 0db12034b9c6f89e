"""Halt, flatten and resume: the house, a user, an account, a bot, or every account of the caller at once."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from pilothouse.accounts import trading_accounts
from pilothouse.accounts.trading_accounts import AccountState, TradingAccount
from pilothouse.api import desk_shapes, shapes, shown
from pilothouse.api.asked import IdInPath
from pilothouse.api.deps import AccountName, Caller, Guarded, Reading, Trading
from pilothouse.api.scopes import BotName, LevelAsked, scope_of
from pilothouse.core.halts import HaltKind
from pilothouse.execution import halt_store, halts
from pilothouse.execution.limit_sets import Level, Scope
from pilothouse.fleet import halting
from pilothouse.kit.db import Tx

router = APIRouter(prefix="/api/v1", tags=["accounts"], route_class=Guarded)

ACCOUNT = desk_shapes.AccountShown
ACCOUNTS = shapes.Page[ACCOUNT]
HALTS = shapes.Page[desk_shapes.HaltShown]


@router.get("/halts", summary="List halts", response_model=HALTS, responses=shapes.LOOKING)
def list_halts(caller: Reading) -> Response:
    """List the halts that stand: of the house, of the caller, of their accounts and bots; oldest first."""
    found = caller.read(halt_store.standing)
    mine = [each for each in found if each.level is Level.HOUSE or each.owner_id == caller.owner_id]
    return shapes.answer({"items": [shown.halted(each) for each in mine], "next_cursor": None})


@router.post("/halt", summary="Halt everything", response_model=ACCOUNTS, responses=shapes.ACTING)
def halt_all(
    caller: Trading,
    asked: desk_shapes.HaltAsked | None = None,
    level: LevelAsked = None,
    account: AccountName = None,
    bot: BotName = None,
) -> Response:
    """Halt at a level, or every active account at once where none is named: the kill switch.

    What only reduces still passes. What else is done says `kind`: reduce_only cancels what could add, cancel_all all
    that rests but the protection of positions, flatten closes every position besides. What is halted as severely
    already stays as it is.
    """
    return _halt(caller, asked or desk_shapes.HaltAsked(), level, account, bot)


@router.post("/flatten", summary="Flatten everything", response_model=ACCOUNTS, responses=shapes.ACTING)
def flatten_all(
    caller: Trading,
    asked: desk_shapes.FlattenAsked | None = None,
    level: LevelAsked = None,
    account: AccountName = None,
    bot: BotName = None,
) -> Response:
    """Cancel what rests and close every position at the market, again and again until `resume`: halt and flatten."""
    reason = (asked or desk_shapes.FlattenAsked()).reason
    return _halt(caller, desk_shapes.HaltAsked(reason=reason, kind="flatten"), level, account, bot)


@router.post("/resume", summary="Resume everything", response_model=ACCOUNTS, responses=shapes.ACTING)
def resume_all(caller: Trading, level: LevelAsked = None, account: AccountName = None, bot: BotName = None) -> Response:
    """End halts at a level, or of every active account where none is named. Halts of other levels stay."""

    def work(tx: Tx) -> list[dict[str, Any]]:
        scopes = _scopes(tx, caller, level, account, bot)
        for scope in scopes:
            halts.resume_at(tx, caller.house.desk, scope, by=caller.name)
        return _concerned(tx, caller, scopes)

    return shapes.answer({"items": caller.write(work, "resume"), "next_cursor": None})


@router.post("/accounts/{account_id}/halt", summary="Halt an account", response_model=ACCOUNT, responses=shapes.ACTING)
def halt(caller: Trading, account_id: IdInPath, asked: desk_shapes.HaltAsked | None = None) -> Response:
    """Stop new exposure at once; what only reduces still passes. An account that is halted stays as it is."""
    return _halt_one(caller, account_id, asked or desk_shapes.HaltAsked())


@router.post(
    "/accounts/{account_id}/flatten", summary="Flatten an account", response_model=ACCOUNT, responses=shapes.ACTING
)
def flatten(caller: Trading, account_id: IdInPath, asked: desk_shapes.FlattenAsked | None = None) -> Response:
    """Halt an account, cancel what rests and close every position at the market, again and again until `resume`."""
    reason = (asked or desk_shapes.FlattenAsked()).reason
    return _halt_one(caller, account_id, desk_shapes.HaltAsked(reason=reason, kind="flatten"))


@router.post(
    "/accounts/{account_id}/resume", summary="Resume an account", response_model=ACCOUNT, responses=shapes.ACTING
)
def resume(caller: Trading, account_id: IdInPath) -> Response:
    """Let an account trade again; one that is not halted stays as it is. Halts of house and user stay."""

    def work(tx: Tx) -> dict[str, Any]:
        found = trading_accounts.get(tx, caller.owner_id, account_id)
        halts.resume(tx, caller.house.desk, found.id, found.owner_id, by=caller.name)
        return _shown(tx, caller, account_id)

    return shapes.answer(caller.write(work, "resume"))


def _halt(
    caller: Caller, asked: desk_shapes.HaltAsked, level: Level | None, account: str | None, bot: str | None
) -> Response:
    def work(tx: Tx) -> list[dict[str, Any]]:
        scopes = _scopes(tx, caller, level, account, bot)
        for scope in scopes:
            _at(tx, caller, scope, asked)
        return _concerned(tx, caller, scopes)

    return shapes.answer({"items": caller.write(work, "halt"), "next_cursor": None})


def _halt_one(caller: Caller, account_id: str, asked: desk_shapes.HaltAsked) -> Response:
    def work(tx: Tx) -> dict[str, Any]:
        found = trading_accounts.get(tx, caller.owner_id, account_id)
        _at(tx, caller, _of(found), asked)
        return _shown(tx, caller, account_id)

    return shapes.answer(caller.write(work, "halt"))


def _at(tx: Tx, caller: Caller, scope: Scope, asked: desk_shapes.HaltAsked) -> None:
    halting.halt(tx, caller.house.desk, scope, HaltKind(asked.kind), reason=asked.reason, by=caller.name)


def _scopes(tx: Tx, caller: Caller, level: Level | None, account: str | None, bot: str | None) -> list[Scope]:
    """Return where it is meant for: what is named, or each active account of the caller."""
    if level is None and account is None and bot is None:
        return [_of(each) for each in _active(tx, caller)]
    return [scope_of(caller, tx, level, account, bot)[0]]


def _concerned(tx: Tx, caller: Caller, scopes: list[Scope]) -> list[dict[str, Any]]:
    """Return the accounts of the caller below any of these."""
    ids = {scope.account_id for scope in scopes}
    found = [each for each in _active(tx, caller) if None in ids or each.id in ids]
    return [_shown(tx, caller, each.id) for each in found]


def _of(account: TradingAccount) -> Scope:
    return Scope(Level.ACCOUNT, account.id, account.owner_id, account.id)


def _active(tx: Tx, caller: Caller) -> list[TradingAccount]:
    found = trading_accounts.list_accounts(tx, caller.owner_id)
    return [each for each in found if each.state is AccountState.ACTIVE]


def _shown(tx: Tx, caller: Caller, account_id: str) -> dict[str, Any]:
    return shown.account_now(tx, caller.owner_id, account_id, caller.house.clock.now())
