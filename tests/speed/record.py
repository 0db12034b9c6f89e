"""What a house has written down, read from its files by somebody else; and what its process has used."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_STORED = "SELECT count(*) FROM signals WHERE alert_key LIKE ?"
_UNDER_WAY = "SELECT count(*) FROM orders WHERE is_live AND type = 'MARKET'"
_WAITING = "SELECT count(*) FROM signals WHERE state IN ('pending', 'active')"
_ORDERS = """
    SELECT s.alert_key, s.received_at, count(o.id), sum(o.state = 'filled'), max(o.client_order_id)
    FROM signals s LEFT JOIN orders o ON o.signal_id = s.id WHERE s.alert_key LIKE ? GROUP BY s.id
"""
_TAKEN = "SELECT client_id, at FROM paper_orders"


@dataclass(frozen=True)
class Made:
    """What one alert became.

    received_at   when the house had its last byte, microseconds
    at_venue      when the venue had its order, microseconds; None if it has none
    """

    received_at: int
    orders: int
    filled: int
    at_venue: int | None


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as connection:
        yield connection


def stored(data: Path, run: str) -> int:
    """Return how many alerts of a run are in the database."""
    with _opened(data / "pilothouse.db") as database:
        return int(database.execute(_STORED, (f"id:{run}-%",)).fetchone()[0])


def backlog(data: Path) -> int:
    """Return how many alerts and orders are under way."""
    with _opened(data / "pilothouse.db") as database:
        return sum(int(database.execute(query).fetchone()[0]) for query in (_UNDER_WAY, _WAITING))


def made(data: Path, run: str) -> dict[int, Made]:
    """Return what the alerts of a run became, by number."""
    with _opened(data / "paper.db") as venue:
        taken: dict[str, int] = dict(venue.execute(_TAKEN))
    found = {}
    with _opened(data / "pilothouse.db") as database:
        for key, received_at, orders, filled, client_id in database.execute(_ORDERS, (f"id:{run}-%",)):
            number = int(key.rpartition("-")[2])
            found[number] = Made(received_at, orders, filled or 0, taken.get(client_id or ""))
    return found


def cpu_s(pid: int) -> float:
    """Return the processor seconds that a process has used, its own and the kernel's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mb(pid: int) -> float:
    """Return the memory that a process has in RAM, MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
