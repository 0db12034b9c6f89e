"""Candles as they go over the wire, field by field."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pilothouse.api.shapes import Amount, Asked, Instant, Page, SymbolText

VenueText = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$"), Field(examples=["paper"])
]
TimeframeText = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,3}[smhdwM]$"), Field(examples=["1m"])]
Millis = Annotated[int, Field(ge=0, le=99_999_999_999_999, examples=[1_767_225_600_000])]
SpanPair = Annotated[list[int], Field(min_length=2, max_length=2, examples=[[1_767_225_600_000, 1_767_312_000_000]])]


class CandleShown(BaseModel):
    """One closed candle."""

    opened_at: Instant
    open: Amount
    high: Amount
    low: Amount
    close: Amount
    volume: Amount = Field(description="Base.")


class MissingShown(BaseModel):
    """A stretch without candles."""

    start: Instant
    until: Instant
    why: str = Field(description="not_asked, venue_has_none or lost", examples=["venue_has_none"])


class CandlePage(Page[CandleShown]):
    """One page of candles, oldest first, and what is missing in the time that it spans."""

    venue: str
    symbol: str
    timeframe: str
    source: str = Field(description="The length that is kept; the candles are put together from it.", examples=["1m"])
    missing: list[MissingShown]


class SpanShown(BaseModel):
    """A stretch of time."""

    start: Instant
    until: Instant


class GapShown(SpanShown):
    """A stretch in which the venue had no candle when it was asked."""

    asked_at: Instant


class CoverageShown(BaseModel):
    """What is kept of one series."""

    venue: str
    symbol: str
    timeframe: str
    start: Instant | None
    until: Instant | None
    candles: int
    covered: list[SpanShown] = Field(description="For which time the venue was asked.")
    gaps: list[GapShown]
    missing: int = Field(description="How many the venue does not have.")
    not_asked: int = Field(description="How many between first and last nobody asked for.")
    conflicts: int = Field(description="How many were told twice, differently.")
    followed: bool
    error: str | None = Field(description="Why the newest of what is followed is not there.")


class SeriesAsked(Asked):
    """A series."""

    venue: VenueText
    symbol: SymbolText
    timeframe: TimeframeText


class PlanAsked(SeriesAsked):
    """What is wanted."""

    start: Instant
    until: Instant | None = None
    again: bool = Field(default=False, description="Also what was asked before.")

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"venue": "paper", "symbol": "BTCUSDT", "timeframe": "1m", "start": "2026-01-01T00:00:00Z"}
        },
    )


class PlanShown(BaseModel):
    """What is to be fetched for it."""

    venue: str
    symbol: str
    timeframe: str = Field(description="The length to fetch.")
    wanted: str
    window: SpanPair
    spans: list[SpanPair] = Field(description="What the venue has not answered yet, in milliseconds since 1970.")
    candles: int
    unasked: int


class FetchAsked(SeriesAsked):
    """One question to the venue."""

    start_ms: Millis
    until_ms: Millis
    replace: bool = Field(default=False, description="Where it tells a candle differently, take the new one.")

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "venue": "paper",
                "symbol": "BTCUSDT",
                "timeframe": "1m",
                "start_ms": 1_767_225_600_000,
                "until_ms": 1_767_312_000_000,
            }
        },
    )


class FetchedShown(BaseModel):
    """What it answered."""

    settled: list[SpanPair] = Field(description="For which time it has answered; ask again for the rest.")
    candles: int
    fresh: int
    missing: int
    conflicts: int


class FollowAsked(SeriesAsked):
    """What to fetch as it closes."""

    since: Instant | None = Field(default=None, description="From when on; now if left out.")

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"venue": "paper", "symbol": "BTCUSDT", "timeframe": "1m"}}
    )


class UnfollowAsked(SeriesAsked):
    """What to follow no more."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"venue": "paper", "symbol": "BTCUSDT", "timeframe": "1m"}}
    )


class FollowShown(BaseModel):
    """Whether a series is followed now."""

    venue: str
    symbol: str
    timeframe: str
    followed: bool
    wanted: str | None = None
    since: Instant | None = None


class RateShown(BaseModel):
    """One funding rate that was settled."""

    at: Instant = Field(description="When it was due.")
    rate: Amount = Field(description="A share: longs paid it to shorts.", examples=["0.0001"])


class RatePage(Page[RateShown]):
    """One page of funding rates, oldest first, and where rates are missing in the time that it spans."""

    venue: str
    symbol: str
    missing: list[MissingShown]


class RateCoverage(BaseModel):
    """What is kept of the funding rates of one perpetual."""

    venue: str
    symbol: str
    timeframe: str = Field(examples=["funding"])
    start: Instant | None
    until: Instant | None
    rates: int
    covered: list[SpanShown] = Field(description="For which time the venue was asked.")
    gaps: list[GapShown] = Field(description="Where, by what was usual around it, a rate is missing.")
    conflicts: int = Field(description="How many were told twice, differently.")
    followed: bool
    error: str | None = Field(description="Why the newest of what is followed is not there.")


class RatesAsked(Asked):
    """A perpetual."""

    venue: VenueText
    symbol: SymbolText

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"venue": "paper", "symbol": "BTCUSDT"}})


class RatePlanAsked(RatesAsked):
    """What is wanted."""

    start: Instant
    until: Instant | None = None
    again: bool = Field(default=False, description="Also what was asked before.")

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"venue": "paper", "symbol": "BTCUSDT", "start": "2026-01-01T00:00:00Z"}},
    )


class RatePlan(BaseModel):
    """What is to be fetched for it."""

    venue: str
    symbol: str
    timeframe: str
    wanted: str
    window: SpanPair
    spans: list[SpanPair] = Field(description="What the venue has not answered yet, in milliseconds since 1970.")
    hours: int
    unasked: int = Field(description="Hours.")


class RateFetchAsked(RatesAsked):
    """One question to the venue."""

    start_ms: Millis
    until_ms: Millis
    replace: bool = Field(default=False, description="Where it tells a rate differently, take the new one.")

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "venue": "paper",
                "symbol": "BTCUSDT",
                "start_ms": 1_767_225_600_000,
                "until_ms": 1_767_312_000_000,
            }
        },
    )


class RatesFetched(BaseModel):
    """What it answered."""

    settled: list[SpanPair] = Field(description="For which time it has answered; ask again for the rest.")
    rates: int
    fresh: int
    missing: int = Field(description="Stretches without a rate where one should be.")
    conflicts: int


class RateFollowAsked(RatesAsked):
    """Whose rates to fetch as they are settled."""

    since: Instant | None = Field(default=None, description="From when on; now if left out.")


class RatesFollowed(BaseModel):
    """Whether the rates of a perpetual are followed now."""

    venue: str
    symbol: str
    timeframe: str
    followed: bool
    wanted: str | None = None
    since: Instant | None = None


class GapInFile(BaseModel):
    """A stretch without candles in a file."""

    start: str
    until: str
    candles: int


class GapsInFile(BaseModel):
    """What is missing between the first candle and the last; they stay gaps."""

    count: int
    candles: int
    first: list[GapInFile] = Field(description="The first few.")


class FaultInFile(BaseModel):
    """Faulty rows of one kind."""

    rows: int
    first: list[int] = Field(description="The first few, by number; the first row is 1.")


class CandleFile(BaseModel):
    """A file of candles that you sent, and what was read of it."""

    name: str = Field(examples=["BTCUSDT-1h.csv"])
    reference: str = Field(description="How `files` of a backtest names it.", examples=["upload:BTCUSDT-1h.csv"])
    bytes: int
    sha256: str = Field(description="Of the file as it came.")
    fingerprint: str = Field(description="SHA-256 of its candles, without faulty rows: it stands on every result.")
    symbol: str
    layout: str = Field(examples=["freqtrade", "binance", "tradingview", "yahoo", "table"])
    timeframe: str = Field(examples=["1h"])
    timezone: str | None = Field(description="As it was said; backtests over it take it from here.")
    bar: str | None = Field(description="As it was said.")
    bars: int = Field(description="Without faulty rows.")
    start: Instant
    until: Instant
    has_volume: bool
    extra: list[str] = Field(description="Other columns of numbers, which strategies can look at.")
    gaps: GapsInFile
    faults: dict[str, FaultInFile] = Field(description="duplicates, conflicts, out_of_order, impossible, blank.")
    leave_out: list[str] = Field(description="What a backtest over it has to leave out on purpose.")
    uploaded_at: Instant


class RateFile(BaseModel):
    """A file of funding rates that you sent, and what was read of it."""

    name: str = Field(examples=["BTCUSDT-fundingRate-2024-01.csv"])
    reference: str = Field(description="How `funding` of a backtest names it.", examples=["upload:BTC-funding.csv"])
    bytes: int
    sha256: str = Field(description="Of the file as it came.")
    fingerprint: str = Field(description="SHA-256 of its rates.")
    symbol: str
    timezone: str | None = Field(description="As it was said.")
    rates: int
    start: Instant = Field(description="The first rate.")
    until: Instant = Field(description="The last rate.")
    gaps: list[SpanShown] = Field(description="The first few stretches where, by what is usual, a rate is missing.")
    gaps_count: int
    uploaded_at: Instant
