"""What execution stores: orders, what happened to them, limits, halts, and how many orders were made when."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, UniqueConstraint

from pilothouse.kit.columns import Exact, Id, Instant, JsonText, Name, metadata

orders = Table(
    "orders",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("hook_id", Id),
    Column("signal_id", Id),
    Column("client_order_id", String(36), nullable=False),
    Column("venue_order_id", String(64)),
    Column("symbol", String(32), nullable=False),
    Column("side", String(4), nullable=False),
    Column("type", String(24), nullable=False),
    Column("time_in_force", String(4), nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("price", Exact),
    Column("stop_price", Exact),
    Column("reduce_only", Boolean, nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("is_live", Boolean, nullable=False),
    Column("filled_quantity", Exact, nullable=False),
    Column("filled_notional", Exact, nullable=False),
    Column("commission", Exact, nullable=False),
    Column("decided_price", Exact, nullable=False),
    Column("outcome", Text),
    Column("cancel_asked_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("sent_at", Instant),
    # Until when the process that holds it may still put it on the wire; only after this, and the venue's
    # acceptance window, is the venue's "no such order" a proof.
    Column("sendable_until", Instant),
    # The same instant as the machine of that process counts it, since a wall clock may be set meanwhile.
    Column("until_boot", String(64), doc="which start of which machine"),
    Column("until_us", BigInteger, doc="microseconds since then"),
    Column("asked", Integer, nullable=False, default=0),
    Column("updated_at", Instant, nullable=False),
    # Set while a change of price or size is on its way: so much it may come to ask for in all.
    Column("amend_quantity", Exact),
    Column("replaced_by", Id, doc="the order that took its place when it was amended"),
    Column("trail_percent", Exact, doc="of an order that trails: how far behind the best price"),
    Column("whole_position", Boolean, doc="it closes all that is held when it fires; null: it does not"),
    Column("beside", String(36), doc="client order id of the other half of a pair of which one ends the other"),
    UniqueConstraint("account_id", "client_order_id", name="uq_orders_client_order_id"),
    Index("ix_orders_live", "is_live", "account_id", "symbol"),
    Index("ix_orders_signal", "signal_id"),
    Index("ix_orders_listed", "owner_id", "id"),
    Index("ix_orders_protective", "account_id", "symbol", "purpose", "id"),
    Index("ix_orders_made", "account_id", "created_at"),
)

amendments = Table(
    "amendments",
    metadata,
    # A row lives until it is known what became of the change.
    Column("order_id", Id, primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("client_order_id", String(36), nullable=False, doc="of the order that takes its place, if one does"),
    Column("quantity", Exact, nullable=False, doc="as wanted, with what has filled already"),
    Column("price", Exact, doc="as wanted; none where the kind of order has none"),
    Column("decided_price", Exact, nullable=False),
    Column("asked_by", String(64), nullable=False),
    Column("asked_at", Instant, nullable=False),
    # Set before the wire is touched: from then on the venue is asked, and nothing is sent a second time.
    Column("sendable_until", Instant),
    Column("until_boot", String(64), doc="as of orders"),
    Column("until_us", BigInteger, doc="as of orders"),
    Column("asked", Integer, nullable=False, default=0),
    Column("stop_price", Exact, doc="trigger, as wanted; none where the kind of order has none"),
    UniqueConstraint("account_id", "client_order_id", name="uq_amendments_client_order_id"),
)

order_events = Table(
    "order_events",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("owner_id", Id, nullable=False),
    Column("order_id", Id, nullable=False),
    Column("at", Instant, nullable=False),
    Column("event", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_order_events_order", "order_id", "id"),
)

limit_sets = Table(
    "limit_sets",
    metadata,
    Column("scope_id", Id, primary_key=True, doc="house, or the id of a user, an account or a bot"),
    Column("level", String(8), nullable=False, doc="house, user, account or bot"),
    Column("owner_id", Id, nullable=False),
    Column("account_id", Id, doc="of an account, or the account of a bot"),
    Column("stop", JsonText, nullable=False, doc="limit by name"),
    Column("warn", JsonText, nullable=False, doc="at which a person is told, by name"),
    Column("later", JsonText, nullable=False, doc="what was loosened and does not hold yet: at, which, name, value"),
    Column("revision", Integer, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("updated_by", String(64), nullable=False),
)

limit_changes = Table(
    "limit_changes",
    metadata,
    # Only ever added to: who changed what, why, and from when on it holds.
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("level", String(8), nullable=False),
    Column("scope_id", Id, nullable=False),
    Column("name", String(40), nullable=False),
    Column("which", String(4), nullable=False, doc="stop or warn"),
    Column("was", Text),
    Column("became", Text),
    Column("at", Instant, nullable=False),
    Column("holds_from", Instant, nullable=False),
    Column("by", String(64), nullable=False),
    Column("why", Text, nullable=False),
    Index("ix_limit_changes_owner", "owner_id", "id"),
)

halts = Table(
    "halts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("at", Instant, nullable=False),
    Column("by", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("resumed_at", Instant),
    Column("resumed_by", String(64)),
    Column("level", String(8), nullable=False, doc="house, user, account or bot"),
    Column("kind", String(16), nullable=False, doc="no_new_exposure, reduce_only, cancel_all or flatten"),
    Column("hook_id", Id, doc="of a bot"),
    Index("ix_halts_account", "account_id", "resumed_at"),
    Index("ix_halts_standing", "resumed_at"),
)

order_counts = Table(
    "order_counts",
    metadata,
    Column("account_id", Id, primary_key=True),
    Column("second", BigInteger, primary_key=True, autoincrement=False),
    Column("owner_id", Id, nullable=False),
    Column("made", Integer, nullable=False),
)

reconciled = Table(
    "reconciled",
    metadata,
    Column("account_id", Id, primary_key=True),
    Column("kind", String(16), primary_key=True, doc="fills, funding or transfers"),
    Column("symbol", String(32), primary_key=True, doc="empty where the kind has none"),
    Column("owner_id", Id, nullable=False),
    Column("venue_id", String(64), nullable=False, doc="everything up to this venue id is booked"),
    Column("at", Instant, nullable=False),
)

wallet_differences = Table(
    "wallet_differences",
    metadata,
    # One row for each account whose wallet was not as its venue says when both were compared last.
    Column("account_id", Id, primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("ours", Exact, nullable=False, doc="settlement currency, when it began to differ by so much"),
    Column("theirs", Exact, nullable=False),
    Column("since", Instant, nullable=False, doc="since when it differs at all"),
    Column("same_since", Instant, nullable=False, doc="since when it differs by so much"),
    Column("is_sure", Boolean, nullable=False, doc="it was found again, so no stream has yet to tell of it"),
)

hearing = Table(
    "hearing",
    metadata,
    # An account without a row is one whose venue tells everything from inside of this house, as paper does.
    Column("account_id", Id, primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("state", String(16), nullable=False, doc="lost, catching_up or live, as its holder said last"),
    Column("since", Instant, nullable=False, doc="since when it is, or is not, live"),
    Column("until", Instant, nullable=False, doc="end of the holder's lease: what it said holds no longer than this"),
    Column("holder", Name, nullable=False, doc="the process that listens"),
    Column("alarmed_at", Instant, doc="when a person was told that it is not heard"),
    Column("compared_at", Instant, doc="when it was last reconciled in full"),
)
