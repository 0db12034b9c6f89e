"""What goes over the wire of alarms."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from pilothouse.api.shapes import Asked, Id, Instant

_Address = Annotated[
    str,
    StringConstraints(max_length=2_000, pattern=r"^[A-Za-z][A-Za-z0-9+.-]{0,31}://[\x21-\x7e]+$"),
    Field(examples=["json://127.0.0.1:9000/alarms"]),
]


class TellingShown(BaseModel):
    """What one address was told of an alarm. Of the address, only its kind and the beginning of a digest is shown."""

    to: str = Field(examples=["ntfy:3fa9c1"])
    title: str
    made_at: Instant
    attempts: int
    tried_at: Instant | None
    state: Literal["waiting", "arrived", "given_up"]
    error: str | None = Field(description="Why the last attempt that failed did.")


class AlarmShown(BaseModel):
    """One alarm, from its beginning to its end."""

    id: Id
    account_id: Id | None
    code: str = Field(examples=["order_unknown"])
    about: str = Field(description="The instrument, or whatever tells it from others of its code; may be empty.")
    grade: Literal["warning", "critical"]
    headline: str
    message: str
    did: str = Field(description="What the house did.")
    todo: str = Field(description="What a person should do.")
    state: Literal["open", "acknowledged", "over"]
    stands: bool = Field(description="It is so until it is over; else it happens and is past.")
    times: int = Field(description="How often it was raised.")
    first_at: Instant
    last_at: Instant
    told_at: Instant | None
    next_at: Instant | None = Field(description="When it is told again at the earliest.")
    acknowledged_at: Instant | None
    acknowledged_by: str | None
    over_at: Instant | None
    told: list[TellingShown]


class TestAsked(Asked):
    """Whom to try."""

    url: _Address | None = Field(default=None, description="This address alone; all that are set if left out.")


class TriedShown(BaseModel):
    """What came of one address."""

    to: str = Field(examples=["ntfy:3fa9c1"])
    arrived: bool
    error: str


class TestShown(BaseModel):
    """What came of a test."""

    arrived: int
    tried: list[TriedShown]
