"""One run as one page: a result goes in; HTML that needs nothing else, no server and no network, comes out.

Price with entries and exits, equity beside holding the instrument, drawdown, months as a heat map, trades, every metric
with its formula, the spec and the fingerprint of the data. A long run is drawn with longer candles; what was measured
is not touched by that.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pilothouse.backtest.curves import Ints
from pilothouse.backtest.exports import (
    FILL_NAMES,
    ORDER_NAMES,
    TRADE_NAMES,
    fill_rows,
    json_cell,
    order_rows,
    time_of,
    trade_rows,
)
from pilothouse.backtest.exposure import Exposure
from pilothouse.backtest.metrics import CATALOGUE
from pilothouse.backtest.orders import Orders
from pilothouse.backtest.page_parts import (
    COSTLESS,
    UNFUNDED,
    asset,
    card,
    coloured,
    framed,
    notes,
    shown,
    spec_shown,
    text,
    underfunded,
    warning,
    way,
)
from pilothouse.backtest.periods import Period
from pilothouse.backtest.result import Result
from pilothouse.backtest.result_of_many import Portfolio
from pilothouse.core.candles import Candles

DRAWN_MOST: Final = 6_000
"""So many candles are drawn at most; each then stands for several bars."""

_MARKS_MOST: Final = 2_000
_ROWS_MOST: Final = 5_000
_FIRST: Final = (
    "total_return", "cagr", "max_drawdown", "sharpe", "sortino", "calmar", "profit_factor", "win_rate", "trades",
    "time_in_market", "fees", "volatility",
)  # fmt: skip
_SIGNED: Final = (TRADE_NAMES.index("result"), TRADE_NAMES.index("result_share"))
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Told:
    """What stands on the page besides the result.

    title, subtitle   what was run, and on what
    spec              the spec as JSON
    fingerprint       SHA-256 of the data
    notes             what a reader must know of the data: gaps, rows left out; and of the search, if it was one
    luck              the sentence about trials and luck, or empty
    unfunded          whether funding that is due was not paid
    underfunded       what a run that pays funding lacks of it, or empty
    """

    title: str
    subtitle: str
    spec: str
    fingerprint: str
    notes: tuple[str, ...] = ()
    luck: str = ""
    unfunded: bool = False
    underfunded: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """What a run may have kept beside its result; None where it did not."""

    exposure: Exposure | None = None
    orders: Orders | None = None
    name: str = ""


def page(
    result: Result,
    candles: Candles,
    metrics: Mapping[str, float | None],
    months: Sequence[Period],
    kinds: Sequence[Period],
    told: Told,
    beside: Beside | None = None,
) -> str:
    """Return the page as HTML.

    result, candles   of the same bars
    metrics           by name, as `metrics.measure` returns them
    months, kinds     as `periods.by_time` and `periods.by_kind` return them
    """
    beside = beside or Beside()
    drawn = json.dumps(_drawn(result, candles, beside), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    held = "all at equal weights" if isinstance(result, Portfolio) else "the instrument"
    parts = [
        _warnings(result, told),
        f"<div class=cards>{''.join(_card(name, metrics.get(name)) for name in _FIRST)}</div>",
        f"<h2>{text(_drawn_price(result))}, entries and exits <span id=few class=dim></span></h2>",
        f"{_thinned(candles)}<div id=price class=chart></div>",
        f"<h2>Equity <span class=dim>beside holding {held} (grey)</span> and drawdown</h2>",
        "<div id=equity class=chart></div><div id=drawdown class='chart low'></div>",
        _exposed(beside.exposure),
        _heat(months),
        _kinds(kinds),
        _trades(result),
        _orders(beside.orders, beside.name),
        _fills(result),
        _metrics(metrics),
        f"<h2>What was run</h2><p class=dim>Data {text(told.fingerprint)}; result {result.digest()}</p>",
        spec_shown(told.spec),
    ]
    scripts = (
        f"<script type=application/json id=told>{drawn}</script>"
        f"<script>{asset('lightweight-charts.js')}</script><script>{asset('report.js')}</script>"
    )
    return framed(told.title, told.subtitle, parts, scripts)


def _drawn_price(result: Result) -> str:
    if isinstance(result, Portfolio):
        return f"All at equal weights ({', '.join(result.symbols)})"
    return "Price"


def _warnings(result: Result, told: Told) -> str:
    found = [warning(COSTLESS)] if result.costless else []
    found += [warning(UNFUNDED)] if told.unfunded else []
    found += [warning(underfunded(told.underfunded))] if told.underfunded else []
    if len(result) and int(result.equity.min()) <= 0:
        found.append(warning("The account was ruined in this run."))
    return "".join([*found, notes([told.luck, *told.notes])])


def _card(name: str, value: float | None) -> str:
    metric = next(each for each in CATALOGUE if each.name == name)
    signed = name in {"total_return", "cagr", "sharpe", "sortino", "calmar"}
    return card(metric.label, shown(metric.unit, value), way(value) if signed else "")


def _thinned(candles: Candles) -> str:
    each = -(-len(candles) // DRAWN_MOST)
    return "" if each == 1 else f"<p class=dim>Each candle drawn stands for {each} bars.</p>"


def _heat(months: Sequence[Period]) -> str:
    """Return months as a table of years, coloured by return."""
    years: dict[str, dict[int, Period]] = {}
    for month in months:
        years.setdefault(month.name[:4], {})[int(month.name[5:7])] = month
    if not years:
        return ""
    strongest = max((abs(month.change) for month in months if month.change is not None), default=0.0) or 1.0
    lines = []
    for year, found in sorted(years.items()):
        cells = "".join(_heat_cell(found.get(number), strongest) for number in range(1, 13))
        whole = 1.0
        for month in found.values():
            whole *= 1.0 + (month.change or 0.0)
        lines.append(f"<tr><td>{year}</td>{cells}{_share(whole - 1.0, max(strongest, abs(whole - 1.0)))}</tr>")
    head = "".join(f"<th>{name}</th>" for name in (*_MONTHS, "Year"))
    return (
        "<h2>Months</h2><div class=scroll><table class=heat>"
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _heat_cell(month: Period | None, strongest: float) -> str:
    return "<td></td>" if month is None or month.change is None else _share(month.change, strongest)


def _share(change: float, strongest: float) -> str:
    return coloured(change / strongest, f"{change * 100:.1f}")


def _kinds(kinds: Sequence[Period]) -> str:
    rows = "".join(
        f"<tr><td>{text(each.name)}</td><td>{each.trades}</td><td>{each.wins}</td>"
        f"<td>{shown('share', each.wins / each.trades if each.trades else None)}</td>"
        f"<td>{each.result:,.2f}</td><td>{each.fees:,.2f}</td></tr>"
        for each in kinds
    )
    if not rows:
        return ""
    head = "".join(f"<th>{name}</th>" for name in ("", "Trades", "Wins", "Win rate", "Result", "Fees"))
    return f"<h2>By side and instrument</h2><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _exposed(exposure: Exposure | None) -> str:
    if exposure is None:
        return ""
    words = "what was held, as a share of equity: gross (area) and long less short (line)"
    return f"<h2>Exposure <span class=dim>{words}</span></h2><div id=exposure class='chart low'></div>"


def _trades(result: Result) -> str:
    return _leafed("trades", f"Trades <span class=dim>({len(result.trades):,}; a click on a column sorts)</span>",
                   TRADE_NAMES)  # fmt: skip


def _orders(orders: Orders | None, name: str) -> str:
    if orders is None:
        if not name:
            return ""
        command = f"<code>pilothouse backtest export {name[:12]} --what orders</code>"
        asked = "<code>POST /backtests</code> with <code>orders: true</code>"
        words = (
            f"Not kept with a run as long as this one. {command}, or the same {asked}, works them out and keeps them."
        )
        return f"<h2>Orders</h2><p class=dim>{words}</p>"
    return _leafed("orders", f"Orders <span class=dim>({len(orders):,}{_first_of(len(orders))})</span>", ORDER_NAMES)


def _fills(result: Result) -> str:
    return _leafed("fills", f"Fills <span class=dim>({len(result.fills):,}{_first_of(len(result.fills))})</span>",
                   FILL_NAMES)  # fmt: skip


def _first_of(count: int) -> str:
    return f"; here the first {_ROWS_MOST:,}, an export holds all" if count > _ROWS_MOST else ""


def _leafed(name: str, title: str, heads: Sequence[str]) -> str:
    """Return the frame of a table that the page's script fills, a leaf at a time."""
    head = "".join(f"<th data-sort={place}>{text(each.replace('_', ' '))}</th>" for place, each in enumerate(heads))
    return (
        f"<h2>{title}</h2><div class=leafed id={name}>"
        f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody></tbody></table></div>"
        "<p><button class=back>Back</button> <span class='where dim'></span> <button class=on>On</button></p></div>"
    )


def _metrics(metrics: Mapping[str, float | None]) -> str:
    lines = "".join(
        f'<div class=metric><abbr title="{text(metric.formula)}. Source: {text(metric.source)}">{text(metric.label)}'
        f"</abbr><span>{shown(metric.unit, metrics.get(metric.name))}</span></div>"
        for metric in CATALOGUE
    )
    return (
        f"<h2>Every metric <span class=dim>(its formula under the pointer)</span></h2><div class=metrics>{lines}</div>"
    )


def _drawn(result: Result, candles: Candles, beside: Beside) -> dict[str, Any]:
    """Return what the charts draw: at most so many candles, the extremes of equity within each kept."""
    count = len(candles)
    each = max(1, -(-count // DRAWN_MOST))
    starts = np.arange(0, count, each)
    ends = np.append(starts[1:], count) - 1 if count else starts
    factor = 10.0**candles.price_digits
    seconds = (candles.opened_ms[starts] // 1_000).tolist() if count else []
    bars = zip(
        seconds,
        (candles.open[starts] / factor).tolist(),
        (np.maximum.reduceat(candles.high, starts) / factor).tolist() if count else [],
        (np.minimum.reduceat(candles.low, starts) / factor).tolist() if count else [],
        (candles.close[ends] / factor).tolist(),
        strict=True,
    )
    falls = result.drawdown()
    begin = float(result.money(result.capital))
    holding = begin * candles.close / float(candles.open[0]) if count else np.zeros(0)
    curve = zip(
        seconds,
        result.money(result.equity)[ends].tolist(),
        (np.maximum.reduceat(falls, starts)).tolist() if count else [],
        holding[ends].tolist(),
        strict=True,
    )
    return {
        "span_ms": candles.span_ms * each,
        "precision": candles.price_digits,
        "candles": [list(row) for row in bars],
        "equity": [list(row) for row in curve],
        "marks": _marks(result, seconds, each),
        "exposure": _exposure_drawn(result, beside.exposure, seconds, starts, ends),
        "tables": {
            "trades": [[json_cell(cell) for cell in row] for row in trade_rows(result, candles.symbol)],
            "orders": _orders_drawn(result, candles.symbol, beside.orders),
            "fills": [
                [json_cell(cell) for cell in row]
                for row in fill_rows(result, candles.symbol, beside.orders, most=_ROWS_MOST)
            ],
        },
        "signed": {"trades": list(_SIGNED), "orders": [], "fills": []},
        "money": {
            "trades": [TRADE_NAMES.index(name) for name in ("result", "fees", "funding")],
            "orders": [ORDER_NAMES.index("fees")],
            "fills": [FILL_NAMES.index(name) for name in ("value", "fee")],
        },
        "shares": {"trades": [TRADE_NAMES.index("result_share")], "orders": [], "fills": []},
    }


def _exposure_drawn(
    result: Result, exposure: Exposure | None, seconds: list[int], starts: Ints, ends: Ints
) -> list[list[float]] | None:
    """Return (time, gross, net), percent of equity; of the bars of one candle the largest gross, and the last net."""
    if exposure is None or not len(starts):
        return None
    gross, net = (np.nan_to_num(each) * 100 for each in exposure.shares(result.equity))
    rows = zip(seconds, np.maximum.reduceat(gross, starts).tolist(), net[ends].tolist(), strict=True)
    return [list(row) for row in rows]


def _orders_drawn(result: Result, symbol: str, orders: Orders | None) -> list[list[Any]]:
    if orders is None:
        return []
    quantity, reduces = ORDER_NAMES.index("quantity"), ORDER_NAMES.index("reduce_only")
    found = []
    for row in order_rows(result, symbol, orders, most=_ROWS_MOST):
        cells = [json_cell(cell) for cell in row]
        cells[reduces] = "yes" if row[reduces] else ""
        if row[quantity] is None and row[reduces]:
            cells[quantity] = "all"
        found.append(cells)
    return found


def _marks(result: Result, seconds: list[int], each: int) -> list[list[Any]]:
    """Return (time, direction, in or out, result, words) of entries and exits; of very many, those that mattered."""
    trades = result.trades
    chosen: Ints = np.arange(len(trades))
    if len(trades) * 2 > _MARKS_MOST:
        chosen = np.sort(np.argsort(-np.abs(trades.pnl), kind="stable")[: _MARKS_MOST // 2])
    found: list[list[Any]] = []
    for place in chosen.tolist():
        side, pnl = int(trades.side[place]), float(result.money(int(trades.pnl[place])))
        whose = f"{result.symbol_of(place, '')} " if isinstance(result, Portfolio) else ""
        into, out = int(trades.opened_bar[place]) // each, int(trades.closed_bar[place]) // each
        found.append([seconds[into], side, "in", pnl, whose + ("long" if side > 0 else "short")])
        found.append([seconds[out], -side, "out", pnl, f"{whose}{pnl:+,.2f}"])
    return sorted(found, key=lambda mark: mark[0])


def span_words(opened_ms: Ints, span_ms: int) -> str:
    """Return from when to when and how many bars, in words."""
    if not len(opened_ms):
        return "no bars"
    first, last = time_of(int(opened_ms[0])), time_of(int(opened_ms[-1]) + span_ms)
    return f"{first} to {last} UTC, {len(opened_ms):,} bars"
