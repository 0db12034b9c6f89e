"""A machine that fails the house: a full, read-only or damaged disk, a locked database; what is seen, what is safe."""

import contextlib
import os
import resource
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from tests.house_process import HouseProcess, NotUp, eventually, fresh

pytestmark = pytest.mark.timeout(400)

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


@contextlib.contextmanager
def short_of_memory(house: HouseProcess) -> Iterator[None]:
    """Let the house have no more memory than it has."""
    status = Path(f"/proc/{house.pid}/status").read_text(encoding="ascii")
    has = int(next(line for line in status.splitlines() if line.startswith("VmSize")).split()[1]) * 1_024
    was = resource.prlimit(house.pid, resource.RLIMIT_AS, (has, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(house.pid, resource.RLIMIT_AS, was)


@pytest.mark.soak
def test_alerts_that_come_while_there_is_no_memory_are_carried_out_once_or_refused(new_house: NewHouse) -> None:
    """What was answered with 200 is done; what was not is sent again, as its sender does. Nothing is done twice."""
    house = new_house().start()
    assert house.alert(**BUY)["state"] == "filled"
    small = {**BUY, "quantity": "0.001", "webhook_secret": house.secret}
    alerts = [{**small, "alert_id": fresh(), "comment": "x" * 50_000} for _ in range(30)]
    known = set()
    with short_of_memory(house), ThreadPoolExecutor(8) as pool:
        for alert, answered in zip(alerts, pool.map(lambda one: _answered(house, one), alerts), strict=True):
            known |= {alert["alert_id"]} if answered else set()
    if not house.lives_on():
        house.start()  # whoever supervises it does so

    for alert in alerts:
        if alert["alert_id"] not in known:
            eventually(lambda alert=alert: _answered(house, alert), "it is taken once there is memory again")
    eventually(lambda: house.position() == Decimal("0.040"), "every one of them is carried out")
    entries = [one for one in house.orders() if one["purpose"] == "entry"]
    assert len(entries) == 31
    assert house.stop() == 0
    with house.autopsy() as found:
        found.check()


def _answered(house: HouseProcess, alert: dict[str, str]) -> bool:
    """Say whether an alert was taken; a connection that breaks is no answer."""
    try:
        return house.send(alert, wait_ms=0).status_code == 200
    except httpx.HTTPError:
        return False


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
