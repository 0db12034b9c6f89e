"""The paper venue dies by SIGKILL at a commit and comes back: what it had answered stands, nothing is half done."""

import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType
from pilothouse.kit.clocks import FrozenClock
from pilothouse.venues.paper import PaperVenue
from pilothouse.venues.port import Accepted
from tests.slices.venues.paper_house import ACCOUNT, accepted, books_agree, paper, request

ROOT = Path(__file__).parents[3]


def live_and_die(folder: Path, clock: FrozenClock, at_commit: int, moment: str) -> None:
    """Trade until that commit of the journal, tell each answer on standard output, and die there."""
    seen = 0

    def witness(name: str) -> None:
        nonlocal seen
        if name.startswith("before:") == (moment == "before"):
            seen += 1
            if seen == at_commit:
                os.kill(os.getpid(), signal.SIGKILL)

    with paper(folder, clock, witness=witness) as venue:
        for number in range(100):
            side = Side.SELL if number % 4 == 3 else Side.BUY
            orders = [
                request(clock.now(), side, "0.01", id_=f"m{number}"),
                request(clock.now(), Side.BUY, "0.01", OrderType.LIMIT, price="64990", id_=f"l{number}"),
            ]
            for outcome in venue.place(ACCOUNT, orders):
                os.write(1, f"{accepted(outcome).client_order_id}\n".encode())
            if number % 5 == 0:
                venue.set_price("BTCUSDT", Decimal(64_900 if number % 2 else 65_000))
            venue.step(clock.advance(timedelta(milliseconds=250)))


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("at_commit", [1, 2, 5, 12, 31])
def test_what_was_answered_survives_a_kill(tmp_path: Path, clock: FrozenClock, at_commit: int, moment: str) -> None:
    """An answer is a promise, also to whoever asks after the power came back."""
    died = subprocess.run(
        [sys.executable, __file__, str(tmp_path), str(at_commit), moment, clock.now().isoformat()],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=250,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr

    answered = died.stdout.split()
    clock.advance(timedelta(minutes=1))
    with paper(tmp_path, clock) as venue:
        books_agree(venue)
        for id_ in answered:
            found = venue.find(ACCOUNT, "BTCUSDT", id_)
            assert isinstance(found, Accepted)
            filled = sum((fill.quantity for fill in found.report.fills), Decimal(0))
            assert filled == found.report.filled_quantity
        # One request of two orders may have become durable without its answer: both of it, or none.
        known = [id_ for id_ in (f"{kind}{number}" for number in range(100) for kind in "ml") if is_known(venue, id_)]
        assert known[: len(answered)] == answered
        assert len(known) - len(answered) in ({0} if moment == "before" else {0, 2})
        accepted(venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01")])[0])
        books_agree(venue)


def is_known(venue: PaperVenue, id_: str) -> bool:
    """Say whether the venue knows the order."""
    return isinstance(venue.find(ACCOUNT, "BTCUSDT", id_), Accepted)


if __name__ == "__main__":
    live_and_die(Path(sys.argv[1]), FrozenClock(datetime.fromisoformat(sys.argv[4])), int(sys.argv[2]), sys.argv[3])
