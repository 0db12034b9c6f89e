"""Orders of a run that was kept without them: had by its name alone, and never those of another run."""

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Typed


def _run(typed: Typed, data: str, *more: str) -> str:
    code, out, err = typed(
        "backtest", "run", "ema-cross", "--data", data, "-p", "fast=5", "-p", "slow=20", *more, "--json"
    )
    assert code == 0, err
    return str(json.loads(out)["name"])


def test_orders_are_worked_out_when_they_are_asked_for(
    typed: Typed, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From whatever folder, and the same as if they had been kept at once."""
    name = _run(typed, file.name, "--no-orders", "--stop", "2%")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    code, afterwards, err = typed("backtest", "export", name[:12], "--orders")
    assert code == 0, err
    assert typed("backtest", "export", name[:12], "--what", "orders")[1] == afterwards
    typed("backtest", "remove", name[:12])
    assert _run(typed, str(file), "--orders", "--stop", "2%") == name
    assert typed("backtest", "export", name[:12], "--orders")[1] == afterwards
    assert afterwards.count("\n") > 10


def test_orders_of_candles_that_have_changed_are_refused(typed: Typed, file: Path) -> None:
    """They would be orders of another run, and its name would stand above them."""
    name = _run(typed, file.name, "--no-orders")
    lines = file.read_text().splitlines()
    at, *prices = lines[300].split(",")
    file.write_text("\n".join([*lines[:300], ",".join([at, *prices[:-1], "101"]), *lines[301:]]) + "\n")

    code, _, err = typed("backtest", "export", name[:12], "--orders")

    assert code == 1
    assert "no longer what they were" in " ".join(err.split())


def test_candles_that_came_later_do_not_hide_the_orders(typed: Typed, file: Path) -> None:
    """A file of candles grows from day to day; the run is of those that were there."""
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[:500]) + "\n")
    name = _run(typed, file.name, "--no-orders")
    file.write_text("\n".join(lines) + "\n")

    code, _, err = typed("backtest", "export", name[:12], "--orders")

    assert code == 0, err


def test_a_run_that_nobody_remembers_says_how_its_orders_are_had(typed: Typed, file: Path, tmp_path: Path) -> None:
    """One that is older, or came from another machine."""
    name = _run(typed, file.name, "--no-orders")
    (tmp_path / "data" / "backtests" / name / "asked.json").unlink()

    code, _, err = typed("backtest", "export", name[:12], "--orders")

    assert code == 1
    assert "ask for the same run with --orders" in " ".join(err.split())
    assert typed("backtest", "report", name[:12], "-o", "page.html")[0] == 0
    assert f"backtest export {name[:12]} --what orders" in Path("page.html").read_text()
