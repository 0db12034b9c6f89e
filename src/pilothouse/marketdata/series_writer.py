"""One writer of a series: who wants to write goes in; a lease comes out, held while files are written and noted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pilothouse.core.clock import Clock
from pilothouse.kit import lease
from pilothouse.kit.db import Database, Tx
from pilothouse.kit.retry import retrying
from pilothouse.marketdata.candle_series import Series
from pilothouse.marketdata.parquet_files import CandlesTaken

_HOLD: Final = timedelta(seconds=12)
_MARGIN: Final = timedelta(seconds=4)


@dataclass(frozen=True, slots=True)
class Writing:
    """The lease of one series."""

    series: Series
    held: lease.Held
    clock: Clock

    def may_write(self) -> bool:
        """Say whether a file may still be put in its place: not shortly before another may write."""
        return self.clock.now() < self.held.until - _MARGIN

    def must_hold(self, tx: Tx, now: datetime) -> None:
        """Raise CandlesTaken if it took so long that another may write by now."""
        if not lease.still_held(tx, self.held, now=now):
            raise CandlesTaken(f"{self.series} was not noted: it took so long that another may write it now")


@contextmanager
def writing(database: Database, clock: Clock, series: Series, owner: str, *, name: str) -> Iterator[Writing]:
    """Hold a series for `owner` while the block lasts. Raises CandlesTaken if another keeps it for some seconds.

    name   of the transactions
    """

    def take() -> lease.Held:
        held = database.write(
            lambda tx: lease.acquire(tx, series.lease, owner=owner, now=clock.now(), lease_for=_HOLD), name=name
        )
        if held is None:
            raise CandlesTaken(f"another process writes {series} now")
        return held

    held = retrying(take, on=CandlesTaken, attempts=6, first=0.05, longest=1.0)
    try:
        yield Writing(series, held, clock)
    finally:
        database.write(lambda tx: lease.release(tx, held, now=clock.now()), name=name)
