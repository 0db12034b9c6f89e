"""What a bench is asked: strategies, backtests and their results; plain data in, plain data out.

It runs in a process of its own (`bench_process.py`): compiled kernels and strategies have no place beside orders.

Numbers that are no whole ones go out as text, as everywhere in the house.
"""

import base64
import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from decimal import Decimal
from functools import cached_property
from typing import Any, Final

from pilothouse.backtest.chance import Fan, of_returns, of_trades
from pilothouse.backtest.contents import content, page_of
from pilothouse.backtest.curves import returns_of
from pilothouse.backtest.exam import FAILED, TURNS_QUESTIONS, examine_turns
from pilothouse.backtest.pace import Pace
from pilothouse.backtest.search import search
from pilothouse.backtest.search_files import SearchFile, read
from pilothouse.backtest.search_shelf import SWEEP, WALK
from pilothouse.backtest.shelf import Card, Shelf
from pilothouse.backtest.trials import Trials
from pilothouse.backtest.verdict import Verdict, weigh
from pilothouse.core.errors import Invalid, PilothouseError, Problem, Refused
from pilothouse.core.rounding import plain
from pilothouse.kit.settings import Settings
from pilothouse.sandbox.load import find
from pilothouse.sandbox.walled import Walled
from pilothouse.sandbox.walled_turns import WalledTurns
from pilothouse.strategies import foresight
from pilothouse.strategies.registry import Described
from pilothouse.strategies.sdk import Columns
from pilothouse.wiring import bench_pages, bench_pieces, bench_uploads
from pilothouse.wiring.backtest_orders import remember
from pilothouse.wiring.backtest_pages import page_of_search, page_of_walk, trials_file, verdict_of, walk_file
from pilothouse.wiring.backtest_run import FOLDER, TRIALS, carry_out, prepare, steps_of, traded
from pilothouse.wiring.backtest_search import (
    SEARCHES,
    Lessons,
    chosen,
    fresh,
    keep_search,
    plan,
    search_id,
    told_search,
    told_walk,
    trials_in,
    walked,
)
from pilothouse.wiring.backtest_wishes import Request, changed_by, wish_of
from pilothouse.wiring.bench_requests import read_request, tried_by
from pilothouse.wiring.bench_steps import LOADED_PPM, PPM, Steps, Told, Walked
from pilothouse.wiring.data_only import DataHouse, open_data
from pilothouse.wiring.strategies import OwnStrategy, all_of, folder_of, named

_LOOK_S: Final = 0.5
_ORDERS_MOST: Final = 300_000
"""Bars over all markets of which a bench tells the orders unasked: some seconds beside the house."""
_WORTH_PROCESSES: Final = 100_000_000

_LESSONS: Final = ("train", "test", "anchored", "purge", "folds", "embargo")

Plain = dict[str, Any]


class Changed(Refused):
    """What a backtest depends on is not what it was when it was asked for."""

    code = "backtest_changed"


class Bench:
    """One house's strategies, candles and results."""

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._shelf = Shelf(settings.data / FOLDER)
        self._ledger = Trials(settings.data / FOLDER / TRIALS)
        self._listed: tuple[tuple[tuple[str, str], ...], Plain] | None = None
        self._questions: Mapping[str, Callable[[Plain, Told], Any]] = {
            "strategies": lambda _asked, _told: self._strategies(),
            "strategy": lambda asked, _: _shown(named(self._settings, asked["name"]), whole=True),
            "prepare": lambda asked, _: self._prepare(asked["kind"], asked["asked"]),
            "run": self._run,
            "sweep": self._sweep,
            "piece": self._piece,
            "walkforward": self._walk,
            "chance": self._chance,
            "check": self._check,
            "trades": lambda asked, _: bench_pages.trades(self._shelf.get(asked.pop("name")), **asked),
            "orders": lambda asked, _: bench_pages.orders(self._shelf.get(asked.pop("name")), **asked),
            "fills": lambda asked, _: bench_pages.fills(self._shelf.get(asked.pop("name")), **asked),
            "equity": lambda asked, _: bench_pages.equity(self._shelf.get(asked.pop("name")), **asked),
            "trials": lambda asked, _: self._trials(**asked),
            "export": lambda asked, _: self._export(**asked),
            "report": lambda asked, _: page_of(self._shelf.get(asked["name"])),
            "search_report": lambda asked, _: self._search_report(**asked),
            "search_export": lambda asked, _: self._search_export(**asked),
            "walk_export": lambda asked, _: _file(walk_file(**asked)),
            "walk_report": lambda asked, _: page_of_walk(asked["told"], asked["spec"]),
            "read_upload": lambda asked, _: bench_uploads.read(**asked),
            "read_rates": lambda asked, _: bench_uploads.read_rates(**asked),
            "remove": lambda asked, _: self._remove(asked["name"]),
        }

    def answer(self, do: str, asked: Plain, told: Told) -> Any:
        """Return the answer to one question. Raises what the question raises."""
        return self._questions[do](asked, told)

    @cached_property
    def _data(self) -> DataHouse:
        return open_data(self._settings)

    # ── Strategies ────────────────────────────────────────────────────────────────────────────────

    def _strategies(self) -> Plain:
        files = tuple((each.name, each.content) for each in find([folder_of(self._settings)]))
        if self._listed is None or self._listed[0] != files:
            self._listed = (files, self._look())
        return self._listed[1]

    def _look(self) -> Plain:
        """Return all strategies; each file of the operator's folder is asked in a process behind walls."""
        found, broken = all_of(self._settings)
        files: list[Plain] = [{"file": each.path.name, "line": each.line, "reason": each.fault} for each in broken]
        items: list[Plain] = []
        for each in found:
            try:
                items.append(_shown(each))
            except PilothouseError as error:  # what one file does hurts no other
                files.append({"file": each.name, "line": 0, "reason": str(error)})
            _end(each)
        return {"items": items, "broken": files}

    # ── Before anything is queued ─────────────────────────────────────────────────────────────────

    def _prepare_chance(self, asked: Plain) -> Plain:
        card = self._shelf.card(asked["name"])
        words = f"chance {asked['name']} {asked['runs']} {asked['seed']} {asked['block']}"
        spec = (self._shelf.place(card.name) / "spec.json").read_text(encoding="utf-8")
        return {
            "strategy": card.told["strategy"], "asked": asked, "name": _digest(words), "spec": spec,
            "bars": 1, "combinations": 1, "kept": None,
        }  # fmt: skip

    def _prepare(self, kind: str, asked: Plain) -> Plain:
        """Return what a request would be, its span of time fixed, and its result where one is kept."""
        if kind == "chance":
            return self._prepare_chance(asked)
        described, request = self._understood(asked, lambda _: None)
        request.checked(described)
        asked = request.fixed()
        if kind == "check":
            words = json.dumps([described.version, request.params(described), request.prints()], sort_keys=True)
            told: Plain = {"spec": None, "name": _digest(f"check {words}"), "bars": request.bars, "combinations": 1}
        elif kind == "run":
            spec, _ = prepare(described, wish_of(request, described), request.found, changed_by(request))
            told = {"spec": spec.canonical(), "name": spec.name, "bars": request.bars, "combinations": 1}
            if self._shelf.has(spec.name) and (not asked["orders"] or self._shelf.has_orders(spec.name)):
                told["kept"] = _kept(self._shelf.card(spec.name))
        else:
            _refuse_unfit_search(kind, asked)
            ready = plan(described, wish_of(request, described), request.found, changed_by(request), tried_by(asked))
            told = {"spec": ready.task.spec.canonical(), "name": ready.name, "bars": ready.bars}
            how = _lessons(asked)
            lessons = how.pieces(how.splits(ready)) if kind == "walkforward" else 1
            told |= {"combinations": ready.count * lessons, "name": search_id(kind, ready, asked)}
        return {"kept": None, "strategy": described.name, "asked": asked} | told

    # ── Work ──────────────────────────────────────────────────────────────────────────────────────

    def _understood(self, asked: Plain, told: Told) -> tuple[Described, Request]:
        described = named(self._settings, asked["strategy"])
        request = read_request(asked, self._settings, lambda: self._data.database)
        told(LOADED_PPM)
        return described, request

    def _run(self, asked: Plain, told: Told) -> Plain:
        described, request = self._understood(asked["asked"], told)
        wish = wish_of(request, described)
        spec, _ = prepare(described, wish, request.found, changed_by(request))
        _same(spec.name, asked["name"])
        orders = request.asked["orders"]
        if orders is None:
            orders = steps_of(wish, request.found) <= _ORDERS_MOST
        pace, steps = Pace(), Walked(told)
        with pace.watched(steps.look, first_s=_LOOK_S, every_s=_LOOK_S):
            found, changed = request.found, changed_by(request)
            done = carry_out(self._settings, described, wish, found, changed, orders=orders, pace=pace)
        remember(self._settings, done.card.name, {"strategy": described.name, "asked": asked["asked"]})
        _end(described)
        return _kept(done.card) | {"found": done.found}

    def _sweep(self, asked: Plain, told: Told) -> Plain:
        described, request = self._understood(asked["asked"], told)
        tried = tried_by(asked["asked"])
        ready = plan(described, wish_of(request, described), request.found, changed_by(request), tried)
        _same(search_id("sweep", ready, asked["asked"]), asked["name"])
        step = Steps(ready.count, told)
        order: list[str] = []
        with SearchFile(self._settings.data / FOLDER / SEARCHES, ready.name) as file:
            bench_pieces.take_in(self._settings, ready.name, file)
            workers = _workers(ready.count * ready.bars)
            learnt = chosen(ready, dict(file.known), workers=workers) if tried.guided else None
            for outcome in learnt or search(ready.task, fresh(ready, file.known, step, order), workers=workers):
                file.add(outcome)
                step(1)
            # Not as they were done: the same search is the same result, however many worked on it.
            outcomes = [file.known[name] for name in order] if order else list(file.known.values())
        bench_pieces.clear(self._settings, ready.name)
        count = self._ledger.count(described.name, trials_in(outcomes))
        verdict = weigh(outcomes, tried.score, self._ledger.sharpes(described.name), count)
        found = told_search(verdict, tried.score, ready, stopped=False)
        keep_search(self._settings, SWEEP, ready, asked["asked"], found)
        return _told(found | {"search": ready.name})

    def _piece(self, asked: Plain, told: Told) -> Plain:
        described, request = self._understood(asked["asked"], told)
        tried = tried_by(asked["asked"])
        ready = plan(described, wish_of(request, described), request.found, changed_by(request), tried)
        _same(search_id("sweep", ready, asked["asked"]), asked["name"])
        first, count, step = asked["first"], asked["count"], Steps(asked["count"], told)
        made = bench_pieces.work(self._settings, ready, first, count, asked["attempt"], step)
        _end(described)
        return {"made": made}

    def _walk(self, asked: Plain, told: Told) -> Plain:
        described, request = self._understood(asked["asked"], told)
        tried = tried_by(asked["asked"])
        ready = plan(described, wish_of(request, described), request.found, changed_by(request), tried)
        _same(search_id("walkforward", ready, asked["asked"]), asked["name"])
        how = _lessons(asked["asked"])
        splits = how.splits(ready)
        step = Steps(ready.count * how.pieces(splits), told)
        workers = _workers(ready.count * (how.train or ready.bars))
        found, count = walked(self._settings, ready, splits, step, workers=workers)
        told_of_it = told_walk(found, ready, count)
        keep_search(self._settings, WALK, ready, asked["asked"], told_of_it)
        return _told(told_of_it)

    def _chance(self, asked: Plain, told: Told) -> Plain:
        of = asked["asked"]
        result = self._shelf.get(of["name"]).result
        told(LOADED_PPM)
        start, results = float(result.money(result.capital)), result.table().result
        returns, _ = returns_of(result.curve())
        runs, seed = of["runs"], of["seed"]
        fans: dict[str, Fan] = {"trades_drawn_anew": of_trades(results, start, runs=runs, seed=seed)}
        told(PPM // 3)
        fans["trades_in_another_order"] = of_trades(results, start, runs=runs, seed=seed, replace=False)
        told(2 * PPM // 3)
        fans["days_in_blocks"] = of_returns(returns, start, runs=runs, seed=seed, block=float(of["block"]))
        return _told({name: asdict(fan) for name, fan in fans.items()})

    def _check(self, asked: Plain, told: Told) -> Plain:
        described, request = self._understood(asked["asked"], told)
        strategy, params = described.strategy, request.resolved(described)
        if isinstance(strategy, Columns):
            _, candles, others = traded(request.found)
            verdict = foresight.check(strategy, params, candles, others)
            found = asdict(verdict) | {"honest": verdict.honest}
        else:
            answers: list[Plain] = []
            for answer in examine_turns(strategy, request.found.candles, params):
                answers.append(asdict(answer))
                told(LOADED_PPM + (PPM - LOADED_PPM) * len(answers) // TURNS_QUESTIONS)
            found = {"honest": all(each["outcome"] != FAILED for each in answers), "answers": answers}
        _end(described)
        return _told(found)

    # ── Results ───────────────────────────────────────────────────────────────────────────────────

    def _trials(self, name: str, after: int, limit: int) -> Plain:
        path = self._settings.data / FOLDER / SEARCHES / f"{name}.jsonl"
        found: list[Plain] = []
        for number, outcome in enumerate(read(path)):
            if number >= after + limit:
                return {"items": found, "next_cursor": str(after + limit)}
            if number >= after:
                found.append(
                    _told({"name": outcome.name, "params": outcome.params, "metrics": outcome.metrics})
                    | {"denied": outcome.denied, "error": outcome.error or None}
                )
        return {"items": found, "next_cursor": None}

    def _export(self, name: str, what: str, kind: str) -> Plain:
        return _file(content(self._shelf.get(name), what, kind))

    def _search_report(self, strategy: str, told: Plain, spec: str) -> str:
        return page_of_search(self._verdict(strategy, told), told, spec)

    def _search_export(self, strategy: str, told: Plain, kind: str) -> Plain:
        best = self._verdict(strategy, told).best
        return _file(trials_file(best, kind))

    def _verdict(self, strategy: str, told: Plain) -> Verdict:
        return verdict_of(self._settings, strategy, told["search"], told["score"])

    def _remove(self, name: str) -> Plain:
        if self._shelf.has(name):
            self._shelf.remove(name)
        return {}


def _file(content: bytes) -> Plain:
    return {"content": base64.b64encode(content).decode()}


def _workers(work: int) -> int:
    """Return how many processes are worth their start for so many bars times combinations."""
    return (os.cpu_count() or 1) if work >= _WORTH_PROCESSES else 1


def _same(found: str, wanted: str) -> None:
    if found != wanted:
        raise Changed("the strategy or the candles are not what they were when this was asked for; ask for it again")


def _lessons(asked: Plain) -> Lessons:
    return Lessons(**{name: asked[name] for name in _LESSONS if name in asked})


def _refuse_unfit_search(kind: str, asked: Plain) -> None:
    """Raise Invalid for what only a sweep can do."""
    if kind == "walkforward" and asked["optuna"]:
        raise Invalid([Problem("optuna", "beside a walk forward", "a sweep", "not_here")])


def _end(described: Described) -> None:
    """End the confined process of a user's strategy, if it has one: the next question starts its own."""
    if isinstance(described.strategy, Walled | WalledTurns):
        described.strategy.end()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _kept(card: Card) -> Plain:
    return _told({"told": card.told, "metrics": card.metrics, "digest": card.digest})


def _shown(described: Described, *, whole: bool = False) -> Plain:
    """Return a strategy as it is shown: with its page and the schema of its parameters, if all of it is wanted."""
    own = isinstance(described, OwnStrategy)
    told: Plain = {
        "name": described.name,
        "title": described.strategy.title,
        "kind": described.kind,
        "instruments": described.instruments,
        "written": described.written,
        "source": "own folder" if own else "built in",
        "version": described.version,
        "warm_up": _warm_up(described),
    }
    if not whole:
        return told
    return told | {
        "idea": described.idea,
        "fails": described.fails,
        "rule": described.rule,
        "parameters": described.schema,
    }


def _warm_up(described: Described) -> int | None:
    """Return the bars that a strategy with its defaults warms up in; None for one in turns, which needs none."""
    strategy = described.strategy
    if not isinstance(strategy, Columns):
        return None
    return strategy.warm_up(Request.defaults(strategy))


def _told(value: Mapping[str, Any]) -> Plain:
    """Return plain data as it goes out."""
    found: Plain = _texts(value)
    return found


def _texts(value: Any) -> Any:
    """Return plain data in which no float is left: finite ones as text, the others as None."""
    match value:
        case bool() | int() | str() | None:
            return value
        case float():
            return plain(Decimal(repr(value))) if math.isfinite(value) else None
        case Decimal():
            return plain(value)
        case Mapping():
            return {str(name): _texts(each) for name, each in value.items()}
        case list() | tuple():
            return [_texts(each) for each in value]
        case _:
            return _texts(value.item()) if hasattr(value, "item") else str(value)
