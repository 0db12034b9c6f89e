"""Funding of a backtest, as somebody types it and as it goes over the wire: exact, named, and never silently absent."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from pilothouse.api.backtest_shapes import RunAsked, plain_of
from pilothouse.backtest.reference import reference, same
from pilothouse.backtest.run import run
from pilothouse.backtest.shelf import Shelf
from pilothouse.backtest.simulate import Funding
from pilothouse.backtest.spec import BacktestSpec, Costs, Market, Slip
from pilothouse.core.errors import Invalid
from pilothouse.kit.settings import Settings
from pilothouse.strategies import registry
from pilothouse.strategies.parameters import resolve
from pilothouse.strategies.sdk import Columns
from pilothouse.strategies.view import View
from pilothouse.wiring.backtest_data import Asked, of_files
from pilothouse.wiring.bench_work import Bench
from tests.unit.cli.conftest import Typed

HOUR_MS = 3_600_000
START_MS = 1_704_067_200_000
AT_MS = np.arange(START_MS, START_MS + 600 * HOUR_MS, 8 * HOUR_MS, dtype=np.int64)
PPB = (np.arange(len(AT_MS), dtype=np.int64) % 7 - 2) * 131_250


def _rates(path: Path, ppb: np.ndarray[Any, Any] = PPB, at_ms: np.ndarray[Any, Any] = AT_MS) -> Path:
    lines = [f"{at},{Decimal(int(each)).scaleb(-9)}" for at, each in zip(at_ms, ppb, strict=True)]
    path.write_text("\n".join(["time,rate", *lines]) + "\n")
    return path


@pytest.fixture
def rates(tmp_path: Path) -> Path:
    """Return a file of rates every eight hours, some below zero."""
    return _rates(tmp_path / "rates.csv")


def _run(typed: Typed, file: Path, *more: str) -> dict[str, Any]:
    words = (
        "backtest",
        "run",
        "ema-cross",
        "--data",
        f"BTC={file}",
        "-p",
        "fast=5",
        "-p",
        "slow=20",
        "--leverage",
        "3",
    )
    code, out, err = typed(*words, *more, "--json")
    assert code == 0, err
    return dict(json.loads(out))


def test_typed_and_over_the_wire_it_is_the_run_of_the_engine_and_of_the_oracle(
    typed: Typed, file: Path, rates: Path, tmp_path: Path
) -> None:
    """Every door only hands on: name, trades, fees and funding are the same to the last unit."""
    ran = _run(typed, file, "--funding", str(rates))
    candles = of_files(Asked(files=(f"BTC={file}",))).candles["BTC"]
    paid = Funding(AT_MS, PPB)
    described = registry.find("ema-cross")
    strategy = described.strategy
    assert isinstance(strategy, Columns)
    p = resolve(strategy.parameters, {"fast": "5", "slow": "20"})
    costs = Costs(200, 500, slip=Slip.FIXED, slip_ppm=100, funding=True)
    kept = json.loads((Shelf(tmp_path / "data" / "backtests").place(ran["name"]) / "spec.json").read_text())
    spec = BacktestSpec(
        "ema-cross", described.version, dict(p), (Market("file", "BTC", Decimal(kept["markets"][0]["lot"])),), "1h",
        START_MS, START_MS + 600 * HOUR_MS, {"BTC": candles.fingerprint(), "BTC funding": paid.fingerprint()},
        leverage=3, costs=costs,
    )  # fmt: skip

    told = run(spec, {"BTC": candles}, strategy, funding={"BTC": paid})
    signals, warm_up = strategy.signals(View(candles, {}), p), strategy.warm_up_bars(p, candles.span_ms)
    slow = reference(spec, spec.markets[0], candles, signals, strategy.rules(p), warm_up=warm_up, funding=paid)

    assert (ran["name"], ran["digest"]) == (spec.name, told.digest())
    assert same(slow, told) == ""
    assert int((told.trades.funding != 0).sum()) > 5
    assert ran["metrics"]["funding"] == pytest.approx(float(told.money(int(told.trades.funding.sum()))))
    files = tmp_path / "data" / "files"
    files.mkdir()
    (files / "BTC.csv").write_bytes(file.read_bytes())
    (files / "rates.csv").write_bytes(rates.read_bytes())
    bench = Bench(Settings(data=tmp_path / "data", database_url=f"sqlite:///{tmp_path / 'none.db'}"))
    wire = RunAsked(
        strategy="ema-cross", files=["BTC=BTC.csv"], funding=["rates.csv"], leverage=3,
        params={"fast": "5", "slow": "20"},
    )  # fmt: skip
    Shelf(tmp_path / "data" / "backtests").remove(ran["name"])
    asked = bench.answer("prepare", {"kind": "run", "asked": plain_of(wire)}, lambda _: None)
    wired = bench.answer("run", {"asked": asked["asked"], "name": asked["name"]}, lambda _: None)
    assert (asked["name"], wired["digest"], wired["found"]) == (ran["name"], ran["digest"], False)


def test_another_rate_is_another_backtest(typed: Typed, file: Path, rates: Path, tmp_path: Path) -> None:
    """One billionth in one rate: another fingerprint, another name, and it is run, not found."""
    first = _run(typed, file, "--funding", str(rates))
    changed = PPB.copy()
    changed[40] += 1
    other = _run(typed, file, "--funding", str(_rates(tmp_path / "other.csv", changed)))
    again = _run(typed, file, "--funding", str(_rates(tmp_path / "same.csv")))

    assert other["name"] != first["name"]
    assert not other["found"]
    assert (again["name"], again["found"]) == (first["name"], True)


def test_a_perpetual_without_funding_says_so_in_red_beside_the_costs(typed: Typed, file: Path, rates: Path) -> None:
    """Whoever borrows or sells short pays or gets it in life; a run without it looks better or worse than that."""
    bare, paid = _run(typed, file), _run(typed, file, "--funding", str(rates))
    spot = json.loads(typed("backtest", "run", "buy-and-hold", "--data", str(file), "--json")[1])
    words = ("backtest", "run", "ema-cross", "--data", f"BTC={file}", "--leverage", "3")

    assert [each["unfunded"] for each in (bare, paid, spot)] == [True, False, False]
    assert "WITHOUT FUNDING" in typed(*words)[1]
    assert "WITHOUT FUNDING" not in typed(*words, "--funding", str(rates))[1]
    sweep = ("sweep", "ema-cross", "--data", f"BTC={file}", "--leverage", "3", "-o", "fast=4,8", "--workers", "1")
    assert "WITHOUT FUNDING" in typed(*sweep)[1]
    assert typed("backtest", "report", bare["name"][:12], "-o", "page.html")[0] == 0
    assert "WITHOUT FUNDING" in Path("page.html").read_text()
    assert any("funding of BTC: rates.csv, 75 rates, every 8 h" in note for note in paid["notes"])


@pytest.mark.parametrize(("side", "red"), [("both", True), ("long", False)])
def test_a_search_that_goes_short_without_funding_says_so_in_red(
    typed: Typed, file: Path, side: str, *, red: bool
) -> None:
    """Who sells what he does not hold borrows it, at a leverage of one too: a sweep and a walk warn as a run does."""
    words = ("ema-cross", "--data", f"BTC={file}", "-p", f"side={side}", "--workers", "1", "--json")
    sweep = json.loads(typed("sweep", *words, "-o", "fast=4,8", "-o", "slow=20")[1])
    walk = json.loads(
        typed("walkforward", *words, "-o", "fast=4,8", "-o", "slow=20", "--train", "200", "--test", "100")[1]
    )

    assert sweep["trials"] == 2
    assert [sweep["unfunded"], walk["unfunded"]] == [red, red]
    assert [sweep["underfunded"], walk["underfunded"]] == ["", ""]


def test_rates_that_end_early_are_said_in_red(typed: Typed, file: Path, tmp_path: Path) -> None:
    """Half a history of funding flatters half of the result."""
    ran = _run(typed, file, "--funding", str(_rates(tmp_path / "half.csv", PPB[:40], AT_MS[:40])))

    assert not ran["unfunded"]
    assert "BTC has no rates in 287 of 600 hours" in ran["underfunded"]
    assert "FUNDING IN PART" in typed("backtest", "show", ran["name"][:12])[1]


def test_every_layout_of_the_same_rates_is_the_same_backtest(typed: Typed, file: Path, tmp_path: Path) -> None:
    """Binance's archive, freqtrade's candles of rates, a table of times in words: what counts is when and how much."""
    shares = PPB / 1e9
    binance, freqtrade, words = tmp_path / "BTC-fundingRate-2024-01.csv", tmp_path / "r.feather", tmp_path / "w.parquet"
    lines = [f"{at},8,{each:.9f}" for at, each in zip(AT_MS, shares, strict=True)]
    binance.write_text("\n".join(["calc_time,funding_interval_hours,last_funding_rate", *lines]) + "\n")
    zeros = np.zeros(len(AT_MS))
    candles = {"date": pa.array(AT_MS, pa.timestamp("ms", "UTC")), "open": shares}
    feather.write_feather(pa.table(candles | dict.fromkeys(("high", "low", "close", "volume"), zeros)), freqtrade)
    clock = [str(np.datetime64(int(at), "ms")).replace("T", " ")[:19] for at in AT_MS + HOUR_MS]
    parquet.write_table(pa.table({"time": clock, "rate": [f"{each:.9f}" for each in shares]}), words)

    names = {
        _run(typed, file, "--funding", str(path))["name"] for path in (_rates(tmp_path / "p.csv"), binance, freqtrade)
    }
    # Berlin is an hour ahead in January; without a zone its words are not guessed at.
    named = _run(typed, file, "--funding", str(words), "--timezone", "Europe/Berlin")["name"]
    code, _, err = typed("backtest", "run", "ema-cross", "--data", f"BTC={file}", "--funding", str(words))

    assert names == {named}
    assert (code, "timezone" in err) == (1, True)


def test_gaps_and_bars_without_a_rate_are_told_and_nothing_is_put_into_them(
    typed: Typed, file: Path, tmp_path: Path
) -> None:
    """A hole in the history flatters whoever would have paid in it."""
    holed = np.flatnonzero(
        (np.arange(len(AT_MS)) > 9) & (np.arange(len(AT_MS)) % 30 > 2) & (np.arange(len(AT_MS)) < 70)
    )

    told = " ".join(_run(typed, file, "--funding", str(_rates(tmp_path / "h.csv", PPB[holed], AT_MS[holed])))["notes"])

    assert "2 gaps, the first behind 2024-01-10T16:00:00" in told
    assert "NONE for 72 bars before the first" in told
    assert "NONE for 40 bars behind the last" in told


@pytest.mark.parametrize(
    ("lines", "words", "said"),
    [
        (["time,rate", "1704067200000,0.0001", "1704067200000,0.0002"], "F", "rows 1 and 2 are of one time"),
        (["time,rate", "1704067200000,0.0001", "1704096000000,"], "F", "row 2 is none"),
        (["time,rate", "1704067200000,65000"], "F", "is this a file of candles?"),
        (["time,rate", "1504067200000,0.0001"], "F", "has no rate from 2024-01-01"),
        (["time,price", "1704067200000,0.0001"], "F", "a column funding_rate"),
        (["time,rate", "1704067200000,0.0001"], "ETH=F", "'ETH' came; one of what is traded: BTC"),
    ],
)
def test_rates_that_cannot_be_paid_are_refused(
    lines: list[str], words: str, said: str, typed: Typed, file: Path, tmp_path: Path
) -> None:
    """The answer names the file, the row or the market, and what would be right."""
    path = tmp_path / "bad.csv"
    path.write_text("\n".join(lines) + "\n")

    code, _, err = typed(
        "backtest", "run", "ema-cross", "--data", f"BTC={file}", "--funding", words.replace("F", str(path))
    )  # fmt: skip

    assert (code, said in " ".join(err.split())) == (1, True), err


def test_rates_or_finer_bars_of_some_markets_alone_are_refused(typed: Typed, file: Path, rates: Path) -> None:
    """Whoever forgets one hears which, and how to say that it pays none."""
    words = ("backtest", "run", "ema-cross", "--data", f"A={file}", "--data", f"B={file}", "-m", "A", "-m", "B")
    wrong = {
        ("--funding", f"A={rates}"): "funding: none for B; rates of each market that is traded: B=FILE, or B=none",
        ("--funding", str(rates)): "does not tell which of A, B it is of; SYMBOL=FILE",
        ("--funding", f"A={rates}", "--funding", f"A={rates}"): "A twice; one file for each market",
        ("--inside", f"A={file}"): "not_finer",
        ("--inside", f"C={file}"): "inside: 'C' came; one of what is traded: A, B",
        ("--inside", "1m"): "inside: 1m came beside files of candles",
    }
    for more, said in wrong.items():
        code, _, err = typed(*words, *more)
        told = " ".join(err.split())
        assert code == 1
        assert said in told or (said == "not_finer" and "a part of 1h" in told), told


def test_a_run_is_not_paid_by_rates_that_its_spec_does_not_name(file: Path) -> None:
    """What is kept under a name depends on nothing that the name does not tell."""
    candles = of_files(Asked(files=(f"BTC={file}",))).candles["BTC"]
    described = registry.find("ema-cross")
    strategy = described.strategy
    assert isinstance(strategy, Columns)
    data = {"BTC": candles.fingerprint()}
    spec = BacktestSpec(
        "ema-cross", described.version, {}, (Market("file", "BTC", Decimal("0.001")),), "1h", START_MS,
        START_MS + 600 * HOUR_MS, data, costs=Costs(0, 500, funding=True),
    )  # fmt: skip

    with pytest.raises(Invalid, match="other rates"):
        run(spec, {"BTC": candles}, strategy, funding={"BTC": Funding(AT_MS, PPB)})
