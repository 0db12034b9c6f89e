"""Instruments of a run in turns: candles, costs and funding go in; lanes of plain numbers come out. Pure."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pilothouse.backtest.inside import Finer, Pieces
from pilothouse.backtest.simulate import Funding, due_of, scale_of, volume_lots
from pilothouse.backtest.spec import BacktestSpec, Costs, Slip
from pilothouse.backtest.turn_orders import Lane
from pilothouse.backtest.turn_steps import Steps, pieces_by_symbol, steps_of
from pilothouse.core.candles import Candles, Ints
from pilothouse.core.errors import Invalid, Problem


def lanes_of(
    spec: BacktestSpec,
    data: Mapping[str, Candles],
    funding: Mapping[str, Funding],
    finer: Mapping[str, Finer] | None = None,
    pieces: Mapping[str, Pieces] | None = None,
) -> list[Lane]:
    """Return a lane for each market, in order of name, all in the same unit of money and on the same steps.

    finer    what is below the bars, by symbol, where the run walks inside them: then pieces are what a lane is made of
    pieces   those, where they are known already
    Raises Invalid.
    """
    unit = min(scale_of(data[market.symbol], market).unit for market in spec.markets)
    bars = {market.symbol: data[market.symbol] for market in spec.markets}
    spans = {each.span_ms for each in bars.values()}
    if len(spans) > 1:
        told = ", ".join(str(span) for span in sorted(spans))
        raise Invalid([Problem("markets", f"bars of {told} ms", "bars of one length", "spans")])
    pieces = pieces if pieces is not None else pieces_by_symbol(spec, bars, finer or {})
    steps = steps_of(bars, pieces)
    found = []
    for market in sorted(spec.markets, key=lambda each: each.symbol):
        symbol = market.symbol
        candles, costs = bars[symbol], spec.costs_of(market)
        if costs.funding and symbol not in funding:
            came, allowed = f"no history of funding for {symbol}", "its history, or costs without it"
            raise Invalid([Problem("costs.funding", came, allowed, "missing")])
        scale = replace(scale_of(candles, market), unit=unit)
        walked: Candles | Pieces = candles if pieces is None else pieces[symbol]
        columns = (numbers_of(walked.open), numbers_of(walked.high), numbers_of(walked.low), numbers_of(walked.close))
        counts = spec.fills.volume_ppm is not None or costs.slip in {Slip.VOLUME, Slip.IMPACT}
        volume = volume_lots(walked, market).tolist() if counts else []
        due = _due(walked, costs, funding.get(symbol))
        bar_of = range(len(candles)) if pieces is None else numbers_of(pieces[symbol].bar)
        lane = Lane(market, costs, candles, scale, scale.units, columns, volume, due, steps, bar_of)
        lane.closed = numbers_of(walked.closed_ms)
        lane.places, lane.known = _places(steps, symbol)
        lane.bars_at = range(len(candles))
        if len(candles) < len(steps.bars_ms):
            lane.bars_at = numbers_of(np.searchsorted(steps.bars_ms, candles.opened_ms))
        found.append(lane)
    return found


def _places(steps: Steps, symbol: str) -> tuple[Sequence[int], Sequence[int]]:
    """Return of each bar or piece of an instrument its step, and the step at which its bar has closed."""
    places = steps.places[symbol]
    if steps.thin is None and len(places) == len(steps):
        return range(len(places)), range(len(places))
    return numbers_of(places), numbers_of(steps.last[steps.bar[places]])


def numbers_of(column: Ints) -> "array[int]":
    """Return a column as plain numbers of Python, one at a time."""
    found = array("q")
    found.frombytes(np.ascontiguousarray(column, np.int64).view(np.uint8).data)
    return found


def _due(candles: Candles | Pieces, costs: Costs, funding: Funding | None) -> dict[int, tuple[int, int, int]]:
    """Return by bar what is due in it, ppb: funding at the open, funding inside, interest."""
    at_open, inside, interest = due_of(costs, candles, funding)
    bars = np.flatnonzero((at_open != 0) | (inside != 0) | (interest != 0)).tolist()
    return {bar: (int(at_open[bar]), int(inside[bar]), int(interest[bar])) for bar in bars}
