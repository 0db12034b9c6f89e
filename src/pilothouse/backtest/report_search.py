"""A search as one page, and a walk forward as one: trials go in; HTML that needs nothing else comes out. Pure.

Beside the best stand luck, overfitting, and a map of what its neighbours reach: a peak that stands alone will be lost.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pilothouse.backtest.metrics import CATALOGUE
from pilothouse.backtest.page_parts import (
    COSTLESS,
    UNFUNDED,
    card,
    coloured,
    framed,
    notes,
    shown,
    spec_shown,
    table,
    text,
    underfunded,
    warning,
    way,
)
from pilothouse.backtest.plateau import Floats, Plateau
from pilothouse.backtest.search import TOLD, Outcome
from pilothouse.backtest.verdict import LARGER, Verdict

_ROWS_MOST: Final = 200
_WORDED_MOST: Final = 16
_AXIS_MOST: Final = 120
_UNITS: Final = {metric.name: metric.unit for metric in CATALOGUE}
_LABELS: Final = {metric.name: metric.label for metric in CATALOGUE}


@dataclass(frozen=True, slots=True)
class About:
    """What stands on the page besides the trials.

    title, subtitle   what was searched, and on what
    spec              what stays the same, as JSON
    notes             sentences about luck, overfitting, data
    costless          whether trading cost nothing
    unfunded          whether funding that is due was not paid
    underfunded       what a run that pays funding lacks of it, or empty
    limited           whether the risk gate had anything to stop
    """

    title: str
    subtitle: str
    spec: str
    notes: tuple[str, ...] = ()
    costless: bool = False
    unfunded: bool = False
    limited: bool = False
    underfunded: str = ""

    @property
    def warnings(self) -> str:
        """Return what stands in red above everything."""
        found = [warning(COSTLESS)] if self.costless else []
        found += [warning(UNFUNDED)] if self.unfunded else []
        found += [warning(underfunded(self.underfunded))] if self.underfunded else []
        return "".join(found)


def search_page(verdict: Verdict, score: str, about: About) -> str:
    """Return the page of a search."""
    first = verdict.best[0] if verdict.best else None
    cards = [card(f"Best {_LABELS[score]}", shown(_UNITS[score], first.metrics.get(score) if first else None))]
    cards += [
        card(
            _LABELS[name],
            shown(_UNITS[name], first.metrics.get(name) if first else None),
            way(first.metrics.get(name)) if first and name == "total_return" else "",
        )
        for name in ("total_return", "max_drawdown", "trades")
        if name != score
    ]
    if about.limited:
        cards.append(card("Orders stopped", shown("count", float(first.denied) if first else None)))
    cards.append(card("Trials here", f"{len(verdict.best):,}"))
    if verdict.luck:
        cards.append(card("Trials ever", f"{verdict.luck.trials:,}"))
        cards.append(card("Sharpe by luck", shown("ratio", verdict.luck.luck_sharpe)))
        cards.append(card("Deflated Sharpe", shown("share", verdict.luck.deflated)))
    if verdict.overfit:
        cards.append(card("Overfitting (PBO)", shown("share", verdict.overfit.probability)))
    if not math.isnan(verdict.steadiness):
        cards.append(card("Neighbours reach", shown("share", verdict.steadiness)))
    parts = [
        about.warnings,
        notes(about.notes),
        f"<div class=cards>{''.join(cards)}</div>",
        _maps(verdict.map, score),
        _trials(verdict.best, score, limited=about.limited),
        f"<h2>What was run</h2>{spec_shown(about.spec)}",
    ]
    return framed(about.title, about.subtitle, parts)


def _maps(found: Plateau | None, score: str) -> str:
    if found is None or bool(np.isnan(found.best).all()):
        return ""
    over = " and ".join(found.axes)
    if max(found.best.shape) > _AXIS_MOST:
        return f"<h2>Map over {text(over)}</h2><p class=dim>More than {_AXIS_MOST} values on one axis: not drawn.</p>"
    best, around = (_map(found, cells, score) for cells in (found.best, found.around))
    others = " <span class=dim>(each cell its best, whatever the other parameters are)</span>"
    return (
        f"<h2>{text(_LABELS[score])} over {text(over)}{others}</h2>{best}"
        f"<h2>The same, each cell averaged with its neighbours <span class=dim>(a plateau stays, a needle fades)</span>"
        f"</h2>{around}"
    )


def _map(found: Plateau, cells: Floats, score: str) -> str:
    names = list(found.axes)
    down = found.axes[names[0]]
    across: tuple[Any, ...] = found.axes[names[1]] if len(names) > 1 else ("",)
    rows = cells.reshape(len(down), len(across))
    sign = LARGER.get(score, 1.0)
    low, high = float(np.nanmin(cells)), float(np.nanmax(cells))
    worded = len(across) <= _WORDED_MOST
    lines = []
    for value, row in zip(down, rows, strict=True):
        drawn = []
        for other, cell in zip(across, row.tolist(), strict=True):
            if math.isnan(cell):
                drawn.append("<td></td>")
                continue
            told = shown(_UNITS[score], cell * sign)
            where = ", ".join(f"{n} {v}" for n, v in zip(names, (value, other), strict=False))
            drawn.append(coloured(_strength(cell, low, high), told if worded else "", f"{where}: {told}"))
        lines.append(f"<tr><td>{text(str(value))}</td>{''.join(drawn)}</tr>")
    head = "".join(f"<th>{text(str(each))}</th>" for each in across)
    corner = text(" \\ ".join(names))
    kind = "heat" if worded else "heat small"
    return (
        f"<div class=scroll><table class='{kind}'><thead><tr><th>{corner}</th>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _strength(cell: float, low: float, high: float) -> float:
    """Return -1 to 1: what is above zero towards the best, what is below towards the worst."""
    if cell >= 0:
        return (cell - max(low, 0.0)) / (high - max(low, 0.0)) if high > max(low, 0.0) else 1.0
    worst, top = low, min(high, 0.0)
    return -(top - cell) / (top - worst) if top > worst else -1.0


def _trials(best: Sequence[Outcome], score: str, *, limited: bool) -> str:
    varied = varied_of(best)
    names = list(dict.fromkeys([score, *TOLD]))
    rows = [
        [
            place + 1,
            *(each.params[name] for name in varied),
            *(shown(_UNITS[n], each.metrics.get(n)) for n in names),
            *([f"{each.denied:,}"] if limited else []),
        ]
        for place, each in enumerate(best[:_ROWS_MOST])
    ]
    more = f" <span class=dim>(the best {_ROWS_MOST} of {len(best):,})</span>" if len(best) > _ROWS_MOST else ""
    return f"<h2>Trials{more}</h2>" + table(
        ["", *varied, *(_LABELS[name] for name in names), *(["Orders stopped"] if limited else [])], rows
    )  # fmt: skip


def varied_of(best: Sequence[Outcome]) -> list[str]:
    """Return the parameters that are not the same in all trials."""
    if not best:
        return []
    return [name for name in best[0].params if len({str(each.params[name]) for each in best}) > 1]


def walk_page(told: Mapping[str, Any], returns: Sequence[float], about: About) -> str:
    """Return the page of a walk forward.

    told      as `told_walk` returns it
    returns   of the examinations, one behind the other
    """
    score, steps = str(told["score"]), told["steps"]
    cards = [
        card("Return behind the lessons", shown("share", told["total_return"]), way(told["total_return"])),
        card("Of what the lessons earned", shown("share", told["efficiency"]), way(told["efficiency"])),
        card("Lessons", f"{len(steps):,}"),
        card("Trials", f"{sum(step['tried'] for step in steps):,}"),
    ]
    rows = [
        [
            " to ".join(step["times"]), ", ".join(f"{name} {value}" for name, value in step["chosen"].items()),
            shown(_UNITS[score], step["learned"].get(score)), shown(_UNITS[score], step["examined"].get(score)),
            shown("share", step["examined"].get("total_return")),
            shown("share", step["examined"].get("max_drawdown")), shown("count", step["examined"].get("trades")),
            *([f"{step['denied']['learned']:,}", f"{step['denied']['examined']:,}"] if about.limited else []),
        ]
        for step in steps
    ]  # fmt: skip
    heads = ("Examined", "Chosen", f"{score} in the lesson", f"{score} behind it", "Return", "Drawdown", "Trades",
             *(("Orders stopped in it", "Orders stopped behind it") if about.limited else ()))  # fmt: skip
    empty = "" if steps else warning("Nothing traded in any lesson, so nothing was traded behind them.")
    parts = [
        about.warnings,
        empty,
        notes(about.notes),
        f"<div class=cards>{''.join(cards)}</div>",
        _curve(returns, steps),
        f"<h2>Lessons and examinations</h2>{table(heads, rows)}",
        f"<h2>What was run</h2>{spec_shown(about.spec)}",
    ]
    return framed(about.title, about.subtitle, parts)


def _curve(returns: Sequence[float], steps: Sequence[Mapping[str, Any]]) -> str:
    """Return what one unit became behind the lessons, as a line, and from when to when that was."""
    if not len(returns):
        return ""
    worth = np.concatenate(([1.0], np.cumprod(1.0 + np.asarray(returns, np.float64))))
    low, high = float(worth.min()), float(worth.max())
    tall = (high - low) or 1.0
    points = " ".join(
        f"{1200 * at / (len(worth) - 1):.1f},{10 + 260 * (high - value) / tall:.1f}" for at, value in enumerate(worth)
    )
    start = 10 + 260 * (high - 1.0) / tall
    return (
        "<h2>What 1 became behind the lessons <span class=dim>(only what was traded without having been known)</span>"
        f"</h2><svg viewBox='0 0 1200 280' class=curve preserveAspectRatio=none>"
        f"<line x1=0 x2=1200 y1={start:.1f} y2={start:.1f} class=start />"
        f"<polyline points='{points}' /></svg>"
        f"<p class=dim>{steps[0]['times'][0][:10]} to {steps[-1]['times'][1][:10]}: from 1 to {worth[-1]:,.3f}; "
        f"the lowest {low:,.3f}, the highest {high:,.3f}.</p>"
    )
