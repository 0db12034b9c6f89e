"""Funding: every eight hours of the clock, longs pay shorts when the rate is above zero.

Source of the rate: premium + clamp(interest - premium, -0.05 %, +0.05 %) with interest 0.01 % per eight hours, as
USD-margined venues publish it, so that a market near its index pays 0.01 %.
"""

from pilothouse.simulation.contracts import Contract
from pilothouse.simulation.division import clamped, divided_up
from pilothouse.simulation.market import MarketState

INTERVAL_US = 8 * 3_600 * 1_000_000
"""Eight hours in microseconds; counted from 1970 they fall on 00:00, 08:00 and 16:00 UTC."""

RATE_UNIT = 100_000_000
"""Rates are whole numbers of 0.00000001."""

_INTEREST = 10_000
_INTEREST_CLAMP = 50_000
_RATE_MAX = 300_000


def due_between(before_us: int, now_us: int) -> int | None:
    """Return the latest funding instant after `before_us`, at most `now_us`, or None.

    At most one is due however much time has passed: the simulated market stands still while nobody runs it.
    """
    latest = now_us - now_us % INTERVAL_US
    return latest if latest > before_us else None


def rate(state: MarketState) -> int:
    """Return the rate of this interval, in units of 0.00000001; a tenth of the distance from the anchor is premium."""
    premium = (state.level - state.anchor) * RATE_UNIT // state.anchor // 10
    return clamped(premium + clamped(_INTEREST - premium, -_INTEREST_CLAMP, _INTEREST_CLAMP), -_RATE_MAX, _RATE_MAX)


def payment(contract: Contract, lots: int, mark: int, rate_now: int) -> int:
    """Return what a position of `lots` (signed) receives (above zero) or pays, quote units, in the venue's favour."""
    return -divided_up(lots * mark * contract.unit * rate_now, RATE_UNIT)
