"""Searches as pages, tables and sentences, for every door alike: what was found goes in as plain data or as trials."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pilothouse.backtest.contents import tabled
from pilothouse.backtest.report_search import About, search_page, walk_page
from pilothouse.backtest.search import TOLD, Outcome
from pilothouse.backtest.verdict import Verdict

Plain = Mapping[str, Any]


def sentences(told: Plain) -> list[str]:
    """Return what speaks for and against the winner of a search, `told` as `told_search` returns it."""
    found = [str(told["luck"])] if told["luck"] else []
    if told["overfit_probability"] is not None:
        share, loss = (f"{float(told[name]):.0%}" for name in ("overfit_probability", "overfit_loss"))
        halves = "Chosen in one half of history, the best was below the middle in the other half"
        found.append(f"{halves} in {share} of splits, and lost in {loss}.")
    if told["steadiness"] is not None:
        reach = f"{float(told['steadiness']):.0%}"
        found.append(f"Its neighbours reach {reach} of it on average: near 100% is a plateau, near 0% a needle.")
    return found


def page_of_search(verdict: Verdict, told: Plain, spec: str) -> str:
    """Return the page of a search: its trials, luck, and a map of its neighbours; `spec` is what stays the same."""
    title = f"{told['title']}: {told['trials']:,} trials"
    return search_page(verdict, str(told["score"]), _about(title, told, spec, [*sentences(told), *told["notes"]]))


def page_of_walk(told: Plain, spec: str) -> str:
    """Return the page of a walk forward; `told` as `told_walk` returns it, its numbers as text or not."""
    told = _numbers(told)
    return walk_page(told, told["returns"], _about(f"{told['title']}: walk forward", told, spec, told["notes"]))


def _about(title: str, told: Plain, spec: str, notes: Sequence[str]) -> About:
    subtitle = f"{told['symbol']}, {told['timeframe']}, {told['span']}"
    return About(title, subtitle, spec, tuple(notes), bool(told["costless"]))


def trials_file(best: Sequence[Outcome], kind: str) -> bytes:
    """Return all trials as a file, the best first; `kind`: .csv, .parquet or .json. Raises Invalid."""
    params = list(best[0].params) if best else []
    names = ["name", *params, *TOLD, "engine", "error"]
    rows = [
        (each.name, *(each.params[name] for name in params), *(each.metrics.get(name) for name in TOLD), each.engine,
         each.error)
        for each in best
    ]  # fmt: skip
    return tabled(names, rows, kind)


def _numbers(told: Plain) -> dict[str, Any]:
    """Return what was told with its numbers as floats where they had become text on their way."""
    found: dict[str, Any] = json.loads(json.dumps(dict(told)))
    for name in ("total_return", "efficiency"):
        found[name] = _float(found[name])
    found["returns"] = [float(each) for each in found["returns"]]
    for step in found["steps"]:
        for part in ("learned", "examined"):
            step[part] = {name: _float(value) for name, value in step[part].items()}
    return found


def _float(value: Any) -> float | None:
    return None if value is None else float(value)
