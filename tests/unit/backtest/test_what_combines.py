"""The page that says what a backtest can combine is walked: each cell does what it says, and changes something."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from pilothouse.backtest.inside import Finer
from pilothouse.backtest.ladders import COMPILED
from pilothouse.backtest.request import Wish, spec_of_many
from pilothouse.backtest.run import run_any
from pilothouse.backtest.simulate import Funding
from pilothouse.backtest.spec import (
    BacktestSpec,
    FeeTier,
    FillAt,
    Margin,
    Market,
    Ranking,
    Slip,
    funding_key,
    inside_key,
)
from pilothouse.core.candles import Candles
from pilothouse.core.errors import Invalid
from pilothouse.core.limits import Limits
from pilothouse.strategies.parameters import Params
from pilothouse.strategies.rules import Distance, Exits, Rules, Size, SizeBy, Target
from pilothouse.strategies.sdk import Bar, Columns, Filled, Happening, Signals, Turn, Want
from pilothouse.strategies.view import View
from tests.unit.backtest.bar_cases import HOUR_MS, random_candles
from tests.unit.backtest.inside_cases import bars_over, tape_of

PAGE = Path(__file__).parents[3] / "docs" / "use" / "combinations.md"
SYMBOLS = ("AAA", "BBB")
BARS = 90


@dataclass(frozen=True)
class Asked:
    """What a row of the page asks of a strategy: prices beside the close, how it leaves, how large it is."""

    limit: float = 0.0
    trigger: float = 0.0
    exits: Exits = field(default_factory=Exits)
    leaves: bool = True
    percent: float = 60.0


class InColumns(Columns):
    """Goes long and short by turns."""

    name = "asked"
    title = "Asked, by columns"

    def __init__(self, asked: Asked) -> None:
        self.asked = asked

    def warm_up(self, p: Params) -> int:
        """Return none."""
        return 0

    def signals(self, view: View, p: Params) -> Signals:
        """Return a wish at every sixth bar."""
        count, asked = len(view.close), self.asked
        at, sign = np.arange(count) % 12, np.where(np.arange(count) % 12 < 6, 1, -1)
        found = Signals(long=at == 1, short=at == 7, rank=np.full(count, float(view.close[0])))
        if asked.limit:
            found = replace(found, limit=_halves(view.close * (1 - sign * asked.limit)))
        if asked.trigger:
            found = replace(found, trigger=_halves(view.close * (1 + sign * asked.trigger)))
        return replace(found, leave_long=at == 4, leave_short=at == 10) if asked.leaves else found

    def rules(self, p: Params) -> Rules:
        """Return what the row asks for."""
        return Rules(self.asked.exits, Size(self.asked.percent, SizeBy.PERCENT))


def _halves(price: Any) -> Any:
    return np.rint(price * 2) / 2


class InTurns:
    """The same with orders of its own."""

    name: ClassVar[str] = "asked"
    title: ClassVar[str] = "Asked, in turns"
    parameters: ClassVar[dict[str, Any]] = {}
    many: ClassVar[bool] = True

    def __init__(self, asked: Asked) -> None:
        self.asked = asked

    def begin(self, p: Params) -> dict[str, Any]:
        """Return the count of bars of each."""
        return {}

    def decide(self, state: dict[str, Any], happening: Happening, p: Params) -> Turn:
        """Return an entry at every sixth bar, and what protects it when it was filled."""
        if isinstance(happening, Filled) and happening.key.startswith("in"):
            return Turn(state, self._exits(happening))
        if not isinstance(happening, Bar):
            return Turn(state)
        symbol, bar = happening.symbol, state.get(happening.symbol, 0)
        now, sign, close = {**state, symbol: bar + 1}, 1 if bar % 12 < 6 else -1, happening.close
        quantity = sign * Decimal(round(100 * self.asked.percent)) / close
        if bar % 12 in {4, 10} and self.asked.leaves:
            return Turn(now, (Want(f"out {symbol}", symbol, -sign * 1000 * abs(quantity), reduce_only=True),))
        if bar % 6 != 1:
            return Turn(now)
        limit, trigger = (Decimal(str(each)) for each in (self.asked.limit, self.asked.trigger))
        price = round(close * (1 - sign * limit) * 2) / Decimal(2) if limit else None
        stop = round(close * (1 + sign * trigger) * 2) / Decimal(2) if trigger else None
        return Turn(now, (Want(f"in {symbol}", symbol, quantity, price, stop),))

    def _exits(self, fill: Filled) -> tuple[Want, ...]:
        exits, sign = self.asked.exits, 1 if fill.quantity > 0 else -1
        found = []
        for key, distance, way in (("stop", exits.stop, -1), ("trail", exits.trail, -1)):
            if distance is not None:
                away = fill.price * Decimal(str(distance.value)) / 100
                level = fill.price + way * sign * away if key == "stop" else None
                trail = away if key == "trail" else None
                found.append(Want(f"{key} {fill.symbol}", fill.symbol, -fill.quantity, None, level, True, trail))
        for target in exits.targets:
            level = fill.price * (1 + sign * Decimal(str(target.at.value)) / 100)
            found.append(Want(f"target {fill.symbol}", fill.symbol, -fill.quantity, level, reduce_only=True))
        return tuple(found)


def _market(seed: int, symbol: str) -> tuple[Candles, Candles, Finer, Funding]:
    rng = np.random.default_rng(seed)
    drawn = random_candles(rng, 4 * BARS, HOUR_MS // 4)
    at = np.arange(4, 4 * BARS + 4, dtype=np.int64) * (HOUR_MS // 4)
    volume = np.maximum(drawn.volume, 10)
    shift = 20_000 - int(drawn.low.min())
    # In halves, so that a price comes back to one where it was, and no further.
    prices = {
        name: (getattr(drawn, name) + shift) // 50 * 50 for name in ("open", "high", "low", "close")
    }  # fmt: skip
    fine = replace(drawn, symbol=symbol, opened_ms=at, volume=volume, **prices)
    bars = bars_over(fine, 4)
    paid = Funding(bars.opened_ms[::4], np.full(len(bars.opened_ms[::4]), 200_000, np.int64))
    return bars, fine, tape_of(rng, fine), paid


MARKETS = {symbol: _market(seed, symbol) for seed, symbol in enumerate(SYMBOLS, 3)}
PLAIN = Asked()
Change = Callable[[BacktestSpec], BacktestSpec]


def costs(**changed: Any) -> Change:
    """Return a change of the costs."""
    return lambda spec: replace(spec, costs=replace(spec.costs, **changed))


def fills(**changed: Any) -> Change:
    """Return a change of the fills."""
    return lambda spec: replace(spec, fills=replace(spec.fills, **changed))


def of(**changed: Any) -> Change:
    """Return a change of the spec."""
    return lambda spec: replace(spec, **changed)


NEAR = Asked(limit=0.001)
BORROWS = Asked(percent=1_500.0)
ROWS: dict[str, tuple[Asked, Asked, Change, Change]] = {
    # what is wished of the strategy before and with it; what of the spec before and with it
    "market orders": (replace(PLAIN, percent=0.0001), PLAIN, of(), of()),
    "entry at a limit": (PLAIN, NEAR, of(), of()),
    "entry at a stop": (PLAIN, Asked(trigger=0.001), of(), of()),
    "entry at a stop-limit": (
        Asked(trigger=0.001), Asked(limit=-0.002, trigger=0.001), costs(slip=Slip.FIXED, slip_ppm=9_000), of()
    ),
    "reduce-only": (Asked(leaves=False), PLAIN, of(), of()),
    "stop": (PLAIN, Asked(exits=Exits(stop=Distance(0.3))), of(), of()),
    "target": (PLAIN, Asked(exits=Exits(targets=(Target(Distance(0.3)),))), of(), of()),
    "trailing stop": (PLAIN, Asked(exits=Exits(trail=Distance(0.3))), of(), of()),
    "rules beside the strategy": (PLAIN, PLAIN, of(), of(rules=Rules(size=Size(5.0)))),
    "limit must be crossed": (NEAR, NEAR, of(), fills(through=True)),
    "entries wait for bars": (Asked(limit=0.004), Asked(limit=0.004), of(), fills(rest=4)),
    "fill at the close": (PLAIN, PLAIN, of(), fills(at=FillAt.CLOSE)),
    "inside along candles": (NEAR, NEAR, fills(volume_ppm=400_000), fills(finer="15m")),
    "inside along trades": (NEAR, NEAR, fills(volume_ppm=400_000), fills(finer="trades")),
    "latency in bars": (PLAIN, PLAIN, of(), fills(latency=1)),
    "latency in milliseconds": (PLAIN, PLAIN, of(), fills(latency_ms=1)),
    "latency in milliseconds, inside": (PLAIN, PLAIN, fills(finer="15m"), fills(latency_ms=HOUR_MS // 4)),
    "share of volume": (PLAIN, PLAIN, of(), fills(volume_ppm=10_000)),
    "maker fee": (NEAR, NEAR, of(), costs(maker_ppm=900)),
    "taker fee": (PLAIN, PLAIN, of(), costs(taker_ppm=900)),
    "fee tiers": (PLAIN, PLAIN, costs(taker_ppm=900), costs(tiers=(FeeTier(Decimal(100), 0, 100),))),
    "slippage, fixed": (PLAIN, PLAIN, of(), costs(slip=Slip.FIXED, slip_ppm=500)),
    "slippage, spread": (PLAIN, PLAIN, of(), costs(slip=Slip.SPREAD, slip_ppm=500)),
    "slippage by share of volume": (PLAIN, PLAIN, of(), costs(slip=Slip.VOLUME, slip_ppm=9_000)),
    "slippage by square root": (PLAIN, PLAIN, of(), costs(slip=Slip.IMPACT, slip_ppm=9_000)),
    "funding history": (PLAIN, PLAIN, of(), costs(funding=True)),
    "interest on what is borrowed": (PLAIN, PLAIN, of(), costs(borrow_ppm_year=500_000)),
    "leverage": (Asked(percent=300.0), Asked(percent=300.0), of(), of(leverage=10)),
    "cross margin": (BORROWS, BORROWS, of(leverage=40), of(margin=Margin.CROSS)),
    "cost of liquidation": (BORROWS, BORROWS, of(leverage=40), costs(liquidation_ppm=50_000)),
    "limits that the loop asks": (PLAIN, PLAIN, of(), of(limits=Limits(order_notional_max=Decimal(100)))),
    "any other limit": (PLAIN, PLAIN, of(), of(limits=Limits(orders_per_day_max=1))),
    "positions at most": (Asked(leaves=False), Asked(leaves=False), of(leverage=4), of(positions_most=1)),
    "ranking": (PLAIN, PLAIN, of(positions_most=1), of(ranking=Ranking.FIRST)),
}  # fmt: skip


def told_by_the_page() -> dict[str, list[str]]:
    """Return the cells of each row."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")][2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in rows}


WAYS = [(kind, shape) for kind in (InColumns, InTurns) for shape in ("one", "several", "hedged")]


def done(kind: Any, shape: str, asked: Asked, *changes: Change) -> tuple[str, str]:
    """Return how a run is carried out, and what identifies its result."""
    symbols = SYMBOLS if shape == "several" else SYMBOLS[:1]
    data = {symbol: MARKETS[symbol][0] for symbol in symbols}
    markets = tuple(Market("aster", symbol, Decimal("0.001")) for symbol in symbols)
    spec = BacktestSpec(
        "asked", "0", {}, markets, "1h", 0, 10**12, {symbol: each.fingerprint() for symbol, each in data.items()},
        positions_most=4, hedge=shape == "hedged",
    )  # fmt: skip
    for change in changes:
        spec = change(spec)
    strategy, finer = kind(asked), dict[str, Finer]()
    wished = spec.positions_most != 4 or spec.ranking is not Ranking.COLUMN
    try:
        if kind is InTurns and wished:
            wish = Wish("asked", "0", {}, "aster", "1h", markets=symbols, hedge=spec.hedge, positions=1)
            spec_of_many(replace(wish, ranking=spec.ranking), strategy, data)
        if spec.fills.finer is not None:
            finer = {each: MARKETS[each][2] if spec.fills.finer == "trades" else MARKETS[each][1] for each in symbols}
            told = {inside_key(symbol): below.fingerprint() for symbol, below in finer.items()}
            spec = replace(spec, data={**spec.data, **told})
        paid = {symbol: MARKETS[symbol][3] for symbol in symbols}
        if spec.costs.funding:
            told = {funding_key(symbol): rates.fingerprint() for symbol, rates in paid.items()}
            spec = replace(spec, data={**spec.data, **told})
        result, engine = run_any(spec, data, strategy, funding=paid, finer=finer or None)
    except Invalid:
        return "refused", ""
    return "compiled" if engine == COMPILED else "in turns", f"{result.digest()} {result.denials}"


def test_the_page_tells_of_every_wish_there_is() -> None:
    """A wish that nobody wrote down is one that nobody tried."""
    assert list(told_by_the_page()) == list(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_every_cell_of_the_page_is_true_and_nothing_is_ignored(row: str) -> None:
    """Each is carried out as the page says or refused; what is carried out changes what comes out."""
    before, asked, base, change = ROWS[row]
    for cell, (kind, shape) in zip(told_by_the_page()[row], WAYS, strict=True):
        if cell == "-":
            continue
        how, came = done(kind, shape, asked, base, change)
        assert how == cell, f"{kind.__name__}, {shape}"
        if how != "refused":
            plain = done(kind, shape, before, base)
            assert plain[0] != "refused", f"{kind.__name__}, {shape}: nothing to compare with"
            assert came != plain[1], f"{kind.__name__}, {shape}: {row} changes nothing"
