"""What the fleet stores: alerts with what became of them, and the protection that positions are to have."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, UniqueConstraint

from pilothouse.kit.columns import Exact, Id, Instant, JsonText, metadata

signals = Table(
    "signals",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("hook_id", Id, nullable=False),
    Column("shape", String(48), nullable=False),
    # Unique within the hook: "id:" and the sender's alert id, or "body:" with digest and time; null for an alert
    # that was refused before it could do anything, which may come again.
    Column("alert_key", String(300)),
    Column("fingerprint", String(64), nullable=False),
    Column("body", JsonText, nullable=False),
    Column("signal", JsonText),
    Column("kind", String(16)),
    Column("symbol", String(32)),
    Column("received_at", Instant, nullable=False),
    Column("state", String(16), nullable=False),
    Column("step", Integer, nullable=False),
    Column("code", String(64)),
    Column("message", Text, nullable=False),
    Column("http_status", Integer, nullable=False),
    Column("detail", JsonText),
    Column("deliveries", Integer, nullable=False),
    Column("changed_at", Instant, nullable=False),
    # When it first came as the machine counts it, since a wall clock may be set before the same body comes again.
    Column("heard_boot", String(64), doc="which start of which machine"),
    Column("heard_us", BigInteger, doc="microseconds since then"),
    UniqueConstraint("hook_id", "alert_key", name="uq_signals_alert_key"),
    Index("ix_signals_body", "hook_id", "fingerprint", "received_at"),
    Index("ix_signals_listed", "owner_id", "id"),
    Index("ix_signals_waiting", "state", "account_id", "symbol", "id"),
)

hook_watch = Table(
    "hook_watch",
    metadata,
    # Only hooks that are to expect something have a row: the others pay nothing for it.
    Column("hook_id", Id, primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("last_at", Instant, nullable=False, doc="when its last alert came"),
    Column("last_counter", BigInteger, doc="the highest running number that came, since the sender began to count"),
    Column("missed", BigInteger, nullable=False, doc="how many numbers never came"),
    Column("missed_at", Instant, doc="when the last gap was seen"),
)

hook_marks = Table(
    "hook_marks",
    metadata,
    # What a hook last said that the position shall be: an older alert that comes later does not override it.
    Column("hook_id", Id, primary_key=True),
    Column("symbol", String(32), primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("account_id", Id, nullable=False),
    Column("signal_id", Id, nullable=False),
    Column("target", Exact, nullable=False, doc="base, signed"),
    Column("sent_at", Instant),
    Column("bar_time", Instant),
    Column("at", Instant, nullable=False, doc="when it came"),
)

protections = Table(
    "protections",
    metadata,
    Column("account_id", Id, primary_key=True),
    Column("symbol", String(32), primary_key=True),
    Column("owner_id", Id, nullable=False),
    # The keys of its orders are made of it, so that none is made twice.
    Column("id", Id, nullable=False),
    Column("hook_id", Id),
    # The alert that asked for it; null where a person did.
    Column("signal_id", Id),
    Column("asked_by", String(64), nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("side", String(4), nullable=False),
    Column("guards", JsonText, nullable=False),
    # Counts the orders that were made for it: part of their keys.
    Column("placed", BigInteger, nullable=False),
    # When the position it belongs to was opened: another position is not its own. Null until there is one.
    Column("position_opened_at", Instant),
    # The best price since its stop trails; null while it does not.
    Column("best_price", Exact),
    # In which of the venue's forms its stop is asked for, from 0: those before were not taken.
    Column("way", Integer, nullable=False),
    # A stop beside the venue's own trailing order: so far that had trailed before it was placed anew.
    Column("trail_floor", Exact),
    # Parts of it that the venue does not take, by place: the house watches and triggers them.
    Column("kept_here", JsonText, nullable=False),
    Column("unprotected_since", Instant),
    # Microseconds in all, without those since `unprotected_since`.
    Column("unprotected_us", BigInteger, nullable=False),
    # How far the watcher went since it is unprotected: 1 tried the other way, 2 did what the policy says.
    Column("watched_step", Integer, nullable=False),
    Column("updated_at", Instant, nullable=False),
    # `unprotected_since` as the machine counts: which start of which machine, and microseconds since then.
    Column("unprotected_boot", String(64)),
    Column("unprotected_at_us", BigInteger),
    # `asked_at` and `position_opened_at` in the same way.
    Column("asked_boot", String(64)),
    Column("asked_at_us", BigInteger),
    Column("position_opened_boot", String(64)),
    Column("position_opened_at_us", BigInteger),
)

awaited_protections = Table(
    "awaited_protections",
    metadata,
    # What is wanted behind the protection of the other side: an order on its way may turn the position round, and until
    # it has, what is held keeps its own. `fleet/protections.py` says when the two change places.
    Column("account_id", Id, primary_key=True),
    Column("symbol", String(32), primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("id", Id, nullable=False),
    Column("hook_id", Id),
    Column("signal_id", Id),
    Column("asked_by", String(64), nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("side", String(4), nullable=False),
    Column("guards", JsonText, nullable=False),
    # Of one that was in force before: its orders are counted on, and what the venue did not take is remembered.
    Column("placed", BigInteger, nullable=False),
    Column("way", Integer, nullable=False),
    Column("kept_here", JsonText, nullable=False),
    Column("asked_boot", String(64)),
    Column("asked_at_us", BigInteger),
)

protective_orders = Table(
    "protective_orders",
    metadata,
    Column("order_id", Id, primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("protection_id", Id, nullable=False),
    Column("place", String(24), nullable=False, doc="stop, trail, time, or target and its number"),
    Index("ix_protective_orders_of", "protection_id", "order_id"),
)

protection_policies = Table(
    "protection_policies",
    metadata,
    # An account without a row goes by the settings of the house.
    Column("account_id", Id, primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("within_s", Integer, nullable=False, doc="so long a position may be without its protection"),
    Column("then", String(16), nullable=False, doc="flatten or alarm"),
    Column("updated_at", Instant, nullable=False),
    Column("updated_by", String(64), nullable=False),
)
