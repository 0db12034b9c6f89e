"""Instruments of a run in turns: candles, costs and funding go in; lanes of plain numbers come out. Pure."""

from array import array
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pilothouse.backtest.inside import Pieces
from pilothouse.backtest.simulate import Funding, due_of, scale_of, volume_lots
from pilothouse.backtest.spec import BacktestSpec, Costs, Slip
from pilothouse.backtest.turn_orders import Lane
from pilothouse.core.candles import Candles, Ints
from pilothouse.core.errors import Invalid, Problem


def lanes_of(
    spec: BacktestSpec, data: Mapping[str, Candles], funding: Mapping[str, Funding], pieces: Pieces | None = None
) -> list[Lane]:
    """Return a lane for each market, in order of name, all in the same unit of money.

    pieces   of the one market, where the run walks inside its bars: then these are what the lane is made of
    Raises Invalid.
    """
    unit = min(scale_of(data[market.symbol], market).unit for market in spec.markets)
    spans = {data[market.symbol].span_ms for market in spec.markets}
    if len(spans) > 1:
        told = ", ".join(str(span) for span in sorted(spans))
        raise Invalid([Problem("markets", f"bars of {told} ms", "bars of one length", "spans")])
    found = []
    for market in sorted(spec.markets, key=lambda each: each.symbol):
        candles, costs = data[market.symbol], spec.costs_of(market)
        if costs.funding and market.symbol not in funding:
            came, allowed = f"no history of funding for {market.symbol}", "its history, or costs without it"
            raise Invalid([Problem("costs.funding", came, allowed, "missing")])
        scale = replace(scale_of(candles, market), unit=unit)
        walked: Candles | Pieces = candles if pieces is None else pieces
        columns = (numbers_of(walked.open), numbers_of(walked.high), numbers_of(walked.low), numbers_of(walked.close))
        counts = spec.fills.volume_ppm is not None or costs.slip in {Slip.VOLUME, Slip.IMPACT}
        volume = volume_lots(walked, market).tolist() if counts else []
        due = _due(walked, costs, funding.get(market.symbol))
        found.append(Lane(market, costs, candles, scale, scale.units, columns, volume, due))
    return found


def calendar_of(lanes: list[Lane]) -> Ints:
    """Return every opening of all instruments, rising."""
    if len(lanes) == 1:
        return lanes[0].candles.opened_ms
    found: Ints = np.unique(np.concatenate([lane.candles.opened_ms for lane in lanes]))
    return found


def numbers_of(column: Ints) -> "array[int]":
    """Return a column as plain numbers of Python, one at a time."""
    return array("q", column.astype(np.int64, copy=False).tobytes())


def _due(candles: Candles | Pieces, costs: Costs, funding: Funding | None) -> dict[int, tuple[int, int, int]]:
    """Return by bar what is due in it, ppb: funding at the open, funding inside, interest."""
    at_open, inside, interest = due_of(costs, candles, funding)
    bars = np.flatnonzero((at_open != 0) | (inside != 0) | (interest != 0)).tolist()
    return {bar: (int(at_open[bar]), int(inside[bar]), int(interest[bar])) for bar in bars}
