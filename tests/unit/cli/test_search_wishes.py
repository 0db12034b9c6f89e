"""Whatever a run takes, a search takes, and the API takes; the same words are the same trial, and it is found."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pilothouse.api.backtest_shapes import OneAsked, RunAsked, SweepAsked, plain_of
from pilothouse.backtest.search import TOLD
from pilothouse.cli.backtest_asked import plain_of as typed_plainly
from pilothouse.cli.backtest_options import CANDLES, WISHES
from pilothouse.kit.settings import Settings
from pilothouse.wiring.bench_work import Bench
from tests.unit.cli.conftest import Typed


@dataclass(frozen=True, slots=True)
class Case:
    """The same wish, as it is typed and as it goes over the wire; `files` are BTC, and others if need be."""

    words: tuple[str, ...]
    wire: dict[str, Any]
    files: tuple[str, ...] = ("BTC",)
    strategy: str = "ema-cross"
    fixed: dict[str, Any] = field(default_factory=lambda: {"slow": "20"})
    over: str = "fast=4,8"


CASES = {
    "several markets": Case(
        ("-m", "BTC", "-m", "ETH", "--positions", "1", "--rank", "first", "--margin", "cross", "--leverage", "2",
         "--market-cost", "ETH:taker=0.2,slippage=0.05"),
        {"markets": ["BTC", "ETH"], "positions": 1, "rank": "first", "margin": "cross", "leverage": 2,
         "market_costs": {"ETH": {"taker": "0.2", "slippage": "0.05"}}},
        files=("BTC", "ETH"),
    ),
    "limits and costs": Case(
        ("--limit", "position_notional_max=5000", "--limit", "losses_in_a_row_max=2", "--limit", "cooldown_s=86400",
         "--maker", "0.01", "--taker", "0.08", "--tier", "20000=0.005/0.02", "--slippage", "0.05", "--slip", "impact",
         "--borrow", "12", "--maintenance", "1", "--liquidation", "0.5", "--size", "30%", "--stop", "3%", "--lot",
         "0.001", "--latency", "1"),
        {"limits": {"position_notional_max": "5000", "losses_in_a_row_max": "2", "cooldown_s": "86400"},
         "maker": "0.01", "taker": "0.08", "tiers": [{"volume": "20000", "maker": "0.005", "taker": "0.02"}],
         "slippage": "0.05", "slip": "impact", "borrow": "12", "maintenance": "1", "liquidation": "0.5",
         "size": "30%", "stop": "3%", "lot": "0.001", "latency": 1},
    ),
    "inside the bars": Case(
        ("--inside", "{files}/FINE.csv", "--latency", "250ms", "--slip", "spread", "--slip-ticks", "2"),
        {"inside": "FINE.csv", "latency_ms": 250, "slip": "spread", "slip_ticks": 2},
    ),
    "funding of several markets": Case(
        ("-m", "BTC", "-m", "ETH", "--leverage", "2", "--funding", "BTC={files}/RATES.csv", "--funding", "ETH=none"),
        {"markets": ["BTC", "ETH"], "leverage": 2, "funding": ["BTC=RATES.csv", "ETH=none"]},
        files=("BTC", "ETH"),
    ),
    "funding and inside of each market": Case(
        ("-m", "BTC", "-m", "ETH", "--hedge", "--funding", "ETH={files}/RATES.csv", "--funding",
         "BTC={files}/RATES.csv", "--inside", "BTC={files}/FINE.csv", "--inside", "ETH={files}/ETHFINE.csv"),
        {"markets": ["BTC", "ETH"], "hedge": True, "funding": ["ETH=RATES.csv", "BTC=RATES.csv"],
         "inside": ["BTC=FINE.csv", "ETH=ETHFINE.csv"]},
        files=("BTC", "ETH"),
    ),
    "in turns": Case(
        ("--volume-share", "40", "--capital", "5000"),
        {"volume_share": "40", "capital": "5000"},
        strategy="grid", fixed={"stop_loss": "0"}, over="step=0.5,1",
    ),
}  # fmt: skip


@pytest.fixture
def files(tmp_path: Path, file: Path) -> Path:
    """Return the folder whose files a request may name: two markets, and half hours below one."""
    folder = tmp_path / "data" / "files"
    folder.mkdir(parents=True)
    shutil.copy(file, folder / "BTC.csv")
    head, *rows = [line.split(",") for line in file.read_text().splitlines()]
    other = [[at, *(f"{210 - float(each):.2f}" for each in (o, low, high, c)), v] for at, o, high, low, c, v in rows]
    fine = []
    for at, o, high, low, c, v in rows:
        middle = f"{(float(o) + float(c)) / 2:.2f}"
        fine += [[at, o, high, f"{min(float(o), float(middle)):.2f}", middle, v],
                 [str(int(at) + 1_800_000), middle, f"{max(float(c), float(middle)):.2f}", low, c, v]]  # fmt: skip
    below = [[at, *(f"{210 - float(each):.2f}" for each in (o, low, high, c)), v] for at, o, high, low, c, v in fine]
    rates = "".join(f"{int(row[0]) + 3},8,{(at % 5 - 2) / 10_000:.8f}\n" for at, row in enumerate(rows[::8]))
    (folder / "RATES.csv").write_text(f"calc_time,funding_interval_hours,last_funding_rate\n{rates}")
    for name, lines in (("ETH", other), ("FINE", fine), ("ETHFINE", below)):
        (folder / f"{name}.csv").write_text("\n".join(",".join(line) for line in [head, *lines]) + "\n")
    return folder


def _words(case: Case, files: Path) -> list[str]:
    given = [word for name in case.files for word in ("--data", f"{name}={files / name}.csv")]
    return [*given, *(word.format(files=files) for word in case.words)]


def _out(typed: Typed, *words: str) -> dict[str, Any]:
    code, out, err = typed(*words, "--json")
    assert code == 0, out + err
    return dict(json.loads(out))


@pytest.mark.parametrize("name", CASES)
def test_the_same_words_are_the_same_trial_wherever_they_are_said(
    name: str, typed: Typed, files: Path, tmp_path: Path
) -> None:
    """Typed for one run, in a search, or over the wire: one name, one result, found and not made again."""
    case = CASES[name]
    words, fixed = _words(case, files), [word for pair in case.fixed.items() for word in ("-p", "=".join(pair))]
    search = ("sweep", case.strategy, *words, *fixed, "-o", case.over, "--workers", "1")
    found = _out(typed, *search)
    assert (found["trials"], found["failed"]) == (2, 0)
    best = found["best"][0]
    assert {key: str(best["params"][key]).removesuffix(".0") for key in case.fixed} == case.fixed

    given = [word for pair in best["params"].items() for word in ("-p", "=".join(map(str, pair)))]
    ran = _out(typed, "backtest", "run", case.strategy, *words, *given)
    assert (ran["name"], ran["found"], ran["trials"]) == (best["name"], False, 2)
    assert {key: ran["metrics"][key] for key in TOLD} == best["metrics"]
    assert ran["metrics"]["trades"] > 2

    bench = Bench(Settings(data=tmp_path / "data", database_url=f"sqlite:///{tmp_path / 'none.db'}"))
    wire = {"strategy": case.strategy, "files": [f"{each}={each}.csv" for each in case.files], **case.wire}
    params: dict[str, Any] = {key: str(value) for key, value in best["params"].items()}
    asked = bench.answer("prepare", {"kind": "run", "asked": plain_of(RunAsked(**wire, params=params))}, _nobody)
    assert (asked["name"], asked["kept"]["digest"]) == (ran["name"], ran["digest"])

    lines = {path: path.read_text() for path in (tmp_path / "data" / "backtests" / "searches").glob("*.jsonl")}
    sweep = plain_of(SweepAsked(**wire, params=case.fixed, over=[case.over]))
    ready = bench.answer("prepare", {"kind": "sweep", "asked": sweep}, _nobody)
    told = bench.answer("sweep", {"asked": ready["asked"], "name": ready["name"]}, _nobody)
    assert [each["name"] for each in told["best"]] == [each["name"] for each in found["best"]]
    assert {path: path.read_text() for path in lines} == lines, "every trial was known"
    assert _out(typed, *search)["best"] == found["best"]


def _nobody(_ppm: int) -> None:
    """Hear how far the work has come."""


@pytest.mark.parametrize("name", ["several markets", "inside the bars", "funding of several markets"])
def test_a_walk_takes_what_a_run_takes_and_goes_on_where_it_stopped(
    name: str, typed: Typed, files: Path, tmp_path: Path
) -> None:
    """Trials of lessons are kept as they are made, counted, and never made again."""
    words = _words(CASES[name], files)
    walk = ("walkforward", "ema-cross", *words, "-p", "slow=20", "-o", "fast=4,8", "--train", "250", "--test", "100",
            "--workers", "1")  # fmt: skip
    whole = _out(typed, *walk)
    assert [step["test"] for step in whole["steps"]] == [[250, 350], [350, 450], [450, 550], [550, 600]]
    assert whole["trials_ever"] == 8
    assert all(step["params"]["slow"] == 20 for step in whole["steps"])

    (path,) = (tmp_path / "data" / "backtests" / "searches").glob("*.jsonl")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3]) + lines[3][:50])  # it was killed in the middle of a line
    assert _out(typed, *walk) == whole
    assert sorted(path.read_text().splitlines(keepends=True)[4:]) == sorted(lines[3:])


def test_a_search_tells_how_many_orders_the_risk_gate_stopped(typed: Typed, files: Path, tmp_path: Path) -> None:
    """A winner that limits hardly let trade is another one than a winner that they never met."""
    limits = ("--limit", "daily_loss_percent_max=0.2")
    words = ("ema-cross", "--data", f"BTC={files}/BTC.csv", "-p", "slow=20", "-o", "fast=3,4", "--workers", "1")
    found = _out(typed, "sweep", *words, *limits, "--report", "sweep.html", "--out", "trials.csv")
    best = found["best"][0]
    given = [word for pair in best["params"].items() for word in ("-p", "=".join(map(str, pair)))]
    ran = _out(typed, "backtest", "run", "ema-cross", "--data", f"BTC={files}/BTC.csv", *given, *limits)
    shown = " ".join(typed("sweep", *words, *limits)[1].split())
    walk = ("walkforward", *words, *limits, "--train", "250", "--test", "100")
    steps = _out(typed, *walk)["steps"]
    free = _out(typed, "sweep", *words)

    assert best["denied"] == found["denied"] == ran["denials"]["count"] > 0
    many = sum(each["denied"] > 0 for each in found["best"])
    assert found["denied_trials"] == many
    assert "orders stopped" in shown
    assert f"The risk gate stopped {best['denied']} orders of the best, and some in {many} of 2 trials." in shown
    assert "Orders stopped" in Path("sweep.html").read_text()
    head, first = (line.split(",") for line in Path("trials.csv").read_text().splitlines()[:2])
    assert dict(zip(head, first, strict=True))["denied"] == str(best["denied"])
    assert sum(step["denied"]["learned"] + step["denied"]["examined"] for step in steps) > 0
    assert "stopped in stopped" in " ".join(typed(*walk)[1].split())
    assert (free["denied"], free["denied_trials"], free["limited"]) == (0, 0, False)
    bench = Bench(Settings(data=tmp_path / "data", database_url=f"sqlite:///{tmp_path / 'none.db'}"))
    (path,) = [
        each
        for each in (tmp_path / "data" / "backtests" / "searches").glob("*.jsonl")
        if best["name"] in each.read_text()
    ]
    page = bench.answer("trials", {"name": path.stem, "after": 0, "limit": 5}, _nobody)
    assert {each["name"]: each["denied"] for each in page["items"]}[best["name"]] == best["denied"]


def test_a_search_is_not_silent_about_what_was_fixed(typed: Typed, file: Path) -> None:
    """A value that is said for a parameter holds in every trial; saying both makes no sense."""
    words = ("sweep", "ema-cross", "--data", str(file), "-o", "fast=4,8", "--workers", "1")
    found = _out(typed, *words, "-p", "slow=33", "-p", "stop_loss=1.5")
    assert {(each["params"]["slow"], each["params"]["stop_loss"]) for each in found["best"]} == {(33, 1.5)}
    assert {each["params"]["slow"] for each in _out(typed, *words)["best"]} == {20}
    code, _, err = typed(*words, "-p", "fast=5")
    assert (code, "fast: fixed, and varied" in err) == (1, True)


@pytest.mark.parametrize("command", [("backtest", "run"), ("sweep",), ("walkforward",)])
def test_every_word_that_does_not_fit_is_named_at_once(command: tuple[str, ...], typed: Typed, file: Path) -> None:
    """Whoever sets nine things wants to hear of all that are wrong."""
    more = ("--train", "200", "--test", "100") if command == ("walkforward",) else ()
    code, _, err = typed(
        *command, "ema-cross", "--data", str(file), *more, "--taker", "50", "--slip", "none", "--borrow", "x",
        "--limit", "nope=1", "--margin", "shared", "--rank", "best", "--volume-share", "0",
        "--market-cost", "ETH:taker=99,tax=1", "--tier", "0=1/1", "--capital", "0",
    )  # fmt: skip
    assert code == 1
    fields = {line.split(":")[0] for line in err.replace("✗ ", "").splitlines()}
    assert fields >= {
        "taker", "slip", "borrow", "limits.nope", "margin", "rank", "volume_share", "market_costs.ETH.taker",
        "market_costs.ETH.tax", "tiers.volume", "capital",
    }  # fmt: skip


def test_costs_of_a_market_that_is_not_traded_are_refused(typed: Typed, file: Path) -> None:
    """A slip of the pen would leave the costs of the market as they were, and nobody would know."""
    code, _, err = typed("backtest", "run", "ema-cross", "--data", f"BTC={file}", "--market-cost", "BTCUSDT:taker=1")

    assert (code, "market_costs.BTCUSDT: it is not traded; one of BTC" in " ".join(err.split())) == (1, True)


def test_nothing_said_is_the_same_over_the_wire_and_typed() -> None:
    """A default that differs would be another backtest for the same words."""
    unsaid = {each.name: each.default for each in (*CANDLES, *WISHES)}

    heard = plain_of(OneAsked(strategy="ema-cross")) | {"uploads_of": ""}  # whose files: the caller's, nobody's here
    assert typed_plainly("ema-cross", unsaid) == heard


def test_a_search_is_a_page_with_a_map_and_a_file_of_every_trial(typed: Typed, file: Path) -> None:
    """Whoever looks at the winner sees its neighbours, what luck would reach, and that nothing was paid for trading."""
    words = ("ema-cross", "--data", str(file), "-o", "fast=4,8,12", "-o", "slow=20,30", "--workers", "1")
    found = _out(typed, "sweep", *words, "--report", "sweep.html", "--out", "trials.csv")
    page = Path("sweep.html").read_text()
    assert "Sharpe ratio over fast and slow" in page
    assert page.count("<td style=") == 2 * 6
    assert found["luck"].replace("'", "&#x27;") in page
    assert "WITHOUT COSTS" not in page
    rows = Path("trials.csv").read_text().splitlines()
    assert rows[0].startswith("\ufeffname,fast,")
    assert [row.split(",")[0] for row in rows[1:]] == [each["name"] for each in found["best"]]

    free = ("--maker", "0", "--taker", "0", "--slippage", "0", "--train", "250", "--test", "100")
    walked = _out(typed, "walkforward", *words, *free, "--report", "walk.html")
    page = Path("walk.html").read_text()
    assert "WITHOUT COSTS" in page
    assert page.count("2024-01-") >= 2
    assert [step["times"][0] for step in walked["steps"]] == [
        "2024-01-11 10:00:00", "2024-01-15 14:00:00", "2024-01-19 18:00:00", "2024-01-23 22:00:00",
    ]  # fmt: skip
    assert f"{1 + walked['total_return']:,.3f}" in page


def test_each_fold_is_examined_once_and_learned_from_what_is_far_enough_away(typed: Typed, file: Path) -> None:
    """No bar is in a lesson and in its examination, nor within the purge and the embargo of one."""
    words = ("walkforward", "ema-cross", "--data", str(file), "-o", "fast=4,8", "--workers", "1", "--folds", "4")
    found = _out(typed, *words, "--purge", "10", "--embargo", "20")
    assert [step["test"] for step in found["steps"]] == [[0, 150], [150, 300], [300, 450], [450, 600]]
    assert [step["spans"] for step in found["steps"]] == [
        [[180, 600]], [[0, 140], [330, 600]], [[0, 290], [480, 600]], [[0, 440]],
    ]  # fmt: skip
    assert all(step["learned"]["sharpe"] is not None for step in found["steps"])
    assert found["trials_ever"] == 2 * 6
    assert _out(typed, *words, "--purge", "10", "--embargo", "20") == found

    code, _, err = typed(*words, "--train", "5", "--score", "sqn")
    assert (code, {line.split(":")[0] for line in err.replace("✗ ", "").splitlines()}) == (1, {"train", "score"})
    code, _, err = typed(*words[:-2], "--train", "200", "--test", "100", "--embargo", "3")
    assert (code, "embargo: beside a walk" in err) == (1, True)
    assert "train: none came, and no folds; train and test" in typed(*words[:-2])[2]
    assert "folds: 1; 2 to 16" in typed(*words[:-1], "1")[2]
