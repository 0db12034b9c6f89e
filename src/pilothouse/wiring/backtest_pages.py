"""Searches as pages, tables and sentences, for every door alike: what was found goes in as plain data or as trials."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pilothouse.backtest.contents import tabled
from pilothouse.backtest.report_search import About, search_page, walk_page
from pilothouse.backtest.search import TOLD, Outcome
from pilothouse.backtest.search_files import read
from pilothouse.backtest.search_shelf import WALK, KeptSearch
from pilothouse.backtest.trials import Trials
from pilothouse.backtest.verdict import Verdict, weigh
from pilothouse.core.errors import Invalid, Problem
from pilothouse.kit.settings import Settings
from pilothouse.wiring.backtest_run import FOLDER, TRIALS
from pilothouse.wiring.backtest_search import SEARCHES

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
    if told.get("denied_trials"):
        every = f"in {told['denied_trials']:,} of {told['trials']:,} trials"
        found.append(f"The risk gate stopped {told['denied']:,} orders of the best, and some {every}.")
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
    return About(
        title,
        subtitle,
        spec,
        tuple(notes),
        bool(told["costless"]),
        bool(told.get("unfunded")),
        bool(told.get("limited")),
        str(told.get("underfunded") or ""),
    )


def trials_file(best: Sequence[Outcome], kind: str) -> bytes:
    """Return all trials as a file, the best first; `kind`: .csv, .parquet or .json. Raises Invalid."""
    params = list(best[0].params) if best else []
    names = ["name", *params, *TOLD, "denied", "engine", "error"]
    rows = [
        (each.name, *(each.params[name] for name in params), *(each.metrics.get(name) for name in TOLD), each.denied,
         each.engine, each.error)
        for each in best
    ]  # fmt: skip
    return tabled(names, rows, kind)


def verdict_of(settings: Settings, strategy: str, search: str, score: str) -> Verdict:
    """Return what a search is worth by now: trials that were made later count as well.

    search   the name of the file of its trials
    """
    ledger = Trials(settings.data / FOLDER / TRIALS).sharpes(strategy)
    outcomes = list(read(settings.data / FOLDER / SEARCHES / f"{search}.jsonl"))
    return weigh(outcomes, score, ledger, len(ledger))


def page_of_kept(settings: Settings, kept: KeptSearch) -> str:
    """Return the page of a kept search of either kind."""
    if kept.kind == WALK:
        return page_of_walk(kept.told, kept.spec)
    return page_of_search(_verdict(settings, kept), kept.told, kept.spec)


def search_file(settings: Settings, kept: KeptSearch, what: str, kind: str) -> bytes:
    """Return a kept search as a file; `what`: of a walk forward see `walk_file`; of a sweep trials. Raises Invalid."""
    if kept.kind == WALK:
        return walk_file(kept.told, what or "steps", kind)
    if what not in {"", "trials"}:
        raise Invalid([Problem("what", f"{what[:40]!r} came", "of a sweep trials")])
    return trials_file(_verdict(settings, kept).best, kind)


def _verdict(settings: Settings, kept: KeptSearch) -> Verdict:
    return verdict_of(settings, kept.strategy, kept.search, str(kept.told["score"]))


WALK_KINDS: Final = ("steps", "returns")


def walk_file(told: Plain, what: str, kind: str) -> bytes:
    """Return a walk forward as a file; `kind`: .csv, .parquet or .json.

    what   steps: a row for each lesson and its examination; returns: what was earned behind the lessons, one
           observation (of a day, or of a longer bar) after the other, and what 1 became. Raises Invalid.
    """
    told = _numbers(told)
    if what == "steps":
        return tabled(*_steps(told), kind)
    if what != "returns":
        raise Invalid([Problem("what", f"{what[:40]!r} came", f"of a walk forward one of {', '.join(WALK_KINDS)}")])
    rows, worth = [], 1.0
    for number, each in enumerate(told["returns"], 1):
        worth *= 1.0 + each
        rows.append((number, each, worth))
    return tabled(("number", "return", "worth"), rows, kind)


def _steps(told: Plain) -> tuple[list[str], list[tuple[Any, ...]]]:
    steps = told["steps"]
    chosen = list(steps[0]["params"]) if steps else []
    names = ["number", "from", "until", *chosen, "tried"]
    names += [f"{name}_{where}" for where in ("in_lesson", "behind") for name in TOLD]
    rows = [
        (
            number, *step["times"], *(step["params"][name] for name in chosen), step["tried"],
            *(step[part].get(name) for part in ("learned", "examined") for name in TOLD),
        )
        for number, step in enumerate(steps, 1)
    ]  # fmt: skip
    return names, rows


def _numbers(told: Plain) -> dict[str, Any]:
    """Return what was told with its numbers as floats where they had become text on their way."""
    found: dict[str, Any] = json.loads(json.dumps(dict(told)))
    for name in ("total_return", "efficiency"):
        found[name] = _float(found[name])
    found["metrics"] = {name: _float(value) for name, value in found.get("metrics", {}).items()}
    found["returns"] = [float(each) for each in found["returns"]]
    for step in found["steps"]:
        for part in ("learned", "examined"):
            step[part] = {name: _float(value) for name, value in step[part].items()}
    return found


def _float(value: Any) -> float | None:
    return None if value is None else float(value)
