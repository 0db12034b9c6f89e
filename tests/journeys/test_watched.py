"""`pilothouse up` has a watcher beside it: a process of its own that is there as long as it is, and once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.exchange_process import FUTURES, ExchangeProcess, add_account, agree
from tests.house_process import HouseProcess, eventually, fresh
from tests.journeys.stopping_up import STOP_NOW
from tests.journeys.wire import new_hook


def _children(pid: int) -> list[int]:
    """Return the processes that `pid` started and that live."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    tasks = Path(f"/proc/{pid}/task")
    for task in tasks.iterdir():
        found += (task / "children").read_text().split()
    return sorted({int(each) for each in found})


def _until(look: Callable[[], bool], seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if look():
            return True
        time.sleep(0.1)
    return look()


@pytest.mark.timeout(400)
def test_the_watcher_is_started_again_when_it_dies_and_ends_with_the_house(tmp_path: Path) -> None:
    """Killed, it comes back; and it leaves nobody behind when the house is stopped, or killed over paper money."""
    with HouseProcess(tmp_path, settings={"WATCHER": "yes"}).start() as house:
        pid = house.pid
        assert _until(lambda: len(_children(pid)) == 1)
        (first,) = _children(pid)
        os.kill(first, signal.SIGKILL)
        others: list[int] = []

        def another() -> bool:
            others[:] = [each for each in _children(pid) if each != first]
            return bool(others)

        assert _until(another)
        (second,) = others
        house.kill()
        # Its house is gone, and there is no real account that somebody has to look after.
        assert _until(lambda: not Path(f"/proc/{second}").exists() or _is_zombie(second))


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_the_watcher_places_the_stop_that_a_house_that_is_gone_could_not(how: signal.Signals, tmp_path: Path) -> None:
    """The exchange took no stop, and the house was gone: once its lease and the window are over, a stop stands."""
    with ExchangeProcess(tmp_path / "exchange") as exchange:
        exchange.control("POST", "price", {"symbol": "BTCUSDT", "price": "65000"})
        with HouseProcess(tmp_path / "house", settings={"WATCHER": "yes"}).start() as house:
            account_id = add_account(house, exchange, FUTURES, FUTURES)
            hook = new_hook(house, account_id=account_id)["path"]
            assert _until(lambda: len(_children(house.pid)) == 1)
            (watcher,) = _children(house.pid)
            exchange.control(
                "POST", "faults", {"kind": "unavailable", "method": "POST", "path": "algoOrder", "times": -1}
            )
            body = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "stop_loss": "5%"}
            eventually(lambda: house.send(dict(body, alert_id=fresh()), hook).status_code == 200, "it is taken")
            eventually(lambda: exchange.orders(FUTURES), "it stands at the exchange")
            os.kill(house.pid, how)
            exchange.control("DELETE", "faults")
            time.sleep(8)
            assert exchange.standing(FUTURES) == [], "the lease of the house holds"
            assert _until(lambda: len(exchange.standing(FUTURES)) == 1, 90)
            if how is signal.SIGSTOP:
                os.kill(house.pid, signal.SIGCONT)
                agree(house, exchange, FUTURES, account_id)
                assert len(exchange.standing(FUTURES)) == 1
                house.stop()
                return
            house.kill()
            house.start()
            agree(house, exchange, FUTURES, account_id)
            assert len(exchange.standing(FUTURES)) == 1
            assert _until(lambda: not Path(f"/proc/{watcher}").exists() or _is_zombie(watcher))
            house.stop()  # killed, it would leave a watcher that rightly goes on


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_watcher_lets_a_house_go_on_that_was_stopped_in_a_commit(tmp_path: Path) -> None:
    """It holds the books, so nobody could place the stop: going on, the house itself does, and sends nothing twice."""
    program = (sys.executable, str(Path(__file__).parent / "stopping_up.py"))
    with ExchangeProcess(tmp_path / "exchange") as exchange:
        exchange.control("POST", "price", {"symbol": "BTCUSDT", "price": "65000"})
        with HouseProcess(tmp_path / "house", settings={"WATCHER": "yes"}, program=program).start() as house:
            account_id = add_account(house, exchange, FUTURES, FUTURES)
            hook = new_hook(house, account_id=account_id)["path"]
            assert _until(lambda: len(_children(house.pid)) == 1)
            exchange.control(
                "POST", "faults", {"kind": "unavailable", "method": "POST", "path": "algoOrder", "times": -1}
            )
            body = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "stop_loss": "5%"}
            eventually(lambda: house.send(dict(body, alert_id=fresh()), hook).status_code == 200, "it is taken")
            eventually(lambda: exchange.orders(FUTURES), "it stands at the exchange")
            _stopped_in_a_commit(house)
            exchange.control("DELETE", "faults")

            assert _until(lambda: "house_let_go_on" in _watchers_log(house), 90)
            assert _until(lambda: len(exchange.standing(FUTURES)) == 1, 90)
            agree(house, exchange, FUTURES, account_id)
            assert len(exchange.standing(FUTURES)) == 1
            assert len([one for one in exchange.orders(FUTURES) if one.get("type") == "MARKET"]) == 1
            house.stop()


_WRITES = """
import sqlite3, sys
books = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
try:
    books.execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError as error:
    sys.exit(3 if "locked" in str(error) else 4)
"""


def _stopped_in_a_commit(house: HouseProcess) -> None:
    """Let the house stop itself, and prove that it holds the books: nobody else can begin to write, again and again."""
    for _ in range(5):
        (house.data / STOP_NOW).touch()
        assert _until(lambda: _states(house.pid) == {"T"}), "it stopped itself"
        tries = [_tries_to_write(house) for _ in range(3)]
        assert _states(house.pid) == {"T"}
        if tries == [3, 3, 3]:
            return
        assert set(tries) <= {0, 3}, tries
        os.kill(house.pid, signal.SIGCONT)
    pytest.fail("it never stopped in a commit")


def _tries_to_write(house: HouseProcess) -> int:
    ran = subprocess.run([sys.executable, "-c", _WRITES, str(house.data / "pilothouse.db")], check=False, timeout=20)
    return ran.returncode


def _states(pid: int) -> set[str]:
    """Return the states of all threads of a process."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return {(each / "stat").read_text().rpartition(")")[2].split()[0] for each in threads}


def _watchers_log(house: HouseProcess) -> str:
    file = house.data / "logs" / "watcher.log"
    return file.read_text(encoding="utf-8") if file.exists() else ""
