"""At which level something is set: the query of a request in, a scope that the caller may speak for out."""

from typing import Annotated

from fastapi import Query

from pilothouse.accounts import hooks
from pilothouse.api.deps import Caller
from pilothouse.core.errors import Forbidden, Invalid, Problem
from pilothouse.execution.limit_sets import HOUSE, Level, Scope
from pilothouse.kit.db import Tx

LevelAsked = Annotated[
    Level | None,
    Query(
        description="Where: the house (every account), a user (all of theirs), an account, or a bot (a hook). "
        "Left out: the bot if one is named, else the account."
    ),
]
BotName = Annotated[
    str | None,
    Query(alias="bot", pattern=r"^[A-Za-z0-9_]{1,64}$", description="Id of the bot: a hook.", examples=["hk_1"]),
]


class NotTheHouse(Forbidden):
    """Only the operator speaks for the whole house."""

    code = "not_the_operator"


def scope_of(caller: Caller, tx: Tx, level: Level | None, account: str | None, bot: str | None) -> tuple[Scope, str]:
    """Return the scope that is meant, and the account that is looked at with it.

    Raises Invalid, AccountNotFound, HookNotFound, NotTheHouse.
    """
    level = level or (Level.BOT if bot is not None else Level.ACCOUNT)
    owner_id = caller.owner_id
    if level is Level.BOT:
        if bot is None:
            raise Invalid([Problem("bot", "nothing", "the id of a hook: the level of a bot needs one", "missing")])
        hook = hooks.get(tx, owner_id, bot)
        return Scope(level, hook.id, owner_id, hook.account_id), hook.account_id
    found = caller.account(tx, account)
    if level is Level.ACCOUNT:
        return Scope(level, found.id, owner_id, found.id), found.id
    if level is Level.HOUSE:
        if owner_id != caller.house.operator_id:
            raise NotTheHouse("only the operator of this house sets what holds for all of it")
        return Scope(level, HOUSE, owner_id), found.id
    return Scope(level, owner_id, owner_id), found.id
