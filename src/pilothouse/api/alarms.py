"""Alarms: what was raised, who was told when and with what success; a test; no more of one that somebody has seen."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from pilothouse.api import alarm_shapes, shapes
from pilothouse.api.asked import Cursor, IdInPath, Limit, page_of
from pilothouse.api.deps import Administering, Guarded, Reading, Trading
from pilothouse.kit.db import Tx
from pilothouse.notifications import raising, store
from pilothouse.notifications.store import AlarmRecord, Telling
from pilothouse.notifications.try_out import try_out

router = APIRouter(prefix="/api/v1/alarms", tags=["alarms"], route_class=Guarded)


@router.get("", summary="List alarms", response_model=shapes.Page[alarm_shapes.AlarmShown], responses=shapes.LOOKING)
def list_alarms(
    caller: Reading,
    *,
    open_only: Annotated[bool, Query(alias="open", description="Only those that are not over.")] = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """List alarms, newest first, each with what was told of it, to whom, and whether it arrived."""

    def work(tx: Tx) -> dict[str, Any]:
        found = store.page(tx, caller.owner_id, open_only=open_only, before=cursor, limit=limit + 1)
        return page_of([_shown(alarm, told) for alarm, told in found], limit)

    return shapes.answer(caller.read(work))


@router.post(
    "/test", summary="Test the alarm addresses", response_model=alarm_shapes.TestShown, responses=shapes.ACTING
)
def try_addresses(caller: Administering, asked: alarm_shapes.TestAsked) -> Response:
    """Send a test alarm to every address that is set, or to one, and say what came of each."""
    house = caller.house
    tried = try_out(house.database, house.clock, house.post, caller.owner_id, caller.name, asked.url)
    rows = [{"to": one.label, "arrived": one.arrived, "error": one.error} for one in tried]
    return shapes.answer({"arrived": sum(one.arrived for one in tried), "tried": rows})


@router.post(
    "/{alarm_id}/acknowledge",
    summary="Acknowledge an alarm",
    response_model=alarm_shapes.AlarmShown,
    responses=shapes.ACTING,
)
def acknowledge(caller: Trading, alarm_id: IdInPath) -> Response:
    """Hear no more of an alarm until it is over and begins anew. Twice is no error."""
    now = caller.house.clock.now()
    alarm = caller.write(lambda tx: raising.acknowledge(tx, caller.owner_id, alarm_id, caller.name, now), "acknowledge")
    return shapes.answer(_shown(alarm, caller.read(lambda tx: store.told_of(tx, alarm.id))))


def _shown(alarm: AlarmRecord, told: list[Telling]) -> dict[str, Any]:
    state = "over" if alarm.over_at else "acknowledged" if alarm.acknowledged_at else "open"
    same = ("id", "account_id", "code", "about", "grade", "headline", "message", "did", "todo", "first_at", "last_at")
    content = {name: getattr(alarm, name) for name in same}
    content |= {"state": state, "stands": alarm.pace.stands, "times": alarm.pace.count}
    content |= {"told_at": alarm.pace.told_at, "next_at": alarm.pace.next_at}
    content |= {name: getattr(alarm, name) for name in ("acknowledged_at", "acknowledged_by", "over_at")}
    return content | {"told": [_told(one) for one in told]}


def _told(one: Telling) -> dict[str, Any]:
    state = "waiting" if one.settled_at is None else "arrived" if one.arrived else "given_up"
    content = {"to": one.label, "title": one.title, "made_at": one.made_at, "attempts": one.attempts}
    return content | {"tried_at": one.tried_at, "state": state, "error": one.error}
