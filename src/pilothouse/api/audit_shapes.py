"""What goes over the wire of the record."""

from typing import Any

from pydantic import BaseModel, Field

from pilothouse.api.shapes import Id, Instant, OrderShown


class HeadShown(BaseModel):
    """The last row of one chain."""

    chain: Id
    name: str = Field(description="Of the account; `house` for what concerns none.")
    number: int
    hash: str
    at: Instant
    note: str = Field(description="What is not in the chain, where it began later than its account.")
    head: str = Field(description="All of it in one word, to be noted elsewhere.")


class FaultShown(BaseModel):
    """One thing that does not fit; without a number it is the end of the chain, or the books."""

    number: int | None
    words: str


class ChainShown(BaseModel):
    """One chain as it was read."""

    chain: Id
    name: str
    rows: int
    number: int
    hash: str
    note: str
    faults_in_all: int
    faults: list[FaultShown] = Field(description="The first ones.")


class VerifiedShown(BaseModel):
    """Whether the record is whole: nothing changed, taken away, swapped or added."""

    ok: bool
    rows: int
    anchors: int = Field(description="Heads from elsewhere that it was compared with.")
    orders: int = Field(description="Orders of the books that it was compared with.")
    chains: list[ChainShown]


class ToldShown(BaseModel):
    """One happening."""

    at: Instant
    event: str = Field(description="What kind it is, for a machine.")
    words: str
    number: int | None = Field(description="Of the row that tells it; null: the order is older than the record.")
    hash: str | None


class StoryShown(BaseModel):
    """What happened to one order, oldest first."""

    order: OrderShown
    is_recorded: bool = Field(description="false: it is older than the record, and only its timeline is told.")
    told: list[ToldShown]


class JudgementShown(BaseModel):
    """One rule that was asked when the order was made, asked again."""

    at: Instant
    number: int
    rule: str
    same: bool | None = Field(description="null: it could not be asked; `words` say why.")
    words: str
    then: Any
    now: Any


class ReplayShown(BaseModel):
    """Whether an order would be decided the same today."""

    order_id: Id
    same: bool | None = Field(description="null: the record holds no judgement of it, or one could not be asked.")
    judgements: list[JudgementShown]
