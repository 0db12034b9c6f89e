"""Accounts at venues: added, tested, armed, disarmed, renamed, removed; and the venues there are. Never a secret."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from pilothouse.accounts import trading_accounts
from pilothouse.accounts.trading_accounts import Mode
from pilothouse.api import account_shapes, desk_shapes, shapes, shown
from pilothouse.api.asked import IdInPath
from pilothouse.api.deps import Administering, Caller, Guarded, Reading
from pilothouse.core.rounding import exact
from pilothouse.kit.sealed import Secret
from pilothouse.wiring import account_tests, add_account, arm_account, remove_account, replace_key, venue_cards
from pilothouse.wiring.add_account import Wanted
from pilothouse.wiring.examination import Tested
from pilothouse.wiring.venue_cards import VenueCard

router = APIRouter(prefix="/api/v1", tags=["accounts"], route_class=Guarded)

ACCOUNT = desk_shapes.AccountShown
TRIED = account_shapes.AccountTried


@router.post("/accounts", summary="Add an account", response_model=TRIED, responses=shapes.ACTING)
def add(caller: Administering, asked: account_shapes.AccountAsked) -> Response:
    """Try an account at its venue (clock, permissions, balance, position mode), keep it, and open it for trading.

    A live account needs `live` and begins disarmed: everything is shown and decided, nothing is sent until it is armed.
    Nothing is kept of what the venue refuses (422) or does not answer to (503).
    """
    tested = add_account.add(caller.house, caller.owner_id, _wanted(asked), by=caller.name)
    return _tried(caller, tested)


@router.patch("/accounts/{account_id}", summary="Rename an account", response_model=ACCOUNT, responses=shapes.ACTING)
def change(caller: Administering, account_id: IdInPath, asked: account_shapes.AccountChange) -> Response:
    """Call an account something else; names are unique, those of closed accounts counted."""
    now, name = caller.house.clock.now(), asked.name
    if name is not None:
        caller.write(
            lambda tx: trading_accounts.rename(tx, caller.owner_id, account_id, name, now=now, who=caller.name),
            "account rename",
        )
    return shapes.answer(_now(caller, account_id))


@router.post("/accounts/{account_id}/test", summary="Test an account", response_model=TRIED, responses=shapes.ACTING)
def try_again(caller: Administering, account_id: IdInPath, asked: account_shapes.TestAsked | None = None) -> Response:
    """Ask the venue about an account again, and keep what it said."""
    allowed = asked is not None and asked.allow_withdrawals
    tested = account_tests.try_again(
        caller.house, caller.owner_id, account_id, withdrawals_allowed=allowed, by=caller.name
    )
    return _tried(caller, tested)


@router.put(
    "/accounts/{account_id}/credentials", summary="Replace a key", response_model=TRIED, responses=shapes.ACTING
)
def put_credentials(caller: Administering, account_id: IdInPath, asked: account_shapes.KeyAsked) -> Response:
    """Try another key of the same account at its venue, keep it in the place of the old one, and listen with it.

    The old key stays when the venue refuses the new one (422) or does not answer (503). What was armed stays armed.
    """
    tested = replace_key.replace_key(
        caller.house,
        caller.owner_id,
        account_id,
        _secrets(asked.credentials),
        withdrawals_allowed=asked.allow_withdrawals,
        by=caller.name,
    )
    return _tried(caller, tested)


@router.post("/accounts/{account_id}/arm", summary="Arm an account", response_model=TRIED, responses=shapes.ACTING)
def arm(caller: Administering, account_id: IdInPath, asked: account_shapes.ReasonAsked | None = None) -> Response:
    """Let a live account send orders from now on, once its venue was asked about it again."""
    reason = (asked.reason if asked else None) or ""
    tested = arm_account.arm(caller.house, caller.owner_id, account_id, reason=reason, by=caller.name)
    return _tried(caller, tested)


@router.post(
    "/accounts/{account_id}/disarm", summary="Disarm an account", response_model=ACCOUNT, responses=shapes.ACTING
)
def disarm(caller: Administering, account_id: IdInPath, asked: account_shapes.ReasonAsked | None = None) -> Response:
    """Keep a live account from sending orders. What stands at the venue stays there; a cancel by a person goes out."""
    reason = (asked.reason if asked else None) or ""
    arm_account.disarm(caller.house, caller.owner_id, account_id, reason=reason, by=caller.name)
    return shapes.answer(_now(caller, account_id))


@router.delete(
    "/accounts/{account_id}",
    summary="Remove an account",
    response_model=account_shapes.AccountRemoved,
    responses=shapes.ACTING,
)
def remove(
    caller: Administering,
    account_id: IdInPath,
    *,
    force: Annotated[
        bool,
        Query(
            description="Also with open positions, orders or waiting alerts: its orders are cancelled, positions stay."
        ),
    ] = False,
    leave_orders: Annotated[
        bool, Query(description="With force: the venue is not asked, and orders stay where they are, unwatched.")
    ] = False,
) -> Response:
    """Close an account for good, revoke its hooks and forget its keys; its history stays.

    With `force` its orders are cancelled at the venue first; while the venue has not said that they are gone it is 409.
    """
    removed = remove_account.remove(
        caller.house, caller.owner_id, account_id, force=force, leave_orders=leave_orders, by=caller.name
    )
    content = _now(caller, account_id)
    return shapes.answer(content | {"hooks_revoked": removed.hooks, "warnings": removed.warnings})


# ── Venues ────────────────────────────────────────────────────────────────────────────────────────


@router.get(
    "/venues",
    summary="List venues",
    response_model=shapes.Page[account_shapes.VenueShown],
    responses=shapes.LOOKING,
)
def list_venues(_: Reading) -> Response:
    """List the venues that are tested in depth: what each can do here, and what a credential consists of."""
    return shapes.answer({"items": [_venue(each) for each in venue_cards.every_card()], "next_cursor": None})


@router.get(
    "/venues/{name}", summary="Show a venue", response_model=account_shapes.VenueShown, responses=shapes.LOOKING
)
def get_venue(_: Reading, name: Annotated[str, Path(pattern=r"^[A-Za-z0-9-]{1,64}$", examples=["aster"])]) -> Response:
    """Show what a venue can do here, each with what is left out and why; also of the general adapter."""
    return shapes.answer(_venue(venue_cards.card_of(name.lower())))


def _venue(found: VenueCard) -> dict[str, Any]:
    card = found.card
    return {
        "name": found.name,
        "title": card.title,
        "simulated": card.simulated,
        "acceptance_window_s": card.acceptance_window_s,
        "credential_fields": [{"name": each.name, "words": each.words, "secret": each.secret} for each in found.fields],
        "capabilities": [{"name": each.name, "state": each.state, "reason": each.reason} for each in card.capabilities],
    }


def _wanted(asked: account_shapes.AccountAsked) -> Wanted:
    """Return what is asked for. Raises Invalid, or NotPrivate for an address in the open."""
    return Wanted(
        name=asked.name.strip(),
        venue=add_account.venue_of(asked.venue, asked.base_url or ""),
        parts=_secrets(asked.credentials),
        mode=Mode(asked.mode) if asked.mode else None,
        stream_url=add_account.stream_of(asked.stream_url or ""),
        live=asked.live,
        withdrawals_allowed=asked.allow_withdrawals,
        deposit=exact(asked.deposit) if asked.deposit else None,
    )


def _secrets(credentials: dict[str, str]) -> dict[str, Secret]:
    return {name: Secret(text) for name, text in account_shapes.parts_of(credentials).items()}


def _now(caller: Caller, account_id: str) -> dict[str, Any]:
    """Return an account as it stands. Raises AccountNotFound."""
    now = caller.house.clock.now()
    return caller.read(lambda tx: shown.account_now(tx, caller.owner_id, account_id, now))


def _tried(caller: Caller, tested: Tested) -> Response:
    content = _now(caller, tested.account.id)
    return shapes.answer(content | {"found": tested.found, "warnings": tested.warnings})
