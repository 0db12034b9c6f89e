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
    UniqueConstraint("hook_id", "alert_key", name="uq_signals_alert_key"),
    Index("ix_signals_body", "hook_id", "fingerprint", "received_at"),
    Index("ix_signals_listed", "owner_id", "id"),
    Index("ix_signals_waiting", "state", "account_id", "symbol", "id"),
)

protections = Table(
    "protections",
    metadata,
    Column("account_id", Id, primary_key=True),
    Column("symbol", String(32), primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("hook_id", Id),
    Column("signal_id", Id, nullable=False),
    Column("side", String(4), nullable=False),
    Column("stop_loss_price", Exact),
    Column("stop_loss_percent", Exact),
    Column("take_profit_price", Exact),
    Column("take_profit_percent", Exact),
    # Counts the protective orders that were made for it: part of their keys, so that none is made twice.
    Column("placed", BigInteger, nullable=False),
    # When the position it belongs to was opened: another position is not its own. Null until there is one.
    Column("position_opened_at", Instant),
    Column("unprotected_since", Instant),
    Column("updated_at", Instant, nullable=False),
)
