"""`pilothouse backtest` and `pilothouse strategy`, as somebody types them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.cli.conftest import Typed


def _run(typed: Typed, file: Path, *more: str) -> dict[str, Any]:
    words = ("backtest", "run", "ema-cross", "--data", str(file), "-p", "fast=5", "-p", "slow=20", *more, "--json")
    code, out, err = typed(*words)
    assert code == 0, err
    return dict(json.loads(out))


def test_a_run_is_kept_and_the_same_run_is_found(typed: Typed, file: Path) -> None:
    """The name is the hash of everything it depends on."""
    first = _run(typed, file)
    again = _run(typed, file)
    dearer = _run(typed, file, "--taker", "0.1")

    assert not first["found"]
    assert again["found"]
    assert (again["name"], again["digest"]) == (first["name"], first["digest"])
    assert dearer["name"] != first["name"]
    assert dearer["metrics"]["fees"] > first["metrics"]["fees"] > 0
    assert first["symbol"] == "BTC/USDT"
    assert first["metrics"]["trades"] > 3
    assert dearer["trials"] == 2
    assert "luck alone" in dearer["luck"]


def test_a_run_without_costs_says_so(typed: Typed, file: Path) -> None:
    """In words, also where nobody sees colours."""
    _, out, _ = typed(
        "backtest", "run", "ema-cross", "--data", str(file), "--maker", "0", "--taker", "0", "--slippage", "0"
    )

    assert "WITHOUT COSTS" in out


def test_kept_runs_are_listed_compared_exported_and_removed(typed: Typed, file: Path, tmp_path: Path) -> None:
    """By the first letters of their name."""
    one, other = _run(typed, file)["name"], _run(typed, file, "--stop", "1%", "--size", "50%")["name"]

    assert {each["name"] for each in json.loads(typed("backtest", "list", "--json")[1])} == {one, other}
    assert typed("backtest", "compare", one[:10], other[:10])[0] == 0
    _, csv, _ = typed("backtest", "export", one[:10])
    assert csv.startswith("\ufeffnumber,symbol,side")
    for what, name in (("daily", "d.csv"), ("monthly", "m.parquet"), ("equity", "e.json"), ("all", "a.json")):
        assert typed("backtest", "export", one[:10], "--what", what, "-o", str(tmp_path / name))[0] == 0
    assert json.loads((tmp_path / "a.json").read_text())["spec"]["strategy"] == "ema-cross"
    assert typed("backtest", "report", one[:10], "-o", "page.html")[0] == 0
    assert "Every metric" in (tmp_path / "page.html").read_text()
    assert typed("backtest", "remove", other[:10])[0] == 0
    assert typed("backtest", "show", other[:10])[0] == 1
    assert _run(typed, file, "--taker", "0.2")["trials"] == 3, "a trial that was removed stays counted"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-p", "fast=1"], "fast: '1' came; a whole number"),
        (["-p", "quick=1"], "quick: no such parameter"),
        (["-p", "fast"], "NAME=VALUE"),
        (["--taker", "50"], "taker"),
        (["--stop", "far"], "stop: 'far' came; such as 2%"),
        (["--size", "5"], "size: '5' came"),
        (["--fill", "never"], "fill: 'never' came"),
        (["--capital", "-5"], "capital: '-5' came"),
        (["--from", "2030-01-01"], "data: no candle"),
        (["--venue", "aster"], "--data FILE, or --venue"),
    ],
)
def test_what_cannot_be_run_is_refused_by_name(words: list[str], message: str, typed: Typed, file: Path) -> None:
    """It says which word was wrong and what would be right."""
    code, _, err = typed("backtest", "run", "ema-cross", "--data", str(file), *words)

    assert code != 0
    assert message in " ".join(err.split())


def test_a_strategy_that_does_not_exist_is_told_with_those_that_do(typed: Typed, file: Path) -> None:
    """A slip of the pen costs a second."""
    code, _, err = typed("backtest", "run", "ema-corss", "--data", str(file))

    assert code == 1
    assert "ema-cross" in err


def test_strategies_are_shown_with_when_they_fail(typed: Typed) -> None:
    """Before they are run, not after."""
    listed = json.loads(typed("strategy", "list", "--json")[1])

    assert len(listed) >= 18
    assert all(each["fails"] for each in listed)
    assert "When it fails" in typed("strategy", "show", "grid")[1]


def test_a_strategy_is_checked_for_foresight(typed: Typed, file: Path) -> None:
    """On candles of one's own choice."""
    code, out, _ = typed("strategy", "check", "ema-cross", "--data", str(file), "--json")

    assert code == 0
    assert json.loads(out)["honest"]


def test_a_strategy_in_turns_is_checked_too(typed: Typed, file: Path) -> None:
    """A beginning of the data, the whole of it twice, and its state saved at every turn."""
    code, out, err = typed("strategy", "check", "grid", "--data", str(file))

    assert code == 0, err
    assert [line.split(":")[0] for line in out.splitlines()] == [
        f"passed  {question}" for question in ("plain state", "foresight", "repetition")
    ]


def _sweep(typed: Typed, file: Path, *more: str) -> tuple[int, dict[str, Any]]:
    words = ("sweep", "ema-cross", "--data", str(file), "-o", "fast=4..8:2", "-o", "slow=20,30", *more, "--json")
    code, out, err = typed(*words)
    assert out, err
    return code, dict(json.loads(out))


def test_a_search_names_luck_beside_its_winner_and_is_not_made_twice(typed: Typed, file: Path) -> None:
    """On several processes the trials are the same; a second time they are found, and none is counted again."""
    code, alone = _sweep(typed, file, "--workers", "1")
    _, again = _sweep(typed, file, "--workers", "2")

    assert code == 0
    assert alone["trials"] == alone["combinations"] == alone["trials_ever"] == 6
    assert again == alone
    assert "The best of 6 trials" in alone["luck"]
    assert 0 <= alone["overfit_probability"] <= 1
    scores = [each["metrics"]["sharpe"] for each in alone["best"]]
    assert scores == sorted(scores, reverse=True)


def test_workers_find_the_same_as_one_process(
    typed: Typed, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In whichever order they are done."""
    _, alone = _sweep(typed, file, "--workers", "1")
    monkeypatch.setenv("PILOTHOUSE_DATA", str(tmp_path / "other"))
    _, many = _sweep(typed, file, "--workers", "2")

    assert many == alone


def test_a_draw_is_the_same_for_the_same_seed(typed: Typed, file: Path) -> None:
    """And never the same combination twice."""
    found = [_sweep(typed, file, "--random", "3", "--seed", "5", "--workers", "1")[1]["best"] for _ in range(2)]

    assert found[0] == found[1]
    assert len({each["name"] for each in found[0]}) == 3


def test_a_walk_trades_behind_its_lessons_only(typed: Typed, file: Path) -> None:
    """Each examination begins where its lesson ended."""
    code, out, err = typed(
        "walkforward", "ema-cross", "--data", str(file), "-o", "fast=4,8", "-o", "slow=20",
        "--train", "200", "--test", "100", "--purge", "5", "--workers", "1", "--json",
    )  # fmt: skip
    assert code == 0, err
    told = json.loads(out)

    assert [step["test"] for step in told["steps"]] == [[205, 305], [305, 405], [405, 505], [505, 600]]
    assert all(step["train"][1] + 5 == step["test"][0] for step in told["steps"])
    assert told["total_return"] is not None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "quick=1"], "quick: no such parameter"),
        (["-o", "fast=9..5"], "fast: '9..5' came"),
        (["-o", "fast=1..5"], "fast: '1' came"),
        (["--score", "luck"], "score: 'luck' came"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused_by_name(
    words: list[str], message: str, typed: Typed, file: Path
) -> None:
    """Before anything is tried."""
    code, _, err = typed("sweep", "ema-cross", "--data", str(file), *words)

    assert code != 0
    assert message in " ".join(err.split())


def test_a_strategy_of_ones_own_is_begun_checked_and_run(typed: Typed, file: Path, tmp_path: Path) -> None:
    """Behind walls; another file that is broken is named and hurts nothing."""
    assert typed("strategy", "new", "my_cross")[0] == 0
    assert typed("strategy", "new", "my_cross")[0] == 1
    assert typed("strategy", "new", "../x")[0] == 1
    (tmp_path / "data" / "strategies" / "broken.py").write_text("x = 1\nopen('/etc/passwd')\n")

    code, out, err = typed("strategy", "list", "--json")
    assert "my-cross" in {each["name"] for each in json.loads(out)}
    assert "broken.py:2: PermissionError" in " ".join(err.split())
    code, out, _ = typed("strategy", "check", "my_cross", "--data", str(file), "--json")
    assert (code, json.loads(out)["honest"]) == (0, True)
    code, out, err = typed("backtest", "run", "my_cross", "--data", str(file), "-p", "slow=20", "--json")
    assert code == 0, err
    assert json.loads(out)["metrics"]["trades"] > 0


def test_other_lives_of_a_run_are_drawn(typed: Typed, file: Path) -> None:
    """The same seed draws the same; trades in another order end where they ended."""
    name = _run(typed, file)["name"]
    found = [typed("backtest", "chance", name[:10], "--runs", "200", "--seed", "3", "--json")[1] for _ in range(2)]
    told = json.loads(found[0])

    assert found[0] == found[1]
    order = told["trades_in_another_order"]
    assert order["final"]["1"] == pytest.approx(order["final"]["99"])
    assert told["trades_drawn_anew"]["final"]["5"] < told["trades_drawn_anew"]["final"]["95"]
    assert 0 <= told["days_in_blocks"]["loss"] <= 1
    code, _, err = typed("backtest", "chance", name[:10], "--runs", "0")
    assert code != 0
    assert "runs: 0" in err


def test_grids_and_averaging_entries_are_run_and_searched_and_say_by_which_engine(typed: Typed, file: Path) -> None:
    """The compiled loop where it knows what was asked; which way a number came about is never a secret."""
    code, out, err = typed("backtest", "run", "grid", "--data", str(file), "-p", "stop_loss=0", "--json")
    assert code == 0, err
    ran = json.loads(out)
    assert ran["engine"] == "compiled"
    assert ran["metrics"]["trades"] > 0
    assert "ran compiled" in typed("backtest", "show", ran["name"][:12])[1]

    words = ("sweep", "dca", "--data", str(file), "-o", "take_1=0.5,1", "-o", "cooldown=0,5", "--workers", "1")
    code, out, err = typed(*words, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["trials"], told["failed"], told["engines"]) == (4, 0, {"compiled": 4})
    assert {each["params"]["cooldown"] for each in told["best"]} == {0, 5}
    assert "ran 4 compiled" in typed(*words)[1]
    code, out, err = typed(
        "walkforward", "grid", "--data", str(file), "-o", "step=0.5,1", "--train", "200", "--test", "100", "--workers",
        "1", "--json",
    )  # fmt: skip
    assert code == 0, err
    assert json.loads(out)["steps"]


def test_a_run_walks_inside_its_bars_and_says_where_it_could_not(typed: Typed, file: Path, tmp_path: Path) -> None:
    """Trades below most bars; where there are none the pessimistic path is taken, and counted."""
    rows = [line.split(",") for line in file.read_text().splitlines()[1:]]
    lines = ["timestamp,price,quantity"]
    for at, first, high, low, last, _ in rows[:500]:
        lines += [f"{int(at) + 900_000 * place},{price},1" for place, price in enumerate((first, high, low, last))]
    trades = tmp_path / "told.csv"
    trades.write_text("\n".join(lines) + "\n")
    without = _run(typed, file, "--stop", "1%", "--take", "1%")
    within = _run(typed, file, "--stop", "1%", "--take", "1%", "--inside", f"trades:{trades}", "--latency", "250ms")

    assert within["pessimistic"] == 100
    assert without["pessimistic"] is None
    assert within["digest"] != without["digest"]
    assert any("100 of 600 bars took the pessimistic path" in note for note in within["notes"])
    words = ("backtest", "run", "grid", "--data", str(file), "--inside", f"trades:{trades}", "--json")
    grid, late = (json.loads(typed(*words, *more)[1]) for more in ((), ("--latency", "5s")))
    assert (grid["engine"], grid["pessimistic"]) == ("compiled", 100)
    assert (late["engine"], late["pessimistic"]) == ("turns", 100)
    over = ("--data", str(file), "--inside", f"trades:{trades}", "-o", "step=0.5,1", "--workers", "1", "--json")
    searched = json.loads(typed("sweep", "grid", *over)[1])
    assert (searched["failed"], searched["engines"]) == (0, {"compiled": 2})
    ran = typed("backtest", "run", "grid", *over[:4], "-p", "step=0.5", "--json")[1]
    assert json.loads(ran)["name"] in {each["name"] for each in searched["best"]}
    walked = typed("walkforward", "grid", *over, "--train", "200", "--test", "100")
    assert json.loads(walked[1])["steps"], walked[2]
    code, _, err = typed("backtest", "run", "ema-cross", "--data", str(file), "--inside", "1m")
    assert (code, "inside: 1m came beside files of candles" in " ".join(err.split())) == (1, True)
    code, _, err = typed("backtest", "run", "ema-cross", "--data", str(file), "--inside", "nothing.csv")
    assert (code, "inside: 'nothing.csv' came" in " ".join(err.split())) == (1, True)


def test_a_search_can_be_guided_and_goes_on(typed: Typed, file: Path) -> None:
    """Optuna chooses; the same command with more trials makes only those that are new."""
    pytest.importorskip("optuna")
    words = ("sweep", "ema-cross", "--data", str(file), "-o", "fast=4..12:2", "-o", "slow", "--workers", "1", "--json")
    code, out, err = typed(*words, "--optuna", "8", "--seed", "5")
    assert code == 0, err
    first = json.loads(out)
    second = json.loads(typed(*words, "--optuna", "16", "--seed", "5")[1])

    assert (first["combinations"], second["combinations"]) == (8, 16)
    assert first["trials"] <= 8 < second["trials"] <= 16
    names = {each["name"] for each in second["best"]}
    assert {each["name"] for each in first["best"]} <= names
    assert all(each["params"]["fast"] in {4, 6, 8, 10, 12} for each in second["best"])
    code, out, err = typed(*words, "--optuna", "8", "--random", "3")
    assert (code, "beside --random" in out + err) == (1, True)


_RISING = '''
import numpy as np
from pilothouse.strategies.parameters import whole
from pilothouse.strategies.rules import Distance, Exits, Rules
from pilothouse.strategies.sdk import Columns, Signals


class Rising(Columns):
    """Long after so many bars in which the price rose."""

    name, title = "rising", "Rising"
    parameters = {"bars": whole(3, 1, 20)}

    def warm_up(self, p):
        return p.bars

    def signals(self, view, p):
        rose = np.zeros(len(view), bool)
        rose[p.bars :] = view.close[p.bars :] > view.close[: -p.bars]
        return Signals(long=rose, leave_long=~rose)

    def rules(self, p):
        return Rules(exits=Exits(stop=Distance(2.0)))
'''


def test_a_strategy_is_examined_and_what_is_right_is_kept(typed: Typed, tmp_path: Path) -> None:
    """What it does is accepted once; after a change the same command fails and says what is different."""
    code, out, err = typed("strategy", "test", "supertrend")
    assert code == 0, err
    assert "golden runs" in out
    assert typed("strategy", "test", "supertrend", "--accept")[0] == 1

    path = tmp_path / "data" / "strategies" / "rising.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_RISING)
    code, out, err = typed("strategy", "test", "rising", "-p", "bars=5", "--accept", "--json")
    assert code == 0, err
    assert [each["outcome"] for each in json.loads(out)["answers"]] == ["passed"] * 4
    assert json.loads(out)["answers"][-1]["words"].startswith("bars 5: ")

    path.with_name("test_rising.py").write_text(
        "from rising import Rising\n\ndef test_title():\n    assert not Rising.title"
    )
    code, out, _ = typed("strategy", "test", "rising", "--json")
    assert (code, json.loads(out)["answers"][-1]["question"]) == (1, "test_title")
    assert "test_rising.py:4: not so: not Rising.title" in json.loads(out)["answers"][-1]["words"]
    path.with_name("test_rising.py").unlink()

    path.write_text(_RISING.replace("Distance(2.0)", "Distance(0.2)"))
    code, out, _ = typed("strategy", "test", "rising", "--json")
    told = json.loads(out)
    assert (code, told["passed"], told["answers"][-1]["outcome"]) == (1, False, "failed")
    assert "instead of" in told["answers"][-1]["words"]


def test_several_markets_share_an_account_and_each_trade_says_whose_it_is(typed: Typed, tmp_path: Path) -> None:
    """Kept, found, exported and drawn like any other run; one was listed later, and lacks bars."""
    draw = np.random.default_rng(5)
    words = ["backtest", "run", "momentum-rotation", "-p", "lookback=20", "-p", "every=720", "-p", "top=1"]
    for place, symbol in enumerate(("AAA", "BBB", "CCC")):
        close = 50 * np.exp(np.cumsum(draw.normal(0.0, 0.01, 400)))
        lines = ["date,open,high,low,close,volume"]
        for bar in range(100 * place, 400):
            if place != 1 or not 250 < bar < 260:
                o, c = close[bar - 1] if bar else close[0], close[bar]
                at = 1_704_067_200_000 + bar * 3_600_000
                lines.append(f"{at},{o:.2f},{max(o, c) + 0.1:.2f},{min(o, c) - 0.1:.2f},{c:.2f},900")
        (tmp_path / f"{symbol}.csv").write_text("\n".join(lines) + "\n")
        words += ["--data", f"{symbol}={symbol}.csv", "--market", symbol]
    code, out, err = typed(*words, "--positions", "1", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["symbols"] == ["AAA", "BBB", "CCC"]
    assert json.loads(typed(*words, "--positions", "1", "--json")[1])["found"]
    assert json.loads(typed(*words, "--positions", "1", "--hedge", "--json")[1])["name"] != told["name"]
    _, rows, _ = typed("backtest", "export", told["name"])
    symbols = {row.split(",")[1] for row in rows.splitlines()[1:]}
    assert len(symbols) > 1
    assert symbols <= {"AAA", "BBB", "CCC"}
    _, path, _ = typed("backtest", "report", told["name"])
    page = Path(path.strip()).read_text(encoding="utf-8")
    assert "All at equal weights (AAA, BBB, CCC)" in page
    assert typed(*words, "--market", "ZZZ")[0] != 0
    assert "market: no candles of ZZZ; of AAA, BBB, CCC" in typed(*words, "--market", "ZZZ")[2]


def test_a_backtest_stops_what_the_risk_gate_would_stop(typed: Typed, file: Path) -> None:
    """By the loop where it asks the limit by itself, turn by turn where not; the result says which and why."""
    free = _run(typed, file)
    small = _run(typed, file, "--limit", "order_notional_max=100")
    assert (small["engine"], small["denials"]["codes"]) == ("compiled", {"order_size": small["denials"]["count"]})
    assert small["denials"]["listed"][0]["reasons"][0]["limit"] == "100"
    assert small["metrics"]["trades"] == 0

    rare = _run(typed, file, "--limit", "orders_per_day_max=1")
    assert rare["engine"] == "turns"
    assert any("no compiled loop knows limits.orders_per_day_max" in note for note in rare["notes"])
    assert 0 < rare["metrics"]["trades"] <= free["metrics"]["trades"]

    words = ("backtest", "run", "ema-cross", "--data", str(file), "--limit", "hours=never")
    code, _, err = typed(*words)
    assert code == 1
    assert "limits.hours" in err


def test_a_backtest_of_a_file_loads_no_database_layer() -> None:
    """A third of a short run was spent on starting what it never asked."""
    words = "import sys; from pilothouse.wiring import backtest_data, backtest_run; print('sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
