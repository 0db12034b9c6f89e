"""The page docs/use/first-exchange.md, run as it stands: what a newcomer types, against a house and an exchange."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.exchange_process import ASTER, AT_EXCHANGE, CREDENTIALS, FUTURES, GIVEN, SPOT, ExchangeProcess, agree
from tests.house_process import PROGRAM, HouseProcess, eventually

pytestmark = pytest.mark.timeout(400)

NewHouse = Callable[..., HouseProcess]
PAGE = Path(__file__).parents[2] / "docs" / "use" / "first-exchange.md"
NAMES = {ASTER: "sim-aster", FUTURES: "sim-futures", SPOT: "sim-spot"}
STOP = {ASTER: "STOP_MARKET", FUTURES: "STOP_MARKET", SPOT: "STOP_LOSS"}


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[ExchangeProcess]:
    """Yield an exchange that listens."""
    with ExchangeProcess(tmp_path / "exchange") as running:
        yield running


class Reader:
    """A person with one shell, who types what stands on the page."""

    def __init__(self, house: HouseProcess, exchange: ExchangeProcess) -> None:
        """Sit in the folder of Pilothouse; only its ports are other ones, since several tests run at once."""
        self.blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
        self._exchange = exchange
        (house.place / ".venv" / "bin").mkdir(parents=True)
        (house.place / ".venv" / "bin" / "pilothouse").symlink_to(PROGRAM)
        self._shell = subprocess.Popen(
            ["bash"], cwd=house.place, env={**os.environ, **house.environment()}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def types(self, begin: str) -> str:
        """Run the next block, which begins with `begin`; return what the terminal shows."""
        block = self.blocks.pop(0)
        assert block.startswith(begin), block
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(block.replace(":18100", f":{self._exchange.port}") + "\nprintf '\\nEND %s\\n' $?\n")
        self._shell.stdin.flush()
        shown = ""
        for line in self._shell.stdout:
            if line.startswith("END "):
                assert line == "END 0\n", shown
                return shown.strip()
            shown += line
        raise AssertionError(f"the shell ended: {shown}")

    def close(self) -> None:
        """Leave."""
        self._shell.kill()
        self._shell.communicate()


@pytest.fixture
def reader(new_house: NewHouse, exchange: ExchangeProcess) -> Iterator[tuple[Reader, HouseProcess]]:
    """Yield a person and the house in the first terminal."""
    house = new_house().start()
    person = Reader(house, exchange)
    yield person, house
    person.close()


def test_the_page_of_the_first_exchange_is_true(reader: tuple[Reader, HouseProcess], exchange: ExchangeProcess) -> None:
    """An alert to each exchange is a filled order there, protected there, and the books are the exchange's own."""
    person, house = reader
    assert [person.blocks.pop(0).strip() for _ in range(2)] == ["make run", ".venv/bin/pilothouse simexchange"]
    given = person.blocks[0].splitlines()[:3]
    assert all(line in exchange.said for line in given), "the page names the keys that the exchange prints"

    assert "may withdraw   no" in person.types("ASTERDEX_USER_ADDRESS")
    assert person.types("export BINANCE_API_KEY").count("100,000 USDT") == 2
    person.types("aster=$(")
    _alert_each(person, house)
    ids = {row["name"]: row["id"] for row in house.pages("/api/v1/accounts")}
    for venue, name in NAMES.items():
        eventually(lambda at=venue: len(exchange.standing(at)) == 1, f"{venue}: a stop stands")
        kind, quantity, trigger = exchange.standing(venue)[0]
        assert (kind, quantity) == (STOP[venue], Decimal("0.009" if venue == SPOT else "0.01"))
        bought = Decimal(exchange.fills(venue)[0]["price"])
        assert Decimal("0.979") * bought < trigger < Decimal("0.982") * bought
        agree(house, exchange, venue, ids[name])
    shown = person.types(".venv/bin/pilothouse account list")
    assert "0.00999" in shown
    assert all(name in shown for name in NAMES.values())

    told = person.types("curl -sS -H 'X-Control-Token").splitlines()
    assert {fill["account"] for fill in json.loads(told[0])} == set(AT_EXCHANGE.values())

    wrong = person.types("curl -sS -H 'X-Control-Token").splitlines()
    assert json.loads(wrong[1])["success"] is True
    eventually(lambda: _held(house, ids["sim-aster"]) == Decimal("0.02"), "the order whose answer was lost is booked")
    agree(house, exchange, ASTER, ids["sim-aster"])

    ten = [json.loads(told) for told in re.findall(r'\{"success".*?(?=\{"success"|\n|$)', person.types("for n in 1 2"))]
    assert len(ten) == 10
    assert sorted(told["duplicate"] for told in ten) == [False] + [True] * 9
    assert [one["symbol"] for one in exchange.fills(FUTURES)].count("ETHUSDT") == 1

    person.types("kill -9")
    assert house.ended() == -9
    house.start()
    closed = [json.loads(line) for line in person.types("for hook in").splitlines()]
    assert [told["success"] for told in closed] == [True] * 3
    for venue, name in NAMES.items():
        eventually(lambda at=venue: not exchange.standing(at), f"{venue}: no stop is left behind")
        agree(house, exchange, venue, ids[name])
    assert not person.blocks, "every command of the page was run"


def _alert_each(person: Reader, house: HouseProcess) -> None:
    """Send the alerts of the next block until each was taken, as a sender would on a busy machine."""
    block = person.blocks[0]
    for _ in range(10):
        answers = [json.loads(line) for line in person.types("for hook in").splitlines()]
        taken = [told for told in answers if "signal_id" in told]
        if len(taken) == len(NAMES):
            assert [house.settle(told["signal_id"])["outcome"] for told in taken] == ["filled"] * len(NAMES)
            return
        assert {told["status"] for told in answers if "signal_id" not in told} == {503}, answers
        person.blocks.insert(0, block)
    raise AssertionError(f"never taken: {answers}")


def _held(house: HouseProcess, account_id: str) -> Decimal:
    rows = house.pages("/api/v1/positions", account=account_id)
    return sum((Decimal(row["quantity"]) for row in rows), Decimal(0))


VARIABLES = {
    "ASTERDEX_USER_ADDRESS": GIVEN.wallet,
    "ASTERDEX_SIGNER_ADDRESS": GIVEN.agent,
    "ASTERDEX_PRIVATE_KEY": GIVEN.agent_key,
    "BINANCE_API_KEY": CREDENTIALS[FUTURES]["api_key"],
    "BINANCE_API_SECRET": CREDENTIALS[FUTURES]["api_secret"],
    "WEBHOOK_SECRET": "the-secret-of-the-old-bridge",
}


def test_who_copies_the_variables_of_a_bridge_trades_with_the_first_start(
    new_house: NewHouse, exchange: ExchangeProcess
) -> None:
    """Nothing but the variables: both accounts are there, and an alert with the old secret is an order there."""
    addresses = {"ASTERDEX_BASE_URL": exchange.url, "BINANCE_BASE_URL": exchange.url}
    house = new_house(settings={"LIVE": "yes"}, variables={**VARIABLES, **addresses}).start()

    ids = {row["name"]: row["id"] for row in house.pages("/api/v1/accounts")}
    eventually(
        lambda: {row["name"] for row in house.pages("/api/v1/accounts") if row["may_send"]} >= {"asterdex", "binance"},
        "both accounts passed their test and are armed",
    )
    alert = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "stop_loss": "2%"}
    secret = VARIABLES["WEBHOOK_SECRET"]

    def taken() -> str | None:
        answer = house.send({**alert, "webhook_secret": secret}, wait_ms=2500)
        assert answer.status_code in {200, 503}, answer.text
        known: str | None = answer.json().get("signal_id")
        return known

    signal_id = eventually(taken, "the alert is taken; until the first price has come, it is refused with 503")

    assert house.settle(signal_id)["outcome"] == "filled"
    eventually(lambda: exchange.standing(ASTER), "its stop stands at the exchange")
    agree(house, exchange, ASTER, ids["asterdex"])
    assert exchange.fills(FUTURES) == []
    house.restart()
    assert {row["name"]: row["id"] for row in house.pages("/api/v1/accounts")} == ids, "nothing is made twice"
    agree(house, exchange, ASTER, ids["asterdex"])
