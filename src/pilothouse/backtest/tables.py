"""What is stored of backtests that were asked for through the house: each request, its state, and its small results.

The columns of a run (trades, equity, candles) are files, see `shelf.py`; here stands who asked for what.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from pilothouse.kit.columns import Id, Instant, JsonText, Name, metadata

backtests = Table(
    "backtests",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("kind", String(16), nullable=False, doc="run, sweep, walkforward, chance or check"),
    Column("strategy", Name, nullable=False),
    Column("name", String(64), nullable=False, doc="SHA-256 of everything the result depends on"),
    Column("asked", JsonText, nullable=False, doc="the request, with everything that was not said filled in"),
    Column("spec", Text, doc="what is run, as canonical JSON; null for a check"),
    Column("bars", BigInteger, nullable=False),
    Column("combinations", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("progress_ppm", Integer, nullable=False, doc="0 to 1,000,000"),
    Column("attempt", Integer, nullable=False, doc="which delivery works on it, or did; 0: none yet"),
    Column("found", Boolean, nullable=False, doc="the result was there already"),
    Column("result", JsonText, doc="metrics and what else is small; null until it is done"),
    Column("error", Text, doc="why it failed"),
    Column("requested_by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("removed_at", Instant, doc="shown to nobody since; still counted for its day"),
    Index("ix_backtests_listed", "owner_id", "id"),
    Index("ix_backtests_counted", "owner_id", "created_at"),
    Index("ix_backtests_same", "owner_id", "name"),
    Index("ix_backtests_state", "state"),
)

backtest_bounds = Table(
    "backtest_bounds",
    metadata,
    Column("owner_id", Id, primary_key=True),
    Column("at_once", BigInteger, doc="queued or running at the same time; null: as the house says"),
    Column("per_day", BigInteger, doc="asked for in one day, UTC; null: as the house says"),
    Column("work", BigInteger, doc="bars times combinations of one request; null: as the house says"),
)
"""Tighter bounds for one user than those of the house."""
