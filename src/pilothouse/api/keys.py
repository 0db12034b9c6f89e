"""The key that seals credentials: how it is, another one in its place, and the older ones forgotten. Never the key."""

from dataclasses import asdict

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from pilothouse.api import shapes
from pilothouse.api.deps import Administering, Guarded
from pilothouse.wiring import sealing_key

router = APIRouter(prefix="/api/v1", tags=["accounts"], route_class=Guarded)


class KeyShown(BaseModel):
    """How credentials are sealed; ids tell nothing of the keys."""

    source: str = Field(description="variable or file", examples=["file"])
    path: str | None = Field(description="Of the key's file; null for a variable.", examples=["/srv/data/sealing.key"])
    key_id: str = Field(description="Of the key that seals.", examples=["0a1b2c3d4e5f"])
    sealed: int = Field(description="Credentials, all of them.")
    sealed_older: int = Field(description="Of which are sealed with another key.")
    sealed_lost: int = Field(description="Of which no key is known here that opens them.")
    older: list[str] = Field(description="Keys that only open: names of files, ids of given ones.")
    unfinished: bool = Field(description="Whether a rotation was begun and not finished.")


class KeysForgotten(BaseModel):
    """Which files with older keys were deleted."""

    forgotten: list[str]


@router.get("/keys", summary="Show the sealing key", response_model=KeyShown, responses=shapes.LOOKING)
def show_key(caller: Administering) -> Response:
    """Show where the key that seals credentials comes from, what it seals, and which older keys are kept."""
    house = caller.house
    place = sealing_key.SealingKey.of(house.settings)
    return shapes.answer(asdict(caller.read(lambda tx: sealing_key.state(tx, place, house.ring.sealer))))


@router.post("/keys/rotate", summary="Rotate the sealing key", response_model=KeyShown, responses=shapes.ACTING)
def rotate(caller: Administering) -> Response:
    """Seal every credential with another key, in one transaction; the old key is kept until it is forgotten."""
    house = caller.house
    place = sealing_key.SealingKey.of(house.settings)
    made = sealing_key.rotate(
        house.database, place, house.ring.sealer, house.clock, owner_id=caller.owner_id, by=caller.name
    )
    return shapes.answer(asdict(made))


@router.post(
    "/keys/forget-old", summary="Forget older sealing keys", response_model=KeysForgotten, responses=shapes.ACTING
)
def forget_old(caller: Administering) -> Response:
    """Delete older keys once nothing is sealed with them. Copies of the database from before do not open then."""
    house = caller.house
    place = sealing_key.SealingKey.of(house.settings)
    gone = sealing_key.forget_old(
        house.database, place, house.ring.sealer, house.clock, owner_id=caller.owner_id, by=caller.name
    )
    return shapes.answer({"forgotten": gone})
