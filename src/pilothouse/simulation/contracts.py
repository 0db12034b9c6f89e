"""What the simulated venue lets trade: three linear perpetuals, counted in whole ticks, lots and quote units.

Ticks, lots and minimum sizes have the values, and leverage and maintenance brackets the shape, that USD-margined venues
(Aster, Binance USD-M) publish in `exchangeInfo` and `leverageBracket`; the minimum notional is Aster's 5 USDT for all
three. Starting prices, volatility and depth are made up: the market is simulated and says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from pilothouse.core.instrument import Instrument
from pilothouse.core.rounding import EXACT, plain

UNITS_PER_QUOTE = 100_000_000
"""Quote amounts are whole numbers of 0.00000001 USDT."""

SETTLEMENT = "USDT"


@dataclass(frozen=True, slots=True)
class Bracket:
    """One step of the maintenance margin.

    notional_floor, notional_cap   quote units; the cap belongs to this bracket
    maintenance_ppm                share of the notional, parts per million
    deduction                      quote units taken off, so that the margin has no jump between brackets
    leverage_max                   most leverage for a position of this size
    """

    notional_floor: int
    notional_cap: int
    maintenance_ppm: int
    deduction: int
    leverage_max: int


@dataclass(frozen=True, slots=True)
class Contract:
    """An instrument with everything the simulation needs to know of it, in whole numbers.

    unit               quote units per tick and lot: lots x ticks x unit is a notional
    lots_min, lots_max of one order
    notional_min       quote units
    start_ticks        made-up price at which a new market starts
    sigma_ppb          standard deviation of one step of the price, parts per billion
    depth_min, depth_max  lots on one level of the crowd's ladder
    gap_max            most ticks between two of its levels
    flow_min, flow_max lots that the crowd trades against resting orders per step and side
    maker_ppm, taker_ppm, liquidation_ppm   commissions, parts per million of the notional; a forced close costs less
                       than the smallest maintenance margin, so that closing one position does not ruin the next
    delivers_us        when it ends, microseconds since 1970; None: never
    """

    instrument: Instrument
    unit: int
    lots_min: int
    lots_max: int
    notional_min: int
    start_ticks: int
    sigma_ppb: int
    depth_min: int
    depth_max: int
    gap_max: int
    flow_min: int
    flow_max: int
    brackets: tuple[Bracket, ...]
    maker_ppm: int = 200
    taker_ppm: int = 500
    liquidation_ppm: int = 2_000
    delivers_us: int | None = None

    @property
    def symbol(self) -> str:
        """Return the venue's name of it."""
        return self.instrument.symbol

    def price_text(self, ticks: int) -> str:
        """Return a price for people."""
        return plain(EXACT.multiply(Decimal(ticks), self.instrument.tick))

    def quantity_text(self, lots: int) -> str:
        """Return a quantity for people."""
        return f"{plain(EXACT.multiply(Decimal(lots), self.instrument.lot))} {self.instrument.base}"


def brackets(*steps: tuple[int, int, int]) -> tuple[Bracket, ...]:
    """Return brackets from (cap in whole quote currency, maintenance ppm, leverage), smallest first."""
    found: list[Bracket] = []
    floor, ppm_before, deduction = 0, steps[0][1], 0
    for cap, ppm, leverage in steps:
        deduction += floor * (ppm - ppm_before) // 1_000_000
        found.append(Bracket(floor, cap * UNITS_PER_QUOTE, ppm, deduction, leverage))
        floor, ppm_before = cap * UNITS_PER_QUOTE, ppm
    return tuple(found)


def whole(value: Decimal, step: Decimal) -> int:
    """Return how many steps `value` is; it is a whole number of them."""
    count = EXACT.divide(value, step)
    assert count == count.to_integral_value(), "a table of ours lies on its own grid"
    return int(count)


def _contract(
    instrument: Instrument,
    start: str,
    sigma_ppb: int,
    depth: tuple[int, int],
    gap_max: int,
    steps: tuple[Bracket, ...],
) -> Contract:
    """Return the contract; depth in whole units of base."""
    tick, lot = instrument.tick, instrument.lot
    lots_per_base = whole(Decimal(1), lot)
    return Contract(
        instrument=instrument,
        unit=whole(EXACT.multiply(EXACT.multiply(tick, lot), Decimal(UNITS_PER_QUOTE)), Decimal(1)),
        lots_min=whole(instrument.quantity_min, lot),
        lots_max=whole(instrument.quantity_max, lot),
        notional_min=whole(EXACT.multiply(instrument.notional_min, Decimal(UNITS_PER_QUOTE)), Decimal(1)),
        start_ticks=whole(Decimal(start), tick),
        sigma_ppb=sigma_ppb,
        depth_min=depth[0] * lots_per_base,
        depth_max=depth[1] * lots_per_base,
        gap_max=gap_max,
        flow_min=depth[0] * lots_per_base // 2,
        flow_max=depth[1] * lots_per_base // 2,
        brackets=steps,
    )


def _instrument(base: str, tick: str, lot: str, most: str, price_max: str, leverage: int) -> Instrument:
    return Instrument(
        symbol=f"{base}{SETTLEMENT}",
        base=base,
        quote=SETTLEMENT,
        tick=Decimal(tick),
        lot=Decimal(lot),
        quantity_min=Decimal(lot),
        quantity_max=Decimal(most),
        notional_min=Decimal(5),
        price_min=Decimal(tick) * 10,
        price_max=Decimal(price_max),
        leverage_max=leverage,
    )


_MILLION = 1_000_000

CONTRACTS: Mapping[str, Contract] = MappingProxyType(
    {
        contract.symbol: contract
        for contract in (
            _contract(
                _instrument("BTC", "0.1", "0.001", "1000", "1000000", 125),
                start="65000",
                sigma_ppb=25_000,
                depth=(5, 30),
                gap_max=8,
                steps=brackets(
                    (50_000, 4_000, 125),
                    (600_000, 5_000, 100),
                    (3 * _MILLION, 6_500, 75),
                    (12 * _MILLION, 10_000, 50),
                    (70 * _MILLION, 20_000, 25),
                    (100 * _MILLION, 25_000, 20),
                    (230 * _MILLION, 50_000, 10),
                    (500 * _MILLION, 100_000, 5),
                    (1_000 * _MILLION, 150_000, 3),
                    (10_000 * _MILLION, 500_000, 1),
                ),
            ),
            _contract(
                _instrument("ETH", "0.01", "0.001", "10000", "100000", 100),
                start="3200",
                sigma_ppb=32_000,
                depth=(60, 400),
                gap_max=6,
                steps=brackets(
                    (50_000, 5_000, 100),
                    (600_000, 6_500, 75),
                    (3 * _MILLION, 10_000, 50),
                    (12 * _MILLION, 20_000, 25),
                    (50 * _MILLION, 25_000, 20),
                    (150 * _MILLION, 50_000, 10),
                    (300 * _MILLION, 100_000, 5),
                    (10_000 * _MILLION, 500_000, 1),
                ),
            ),
            _contract(
                _instrument("SOL", "0.01", "0.01", "100000", "10000", 50),
                start="150",
                sigma_ppb=40_000,
                depth=(500, 4_000),
                gap_max=2,
                steps=brackets(
                    (50_000, 10_000, 50),
                    (500_000, 15_000, 40),
                    (2 * _MILLION, 20_000, 25),
                    (10 * _MILLION, 50_000, 10),
                    (40 * _MILLION, 100_000, 5),
                    (5_000 * _MILLION, 500_000, 1),
                ),
            ),
        )
    }
)
"""Symbol -> contract, in the order in which they are shown."""
