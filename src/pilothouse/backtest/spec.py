"""What a backtest is: everything that its result depends on, frozen; the SHA-256 of its canonical text names it.

Pure. Money and quantities are decimals; shares are whole parts per million, so that kernels count exactly.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from pilothouse.core.errors import Invalid, Problem
from pilothouse.core.limits import NOTHING, Limits
from pilothouse.core.limits_text import stored
from pilothouse.core.rounding import plain
from pilothouse.strategies.rules import Rules

ENGINE: Final = 3
"""Raised whenever the same spec may come to another result: then nothing old is found in its stead."""

PPM: Final = 1_000_000
_LEVERAGE_MOST: Final = 200


class Slip(StrEnum):
    """How much worse than the price a market order fills.

    NONE     not at all
    FIXED    `ppm` of the price and `ticks`
    SPREAD   half of a spread of `ppm` of the price and `ticks`
    VOLUME   `ppm` of the price times the square of the share that the order has in the volume of its bar
    IMPACT   `ppm` of the price times the square root of that share
    """

    NONE = "none"
    FIXED = "fixed"
    SPREAD = "spread"
    VOLUME = "volume"
    IMPACT = "impact"


class FillAt(StrEnum):
    """When a market order fills: at the open of the next bar, or at the close of the bar that decided."""

    OPEN = "open"
    CLOSE = "close"


class Margin(StrEnum):
    """What a position can lose: what was put aside for it, or all of the account."""

    ISOLATED = "isolated"
    CROSS = "cross"


class Ranking(StrEnum):
    """Who goes first where several wishes of one moment meet too little capital or too few places.

    COLUMN   the larger `rank` of the strategy's signals; without one, as FIRST
    FIRST    whoever wished first; of those who wished at the same bar, the first by name of symbol
    """

    COLUMN = "column"
    FIRST = "first"


@dataclass(frozen=True, slots=True)
class FeeTier:
    """From so much value traded in the last 30 days before this one (UTC) on, these fees.

    volume               quote currency
    maker_ppm, taker_ppm parts per million of the value traded, 0 to 100,000
    """

    volume: Decimal
    maker_ppm: int
    taker_ppm: int


@dataclass(frozen=True, slots=True)
class Costs:
    """What trading costs. Fees are rounded up to the smallest unit, slippage up to a whole tick.

    maker_ppm, taker_ppm   parts per million of the value traded, 0 to 100,000
    tiers                  lower fees for much trading, the smallest volume first
    slip, slip_ppm, slip_ticks   see Slip
    funding                whether funding is paid and received; its history is then needed
    borrow_ppm_year        interest on what is borrowed, parts per million a year, 0 to 10,000,000
    maintenance_ppm        share of its value that a position must be worth, 0 to 500,000
    liquidation_ppm        what a forced close costs beside the fee, 0 to 100,000
    """

    maker_ppm: int = 0
    taker_ppm: int = 0
    tiers: tuple[FeeTier, ...] = ()
    slip: Slip = Slip.NONE
    slip_ppm: int = 0
    slip_ticks: int = 0
    funding: bool = False
    borrow_ppm_year: int = 0
    maintenance_ppm: int = 5_000
    liquidation_ppm: int = 0

    def __post_init__(self) -> None:
        """Refuse costs that nobody could charge."""
        bounds = (
            ("maker_ppm", 100_000), ("taker_ppm", 100_000), ("slip_ppm", 500_000), ("slip_ticks", 1_000_000),
            ("borrow_ppm_year", 10_000_000), ("maintenance_ppm", 500_000), ("liquidation_ppm", 100_000),
        )  # fmt: skip
        problems = [*_outside(self, "costs.", {name: (0, most) for name, most in bounds})]
        volumes = [tier.volume for tier in self.tiers]
        if any(volume <= 0 for volume in volumes) or volumes != sorted(set(volumes)):
            problems.append(Problem("costs.tiers", "volumes that do not rise", "rising, above zero", "order"))
        for tier in self.tiers:
            problems += _outside(tier, "costs.tiers.", {"maker_ppm": (0, 100_000), "taker_ppm": (0, 100_000)})
        _refuse(problems)

    @property
    def any(self) -> bool:
        """Say whether trading costs anything for each trade: a result without says so, loudly."""
        pays = self.taker_ppm > 0 or self.maker_ppm > 0
        return pays or (self.slip is not Slip.NONE and (self.slip_ppm > 0 or self.slip_ticks > 0))


@dataclass(frozen=True, slots=True)
class Fills:
    """How orders meet the bars.

    at               see FillAt
    latency          bars between a decision and its order, 0 to 1,000
    latency_ms       milliseconds between the close that decides and the arrival at the market, 0 to 86,400,000: filled
                     at the first price known then or after, which is the open of a bar, or of what is finer; instead
                     of `latency`, and not with fills at the close
    volume_ppm       at most this share of the volume of a bar is filled in it; None: everything at once
    rest             bars for which an entry at a limit or trigger waits, 1 or more
    through          whether a limit fills only if the price went through it; else it is enough to touch it
    finer            timeframe of the candles below the bars, to walk inside them, such as `1s`; `trades`; or None: the
                     pessimistic path, the stop before the target where both are in one bar. Bars of which nothing finer
                     tells the same open, high, low and close are walked on that path too
    """

    at: FillAt = FillAt.OPEN
    latency: int = 0
    volume_ppm: int | None = None
    rest: int = 1
    through: bool = False
    finer: str | None = None
    latency_ms: int = 0

    def __post_init__(self) -> None:
        """Refuse what no order could do."""
        bounds = {"latency": (0, 1_000), "rest": (1, 1_000_000), "latency_ms": (0, 86_400_000)}
        problems = [*_outside(self, "fills.", bounds)]
        if self.latency_ms and (self.latency or self.at is FillAt.CLOSE):
            came = "beside a latency in bars" if self.latency else "beside fills at the close"
            problems.append(Problem("fills.latency_ms", came, "0, or fills at the open without `latency`", "both"))
        if self.volume_ppm is not None:
            problems += _outside(self, "fills.", {"volume_ppm": (1, PPM)})
        _refuse(problems)


@dataclass(frozen=True, slots=True)
class Market:
    """One instrument, and what its venue allows.

    venue, symbol   as marketdata knows them
    lot             the smallest step of a quantity, base
    lots_min        of an order, 1 or more; smaller ones are not made
    lots_most       of an order; None: no bound
    notional_min    value of an order that opens, quote
    costs           of this instrument; None: those of the whole run. Tiers count what the whole account has traded
    """

    venue: str
    symbol: str
    lot: Decimal
    lots_min: int = 1
    lots_most: int | None = None
    notional_min: Decimal = Decimal(0)
    costs: Costs | None = None

    def __post_init__(self) -> None:
        """Refuse an instrument that nobody could trade."""
        problems = [*_outside(self, "market.", {"lots_min": (1, 10**15)})]
        if self.lots_most is not None:
            problems += _outside(self, "market.", {"lots_most": (self.lots_min, 10**15)})
        if self.lot <= 0:
            problems.append(Problem("market.lot", plain(self.lot), "above zero", "out_of_range"))
        if self.notional_min < 0:
            problems.append(Problem("market.notional_min", plain(self.notional_min), "zero or more", "out_of_range"))
        _refuse(problems)


@dataclass(frozen=True, slots=True)
class BacktestSpec:
    """One backtest.

    strategy, version   its name, and the hash of its source
    params              checked values by name
    markets             the instruments; one, or several on shared capital
    timeframe           of the bars
    start_ms, until_ms  the first opening and the last close, milliseconds since 1970, UTC
    data                SHA-256 of the candles by symbol, and of what is finer or due besides; other data are another
                        backtest
    capital             quote currency, above zero
    leverage            1 to 200; how many times its equity an account may hold
    margin              see Margin
    rules               how positions end and how large they are; None: what the strategy itself says
    positions_most      open at the same time, over all markets; an entry that waits holds a place
    ranking             see Ranking
    hedge               whether one instrument may be held long and short at once, as two positions
    limits              what the risk gate lets through, as with real money; see `core/limits.py`
    """

    strategy: str
    version: str
    params: Mapping[str, int | float | str | bool]
    markets: tuple[Market, ...]
    timeframe: str
    start_ms: int
    until_ms: int
    data: Mapping[str, str]
    capital: Decimal = Decimal(10_000)
    leverage: int = 1
    margin: Margin = Margin.ISOLATED
    costs: Costs = field(default_factory=Costs)
    fills: Fills = field(default_factory=Fills)
    rules: Rules | None = None
    positions_most: int = 1
    ranking: Ranking = Ranking.COLUMN
    hedge: bool = False
    limits: Limits = NOTHING
    engine: int = ENGINE

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        problems = [*_outside(self, "", {"leverage": (1, _LEVERAGE_MOST), "positions_most": (1, 10_000)})]
        if not self.markets:
            problems.append(Problem("markets", "none", "one or more", "missing"))
        symbols = [market.symbol for market in self.markets]
        twice = sorted({each for each in symbols if symbols.count(each) > 1})
        problems += [Problem("markets", f"{symbol} twice", "each symbol once", "twice") for symbol in twice]
        if self.capital <= 0:
            problems.append(Problem("capital", plain(self.capital), "above zero", "out_of_range"))
        if self.until_ms <= self.start_ms:
            problems.append(Problem("until_ms", str(self.until_ms), f"after {self.start_ms}", "out_of_range"))
        _refuse(problems)

    def canonical(self) -> str:
        """Return the spec as JSON of one only form: names sorted, decimals as shortest text."""
        return json.dumps(_plain(asdict_of(self)), sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    def costs_of(self, market: Market) -> Costs:
        """Return what trading an instrument costs."""
        return market.costs if market.costs is not None else self.costs

    @property
    def costless(self) -> bool:
        """Say whether trading some instrument costs nothing: such a result is no measure of anything."""
        return not all(self.costs_of(market).any for market in self.markets)

    @property
    def funded(self) -> bool:
        """Say whether some market pays and receives funding."""
        return any(self.costs_of(market).funding for market in self.markets)

    @property
    def name(self) -> str:
        """Return the SHA-256 of the canonical text: equal specs have equal results."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()


def names_of(spec: BacktestSpec) -> Callable[[Mapping[str, int | float | str | bool]], str]:
    """Return what names the spec with other parameters, as `name` does, without making the rest of its text again."""
    # Quotes inside of a text are escaped, so that this stands in the canonical text once: where the parameters do.
    mark = '"params":{}'
    head, _, tail = replace(spec, params={}).canonical().partition(mark)

    def name_of(params: Mapping[str, int | float | str | bool]) -> str:
        text = json.dumps(_plain(dict(params)), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(f'{head}"params":{text}{tail}'.encode()).hexdigest()

    return name_of


def inside_key(symbol: str) -> str:
    """Return under which name the SHA-256 of what is finer than the bars of a market stands in `data`."""
    return f"{symbol} inside"


def funding_key(symbol: str) -> str:
    """Return under which name the SHA-256 of the funding history of a market stands in `data`."""
    return f"{symbol} funding"


def asdict_of(spec: BacktestSpec) -> dict[str, Any]:
    """Return the spec as plain dictionaries, lists, decimals, numbers and texts."""
    # Parameters come as any mapping; dataclasses.asdict would try to build that mapping anew.
    found = {name: getattr(spec, name) for name in BacktestSpec.__slots__}
    found["params"], found["data"] = dict(spec.params), dict(spec.data)
    # Who sets no limit has the name that the spec had before there were any.
    limits = {name: stored(value) for name, value in found.pop("limits").named().items()}
    found |= {"limits": limits} if limits else {}
    found["markets"] = [asdict(market) for market in spec.markets]
    found |= {name: asdict(value) for name in ("costs", "fills", "rules") if (value := found[name]) is not None}
    if not spec.fills.latency_ms:
        del found["fills"]["latency_ms"]  # who asks for none has the name that the spec had before there was any
    return found


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {str(name): _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case Decimal():
            return plain(value)
        case StrEnum():
            return value.value
        case _:
            return value


def _outside(of: Any, before: str, bounds: Mapping[str, tuple[int, int]]) -> Iterator[Problem]:
    for name, (least, most) in bounds.items():
        value = getattr(of, name)
        if isinstance(value, bool) or not isinstance(value, int):
            yield Problem(before + name, f"{value!r} came", f"a whole number, {least} to {most}", "not_whole")
        elif not least <= value <= most:
            yield Problem(before + name, str(value), f"{least} to {most}", "out_of_range")


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise Invalid(problems)
