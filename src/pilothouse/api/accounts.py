"""Trading accounts, and the tokens of this API."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from pilothouse.accounts import tokens, trading_accounts
from pilothouse.accounts.access import Scope
from pilothouse.api import desk_shapes, shapes, shown
from pilothouse.api.asked import IdInPath
from pilothouse.api.deps import Administering, Caller, Guarded, Reading, Trading
from pilothouse.core.errors import Invalid, Problem
from pilothouse.core.rounding import plain
from pilothouse.execution.adopt import adopt
from pilothouse.execution.reconcile import Difference, Reconciled, reconcile
from pilothouse.execution.trader import Trader
from pilothouse.kit.db import Tx
from pilothouse.wiring.paper_accounts import start_over

router = APIRouter(prefix="/api/v1", tags=["accounts"], route_class=Guarded)

ACCOUNT = desk_shapes.AccountShown


@router.get("/accounts", summary="List accounts", response_model=shapes.Page[ACCOUNT], responses=shapes.LOOKING)
def list_accounts(caller: Reading) -> Response:
    """List trading accounts, oldest first; paper ones are named as simulated."""
    now = caller.house.clock.now()

    def work(tx: Tx) -> list[dict[str, Any]]:
        found = trading_accounts.list_accounts(tx, caller.owner_id)
        return [shown.account(tx, each, now) for each in found]

    return shapes.answer({"items": caller.read(work), "next_cursor": None})


@router.get("/accounts/{account_id}", summary="Show an account", response_model=ACCOUNT, responses=shapes.LOOKING)
def get_account(caller: Reading, account_id: IdInPath) -> Response:
    """Show one trading account."""
    return shapes.answer(caller.read(lambda tx: _shown(tx, caller, account_id)))


@router.post(
    "/accounts/{account_id}/reconcile",
    summary="Compare an account with its venue",
    response_model=desk_shapes.ReconciledShown,
    responses=shapes.ACTING,
)
def reconcile_one(caller: Trading, account_id: IdInPath, asked: desk_shapes.ReconcileAsked | None = None) -> Response:
    """Compare orders, fills, positions and wallet now; with `adopt`, book what differs as the venue has it.

    503 if the venue does not answer: nothing is taken for flat then. 409 while an order is on its way.
    """
    wanted = asked or desk_shapes.ReconcileAsked()
    account = caller.read(lambda tx: trading_accounts.get(tx, caller.owner_id, account_id))
    trader = Trader.of(account)
    if not wanted.adopt:
        return shapes.answer(_compared(reconcile(caller.house.desk, trader), (), resumed=False))
    if not wanted.reason:
        raise Invalid([Problem("reason", "nothing came", "why; it is kept with what is adopted", "required")])
    done = adopt(caller.house.desk, trader, reason=wanted.reason, by=caller.name)
    return shapes.answer(_compared(done.found, done.adopted, resumed=done.resumed))


def _compared(found: Reconciled, adopted: Sequence[Difference], *, resumed: bool) -> dict[str, Any]:
    differing = [*found.differences, *([found.wallet] if found.wallet is not None else [])]
    return {
        "fills_booked": found.fills_booked,
        "orders_asked": found.orders_asked,
        "foreign_orders": found.foreign_orders,
        "moving": found.moving,
        "differences": [{"what": one.symbol, "ours": plain(one.ours), "venue": plain(one.theirs)} for one in differing],
        "adopted": bool(adopted),
        "resumed": resumed,
    }


@router.post(
    "/accounts/{account_id}/reset", summary="Reset a paper account", response_model=ACCOUNT, responses=shapes.ACTING
)
def reset(caller: Administering, account_id: IdInPath) -> Response:
    """Start a paper account over with its first deposit; its history is kept. 409 for an account with real money."""
    start_over(caller.house, caller.owner_id, account_id, by=caller.name)
    return shapes.answer(caller.read(lambda tx: _shown(tx, caller, account_id)))


# ── Tokens ────────────────────────────────────────────────────────────────────────────────────────


@router.get(
    "/tokens", summary="List tokens", response_model=shapes.Page[desk_shapes.TokenShown], responses=shapes.LOOKING
)
def list_tokens(caller: Administering) -> Response:
    """List tokens, newest first, revoked ones too; the tokens themselves were shown once."""
    found = caller.read(lambda tx: tokens.list_tokens(tx, caller.owner_id))
    return shapes.answer({"items": [shown.token(each) for each in found], "next_cursor": None})


@router.post("/tokens", summary="Issue a token", response_model=desk_shapes.TokenIssued, responses=shapes.ACTING)
def issue(caller: Administering, asked: desk_shapes.TokenAsked) -> Response:
    """Issue a token; it is shown now and never again."""
    scopes = [scope for scope in Scope if scope.value in asked.scopes]
    label, now = asked.label[:120], caller.house.clock.now()
    made, plain = caller.write(
        lambda tx: tokens.issue(tx, owner_id=caller.owner_id, label=label, scopes=scopes, now=now, who=caller.name),
        "token",
    )
    return shapes.answer(shown.token(made) | {"token": plain.reveal()})


@router.post(
    "/tokens/{token_id}/revoke", summary="Revoke a token", response_model=desk_shapes.Done, responses=shapes.ACTING
)
def revoke(caller: Administering, token_id: IdInPath) -> Response:
    """Make a token worthless from now on."""
    now = caller.house.clock.now()
    caller.write(lambda tx: tokens.revoke(tx, caller.owner_id, token_id, now=now, who=caller.name), "token")
    return shapes.answer({"done": True})


def _shown(tx: Tx, caller: Caller, account_id: str) -> dict[str, Any]:
    return shown.account_now(tx, caller.owner_id, account_id, caller.house.clock.now())
