"""What is stored of the market: what can be traded, and in what steps. It is public: no row has an owner."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from pilothouse.kit.columns import Exact, Instant, JsonText, Name, Serial, metadata

instruments = Table(
    "instruments",
    metadata,
    Column("venue", String(200), primary_key=True),
    Column("symbol", String(40), primary_key=True),
    Column("base", String(16), nullable=False),
    Column("quote", String(16), nullable=False),
    Column("tick", Exact, nullable=False),
    Column("lot", Exact, nullable=False),
    Column("quantity_min", Exact, nullable=False),
    Column("quantity_max", Exact, nullable=False),
    Column("notional_min", Exact, nullable=False),
    Column("price_min", Exact, nullable=False),
    Column("price_max", Exact, nullable=False),
    Column("leverage_max", Integer, nullable=False),
    Column("refreshed_at", Instant, nullable=False),
)

candle_coverage = Table(
    "candle_coverage",
    metadata,
    Column("venue", Name, primary_key=True),
    Column("symbol", Name, primary_key=True),
    Column("timeframe", Name, primary_key=True),
    # Milliseconds since 1970; up to, but without, the second.
    Column("start_ms", BigInteger, primary_key=True),
    Column("until_ms", BigInteger, nullable=False),
)
"""For which time the venue was asked for candles and has answered. Spans of one series neither overlap nor touch."""

candle_gaps = Table(
    "candle_gaps",
    metadata,
    Column("venue", Name, primary_key=True),
    Column("symbol", Name, primary_key=True),
    Column("timeframe", Name, primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("until_ms", BigInteger, nullable=False),
    Column("asked_at", Instant, nullable=False),
)
"""Where the venue, when it was asked, had no candle. What was never asked for is no gap: it is not covered."""

candle_conflicts = Table(
    "candle_conflicts",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("venue", Name, nullable=False),
    Column("symbol", Name, nullable=False),
    Column("timeframe", Name, nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("kept", JsonText, nullable=False),
    Column("told", JsonText, nullable=True),  # null: the venue tells it no more
    Column("told_at", Instant, nullable=False),
    Column("taken", Boolean, nullable=False),
    Index("ix_candle_conflicts_series", "venue", "symbol", "timeframe", "opened_ms"),
)
"""Candles that the venue told again and differently. `taken`: the new one took the place of the old one."""

candle_follows = Table(
    "candle_follows",
    metadata,
    Column("venue", Name, primary_key=True),
    Column("symbol", Name, primary_key=True),
    Column("timeframe", Name, primary_key=True),
    Column("since_ms", BigInteger, nullable=False),
    Column("next_at", Instant, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("error", Text, nullable=True),
)
"""Which candles are fetched as they close, from when on, and when the venue is asked next."""
