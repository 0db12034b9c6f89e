"""Funding of a backtest: words that name files go in; rates by symbol, and what is to be known of them, come out.

Nothing is repaired: a time twice is refused with its rows, and gaps, as well as bars without any rate, are told on the
result. Candles are kept by `data download`; funding is not, so it comes from files alone.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from pilothouse.backtest.request import Wish
from pilothouse.backtest.result import Result
from pilothouse.backtest.simulate import Funding
from pilothouse.backtest.spec import BacktestSpec, funding_key
from pilothouse.core.candles import Candles
from pilothouse.core.clock import from_micros, iso
from pilothouse.core.errors import Invalid, Problem
from pilothouse.marketdata.foreign_candles import symbol_of
from pilothouse.marketdata.foreign_series import read_funding
from pilothouse.marketdata.funding_columns import Rates
from pilothouse.wiring.backtest_data import Asked, Found

UNPAID: Final = "none"
"""In the place of a file: this market pays no funding, as spot does not."""

_PPB_DIGITS: Final = 9
_RATE_MOST_PPB: Final = 10**9
_HOUR_MS: Final = 3_600_000
_SPOT: Final = "SPOT"


def add_funding(found: Found, asked: Asked, words: Sequence[str]) -> None:
    """Put the rates of files beside the candles of what is traded. Raises Invalid.

    words   FILE, SYMBOL=FILE or SYMBOL=none each; a file alone is of the market that its name tells, or of the only one
    """
    traded = found.traded or asked.traded or tuple(found.candles)[:1]
    for given in words:
        symbol, named, rest = given.partition("=")
        path = Path(rest if named else given)
        if not named:
            symbol = market_of(path, traded, "funding", "SYMBOL=FILE")
        if symbol not in traded:
            allowed = f"one of what is traded: {', '.join(traded)}"
            raise Invalid([Problem("funding", f"{symbol[:40]!r} came", allowed, "unknown")])
        if symbol in found.funding or symbol in found.unpaid:
            raise Invalid([Problem("funding", f"{symbol} twice", "one file for each market", "twice")])
        if named and rest == UNPAID:
            found.unpaid.add(symbol)
            continue
        _add(found, symbol, path, read_funding(path, zone=asked.zone))
    missing = [each for each in traded if each not in found.funding and each not in found.unpaid]
    if words and missing:
        allowed = f"rates of each market that is traded: {missing[0]}=FILE, or {missing[0]}={UNPAID} where it pays none"
        raise Invalid([Problem("funding", f"none for {', '.join(missing)}", allowed, "missing")])


def market_of(path: Path, traded: Sequence[str], field: str, allowed: str) -> str:
    """Return of which market a file is: the one that its name tells, or the only one. Raises Invalid."""
    told = symbol_of(path)
    if told in traded:
        return str(told)
    if len(traded) == 1:
        return traded[0]
    came = f"{path.name[:80]} does not tell which of {', '.join(traded)} it is of"
    raise Invalid([Problem(field, came, allowed, "ambiguous")])


def paid(wish: Wish, found: Found, symbols: Sequence[str]) -> Wish:
    """Return the wish with funding among the costs of every market that has rates."""
    if not found.funding:
        return wish
    own = {
        symbol: replace(wish.own_costs.get(symbol, wish.costs), funding=symbol in found.funding)
        for symbol in symbols
        if symbol in wish.own_costs or symbol not in found.funding
    }
    return replace(wish, costs=replace(wish.costs, funding=True), own_costs={**wish.own_costs, **own})


def named(spec: BacktestSpec, found: Found) -> BacktestSpec:
    """Return the spec with the fingerprints of the rates among its data."""
    prints = {funding_key(symbol): rates.fingerprint() for symbol, rates in found.funding.items()}
    return replace(spec, data={**spec.data, **prints}) if prints else spec


def is_unfunded(spec: BacktestSpec, result: Result | None = None) -> bool:
    """Say whether a run holds what only a perpetual lends, and pays no funding: that flatters or hurts unseen.

    It does so where it borrows to hold more, is hedged or went short, or where the venue or the symbol is one of
    perpetuals; not where interest on what is borrowed stands in its place.
    """
    if spec.funded or any(spec.costs_of(market).borrow_ppm_year for market in spec.markets):
        return False
    lends = spec.leverage > 1 or spec.hedge or (result is not None and bool((result.trades.side < 0).any()))
    return lends or any(_is_perpetual(market.venue, market.symbol) for market in spec.markets)


def _is_perpetual(venue: str, symbol: str) -> bool:
    if venue == "file":
        return ":" in symbol
    # Here and not above: a run of a file does not load what knows venues.
    from pilothouse.core.errors import Refused  # noqa: PLC0415 - as above
    from pilothouse.venues import catalogue  # noqa: PLC0415 - as above
    from pilothouse.venues.keys import VenueKey  # noqa: PLC0415 - as above

    try:
        card = catalogue.card_of(VenueKey.parse(venue).name)
    except Refused:
        return False
    return any(each.name.startswith("funding") and each.state == "done" for each in card.capabilities)


def _add(found: Found, symbol: str, path: Path, read: Rates) -> None:
    candles = found.candles[symbol]
    rates, cut = _in_ppb(read)
    if len(rates) and int(np.abs(rates.ppb).max()) > _RATE_MOST_PPB:
        row = int(np.abs(rates.ppb).argmax())
        came = f"{path.name}: {rates.ppb[row] / _RATE_MOST_PPB:g} at {_time(int(rates.at_ms[row]))}"
        allowed = "rates as shares, such as 0.0001 for 0.01 %, at most 1: is this a file of candles?"
        raise Invalid([Problem("funding", came, allowed, "out_of_range")])
    begins, ends = int(candles.opened_ms[0]), int(candles.closed_ms[-1])
    rates = rates.between(begins, ends)
    if not len(rates):
        came = f"{path.name} has no rate from {_time(begins)} to {_time(ends)}"
        raise Invalid([Problem("funding", came, f"rates of the time of the candles of {symbol}", "empty")])
    found.funding[symbol] = rates
    found.notes.append(f"funding of {symbol}: {path.name}, {', '.join(_told(rates, candles, cut))}")


def _in_ppb(read: Rates) -> tuple[Funding, int]:
    """Return rates in parts per billion, and how many had more digits and were rounded to the nearest."""
    digits = _PPB_DIGITS - read.digits
    if digits >= 0:
        most = (1 << 62) // 10**digits
        return Funding(read.at_ms, np.clip(read.rate, -most, most) * 10**digits), 0
    by = 10**-digits
    near = (2 * read.rate + by) // (2 * by)
    return Funding(read.at_ms, near), int(np.count_nonzero(read.rate % by))


def _told(rates: Funding, candles: Candles, cut: int) -> list[str]:
    """Return what is to be known of the rates beside these bars."""
    found = [f"{len(rates):,} rates"]
    if cut:
        found.append(f"{cut:,} of its rates rounded to nine digits")
    steps = np.diff(rates.at_ms)
    usual = 0
    if len(steps):
        # Venues stamp them some milliseconds late.
        hours = np.maximum((steps + _HOUR_MS // 2) // _HOUR_MS, 1)
        values, counts = np.unique(hours, return_counts=True)
        usual = int(values[np.argmax(counts)])
        found.append(f"every {usual} h")
        gaps = np.flatnonzero(hours > usual)
        if len(gaps):
            first = _time(int(rates.at_ms[gaps[0]]))
            found.append(f"{len(gaps):,} gaps, the first behind {first}: nothing is paid in them")
    before = int(np.count_nonzero(candles.closed_ms <= rates.at_ms[0] - max(usual, 1) * _HOUR_MS))
    behind = int(np.count_nonzero(candles.opened_ms >= rates.at_ms[-1] + max(usual, 1) * _HOUR_MS))
    for count, where in ((before, "before the first"), (behind, "behind the last")):
        if count:
            found.append(f"NONE for {count:,} bars {where}")
    return found


def _time(ms: int) -> str:
    return iso(from_micros(ms * 1_000))
