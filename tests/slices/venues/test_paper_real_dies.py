"""Paper money on real prices dies by SIGKILL at a commit and comes back: what it had answered stands, exactly."""

import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType
from pilothouse.kit.clocks import FrozenClock
from pilothouse.venues.port import Accepted
from tests.slices.venues.fed_source import BTC, Fed, real_paper
from tests.slices.venues.paper_house import ACCOUNT, accepted, books_agree, request

ROOT = Path(__file__).parents[3]
ROUNDS = 4


def live(folder: Path, clock: FrozenClock, at_commit: int, moment: str) -> None:
    """Trade on a market that moves, write down each answer, and die at that commit of the journal."""
    seen = 0
    answered = os.open(folder / "answered", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def witness(name: str) -> None:
        nonlocal seen
        if name.startswith("before:") == (moment == "before"):
            seen += 1
            if seen == at_commit:
                os.kill(os.getpid(), signal.SIGKILL)

    source = Fed(clock)
    with real_paper(folder, clock, source, witness=witness) as venue:
        for number in range(ROUNDS):
            level = 60_000 - 30 * (number % 3)
            source.feed(f"{level}.0", f"{level}.1", funding_rate=Decimal("0.0001"), funding_at=clock.now())
            orders = [
                request(clock.now(), Side.SELL if number % 4 == 3 else Side.BUY, "0.01", id_=f"m{number}"),
                request(clock.now(), Side.BUY, "0.01", OrderType.LIMIT, price=f"{level - 20}.0", id_=f"l{number}"),
                request(
                    clock.now(), Side.SELL, "0.01", OrderType.STOP_MARKET, stop=f"{level - 50}.0", id_=f"s{number}"
                ),
            ]
            for outcome in venue.place(ACCOUNT, orders):
                os.write(answered, f"{accepted(outcome).client_order_id}\n".encode())
            venue.step(clock.advance(timedelta(milliseconds=250)))


def test_at_every_commit_of_the_journal_what_was_answered_survives_a_kill(tmp_path: Path, clock: FrozenClock) -> None:
    """An answer is a promise, and a market that moved meanwhile meets what stands when the process is back."""
    ran = subprocess.run(
        [sys.executable, __file__, str(tmp_path), clock.now().isoformat()],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=250,
    )
    deaths = [line.split(":") for line in ran.stdout.splitlines() if line.startswith("died:")]
    assert len(deaths) > 2 * ROUNDS
    later = FrozenClock(clock.now() + timedelta(minutes=1))
    for _, name in deaths:
        comes_back(tmp_path / name, later, (tmp_path / name / "answered").read_text().split())


def comes_back(folder: Path, clock: FrozenClock, answered: list[str]) -> None:
    """Open it again and look: every answer is known, and books and venue agree before and after the next price."""
    source = Fed(clock)
    source.feed("60000.0", "60000.1", tell=False)
    with real_paper(folder, clock, source) as venue:
        books_agree(venue)
        for id_ in answered:
            found = venue.find(ACCOUNT, BTC, id_)
            assert isinstance(found, Accepted)
            filled = sum((fill.quantity for fill in found.report.fills), Decimal(0))
            assert filled == found.report.filled_quantity
        source.feed("59800.0", "59800.1")
        books_agree(venue)
        standing = venue.open_orders(ACCOUNT)
        assert all(report.terms.type is OrderType.LIMIT for report in standing)
        accepted(venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01")])[0])
        books_agree(venue)


def die_everywhere(root: Path, begun: str) -> None:
    """Fork a life for each commit and each side of it, until a life ends by itself; say who died."""
    for moment in ("before", "after"):
        for at_commit in range(1, 200):
            folder = root / f"{at_commit}-{moment}"
            folder.mkdir()
            child = os.fork()
            if child == 0:
                live(folder, FrozenClock(datetime.fromisoformat(begun)), at_commit, moment)
                os._exit(0)
            _, status = os.waitpid(child, 0)
            if not os.WIFSIGNALED(status):
                assert os.WEXITSTATUS(status) == 0, f"the life at {folder.name} failed"
                break
            os.write(1, f"died:{folder.name}\n".encode())


if __name__ == "__main__":
    die_everywhere(Path(sys.argv[1]), sys.argv[2])
