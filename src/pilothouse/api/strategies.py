"""Strategies: what there is, what each is for, and whether one looks into the future; asked beside the house."""

import json
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.responses import Response

from pilothouse.api import backtest_shapes, shapes
from pilothouse.api.backtest_requests import ACCEPTED, queue
from pilothouse.api.deps import Caller, Guarded, Reading
from pilothouse.api.once import OnceOnly
from pilothouse.backtest.store import Kind

router = APIRouter(prefix="/api/v1/strategies", tags=["strategies"], route_class=Guarded)

NameInPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.:-]{1,120}$", examples=["ema-cross"])]


@router.get("", summary="List strategies", response_model=backtest_shapes.StrategyList, responses=shapes.LOOKING)
def strategies(caller: Reading) -> Response:
    """List every strategy that can be run: those of the product, those of the operator's folder, and broken files."""
    found = caller.house.benches.door.ask("strategies", {})
    return shapes.answer({**found, "items": [_trusted(caller, each) for each in found["items"]], "next_cursor": None})


@router.get(
    "/{name}", summary="Show a strategy", response_model=backtest_shapes.StrategyWhole,
    responses=shapes.refusals(400, 401, 403, 404, 413, 422, 500, 503),
)  # fmt: skip
def strategy(caller: Reading, name: NameInPath) -> Response:
    """Show one strategy: its idea, when it fails, its parameters as JSON Schema, its version."""
    found = _trusted(caller, caller.house.benches.door.ask("strategy", {"name": name}))
    # Bounds in a JSON Schema are numbers, which nobody trades by.
    return Response(json.dumps(found), HTTPStatus.OK, media_type="application/json")


@router.post(
    "/{name}/check", summary="Check a strategy", response_model=backtest_shapes.BacktestWhole, responses=ACCEPTED
)
def check(once: OnceOnly, name: NameInPath, asked: backtest_shapes.CheckAsked) -> Response:
    """Say whether a strategy looks into the future, on candles of your choice: a job like a backtest."""
    return queue(once, Kind.CHECK, backtest_shapes.plain_of(asked, name))


def _trusted(caller: Caller, told: dict[str, Any]) -> dict[str, Any]:
    vouched = caller.house.settings.trusted_strategies == "yes"
    return told | {"trusted": told["source"] == "built in" or vouched}
