"""Products and quotients of whole numbers that are larger than 64 bits on their way, and not at their end."""

from math import sqrt
from typing import Any

from pilothouse.backtest.kernels.slots import BILLION, MILLION
from pilothouse.strategies.indicators.compiling import compiled, inlined

Int = Any  # int64 in machine code, int where Python runs it


@inlined
def ppm_up(amount: Int, ppm: Int) -> Int:
    """Return `amount` x `ppm` / 1,000,000, rounded up; amount zero or more."""
    whole = amount // MILLION
    return whole * ppm + ((amount - whole * MILLION) * ppm + (MILLION - 1)) // MILLION


@inlined
def ppm_down(amount: Int, ppm: Int) -> Int:
    """Return `amount` x `ppm` / 1,000,000, rounded down; amount zero or more."""
    whole = amount // MILLION
    return whole * ppm + (amount - whole * MILLION) * ppm // MILLION


@inlined
def ppb_up(amount: Int, ppb: Int) -> Int:
    """Return `amount` x `ppb` / 1,000,000,000, rounded up; amount zero or more, ppb of any sign."""
    whole = amount // BILLION
    return whole * ppb - (-(amount - whole * BILLION) * ppb) // BILLION


@inlined
def up(amount: Int, by: Int) -> Int:
    """Return `amount` / `by`, rounded up; by above zero."""
    return -(-amount // by)


@compiled
def ppm_of(part: Int, whole: Int) -> Int:
    """Return how many millionths of `whole` `part` is, rounded up, below 2^43; at most a million."""
    return MILLION if whole <= part else up(part * MILLION, whole)


@compiled
def ppm_exact(part: Int, whole: Int) -> Int:
    """Return `part` x 1,000,000 / `whole`, rounded down; 0 <= part < whole < 2^59."""
    found, rest = 0, part
    for _digit in range(6):
        rest *= 10
        found = found * 10 + rest // whole
        rest %= whole
    return found


@compiled
def root_up(square: Int) -> Int:
    """Return the square root of `square`, rounded up; 0 to 10^12."""
    root = int(sqrt(square))
    while root * root < square:
        root += 1
    while root > 0 and (root - 1) * (root - 1) >= square:
        root -= 1
    return root


@compiled
def product(one: Int, other: Int, by: Int) -> tuple[Int, Int]:
    """Return `one` x `other` / `by`, rounded down, and the remainder; 0 <= one < by < 2^60, other from 0 to 2^40."""
    found, rest = 0, 0
    for digit in range(40, -1, -1):
        found += found
        rest += rest
        if (other >> digit) & 1:
            rest += one
        while rest >= by:
            rest -= by
            found += 1
    return found, rest
