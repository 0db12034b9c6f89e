"""Funding of a backtest: words that name files, and what is kept, go in; rates by symbol and what they lack come out.

Nothing is repaired: a time twice is refused with its rows, and gaps, as well as bars without any rate, are told on the
result. A run over kept candles pays the kept rates of its perpetuals, unless a file or `none` was asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

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
from pilothouse.marketdata.funding_columns import Rates, gaps_of
from pilothouse.marketdata.spans import length
from pilothouse.wiring.backtest_data import Asked, Found

if TYPE_CHECKING:  # a backtest of a file loads no database layer
    from pilothouse.marketdata.funding_kept import KeptRates

UNPAID: Final = "none"
"""In the place of a file: this market pays no funding, as spot does not."""

Kept = Callable[[str], "KeptRates"]

_PPB_DIGITS: Final = 9
_RATE_MOST_PPB: Final = 10**9
_HOUR_MS: Final = 3_600_000
_SPOT: Final = "SPOT"


def add_funding(found: Found, asked: Asked, words: Sequence[str], kept: Kept | None = None) -> None:
    """Put rates beside the candles of what is traded: those of files, and of what no word names those that are kept.

    words   FILE, SYMBOL=FILE, SYMBOL=none or none (of all others) each; a file alone is of the market that its name
            tells, or of the only one
    kept    returns the kept rates of a symbol over the time of its candles; None: the candles are those of files
    Raises Invalid, CandlesDamaged.
    """
    traded = traded_of(found, asked)
    for given in words:
        if given == UNPAID:
            continue
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
    if UNPAID in words:
        found.unpaid.update(missing)
        found.notes.append(f"funding of {', '.join(missing)}: none, as was asked for")
        return
    if kept is not None:
        for symbol in missing:
            _add_kept(found, symbol, kept(symbol))
    missing = [each for each in missing if each not in found.funding]
    if words and missing:
        allowed = f"rates of each market that is traded: {missing[0]}=FILE, or {missing[0]}={UNPAID} where it pays none"
        raise Invalid([Problem("funding", f"none for {', '.join(missing)}", allowed, "missing")])


def traded_of(found: Found, asked: Asked) -> tuple[str, ...]:
    """Return the symbols that are traded."""
    return found.traded or asked.traded or tuple(found.candles)[:1]


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


def went_short(result: Result) -> bool:
    """Say whether a run has sold what it did not hold."""
    return bool((result.trades.side < 0).any())


def is_unfunded(spec: BacktestSpec, *, short: bool) -> bool:
    """Say whether a run holds what only a perpetual lends, and pays no funding: that flatters or hurts unseen.

    short   whether it, or any trial of a search, went short
    It does so where it borrows to hold more, is hedged or went short, or where the venue or the symbol is one of
    perpetuals; not where interest on what is borrowed stands in its place.
    """
    if spec.funded or any(spec.costs_of(market).borrow_ppm_year for market in spec.markets):
        return False
    lends = spec.leverage > 1 or spec.hedge or short
    return lends or any(_is_perpetual(market.venue, market.symbol) for market in spec.markets)


def lacking(spec: BacktestSpec, candles: Mapping[str, Candles], funding: Mapping[str, Funding]) -> str:
    """Return what a run that pays funding lacks of it, in words; empty where nothing.

    It follows from what the run's name follows from, so it is the same however the rates came.
    """
    if not spec.funded:
        return ""
    found = []
    for market in spec.markets:
        costs, bars = spec.costs_of(market), candles[market.symbol]
        if not costs.funding:
            perpetual = not costs.borrow_ppm_year and _is_perpetual(market.venue, market.symbol)
            found += [f"{market.symbol} has no rates at all"] if perpetual else []
            continue
        begins, ends = int(bars.opened_ms[0]), int(bars.closed_ms[-1])
        gaps = gaps_of(funding[market.symbol].at_ms, [(begins, ends)])
        if gaps:
            hours, whole = (length(each) // _HOUR_MS for each in (gaps, [(begins, ends)]))
            first = f"from {_time(gaps[0][0])} to {_time(gaps[0][1])}"
            found.append(f"{market.symbol} has no rates in {hours:,} of {whole:,} hours, first {first}")
    return "; ".join(found)


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
    rates, cut = in_ppb(read)
    refuse_large(rates, path)
    begins, ends = int(candles.opened_ms[0]), int(candles.closed_ms[-1])
    rates = rates.between(begins, ends)
    if not len(rates):
        came = f"{path.name} has no rate from {_time(begins)} to {_time(ends)}"
        raise Invalid([Problem("funding", came, f"rates of the time of the candles of {symbol}", "empty")])
    found.funding[symbol] = rates
    found.notes.append(f"funding of {symbol}: {path.name}, {', '.join(_told(rates, candles, cut))}")


def _add_kept(found: Found, symbol: str, kept: "KeptRates") -> None:
    candles = found.candles[symbol]
    begins, ends = int(candles.opened_ms[0]), int(candles.closed_ms[-1])
    # Perpetuals are funded at whole hours: where none lies in what nobody asked for, nothing can be missing in it.
    asked = not any(
        start // _HOUR_MS < (until - 1) // _HOUR_MS or not start % _HOUR_MS for start, until in kept.unasked
    )
    if not len(kept.rates) and not asked:
        if _is_perpetual(found.venue, symbol):
            how = f"pilothouse data download {kept.series.venue} {symbol} --funding --from {_time(begins)[:10]}"
            found.notes.append(f"no funding of {symbol} is kept for this time: {how}")
        return
    rates, cut = in_ppb(kept.rates)
    found.funding[symbol] = rates = rates.between(begins, ends)
    told = ", ".join(_told(rates, candles, cut)) if len(rates) else "none was due in this time"
    found.notes.append(f"funding of {symbol}: kept of {kept.series.venue}, {told}; {rates.fingerprint()[:16]}")


def refuse_large(rates: Funding, path: Path) -> None:
    """Raise Invalid for rates that no venue ever settled."""
    if len(rates) and int(np.abs(rates.ppb).max()) > _RATE_MOST_PPB:
        row = int(np.abs(rates.ppb).argmax())
        came = f"{path.name}: {rates.ppb[row] / _RATE_MOST_PPB:g} at {_time(int(rates.at_ms[row]))}"
        allowed = "rates as shares, such as 0.0001 for 0.01 %, at most 1: is this a file of candles?"
        raise Invalid([Problem("funding", came, allowed, "out_of_range")])


def in_ppb(read: Rates) -> tuple[Funding, int]:
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
