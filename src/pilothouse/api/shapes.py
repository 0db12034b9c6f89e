"""What goes over the wire under /api/v1, field by field, for the contract and its examples.

Answers are made of records in `shown.py` and sent as they are; a test holds them against these shapes.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from pilothouse.core.order import OrderState, OrderType, Purpose, TimeInForce
from pilothouse.fleet.answer import AnswerState
from pilothouse.fleet.store import SignalState
from pilothouse.kit.exact_json import encoded

Row = TypeVar("Row")

Amount = Annotated[
    str,
    StringConstraints(pattern=r"^-?[0-9]{1,30}(\.[0-9]{1,18})?$"),
    Field(description="An exact decimal, as text.", examples=["0.01"]),
]
Wanted = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{1,20}(\.[0-9]{1,18})?$"),
    Field(description="An exact decimal, zero or more, as text.", examples=["0.01"]),
]
Instant = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-21T09:30:00.123456Z"])]
Id = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,64}$"), Field(examples=["ord_0006441e8b0c4d2f0000a1b2c3d4"])
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
SymbolText = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$"), Field(examples=["BTCUSDT"])
]


def answer(content: object, status: int = HTTPStatus.OK) -> Response:
    """Return plain data as a JSON answer; decimals become text, instants ISO 8601."""
    return Response(encoded(content), status, media_type="application/json")


class Asked(BaseModel):
    """What somebody sends: unknown fields are refused, so that a misspelt one is not overlooked."""

    model_config = ConfigDict(extra="forbid")


class Page(BaseModel, Generic[Row]):
    """One page of a list, newest first where it has an order."""

    items: list[Row]
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last one.")


# ── Problems ──────────────────────────────────────────────────────────────────────────────────────


class WrongField(BaseModel):
    """One wrong field: which, what came and what is allowed, and the kind of fault."""

    field: str = Field(examples=["quantity"])
    message: str = Field(examples=["quantity: '-1' came; a number above zero"])
    type: str = Field(examples=["invalid_value"])


class ProblemDocument(BaseModel):
    """A problem document (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:pilothouse:problem:order_not_found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no order 'ord_1'"])
    code: str = Field(examples=["order_not_found"])
    request_id: str = Field(examples=["req_0006441e8b0c4d2f0000a1b2c3d4"])
    errors: list[WrongField] | None = None


_WORDS: Mapping[int, str] = {
    400: "What came does not have the right form; every wrong field is named.",
    401: "No valid token came.",
    403: "The token is not good for this.",
    404: "There is no such thing, or it is somebody else's.",
    408: "The body did not arrive in time.",
    409: "It contradicts what is there.",
    413: "The body is too large.",
    422: "It was understood and refused: by the risk gate, the venue, or because the Idempotency-Key was used before.",
    429: "Too often.",
    500: "A fault of this house; nothing can be said but its request id.",
    503: "It did not happen and may be asked again.",
    504: "Nobody can say whether it happened: look before asking again.",
}


def refusals(*statuses: int, model: type[BaseModel] = ProblemDocument) -> dict[int | str, dict[str, Any]]:
    """Return how an operation may be refused, for the contract."""
    media = "application/problem+json"
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {status: {"description": _WORDS[status], "content": {media: {"schema": schema}}} for status in statuses}


REFUSALS = refusals(*_WORDS)
LOOKING = refusals(400, 401, 403, 404, 413, 500, 503)
ACTING = refusals(400, 401, 403, 404, 409, 413, 422, 500, 503, 504)


# ── System ────────────────────────────────────────────────────────────────────────────────────────


class Alive(BaseModel):
    """The process answers."""

    status: str = Field(examples=["alive"])
    version: str = Field(examples=["0.1.0"])


class CheckShown(BaseModel):
    """One thing that was looked at."""

    ok: bool
    words: str = Field(examples=["answers, at revision 0001"])


class Readiness(BaseModel):
    """Whether alerts can be taken."""

    status: Literal["ready", "not_ready"]
    checks: dict[str, CheckShown]


class Health(BaseModel):
    """How the house is."""

    status: Literal["healthy", "degraded", "unhealthy"]
    timestamp: int = Field(description="Milliseconds since 1970.", examples=[1795239028454])
    version: str = Field(examples=["0.1.0"])
    markets: dict[str, str] = Field(examples=[{"paper": "simulated market, its prices are made up"}])
    checks: dict[str, CheckShown]


# ── Orders and signals ────────────────────────────────────────────────────────────────────────────


class EventShown(BaseModel):
    """One line of an order's timeline."""

    id: int
    at: Instant
    event: str = Field(examples=["fill_rest"])
    state: OrderState
    detail: str


class OrderShown(BaseModel):
    """One order."""

    id: Id
    account_id: Id
    hook_id: Id | None
    signal_id: Id | None
    client_order_id: str = Field(examples=["ph4VN5FKUPNSGKQSD7BJPRVCW4QCXW"])
    venue_order_id: str | None = Field(examples=["1"])
    symbol: str = Field(examples=["BTCUSDT"])
    side: Literal["BUY", "SELL"]
    type: OrderType
    time_in_force: TimeInForce
    quantity: Amount
    price: Amount | None
    stop_price: Amount | None
    reduce_only: bool
    purpose: Purpose
    reason: str = Field(description="Why it was made.")
    state: OrderState
    filled_quantity: Amount
    average_price: Amount | None
    commission: Amount
    decided_price: Amount = Field(description="The mark price when it was decided.")
    outcome: str | None = Field(description="Why it ended, where the venue said so.")
    cancel_asked_at: Instant | None
    changing: bool = Field(description="Whether another price or size was asked for and is not known to stand yet.")
    replaced_by: Id | None = Field(description="The order that took its place when it was changed.")
    created_at: Instant
    sent_at: Instant | None
    updated_at: Instant


class OrderWithTimeline(OrderShown):
    """One order with everything that happened to it, oldest first."""

    timeline: list[EventShown]


KindAsked = Literal[
    OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_MARKET, OrderType.TAKE_PROFIT,
    OrderType.TAKE_PROFIT_MARKET,
]  # fmt: skip
"""The kinds of orders that may be placed by hand; trailing ones are placed for a position that is to be protected."""


class OrderAsked(Asked):
    """An order by hand. Prices and quantities are decimals as text."""

    symbol: SymbolText
    side: Literal["BUY", "SELL"]
    type: KindAsked = OrderType.MARKET
    quantity: Wanted
    price: Wanted | None = Field(default=None, description="For LIMIT, STOP and TAKE_PROFIT.", examples=["60000"])
    stop_price: Wanted | None = Field(
        None, description="The trigger, for all but MARKET and LIMIT.", examples=["59000"]
    )
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}},
    )


class ChangeAsked(Asked):
    """What a resting order is to be; what is left out stays as it is."""

    price: Wanted | None = Field(default=None, description="Its new limit.", examples=["60000"])
    stop_price: Wanted | None = Field(default=None, description="Its new trigger.", examples=["58000"])
    quantity: Wanted | None = Field(
        default=None, description="Its new size, with what has filled already.", examples=["0.02"]
    )

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"price": "60000"}})


class CancelAllAsked(Asked):
    """Which orders; all of the account if no symbol is named."""

    symbol: SymbolText | None = None
    protective_too: bool = Field(default=False, description="Also stop-losses and take-profits of open positions.")


class Counted(BaseModel):
    """How many were asked for."""

    asked: int


class Latency(BaseModel):
    """Milliseconds from the receipt of the alert; null where it has not come so far."""

    to_send_ms: int | None
    to_fill_ms: int | None


class SignalShown(BaseModel):
    """One alert and what became of it."""

    id: Id
    account_id: Id
    hook_id: Id
    door: str = Field(description="Where it came in.", examples=["/webhook/tradingview"])
    kind: str | None = Field(examples=["open"])
    symbol: str | None = Field(examples=["BTCUSDT"])
    signal: dict[str, Any] | None = Field(description="What it asks for, as it was understood.")
    received_at: Instant
    changed_at: Instant
    state: SignalState
    outcome: AnswerState = Field(description="What its sender is told by now.")
    outcome_message: str
    code: str | None = Field(description="Why it was refused.")
    message: str
    detail: Any = Field(description="Wrong fields, broken limits, or what a dry hook would have done.")
    deliveries: int = Field(description="How often it came; it was done once.")
    latency: Latency
    orders: list[OrderShown]
    protective: list[OrderShown]


class SignalWithBody(SignalShown):
    """One alert with its body, secrets masked, and the timelines of its orders."""

    body: Any
    orders: list[OrderWithTimeline]  # type: ignore[assignment]  # a narrower list of the same field
    protective: list[OrderWithTimeline]  # type: ignore[assignment]  # as above


# ── What an account holds ─────────────────────────────────────────────────────────────────────────


class PositionShown(BaseModel):
    """One position: quantities and results by our books, margin by the venue."""

    account_id: Id
    symbol: str = Field(examples=["BTCUSDT"])
    quantity: Amount = Field(description="Base; below zero is short.")
    cost: Amount
    entry_price: Amount
    mark_price: Amount
    unrealised: Amount
    notional: Amount
    leverage: int | None
    margin_type: Literal["ISOLATED", "CROSSED"] | None
    liquidation_price: Amount | None
    isolated_margin: Amount | None
    opened_at: Instant | None
    protection_stands: bool | None = Field(
        description="Whether the stop and targets that were asked for stand; null: none were, or nobody can say."
    )
    unprotected_s: Amount | None = Field(description="For how long it has been without them, this time, in seconds.")
    unprotected_total_s: Amount | None = Field(description="The same in all.")
    simulated: bool = Field(description="Whether it is paper money.")


class BalanceShown(BaseModel):
    """What an account has of one currency."""

    account_id: Id
    asset: str = Field(examples=["USDT"])
    wallet: Amount = Field(description="As the venue has it.")
    booked_wallet: Amount = Field(description="As our books have it.")
    available: Amount
    cross_wallet: Amount
    unrealised: Amount
    equity: Amount
    initial_margin: Amount
    maintenance_margin: Amount
    simulated: bool


class EquityShown(BaseModel):
    """What an account was worth at one instant."""

    at: Instant
    wallet: Amount
    unrealised: Amount
    equity: Amount


class FillShown(BaseModel):
    """One fill as it is booked."""

    id: Id
    account_id: Id
    order_id: Id | None
    hook_id: Id | None
    symbol: str
    venue_trade_id: str
    venue_order_id: str
    client_order_id: str | None
    side: Literal["BUY", "SELL"]
    price: Amount
    quantity: Amount
    notional: Amount
    commission: Amount
    commission_currency: str
    realised: Amount
    maker: bool
    at: Instant
    booked_at: Instant


# ── The market ────────────────────────────────────────────────────────────────────────────────────


class InstrumentShown(BaseModel):
    """What may be traded, and in what steps."""

    venue: str = Field(examples=["paper"])
    symbol: str = Field(examples=["BTCUSDT"])
    base: str
    quote: str
    tick: Amount
    lot: Amount
    quantity_min: Amount
    quantity_max: Amount
    notional_min: Amount
    price_min: Amount
    price_max: Amount
    leverage_max: int
    simulated: bool


class QuoteShown(BaseModel):
    """Best prices now."""

    venue: str = Field(examples=["paper"])
    symbol: str = Field(examples=["BTCUSDT"])
    bid: Amount
    ask: Amount
    mark: Amount
    last: Amount
    at: Instant
    source: str = Field(examples=["simulated"])
    simulated: bool
