"""The inbox: every alert that came, why it was decided so, how fast, and which orders came of it."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from pilothouse.api import shapes, shown
from pilothouse.api.asked import Cursor, HookId, IdInPath, Limit, Since, Symbol, Until, page_of, symbol_named
from pilothouse.api.deps import AccountName, Guarded, Reading
from pilothouse.core.errors import NotFound
from pilothouse.execution import store as orders_store
from pilothouse.fleet import store
from pilothouse.fleet.store import SignalFilter, SignalState
from pilothouse.kit.db import Tx

router = APIRouter(prefix="/api/v1/signals", tags=["signals"], route_class=Guarded, responses=shapes.LOOKING)


class SignalNotFound(NotFound):
    """There is no such alert, or it is somebody else's."""

    code = "signal_not_found"


@router.get("", summary="List alerts", response_model=shapes.Page[shapes.SignalShown])
def list_signals(
    caller: Reading,
    *,
    account: AccountName = None,
    hook_id: HookId = None,
    symbol: Symbol = None,
    state: Annotated[SignalState | None, Query(description="Only alerts in this state.")] = None,
    since: Since = None,
    until: Until = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """List alerts, newest first, each with its orders."""
    narrow = SignalFilter(account, hook_id, symbol_named(caller, symbol), state, since, until)

    def work(tx: Tx) -> dict[str, object]:
        found = store.page(tx, caller.owner_id, narrow, before=cursor, limit=limit + 1)
        orders = orders_store.of_signals(tx, [each.id for each in found])
        return page_of([shown.signal(each, orders.get(each.id, [])) for each in found], limit)

    return shapes.answer(caller.read(work))


@router.get("/{signal_id}", summary="Show an alert", response_model=shapes.SignalWithBody)
def get_signal(caller: Reading, signal_id: IdInPath) -> Response:
    """Show one alert with its body (secrets masked) and the timelines of its orders."""

    def work(tx: Tx) -> dict[str, object]:
        found = store.get(tx, signal_id)
        if found is None or found.owner_id != caller.owner_id:
            raise SignalNotFound(f"there is no alert {signal_id!r}")
        orders = orders_store.of_signal(tx, signal_id)
        timelines = {each.id: orders_store.timeline(tx, each.id) for each in orders}
        return shown.signal(found, orders, timelines)

    return shapes.answer(caller.read(work))
