"""What is stored of money: fills and payments as the venue told them, entries that sum to zero, and their folds.

`fills`, `payments` and `entries` are only ever added to. `positions`, `balances` and `days` are folds of them, kept
beside them so that reading is quick; `ledger.positions.refold` makes them again from the entries.

No column names another room's table as a foreign key: the record of money outlives what it is about.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, String, Table, UniqueConstraint

from pilothouse.kit.columns import Exact, Id, Instant, Serial, metadata

fills = Table(
    "fills",
    metadata,
    Column("id", Id, primary_key=True, doc="sorts by the time of booking"),
    Column("owner_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("order_id", Id, doc="ours, or null for an order that somebody else sent"),
    Column("hook_id", Id),
    Column("symbol", String(40), nullable=False),
    Column("venue_trade_id", String(64), nullable=False),
    Column("venue_order_id", String(64), nullable=False),
    Column("client_order_id", String(64)),
    Column("side", String(4), nullable=False),
    Column("price", Exact, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("notional", Exact, nullable=False),
    Column("commission", Exact, nullable=False, doc="paid; below zero for a rebate"),
    Column("commission_currency", String(16), nullable=False),
    Column("realised", Exact, nullable=False, doc="as booked: the venue's where it says, ours where it does not"),
    Column("maker", Boolean, nullable=False),
    Column("at", Instant, nullable=False, doc="when it happened at the venue"),
    Column("booked_at", Instant, nullable=False),
    UniqueConstraint("account_id", "symbol", "venue_trade_id", name="fills_once_per_venue_trade"),
    Index("fills_by_owner", "owner_id", "id"),
    Index("fills_by_order", "order_id"),
)

payments = Table(
    "payments",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("kind", String(16), nullable=False, doc="funding, transfer or adjustment"),
    Column("venue_id", String(64), nullable=False),
    Column("symbol", String(40), doc="for funding"),
    Column("amount", Exact, nullable=False, doc="above zero: received"),
    Column("currency", String(16), nullable=False),
    Column("at", Instant, nullable=False),
    Column("booked_at", Instant, nullable=False),
    UniqueConstraint("account_id", "kind", "venue_id", name="payments_once_per_venue_id"),
    Index("payments_by_owner", "owner_id", "id"),
)

entries = Table(
    "entries",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("owner_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("posting_id", Id, nullable=False, doc="the fill or payment that it is a leg of"),
    Column("kind", String(16), nullable=False, doc="fill, commission, funding, transfer or adjustment"),
    Column("book", String(16), nullable=False, doc="see ledger/entries.py"),
    Column("unit", String(40), nullable=False, doc="a currency, or a symbol for units of its base"),
    Column("amount", Exact, nullable=False),
    Column("hook_id", Id),
    Column("symbol", String(40)),
    Column("at", Instant, nullable=False),
    Index("entries_by_account", "account_id", "id"),
)

positions = Table(
    "positions",
    metadata,
    Column("account_id", Id, primary_key=True),
    Column("symbol", String(40), primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("quantity", Exact, nullable=False, doc="base, below zero short"),
    Column("cost", Exact, nullable=False, doc="quote, same sign as the quantity"),
    Column("realised", Exact, nullable=False, doc="quote, all time, before commission"),
    Column("commission", Exact, nullable=False, doc="settlement currency, all time, paid"),
    Column("funding", Exact, nullable=False, doc="settlement currency, all time, received"),
    Column("opened_at", Instant, doc="since when it is held; null exactly when it is flat"),
    Column("updated_at", Instant, nullable=False),
    Column("opened_boot", String(64), doc="`opened_at` as the machine counts: which start of which machine"),
    Column("opened_at_us", BigInteger, doc="and microseconds since then"),
    Index("positions_by_owner", "owner_id"),
)

balances = Table(
    "balances",
    metadata,
    Column("account_id", Id, primary_key=True),
    Column("currency", String(16), primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("wallet", Exact, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

days = Table(
    "days",
    metadata,
    Column("account_id", Id, primary_key=True),
    Column("day", String(10), primary_key=True, doc="UTC day of booking, such as 2026-11-21"),
    Column("owner_id", Id, nullable=False),
    Column("wallet_at_start", Exact, nullable=False, doc="settlement currency"),
    Column(
        "equity_at_start",
        Exact,
        doc="with the open result at the first look of that day, less transfers until then; null until then",
    ),
    Column("realised", Exact, nullable=False),
    Column("commission", Exact, nullable=False),
    Column("funding", Exact, nullable=False),
    Column("transfers", Exact, nullable=False, doc="deposits less withdrawals, and adjustments"),
)

high_water = Table(
    "high_water",
    metadata,
    Column("account_id", Id, primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("equity", Exact, nullable=False, doc="the highest so far, settlement currency, with transfers since"),
    Column("at", Instant, nullable=False, doc="when it was so high, or was begun anew"),
)

equity_snapshots = Table(
    "equity_snapshots",
    metadata,
    Column("account_id", Id, primary_key=True),
    Column("at", Instant, primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("wallet", Exact, nullable=False),
    Column("unrealised", Exact, nullable=False),
    Column("equity", Exact, nullable=False),
)
