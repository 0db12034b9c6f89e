"""Limits at four levels, with the record of who changed them; the high-water mark.

Revision 0011, behind 0010.
"""

import json
from typing import Any

from alembic import op
from sqlalchemy import Column, Integer, MetaData, PrimaryKeyConstraint, String, Table, Text, select

from pilothouse.core.rounding import plain
from pilothouse.kit.columns import Exact, Id, Instant, JsonText

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_NAMES = (
    "order_notional_max",
    "position_equity_ratio_max",
    "orders_per_minute_max",
    "daily_loss_percent_max",
    "price_collar_percent",
    "quote_age_max_s",
)


def _limits(metadata: MetaData) -> Table:
    return Table(
        "limits",
        metadata,
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


def upgrade() -> None:
    sets = op.create_table(
        "limit_sets",
        Column("scope_id", Id, nullable=False),
        Column("level", String(length=8), nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("account_id", Id, nullable=True),
        Column("stop", JsonText, nullable=False),
        Column("warn", JsonText, nullable=False),
        Column("later", JsonText, nullable=False),
        Column("revision", Integer(), nullable=False),
        Column("updated_at", Instant, nullable=False),
        Column("updated_by", String(length=64), nullable=False),
        PrimaryKeyConstraint("scope_id", name="pk_limit_sets"),
    )
    op.create_table(
        "limit_changes",
        Column("id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("level", String(length=8), nullable=False),
        Column("scope_id", Id, nullable=False),
        Column("name", String(length=40), nullable=False),
        Column("which", String(length=4), nullable=False),
        Column("was", Text(), nullable=True),
        Column("became", Text(), nullable=True),
        Column("at", Instant, nullable=False),
        Column("holds_from", Instant, nullable=False),
        Column("by", String(length=64), nullable=False),
        Column("why", Text(), nullable=False),
        PrimaryKeyConstraint("id", name="pk_limit_changes"),
    )
    op.create_index("ix_limit_changes_owner", "limit_changes", ["owner_id", "id"])
    op.create_table(
        "high_water",
        Column("account_id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("equity", Exact, nullable=False),
        Column("at", Instant, nullable=False),
        PrimaryKeyConstraint("account_id", name="pk_high_water"),
    )
    op.create_index("ix_orders_made", "orders", ["account_id", "created_at"])
    connection = op.get_bind()
    for row in connection.execute(select(_limits(MetaData()))).mappings().all():
        connection.execute(
            sets.insert().values(
                scope_id=row["account_id"],
                level="account",
                owner_id=row["owner_id"],
                account_id=row["account_id"],
                stop={name: _stored(row[name]) for name in _NAMES},
                warn={},
                later=[],
                revision=1,
                updated_at=row["updated_at"],
                updated_by=row["updated_by"],
            )
        )
    op.drop_table("limits")


def _stored(value: Any) -> Any:
    return value if isinstance(value, int) else plain(value)


def downgrade() -> None:
    """Return to limits of accounts alone; limits that the older version does not know are lost."""
    metadata = MetaData()
    limits = _limits(metadata)
    limits.create(op.get_bind())
    sets = Table("limit_sets", metadata, autoload_with=op.get_bind())
    connection = op.get_bind()
    wide = ("1000000", "20", 100_000, "100", "10", "10")
    for row in connection.execute(select(sets).where(sets.c.level == "account")).mappings().all():
        stop = {**dict(zip(_NAMES, wide, strict=True)), **json.loads(row["stop"])}
        values = {
            name: int(stop[name]) if name == "orders_per_minute_max" else Exact.from_sqlite(stop[name])
            for name in _NAMES
        }
        whose = {name: row[name] for name in ("account_id", "owner_id", "updated_by")}
        connection.execute(limits.insert().values(**whose, **values, updated_at=_instant(row["updated_at"])))
    op.drop_index("ix_orders_made", "orders")
    for name in ("high_water", "limit_changes", "limit_sets"):
        op.drop_table(name)


def _instant(raw: Any) -> Any:
    return Instant.from_sqlite(raw) if isinstance(raw, int) else raw
