"""Exact arithmetic of kernels: whole numbers in, whole numbers out, each rounding against the trader.

A unit is one tick times one lot. Nothing here overflows as long as the bounds hold that `backtest/scaling.py` checks
before a run.
"""

from typing import Any

from pilothouse.strategies.indicators.compiling import compiled

BILLION = 1_000_000_000
MILLION = 1_000_000


@compiled
def share_up(value: Any, ppb: Any) -> Any:
    """Return value x ppb / 10^9, rounded up; value zero or more, ppb 0 to 10^9."""
    whole, rest = value // BILLION, value % BILLION
    return whole * ppb + (rest * ppb + BILLION - 1) // BILLION


@compiled
def share_down(value: Any, ppb: Any) -> Any:
    """Return value x ppb / 10^9, rounded down; value zero or more, ppb 0 to 10^9."""
    whole, rest = value // BILLION, value % BILLION
    return whole * ppb + rest * ppb // BILLION


@compiled
def part(value: Any, numerator: Any, denominator: Any) -> Any:
    """Return value x numerator / denominator, rounded down, without a product that overflows.

    value zero or more; 0 <= numerator <= denominator
    """
    if numerator == denominator:
        return value
    whole, rest = value // denominator, value % denominator
    return whole * numerator + rest * numerator // denominator


@compiled
def distance(price: Any, ppm: Any) -> Any:
    """Return so many millionths of a price in whole ticks, at least one."""
    found = price * ppm // MILLION
    return max(found, 1)
