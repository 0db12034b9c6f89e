"""One request for a backtest, whichever route took it: prepared beside the house, then stored and queued, or found."""

import json
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import Response

from pilothouse.api import backtest_shapes, shapes
from pilothouse.api.once import Once
from pilothouse.backtest import asking
from pilothouse.backtest.asking import Prepared, Unfit, share_of
from pilothouse.backtest.bounds import Bounds
from pilothouse.backtest.store import Backtest, Kind, State
from pilothouse.core.errors import Invalid, NotFound, Problem
from pilothouse.kit.db import Tx
from pilothouse.kit.settings import Settings

ACCEPTED: Final[dict[int | str, dict[str, Any]]] = {
    **shapes.ACTING,
    200: {"description": "It was asked for before, or its result was there: found, not run again."},
    202: {"description": "It is queued: follow it at its address.", "model": backtest_shapes.BacktestWhole},
}


def bounds_of(settings: Settings) -> Bounds:
    """Return what the house allows to each user."""
    return Bounds(settings.backtests_at_once, settings.backtests_per_day, settings.backtest_work)


def queue(once: Once, kind: Kind, asked: dict[str, Any]) -> Response:
    """Answer with the backtest of a request: 202 where it is queued or under way, 200 where it has a result.

    Raises Unfit that names every field which does not fit, NotFound, TooMuch, Unavailable.
    """
    caller = once.caller
    house = caller.house
    asked = asked | {"uploads_of": caller.owner_id}  # whose files `upload:` names; nobody says so himself
    try:
        told = house.benches.door.ask("prepare", {"kind": kind.value, "asked": asked})
    except Invalid as wrong:
        raise Unfit(wrong.problems) from wrong
    prepared = Prepared(kind, told["strategy"], told["asked"], told["name"], told["spec"], told["bars"],
                        told["combinations"], told["kept"])  # fmt: skip

    def work(tx: Tx) -> dict[str, Any]:
        now, bounds = house.clock.now(), bounds_of(house.settings)
        return whole(asking.ask(tx, prepared, bounds, owner_id=caller.owner_id, who=caller.name, now=now))

    answer = once.do(work, "backtest", _status)
    house.benches.ring()
    return answer


def _status(told: dict[str, Any]) -> int:
    unfinished = told["state"] in {State.QUEUED.value, State.RUNNING.value}
    return HTTPStatus.ACCEPTED if unfinished else HTTPStatus.OK


def shown(backtest: Backtest) -> dict[str, Any]:
    """Return a backtest as it stands in a list."""
    of_run = backtest.result.get("metrics") if backtest.kind is Kind.RUN and backtest.result else None
    return {
        "id": backtest.id,
        "address": f"/api/v1/backtests/{backtest.id}",
        "kind": backtest.kind.value,
        "strategy": backtest.strategy,
        "name": backtest.name,
        "state": backtest.state.value,
        "progress": share_of(backtest.progress_ppm),
        "found": backtest.found,
        "bars": backtest.bars,
        "combinations": backtest.combinations,
        "error": backtest.error,
        "metrics": of_run,
        "requested_by": backtest.requested_by,
        "created_at": backtest.created_at,
        "started_at": backtest.started_at,
        "finished_at": backtest.finished_at,
    }


def whole(backtest: Backtest) -> dict[str, Any]:
    """Return a backtest with everything that is small."""
    spec = json.loads(backtest.spec, parse_float=Decimal) if backtest.spec is not None else {}
    return shown(backtest) | {
        "asked": backtest.asked,
        "spec": backtest.spec,
        "engine": spec.get("engine"),
        "data": spec.get("data"),
        "result": backtest.result,
    }


def offset_of(cursor: str | None) -> int:
    """Return how many rows a page begins behind. Raises Invalid."""
    if cursor is None:
        return 0
    if not cursor.isdigit() or len(cursor) > 9:
        raise Invalid([Problem("cursor", f"{cursor[:40]!a} came", "`next_cursor` of the page before")])
    return int(cursor)


class NoResult(NotFound):
    """A kind of result that this kind of backtest has not."""

    code = "no_such_result"
