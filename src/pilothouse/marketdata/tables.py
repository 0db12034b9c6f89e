"""What is stored of the market: what can be traded, and in what steps. It is public: no row has an owner."""

from sqlalchemy import Column, Integer, String, Table

from pilothouse.kit.columns import Exact, Instant, metadata

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
