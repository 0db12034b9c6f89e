"""What goes over the wire of accounts at venues, and of the venues themselves."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pilothouse.api.desk_shapes import AccountShown
from pilothouse.api.shapes import Amount, Asked, Text, Wanted

Mode = Literal["paper", "testnet", "live"]
Address = Text


class AccountAsked(Asked):
    """A new account. Its credential is tried at the venue first; what the venue does not take is not kept."""

    name: Text = Field(max_length=60, examples=["main"])
    venue: Text = Field(
        description="A name that GET /api/v1/venues lists; paper-NAME for paper money on the prices of NAME.",
        examples=["aster"],
    )
    mode: Mode | None = Field(default=None, description="What follows from the venue, if left out.")
    credentials: dict[str, str] = Field(
        default_factory=dict,
        description="The parts that GET /api/v1/venues/{name} asks for. They are sealed and never shown again.",
        examples=[{}],
    )
    base_url: Address | None = Field(default=None, description="Another address than the venue's own.")
    stream_url: Address | None = Field(default=None, description="Another address for streams than follows from it.")
    live: bool = Field(default=False, description="Real money is meant.")
    allow_withdrawals: bool = Field(default=False, description="Take a key that may withdraw.")
    deposit: Wanted | None = Field(default=None, description="First deposit of a paper account.", examples=["10000"])

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"name": "practice", "venue": "paper", "deposit": "5000"}}
    )


class AccountChange(Asked):
    """What is to be changed; what is left out stays."""

    name: Text | None = Field(default=None, max_length=60, examples=["main"])


class TestAsked(Asked):
    """What is accepted from now on."""

    allow_withdrawals: bool = Field(default=False, description="Take a key that may withdraw, from now on.")


class KeyAsked(Asked):
    """Another key of the same account. It is tried at the venue first; until it has passed, the old one stays."""

    credentials: dict[str, str] = Field(
        default_factory=dict,
        description="The parts that GET /api/v1/venues/{name} asks for. They are sealed and never shown again.",
        examples=[{}],
    )
    allow_withdrawals: bool = Field(default=False, description="Take a key that may withdraw, from now on.")


class ReasonAsked(Asked):
    """Why; it stands in the record of who did what."""

    reason: Text | None = Field(default=None, examples=["tested on paper for a month"])


class HeldShown(BaseModel):
    """A position that the venue told of."""

    symbol: str = Field(examples=["BTCUSDT"])
    quantity: Amount


class Found(BaseModel):
    """What a venue said of an account."""

    label: str = Field(description="In which its owner knows the credential again.")
    clock_ahead_ms: int = Field(description="How far the venue's clock is ahead of ours.")
    position_mode: Literal["one_way", "hedge"]
    may_trade: bool | None
    may_withdraw: bool | None = Field(description="null: the venue does not say.")
    asset: str = Field(examples=["USDT"])
    wallet: Amount
    available: Amount
    positions: list[HeldShown]


class AccountTried(AccountShown):
    """An account with what was found, and what should be known about it."""

    found: Found | None = Field(description="null for a paper account.")
    warnings: list[str]


class AccountRemoved(AccountShown):
    """An account that was closed, its hooks that were revoked, and what it left behind."""

    hooks_revoked: list[str]
    warnings: list[str]


class CapabilityShown(BaseModel):
    """One thing that an adapter can do, has to do, or leaves out for a reason."""

    name: str = Field(examples=["market orders"])
    state: Literal["done", "to do", "exempt"]
    reason: str


class FieldShown(BaseModel):
    """One part of a credential."""

    name: str = Field(examples=["private_key"])
    words: str
    secret: bool


class VenueShown(BaseModel):
    """What a venue can do here."""

    name: str = Field(examples=["aster"])
    title: str
    simulated: bool
    acceptance_window_s: Amount | None = Field(
        description="So many seconds after its stamp a request can no longer be accepted; null: never certain."
    )
    credential_fields: list[FieldShown]
    capabilities: list[CapabilityShown]


def parts_of(credentials: dict[str, Any]) -> dict[str, str]:
    """Return the parts that say something; blanks around them came with the paste."""
    return {name: str(text).strip() for name, text in credentials.items() if str(text).strip()}
