"""Sweeps and walks forward are kept as runs are: listed, shown, compared, exported, reported, taken away."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest

from pilothouse.backtest.search_shelf import WALK, KeptSearch, SearchShelf
from pilothouse.core.errors import Invalid
from tests.unit.cli.conftest import Typed


def _told(typed: Typed, *words: str) -> Any:
    code, out, err = typed(*words)
    assert code == 0, err
    return json.loads(out)


def test_a_search_is_kept_as_a_run_is(typed: Typed, file: Path, tmp_path: Path) -> None:
    """Nobody types a search again only to see once more what it had found."""
    words = ("ema_cross", "--data", str(file), "-o", "fast=4,8", "-o", "slow=20", "--workers", "1", "--json")
    run = _told(typed, "backtest", "run", "ema-cross", "--data", str(file), "--json")
    walk = _told(typed, "walkforward", *words, "--train", "200", "--test", "100")
    sweep = _told(typed, "sweep", *words)
    assert sweep["trials_ever"] == 1 + 2 + 4 * 2, "a ledger has one name, however the strategy was typed"

    data = tmp_path / "data"
    assert not [path for path in [data, *data.rglob("*")] if path.stat().st_mode & 0o077], "as doctor demands"
    listed = _told(typed, "backtest", "list", "--strategy", "ema_cross", "--json")
    assert [(each["kind"], each["name"]) for each in listed] == [
        ("sweep", sweep["name"]), ("walkforward", walk["name"]), ("run", run["name"]),
    ]  # fmt: skip
    assert [each["kind"] for each in _told(typed, "backtest", "list", "--kind", "run", "--json")] == ["run"]
    assert typed("backtest", "list", "--kind", "walk")[0] != 0

    name = walk["name"][:10]
    shown = _told(typed, "backtest", "show", name, "--json")
    assert (shown["steps"], shown["returns"]) == (walk["steps"], walk["returns"])
    assert "Behind the lessons" in typed("backtest", "show", name)[1]
    assert shown["metrics"]["total_return"] == pytest.approx(walk["total_return"])
    worth = np.cumprod(1.0 + np.array(walk["returns"]))
    highest = np.maximum.accumulate(np.concatenate(([1.0], worth)))[1:]
    assert shown["metrics"]["max_drawdown"] == pytest.approx(float((1.0 - worth / highest).max()))
    assert shown["metrics"]["trades"] == sum(step["examined"]["trades"] for step in walk["steps"])
    beside = _told(typed, "backtest", "compare", run["name"], name, sweep["name"], "--json")
    assert [each["kind"] for each in beside] == ["run", "walkforward", "sweep"]
    assert "walk forward, 4 lessons" in " ".join(typed("backtest", "compare", name, sweep["name"])[1].split())

    steps = list(csv.DictReader(io.StringIO(typed("backtest", "export", name)[1].removeprefix("\ufeff"))))
    assert [row["from"] for row in steps] == [step["times"][0] for step in walk["steps"]]
    assert typed("backtest", "export", name, "--what", "returns", "-o", "r.parquet")[0] == 0
    assert pyarrow.parquet.read_table(tmp_path / "r.parquet").column("return").to_pylist() == walk["returns"]
    trials = typed("backtest", "export", sweep["name"][:10])[1].splitlines()
    assert len(trials) == 3
    for kept, words_on_page in ((name, "behind the lessons"), (sweep["name"], "Trials")):
        assert typed("backtest", "report", kept, "-o", "page.html")[0] == 0
        assert words_on_page in (tmp_path / "page.html").read_text()
    assert typed("backtest", "export", name, "--what", "trades")[0] != 0

    again = _told(typed, "walkforward", *words, "--train", "200", "--test", "100")
    assert again["name"] == walk["name"]
    assert typed("backtest", "remove", name)[0] == 0
    assert [each["kind"] for each in _told(typed, "backtest", "list", "--json")] == ["sweep", "run"]


def test_what_a_search_found_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    """A file that was cut is left out; the same search takes its own place, and a name must mean one."""
    shelf = SearchShelf(tmp_path / "kept")
    assert list(shelf.every()) == []
    for name, count in (("ab" * 32, 1), ("ab" * 32, 2), ("abab" + "cd" * 30, 3)):
        shelf.put(KeptSearch(name, WALK, "ema-cross", "x", {"count": count}, "{}"))
    (tmp_path / "kept" / f"{'ef' * 32}.json").write_text('{"name": "e')

    assert sorted(each.told["count"] for _, each in shelf.every()) == [2, 3]
    assert shelf.named("ababab") == shelf.named("ab" * 32)
    assert (shelf.named("../../x"), shelf.named("abab"), shelf.named("ef" * 4)) == (None, None, None)
    shelf.put(KeptSearch("ababab" + "0" * 58, WALK, "ema-cross", "x", {}, "{}"))
    with pytest.raises(Invalid, match="names 2 searches"):
        shelf.named("ababab")
    assert not [path for path in (tmp_path / "kept").iterdir() if path.name.startswith(".")]
