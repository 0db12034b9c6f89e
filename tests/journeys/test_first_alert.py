"""The newcomer's way: start it, paste the line it prints, stop it, start it again, and find everything there."""

import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.house_process import DYING_UP, HouseProcess, eventually, fresh
from tests.journeys.dying_up import lay
from tests.plain_http import NO_TLS

pytestmark = pytest.mark.timeout(400)

NewHouse = Callable[..., HouseProcess]
OPEN_ONE = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01"}
SENT_AGAIN_MAX = 100
KEYS = ["url", "operator_token", "hook_url", "webhook_secret", "account"]


def _pasted(line: str) -> Any:
    """Run a printed curl line in a shell and return the JSON it answers; without curl, do what the line says."""
    if shutil.which("curl"):
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=30, check=True)
        return json.loads(done.stdout)
    words = shlex.split(line)
    url = next(word for word in words if word.startswith("http"))
    headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
    if "-d" in words:
        return httpx.post(
            url, content=words[words.index("-d") + 1], headers=headers, trust_env=False, verify=NO_TLS
        ).json()
    return httpx.get(url, headers=headers, trust_env=False, verify=NO_TLS).json()


def _curl_lines(house: HouseProcess) -> list[str]:
    return [found[0] for found in re.finditer(r"curl -sS \S+.*", house.said())]


# ── The first start ───────────────────────────────────────────────────────────────────────────────


def test_the_line_that_is_printed_becomes_a_filled_order_when_it_is_pasted(new_house: NewHouse) -> None:
    """The first minute decides whether anybody stays: nothing may have to be edited."""
    house = new_house().start()
    print(f"ready after {house.ready_after_s:.2f} s")
    sends, looks = _curl_lines(house)

    told = _pasted(sends)

    assert (told["success"], told["state"], told["duplicate"]) == (True, "filled", False), told
    assert told["order"]["status"] == "FILLED"
    assert told["position"]["positionAmt"] == told["position"]["position_amt"] == "0.01"
    assert [held["positionAmt"] for held in _pasted(looks)] == ["0.01"]
    stop = eventually(lambda: house.get("/orders/open"), "the stop-loss of the printed line rests")
    assert [(one["type"], one["side"], one["reduceOnly"]) for one in stop] == [("STOP_MARKET", "SELL", True)]


def test_a_start_tells_a_person_where_everything_is(new_house: NewHouse) -> None:
    """Address, data, account, hook, secret and token stand on the screen, and that the market is made up."""
    house = new_house().start()
    said = house.said()

    for fact in house.facts.values():
        assert fact in said
    assert str(house.data) in said
    assert "10,000 USDT" in said
    assert "SIMULATED" in said


def test_what_the_first_start_made_stands_in_a_file_for_scripts(new_house: NewHouse) -> None:
    """A script reads five facts and needs nothing else."""
    house = new_house().start()
    facts = house.facts

    assert list(facts) == KEYS
    assert facts["url"] == house.url
    assert facts["hook_url"].startswith(f"{house.url}/hooks/")
    assert house.wallet() == Decimal(10_000)
    by_address = house.carried_out({"action": "buy", "symbol": "ETHUSDT", "quantity": "0.1"}, facts["hook_url"])
    assert by_address.json()["state"] == "filled", by_address.text


@pytest.mark.parametrize("folder_was_there", [False, True])
def test_nobody_else_can_read_what_the_house_keeps(folder_was_there: bool, new_house: NewHouse) -> None:  # noqa: FBT001 - a parameter of the test
    """Databases, secrets, copies and logs are private, whatever the folder and the umask were."""
    house = new_house()
    if folder_was_there:
        house.data.mkdir(parents=True)
        house.data.chmod(0o755)
    house.start()
    house.alert(action="open", side="BUY", symbol="BTCUSDT", quantity="0.01")

    if not folder_was_there:
        assert house.data.stat().st_mode & 0o777 == 0o700
    files = [path for path in house.data.rglob("*") if path.is_file()]
    assert {"first-steps.json", "pilothouse.db", "paper.db"} <= {path.name for path in files}
    for path in files:
        assert path.stat().st_mode & 0o777 == 0o600, path
    for path in house.data.rglob("*"):
        if path.is_dir():
            assert path.stat().st_mode & 0o777 == 0o700, path


def test_a_public_address_is_what_hooks_are_printed_with(new_house: NewHouse) -> None:
    """TradingView reaches the house by another name than the house itself."""
    house = new_house(settings={"PUBLIC_URL": "https://desk.example.com/"}).start()

    assert house.facts["hook_url"].startswith("https://desk.example.com/hooks/")
    assert house.facts["hook_url"] in house.said()
    assert house.send({"action": "buy", "symbol": "BTCUSDT", "quantity": "0.01"}, house.hook_path).status_code == 200


DYING = (sys.executable, str(DYING_UP))

STARTS = [("open", 1), ("first steps", 0), ("first steps", 1), ("paper_open_account", 1), ("deposit", 1)]


def test_a_first_start_that_is_killed_is_finished_by_the_next_one(new_house: NewHouse) -> None:
    """Whoever pulls the plug in the first second still gets one account, one hook, and tokens that are shown."""

    def born_again(at: tuple[str, int]) -> HouseProcess:
        house = houses[at]
        house.data.mkdir(mode=0o700, parents=True)
        lay(house.data, *at)
        house.begin()
        assert house.ended() == -signal.SIGKILL, at
        return house.start()

    houses = {at: new_house(program=DYING) for at in STARTS}
    with ThreadPoolExecutor(2) as pool:
        for at, house in zip(STARTS, pool.map(born_again, STARTS), strict=True):
            assert house.wallet() == Decimal(10_000), at
            assert len(house.get("/api/v1/hooks")["items"]) == 1, at
            assert len(house.get("/api/v1/accounts")["items"]) == 1, at
            told = _pasted(_curl_lines(house)[0])
            assert told.get("state") == "filled", (at, told)
            assert house.stop() == 0
            with house.autopsy() as found:
                found.check()


# ── Stopping, and starting again ──────────────────────────────────────────────────────────────────


def _everything(house: HouseProcess) -> dict[str, Any]:
    """Return what must be the same before and after."""
    kept = (
        "id",
        "state",
        "symbol",
        "side",
        "type",
        "quantity",
        "price",
        "stop_price",
        "filled_quantity",
        "reduce_only",
    )
    return {
        "facts": house.facts,
        "wallet": house.wallet(),
        "positions": [
            {name: one[name] for name in ("symbol", "positionAmt", "entryPrice", "leverage", "marginType")}
            for one in house.get("/positions")
        ],
        "orders": [{name: one[name] for name in kept} for one in house.orders()],
        "open": [one["clientOrderId"] for one in house.get("/orders/open")],
        "signals": [(one["id"], one["state"]) for one in house.signals()],
        "fills": [one["venue_trade_id"] for one in house.pages("/api/v1/fills")],
        "hooks": [one["id"] for one in house.get("/api/v1/hooks")["items"]],
    }


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_is_lost_however_it_ends(how: signal.Signals, new_house: NewHouse) -> None:
    """Open orders, positions, money and the way in are there again; what was sent before is not done twice."""
    house = new_house().start()
    low = str((house.mark() * Decimal("0.8")).quantize(Decimal("0.1")))
    house.post("/positions/ETHUSDT/leverage", {"leverage": 5})
    body = {"webhook_secret": house.secret, "action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.02"}
    assert house.carried_out({**body, "stop_loss": "30%"}).json()["state"] == "filled"
    house.alert(action="open", side="BUY", symbol="BTCUSDT", quantity="0.01", order_type="LIMIT", price=low)
    house.alert(action="open", side="SELL", symbol="ETHUSDT", quantity="0.5", take_profit="40%")
    eventually(
        lambda: [one["status"] for one in house.get("/orders/open")] == ["NEW"] * 3,
        "the limit order, the stop and the target rest",
    )
    before, mark = _everything(house), house.mark()

    if how is signal.SIGKILL:
        house.kill()
    else:
        assert house.stop(how) == 0
        assert "Traceback" not in house.said("err")
    house.start()

    assert _everything(house) == before
    assert abs(house.mark() / mark - 1) < Decimal("0.02"), "prices go on from where they were"
    again = house.carried_out({**body, "stop_loss": "30%"}).json()
    assert (again["duplicate"], again["state"]) == (True, "filled")
    assert house.position() == Decimal("0.02")
    assert house.stop() == 0
    with house.autopsy() as found:
        found.check()


@pytest.mark.parametrize(("how", "begun"), [(signal.SIGTERM, "pilothouse.db"), (signal.SIGINT, "paper.db")])
def test_an_end_that_is_asked_for_during_the_start_is_heard(
    how: signal.Signals, begun: str, new_house: NewHouse
) -> None:
    """Whoever changes their mind in the first second is not left with a process that goes on."""
    house = new_house()
    house.begin()
    eventually((house.data / begun).exists, f"{begun} is made")

    assert house.stop(how) in {0, 130, -how}
    assert "Traceback" not in house.said("err")
    house.start()
    assert _pasted(_curl_lines(house)[0])["state"] == "filled"


def test_an_end_waits_for_nobody_who_only_listens(new_house: NewHouse) -> None:
    """A stream of events and an idle connection stay open for ever; Ctrl-C must not."""
    house = new_house().start()
    with (
        socket.create_connection(("127.0.0.1", house.port)),
        httpx.Client(trust_env=False, verify=NO_TLS) as listener,
        listener.stream("GET", f"{house.url}/api/v1/events", headers=house.bearer, timeout=30) as stream,
    ):
        assert stream.status_code == 200
        assert house.stop() == 0


def test_what_was_sent_while_it_ended_is_not_lost(new_house: NewHouse) -> None:
    """Alerts that were acknowledged in the last moment are filled orders at the latest after the next start."""
    house = new_house().start()
    hook, known = house.hook_path, []

    def hail(number: int) -> None:
        body = {"action": "buy", "symbol": "SOLUSDT", "quantity": "0.1", "alert_id": f"{number}-{fresh()}"}
        try:
            with httpx.Client(base_url=house.url, trust_env=False, timeout=30, verify=NO_TLS) as client:
                answer = client.post(hook, json=body, params={"wait_ms": 0})
        except httpx.TransportError:
            return
        if answer.status_code == 200:
            known.append(answer.json()["signal_id"])

    with ThreadPoolExecutor(8) as pool:
        for number in range(80):
            pool.submit(hail, number)
        eventually(lambda: len(known) > 20, "some alerts are in")
        assert house.stop() == 0
    house.start()

    for signal_id in known:
        assert house.settle(signal_id)["outcome"] == "filled"
    made = [order for order in house.orders() if order["signal_id"] in set(known)]
    assert len(made) == len(known)
    assert {order["state"] for order in made} == {"filled"}


# ── What cannot start says why ────────────────────────────────────────────────────────────────────


def test_a_second_start_on_the_same_data_is_refused_with_the_reason(new_house: NewHouse) -> None:
    """Two processes on one set of books would each send the other's orders."""
    house = new_house().start()
    second = HouseProcess(house.place / "second", settings={"DATA": str(house.data)})

    with second:
        second.begin()
        assert second.ended() == 1
        said = second.said("err")
    assert f"process {house.pid} already works on {house.data}" in said
    assert "PILOTHOUSE_DATA" in said
    assert "Traceback" not in said
    assert house.get("/health/ready")["status"] == "ready"


def test_a_port_that_is_taken_is_refused_with_the_reason(new_house: NewHouse) -> None:
    """The one thing that goes wrong for newcomers says what to do, and harms nothing."""
    with socket.socket() as other:
        house = new_house()
        other.bind(("127.0.0.1", house.port))
        other.listen()
        house.begin()
        assert house.ended() == 1
        said = house.said("err")
    assert f"127.0.0.1:{house.port} cannot be listened on" in said
    assert "PILOTHOUSE_PORT" in said
    assert "Traceback" not in said

    house.start()
    assert _pasted(_curl_lines(house)[0])["state"] == "filled"


def test_an_alert_that_comes_while_it_starts_again_is_answered_and_carried_out_once(new_house: NewHouse) -> None:
    """TradingView sends four times in all: each time that nobody is there is one of them."""
    house = new_house().start()
    house.kill()
    body = {**OPEN_ONE, "webhook_secret": house.secret, "alert_id": "while it starts"}
    house.begin()

    answers = [_answer_of_who_opens(house, body)]
    while answers[-1].status_code == 503:
        answers.append(house.send(body))
        assert len(answers) < SENT_AGAIN_MAX

    assert answers[-1].status_code == 200, answers[-1].text
    assert all(each.headers["retry-after"] == "1" for each in answers[:-1])
    house.until_ready().settle(answers[-1].json()["signal_id"])
    assert [order["filled_quantity"] for order in house.orders()] == ["0.01"]


def _answer_of_who_opens(house: HouseProcess, body: dict[str, str]) -> httpx.Response:
    """Return what an alert is answered that comes as soon as somebody listens; who has let it in answers it."""

    def let_in() -> socket.socket | None:
        with suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", house.port), timeout=60)
        return None

    guest: socket.socket = eventually(let_in, "somebody listens")
    with guest:
        content = json.dumps(body).encode()
        guest.sendall(b"POST /webhook/tradingview HTTP/1.1\r\nHost: house\r\nConnection: close\r\n")
        guest.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(content), content))
        answer = HTTPResponse(guest)
        answer.begin()
        return httpx.Response(answer.status, headers=answer.getheaders(), content=answer.read())


def test_every_setting_that_is_wrong_is_named(new_house: NewHouse) -> None:
    """All at once, with what came and what is allowed; and a misspelled one is not silently ignored."""
    house = new_house(settings={"LOG_LEVEL": "LOUD", "MARKET_SEED": "-1", "PORRT": "8000", "HOST": "no host"})
    house.begin()

    assert house.ended() in {1, 2}
    said = house.said("err")
    for name, came in (("LOG_LEVEL", "LOUD"), ("MARKET_SEED", "-1"), ("HOST", "no host")):
        assert f"PILOTHOUSE_{name}" in said
        assert came in said
    assert "PILOTHOUSE_PORRT" in said
    assert "did you mean PILOTHOUSE_PORT" in said
    assert "Traceback" not in said
    assert not house.data.exists(), "nothing was made"


def test_a_data_directory_that_is_a_file_is_named(tmp_path: Path, new_house: NewHouse) -> None:
    """The reason is a sentence, not a stack of calls."""
    wrong = tmp_path / "a file"
    wrong.write_text("")
    house = new_house(settings={"DATA": str(wrong)})
    house.begin()

    assert house.ended() in {1, 2}
    assert "PILOTHOUSE_DATA" in house.said("err")
    assert "Traceback" not in house.said("err")
