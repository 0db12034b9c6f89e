"""What guards an open position: shown, set and taken away; and what an account wants done when it does not stand."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema
from starlette.responses import Response

from pilothouse.accounts import trading_accounts
from pilothouse.accounts.trading_accounts import AccountState
from pilothouse.api import shapes, shown
from pilothouse.api.asked import SymbolInPath
from pilothouse.api.deps import AccountName, Guarded, Reading
from pilothouse.api.once import OnceOnly
from pilothouse.api.shapes import Amount, Asked, Id, Instant
from pilothouse.bots.alert_fields import Fields
from pilothouse.bots.alert_guards import read_guards
from pilothouse.bots.alert_text import Number
from pilothouse.bots.follow import PositionNotFound
from pilothouse.core.errors import Invalid
from pilothouse.core.signals import Guards
from pilothouse.execution import portfolio
from pilothouse.execution.store import OrderRecord
from pilothouse.execution.trader import Trader
from pilothouse.fleet import protect, protections
from pilothouse.fleet.escalate import escalate
from pilothouse.fleet.protect import Standing
from pilothouse.fleet.protections import Policy, Then
from pilothouse.fleet.store import guards_data
from pilothouse.fleet.turn import policy_of
from pilothouse.kit.db import Tx
from pilothouse.wiring.subscriptions import trader_of

router = APIRouter(prefix="/api/v1", tags=["protection"], route_class=Guarded)


def _texts(came: Any) -> Any:
    """Return what came with its numbers as text, as an alert's are; a float is refused before it could be one."""
    if isinstance(came, bool) or came is None or isinstance(came, str):
        return came
    if isinstance(came, int):
        return Number(came)
    if isinstance(came, float):
        raise ValueError('a number with a fraction as text, such as "0.5"')  # noqa: TRY004 - the only kind that is heard
    if isinstance(came, dict):
        return {str(key): _texts(value) for key, value in came.items()}
    if isinstance(came, list):
        return [_texts(each) for each in came]
    raise ValueError("a text, a whole number, an object or a list")


_LEVEL = {
    "anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "object"}],
    "description": 'A price, "2%", {"percent": "2"}, {"price": "64000"} or {"distance": "500"}.',
    "examples": ["2%"],
}
Level = Annotated[Any, BeforeValidator(_texts), WithJsonSchema(_LEVEL)]
Targets = Annotated[
    Any,
    BeforeValidator(_texts),
    WithJsonSchema({"type": "array", "items": _LEVEL, "examples": [[{"percent": "2", "share": "50"}, "5%"]]}),
]
Trail = Annotated[
    Any,
    BeforeValidator(_texts),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}], "examples": [{"percent": "1"}]}),
]
Whole = Annotated[Any, BeforeValidator(_texts), WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}]})]


class ProtectionAsked(Asked):
    """What is to guard the position; what is left out does not. Written as in an alert."""

    stop_loss: Level = None
    take_profit: Level = None
    take_profits: Targets = None
    break_even_after: Whole = None
    trailing_stop: Trail = None
    time_stop_s: Whole = None

    def guards(self) -> Guards:
        """Return what is asked for; raises Invalid naming each field that cannot be read."""
        fields = Fields(self.model_dump(exclude_none=True))
        guards = read_guards(fields)
        if fields.problems:
            raise Invalid(fields.problems)
        return guards


class ProtectiveShown(BaseModel):
    """One order that guards a position."""

    place: str = Field(description="stop, or target: and its number from 0.")
    order_id: Id
    type: str
    state: str
    stop_price: Amount | None = Field(description="Its trigger; of a trailing order, from where on it follows.")
    trail_percent: Amount | None = Field(description="How far a trailing order of the venue's own follows.")
    whole_position: bool = Field(description="It closes all that is held when it fires.")
    remaining: Amount


class ProtectionShown(BaseModel):
    """How one position is guarded now."""

    account_id: Id
    symbol: str
    wanted: dict[str, Any] | None = Field(description="What is to guard it; null: nothing.")
    asked_by: str | None
    asked_at: Instant | None
    orders: list[ProtectiveShown]
    kept_by_the_house: list[str] = Field(description="Places that the venue cannot carry: they work while we run.")
    best_price: Amount | None = Field(description="The best price that the stop trails.")
    trails_by: Literal["venue", "house"] | None = Field(
        description="venue: an order of the venue's own trails; house: we move a stop; null: nothing is to trail, or "
        "nobody can say."
    )
    trails_because: str | None = Field(description="Why we move a stop ourselves; null: we do not.")
    stands: bool | None = Field(
        description="Whether all that should stand does; null: nobody can say, or nothing should."
    )
    unprotected_s: Amount = Field(description="For how long it has been without it, this time.")
    unprotected_total_s: Amount = Field(description="The same in all, since it was asked for.")
    within_s: int
    then: Literal["flatten", "alarm"]
    watched_step: int = Field(description="How far the watcher went: 1 tried the other way, 2 did what is wanted then.")


class PolicyShown(BaseModel):
    """What an account wants when a position is without its protection for too long."""

    account_id: Id
    within_s: int
    then: Literal["flatten", "alarm"]


class PolicyAsked(Asked):
    """What is wanted; what is left out stays."""

    within_s: int | None = Field(default=None, ge=1, le=3_600)
    then: Literal["flatten", "alarm"] | None = None


class WatchedShown(BaseModel):
    """What was done for a position without its protection."""

    account_id: Id
    symbol: str
    did: Literal["stands", "waits", "tried_otherwise", "flattened", "alarmed"]


@router.get(
    "/protection",
    summary="List how every position is guarded",
    response_model=shapes.Page[ProtectionShown],
    responses=shapes.LOOKING,
)
def every(caller: Reading) -> Response:
    """List every position of every active account with what guards it, by our books; no venue is asked."""
    desk = caller.house.desk

    def work(tx: Tx) -> list[dict[str, Any]]:
        accounts = trading_accounts.list_accounts(tx, caller.owner_id)
        traders = [trader_of(one) for one in accounts if one.state is AccountState.ACTIVE]
        return [_shown(each) for each in protect.every_standing(tx, desk, traders)]

    return shapes.answer({"items": caller.read(work), "next_cursor": None})


@router.get(
    "/protection/policy", summary="Show what is done without protection", response_model=PolicyShown,
    responses=shapes.LOOKING,
)  # fmt: skip
def get_policy(caller: Reading, account: AccountName = None) -> Response:
    """Show how long a position of an account may be without its protection, and what is done then."""
    desk = caller.house.desk

    def work(tx: Tx) -> dict[str, Any]:
        trader = caller.trader(tx, account)
        return _policy(trader, policy_of(tx, desk, trader.account_id))

    return shapes.answer(caller.read(work))


@router.put(
    "/protection/policy", summary="Set what is done without protection", response_model=PolicyShown,
    responses=shapes.ACTING,
)  # fmt: skip
def set_policy(once: OnceOnly, asked: PolicyAsked, account: AccountName = None) -> Response:
    """Set how long a position of an account may be without its protection, and what is done then."""
    caller = once.caller

    def work(tx: Tx) -> dict[str, Any]:
        trader = caller.trader(tx, account)
        was = policy_of(tx, caller.house.desk, trader.account_id)
        policy = Policy(asked.within_s or was.within_s, Then(asked.then or was.then))
        now = caller.house.clock.now()
        protections.set_policy(tx, trader.account_id, trader.owner_id, policy, by=caller.name, now=now)
        return _policy(trader, policy)

    return once.do(work, "protection policy")


@router.get(
    "/positions/{symbol}/protection", summary="Show what guards a position", response_model=ProtectionShown,
    responses=shapes.LOOKING,
)  # fmt: skip
def show_one(caller: Reading, symbol: SymbolInPath, account: AccountName = None) -> Response:
    """Show what is to guard the position in one instrument, and what of it stands."""
    desk = caller.house.desk

    def work(tx: Tx) -> dict[str, Any]:
        trader = caller.trader(tx, account)
        name = portfolio.find(desk, trader, symbol).symbol
        found = protect.standing(tx, desk, trader, name)
        if found.record is None and not found.orders and portfolio.glance(tx, desk, trader, name) is None:
            raise PositionNotFound(f"No open position found for {name}")
        return _shown(found)

    return shapes.answer(caller.read(work))


@router.put(
    "/positions/{symbol}/protection", summary="Guard a position", response_model=ProtectionShown,
    responses=shapes.ACTING,
)  # fmt: skip
def guard(once: OnceOnly, symbol: SymbolInPath, asked: ProtectionAsked, account: AccountName = None) -> Response:
    """Guard an open position from now on; all that guarded it before is replaced. 404 when flat."""
    caller, guards = once.caller, asked.guards()

    def work(tx: Tx) -> dict[str, Any]:
        desk, trader = caller.house.desk, caller.trader(tx, account)
        name = portfolio.find(desk, trader, symbol).symbol
        protect.set_by_hand(tx, desk, trader, name, guards, by=caller.name)
        return _shown(protect.standing(tx, desk, trader, name))

    return once.do(work, "protect")


@router.delete(
    "/positions/{symbol}/protection", summary="Guard a position no longer", response_model=ProtectionShown,
    responses=shapes.ACTING,
)  # fmt: skip
def clear(once: OnceOnly, symbol: SymbolInPath, account: AccountName = None) -> Response:
    """Guard a position no longer: its stop and targets are cancelled, the position stays. 404 if nothing guards it."""
    caller = once.caller

    def work(tx: Tx) -> dict[str, Any]:
        desk, trader = caller.house.desk, caller.trader(tx, account)
        name = portfolio.find(desk, trader, symbol).symbol
        protect.clear(tx, desk, trader, name)
        return _shown(protect.standing(tx, desk, trader, name))

    return once.do(work, "unprotect")


@router.post(
    "/positions/{symbol}/protection/watch",
    summary="Look after a position without its protection",
    response_model=WatchedShown,
    responses=shapes.ACTING,
)
def watch(once: OnceOnly, symbol: SymbolInPath, account: AccountName = None) -> Response:
    """Do the next step for a position that is without its protection for too long; what stands is left as it is.

    The stop is placed in the venue's other way; then what the account wants is done. For the watcher.
    """
    caller = once.caller

    def work(tx: Tx) -> dict[str, Any]:
        desk, trader = caller.house.desk, caller.trader(tx, account)
        name = portfolio.find(desk, trader, symbol).symbol
        return {"account_id": trader.account_id, "symbol": name, "did": escalate(tx, desk, trader, name).value}

    return once.do(work, "watch")


def _policy(trader: Trader, policy: Policy) -> dict[str, Any]:
    return {"account_id": trader.account_id, "within_s": policy.within_s, "then": policy.then.value}


def _shown(found: Standing) -> dict[str, Any]:
    record = found.record
    return {
        "account_id": found.account_id,
        "symbol": found.symbol,
        "wanted": {"side": record.protection.side.value, **guards_data(record.protection.guards)} if record else None,
        "asked_by": record.asked_by if record else None,
        "asked_at": record.asked_at if record else None,
        "orders": [_order(place, order) for place, order in found.orders],
        "kept_by_the_house": list(found.kept),
        "best_price": record.best_price if record else None,
        "trails_by": None if found.trails_here is None else "house" if found.trails_here else "venue",
        "trails_because": found.trails_here or None,
        "stands": found.stands,
        "unprotected_s": shown.seconds(found.unprotected),
        "unprotected_total_s": shown.seconds(found.unprotected_total),
        "within_s": found.policy.within_s,
        "then": found.policy.then.value,
        "watched_step": record.watched_step if record else 0,
    }


def _order(place: str, order: OrderRecord) -> dict[str, Any]:
    return {
        "place": place,
        "order_id": order.id,
        "type": order.terms.type.value,
        "state": order.state.value,
        "stop_price": order.terms.stop_price,
        "trail_percent": order.terms.trail_percent,
        "whole_position": order.terms.whole_position,
        "remaining": order.remaining,
    }
