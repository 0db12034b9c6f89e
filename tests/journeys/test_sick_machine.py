"""A machine that fails the house: a full, read-only or damaged disk, a locked database; what is seen, what is safe."""

import contextlib
import os
import resource
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from tests.house_process import HouseProcess, NotUp, eventually, fresh

pytestmark = pytest.mark.timeout(200)

BUY = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010"}
NewHouse = Callable[..., HouseProcess]


@contextlib.contextmanager
def full_disk(house: HouseProcess) -> Iterator[None]:
    """Let the house write to no file any more, as a disk without room does; works for every user."""
    was = resource.prlimit(house.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(house.pid, resource.RLIMIT_FSIZE, was)


@contextlib.contextmanager
def locked(house: HouseProcess) -> Iterator[None]:
    """Hold the database, as a copying program or another tool may do."""
    other = sqlite3.connect(house.data / "pilothouse.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.mark.parametrize("trouble", [full_disk, locked])
def test_an_alert_that_cannot_be_stored_is_refused_and_carried_out_once_when_it_comes_again(
    trouble: Callable[[HouseProcess], contextlib.AbstractContextManager[None]], new_house: NewHouse
) -> None:
    """Its sender gets a 5xx and sends it again; nothing of it was half done, and nothing that was done is lost."""
    house = new_house().start()
    assert house.alert(**BUY)["state"] == "filled"
    alert = {**BUY, "alert_id": fresh(), "webhook_secret": house.secret}

    with trouble(house):
        refused = house.send(alert, wait_ms=0)
        assert refused.status_code == 503, refused.text
        assert house.lives_on()
        assert house.client.get("/health/live").status_code == 200

    taken = eventually(lambda: _taken(house, alert), "it is taken once there is room again")
    house.settle(taken)
    assert house.position() == Decimal("0.020")
    assert len([one for one in house.orders() if one["purpose"] == "entry"]) == 2
    assert house.stop() == 0
    with house.autopsy() as found:
        found.check()


def _taken(house: HouseProcess, alert: dict[str, str]) -> str | None:
    answer = house.send(alert, wait_ms=0)
    return str(answer.json()["signal_id"]) if answer.status_code == 200 else None


def test_a_damaged_database_stops_the_start_with_a_word_and_is_left_as_it_is(new_house: NewHouse) -> None:
    """Going on with books that cannot be read would be trading blind; what is left may still be saved."""
    house = new_house().start()
    assert house.alert(**BUY)["state"] == "filled"
    assert house.stop() == 0
    books = house.data / "pilothouse.db"
    broken = b"no database any more" + books.read_bytes()[20:]
    books.write_bytes(broken)

    with pytest.raises(NotUp, match="pilothouse"):
        house.start()

    assert books.read_bytes() == broken
    assert "cannot start" in house.said("err")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_disk_that_is_read_only_stops_the_start_with_a_word(new_house: NewHouse) -> None:
    """Linux mounts a failing disk read-only; once it can be written again, everything is there."""
    house = new_house()
    house.data.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=200m,mode=0700", "sick", str(house.data)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        assert house.start().alert(**BUY)["state"] == "filled"
        assert house.stop() == 0
        subprocess.run(["mount", "-o", "remount,ro", str(house.data)], check=True)
        with pytest.raises(NotUp, match="Read-only"):
            house.start()
        assert "cannot start" in house.said("err")
        subprocess.run(["mount", "-o", "remount,rw", str(house.data)], check=True)
        assert house.start().position() == Decimal("0.010")
    finally:
        house.kill()
        subprocess.run(["umount", "-l", str(house.data)], check=True)
