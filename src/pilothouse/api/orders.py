"""Orders: list them, follow one through its life, make one by hand, cancel."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from pilothouse.api import audit_shapes, shapes, shown
from pilothouse.api.asked import Cursor, IdInPath, Limit, SignalId, Since, Symbol, Until, page_of, symbol_named
from pilothouse.api.deps import AccountName, Caller, Guarded, Reading
from pilothouse.api.once import OnceOnly
from pilothouse.core.errors import Invalid, Problem
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState, OrderType, TimeInForce
from pilothouse.core.rounding import exact
from pilothouse.execution import cancel, store
from pilothouse.execution.cancel import OrderNotFound
from pilothouse.execution.portfolio import find
from pilothouse.execution.store import OrderFilter, OrderRecord
from pilothouse.fleet import manual
from pilothouse.fleet.manual import Ticket
from pilothouse.kit.db import Tx
from pilothouse.observability.record.replay import replay
from pilothouse.observability.record.story import story

router = APIRouter(prefix="/api/v1/orders", tags=["orders"], route_class=Guarded)


@router.get("", summary="List orders", response_model=shapes.Page[shapes.OrderShown], responses=shapes.LOOKING)
def list_orders(
    caller: Reading,
    *,
    account: AccountName = None,
    symbol: Symbol = None,
    state: Annotated[list[OrderState] | None, Query(description="Only these states.", max_length=9)] = None,
    live: Annotated[bool | None, Query(description="Only those that are not final, or only those that are.")] = None,
    signal_id: SignalId = None,
    since: Since = None,
    until: Until = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """List orders, newest first."""
    states = tuple(state or ())
    narrow = OrderFilter(account, symbol_named(caller, symbol), states, live, signal_id, since, until)

    def work(tx: Tx) -> dict[str, Any]:
        found = store.page(tx, caller.owner_id, narrow, before=cursor, limit=limit + 1)
        return page_of([shown.order(each) for each in found], limit)

    return shapes.answer(caller.read(work))


@router.get("/{order_id}", summary="Show an order", response_model=shapes.OrderWithTimeline, responses=shapes.LOOKING)
def get_order(caller: Reading, order_id: IdInPath) -> Response:
    """Show one order with everything that happened to it, oldest first."""

    def work(tx: Tx) -> dict[str, Any]:
        return shown.order(_mine(tx, caller, order_id), store.timeline(tx, order_id))

    return shapes.answer(caller.read(work))


@router.get(
    "/{order_id}/story",
    summary="Tell an order's story",
    response_model=audit_shapes.StoryShown,
    responses=shapes.LOOKING,
)
def get_story(caller: Reading, order_id: IdInPath) -> Response:
    """Tell from the record what happened to an order, in words with times: from its alert to its entries."""

    def work(tx: Tx) -> dict[str, Any]:
        found = story(tx, _mine(tx, caller, order_id).id)
        assert found is not None, "it was just found"
        return {
            "order": shown.order(found.order),
            "is_recorded": found.is_recorded,
            "told": [
                {"at": one.at, "event": one.event, "words": one.words, "number": one.number, "hash": one.hash}
                for one in found.told
            ],
        }

    return shapes.answer(caller.read(work))


@router.get(
    "/{order_id}/replay",
    summary="Decide an order again",
    response_model=audit_shapes.ReplayShown,
    responses=shapes.LOOKING,
)
def get_replay(caller: Reading, order_id: IdInPath) -> Response:
    """Ask the rules again what they were asked when the order was made, and say whether they answer the same."""

    def work(tx: Tx) -> dict[str, Any]:
        found = replay(tx, _mine(tx, caller, order_id).id)
        assert found is not None, "it was just found"
        return {
            "order_id": found.order_id,
            "same": found.same,
            "judgements": [
                {
                    "at": one.at,
                    "number": one.number,
                    "rule": one.rule,
                    "same": one.same,
                    "words": one.words,
                    "then": one.then,
                    "now": one.now,
                }
                for one in found.judgements
            ],
        }

    return shapes.answer(caller.read(work))


@router.post("", summary="Make an order", response_model=shapes.OrderShown, responses=shapes.ACTING)
def submit(once: OnceOnly, asked: shapes.OrderAsked, account: AccountName = None) -> Response:
    """Make an order by hand; it passes the same risk gate as an alert's, and leaves after the answer is durable."""
    caller = once.caller
    ticket = _ticket(asked)

    def work(tx: Tx) -> dict[str, Any]:
        trader = caller.trader(tx, account)
        find(caller.house.desk, trader, ticket.symbol)
        return shown.order(manual.place(tx, caller.house.desk, trader, ticket, by=caller.name))

    return once.do(work, "order")


@router.post("/cancel-all", summary="Cancel all orders", response_model=shapes.Counted, responses=shapes.ACTING)
def cancel_all(once: OnceOnly, asked: shapes.CancelAllAsked | None = None, account: AccountName = None) -> Response:
    """Ask for every live order of the account to be cancelled, or of one instrument."""
    caller, wanted = once.caller, asked or shapes.CancelAllAsked()

    def work(tx: Tx) -> dict[str, Any]:
        desk, trader = caller.house.desk, caller.trader(tx, account)
        symbol = find(desk, trader, wanted.symbol).symbol if wanted.symbol else None
        tx.lock(f"account:{trader.account_id}")
        count = cancel.ask_all(
            tx, desk, trader.account_id, symbol=symbol, by=caller.name, protective_too=wanted.protective_too
        )
        return {"asked": count}

    return once.do(work, "cancel all")


@router.post("/{order_id}/cancel", summary="Cancel an order", response_model=shapes.OrderShown, responses=shapes.ACTING)
def cancel_one(once: OnceOnly, order_id: IdInPath) -> Response:
    """Ask for an order to be cancelled; one that is final already is answered as it is."""
    caller = once.caller

    def work(tx: Tx) -> dict[str, Any]:
        found = _mine(tx, caller, order_id)
        tx.lock(f"account:{found.account_id}")
        cancel.ask(tx, caller.house.desk, _mine(tx, caller, order_id), by=caller.name)
        return shown.order(_mine(tx, caller, order_id))

    return once.do(work, "cancel")


@router.patch("/{order_id}", summary="Change an order", response_model=shapes.OrderShown, responses=shapes.ACTING)
def change_one(once: OnceOnly, order_id: IdInPath, asked: shapes.ChangeAsked) -> Response:
    """Ask for a resting order to get another price, trigger or size; it answers as the order stands now.

    Where the venue cannot change it in place it is ended and another asks for the rest: then `replaced_by` names it. A
    stop that only reduces is placed anew before the old one is ended.
    What could add to the risk passes the same gate as an order.
    """
    caller = once.caller
    price = exact(asked.price) if asked.price is not None else None
    stop_price = exact(asked.stop_price) if asked.stop_price is not None else None
    quantity = exact(asked.quantity) if asked.quantity is not None else None
    problems = [
        Problem(name, f"{number} came", "a number above zero", "out_of_range")
        for name, number in (("price", price), ("stop_price", stop_price), ("quantity", quantity))
        if number is not None and number <= 0
    ]
    if problems:
        raise Invalid(problems)

    def work(tx: Tx) -> dict[str, Any]:
        found = _mine(tx, caller, order_id)
        trader = caller.trader(tx, found.account_id)
        wanted = {"price": price, "stop_price": stop_price, "quantity": quantity}
        manual.change(tx, caller.house.desk, trader, found, **wanted, by=caller.name)
        return shown.order(_mine(tx, caller, order_id))

    return once.do(work, "change")


def _mine(tx: Tx, caller: Caller, order_id: str) -> OrderRecord:
    found = store.get(tx, order_id)
    if found is None or found.owner_id != caller.owner_id:
        raise OrderNotFound(f"there is no order {order_id!r}")
    return found


def _ticket(asked: shapes.OrderAsked) -> Ticket:
    """Return the order as it is placed; raises Invalid where prices do not fit the type."""
    price = exact(asked.price) if asked.price is not None else None
    stop_price = exact(asked.stop_price) if asked.stop_price is not None else None
    quantity = exact(asked.quantity)
    problems = [
        *_fit("price", price is not None, asked.type, needed=asked.type.has_limit),
        *_fit("stop_price", stop_price is not None, asked.type, needed=asked.type.is_conditional),
    ]
    for name, number in (("quantity", quantity), ("price", price), ("stop_price", stop_price)):
        if number is not None and number <= 0:
            problems.append(Problem(name, f"{number} came", "a number above zero", "out_of_range"))
    if problems:
        raise Invalid(problems)
    return Ticket(
        symbol=asked.symbol,
        side=Side(asked.side),
        type=asked.type,
        quantity=quantity,
        price=price,
        stop_price=stop_price,
        time_in_force=TimeInForce(asked.time_in_force),
        reduce_only=asked.reduce_only,
    )


def _fit(name: str, given: bool, type_: OrderType, *, needed: bool) -> list[Problem]:  # noqa: FBT001 - a pair of facts
    if needed and not given:
        return [Problem(name, "nothing", f"a decimal: a {type_} order needs it", "missing")]
    if given and not needed:
        return [Problem(name, "a number", f"nothing: a {type_} order has none", "unexpected")]
    return []
