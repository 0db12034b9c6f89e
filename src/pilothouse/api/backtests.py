"""Backtests: ask for one, follow it, stop it, look at what came of it. Work and files are beside the house."""

import base64
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from pilothouse.accounts import users
from pilothouse.api import backtest_shapes, shapes
from pilothouse.api.asked import Cursor, IdInPath, Limit, page_of
from pilothouse.api.backtest_requests import ACCEPTED, NoResult, bounds_of, offset_of, queue, shown, whole
from pilothouse.api.deps import Administering, Caller, Guarded, Reading, Trading
from pilothouse.api.once import OnceOnly
from pilothouse.api.scopes import NotTheHouse
from pilothouse.backtest import bounds, progress, store
from pilothouse.backtest.store import Backtest, Kind, Own, State
from pilothouse.core.errors import Conflict, Invalid, NotFound, Problem
from pilothouse.kit.db import Tx

router = APIRouter(prefix="/api/v1/backtests", tags=["backtests"], route_class=Guarded)

Offset = Annotated[str | None, Query(pattern=r"^[0-9]{1,9}$", description="`next_cursor` of the page before.")]
What = Literal["trades", "orders", "fills", "daily", "monthly", "yearly", "equity", "all", "trials", "steps", "returns"]
_NOT_YET = shapes.refusals(400, 401, 403, 404, 409, 413, 500, 503)
_REPORT_MAY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "sandbox allow-scripts; frame-ancestors 'none'"
)
"""The page of a report draws with a script of its own, reaches nobody, and is nobody: an origin without any right."""

_MEDIA: Final = {"csv": "text/csv; charset=utf-8", "json": "application/json", "parquet": "application/octet-stream"}


_EXPORTED: Final = {Kind.RUN: "trades", Kind.SWEEP: "trials", Kind.WALKFORWARD: "steps"}
_OF: Final = {"trials": Kind.SWEEP, "steps": Kind.WALKFORWARD, "returns": Kind.WALKFORWARD}


class NotDone(Conflict):
    """It has no result yet, or will never have one."""

    code = "backtest_not_done"


# ── Asking ────────────────────────────────────────────────────────────────────────────────────────


@router.post("", summary="Ask for a backtest", response_model=backtest_shapes.BacktestWhole, responses=ACCEPTED)
def run(once: OnceOnly, asked: backtest_shapes.OneAsked) -> Response:
    """Run a strategy over candles. The same request over the same candles is found instead of being run again."""
    return queue(once, Kind.RUN, backtest_shapes.plain_of(asked))


@router.post("/sweeps", summary="Ask for a sweep", response_model=backtest_shapes.BacktestWhole, responses=ACCEPTED)
def sweep(once: OnceOnly, asked: backtest_shapes.SweepAsked) -> Response:
    """Try many combinations of parameters, and say beside the winner what luck alone would reach."""
    return queue(once, Kind.SWEEP, backtest_shapes.plain_of(asked))


@router.post(
    "/walkforwards", summary="Ask for a walk forward", response_model=backtest_shapes.BacktestWhole, responses=ACCEPTED
)
def walkforward(once: OnceOnly, asked: backtest_shapes.WalkAsked) -> Response:
    """Search in each lesson, trade the winner in the time behind it."""
    return queue(once, Kind.WALKFORWARD, backtest_shapes.plain_of(asked))


@router.post(
    "/{backtest_id}/chance", summary="Ask for other lives", response_model=backtest_shapes.BacktestWhole,
    responses=ACCEPTED,
)  # fmt: skip
def chance(once: OnceOnly, backtest_id: IdInPath, asked: backtest_shapes.ChanceAsked) -> Response:
    """Draw other lives of a backtest that is done: its trades drawn anew, in another order, its days in blocks."""
    of = _done(once.caller, backtest_id, Kind.RUN)
    return queue(once, Kind.CHANCE, {"name": of.name, "runs": asked.runs, "seed": asked.seed, "block": asked.block})


# ── Many ──────────────────────────────────────────────────────────────────────────────────────────


@router.get(
    "", summary="List backtests", response_model=shapes.Page[backtest_shapes.BacktestShown], responses=shapes.LOOKING
)
def backtests(
    caller: Reading, kind: Kind | None = None, state: State | None = None,
    strategy: Annotated[str | None, Query(max_length=120, description="Only of this strategy.")] = None,
    limit: Limit = 100, cursor: Cursor = None,
) -> Response:  # fmt: skip
    """List what you asked for, the newest first: runs, sweeps, walks forward, checks, other lives."""

    def work(tx: Tx) -> list[Backtest]:
        return store.page(
            tx, caller.owner_id, kind=kind, state=state, strategy=strategy, before=cursor, limit=limit + 1
        )

    return shapes.answer(page_of([shown(each) for each in caller.read(work)], limit))


@router.get(
    "/compare", summary="Compare backtests", response_model=backtest_shapes.Compared, responses=_NOT_YET
)  # fmt: skip
def compare(
    caller: Reading,
    ids: Annotated[list[str], Query(alias="id", min_length=2, max_length=50, description="Runs that are done.")],
) -> Response:
    """Set several backtests side by side, metric by metric."""
    found = [_done(caller, each, Kind.RUN) for each in ids]
    metrics: list[dict[str, Any]] = [(each.result or {})["metrics"] for each in found]
    names = list(dict.fromkeys(name for each in metrics for name in each))
    beside = {name: [each.get(name) for each in metrics] for name in names}
    return shapes.answer({"items": [shown(each) for each in found], "metrics": beside})


@router.get("/limits", summary="Show limits", response_model=backtest_shapes.BoundsShown, responses=shapes.LOOKING)
def limits(caller: Reading) -> Response:
    """Show how much you may ask for, and have asked for."""
    return shapes.answer(caller.read(lambda tx: _bounds(tx, caller, caller.owner_id)))


@router.put("/limits", summary="Set limits", response_model=backtest_shapes.BoundsShown, responses=shapes.ACTING)
def set_limits(caller: Administering, asked: backtest_shapes.BoundsAsked) -> Response:
    """Set tighter limits for one user; only the operator may. Those of the house hold for everybody."""
    if caller.owner_id != caller.house.operator_id:
        raise NotTheHouse("only the operator of this house sets how much its users may compute")
    of = asked.user_id or caller.owner_id
    own = Own(asked.at_once, asked.per_day, asked.work)

    def work(tx: Tx) -> dict[str, Any]:
        if not users.is_user(tx, of):
            raise NotFound(f"there is no user {of!r}")
        bounds.set_own(tx, of, own, by=caller.owner_id, who=caller.name, now=caller.house.clock.now())
        return _bounds(tx, caller, of)

    return shapes.answer(caller.write(work, "backtest limits"))


# ── One ───────────────────────────────────────────────────────────────────────────────────────────


@router.get(
    "/{backtest_id}", summary="Show a backtest", response_model=backtest_shapes.BacktestWhole, responses=shapes.LOOKING
)
def backtest(caller: Reading, backtest_id: IdInPath) -> Response:
    """Show one backtest: state and progress, spec, fingerprints of its candles, metrics."""
    return shapes.answer(whole(caller.read(lambda tx: store.get(tx, caller.owner_id, backtest_id))))


@router.post(
    "/{backtest_id}/cancel", summary="Cancel a backtest", response_model=backtest_shapes.BacktestWhole,
    responses=shapes.ACTING,
)  # fmt: skip
def cancel(caller: Trading, backtest_id: IdInPath) -> Response:
    """Cancel a backtest: a queued one never runs, a running one stops within a second. One that has ended stays."""
    now = caller.house.clock.now()
    found = caller.write(
        lambda tx: progress.cancel(tx, caller.owner_id, backtest_id, now, who=caller.name)[0], "backtest cancelled"
    )
    return shapes.answer(whole(found))


@router.delete(
    "/{backtest_id}", summary="Remove a backtest", response_model=backtest_shapes.BacktestWhole,
    responses=shapes.ACTING,
)  # fmt: skip
def remove(caller: Trading, backtest_id: IdInPath) -> Response:
    """Cancel a backtest if need be, and take it and its files away. Its trial stays counted."""
    now = caller.house.clock.now()

    def work(tx: Tx) -> tuple[Backtest, int]:
        gone = progress.remove(tx, caller.owner_id, backtest_id, now, who=caller.name)
        return gone, store.named(tx, gone.name)

    gone, others = caller.write(work, "backtest removed")
    if gone.kind is Kind.RUN and gone.state is State.DONE and not gone.found and not others:
        caller.house.benches.door.ask("remove", {"name": gone.name})
    return shapes.answer(whole(gone))


@router.get(
    "/{backtest_id}/trades", summary="List trades", response_model=shapes.Page[backtest_shapes.TradeShown],
    responses=_NOT_YET,
)  # fmt: skip
def trades(caller: Reading, backtest_id: IdInPath, limit: Limit = 500, cursor: Offset = None) -> Response:
    """List the trades of a backtest in the order in which they ended."""
    of = _done(caller, backtest_id, Kind.RUN)
    return shapes.answer(_ask(caller, "trades", {"name": of.name, "after": offset_of(cursor), "limit": limit}))


@router.get(
    "/{backtest_id}/orders", summary="List its orders", response_model=shapes.Page[backtest_shapes.OrderShown],
    responses=_NOT_YET,
)  # fmt: skip
def its_orders(caller: Reading, backtest_id: IdInPath, limit: Limit = 500, cursor: Offset = None) -> Response:
    """List every order of a backtest in the order in which they were made, with what became of each and why."""
    of = _done(caller, backtest_id, Kind.RUN)
    return shapes.answer(_ask(caller, "orders", {"name": of.name, "after": offset_of(cursor), "limit": limit}))


@router.get(
    "/{backtest_id}/fills", summary="List its fills", response_model=shapes.Page[backtest_shapes.FillShown],
    responses=_NOT_YET,
)  # fmt: skip
def its_fills(caller: Reading, backtest_id: IdInPath, limit: Limit = 500, cursor: Offset = None) -> Response:
    """List every fill of a backtest, with the order and the trade it belongs to."""
    of = _done(caller, backtest_id, Kind.RUN)
    return shapes.answer(_ask(caller, "fills", {"name": of.name, "after": offset_of(cursor), "limit": limit}))


@router.get(
    "/{backtest_id}/equity", summary="Show the equity curve", response_model=shapes.Page[backtest_shapes.EquityShown],
    responses=_NOT_YET,
)  # fmt: skip
def equity(
    caller: Reading, backtest_id: IdInPath, limit: Limit = 1_000, cursor: Offset = None,
    every: Annotated[int, Query(ge=1, le=1_000_000, description="Of so many bars the last one.")] = 1,
) -> Response:  # fmt: skip
    """Show equity, drawdown and exposure at the close of each bar, or of each so many bars."""
    of = _done(caller, backtest_id, Kind.RUN)
    asked = {"name": of.name, "after": offset_of(cursor), "limit": limit, "every": every}
    return shapes.answer(_ask(caller, "equity", asked))


@router.get(
    "/{backtest_id}/trials", summary="List trials", response_model=shapes.Page[backtest_shapes.TrialShown],
    responses=_NOT_YET,
)  # fmt: skip
def trials(caller: Reading, backtest_id: IdInPath, limit: Limit = 500, cursor: Offset = None) -> Response:
    """List every combination that a sweep tried, in the order in which they were done."""
    of = _done(caller, backtest_id, Kind.SWEEP)
    asked = {"name": (of.result or {})["search"], "after": offset_of(cursor), "limit": limit}
    return shapes.answer(_ask(caller, "trials", asked))


@router.get(
    "/{backtest_id}/export", summary="Export a backtest", response_class=Response,
    responses={**_NOT_YET, 200: {"description": "A file.", "content": {each: {} for each in _MEDIA.values()}}},
)  # fmt: skip
def export(
    caller: Reading, backtest_id: IdInPath,
    what: What | None = None,
    form: Annotated[Literal["csv", "json", "parquet"], Query(alias="format")] = "csv",
) -> Response:  # fmt: skip
    """Answer with a file: trades, orders, fills, days, months, years or equity of a run, or all of it as JSON.

    Of a sweep its trials, the best first; of a walk forward its steps, or the returns behind the lessons. Without
    `what`: the trades of a run, the trials of a sweep, the steps of a walk forward.
    """
    of = _done(caller, backtest_id, *(_EXPORTED if what is None else (_OF.get(what, Kind.RUN),)))
    chosen = what or _EXPORTED[of.kind]
    if chosen == "all" and form != "json":
        raise Invalid([Problem("format", f"{form} came", "json: a table does not hold all")])
    if chosen == "trials":
        found = _ask(caller, "search_export", {"strategy": of.strategy, "told": of.result, "kind": f".{form}"})
    elif of.kind is Kind.WALKFORWARD:
        found = _ask(caller, "walk_export", {"told": of.result, "what": chosen, "kind": f".{form}"})
    else:
        found = _ask(caller, "export", {"name": of.name, "what": chosen, "kind": f".{form}"})
    name = f"{of.strategy}-{of.name[:12]}-{chosen}.{form}".replace(":", "-")
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(base64.b64decode(found["content"]), 200, headers, _MEDIA[form])


@router.get(
    "/{backtest_id}/report", summary="Show the report", response_class=Response,
    responses={**_NOT_YET, 200: {"description": "A page that needs nothing else.", "content": {"text/html": {}}}},
)  # fmt: skip
def report(caller: Reading, backtest_id: IdInPath) -> Response:
    """Answer with a page: of a run price with entries and exits, equity, drawdown, months, trades.

    Of a sweep its trials and a map of what neighbours reach; of a walk forward what was earned behind the lessons.
    """
    of = _done(caller, backtest_id, Kind.RUN, Kind.SWEEP, Kind.WALKFORWARD)
    match of.kind:
        case Kind.SWEEP:
            page = _ask(caller, "search_report", {"strategy": of.strategy, "told": of.result, "spec": of.spec})
        case Kind.WALKFORWARD:
            page = _ask(caller, "walk_report", {"told": of.result, "spec": of.spec})
        case _:
            page = _ask(caller, "report", {"name": of.name})
    headers = {"Content-Security-Policy": _REPORT_MAY}
    return Response(page, 200, headers, "text/html; charset=utf-8")


def _done(caller: Caller, backtest_id: str, *kinds: Kind | None) -> Backtest:
    """Return a backtest of the caller that has a result of these kinds. Raises NoSuchBacktest, NoResult, NotDone."""
    found = caller.read(lambda tx: store.get(tx, caller.owner_id, backtest_id))
    if found.kind not in kinds:
        owners = " or ".join(kind for kind in kinds if kind)
        raise NoResult(f"{backtest_id} is a {found.kind}; this belongs to a {owners}")
    if found.state is not State.DONE:
        raise NotDone(f"{backtest_id} is {found.state}; only what is done has a result")
    return found


def _ask(caller: Caller, do: str, asked: dict[str, Any]) -> Any:
    return caller.house.benches.door.ask(do, asked)


def _bounds(tx: Tx, caller: Caller, owner_id: str) -> dict[str, Any]:
    house, own = bounds_of(caller.house.settings), store.own_bounds(tx, owner_id)
    has = bounds.used(tx, owner_id, caller.house.clock.now())
    held = house.tightened(own)
    used = {"at_once": has.at_once, "per_day": has.today, "work": 0}
    return {"user_id": owner_id} | {
        name: {
            "limit": getattr(held, name),
            "used": used[name],
            "said_by": "user" if getattr(own, name) == getattr(held, name) else "house",
        }
        for name in bounds.NAMES
    }
