"""Leases: one holder at a time, and each holder with a higher epoch than all before."""

import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Database
from pilothouse.kit.lease import Held, HouseTaken, acquire, hand_on, holder, house_lock, release, renew, still_held

TEN = timedelta(seconds=10)


def take(db: Database, owner: str) -> Held | None:
    """Try to take the lease "beat" for ten seconds."""
    return db.write(lambda tx: acquire(tx, "beat", owner=owner, now=db.clock.now(), lease_for=TEN), name="acquire")


def test_one_holds_it_until_it_ends_and_the_next_has_a_higher_epoch(db: Database, clock: FrozenClock) -> None:
    """Whoever was replaced can be told from whoever replaced them."""
    first = take(db, "a")
    assert first is not None
    assert take(db, "b") is None
    assert take(db, "a") is None
    clock.advance(TEN)
    second = take(db, "b")
    assert second is not None
    assert second.epoch > first.epoch
    assert db.read(lambda tx: holder(tx, "beat", now=clock.now())) == second
    assert not db.read(lambda tx: still_held(tx, first, now=clock.now()))
    assert db.write(lambda tx: renew(tx, first, now=clock.now(), lease_for=TEN), name="n") is None
    assert not db.write(lambda tx: release(tx, first, now=clock.now()), name="n")


def test_it_is_renewed_before_its_end_and_not_after(db: Database, clock: FrozenClock) -> None:
    """A process that was stopped for too long finds out before it acts."""
    held = take(db, "a")
    assert held is not None
    clock.advance(9)
    longer = db.write(lambda tx: renew(tx, held, now=clock.now(), lease_for=TEN), name="n")
    assert longer is not None
    assert (longer.epoch, longer.until) == (held.epoch, clock.now() + TEN)
    assert db.read(lambda tx: still_held(tx, longer, now=clock.now()))
    clock.advance(TEN)
    assert not db.read(lambda tx: still_held(tx, longer, now=clock.now()))
    assert db.write(lambda tx: renew(tx, longer, now=clock.now(), lease_for=TEN), name="n") is None


def test_given_back_it_is_free_at_once_and_the_epoch_still_grows(db: Database) -> None:
    """A clean stop hands over without waiting."""
    held = take(db, "a")
    assert held is not None
    assert db.write(lambda tx: release(tx, held, now=db.clock.now()), name="n")
    after = take(db, "b")
    assert after is not None
    assert after.epoch == held.epoch + 1


def test_of_many_who_reach_for_it_one_gets_it(db: Database) -> None:
    """Two beats would do everything twice."""
    got: list[Held] = []
    threads = [
        threading.Thread(target=lambda name=str(number): got.extend(filter(None, [take(db, name)])))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def test_a_second_start_on_the_same_folder_is_refused_with_the_reason(tmp_path: Path) -> None:
    """Two houses on one database would trade twice; the first one's process id says whom to stop."""
    folder = tmp_path / "new" / "data"
    holds = (
        "import sys; from pathlib import Path; from pilothouse.kit.lease import house_lock\n"
        "lock = house_lock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holds, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(HouseTaken) as refused:
            house_lock(folder)
        assert refused.value.pid == other.pid
        assert str(other.pid) in str(refused.value)
        assert str(folder) in str(refused.value)
        other.kill()
        other.wait()

    with house_lock(folder), pytest.raises(HouseTaken):
        house_lock(folder)
    house_lock(folder).release()
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_lease_that_is_handed_on_can_be_renewed_no_more(db: Database, clock: FrozenClock) -> None:
    """Who is more urgent takes the place of who holds it, and acts only when the holder's time is certainly over."""
    first = take(db, "watcher")
    assert first is not None
    later = first.until + TEN
    assert db.write(lambda tx: hand_on(tx, first, owner="deadman", until=later), name="hand on")
    assert not db.write(lambda tx: hand_on(tx, first, owner="third", until=later), name="hand on")

    assert db.write(lambda tx: renew(tx, first, now=clock.now(), lease_for=TEN), name="n") is None
    clock.advance(TEN + TEN - timedelta(seconds=1))
    assert take(db, "deadman") is None
    clock.advance(1)
    second = take(db, "deadman")
    assert second is not None
    assert second.epoch > first.epoch + 1
