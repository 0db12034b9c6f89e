"""The ground floor: every table of the first release.

Revision 0001, the first.
"""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    String,
    Text,
    UniqueConstraint,
)

from pilothouse.kit.columns import Exact, Id, Instant, JsonText, Name, Serial

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # kit
    op.create_table(
        "outbox",
        Column("id", Id, nullable=False),
        Column("topic", Name, nullable=False),
        Column("key", Name, nullable=False),
        Column("dedupe_key", Name, nullable=True),
        Column("payload", JsonText, nullable=False),
        Column("state", Name, nullable=False),
        Column("attempt", Integer(), nullable=False),
        Column("available_at", Instant, nullable=False),
        Column("lease_until", Instant, nullable=True),
        Column("lease_owner", Name, nullable=True),
        Column("error", Text(), nullable=True),
        Column("created_at", Instant, nullable=False),
        PrimaryKeyConstraint("id", name="pk_outbox"),
        UniqueConstraint("dedupe_key", name="uq_outbox_dedupe_key"),
    )
    op.create_index("ix_outbox_state_available_at", "outbox", ["state", "available_at"])
    op.create_table(
        "facts",
        Column("id", Serial, autoincrement=True, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("account_id", Id, nullable=True),
        Column("kind", Name, nullable=False),
        Column("payload", JsonText, nullable=False),
        Column("at", Instant, nullable=False),
        PrimaryKeyConstraint("id", name="pk_facts"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_facts_at", "facts", ["at"])
    op.create_index("ix_facts_owner_id_id", "facts", ["owner_id", "id"])
    op.create_table(
        "leases",
        Column("name", Name, nullable=False),
        Column("owner", Name, nullable=False),
        Column("epoch", Integer(), nullable=False),
        Column("until", Instant, nullable=False),
        PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "budgets",
        Column("name", Name, nullable=False),
        Column("window_no", BigInteger(), nullable=False),
        Column("used", BigInteger(), nullable=False),
        Column("blocked_until", Instant, nullable=True),
        PrimaryKeyConstraint("name", name="pk_budgets"),
    )

    # accounts
    op.create_table(
        "users",
        Column("id", Id, nullable=False),
        Column("email", String(length=254), nullable=True),
        Column("name", String(length=120), nullable=False),
        Column("role", String(length=16), nullable=False),
        Column("created_at", Instant, nullable=False),
        PrimaryKeyConstraint("id", name="pk_users"),
        UniqueConstraint("email", name="uq_users_email"),
    )
    op.create_table(
        "tokens",
        Column("id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("digest", String(length=64), nullable=False),
        Column("label", String(length=120), nullable=False),
        Column("scopes", JsonText, nullable=False),
        Column("created_at", Instant, nullable=False),
        Column("revoked_at", Instant, nullable=True),
        ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_tokens_owner_id_users"),
        PrimaryKeyConstraint("id", name="pk_tokens"),
        UniqueConstraint("digest", name="uq_tokens_digest"),
    )
    op.create_index("tokens_by_owner", "tokens", ["owner_id"])
    op.create_table(
        "trading_accounts",
        Column("id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("name", String(length=120), nullable=False),
        Column("venue", String(length=32), nullable=False),
        Column("mode", String(length=16), nullable=False),
        Column("currency", String(length=16), nullable=False),
        Column("state", String(length=16), nullable=False),
        Column("generation", Integer(), nullable=False),
        Column("created_at", Instant, nullable=False),
        ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_trading_accounts_owner_id_users"),
        PrimaryKeyConstraint("id", name="pk_trading_accounts"),
        UniqueConstraint("owner_id", "name", name="trading_accounts_name_once_per_owner"),
    )
    op.create_table(
        "venue_keys",
        Column("account_id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("label", String(length=120), nullable=False),
        Column("parts", JsonText, nullable=False),
        Column("sealed", Text(), nullable=False),
        Column("created_at", Instant, nullable=False),
        Column("sealed_at", Instant, nullable=False),
        ForeignKeyConstraint(["account_id"], ["trading_accounts.id"], name="fk_venue_keys_account_id_trading_accounts"),
        ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_venue_keys_owner_id_users"),
        PrimaryKeyConstraint("account_id", name="pk_venue_keys"),
    )
    op.create_table(
        "hooks",
        Column("id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("account_id", Id, nullable=False),
        Column("name", String(length=120), nullable=False),
        Column("token_digest", String(length=64), nullable=False),
        Column("secret_digest", String(length=64), nullable=False),
        Column("default_size", JsonText, nullable=True),
        Column("symbols", JsonText, nullable=True),
        Column("window_s", Integer(), nullable=False),
        Column("max_age_s", Integer(), nullable=True),
        Column("rate_per_s", Integer(), nullable=False),
        Column("dry", Boolean(), nullable=False),
        Column("state", String(length=16), nullable=False),
        Column("created_at", Instant, nullable=False),
        Column("rotated_at", Instant, nullable=True),
        ForeignKeyConstraint(["account_id"], ["trading_accounts.id"], name="fk_hooks_account_id_trading_accounts"),
        ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_hooks_owner_id_users"),
        PrimaryKeyConstraint("id", name="pk_hooks"),
        UniqueConstraint("secret_digest", name="uq_hooks_secret_digest"),
        UniqueConstraint("token_digest", name="uq_hooks_token_digest"),
    )
    op.create_index("hooks_by_owner", "hooks", ["owner_id"])
    op.create_table(
        "house",
        Column("key", String(length=64), nullable=False),
        Column("value", Text(), nullable=False),
        PrimaryKeyConstraint("key", name="pk_house"),
    )
    op.create_table(
        "idempotency",
        Column("owner_id", Id, nullable=False),
        Column("key", String(length=255), nullable=False),
        Column("request_digest", String(length=64), nullable=False),
        Column("status", Integer(), nullable=False),
        Column("answer", Text(), nullable=False),
        Column("created_at", Instant, nullable=False),
        ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_idempotency_owner_id_users"),
        PrimaryKeyConstraint("owner_id", "key", name="pk_idempotency"),
    )
    op.create_index("idempotency_by_age", "idempotency", ["created_at"])
    op.create_table(
        "audit",
        Column("id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("at", Instant, nullable=False),
        Column("who", String(length=120), nullable=False),
        Column("what", String(length=64), nullable=False),
        Column("detail", JsonText, nullable=False),
        ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_audit_owner_id_users"),
        PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("audit_by_owner", "audit", ["owner_id", "id"])

    # ledger
    op.create_table(
        "fills",
        Column("id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("account_id", Id, nullable=False),
        Column("order_id", Id, nullable=True),
        Column("hook_id", Id, nullable=True),
        Column("symbol", String(length=40), nullable=False),
        Column("venue_trade_id", String(length=64), nullable=False),
        Column("venue_order_id", String(length=64), nullable=False),
        Column("client_order_id", String(length=64), nullable=True),
        Column("side", String(length=4), nullable=False),
        Column("price", Exact, nullable=False),
        Column("quantity", Exact, nullable=False),
        Column("notional", Exact, nullable=False),
        Column("commission", Exact, nullable=False),
        Column("commission_currency", String(length=16), nullable=False),
        Column("realised", Exact, nullable=False),
        Column("maker", Boolean(), nullable=False),
        Column("at", Instant, nullable=False),
        Column("booked_at", Instant, nullable=False),
        PrimaryKeyConstraint("id", name="pk_fills"),
        UniqueConstraint("account_id", "symbol", "venue_trade_id", name="fills_once_per_venue_trade"),
    )
    op.create_index("fills_by_order", "fills", ["order_id"])
    op.create_index("fills_by_owner", "fills", ["owner_id", "id"])
    op.create_table(
        "payments",
        Column("id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("account_id", Id, nullable=False),
        Column("kind", String(length=16), nullable=False),
        Column("venue_id", String(length=64), nullable=False),
        Column("symbol", String(length=40), nullable=True),
        Column("amount", Exact, nullable=False),
        Column("currency", String(length=16), nullable=False),
        Column("at", Instant, nullable=False),
        Column("booked_at", Instant, nullable=False),
        PrimaryKeyConstraint("id", name="pk_payments"),
        UniqueConstraint("account_id", "kind", "venue_id", name="payments_once_per_venue_id"),
    )
    op.create_index("payments_by_owner", "payments", ["owner_id", "id"])
    op.create_table(
        "entries",
        Column("id", Serial, autoincrement=True, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("account_id", Id, nullable=False),
        Column("posting_id", Id, nullable=False),
        Column("kind", String(length=16), nullable=False),
        Column("book", String(length=16), nullable=False),
        Column("unit", String(length=40), nullable=False),
        Column("amount", Exact, nullable=False),
        Column("hook_id", Id, nullable=True),
        Column("symbol", String(length=40), nullable=True),
        Column("at", Instant, nullable=False),
        PrimaryKeyConstraint("id", name="pk_entries"),
    )
    op.create_index("entries_by_account", "entries", ["account_id", "id"])
    op.create_table(
        "positions",
        Column("account_id", Id, nullable=False),
        Column("symbol", String(length=40), nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("quantity", Exact, nullable=False),
        Column("cost", Exact, nullable=False),
        Column("realised", Exact, nullable=False),
        Column("commission", Exact, nullable=False),
        Column("funding", Exact, nullable=False),
        Column("opened_at", Instant, nullable=True),
        Column("updated_at", Instant, nullable=False),
        PrimaryKeyConstraint("account_id", "symbol", name="pk_positions"),
    )
    op.create_index("positions_by_owner", "positions", ["owner_id"])
    op.create_table(
        "balances",
        Column("account_id", Id, nullable=False),
        Column("currency", String(length=16), nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("wallet", Exact, nullable=False),
        Column("updated_at", Instant, nullable=False),
        PrimaryKeyConstraint("account_id", "currency", name="pk_balances"),
    )
    op.create_table(
        "days",
        Column("account_id", Id, nullable=False),
        Column("day", String(length=10), nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("wallet_at_start", Exact, nullable=False),
        Column("equity_at_start", Exact, nullable=True),
        Column("realised", Exact, nullable=False),
        Column("commission", Exact, nullable=False),
        Column("funding", Exact, nullable=False),
        Column("transfers", Exact, nullable=False),
        PrimaryKeyConstraint("account_id", "day", name="pk_days"),
    )
    op.create_table(
        "equity_snapshots",
        Column("account_id", Id, nullable=False),
        Column("at", Instant, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("wallet", Exact, nullable=False),
        Column("unrealised", Exact, nullable=False),
        Column("equity", Exact, nullable=False),
        PrimaryKeyConstraint("account_id", "at", name="pk_equity_snapshots"),
    )

    # execution
    op.create_table(
        "orders",
        Column("id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("account_id", Id, nullable=False),
        Column("hook_id", Id, nullable=True),
        Column("signal_id", Id, nullable=True),
        Column("client_order_id", String(length=36), nullable=False),
        Column("venue_order_id", String(length=64), nullable=True),
        Column("symbol", String(length=32), nullable=False),
        Column("side", String(length=4), nullable=False),
        Column("type", String(length=24), nullable=False),
        Column("time_in_force", String(length=4), nullable=False),
        Column("quantity", Exact, nullable=False),
        Column("price", Exact, nullable=True),
        Column("stop_price", Exact, nullable=True),
        Column("reduce_only", Boolean(), nullable=False),
        Column("purpose", String(length=16), nullable=False),
        Column("reason", Text(), nullable=False),
        Column("state", String(length=16), nullable=False),
        Column("is_live", Boolean(), nullable=False),
        Column("filled_quantity", Exact, nullable=False),
        Column("filled_notional", Exact, nullable=False),
        Column("commission", Exact, nullable=False),
        Column("decided_price", Exact, nullable=False),
        Column("outcome", Text(), nullable=True),
        Column("cancel_asked_at", Instant, nullable=True),
        Column("created_at", Instant, nullable=False),
        Column("sent_at", Instant, nullable=True),
        Column("sendable_until", Instant, nullable=True),
        Column("asked", Integer(), nullable=False),
        Column("updated_at", Instant, nullable=False),
        PrimaryKeyConstraint("id", name="pk_orders"),
        UniqueConstraint("account_id", "client_order_id", name="uq_orders_client_order_id"),
    )
    op.create_index("ix_orders_listed", "orders", ["owner_id", "id"])
    op.create_index("ix_orders_live", "orders", ["is_live", "account_id", "symbol"])
    op.create_index("ix_orders_protective", "orders", ["account_id", "symbol", "purpose", "id"])
    op.create_index("ix_orders_signal", "orders", ["signal_id"])
    op.create_table(
        "order_events",
        Column("id", Serial, autoincrement=True, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("order_id", Id, nullable=False),
        Column("at", Instant, nullable=False),
        Column("event", String(length=16), nullable=False),
        Column("state", String(length=16), nullable=False),
        Column("detail", Text(), nullable=False),
        PrimaryKeyConstraint("id", name="pk_order_events"),
    )
    op.create_index("ix_order_events_order", "order_events", ["order_id", "id"])
    op.create_table(
        "limits",
        Column("account_id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("order_notional_max", Exact, nullable=False),
        Column("position_equity_ratio_max", Exact, nullable=False),
        Column("orders_per_minute_max", Integer(), nullable=False),
        Column("daily_loss_percent_max", Exact, nullable=False),
        Column("price_collar_percent", Exact, nullable=False),
        Column("quote_age_max_s", Exact, nullable=False),
        Column("updated_at", Instant, nullable=False),
        Column("updated_by", String(length=64), nullable=False),
        PrimaryKeyConstraint("account_id", name="pk_limits"),
    )
    op.create_table(
        "halts",
        Column("id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("account_id", Id, nullable=False),
        Column("at", Instant, nullable=False),
        Column("by", String(length=64), nullable=False),
        Column("reason", Text(), nullable=False),
        Column("resumed_at", Instant, nullable=True),
        Column("resumed_by", String(length=64), nullable=True),
        PrimaryKeyConstraint("id", name="pk_halts"),
    )
    op.create_index("ix_halts_account", "halts", ["account_id", "resumed_at"])
    op.create_table(
        "order_counts",
        Column("account_id", Id, nullable=False),
        Column("second", BigInteger(), autoincrement=False, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("made", Integer(), nullable=False),
        PrimaryKeyConstraint("account_id", "second", name="pk_order_counts"),
    )
    op.create_table(
        "reconciled",
        Column("account_id", Id, nullable=False),
        Column("kind", String(length=16), nullable=False),
        Column("symbol", String(length=32), nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("venue_id", String(length=64), nullable=False),
        Column("at", Instant, nullable=False),
        PrimaryKeyConstraint("account_id", "kind", "symbol", name="pk_reconciled"),
    )

    # marketdata
    op.create_table(
        "instruments",
        Column("venue", String(length=32), nullable=False),
        Column("symbol", String(length=40), nullable=False),
        Column("base", String(length=16), nullable=False),
        Column("quote", String(length=16), nullable=False),
        Column("tick", Exact, nullable=False),
        Column("lot", Exact, nullable=False),
        Column("quantity_min", Exact, nullable=False),
        Column("quantity_max", Exact, nullable=False),
        Column("notional_min", Exact, nullable=False),
        Column("price_min", Exact, nullable=False),
        Column("price_max", Exact, nullable=False),
        Column("leverage_max", Integer(), nullable=False),
        Column("refreshed_at", Instant, nullable=False),
        PrimaryKeyConstraint("venue", "symbol", name="pk_instruments"),
    )

    # fleet
    op.create_table(
        "signals",
        Column("id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("account_id", Id, nullable=False),
        Column("hook_id", Id, nullable=False),
        Column("shape", String(length=48), nullable=False),
        Column("alert_key", String(length=300), nullable=True),
        Column("fingerprint", String(length=64), nullable=False),
        Column("body", JsonText, nullable=False),
        Column("signal", JsonText, nullable=True),
        Column("kind", String(length=16), nullable=True),
        Column("symbol", String(length=32), nullable=True),
        Column("received_at", Instant, nullable=False),
        Column("state", String(length=16), nullable=False),
        Column("step", Integer(), nullable=False),
        Column("code", String(length=64), nullable=True),
        Column("message", Text(), nullable=False),
        Column("http_status", Integer(), nullable=False),
        Column("detail", JsonText, nullable=True),
        Column("deliveries", Integer(), nullable=False),
        Column("changed_at", Instant, nullable=False),
        PrimaryKeyConstraint("id", name="pk_signals"),
        UniqueConstraint("hook_id", "alert_key", name="uq_signals_alert_key"),
    )
    op.create_index("ix_signals_body", "signals", ["hook_id", "fingerprint", "received_at"])
    op.create_index("ix_signals_listed", "signals", ["owner_id", "id"])
    op.create_index("ix_signals_waiting", "signals", ["state", "account_id", "symbol"])
    op.create_table(
        "protections",
        Column("account_id", Id, nullable=False),
        Column("symbol", String(length=32), nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("hook_id", Id, nullable=True),
        Column("signal_id", Id, nullable=False),
        Column("side", String(length=4), nullable=False),
        Column("stop_loss_price", Exact, nullable=True),
        Column("stop_loss_percent", Exact, nullable=True),
        Column("take_profit_price", Exact, nullable=True),
        Column("take_profit_percent", Exact, nullable=True),
        Column("placed", BigInteger(), nullable=False),
        Column("position_opened_at", Instant, nullable=True),
        Column("unprotected_since", Instant, nullable=True),
        Column("updated_at", Instant, nullable=False),
        PrimaryKeyConstraint("account_id", "symbol", name="pk_protections"),
    )


def downgrade() -> None:
    # fleet
    op.drop_table("protections")
    op.drop_table("signals")

    # marketdata
    op.drop_table("instruments")

    # execution
    op.drop_table("reconciled")
    op.drop_table("order_counts")
    op.drop_table("halts")
    op.drop_table("limits")
    op.drop_table("order_events")
    op.drop_table("orders")

    # ledger
    op.drop_table("equity_snapshots")
    op.drop_table("days")
    op.drop_table("balances")
    op.drop_table("positions")
    op.drop_table("entries")
    op.drop_table("payments")
    op.drop_table("fills")

    # accounts
    op.drop_table("audit")
    op.drop_table("idempotency")
    op.drop_table("house")
    op.drop_table("hooks")
    op.drop_table("venue_keys")
    op.drop_table("trading_accounts")
    op.drop_table("tokens")
    op.drop_table("users")

    # kit
    op.drop_table("budgets")
    op.drop_table("leases")
    op.drop_table("facts")
    op.drop_table("outbox")
