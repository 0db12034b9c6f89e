"""Whole-number division with a named direction. The room counts in integers, so this is all its rounding."""


def divided_up(value: int, by: int) -> int:
    """Return `value / by` rounded up; `by` is above zero. Fees and margins: in the venue's favour."""
    return -(-value // by)


def divided_even(value: int, by: int) -> int:
    """Return `value / by` rounded to the nearest whole number, halves to even; `by` is above zero.

    The same rule as core.position has for the share of a cost that closing takes, so that books and venue agree to
    the unit.
    """
    quotient, rest = divmod(value, by)
    twice = 2 * rest
    if twice > by or (twice == by and quotient & 1):
        return quotient + 1
    return quotient


def clamped(value: int, low: int, high: int) -> int:
    """Return `value`, or the bound it lies beyond; `low` is at most `high`."""
    return max(low, min(value, high))
