"""Does a strategy look into the future? A strategy and candles go in; every way in which it lied comes out. Pure.

What a strategy said at a bar must be what it would have said had nothing come after it. So its signals are computed
again on beginnings of the data, and every column of every bar is compared: entries, exits, prices, distances, sizes,
whatever they were made of. The first bar and column that differ are named.

Besides: signals that depend on where the data begins (a warm-up that is too short), numbers that are none, answers
that differ from one call to the next, and candles or columns that were changed in passing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np

from pilothouse.core.candles import Candles
from pilothouse.core.clock import from_micros, iso
from pilothouse.strategies.parameters import Params
from pilothouse.strategies.sdk import Columns, Signals
from pilothouse.strategies.view import View

CUTS: Final = 64
"""So many beginnings of the data are tried, spread over it, and where something differs more of them."""

_FLOATS_NEAR: Final = 1e-9


class Kind(StrEnum):
    """In which way a strategy lied.

    LOOKS_AHEAD    what it said at a bar changed when later bars were known
    WARM_UP        what it said after its warm-up depends on bars before it
    NOT_A_NUMBER   infinite numbers, sizes or distances below zero, or a size above one
    RESTLESS       the same data led to other signals the second time
    MEDDLES        it changed the data that it was given
    FAILS          it raised an error on a beginning of the data
    """

    LOOKS_AHEAD = "looks_ahead"
    WARM_UP = "warm_up"
    NOT_A_NUMBER = "not_a_number"
    RESTLESS = "restless"
    MEDDLES = "meddles"
    FAILS = "fails"


@dataclass(frozen=True, slots=True)
class Finding:
    """One lie: in which column, at which bar (0 is the first), and what was said before and after."""

    kind: Kind
    column: str
    bar: int
    at: str
    words: str

    def __str__(self) -> str:
        where = f"{self.column}, bar {self.bar} ({self.at})" if self.column else self.at
        return f"{self.kind.value}: {where}: {self.words}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, and how hard it was looked for.

    cuts       beginnings that were tried
    signals    how many entries and exits there were: nothing was proven about a strategy that said nothing
    """

    findings: tuple[Finding, ...]
    cuts: int
    signals: int

    @property
    def honest(self) -> bool:
        """Say whether nothing was found."""
        return not self.findings


def check(
    strategy: Columns, p: Params, candles: Candles, others: Mapping[str, Candles] | None = None, *, cuts: int = CUTS
) -> Verdict:
    """Return in which ways a strategy lies on these candles; at most one finding of each kind and column."""
    whole = View(candles, others)
    before = _prints(candles, others)
    signals = strategy.signals(whole, p).checked(len(candles))
    findings = [*_numbers(signals, whole)]
    again = strategy.signals(View(candles, others), p).checked(len(candles))
    findings += _differences(Kind.RESTLESS, again, signals, whole, len(candles), "the second time")
    if _prints(candles, others) != before:
        findings.append(Finding(Kind.MEDDLES, "", 0, "the data", "it changed the candles that it was given"))
        return Verdict(tuple(findings), 0, _count(signals))
    places = _places(signals, len(candles), cuts)
    findings += _ahead(strategy, p, whole, signals, places)
    findings += _beginnings(strategy, p, whole, signals)
    return Verdict(tuple(_first_of_each(findings)), len(places), _count(signals))


def _prints(candles: Candles, others: Mapping[str, Candles] | None) -> list[str]:
    return [candles.fingerprint(), *(other.fingerprint() for other in (others or {}).values())]


def _count(signals: Signals) -> int:
    columns = signals.columns
    found = sum(int(columns[name].sum()) for name in ("long", "short", "leave_long", "leave_short") if name in columns)
    return found + (int(np.isfinite(columns["target"]).sum()) if "target" in columns else 0)


def _places(signals: Signals, count: int, cuts: int) -> list[int]:
    """Return lengths of beginnings: spread evenly, and right behind bars at which something was said."""
    spread = (
        np.linspace(1, count - 1, min(cuts, max(count - 1, 0)), dtype=np.int64) if count > 1 else np.zeros(0, np.int64)
    )
    said = np.zeros(count, bool)
    for name, column in signals.columns.items():
        if name in {"long", "short", "leave_long", "leave_short"}:
            said |= column
    bars = np.flatnonzero(said)
    chosen = bars[np.linspace(0, len(bars) - 1, min(cuts, len(bars)), dtype=np.int64)] + 1 if len(bars) else bars
    found = np.unique(np.concatenate((spread, chosen)))
    return [int(each) for each in found if 0 < each < count]


def _ahead(strategy: Columns, p: Params, whole: View, signals: Signals, places: list[int]) -> Iterator[Finding]:
    found: dict[str, Finding] = {}
    for length in places:
        then = _at(strategy, p, whole.before(length), length)
        if isinstance(then, Finding):
            yield then
            return
        for finding in _differences(
            Kind.LOOKS_AHEAD, then, signals, whole, length, f"when only {length} bars were known"
        ):
            if finding.column not in found or finding.bar < found[finding.column].bar:
                found[finding.column] = finding
    for column in list(found):
        yield _earliest(strategy, p, whole, signals, found[column])


def _earliest(strategy: Columns, p: Params, whole: View, signals: Signals, known: Finding) -> Finding:
    """Return the first bar of that column which differs, looked for among beginnings near the one that is known."""
    best = known
    for length in range(max(1, best.bar - 2), best.bar + 1):
        then = _at(strategy, p, whole.before(length), length)
        if isinstance(then, Finding):
            continue
        words = f"when only {length} bars were known"
        for finding in _differences(Kind.LOOKS_AHEAD, then, signals, whole, length, words):
            if finding.column == best.column and finding.bar < best.bar:
                best = finding
    return best


def _at(strategy: Columns, p: Params, view: View, length: int) -> Signals | Finding:
    try:
        return strategy.signals(view, p).checked(length)
    except (ArithmeticError, IndexError, LookupError, ValueError, TypeError) as error:
        words = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        return Finding(Kind.FAILS, "", length - 1, f"with the first {length} bars alone", words)


def _beginnings(strategy: Columns, p: Params, whole: View, signals: Signals) -> Iterator[Finding]:
    """Leave bars away at the beginning: after the warm-up nothing that was said may have depended on them."""
    count, warm_up = len(whole), strategy.warm_up_bars(p, whole.candles.span_ms)
    for dropped in sorted({1, max(1, (count - warm_up) // 3)}):
        if count - dropped <= warm_up + 1:
            continue
        candles = whole.candles.rows(slice(dropped, None))
        then = _at(
            strategy,
            p,
            View(candles, {symbol: whole.instrument(symbol).candles for symbol in whole.symbols}),
            len(candles),
        )
        if isinstance(then, Finding):
            yield then
            return
        shifted = _without(signals, dropped)
        words = f"when the data began {dropped} bars later"
        for finding in _differences(Kind.WARM_UP, then, shifted, View(candles), len(candles), words, start=warm_up):
            yield Finding(finding.kind, finding.column, finding.bar + dropped, finding.at, finding.words)


def _without(signals: Signals, first: int) -> Signals:
    """Return signals without those of the first bars."""
    return Signals(**{name: column[first:] for name, column in signals.columns.items()}, tags=signals.tags)


def _differences(
    kind: Kind, then: Signals, later: Signals, view: View, length: int, words: str, *, start: int = 0
) -> Iterator[Finding]:
    """Yield the first bar of each column in which two answers differ."""
    one, other = then.columns, later.columns
    for name in sorted({*one, *other}):
        if name not in one or name not in other:
            yield Finding(kind, name, start, _when(view, start), f"the column is there only sometimes ({words})")
            continue
        said, after = one[name][start:length], other[name][start:length]
        if kind is Kind.WARM_UP and said.dtype == np.float64:
            # Averages without end keep a trace of their first bar; what it changes far behind the point is no lie.
            same = np.isclose(said, after, rtol=1e-3, atol=1e-12, equal_nan=True)
        elif said.dtype == np.float64:
            same = np.isclose(said, after, rtol=_FLOATS_NEAR, atol=1e-12, equal_nan=True)
        else:
            same = said == after
        wrong = np.flatnonzero(~same)
        if len(wrong):
            bar = int(wrong[0]) + start
            told = f"{_plain(one[name][bar])} {words}, {_plain(other[name][bar])} otherwise"
            yield Finding(kind, name, bar, _when(view, bar), told)


def _numbers(signals: Signals, view: View) -> Iterator[Finding]:
    for name, column in signals.columns.items():
        if column.dtype != np.float64:
            continue
        least = {"target": -1.0, "rank": -np.inf}.get(name, 0.0)
        most = 1.0 if name in {"target", "weight"} else np.inf
        with np.errstate(invalid="ignore"):
            wrong = np.isinf(column) | (column < least) | (column > most)
        if bool(wrong.any()):
            bar = int(np.flatnonzero(wrong)[0])
            yield Finding(Kind.NOT_A_NUMBER, name, bar, _when(view, bar), f"{column[bar]} is no {name}")


def _first_of_each(findings: list[Finding]) -> Iterator[Finding]:
    seen: set[tuple[Kind, str]] = set()
    for finding in sorted(findings, key=lambda each: (list(Kind).index(each.kind), each.bar)):
        if (finding.kind, finding.column) not in seen:
            seen.add((finding.kind, finding.column))
            yield finding


def _when(view: View, bar: int) -> str:
    return iso(from_micros(int(view.opened_ms[bar]) * 1_000)) if bar < len(view) else "the end"


def _plain(value: Any) -> str:
    return str(bool(value)) if isinstance(value, np.bool_) else f"{value:.9g}"
