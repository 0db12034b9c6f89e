"""A house that runs tells a person: a forced unknown order, from the alert to the message and to its end."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house_process import PROGRAM, HouseProcess, eventually, fresh
from tests.journeys.doubting_up import AHEAD, ANSWERS
from tests.receivers import webhook

pytestmark = pytest.mark.timeout(400)

NewHouse = Callable[..., HouseProcess]
DOUBTING = (sys.executable, str(Path(__file__).parent / "doubting_up.py"))
SECRET = "hook-93c1"


def typed(house: HouseProcess, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command on the machine of the house."""
    return subprocess.run(
        [str(PROGRAM), *words], env=house.environment(), capture_output=True, text=True, timeout=60, check=False
    )


def test_an_order_that_stays_unknown_reaches_a_person_with_its_end(new_house: NewHouse) -> None:
    """After a minute somebody hears of it; who has seen it hears no more, but that it is over."""
    with webhook() as received:
        house = new_house(program=DOUBTING, settings={"ALARM_URLS": received.url}).start()
        house.post("/webhook/tradingview?wait_ms=0", market(house))
        eventually(lambda: [one for one in house.orders() if one["state"] == "unknown"], "an unknown order")
        assert received.letters == []

        (house.data / AHEAD).write_text("58")
        received.wait()
        [letter] = received.letters
        assert "[critical] Nobody knows what became of an order (BTCUSDT on " in letter["title"]

        [alarm] = json.loads(typed(house, "alarm", "list", "--open", "--json").stdout)["items"]
        assert (alarm["code"], alarm["about"], alarm["state"]) == ("order_unknown", "BTCUSDT", "open")
        eventually(lambda: house.get("/api/v1/alarms")["items"][0]["told"][0]["state"] == "arrived", "arrival")
        assert typed(house, "alarm", "ack", alarm["id"]).returncode == 0

        (house.data / ANSWERS).touch()
        received.wait()
        assert "[over] Nobody knows what became of an order" in received.titles()[-1]

        tried = typed(house, "alarm", "test")
        assert (tried.returncode, "took it" in tried.stdout) == (0, True), tried.stderr
        missed = typed(house, "alarm", "test", "--to", "json://127.0.0.1:1/nobody")
        assert (missed.returncode, "Connection error" in missed.stdout) == (1, True), missed.stdout

        assert house.stop() == 0
        assert SECRET not in tried.stdout + house.said("out") + house.said("err")
        assert not any(SECRET.encode() in file.read_bytes() for file in house.data.rglob("*") if file.is_file())


def test_an_address_that_no_service_fits_stops_the_start(new_house: NewHouse) -> None:
    """Found out at the start, not in the night; and the address, which is a secret, is not repeated."""
    house = new_house(settings={"ALARM_URLS": "nosuchservice://a-secret-word/x"})
    house.begin()

    assert house.ended() == 1
    assert "alarm address 1: not understood" in house.said("err")
    assert "a-secret-word" not in house.said("err") + house.said("out")


def market(house: HouseProcess) -> dict[str, str]:
    """Return an alert that opens a position."""
    body = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010"}
    return {**body, "timenow": fresh(), "webhook_secret": house.secret}
