"""Hooks: make one, change it, make its address or secret anew, silence it. Secrets are shown once."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from pilothouse.accounts import hooks
from pilothouse.accounts.hooks import Rotation
from pilothouse.api import desk_shapes, shapes, shown
from pilothouse.api.asked import IdInPath
from pilothouse.api.deps import Administering, Caller, Guarded, Reading
from pilothouse.fleet import expect, watch_store
from pilothouse.kit.db import Tx
from pilothouse.kit.sealed import Secret
from pilothouse.ledger import positions

_CAN_BE_NONE = frozenset({"default_size", "symbols", "max_age_s", "expects"})

router = APIRouter(prefix="/api/v1/hooks", tags=["hooks"], route_class=Guarded)


@router.get("", summary="List hooks", response_model=shapes.Page[desk_shapes.HookShown], responses=shapes.LOOKING)
def list_hooks(caller: Reading) -> Response:
    """List all hooks, revoked ones too, oldest first."""
    found = caller.read(lambda tx: hooks.list_hooks(tx, caller.owner_id))
    return shapes.answer({"items": [shown.hook(each) for each in found], "next_cursor": None})


@router.post("", summary="Make a hook", response_model=desk_shapes.HookWithSecrets, responses=shapes.ACTING)
def create(caller: Administering, asked: desk_shapes.HookAsked) -> Response:
    """Make a hook; its address, token and secret are shown now and never again."""
    fields = _fields(asked)
    now = caller.house.clock.now()

    def work(tx: Tx) -> tuple[hooks.Hook, Secret, Secret]:
        return hooks.create(
            tx,
            owner_id=caller.owner_id,
            account_id=caller.account(tx, asked.account_id).id,
            name=asked.name,
            now=now,
            fields=fields,
            who=caller.name,
        )

    made, url_token, secret = caller.write(work, "hook")
    caller.house.follow_soon(made.account_id)
    return shapes.answer(shown.hook(made) | _once(caller, url_token, secret))


@router.get("/{hook_id}", summary="Show a hook", response_model=desk_shapes.HookShown, responses=shapes.LOOKING)
def get_hook(caller: Reading, hook_id: IdInPath) -> Response:
    """Show one hook."""
    return shapes.answer(shown.hook(caller.read(lambda tx: hooks.get(tx, caller.owner_id, hook_id))))


@router.get(
    "/{hook_id}/expectation",
    summary="Show what is expected of a hook",
    response_model=desk_shapes.ExpectationShown,
    responses=shapes.LOOKING,
)
def expectation(caller: Reading, hook_id: IdInPath) -> Response:
    """Show what is expected of a hook, when its last alert came, what was missed, and what is not as it should be."""
    now = caller.house.clock.now()

    def work(tx: Tx) -> dict[str, Any]:
        hook = hooks.get(tx, caller.owner_id, hook_id)
        watch = watch_store.watch_of(tx, hook.id)
        return {
            "hook_id": hook.id,
            "expects": shown.expects(hook.expects),
            "last_at": watch.last_at if watch else None,
            "last_counter": watch.last_counter if watch else None,
            "missed": watch.missed if watch else 0,
            "missed_at": watch.missed_at if watch else None,
            "standing": [one.message for one in expect.missed(tx, caller.house.desk, [hook], now)],
            "marks": [
                {
                    "symbol": mark.symbol,
                    "target": mark.target,
                    "held": positions.position(tx, mark.account_id, mark.symbol).quantity,
                    "signal_id": mark.signal_id,
                    "sent_at": mark.sent_at,
                    "bar_time": mark.bar_time,
                    "at": mark.at,
                }
                for mark in watch_store.marks_of(tx, hook.id)
            ],
        }

    return shapes.answer(caller.read(work))


@router.patch("/{hook_id}", summary="Change a hook", response_model=desk_shapes.HookShown, responses=shapes.ACTING)
def change(caller: Administering, hook_id: IdInPath, asked: desk_shapes.HookChange) -> Response:
    """Change what is named; what is left out stays."""
    fields = _fields(asked)
    now = caller.house.clock.now()
    changed = caller.write(
        lambda tx: hooks.change(tx, caller.owner_id, hook_id, fields, now=now, who=caller.name), "hook"
    )
    caller.house.follow_soon(changed.account_id)
    return shapes.answer(shown.hook(changed))


@router.post(
    "/{hook_id}/rotate", summary="Rotate a hook", response_model=desk_shapes.HookWithSecrets, responses=shapes.ACTING
)
def rotate(caller: Administering, hook_id: IdInPath, asked: desk_shapes.RotateAsked | None = None) -> Response:
    """Make the address, the secret or both anew; the old ones are worthless at once."""
    which = Rotation((asked or desk_shapes.RotateAsked()).which)
    now = caller.house.clock.now()
    made = caller.write(lambda tx: hooks.rotate(tx, caller.owner_id, hook_id, which, now=now, who=caller.name), "hook")
    return shapes.answer(shown.hook(made.hook) | _once(caller, made.url_token, made.secret))


@router.post(
    "/{hook_id}/revoke", summary="Revoke a hook", response_model=desk_shapes.HookShown, responses=shapes.ACTING
)
def revoke(caller: Administering, hook_id: IdInPath) -> Response:
    """Silence a hook for good; what it did stays on record."""
    now = caller.house.clock.now()
    gone = caller.write(lambda tx: hooks.revoke(tx, caller.owner_id, hook_id, now=now, who=caller.name), "hook")
    return shapes.answer(shown.hook(gone))


def _fields(asked: desk_shapes.HookChange) -> dict[str, Any]:
    """Return what was said of a hook; null means "none" where a hook can have none, and nothing elsewhere."""
    said = asked.model_dump(exclude_unset=True, exclude={"account_id"})
    return {name: value for name, value in said.items() if value is not None or name in _CAN_BE_NONE}


def _once(caller: Caller, url_token: Secret | None, secret: Secret | None) -> dict[str, Any]:
    """Return what is shown once, in plain."""
    token = url_token.reveal() if url_token else None
    return {
        "url": f"{caller.house.settings.address}/hooks/{token}" if token else None,
        "token": token,
        "secret": secret.reveal() if secret else None,
    }
