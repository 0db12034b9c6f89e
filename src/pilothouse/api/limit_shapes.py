"""What goes over the wire of limits; what each of them means stands in `core/limits.py`."""

from typing import Literal

from pydantic import BaseModel, Field

from pilothouse.api.shapes import Amount, Asked, Id, Instant, SymbolText, Text, Wanted


class LimitValuesShown(BaseModel):
    """Limits by name; null: not limited."""

    order_quantity_max: Amount | None = Field(default=None, description="Size of one order; base.")
    order_notional_max: Amount | None = Field(default=None, description="Worth of one order; quote.")
    position_equity_ratio_max: Amount | None = Field(
        default=None,
        description="Position in one instrument, with what is under way, as a multiple of equity; x equity.",
    )
    position_notional_max: Amount | None = Field(
        default=None, description="Worth of the position in one instrument, with what is under way; quote."
    )
    gross_notional_max: Amount | None = Field(
        default=None, description="Worth of all positions, long and short added up; quote."
    )
    net_notional_max: Amount | None = Field(
        default=None, description="Worth of all positions, short taken from long; quote."
    )
    leverage_max: Amount | None = Field(
        default=None, description="Worth of all positions as a multiple of equity; x equity."
    )
    open_orders_max: int | None = Field(default=None, description="Orders that rest or are under way; orders.")
    orders_per_second_max: int | None = Field(default=None, description="Orders within a second; orders.")
    orders_per_minute_max: int | None = Field(default=None, description="Orders within 60 seconds; orders.")
    orders_per_day_max: int | None = Field(default=None, description="Orders since midnight UTC; orders.")
    notional_per_second_max: Amount | None = Field(default=None, description="Worth of orders within a second; quote.")
    notional_per_minute_max: Amount | None = Field(
        default=None, description="Worth of orders within 60 seconds; quote."
    )
    notional_per_day_max: Amount | None = Field(default=None, description="Worth of orders since midnight UTC; quote.")
    repeats_per_minute_max: int | None = Field(
        default=None, description="Equal orders within 60 seconds: same instrument, side, kind, size and price; orders."
    )
    price_collar_percent: Amount | None = Field(
        default=None, description="How far the limit price lies from the mark on the losing side; percent."
    )
    quote_age_max_s: Amount | None = Field(default=None, description="Age of the price it is decided by; s.")
    spread_percent_max: Amount | None = Field(default=None, description="Ask above bid, percent of the mark; percent.")
    daily_loss_percent_max: Amount | None = Field(
        default=None,
        description="Loss since midnight UTC, open result, fees and funding in, percent of the equity then; percent.",
    )
    drawdown_percent_max: Amount | None = Field(
        default=None,
        description="Loss from the highest equity so far, open result, fees and funding in, percent of it; percent.",
    )
    losses_in_a_row_max: int | None = Field(
        default=None, description="Closing orders of this UTC day that lost, with none that won behind them; losses."
    )
    cooldown_s: Amount | None = Field(default=None, description="Time since the last loss; s.")
    symbols: list[SymbolText] | None = Field(default=None, description="Which instruments may be traded.")
    hours: str | None = Field(
        default=None, description="When exposure may be added; UTC.", examples=["mon-fri 08:00-16:30"]
    )
    self_trade_quantity_max: Amount | None = Field(
        default=None, description="How much of the account's own resting orders it would meet; base."
    )


class LimitsShown(LimitValuesShown):
    """What one account, or a bot on it, allows: the tightest of house, user, account and bot."""

    account_id: Id
    warnings: LimitValuesShown = Field(description="At which a person is told; nothing is stopped.")


class LimitValues(Asked):
    """Limits to set; what is left out stays."""

    order_quantity_max: Wanted | None = None
    order_notional_max: Wanted | None = None
    position_equity_ratio_max: Wanted | None = None
    position_notional_max: Wanted | None = None
    gross_notional_max: Wanted | None = None
    net_notional_max: Wanted | None = None
    leverage_max: Wanted | None = None
    open_orders_max: int | None = Field(default=None, ge=1, le=1_000_000)
    orders_per_second_max: int | None = Field(default=None, ge=1, le=1_000_000)
    orders_per_minute_max: int | None = Field(default=None, ge=1, le=1_000_000)
    orders_per_day_max: int | None = Field(default=None, ge=1, le=1_000_000)
    notional_per_second_max: Wanted | None = None
    notional_per_minute_max: Wanted | None = None
    notional_per_day_max: Wanted | None = None
    repeats_per_minute_max: int | None = Field(default=None, ge=1, le=1_000_000)
    price_collar_percent: Wanted | None = None
    quote_age_max_s: Wanted | None = None
    spread_percent_max: Wanted | None = None
    daily_loss_percent_max: Wanted | None = None
    drawdown_percent_max: Wanted | None = None
    losses_in_a_row_max: int | None = Field(default=None, ge=1, le=1_000)
    cooldown_s: Wanted | None = None
    symbols: list[SymbolText] | None = Field(default=None, min_length=1, max_length=500)
    hours: Text | None = Field(default=None, examples=["mon-fri 08:00-16:30"])
    self_trade_quantity_max: Wanted | None = None


class LimitsAsked(LimitValues):
    """Limits and warnings to set or to take away; what is left out stays."""

    warnings: LimitValues = Field(default_factory=LimitValues, description="At which a person is told.")
    clear: list[Text] = Field(default_factory=list, max_length=50, description="Limits to take away.")
    clear_warnings: list[Text] = Field(default_factory=list, max_length=50, description="Warnings to take away.")
    reason: Text = Field(default="by hand", description="Why; it is kept with the change.")


class LaterShown(BaseModel):
    """A limit that was loosened and does not hold yet."""

    which: Literal["stop", "warn"]
    name: str
    value: str | int | list[str] | None
    holds_from: Instant


class LimitLevelShown(BaseModel):
    """What one level says by itself."""

    level: Literal["house", "user", "account", "bot"]
    scope_id: str
    account_id: Id | None
    limits: LimitValuesShown
    warnings: LimitValuesShown
    later: list[LaterShown]


class LimitChangeShown(BaseModel):
    """One change of a limit: who, what, why, and from when on it holds."""

    id: Id
    level: Literal["house", "user", "account", "bot"]
    scope_id: str
    name: str
    which: Literal["stop", "warn"]
    was: str | None
    became: str | None
    at: Instant
    holds_from: Instant
    by: str
    why: str


class AnewAsked(Asked):
    """Why; it is kept with the change."""

    reason: Text = Field(default="by hand")


class RuleShown(BaseModel):
    """One question of the risk gate."""

    code: str = Field(description="Stands in denials and warnings.")
    limit: str = Field(description="The limit that is set for it.")
    asks: str
    unit: str
    lowest: Amount | None
    highest: Amount | None
    reducing: bool = Field(description="Whether an order that only reduces is asked too.")
    own: bool = Field(description="Whether a bot's limit counts what the bot itself did.")
    kernels: bool = Field(description="Whether a compiled backtest asks it by itself.")
