"""The command line against a house that runs: what a trader types, and what stands on the screen."""

import contextlib
import csv
import io
import json
import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from pilothouse.cli import main
from tests.house_process import PROGRAM, HouseProcess, eventually, fresh

pytestmark = pytest.mark.timeout(400)

NewHouse = Callable[..., HouseProcess]
Done = subprocess.CompletedProcess[str]

WIDTH = 80


def as_process(house: HouseProcess, *words: str, typed: str = "") -> Done:
    """Run a command on the machine of `house` as a process of its own, as a script does."""
    return subprocess.run(
        [str(PROGRAM), *words],
        env=house.environment(),
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def pilothouse(house: HouseProcess, *words: str) -> Done:
    """Run a command as `as_process` does, but here: starting Python a hundred times proves nothing more."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, house.environment(), clear=True),
        mock.patch("sys.stdin", io.StringIO()),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as left,
    ):
        main.main(words)
    assert isinstance(left.value.code, int)
    return subprocess.CompletedProcess(list(words), left.value.code, out.getvalue(), err.getvalue())


def told(house: HouseProcess, *words: str) -> Any:
    """Run a command that must succeed, and return the JSON that it prints."""
    done = pilothouse(house, *words, "--json")
    assert done.returncode == 0, f"{words}: {done.stdout} {done.stderr}"
    assert done.stdout.count("\n") == 1, done.stdout
    assert done.stderr == ""
    return json.loads(done.stdout)


def shown(house: HouseProcess, *words: str, run: Callable[..., Done] = pilothouse) -> str:
    """Run a command that must succeed, and return what a person sees; nothing is wider than the screen."""
    done = run(house, *words)
    assert done.returncode == 0, f"{words}: {done.stdout} {done.stderr}"
    wide = [line for line in done.stdout.splitlines() if len(line) > WIDTH]
    assert not wide, "\n".join(wide)
    return done.stdout


def alert(**fields: object) -> str:
    """Return the text of an alert that is nobody's double."""
    return json.dumps({"symbol": "BTCUSDT", "timenow": fresh(), **fields})


def open_long(quantity: str = "0.01", **more: object) -> str:
    """Return the text of an alert that opens a long position."""
    return alert(action="open", side="BUY", quantity=quantity, **more)


# ── Sending alerts ────────────────────────────────────────────────────────────────────────────────


def test_a_sample_alert_is_drawn_until_it_is_filled(house: HouseProcess) -> None:
    """The newcomer's second command shows the whole life of an order."""
    words = shown(house, "alert", "send", run=as_process)

    steps = re.findall(r"^ *(?:\d+ ms|\d+\.\d+ s)  ●  (\w+)", words, flags=re.MULTILINE)
    assert steps[:2] == ["sent", "stored"]
    assert [each for each in steps if each in {"decided", "sending", "accepted", "filled"}] == [
        "decided",
        "sending",
        "accepted",
        "filled",
    ]
    assert re.search(r"position +LONG 0\.01 BTCUSDT at [\d,]+\.?\d*, mark", words)
    assert "from alert to fill" in words


def test_what_is_drawn_is_what_the_house_has(house: HouseProcess) -> None:
    """The picture is no invention: order, fill and position stand in the books."""
    answer = told(house, "alert", "send", "--text", open_long("0.02", stop_loss="2%", take_profit="3%"))

    assert (answer["success"], answer["state"], answer["duplicate"]) == (True, "filled", False)
    assert (answer["order"]["status"], answer["position"]["positionAmt"]) == ("FILLED", "0.02")
    assert [order["state"] for order in answer["signal"]["orders"]] == ["filled"]
    assert sorted(order["purpose"] for order in answer["signal"]["protective"]) == ["stop_loss", "take_profit"]
    assert house.position() == Decimal("0.02")


def test_an_alert_from_a_file_and_one_from_standard_input_arrive(house: HouseProcess, tmp_path: Path) -> None:
    """Alerts are kept in files and made by scripts."""
    (tmp_path / "alert.json").write_text(open_long())

    assert told(house, "alert", "send", "--file", str(tmp_path / "alert.json"))["state"] == "filled"
    done = as_process(house, "alert", "send", "--file", "-", "--json", typed=open_long())
    assert json.loads(done.stdout)["state"] == "filled"
    assert house.position() == Decimal("0.02")


@pytest.mark.parametrize("sample", ["order", "strategy"])
def test_both_samples_work_as_they_are(house: HouseProcess, sample: str) -> None:
    """They are what a newcomer pastes into a chart."""
    assert told(house, "alert", "send", "--sample", sample)["state"] == "filled"
    assert house.position() == Decimal("0.01")


@pytest.mark.parametrize("door", ["order", "/webhook/tradingview"])
def test_the_doors_that_need_a_secret_are_opened_with_the_first_hooks(house: HouseProcess, door: str) -> None:
    """On this machine nobody has to look the secret up."""
    assert told(house, "alert", "send", "--hook", door)["state"] == "filled"


def test_the_same_alert_again_says_that_it_came_before(house: HouseProcess) -> None:
    """A repeat makes no order, and the trader is told so."""
    text = open_long(alert_id=fresh())
    shown(house, "alert", "send", "--text", text)

    words = shown(house, "alert", "send", "--text", text)

    assert "this alert came before" in words
    assert house.position() == Decimal("0.01")


def test_an_alert_that_cannot_be_read_is_shown_with_every_wrong_field(house: HouseProcess) -> None:
    """A typing error in a chart is found here, before money is behind it."""
    done = pilothouse(house, "alert", "send", "--text", alert(action="opne", side="BUI", quantity="-1"))

    assert done.returncode == 1
    assert "refused" in done.stdout
    for field in ("action", "quantity"):
        assert field in done.stdout


def test_an_order_that_rests_is_told_as_working_and_followed_if_wanted(house: HouseProcess) -> None:
    """A limit order may stand for days; the command does not."""
    low = str((house.mark() * Decimal("0.95")).quantize(Decimal(1)))
    words = shown(house, "alert", "send", "--text", open_long(order_type="LIMIT", price=low))
    assert "working" in words

    again = open_long("0.02", order_type="LIMIT", price=low)
    followed = told(house, "alert", "send", "--text", again, "--follow", "--wait", "1")
    assert followed["state"] == "working"


def test_a_script_that_follows_gets_what_became_of_the_order(house: HouseProcess) -> None:
    """Not what was true when the alert was answered."""
    low = str((house.mark() * Decimal("0.95")).quantize(Decimal(1)))
    text = open_long(order_type="LIMIT", price=low)
    following = subprocess.Popen(
        [str(PROGRAM), "alert", "send", "--text", text, "--follow", "--wait", "40", "--json"],
        env=house.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        (resting,) = eventually(lambda: house.orders(state="working"), "it rests")
        time.sleep(3)  # longer than the answer to the alert waits
        house.post(f"/api/v1/orders/{resting['id']}/cancel")
        answer = json.loads(following.communicate(timeout=40)[0])
    finally:
        following.kill()
        following.wait()

    assert following.returncode == 1
    assert (answer["state"], answer["order"]["status"], answer["position"]) == ("rejected", "CANCELED", None)


def test_a_wrong_secret_is_said_and_ends_with_one(house: HouseProcess) -> None:
    """401 in words."""
    done = pilothouse(house, "alert", "send", "--hook", "order", "--secret", "wrong")

    assert done.returncode == 1
    assert "token" in done.stderr or "secret" in done.stderr


def test_the_timeline_grows_while_it_is_watched(house: HouseProcess) -> None:
    """It is drawn as it happens, on a terminal with colours, and not at the end."""
    low = str((house.mark() * Decimal("0.95")).quantize(Decimal(1)))
    text = open_long(order_type="LIMIT", price=low)
    ours, theirs = pty.openpty()
    watching = subprocess.Popen(
        [str(PROGRAM), "alert", "send", "--text", text, "--follow", "--wait", "40"],
        env=house.environment() | {"TERM": "xterm-256color", "COLUMNS": "80"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        seen = _read_until(ours, "accepted")
        assert "\x1b[" in seen
        assert "cancelled" not in seen
        (resting,) = house.orders(state="working")
        house.post(f"/api/v1/orders/{resting['id']}/cancel")
        assert "cancelled" in _read_until(ours, "cancelled")
        assert watching.wait(40) == 1
    finally:
        watching.kill()
        watching.wait()
        os.close(ours)


def _read_until(terminal: int, word: str, within_s: float = 40.0) -> str:
    """Return what a terminal showed until a word was among it."""
    seen = ""
    deadline = time.monotonic() + within_s
    while word not in seen:
        assert time.monotonic() < deadline, f"{word!r} was never seen: {seen}"
        if select.select([terminal], [], [], 0.5)[0]:
            try:
                seen += os.read(terminal, 65_536).decode("utf-8", "replace")
            except OSError:  # the other end is closed
                break
    return seen


# ── Looking ───────────────────────────────────────────────────────────────────────────────────────


def test_lists_show_what_the_api_has(house: HouseProcess) -> None:
    """Tables and JSON come from the same answers."""
    house.alert(action="open", side="BUY", symbol="BTCUSDT", quantity="0.013")

    assert "0.013" in shown(house, "orders")
    assert "open BUY 0.013" in shown(house, "signals")
    assert "0.013" in shown(house, "fills")
    words = shown(house, "positions")
    assert re.search(r"BTCUSDT +LONG +0\.013 ", words)
    assert told(house, "orders", "--limit", "1")["items"][0]["id"] == house.orders()[0]["id"]
    assert told(house, "signals")["items"][0]["id"] == house.signals()[0]["id"]
    assert told(house, "positions")["items"][0]["quantity"] == "0.013"


def test_an_order_is_shown_with_its_timeline_by_the_short_id(house: HouseProcess) -> None:
    """The id that the list shows is the id that is typed."""
    made = house.alert(action="open", side="BUY", symbol="BTCUSDT", quantity="0.01")["order"]
    short = re.search(r"^([0-9a-f]{10}) ", shown(house, "orders", "--limit", "1"), flags=re.MULTILINE)
    assert short is not None

    words = shown(house, "orders", "show", short[1])

    assert made["id"] in words
    assert "●  filled" in words


def test_an_alert_is_shown_with_its_orders(house: HouseProcess) -> None:
    """Why did it buy? One command answers."""
    signal_id = house.alert(action="open", side="SELL", symbol="ETHUSDT", quantity="0.1", stop_loss="5%")["signal_id"]
    eventually(lambda: house.signal(signal_id)["protective"], "the stop-loss is made")

    words = shown(house, "signals", signal_id)

    assert "open SELL 0.1 ETHUSDT" in words
    assert "STOP_MARKET" in words


def test_fills_are_exported_for_a_spreadsheet(house: HouseProcess) -> None:
    """The tax adviser wants a file."""
    house.alert(action="open", side="BUY", symbol="BTCUSDT", quantity="0.01")

    rows = list(csv.DictReader(io.StringIO(pilothouse(house, "fills", "--csv").stdout.lstrip("\ufeff"))))

    assert rows[0]["symbol"] == "BTCUSDT"
    assert Decimal(rows[0]["quantity"]) == Decimal("0.01")


def test_without_a_name_every_account_is_shown(new_house: NewHouse) -> None:
    """What is held in the second account is not hidden behind `paper is flat`."""
    house = new_house().start()
    shown(house, "account", "add", "second", "--venue", "paper")
    assert "paper, second are flat" in shown(house, "positions")
    shown(house, "orders", "submit", "BUY", "0.01", "BTCUSDT", "--account", "second")

    assert re.search(r"second +BTCUSDT +LONG +0\.01 ", shown(house, "positions"))
    assert re.search(r"second +\S+ +BTCUSDT +BUY ", shown(house, "orders"))
    assert "paper is flat" in shown(house, "positions", "--account", "paper")
    assert [row["quantity"] for row in told(house, "positions")["items"]] == ["0.01"]


def test_an_empty_desk_says_what_to_do_next(new_house: NewHouse) -> None:
    """An empty table helps nobody."""
    house = new_house().start()

    assert "pilothouse alert send" in shown(house, "signals")
    assert "pilothouse alert send" in shown(house, "orders")
    assert "is flat" in shown(house, "positions")
    assert "10,000.00" in shown(house, "account", "list")
    assert "simulated" in shown(house, "account", "list")


# ── Acting ────────────────────────────────────────────────────────────────────────────────────────


def test_an_order_is_submitted_and_cancelled_by_hand(house: HouseProcess) -> None:
    """Through the same gate as an alert's."""
    low = str((house.mark() * Decimal("0.95")).quantize(Decimal(1)))
    made = told(house, "orders", "submit", "BUY", "0.01", "BTCUSDT", "--limit-price", low)
    eventually(lambda: house.orders(state="working"), "it rests")

    lower = str(int(low) - 100)
    words = shown(house, "orders", "amend", made["id"], "--price", lower, "--quantity", "0.02")
    assert "takes the place of" in words
    (changed,) = house.orders(state="working")
    assert (changed["price"], changed["quantity"]) == (lower, "0.02")

    shown(house, "orders", "cancel", changed["id"])

    eventually(lambda: not house.orders(state="working"), "it is cancelled")
    done = pilothouse(house, "orders", "submit", "BUY", "0.0000001", "BTCUSDT")
    assert done.returncode == 1
    assert "0.001" in done.stderr


def test_a_position_is_closed_by_hand(house: HouseProcess) -> None:
    """The command at three in the morning."""
    house.alert(action="open", side="BUY", symbol="BTCUSDT", quantity="0.01")
    house.alert(action="open", side="SELL", symbol="ETHUSDT", quantity="0.1")

    shown(house, "positions", "close", "BTCUSDT")
    eventually(lambda: house.position() == 0, "BTCUSDT is flat")
    shown(house, "positions", "close-all", "--yes")
    eventually(lambda: house.position("ETHUSDT") == 0, "ETHUSDT is flat")

    done = pilothouse(house, "positions", "close", "BTCUSDT", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["status"] == 404


def test_halt_refuses_what_adds_until_resume(house: HouseProcess) -> None:
    """One word stops it; closing still works."""
    told(house, "alert", "send", "--text", open_long())
    shown(house, "halt", "--reason", "the news [red]")
    try:
        refused = pilothouse(house, "alert", "send", "--text", open_long())
        assert refused.returncode == 1
        assert "the news [red]" in refused.stdout.replace("\n", " ")
        assert "halted" in shown(house, "account", "list")
        assert told(house, "alert", "send", "--text", alert(action="close"))["state"] == "filled"
    finally:
        shown(house, "resume")
    assert told(house, "alert", "send", "--text", open_long())["state"] == "filled"


def test_limits_are_shown_and_set(house: HouseProcess) -> None:
    """Wide open but present: and narrowed with one command."""
    before = told(house, "limits")
    assert "order_notional_max" in shown(house, "limits")
    try:
        told(house, "limits", "set", "order_notional_max=10")
        refused = pilothouse(house, "alert", "send", "--text", open_long())
        assert refused.returncode == 1
        assert "at most 10 are allowed" in " ".join(refused.stdout.split())
        wrong = pilothouse(house, "limits", "set", "order_notional_max=-1", "--json")
        assert wrong.returncode == 1
        assert "order_notional_max" in wrong.stdout
    finally:
        told(house, "limits", "set", f"order_notional_max={before['order_notional_max']}")


def test_a_hook_is_made_changed_rotated_and_revoked(house: HouseProcess) -> None:
    """Each strategy gets its own address; one that leaked is silenced without touching the others."""
    made = told(house, "hooks", "create", "breakout", "--size", "0.01", "--symbols", "ETHUSDT")
    path = "/hooks/" + made["url"].rpartition("/")[2]
    text = json.dumps({"action": "buy", "symbol": "ETHUSDT"})
    assert told(house, "alert", "send", "--hook", made["url"], "--text", text)["state"] == "filled"

    dry = told(house, "hooks", "change", "breakout", "--dry")
    assert dry["dry"] is True
    assert "dry" in shown(house, "hooks", "list")
    rotated = told(house, "hooks", "rotate", "breakout", "--which", "token")
    assert rotated["url"] != made["url"]
    assert pilothouse(house, "alert", "send", "--hook", path, "--text", text).returncode == 1
    shown(house, "hooks", "revoke", "breakout", "--yes")
    assert "revoked" in shown(house, "hooks", "list")


def test_the_paper_account_starts_over_and_keeps_its_history(house: HouseProcess) -> None:
    """A ruined paper account is no reason to lose the data folder."""
    house.alert(action="open", side="BUY", symbol="BTCUSDT", quantity="0.01")
    fills = len(house.pages("/api/v1/fills"))

    shown(house, "paper", "reset", "--yes")

    eventually(lambda: house.wallet() == Decimal(10_000), "the first deposit is back")
    eventually(lambda: house.position() == 0, "it is flat")
    assert len(house.pages("/api/v1/fills")) >= fills


def test_a_token_that_was_issued_opens_and_one_that_was_revoked_does_not(house: HouseProcess, tmp_path: Path) -> None:
    """A dashboard gets a token that can only look."""
    made = told(house, "token", "issue", "dashboard", "--scopes", "read")
    (tmp_path / "token").write_text(made["token"])
    way = ("--token", f"@{tmp_path / 'token'}")
    assert pilothouse(house, "orders", *way).returncode == 0
    assert pilothouse(house, "halt", *way).returncode == 1

    shown(house, "token", "revoke", "dashboard", "--yes")

    done = pilothouse(house, "orders", *way)
    assert done.returncode == 1
    assert "--token" in done.stderr


# ── Care ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_doctor_finds_a_fresh_desk_well(house: HouseProcess) -> None:
    """Nothing to mend on the first day."""
    checks = told(house, "doctor")

    assert checks["ok"] is True
    states = {check["check"]: check["state"] for check in checks["checks"]}
    assert {"python", "settings", "data folder", "disk", "database", "migrations", "running"} <= set(states)
    assert {states[name] for name in ("database", "migrations", "running", "invariants", "parked messages")} == {"ok"}
    assert "all is well" in shown(house, "doctor")


def test_the_doctor_sees_what_others_can_read(house: HouseProcess) -> None:
    """A secret that everybody on the machine can read is none."""
    first_steps = house.data / "first-steps.json"
    first_steps.chmod(0o644)
    try:
        done = pilothouse(house, "doctor")
    finally:
        first_steps.chmod(0o600)

    assert done.returncode == 1
    assert "first-steps.json" in done.stdout
    assert "chmod" in done.stdout


def test_the_contract_is_printed(house: HouseProcess) -> None:
    """Clients are made of it."""
    assert json.loads(pilothouse(house, "openapi").stdout)["openapi"].startswith("3.")
    assert "/api/v1/orders" in told(house, "openapi")["paths"]


def test_a_desk_that_stopped_is_told_from_one_that_refuses(new_house: NewHouse) -> None:
    """Exit code 3 and the way out."""
    house = new_house().start()
    assert as_process(house, "orders").returncode == 0
    house.stop()

    done = as_process(house, "orders")

    assert done.returncode == 3
    assert f"not running on {house.url}" in done.stderr
    assert "pilothouse up" in done.stderr
    states = {check["check"]: check["state"] for check in told(house, "doctor")["checks"]}
    assert (states["running"], states["port"], states["database"]) == ("note", "ok", "ok")


def test_a_lost_token_is_replaced_while_the_desk_stands_still(new_house: NewHouse) -> None:
    """Without first-steps.json the owner of the machine still gets in."""
    house = new_house().start()
    taken = pilothouse(house, "token", "issue", "again", "--offline")
    assert taken.returncode == 1
    assert "already works on" in taken.stderr
    house.stop()
    made = told(house, "token", "issue", "again", "--offline")
    (house.data / "first-steps.json").unlink()
    house.start()

    assert pilothouse(house, "orders", "--url", house.url, "--token", made["token"]).returncode == 0
