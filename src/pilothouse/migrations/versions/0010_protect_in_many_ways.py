"""A protection is kept whole: ladders, trailing and time stops beside stop and target, and the orders made for it.

Revision 0010, behind 0009.
"""

from decimal import Decimal
from typing import Any

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    RowMapping,
    String,
    Table,
    select,
)

from pilothouse.kit.columns import Exact, Id, Instant, JsonText

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    link = op.get_bind()
    before = _old(MetaData())
    rows = link.execute(select(before)).mappings().all()
    op.drop_table("protections")
    op.create_table(
        "protections",
        Column("account_id", Id, nullable=False),
        Column("symbol", String(length=32), nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("id", Id, nullable=False),
        Column("hook_id", Id, nullable=True),
        Column("signal_id", Id, nullable=True),
        Column("asked_by", String(length=64), nullable=False),
        Column("asked_at", Instant, nullable=False),
        Column("side", String(length=4), nullable=False),
        Column("guards", JsonText, nullable=False),
        Column("placed", BigInteger(), nullable=False),
        Column("position_opened_at", Instant, nullable=True),
        Column("best_price", Exact, nullable=True),
        Column("otherwise", Boolean(), nullable=False),
        Column("kept_here", JsonText, nullable=False),
        Column("unprotected_since", Instant, nullable=True),
        Column("unprotected_us", BigInteger(), nullable=False),
        Column("watched_step", Integer(), nullable=False),
        Column("updated_at", Instant, nullable=False),
        PrimaryKeyConstraint("account_id", "symbol", name="pk_protections"),
    )
    for row in rows:
        link.execute(_new(MetaData()).insert().values(**_whole(row)))
    op.create_table(
        "protective_orders",
        Column("order_id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("protection_id", Id, nullable=False),
        Column("place", String(length=24), nullable=False),
        PrimaryKeyConstraint("order_id", name="pk_protective_orders"),
    )
    op.create_index("ix_protective_orders_of", "protective_orders", ["protection_id", "order_id"])
    op.create_table(
        "protection_policies",
        Column("account_id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("within_s", Integer(), nullable=False),
        Column("then", String(length=16), nullable=False),
        Column("updated_at", Instant, nullable=False),
        Column("updated_by", String(length=64), nullable=False),
        PrimaryKeyConstraint("account_id", name="pk_protection_policies"),
    )


def downgrade() -> None:
    """Keep what the former table could: one stop and one target; the rest of a protection is forgotten."""
    link = op.get_bind()
    rows = link.execute(select(_new(MetaData()))).mappings().all()
    op.drop_table("protection_policies")
    op.drop_index("ix_protective_orders_of", "protective_orders")
    op.drop_table("protective_orders")
    op.drop_table("protections")
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
    for row in rows:
        link.execute(_old(MetaData()).insert().values(**_halved(row)))


_KEPT: tuple[str, ...] = (
    *("account_id", "symbol", "owner_id", "hook_id", "side", "placed"),
    *("position_opened_at", "unprotected_since", "updated_at"),
)


def _whole(row: RowMapping) -> dict[str, Any]:
    stop = {"price": row["stop_loss_price"], "percent": row["stop_loss_percent"]}
    take = {"price": row["take_profit_price"], "percent": row["take_profit_percent"]}
    targets = [{"level": take, "share": None}] if take["price"] or take["percent"] else []
    return {
        **{name: row[name] for name in _KEPT},
        "id": row["signal_id"],
        "signal_id": row["signal_id"],
        "asked_by": "alert",
        "asked_at": row["updated_at"],
        "guards": {"stop_loss": stop if stop["price"] or stop["percent"] else None, "targets": targets},
        "otherwise": False,
        "kept_here": [],
        "unprotected_us": 0,
        "watched_step": 0,
    }


def _halved(row: RowMapping) -> dict[str, Any]:
    guards = row["guards"]
    stop, targets = guards.get("stop_loss") or {}, guards.get("targets") or []
    take = targets[0]["level"] if targets else {}
    return {
        **{name: row[name] for name in _KEPT},
        "signal_id": row["signal_id"] or row["id"],
        "stop_loss_price": _exact(stop.get("price")),
        "stop_loss_percent": _exact(stop.get("percent")),
        "take_profit_price": _exact(take.get("price")),
        "take_profit_percent": _exact(take.get("percent")),
    }


def _exact(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _old(metadata: MetaData) -> Table:
    return Table(
        "protections",
        metadata,
        Column("account_id", Id),
        Column("symbol", String(length=32)),
        Column("owner_id", Id),
        Column("hook_id", Id),
        Column("signal_id", Id),
        Column("side", String(length=4)),
        Column("stop_loss_price", Exact),
        Column("stop_loss_percent", Exact),
        Column("take_profit_price", Exact),
        Column("take_profit_percent", Exact),
        Column("placed", BigInteger()),
        Column("position_opened_at", Instant),
        Column("unprotected_since", Instant),
        Column("updated_at", Instant),
    )


def _new(metadata: MetaData) -> Table:
    return Table(
        "protections",
        metadata,
        Column("account_id", Id),
        Column("symbol", String(length=32)),
        Column("owner_id", Id),
        Column("id", Id),
        Column("hook_id", Id),
        Column("signal_id", Id),
        Column("asked_by", String(length=64)),
        Column("asked_at", Instant),
        Column("side", String(length=4)),
        Column("guards", JsonText),
        Column("placed", BigInteger()),
        Column("position_opened_at", Instant),
        Column("best_price", Exact),
        Column("otherwise", Boolean()),
        Column("kept_here", JsonText),
        Column("unprotected_since", Instant),
        Column("unprotected_us", BigInteger()),
        Column("watched_step", Integer()),
        Column("updated_at", Instant),
    )
