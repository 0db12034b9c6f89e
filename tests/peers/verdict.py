"""Whether a peer came to the same as we did: what both told goes in, a verdict in words comes out.

A time is worth nothing beside another result, so trades and equity are compared first, and the verdict says which.
"""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

CENT = 0.01
LOT_COSTS = 3.0
"""What a lot of the portfolio's instruments costs at their first price, quote currency."""


class Kind(StrEnum):
    """What became of a row at a peer."""

    OURS = "ours"
    SAME = "same"
    OTHER = "other result"
    CANNOT = "cannot say it"
    LONGER = "longer"
    FAILED = "failed"


@dataclass(frozen=True)
class Row:
    """A piece of work.

    runs     how many runs are added up
    levels   whether stops and targets fill at levels: ours stand on whole ticks, so each trade may differ by one
    sizes    whether sizes follow equity: where floats tell them, one may be a lot apart, and all that follows from it
    """

    title: str
    bars: int
    runs: int = 1
    levels: bool = False
    sizes: bool = False

    def allowed(self, trades: int) -> float:
        """Return how far apart two final equities may be, quote currency."""
        return CENT * (self.runs + (trades if self.levels else 0)) + (LOT_COSTS if self.sizes else 0.0)


ROWS = {
    "flip": Row("SMA 10/50 flip, fill at the next open, one, 0.04 % fee", 525_600),
    "stops": Row("the same with stop 2 % and take-profit 4 %", 525_600, levels=True),
    "trail": Row("the same with a stop that trails by 1.5 %, and take-profit 4 %", 525_600, levels=True),
    "sweep": Row("400 pairs of averages, trades and equity added up", 100_000, runs=400),
    "portfolio": Row("50 instruments, one account, 10 places of a tenth each, long", 50 * 50_000, sizes=True),
    "turns": Row("the flip in plain Python, a turn for each bar", 525_600),
}


@dataclass(frozen=True)
class Verdict:
    """What is said of a peer; `words` says how it differs and why, where that was found."""

    kind: Kind
    words: str = ""


def judge(row: Row, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Verdict:
    """Compare number of trades and final equity; both are what `start.py` printed."""
    if "cannot" in theirs:
        return Verdict(Kind.CANNOT, theirs["cannot"])
    if "unfinished" in theirs:
        return Verdict(Kind.LONGER, theirs["unfinished"])
    for who, told in (("ours", ours), ("theirs", theirs)):
        if "trades" not in told or "final" not in told:
            return Verdict(Kind.FAILED, f"{who}: {told.get('failed', 'no result')}")
    apart, more = theirs["final"] - ours["final"], theirs["trades"] - ours["trades"]
    differs = [f"trades {more:+,}"] if more else []
    # Written so that an equity that is no number is another result.
    if not abs(apart) <= row.allowed(ours["trades"]):
        differs.append(f"equity {apart:+,.2f}")
    if not differs:
        near = abs(apart) <= CENT * row.runs
        return Verdict(Kind.SAME, "" if near else f"equity {apart:+,.2f}: no more than ticks and lots explain")
    return Verdict(Kind.OTHER, "; ".join((*differs, theirs.get("why") or "why was not looked into")))


HEAD = (
    f"  {'':<27}{'trades':>9}{'final equity':>19}  {'result':<14}{'time':>10}{'x ours':>9}{'first':>10}"
    f"{'ready':>10}{'import':>10}{'memory':>10}"
)


def line(name: str, ours: Mapping[str, Any], told: Mapping[str, Any], verdict: Verdict) -> str:
    """Return what is printed of a peer: the result first, times behind it, words below."""
    who = f"{name} {told.get('version', '')}".strip()
    if "best_s" not in told:
        return f"  {who:<27}{verdict.kind}: {verdict.words}"
    times = f"{told['best_s'] / ours['best_s']:,.1f}" if verdict.kind in {Kind.OURS, Kind.SAME} else "-"
    text = (
        f"  {who:<27}{told['trades']:>9,}{told['final']:>19,.2f}  {verdict.kind:<14}{_time(told['best_s']):>10}"
        f"{times:>9}{_time(told['first_s']):>10}{_time(told['ready_s']):>10}{_time(told['import_s']):>10}"
        f"{told['peak_mb']:>7,.0f} MB"
    )
    return "\n".join([text, *textwrap.wrap(verdict.words, 110, initial_indent=" " * 6, subsequent_indent=" " * 6)])


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:,.1f} ms" if seconds < 1 else f"{seconds:,.1f} s"
