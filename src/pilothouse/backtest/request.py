"""A wish becomes a spec: a strategy, candles and what a person said go in; everything a result depends on comes out.

Pure. What was not said has a default that is stated on the result, never one that flatters it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from pilothouse.backtest.inside import Finer
from pilothouse.backtest.spec import BacktestSpec, Costs, Fills, Margin, Market, Ranking, Slip, inside_key
from pilothouse.core.candles import Candles
from pilothouse.core.errors import Invalid, Problem
from pilothouse.core.limits import NOTHING, Limits
from pilothouse.strategies.parameters import Params, resolve
from pilothouse.strategies.rules import Rules
from pilothouse.strategies.sdk import Columns, Turns

USUAL: Final = Costs(maker_ppm=200, taker_ppm=500, slip=Slip.FIXED, slip_ppm=100)
"""What trading costs if nobody says otherwise: 0.02 % and 0.05 % in fees, 0.01 % in slippage."""

_WORTH_OF_LOT: Final = Decimal(10_000)
_LOT_DIGITS_MOST: Final = 8


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked for, checked as far as a form can be.

    strategy, version   its name and the hash of its source
    params              as they came, by name
    venue               where the candles are from; `file` for a file
    timeframe           of the candles
    limits              what the risk gate lets through
    lot                 smallest step of a size, base; None: so small that rounding to it hardly matters
    markets             symbols that are traded on one account; empty: the first alone
    positions           how many may be open at once; 0: one for each market, two where it is hedged
    own_costs           of the markets whose costs differ from `costs`, by symbol
    """

    strategy: str
    version: str
    params: Mapping[str, Any]
    venue: str
    timeframe: str
    capital: Decimal = Decimal(10_000)
    leverage: int = 1
    margin: Margin = Margin.ISOLATED
    costs: Costs = USUAL
    fills: Fills = field(default_factory=Fills)
    rules: Rules | None = None
    limits: Limits = NOTHING
    lot: Decimal | None = None
    notional_min: Decimal = Decimal(0)
    markets: tuple[str, ...] = ()
    positions: int = 0
    ranking: Ranking = Ranking.COLUMN
    hedge: bool = False
    own_costs: Mapping[str, Costs] = field(default_factory=dict)

    def market(self, candles: Candles) -> Market:
        """Return an instrument as it is traded: its step of a size, and its costs where it has its own."""
        lot = self.lot if self.lot is not None else usual_lot(candles, self.capital)
        own = self.own_costs.get(candles.symbol)
        costs = None if own == self.costs else own
        return Market(self.venue, candles.symbol, lot, notional_min=self.notional_min, costs=costs)

    def refuse_unknown_costs(self, traded: Iterable[str]) -> None:
        """Raise Invalid for costs of a market that is not traded: whoever set them believes that they hold."""
        there = list(traded)
        problems = [
            Problem(f"market_costs.{symbol}", "it is not traded", f"one of {', '.join(there)}", "unknown")
            for symbol in self.own_costs
            if symbol not in there
        ]
        if problems:
            raise Invalid(problems)


def spec_of_many(
    wish: Wish,
    strategy: Columns | Turns,
    candles: Mapping[str, Candles],
    finer: Mapping[str, Finer] | None = None,
) -> tuple[BacktestSpec, Params]:
    """Return the spec of the markets that a wish names, on one account; all candles may be looked at.

    finer   by symbol, what is below the bars, where the wish walks inside them
    Raises Invalid that names every field which does not fit.
    """
    missing = [symbol for symbol in wish.markets if symbol not in candles]
    if missing:
        there = ", ".join(candles)
        raise Invalid([Problem("market", f"no candles of {', '.join(missing)}", f"of {there}", "unknown")])
    if not isinstance(strategy, Columns) and len(wish.markets) > 1 and not getattr(strategy, "many", False):
        allowed = "a strategy by columns, or one in turns that says `many = True`"
        raise Invalid([Problem("market", f"{wish.strategy} trades one instrument", allowed, "in_turns")])
    if not isinstance(strategy, Columns) and (wish.positions or wish.ranking is not Ranking.COLUMN):
        name, came = ("positions", str(wish.positions)) if wish.positions else ("rank", str(wish.ranking))
        allowed = "not beside a strategy in turns: it decides itself what is open, and in which order"
        raise Invalid([Problem(name, came, allowed, "in_turns")])
    traded = {symbol: candles[symbol] for symbol in wish.markets}
    # One that was listed late may be too short to warm up; it then is not traded, and that is no mistake.
    longest = max(traded.values(), key=len)
    others = {symbol: each for symbol, each in candles.items() if symbol != longest.symbol}
    wish.refuse_unknown_costs(traded)
    spec, params = spec_of(replace(wish, own_costs={}), strategy, longest, others)
    markets = tuple(wish.market(each) for each in traded.values())
    below = {inside_key(symbol): (finer or {})[symbol].fingerprint() for symbol in traded if symbol in (finer or {})}
    spec = replace(
        spec,
        data={**spec.data, **below},
        markets=markets,
        start_ms=min(int(each.opened_ms[0]) for each in traded.values()),
        until_ms=max(int(each.closed_ms[-1]) for each in traded.values()),
        positions_most=wish.positions or len(markets) * (2 if wish.hedge else 1),
        ranking=wish.ranking,
        hedge=wish.hedge,
    )
    return spec, params


def spec_of(
    wish: Wish, strategy: Columns | Turns, candles: Candles, others: Mapping[str, Candles], finer: Finer | None = None
) -> tuple[BacktestSpec, Params]:
    """Return the spec of one instrument, and the parameters with their defaults filled in.

    others   candles that the strategy may look at besides, by symbol
    finer    what is below the bars, where the wish walks inside them
    Raises Invalid that names every field which does not fit.
    """
    params = resolve(strategy.parameters, wish.params)
    warm_up = strategy.warm_up_bars(params, candles.span_ms) if isinstance(strategy, Columns) else 0
    least = warm_up + 2
    if len(candles) < least:
        came = f"{len(candles)} bars"
        raise Invalid([Problem("candles", came, f"at least {least}: {wish.strategy} warms up first", "too_few")])
    wish.refuse_unknown_costs([candles.symbol])
    data = {candles.symbol: candles.fingerprint()}
    data |= {symbol: other.fingerprint() for symbol, other in others.items()}
    if finer is not None:
        data[inside_key(candles.symbol)] = finer.fingerprint()
    spec = BacktestSpec(
        strategy=wish.strategy,
        version=wish.version,
        params=dict(params),
        markets=(wish.market(candles),),
        timeframe=wish.timeframe,
        start_ms=int(candles.opened_ms[0]),
        until_ms=int(candles.closed_ms[-1]),
        data=data,
        capital=wish.capital,
        leverage=wish.leverage,
        margin=wish.margin,
        costs=wish.costs,
        fills=wish.fills,
        rules=wish.rules,
        limits=wish.limits,
    )
    return spec, params


def usual_lot(candles: Candles, capital: Decimal) -> Decimal:
    """Return a power of ten of which one is worth at most a ten-thousandth of the capital, at the highest price."""
    highest = int(candles.high.max()) * candles.price_step
    for digits in range(_LOT_DIGITS_MOST):
        lot = Decimal((0, (1,), -digits))
        if highest * lot * _WORTH_OF_LOT <= capital:
            return lot
    return Decimal((0, (1,), -_LOT_DIGITS_MOST))


def ppm_of(percent: str, field: str, most: int = 100) -> int:
    """Return a percentage as parts per million: `0.05` is 500. Raises Invalid where it has more digits than that."""
    try:
        found = Decimal(percent.strip().removesuffix("%")) * 10_000
    except ArithmeticError:
        found = Decimal(-1)
    if not 0 <= found <= most * 10_000 or found != int(found):
        allowed = f"percent from 0 to {most}, with at most four digits behind the point, such as 0.05"
        raise Invalid([Problem(field, f"{percent[:40]!r} came", allowed)])
    return int(found)
