"""Examinations of strategies for the doors: a strategy goes in; what it was asked comes out, and what is right is kept.

What is right for the product's own strategies comes with it; for one of a file it lies beside it, as NAME.golden.json.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pilothouse.backtest.exam import FAILED, PASSED, Answer, Golden, examine, golden_of
from pilothouse.core.candles import Candles
from pilothouse.core.errors import Invalid, Problem, Refused
from pilothouse.sandbox.own_tests import fared, file_beside
from pilothouse.sandbox.walled import Walled
from pilothouse.sandbox.walled_turns import WalledTurns
from pilothouse.strategies.parameters import resolve
from pilothouse.strategies.registry import BUILT_IN, Described
from pilothouse.strategies.sample_market import sample_market

OURS: Final = Path(__file__).parents[1] / "strategies" / "golden_runs.json"


def examined(described: Described, chosen: Mapping[str, Any]) -> Iterator[Answer]:
    """Yield what a strategy is asked and answers. Raises Invalid for parameters or a file that do not fit."""
    yield from examine(described.strategy, market_of(described), _settled(described, chosen), golden_runs(described))
    strategy = described.strategy
    tests = file_beside(strategy.source) if isinstance(strategy, Walled | WalledTurns) else None
    if isinstance(strategy, Walled | WalledTurns) and tests is not None:
        for each in fared(strategy.source, strategy.cell, tests):
            yield Answer(each.name, PASSED if each.passed else FAILED, each.words or f"as {tests.name} wants it")


def accept(described: Described, chosen: Mapping[str, Any]) -> Path:
    """Keep what a strategy does now as what is right, instead of what was right for these parameters; return the file.

    Raises Refused for one of the product's own or of a package: what is right there comes with it. Invalid.
    """
    path = _file_of(described)
    if (
        described.name in BUILT_IN
        or path is None
        or (isinstance(described.strategy, Walled | WalledTurns) and _is_packed(described))
    ):
        raise Refused(f"what is right for {described.name} comes with it; those of your folder are yours to judge")
    settled = _settled(described, chosen)
    kept = [one for one in golden_runs(described) if one["params"] != settled]
    kept.append(golden_of(described.strategy, market_of(described), settled))
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"runs": kept}, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)
    return path


def golden_runs(described: Described) -> list[Golden]:
    """Return the runs that somebody has called right. Raises Invalid for a file that is no list of them."""
    path = _file_of(described)
    if path is None or not path.exists():
        return []
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        runs = told[described.name] if path == OURS else told["runs"]
        return [{name: one[name] for name in ("params", "fills", "trades", "final")} for one in runs]
    except (ValueError, KeyError, TypeError) as error:
        allowed = "what `strategy test --accept` writes"
        raise Invalid([Problem("golden", f"{path}: {type(error).__name__}", allowed, "not_golden")]) from None


def market_of(described: Described) -> dict[str, Candles]:
    """Return the bundled market as a strategy sees it: one instrument, or one beside its others."""
    market = sample_market()
    count = {"one": 1, "two": 2}.get(described.instruments, len(market))
    return dict(list(market.items())[:count])


def _settled(described: Described, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return chosen parameters as values of their kind. Raises Invalid."""
    whole = resolve(described.strategy.parameters, chosen)
    return {name: whole[name] for name in sorted(chosen)}


def _is_packed(described: Described) -> bool:
    return isinstance(described.strategy, Walled | WalledTurns) and bool(described.strategy.source.module)


def _file_of(described: Described) -> Path | None:
    if described.name in BUILT_IN:
        return OURS
    if not isinstance(described.strategy, Walled | WalledTurns):
        return None
    source = described.strategy.source
    return source.path.with_name(f"{source.path.stem}.{described.strategy.name}.golden.json")
