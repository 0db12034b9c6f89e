"""From what somebody else's venue lets trade to a contract in whole numbers, checked to stay far from what they hold.

What no venue tells without an account is of a usual shape: the steps of the maintenance margin follow from the most
leverage, half of the first margin each.
"""

from dataclasses import replace
from decimal import Decimal

from pilothouse.core.instrument import Instrument
from pilothouse.core.rounding import EXACT, down, up
from pilothouse.simulation.contracts import UNITS_PER_QUOTE, Bracket, Contract, brackets, whole

POSITION_MOST = 100_000_000
"""The largest position, whole units of quote currency: nine hundredfold, it still fits into 64 bits of quote units."""

MAKER_PPM, TAKER_PPM = 200, 500

_STEPS = ((50_000, 125), (600_000, 100), (3_000_000, 75), (12_000_000, 50), (70_000_000, 25), (POSITION_MOST, 20))
_LIQUIDATION_PPM = 2_000


class Unfit(ValueError):
    """An instrument that cannot be counted in whole numbers that are small enough."""


def contract_of(instrument: Instrument, maker_ppm: int = MAKER_PPM, taker_ppm: int = TAKER_PPM) -> Contract:
    """Return the contract of an instrument. Raises Unfit.

    Where tick times lot is finer than a quote unit, the lot becomes the smallest multiple that is not, and the bounds
    of a quantity go inwards with it. A lot at the highest price is worth the largest position at most, and so is an
    order at the lowest price: so every product here fits into 64 bits.
    """
    tick, lot = instrument.tick, instrument.lot
    if tick <= 0 or lot <= 0:
        raise Unfit(f"{instrument.symbol} has no grid")
    worth = EXACT.multiply(EXACT.multiply(tick, lot), Decimal(UNITS_PER_QUOTE))
    _, coarser = worth.as_integer_ratio()
    lot, unit = EXACT.multiply(lot, Decimal(coarser)), whole(EXACT.multiply(worth, Decimal(coarser)), Decimal(1))
    most = POSITION_MOST * UNITS_PER_QUOTE // unit
    counted = Decimal(most)
    quantity_min = max(up(instrument.quantity_min, lot), lot)
    quantity_max = min(down(instrument.quantity_max, lot), EXACT.multiply(counted, lot))
    price_max = min(down(instrument.price_max, tick), EXACT.multiply(counted, tick))
    price_min = max(up(instrument.price_min, tick), tick)
    if quantity_min > quantity_max or price_min > price_max:
        raise Unfit(f"nothing of {instrument.symbol} fits between its bounds")
    own = replace(
        instrument,
        lot=lot,
        quantity_min=quantity_min,
        quantity_max=quantity_max,
        price_min=price_min,
        price_max=price_max,
        leverage_max=max(1, instrument.leverage_max),
    )
    steps = brackets_for(own.leverage_max)
    return Contract(
        instrument=own,
        unit=unit,
        lots_min=whole(quantity_min, lot),
        lots_max=whole(quantity_max, lot),
        notional_min=whole(up(EXACT.multiply(own.notional_min, Decimal(UNITS_PER_QUOTE)), Decimal(1)), Decimal(1)),
        start_ticks=0,
        sigma_ppb=0,
        depth_min=0,
        depth_max=0,
        gap_max=1,
        flow_min=0,
        flow_max=0,
        brackets=steps,
        maker_ppm=maker_ppm,
        taker_ppm=taker_ppm,
        liquidation_ppm=min(_LIQUIDATION_PPM, steps[0].maintenance_ppm // 2),
    )


def brackets_for(leverage_max: int) -> tuple[Bracket, ...]:
    """Return maintenance brackets of the usual shape; what has no leverage needs no margin to be kept."""
    if leverage_max == 1:
        return brackets((POSITION_MOST, 0, 1))
    steps: list[tuple[int, int, int]] = []
    for cap, most in _STEPS:
        leverage = min(leverage_max, most) if steps else leverage_max
        if steps and steps[-1][2] == leverage:
            steps.pop()
        steps.append((cap, 500_000 // leverage, leverage))
    return brackets(*steps)
