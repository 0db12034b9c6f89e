"""Limits of the risk gate: what holds, what each level says, who changed it, and which rules there are."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from pilothouse.accounts import hooks, trading_accounts
from pilothouse.api import limit_shapes, shapes
from pilothouse.api.asked import Cursor, IdInPath, Limit, page_of
from pilothouse.api.deps import AccountName, Administering, Guarded, Reading
from pilothouse.api.scopes import BotName, LevelAsked, scope_of
from pilothouse.core.limits import NAMES, RULES, Limits
from pilothouse.core.limits_text import stored
from pilothouse.execution import limit_sets, limits
from pilothouse.execution.limit_sets import Level, Scope, Standing
from pilothouse.kit.db import Tx

router = APIRouter(prefix="/api/v1", tags=["accounts"], route_class=Guarded)

CHANGES = shapes.Page[limit_shapes.LimitChangeShown]
LEVELS = shapes.Page[limit_shapes.LimitLevelShown]
ALL_RULES = shapes.Page[limit_shapes.RuleShown]


@router.get("/limits", summary="Show limits", response_model=limit_shapes.LimitsShown, responses=shapes.LOOKING)
def get_limits(caller: Reading, account: AccountName = None, bot: BotName = None) -> Response:
    """Show the limits that every order of an account (or of a bot on it) has to pass: the tightest of every level."""

    def work(tx: Tx) -> dict[str, Any]:
        account_id = hooks.get(tx, caller.owner_id, bot).account_id if bot else caller.account(tx, account).id
        found = limit_sets.standing(tx, caller.owner_id, account_id, bot, caller.house.clock.now())
        return _shown(account_id, found)

    return shapes.answer(caller.read(work))


@router.put("/limits", summary="Set limits", response_model=limit_shapes.LimitsShown, responses=shapes.ACTING)
def put_limits(
    caller: Administering,
    asked: limit_shapes.LimitsAsked,
    account: AccountName = None,
    level: LevelAsked = None,
    bot: BotName = None,
) -> Response:
    """Set the limits that are named, at one level; what is left out stays.

    What is tightened holds at once. What is loosened holds after the delay of the house, and until then is shown by
    `GET /api/v1/limits/levels` as what comes later.
    """
    named = asked.model_dump(exclude_unset=True, exclude_none=True, include=set(NAMES))
    stop = {**named, **dict.fromkeys(asked.clear)}
    warned = asked.warnings.model_dump(exclude_unset=True, exclude_none=True)
    warn = {**warned, **dict.fromkeys(asked.clear_warnings)}
    why, by = asked.reason, caller.name[:64]

    def work(tx: Tx) -> dict[str, Any]:
        scope, account_id = scope_of(caller, tx, level, account, bot)
        desk = caller.house.desk
        found = limits.change(tx, desk, scope, stop=stop, warn=warn, by=by, why=why, account_id=account_id)
        return _shown(account_id, found)

    return shapes.answer(caller.write(work, "limits"))


@router.get("/limits/levels", summary="Show limits by level", response_model=LEVELS, responses=shapes.LOOKING)
def levels(caller: Reading) -> Response:
    """Show what the house, the user, each account and each bot says by itself, and what was loosened for later."""
    now = caller.house.clock.now()
    found = caller.read(lambda tx: limit_sets.of_owner(tx, caller.owner_id))
    return shapes.answer({"items": [_level(scope, each.at(now)) for scope, each in found], "next_cursor": None})


@router.get("/limits/changes", summary="List changes of limits", response_model=CHANGES, responses=shapes.LOOKING)
def changes(caller: Reading, *, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """List who changed which limit when, from what to what, and why; newest first."""
    found = caller.read(lambda tx: limit_sets.changes_of(tx, caller.owner_id, before=cursor, limit=limit + 1))
    names = limit_sets.LimitChange.__dataclass_fields__
    return shapes.answer(page_of([{name: getattr(each, name) for name in names} for each in found], limit))


@router.post(
    "/accounts/{account_id}/high-water",
    summary="Measure drawdown anew",
    response_model=limit_shapes.LimitChangeShown,
    responses=shapes.ACTING,
)
def measure_anew(caller: Administering, account_id: IdInPath, asked: limit_shapes.AnewAsked | None = None) -> Response:
    """Measure the drawdown of an account from what it is worth now on; who said so, and why, is kept."""
    why = (asked or limit_shapes.AnewAsked()).reason

    def work(tx: Tx) -> dict[str, Any]:
        found = trading_accounts.get(tx, caller.owner_id, account_id)
        line = limits.measure_anew(tx, caller.house.desk, found, by=caller.name[:64], why=why)
        return {name: getattr(line, name) for name in limit_sets.LimitChange.__dataclass_fields__}

    return shapes.answer(caller.write(work, "high water"))


@router.get("/limits/rules", summary="List the rules", response_model=ALL_RULES, responses=shapes.LOOKING)
def rules(caller: Reading) -> Response:  # noqa: ARG001 - asked for the token alone
    """List every rule of the risk gate: its code, the limit that is set for it, what it asks and in which unit."""
    plainly = ("code", "limit", "asks", "unit", "reducing", "own", "kernels")
    rows = [
        {**{name: getattr(rule, name) for name in plainly}, "lowest": rule.low, "highest": rule.high} for rule in RULES
    ]
    return shapes.answer({"items": rows, "next_cursor": None})


def _shown(account_id: str, found: Standing) -> dict[str, Any]:
    stop = {**limits.as_values(found.stop), **_set_of(found.bot)}
    warn = {**limits.as_values(found.warn), **_set_of(found.bot_warn)}
    return {"account_id": account_id, **stop, "warnings": warn}


def _set_of(own: Limits) -> dict[str, Any]:
    """Return what a bot's own limits say, where it says anything."""
    return {name: stored(value) for name, value in own.named().items()}


def _level(scope: Scope, found: limit_sets.LimitSet) -> dict[str, Any]:
    """Return what one level says; an account says the wide limits where nobody has said anything."""
    wide = _set_of(limit_sets.WIDE) if scope.level is Level.ACCOUNT else {}
    later = [
        {"which": each.which, "name": each.name, "value": stored(each.value), "holds_from": each.at}
        for each in found.later
    ]
    return {
        "level": scope.level,
        "scope_id": scope.id,
        "account_id": scope.account_id,
        "limits": {**limits.as_values(Limits()), **wide, **_set_of(found.stop)},
        "warnings": limits.as_values(found.warn),
        "later": later,
    }
