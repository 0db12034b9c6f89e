"""What goes over the wire of strategies and backtests, field by field, for the contract and its examples."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StrictBool, StrictFloat, StrictInt, StrictStr, StringConstraints

from pilothouse.api.shapes import Asked, Id, Instant, SymbolText, Wanted
from pilothouse.backtest.store import Kind, State
from pilothouse.core.clock import millis
from pilothouse.core.errors import Invalid, Problem

StrategyName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,120}$"), Field(examples=["ema-cross"], description="Its name.")
]
Word = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Hash = Annotated[str, Field(examples=["d95aff906ec6cd078f1f7894fb4276fad203f20667a68b6f090f66f3eb55cf2a"])]
Number = Annotated[str | None, Field(description="A number as text; null where it is not defined.", examples=["1.5"])]
Slippage = Literal["fixed", "spread", "volume", "impact"]
Value = StrictBool | StrictInt | StrictFloat | StrictStr


# ── What is asked ─────────────────────────────────────────────────────────────────────────────────


class CheckAsked(Asked):
    """Candles and parameters: those that the house keeps (venue, symbols, timeframe), or files."""

    params: dict[Annotated[str, StringConstraints(max_length=60)], Value] = Field(
        default={}, max_length=100, description="Parameters by name; what is left out has its default."
    )
    venue: str = Field(default="", max_length=200, examples=["binance"], description="Whose candles.")
    symbols: list[SymbolText] = Field(
        default=[], max_length=100, description="The first is traded, others may be looked at.", examples=[["BTCUSDT"]]
    )
    timeframe: str = Field(default="", max_length=10, examples=["1h"])
    files: list[Word] = Field(
        default=[],
        max_length=20,
        description="Instead of a venue: names of files in `files/` of the data folder, or upload:NAME of files that "
        "you sent to `/candle-files`; SYMBOL= may stand before either.",
    )
    start: Instant | None = Field(default=None, description="Only bars that open from then on.")
    until: Instant | None = Field(default=None, description="Only bars that close by then; null: by now.")
    timezone: Word | None = Field(default=None, description="Of files whose times name none.")
    bar: Word | None = Field(default=None, description="How long a bar of a file is, if it does not say.")
    leave_out: list[Word] = Field(default=[], max_length=20, description="Kinds of faulty rows of files to leave out.")


class TierAsked(Asked):
    """Other fees for who trades much."""

    volume: Wanted = Field(description="Quote currency traded in 30 days, from which on they hold.")
    maker: Wanted = Field(description="Percent.")
    taker: Wanted = Field(description="Percent.")


class CostsAsked(Asked):
    """What differs in one market; null: as for the whole run."""

    maker: Wanted | None = None
    taker: Wanted | None = None
    slippage: Wanted | None = None
    slip: Slippage | None = None
    slip_ticks: int | None = Field(default=None, ge=0, le=1_000_000)
    borrow: Wanted | None = None
    maintenance: Wanted | None = None
    liquidation: Wanted | None = None


class RunAsked(CheckAsked):
    """A backtest: what `pilothouse backtest run` takes, by the same names."""

    strategy: StrategyName
    capital: Wanted = "10000"
    maker: Wanted = Field(default="0.02", description="Fee of orders that rest, percent.")
    taker: Wanted = Field(default="0.05", description="Fee of orders that take, percent.")
    tiers: list[TierAsked] = Field(default=[], max_length=20, description="The smallest volume first.")
    slippage: Wanted = Field(default="0.01", description="How much worse than the price one fills, percent.")
    slip: Slippage = Field(
        default="fixed",
        description="Of slippage: fixed; spread: half of it; volume, impact: by the square, the root of the share that "
        "an order has in the volume of its bar.",
    )
    slip_ticks: int = Field(default=0, ge=0, le=1_000_000, description="Ticks of slippage besides: fixed or spread.")
    borrow: Wanted = Field(default="0", description="Interest on what is borrowed, percent a year.")
    maintenance: Wanted = Field(
        default="0.5", description="Share of its worth that a position must keep, or it is liquidated, percent."
    )
    liquidation: Wanted = Field(default="0", description="What a forced close costs beside the fee, percent.")
    market_costs: dict[SymbolText, CostsAsked] = Field(
        default={},
        max_length=100,
        description="Of single markets, where they differ.",
        examples=[{"ETHUSDT": {"taker": "0.04"}}],
    )
    leverage: int = Field(default=1, ge=1, le=200)
    margin: Literal["isolated", "cross"] = "isolated"
    markets: list[SymbolText] = Field(
        default=[], max_length=100, description="Trade these on one account; the first of the candles alone if empty."
    )
    positions: int = Field(default=0, ge=0, le=10_000, description="Open at once; 0: one for each market.")
    rank: Literal["column", "first"] = Field(default="column", description="Who goes first where not all fit.")
    hedge: bool = Field(default=False, description="Hold an instrument long and short at once.")
    limits: dict[Annotated[str, StringConstraints(max_length=60)], Annotated[str, StringConstraints(max_length=60)]] = (
        Field(
            default={}, max_length=50, description="Limits of the risk gate, as `pilothouse limits rules` names them."
        )
    )
    lot: Wanted | None = Field(default=None, description="Smallest step of a size, base.")
    fill: Literal["open", "close"] = Field(default="open", description="Open of the next bar, or close of the same.")
    latency: int = Field(default=0, ge=0, le=1_000, description="Bars between a decision and its order.")
    latency_ms: int = Field(default=0, ge=0, le=86_400_000, description="The same in milliseconds; needs `inside`.")
    funding: list[Word] = Field(
        default=[], max_length=100, examples=[["BTCUSDT=BTCUSDT-fundingRate-2024-01.zip"]],
        description="History of funding: files of rates, SYMBOL=NAME or NAME; SYMBOL=none of a market that pays none. "
        "Left out: what is kept of the venue; none: not even that.",
    )  # fmt: skip
    inside: Word | Annotated[list[Word], Field(max_length=100)] | None = Field(
        default=None,
        examples=["1m"],
        description="Walk inside the bars: a length of kept candles, the name of a file, or trades:NAME; of several "
        "markets a list of SYMBOL=NAME or SYMBOL=trades:NAME.",
    )
    volume_share: Wanted | None = Field(default=None, description="At most so much of a bar's volume fills, percent.")
    size: Word | None = Field(default=None, examples=["1% risk"])
    stop: Word | None = Field(default=None, examples=["2%"])
    take: Word | None = Field(default=None, examples=["2%:0.5,4%:0.5"])
    trail: Word | None = Field(default=None, examples=["1.5atr"])


class OneAsked(RunAsked):
    """One backtest."""

    orders: bool | None = Field(
        default=None,
        description="Keep every order too: it is run once more for that, turn by turn. null: of up to 300,000 bars.",
    )


class SweepAsked(RunAsked):
    """A search over parameters."""

    over: list[Word] = Field(
        default=[], max_length=20, description="What is tried; every parameter by its steps if empty.",
        examples=[["fast=5..50:5", "slow=50,100"]],
    )  # fmt: skip
    random: int = Field(default=0, ge=0, le=1_000_000, description="Draw so many combinations; 0: try all.")
    optuna: int = Field(default=0, ge=0, le=100_000, description="Let Optuna choose so many; sweeps only.")
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    score: str = Field(default="sharpe", max_length=40)


class WalkAsked(SweepAsked):
    """A walk forward: `train` and `test`; or `folds`, each examined once and taught by all others."""

    train: int = Field(default=0, ge=0, le=10**9, description="Bars of a lesson.")
    test: int = Field(default=0, ge=0, le=10**9, description="Bars of an examination.")
    folds: int = Field(default=0, ge=0, le=16, description="Instead: so many parts of history, 2 to 16.")
    embargo: int = Field(default=0, ge=0, le=10**9, description="Bars left out behind an examination, with folds.")
    anchored: bool = Field(default=False, description="Lessons begin with the first bar and grow.")
    purge: int = Field(default=0, ge=0, le=10**9, description="Bars left out between the two.")


class ChanceAsked(Asked):
    """Other lives of one backtest."""

    runs: int = Field(default=1_000, ge=1, le=100_000)
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    block: Wanted = Field(default="20", description="Mean length of what stays together, days.")


class BoundsAsked(Asked):
    """Bounds of one user; null: as the house says."""

    user_id: Id | None = Field(default=None, description="Whose; your own if left out.")
    at_once: int | None = Field(default=None, ge=0, le=10**9)
    per_day: int | None = Field(default=None, ge=0, le=10**9)
    work: int | None = Field(default=None, ge=0, le=10**15)


def plain_of(asked: CheckAsked, strategy: str = "") -> dict[str, Any]:
    """Return a request as plain data in which every field stands; raises Invalid for an instant that is none."""
    whole = asked if isinstance(asked, RunAsked) else RunAsked(strategy=strategy, **asked.model_dump())
    told = whole.model_dump()
    told["params"] = {name: repr(each) if isinstance(each, float) else each for name, each in whole.params.items()}
    told["market_costs"] = {
        symbol: {name: each for name, each in own.items() if each is not None}
        for symbol, own in told["market_costs"].items()
    }
    for name in ("start", "until"):
        told[f"{name}_ms"] = _millis(name, told.pop(name))
    return told


def _millis(field: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return millis(found.replace(tzinfo=UTC) if found.tzinfo is None else found)
    except (ValueError, OverflowError):
        raise Invalid([Problem(field, f"{text[:40]!a} came", "an instant such as 2026-01-01T00:00:00Z")]) from None


# ── What is shown ─────────────────────────────────────────────────────────────────────────────────


class StrategyShown(BaseModel):
    """One strategy in a list."""

    name: StrategyName
    title: str
    kind: str = Field(examples=["trend"])
    instruments: str = Field(description="one; two: it needs another one; many: it compares itself with others.")
    written: str = Field(description="columns, or turns")
    source: str = Field(description="built in, or own folder")
    trusted: bool = Field(description="It runs without walls where the kernel has none; else only behind them.")
    version: Hash = Field(description="SHA-256 over its source and what that stands on.")
    warm_up: int | None = Field(description="Bars before its first signal, with its defaults; null: it needs none.")


class StrategyWhole(StrategyShown):
    """One strategy with its page."""

    idea: str = Field(description="Why it should earn anything.")
    fails: str = Field(description="When it loses.")
    rule: str
    parameters: dict[str, Any] = Field(description="JSON Schema of its parameters.")


class BrokenShown(BaseModel):
    """A file that cannot be used; it hurts no other."""

    file: str
    line: int = Field(description="0 where that is not known.")
    reason: str


class StrategyList(BaseModel):
    """Every strategy, and the files that are broken."""

    items: list[StrategyShown]
    broken: list[BrokenShown]
    next_cursor: str | None


class BacktestShown(BaseModel):
    """One backtest in a list."""

    id: Id
    address: str = Field(examples=["/api/v1/backtests/bt_0006441e8b0c4d2f0000a1b2c3d4"])
    kind: Kind
    strategy: StrategyName
    name: Hash = Field(description="SHA-256 of everything the result depends on.")
    state: State
    progress: str = Field(description="0 to 1.", examples=["0.25"])
    found: bool = Field(description="The result was there already and was not made anew.")
    bars: int
    combinations: int
    error: str | None
    metrics: dict[str, Number] | None = Field(description="Of a run that is done.")
    requested_by: str
    created_at: Instant
    started_at: Instant | None
    finished_at: Instant | None


class BacktestWhole(BacktestShown):
    """One backtest with everything that is small."""

    asked: dict[str, Any] = Field(description="The request, with everything that was not said filled in.")
    spec: str | None = Field(description="What is run, as canonical JSON: the SHA-256 of a run's is its name.")
    engine: int | None = Field(description="Number of the engine.")
    data: dict[str, Hash] | None = Field(description="SHA-256 of the candles by symbol.")
    result: dict[str, Any] | None = Field(description="What came of it, by kind; null until it is done.")


class TradeShown(BaseModel):
    """One trade; times in UTC, money exact."""

    number: int
    symbol: str
    side: str
    entry_time: str
    exit_time: str
    bars: int
    quantity: str
    entry_price: str
    exit_price: str
    result: str
    result_share: Number
    fees: str
    funding: str
    entry_reason: str
    exit_reason: str
    worst_price: str
    best_price: str
    tag: str


class OrderShown(BaseModel):
    """One order that a run made, or would have made; times in UTC, money exact."""

    number: int
    symbol: str
    made: str = Field(
        description="When it was decided: at the close of a bar, or at the opening of the one it came in."
    )
    ended: str | None = Field(description="null: it stood when the run ended.")
    name: str = Field(description="What the strategy called it; of rules: entry, stop, target, leave.")
    side: str
    type: str = Field(examples=["market", "limit", "stop", "stop_limit", "trailing_stop", "liquidation"])
    quantity: str | None = Field(description="null: all that is held; or it was stopped before it had a size.")
    limit_price: str | None
    trigger_price: str | None
    trail: str | None = Field(description="Distance at which a trigger follows the best price.")
    last_price: str | None = Field(description="Where it stood last, after its moves.")
    moves: int
    reduce_only: bool
    reason: str = Field(examples=["signal", "flip", "leave", "stop", "trail", "break_even", "target", "time"])
    outcome: str = Field(
        examples=["filled", "cut", "canceled", "replaced", "expired", "denied", "too_small", "unpaid", "open"]
    )
    filled: str
    average_price: str | None
    fees: str
    stopped_by: str = Field(description="What stopped or ended it, in words.")


class FillShown(BaseModel):
    """One fill; money exact."""

    number: int
    order: int | None = Field(description="Number of its order; null where orders are not kept.")
    trade: int
    symbol: str
    bar_time: str = Field(description="Opening of the bar in which it happened, UTC.")
    side: str
    quantity: str
    price: str
    value: str
    fee: str
    liquidity: str = Field(examples=["maker", "taker"])
    reason: str


class EquityShown(BaseModel):
    """Equity and what was held at the close of a bar."""

    time: str = Field(examples=["2024-01-02 00:00:00"])
    equity: str
    drawdown: str = Field(description="0 to 1 of the highest equity before.")
    gross_notional: str | None = Field(description="Worth of all that was held; null: an older run did not keep it.")
    net_notional: str | None = Field(description="Long less short.")
    gross_exposure: Number = Field(description="Share of equity; 1 is as much as the account is worth.")
    net_exposure: Number


class TrialShown(BaseModel):
    """One combination of a search."""

    name: Hash
    params: dict[str, Any]
    metrics: dict[str, Number]
    denied: int = Field(description="How many of its orders the risk gate stopped.")
    error: str | None


class Compared(BaseModel):
    """Several backtests side by side."""

    items: list[BacktestShown]
    metrics: dict[str, list[Number]] = Field(description="By name; one number for each of `items`, in their order.")


class BoundShown(BaseModel):
    """One bound."""

    limit: int
    used: int
    said_by: Literal["house", "user"]


class BoundsShown(BaseModel):
    """What one user may ask for, and has asked for."""

    user_id: Id
    at_once: BoundShown
    per_day: BoundShown
    work: BoundShown
