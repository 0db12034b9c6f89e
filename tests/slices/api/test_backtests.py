"""Backtests and strategies over the wire: asked for, followed, looked at, stopped; computed by real processes."""

import hashlib
import itertools
import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from pilothouse.backtest import store
from pilothouse.backtest.store import State
from pilothouse.kit import outbox
from pilothouse.kit.db import Tx
from tests.bench_files import BARS, CANDLES, FINER, SharedBenches, request
from tests.slices.api.conftest import Served

_TURNS = itertools.count(1)
_CAPITALS = itertools.count(10_001)


@pytest.fixture(autouse=True)
def _awake(benches: SharedBenches) -> None:
    """Wait for the first process, of a low priority on a machine that others use, to start."""
    benches.door.ask("strategies", {})


def _mine(**changed: Any) -> dict[str, Any]:
    """Return a request that no other test has made: the benches are shared, and what is kept is found."""
    return request(capital=str(next(_CAPITALS)), **changed)


def _patient(turn: int) -> dict[str, Any]:
    """Return a request that is worked on until its turn comes."""
    return request(strategy="patient", params={"turn": turn})


def _until(found: Callable[[], Any]) -> Any:
    """Return what `found` returns once it is true; a process of a low priority may take long to start."""
    deadline = time.monotonic() + 100
    while not (value := found()):
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.1)  # what computes needs the machine more than who waits
    return value


def _follow(served: Served, told: dict[str, Any]) -> dict[str, Any]:
    """Return a backtest once it has ended."""
    api = served.api

    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = api.get(told["address"]).json()
        return found if found["state"] not in {"queued", "running"} else None

    ended: dict[str, Any] = _until(look)
    return ended


def _messages(tx: Tx) -> dict[str, int]:
    return outbox.counts(tx)


def _pages(served: Served, address: str, limit: int) -> list[dict[str, Any]]:
    """Return the rows of all pages."""
    rows, cursor = [], None
    while True:
        page = served.api.get(address, params={"limit": limit} | ({"cursor": cursor} if cursor else {})).json()
        assert len(page["items"]) <= limit
        rows += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return rows


@pytest.mark.slow
@pytest.mark.soak_on("postgresql")
def test_a_backtest_is_asked_for_followed_and_looked_at(running: Served) -> None:
    """What the command line does is done over the wire, by the same engine, and kept in the same place."""
    wanted = _mine()
    asked = running.api.post("/api/v1/backtests", json=wanted, headers={"Idempotency-Key": "one"})
    assert asked.status_code == 202, asked.text
    done = _follow(running, asked.json())

    assert (done["state"], done["progress"], done["bars"]) == ("done", "1", BARS)
    assert hashlib.sha256(done["spec"].encode()).hexdigest() == done["name"]
    assert done["data"] == json.loads(done["spec"])["data"]
    again = running.api.post("/api/v1/backtests", json=wanted)
    assert (again.status_code, again.json()["id"]) == (200, done["id"])
    replayed = running.api.post("/api/v1/backtests", json=wanted, headers={"Idempotency-Key": "one"})
    assert replayed.headers["Idempotency-Replayed"] == "true"
    assert replayed.content == asked.content

    trades = _pages(running, f"{done['address']}/trades", 3)
    assert len(trades) == int(done["metrics"]["trades"]) > 3
    equity = _pages(running, f"{done['address']}/equity", 500)
    assert len(equity) == BARS
    orders, fills = (_pages(running, f"{done['address']}/{what}", 50) for what in ("orders", "fills"))
    assert {fill["order"] for fill in fills} <= {order["number"] for order in orders}
    assert {fill["trade"] for fill in fills} == {trade["number"] for trade in trades}
    assert max(float(row["gross_exposure"]) for row in equity) > 0
    results = sum(float(trade["result"]) for trade in trades)
    assert float(equity[-1]["equity"]) == pytest.approx(float(wanted["capital"]) + results)
    csv = running.api.get(f"{done['address']}/export", params={"what": "trades"})
    assert csv.content.startswith(b"\xef\xbb\xbfnumber,symbol,")
    assert csv.text.count("\r\n") == len(trades) + 1
    page = running.api.get(f"{done['address']}/report")
    assert page.text.startswith("<!doctype html>")
    assert "sandbox allow-scripts" in page.headers["content-security-policy"]

    chance = _follow(running, running.api.post(f"{done['address']}/chance", json={"runs": 20}).json())
    assert chance["result"]["trades_drawn_anew"]["runs"] == 20
    dearer = _follow(running, running.api.post("/api/v1/backtests", json=wanted | {"taker": "0.5"}).json())
    inside = _follow(running, running.api.post("/api/v1/backtests", json=wanted | {"inside": FINER}).json())
    assert (inside["state"], json.loads(inside["spec"])["fills"]["finer"]) == ("done", "30m"), inside["error"]
    pair = wanted | {"files": [f"BTC={CANDLES}", f"ETH={CANDLES}"], "markets": ["BTC", "ETH"], "positions": 1}
    many = _follow(running, running.api.post("/api/v1/backtests", json=pair).json())
    assert (many["state"], many["bars"]) == ("done", 2 * BARS), many["error"]
    assert {each["symbol"] for each in _pages(running, f"{many['address']}/trades", 100)} <= {"BTC", "ETH"}
    beside = running.api.get("/api/v1/backtests/compare", params={"id": [done["id"], dearer["id"]]}).json()
    fees = beside["metrics"]["fees"]
    assert float(fees[0]) < float(fees[1])
    assert running.api.delete(done["address"]).status_code == 200
    assert running.api.get(done["address"]).status_code == 404
    assert 'pilothouse_backtests{state="done"} 4.0' in running.api.get("/metrics").text


@pytest.mark.slow
@pytest.mark.soak_on("postgresql")
def test_sweeps_walks_and_checks_are_jobs_too(running: Served) -> None:
    """A search takes what a run takes, and says beside its winner what luck would reach."""
    over = _mine(params={"stop_loss": 3}, over=["fast=5,10", "slow=20,40"])
    sweep = _follow(running, running.api.post("/api/v1/backtests/sweeps", json=over).json())
    assert sweep["result"]["trials"] == sweep["combinations"] == 4
    assert "luck alone" in sweep["result"]["luck"]
    trials = _pages(running, f"{sweep['address']}/trials", 3)
    assert {(each["params"]["fast"], each["params"]["slow"]) for each in trials} == {
        (5, 20),
        (5, 40),
        (10, 20),
        (10, 40),
    }

    page = running.api.get(f"{sweep['address']}/report").text
    assert "sharpe ratio over fast and slow" in page.lower()
    assert sweep["result"]["luck"].split(";")[0] in page
    rows = running.api.get(f"{sweep['address']}/export").text.splitlines()
    assert rows[0].startswith("\ufeffname,fast,")
    assert len(rows) == 5
    assert running.api.get(f"{sweep['address']}/export", params={"what": "equity"}).status_code == 404

    lessons = over | {"train": 250, "test": 100}
    walk = _follow(running, running.api.post("/api/v1/backtests/walkforwards", json=lessons).json())
    assert walk["error"] is None
    assert [step["tried"] for step in walk["result"]["steps"]] == [4, 4, 4, 4]
    assert "behind the lessons" in running.api.get(f"{walk['address']}/report").text
    steps = running.api.get(f"{walk['address']}/export").text.splitlines()
    assert (steps[0].startswith("\ufeffnumber,from,until,fast,"), len(steps)) == (True, 5)
    returns = running.api.get(f"{walk['address']}/export", params={"what": "returns", "format": "json"}).json()
    assert [row["return"] for row in returns] == [f"{float(each):.6f}" for each in walk["result"]["returns"]]
    honest = {"files": [CANDLES], "params": {"fast": 5, "slow": 20}}
    check = _follow(running, running.api.post("/api/v1/strategies/ema-cross/check", json=honest).json())
    assert check["result"]["honest"] is True
    turns = _follow(running, running.api.post("/api/v1/strategies/grid/check", json={"files": [CANDLES]}).json())
    assert turns["result"]["honest"] is True, "one in turns is run over a beginning, and twice over the whole"
    assert [each["question"] for each in turns["result"]["answers"]] == ["plain state", "foresight", "repetition"]
    either = running.api.get("/api/v1/backtests", params={"strategy": "ema_cross"}).json()["items"]
    assert [each["kind"] for each in either] == ["check", "walkforward", "sweep"]


@pytest.mark.slow
@pytest.mark.soak_on("postgresql")
def test_strategies_are_shown_with_what_a_form_needs(served: Served) -> None:
    """A broken file is told with its line, and hurts no other."""
    listed = served.api.get("/api/v1/strategies").json()
    by_name = {each["name"]: each for each in listed["items"]}
    assert by_name["ema-cross"]["source"] == "built in"
    assert by_name["patient"]["source"] == "own folder"
    assert [(each["file"], each["line"]) for each in listed["broken"]] == [("spoilt.py", 4)]

    shown = served.api.get("/api/v1/strategies/ema-cross").json()
    assert shown["parameters"]["properties"]["fast"]["minimum"] == 2
    assert shown["fails"]
    assert served.api.get("/api/v1/strategies/spoilt").status_code == 422
    assert served.api.get("/api/v1/strategies/none").status_code == 404


@pytest.mark.slow
@pytest.mark.soak_on("postgresql")
def test_every_field_that_does_not_fit_is_named(served: Served) -> None:
    """A form marks them all at once; nothing is stored."""
    wrong = request(params={"fast": "x", "slwo": 1}, capital="0", stop="far", limits={"nope": "1"})
    answer = served.api.post("/api/v1/backtests", json=wrong)
    assert answer.status_code == 422
    assert {each["field"] for each in answer.json()["errors"]} == {"fast", "slwo", "capital", "stop", "limits.nope"}
    outside = served.api.post("/api/v1/backtests", json=request(files=["../secrets.csv"]))
    assert (outside.status_code, outside.json()["errors"][0]["field"]) == (422, "files")
    misspelt = served.api.post("/api/v1/backtests", json=_mine(leverag=2))
    assert (misspelt.status_code, misspelt.json()["errors"][0]["field"]) == (400, "leverag")
    both = served.api.post("/api/v1/backtests", json=request(venue="paper"))
    assert (both.status_code, both.json()["errors"][0]["field"]) == (422, "venue")
    lessons = request(train=100, test=50, optuna=5)
    walk = served.api.post("/api/v1/backtests/walkforwards", json=lessons)
    assert (walk.status_code, walk.json()["errors"][0]["field"]) == (422, "optuna")
    missing = served.api.post("/api/v1/backtests", json=request(files=["none.csv"]))
    assert missing.status_code == 404
    assert served.api.get("/api/v1/backtests").json()["items"] == []


@pytest.mark.slow
@pytest.mark.soak_on("postgresql")
def test_a_limit_is_told_by_number_and_set_by_the_operator(served: Served) -> None:
    """The tighter of house and user holds, and the answer says which number was passed."""
    limits = served.api.get("/api/v1/backtests/limits").json()
    assert limits["at_once"] == {"limit": 20, "used": 0, "said_by": "house"}
    assert served.api.put("/api/v1/backtests/limits", json={"work": BARS - 1}).status_code == 200

    answer = served.api.post("/api/v1/backtests", json=request())
    told = answer.json()
    assert answer.status_code == 422
    assert (told["code"], told["bound"], told["number"], told["limit"]) == ("backtest_limit", "work", BARS, BARS - 1)


@pytest.mark.slow
@pytest.mark.soak_on("postgresql")
def test_a_running_backtest_stops_when_it_is_cancelled(running: Served, benches: SharedBenches) -> None:
    """Its process is ended, nothing is kept of it, and the next one is not held up."""
    turn = next(_TURNS)
    asked = running.api.post("/api/v1/backtests", json=_patient(turn)).json()
    _until(lambda: running.api.get(asked["address"]).json()["state"] == "running")
    cancelled = running.api.post(f"{asked['address']}/cancel").json()
    assert cancelled["state"] == "cancelled"

    _until(lambda: not any(running.house.database.read(_messages).values()))
    assert not (benches.folder / "backtests" / asked["name"]).exists()
    assert running.api.get(asked["address"]).json()["state"] == "cancelled"
    after = running.api.post("/api/v1/backtests", json=_mine()).json()
    assert _follow(running, after)["state"] == "done"


@pytest.mark.slow
@pytest.mark.soak_on("postgresql")
def test_a_backtest_whose_process_is_killed_is_taken_up_once_more(running: Served, benches: SharedBenches) -> None:
    """The machine ran out of memory, say: the message is the truth, and another delivery finishes it."""
    turn = next(_TURNS)
    asked = running.api.post("/api/v1/backtests", json=_patient(turn)).json()
    _until(lambda: running.api.get(asked["address"]).json()["state"] == "running")
    victim = _until(lambda: next(iter(benches.working()), None))
    os.kill(victim, signal.SIGKILL)
    benches.let_go(turn)

    assert _follow(running, asked)["state"] == "done"
    row = running.house.database.read(lambda tx: store.get(tx, running.house.operator_id, asked["id"]))
    assert (row.state, row.attempt) == (State.DONE, 2)
