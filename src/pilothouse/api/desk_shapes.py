"""What goes over the wire of hooks, accounts, limits, tokens and the care of the house; the rest is in `shapes.py`."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from pilothouse.api.shapes import Amount, Asked, Id, Instant, SymbolText, Text, Wanted

Kind = Literal["no_new_exposure", "reduce_only", "cancel_all", "flatten"]


class SizeShown(BaseModel):
    """How much, for alerts that do not say."""

    kind: Literal["quantity", "quote_amount", "equity_percent", "risk_percent"]
    value: Wanted


class ExpectsShown(BaseModel):
    """What is missed if it does not come."""

    every_s: int | None = Field(description="An alert at least so often, seconds; null: it may be silent.")
    counter: bool = Field(description="Its alerts carry running numbers, and a gap is missed ones.")
    position: bool = Field(description="Its alerts say what the position is, and the account's is to be the same.")
    within_s: int = Field(description="So long the account may take to get there, seconds.")
    since: Instant


class ExpectsAsked(Asked):
    """What is to be expected of a hook; with nothing in it, nothing is."""

    every_s: int | None = Field(default=None, ge=10, le=2_678_400)
    counter: bool = False
    position: bool = False
    within_s: int = Field(default=60, ge=1, le=86_400)


class MarkShown(BaseModel):
    """What a hook last said of one instrument."""

    symbol: str
    target: Amount = Field(description="The position that shall be, base, signed.")
    held: Amount = Field(description="What the account holds.")
    signal_id: Id
    sent_at: Instant | None
    bar_time: Instant | None
    at: Instant = Field(description="When it came.")


class ExpectationShown(BaseModel):
    """What is expected of a hook, and what came of it."""

    hook_id: Id
    expects: ExpectsShown | None
    last_at: Instant | None = Field(description="When its last alert came; null: none came since it expects something.")
    last_counter: int | None
    missed: int = Field(description="How many running numbers never came.")
    missed_at: Instant | None
    standing: list[str] = Field(description="What is not as expected now, in words.")
    marks: list[MarkShown]


class HookShown(BaseModel):
    """One hook."""

    id: Id
    account_id: Id
    name: str
    default_size: SizeShown | None
    symbols: list[str] | None = Field(description="What it may trade; null: everything.")
    window_s: int = Field(description="The same body within so many seconds is the same alert.")
    max_age_s: int | None
    rate_per_s: int
    dry: bool = Field(description="Everything is decided and shown, nothing is sent.")
    expects: ExpectsShown | None = Field(description="What is missed if it does not come; null: nothing.")
    state: Literal["active", "revoked"]
    created_at: Instant
    rotated_at: Instant | None


class HookWithSecrets(HookShown):
    """One hook with what was made anew, shown now and never again."""

    url: str | None = Field(examples=["http://127.0.0.1:8000/hooks/abcdefghijklmnopqrstuvwxyz234567"])
    token: str | None = Field(examples=["abcdefghijklmnopqrstuvwxyz234567"])
    secret: str | None = Field(examples=["abcdefghijklmnopqrstuvwxyz234567"])


class HookChange(Asked):
    """What is to be changed; what is left out stays.

    So do name, window_s, rate_per_s and dry when they are null; the others can be null.
    """

    name: Text | None = None
    default_size: SizeShown | None = None
    symbols: list[SymbolText] | None = None
    window_s: int | None = Field(default=None, ge=0, le=86_400)
    max_age_s: int | None = Field(default=None, ge=1, le=86_400)
    rate_per_s: int | None = Field(default=None, ge=1, le=100_000)
    dry: bool | None = None
    expects: ExpectsAsked | None = None


class HookAsked(HookChange):
    """A new hook."""

    name: Text = Field(examples=["BTC 4h breakout"])
    account_id: Id | None = Field(default=None, description="The first active account if left out.")


class RotateAsked(Asked):
    """What is to be made anew."""

    which: Literal["token", "secret", "both"] = "both"


class HaltShown(BaseModel):
    """Since when, by whom and why trading is halted, at which level, and how much of it."""

    id: Id
    at: Instant
    by: str
    reason: str
    level: Literal["house", "user", "account", "bot"]
    kind: Kind = Field(description="What it stops; each stops all that the ones before it stop.")
    account_id: Id | None
    hook_id: Id | None = Field(description="Of a bot.")


class EndpointShown(BaseModel):
    """Another address than the venue's own."""

    base_url: str | None = None
    stream_url: str | None = None


class KeyOfAccount(BaseModel):
    """What is known of a credential; never a part of it."""

    label: str = Field(description="In which its owner knows it again, such as the signer's address.")
    parts: list[str] = Field(description="Names of what is sealed.")
    since: Instant


class TestShown(BaseModel):
    """What the venue said when it was last asked."""

    at: Instant
    passed: bool
    message: str | None = Field(description="Why it did not pass.")
    found: dict[str, Any] | None


class StreamShown(BaseModel):
    """How well an account is heard at its venue; unless it is live, nothing that adds exposure is decided for it."""

    state: Literal["live", "catching_up", "lost"]
    since: Instant = Field(description="Since when it is heard, or is not.")
    compared_at: Instant | None = Field(description="When its books were last compared with the venue in full.")


class AccountShown(BaseModel):
    """One trading account."""

    id: Id
    name: str
    venue: str = Field(description="Key of the venue, such as paper, aster or aster@http://127.0.0.1:18100.")
    market: str = Field(description="What kind of market it is.", examples=["real market"])
    mode: Literal["paper", "testnet", "live"]
    currency: str
    state: Literal["active", "closed"]
    generation: int
    simulated: bool
    may_send: bool = Field(description="Whether its orders leave the house; those of a live one once it is armed.")
    armed_at: Instant | None = Field(description="Since when a live account may send; null: it is disarmed.")
    endpoint: EndpointShown | None
    stream: StreamShown | None = Field(description="null: its venue tells everything from inside of this house.")
    key: KeyOfAccount | None
    test: TestShown | None = Field(description="null: its venue was not asked yet, or there is nothing to ask.")
    created_at: Instant
    halt: HaltShown | None


class HaltAsked(Asked):
    """Why; it stands in every refusal until the account is resumed."""

    reason: Text = Field(default="by hand", examples=["the news"])
    kind: Kind = Field(default="no_new_exposure", description="How much is stopped.")


class FlattenAsked(Asked):
    """Why; it stands in every refusal until the account is resumed."""

    reason: Text = Field(default="by hand", examples=["the news"])


class ReconcileAsked(Asked):
    """Compare an account with its venue."""

    adopt: bool = Field(default=False, description="Whether what differs is booked as the venue has it.")
    reason: Text | None = Field(default=None, description="Why; required to adopt.", examples=["closed on the phone"])


class DifferenceShown(BaseModel):
    """One position, or the wallet, that is not as the venue says."""

    what: str = Field(description="The symbol, or wallet.", examples=["BTCUSDT"])
    ours: Amount = Field(description="As our entries have it.")
    venue: Amount = Field(description="As the venue has it.")


class ReconciledShown(BaseModel):
    """What one comparison found and did."""

    fills_booked: int
    orders_asked: int = Field(description="Orders of ours that do not stand at the venue: they are asked for.")
    foreign_orders: int = Field(
        description="Orders that stand there and were not made here: they are shown from now on."
    )
    moving: bool = Field(description="Whether an order was on its way, so that positions could not be compared.")
    differences: list[DifferenceShown]
    adopted: bool
    resumed: bool = Field(description="Whether the halt that the difference had made has ended.")


class TokenShown(BaseModel):
    """What is known of a token; the token itself was shown once."""

    id: Id
    label: str
    scopes: list[Literal["read", "trade", "admin"]]
    created_at: Instant
    revoked_at: Instant | None


class TokenIssued(TokenShown):
    """A new token, shown now and never again."""

    token: str = Field(examples=["ph_op_abcdefghijklmnopqrstuvwxyz234567"])


class TokenAsked(Asked):
    """A new token."""

    label: Text = Field(examples=["dashboard"])
    scopes: list[Literal["read", "trade", "admin"]] = Field(min_length=1, max_length=3, examples=[["read"]])


class ParkedShown(BaseModel):
    """A message that failed too often and waits for a person."""

    id: str
    topic: str
    key: str
    payload: dict[str, Any]
    attempt: int
    error: str
    created_at: Instant


class Outbox(BaseModel):
    """How many messages there are, by state, and how long the oldest due one waits."""

    ready: int
    leased: int
    parked: int
    lag_ms: int


class InvariantShown(BaseModel):
    """One law, and what was found against it; `ok` if nothing was."""

    name: str
    question: str
    ok: bool
    detail: str = Field(description="What was found, in a sentence for each.")
    findings: list[dict[str, Any]]


class Done(BaseModel):
    """Whether anything changed."""

    done: bool
