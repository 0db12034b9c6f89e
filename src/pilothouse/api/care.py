"""Looking after the house: messages that were put aside, and the laws that must always hold."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from pilothouse.api import desk_shapes, shapes
from pilothouse.api.asked import IdInPath
from pilothouse.api.deps import Administering, Guarded, Reading
from pilothouse.core.errors import NotFound
from pilothouse.kit import outbox
from pilothouse.observability import watch

router = APIRouter(prefix="/api/v1", tags=["care"], route_class=Guarded)


class MessageNotParked(NotFound):
    """No message of this id is put aside."""

    code = "message_not_parked"


@router.get("/outbox", summary="Show the outbox", response_model=desk_shapes.Outbox, responses=shapes.LOOKING)
def counts(caller: Administering) -> Response:
    """Show how many messages wait, are in hand or are put aside, and how long the oldest due one has waited."""
    now = caller.house.clock.now()
    found, lag = caller.read(lambda tx: (outbox.counts(tx), outbox.lag(tx, now)))
    return shapes.answer({**found, "lag_ms": lag // timedelta(milliseconds=1)})


@router.get(
    "/outbox/parked",
    summary="List parked messages",
    response_model=shapes.Page[desk_shapes.ParkedShown],
    responses=shapes.LOOKING,
)
def parked(
    caller: Administering, limit: Annotated[int, Query(ge=1, le=1_000, description="How many at most.")] = 100
) -> Response:
    """List messages that failed too often and wait for a person, oldest first."""
    return shapes.answer({"items": caller.read(lambda tx: outbox.parked(tx, limit)), "next_cursor": None})


@router.post(
    "/outbox/parked/{message_id}/unpark",
    summary="Deliver a parked message again",
    response_model=desk_shapes.Done,
    responses=shapes.ACTING,
)
def unpark(caller: Administering, message_id: IdInPath) -> Response:
    """Let a message be delivered again, once what was wrong is mended."""
    now = caller.house.clock.now()
    if not caller.write(lambda tx: outbox.unpark(tx, message_id, now), "unpark"):
        raise MessageNotParked(f"no message {message_id!r} is parked")
    return shapes.answer({"done": True})


@router.get(
    "/invariants",
    summary="Ask what must always be true",
    response_model=shapes.Page[desk_shapes.InvariantShown],
    responses=shapes.LOOKING,
)
def invariants(caller: Reading) -> Response:
    """Ask every invariant now, and show what was found; nobody is told and nothing is halted by asking."""
    found = [one for one in watch.survey(caller.house) if one.owner_id in {None, caller.owner_id}]
    rows: list[dict[str, Any]] = []
    for law in watch.INVARIANTS:
        against = [one for one in found if one.invariant == law.name]
        rows.append(
            {
                "name": law.name,
                "question": law.question,
                "ok": not against,
                "detail": "; ".join(one.words for one in against),
                "findings": [
                    {
                        "gravity": one.gravity,
                        "words": one.words,
                        "account_id": one.account_id,
                        "numbers": dict(one.numbers),
                    }
                    for one in against
                ],
            }
        )
    return shapes.answer({"items": rows, "next_cursor": None})
