"""The paper venue's journal: tables of a database of its own, which the house's books never see.

Whole numbers only: ticks, lots, quote units of 0.00000001 USDT, microseconds since 1970.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, PrimaryKeyConstraint, String, Table, text

SCHEMA_VERSION = 1

metadata = MetaData()

IS_OPEN = text("status IN ('NEW', 'PARTIALLY_FILLED')")
"""Of an order; written out, because SQLite uses a partial index only where it reads the very same words."""

venue = Table(
    "paper_venue",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("schema_version", Integer, nullable=False),
    # How many pages the journal has. A page is written onto the one before it or not at all.
    Column("page", BigInteger, nullable=False),
    Column("next_order", BigInteger, nullable=False),
    Column("next_movement", BigInteger, nullable=False),
    Column("funded_at", BigInteger, nullable=False),
)

markets = Table(
    "paper_markets",
    metadata,
    Column("symbol", String, primary_key=True),
    Column("step", BigInteger, nullable=False),
    Column("level", BigInteger, nullable=False),
    Column("anchor", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("next_trade", BigInteger, nullable=False),
)

# Contracts and prices of a market outside; numbers of a contract are decimal texts, as its venue told them.
contracts = Table(
    "paper_contracts",
    metadata,
    Column("symbol", String, primary_key=True),
    Column("base", String, nullable=False),
    Column("quote", String, nullable=False),
    Column("tick", String, nullable=False),
    Column("lot", String, nullable=False),
    Column("quantity_min", String, nullable=False),
    Column("quantity_max", String, nullable=False),
    Column("notional_min", String, nullable=False),
    Column("price_min", String, nullable=False),
    Column("price_max", String, nullable=False),
    Column("leverage_max", Integer, nullable=False),
    Column("maker_ppm", Integer, nullable=False),
    Column("taker_ppm", Integer, nullable=False),
)

told = Table(
    "paper_told",
    metadata,
    Column("symbol", String, primary_key=True),
    Column("next_trade", BigInteger, nullable=False),
    Column("bid", BigInteger),
    Column("ask", BigInteger),
    Column("mark", BigInteger),
    Column("mark_above", BigInteger),
    Column("last", BigInteger),
    Column("seen", BigInteger),
    Column("rate", BigInteger, nullable=False),
    Column("funds_at", BigInteger),
    Column("paid", BigInteger, nullable=False),
)

accounts = Table(
    "paper_accounts",
    metadata,
    Column("id", String, primary_key=True),
    Column("owner_id", String, nullable=False),
    Column("wallet", BigInteger, nullable=False),
)

holdings = Table(
    "paper_holdings",
    metadata,
    Column("account_id", String, primary_key=True),
    Column("symbol", String, primary_key=True),
    Column("lots", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("isolated", BigInteger, nullable=False),
    Column("leverage", Integer, nullable=False),
    Column("is_isolated", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

orders = Table(
    "paper_orders",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("account_id", String, nullable=False),
    Column("client_id", String, nullable=False),
    Column("symbol", String, nullable=False),
    Column("sign", Integer, nullable=False),
    Column("type", String, nullable=False),
    Column("tif", String, nullable=False),
    Column("lots", BigInteger, nullable=False),
    Column("price", BigInteger),
    Column("stop", BigInteger),
    Column("reduce_only", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("filled", BigInteger, nullable=False),
    Column("triggered", Boolean, nullable=False),
    Column("status", String, nullable=False),
    Column("reason", String, nullable=False),
    # Since when its trigger is met, while best prices as young are waited for.
    Column("met", BigInteger),
    Index("paper_orders_by_client", "account_id", "client_id"),
    # Opening the venue reads what stands and nothing of what is over, however much that is.
    Index("paper_orders_open", "account_id", sqlite_where=IS_OPEN),
)

# The columns stand in the order of simulation.orders.Execution: a trade is a row as it is.
executions = Table(
    "paper_executions",
    metadata,
    Column("trade", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("account_id", String, nullable=False),
    Column("client_id", String, nullable=False),
    Column("symbol", String, nullable=False),
    Column("sign", Integer, nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("lots", BigInteger, nullable=False),
    Column("commission", BigInteger, nullable=False),
    Column("realised", BigInteger, nullable=False),
    Column("maker", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),
    PrimaryKeyConstraint("account_id", "symbol", "trade"),
    Index("paper_executions_by_order", "number"),
    sqlite_with_rowid=False,
)

# As simulation.orders.Movement.
movements = Table(
    "paper_movements",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("account_id", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("symbol", String, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("paper_movements_by_account", "account_id", "number"),
)
