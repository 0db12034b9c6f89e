"""Limits and halts that stood before there were levels still stand after the upgrade, and after the way back."""

from datetime import timedelta
from decimal import Decimal

from sqlalchemy import create_engine, text

from pilothouse.core.halts import HaltKind
from pilothouse.execution import halt_store, limit_sets
from pilothouse.execution.limit_sets import Level
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Database
from pilothouse.migrations.migrate import downgrade, migrate
from tests.conftest import NOON

BEFORE_LEVELS = "0010"


def test_limits_and_halts_of_accounts_come_over_and_go_back(database_url: str, clock: FrozenClock) -> None:
    """An upgrade that forgot a limit would let an order through that somebody had forbidden."""
    migrate(database_url, backup_to=None, clock=clock)
    downgrade(database_url, to=BEFORE_LEVELS)
    engine = create_engine(database_url)
    at = NOON if engine.dialect.name == "postgresql" else int(NOON.timestamp()) * 1_000_000
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO limits (account_id, owner_id, order_notional_max, position_equity_ratio_max,"
                " orders_per_minute_max, daily_loss_percent_max, price_collar_percent, quote_age_max_s, updated_at,"
                " updated_by) VALUES ('acc_1', 'usr_1', '250.5', '3', 12, '4', '2', '5', :at, 'me')"
            ),
            {"at": at},
        )
        connection.execute(
            text(
                "INSERT INTO halts (id, owner_id, account_id, at, by, reason) VALUES"
                " ('hlt_1', 'usr_1', 'acc_1', :at, 'me', 'the news')"
            ),
            {"at": at},
        )
    migrate(database_url, backup_to=None, clock=clock)
    database = Database(database_url, clock=clock)
    later = NOON + timedelta(days=1)
    holds = database.read(lambda tx: limit_sets.standing(tx, "usr_1", "acc_1", None, later)).stop
    halt = database.read(lambda tx: halt_store.halted(tx, "acc_1", "usr_1"))
    database.close()

    assert (holds.order_notional_max, holds.orders_per_minute_max) == (Decimal("250.5"), 12)
    assert (holds.daily_loss_percent_max, holds.quote_age_max_s) == (4, 5)
    assert halt is not None
    assert (halt.id, halt.level, halt.kind, halt.reason) == (
        "hlt_1",
        Level.ACCOUNT,
        HaltKind.NO_NEW_EXPOSURE,
        "the news",
    )

    downgrade(database_url, to=BEFORE_LEVELS)
    with engine.begin() as connection:
        row = connection.execute(text("SELECT order_notional_max, orders_per_minute_max FROM limits")).one()
        assert (Decimal(row[0]), row[1]) == (Decimal("250.5"), 12)
        assert connection.execute(text("SELECT id FROM halts")).scalars().all() == ["hlt_1"]
    engine.dispose()
