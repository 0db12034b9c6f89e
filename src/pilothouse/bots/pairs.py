"""Stop and target that wait for the same coins, where a venue ties two orders to each other (OCO): which are tied.

Pure. Coins are locked by what waits for them, so each share of a position has a pair of its own: its target, and a stop
of the same size. What has no pair has the plain stop.
"""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Final

PAIRS_MOST: Final = 2
"""Two pairs and a stop are five orders that wait for a price: Binance takes no more (MAX_NUM_ALGO_ORDERS)."""

PAIR_STOP: Final = "stop:"
"""The place of the stop of a pair, before the number of its target."""


def paired(
    sizes: Mapping[int, Decimal], left_out: Collection[int], held: Decimal, least: Decimal
) -> tuple[tuple[int, ...], Decimal]:
    """Return which targets get a pair, the next ones first, and what is left for the plain stop, base.

    sizes      what each target that is due closes, base, together at most `held`
    left_out   targets that the house keeps, because the venue did not take their pair
    least      what the venue takes in one order, base: no smaller rest is left to the plain stop
    """
    chosen = [number for number in sorted(sizes) if number not in left_out and sizes[number] >= least][:PAIRS_MOST]
    rest = held - sum((sizes[number] for number in chosen), Decimal(0))
    while chosen and 0 < rest < least:
        rest += sizes[chosen.pop()]
    return tuple(chosen), rest


def is_stop(place: str) -> bool:
    """Say whether what stands in a place closes at a loss, or where a trail turns back."""
    return place == "stop" or place.startswith(PAIR_STOP)


def other_half(place: str) -> str:
    """Return the place of the other half of a pair; empty for a stop that has none."""
    if place.startswith(PAIR_STOP):
        return f"target:{place.removeprefix(PAIR_STOP)}"
    return f"{PAIR_STOP}{place.removeprefix('target:')}" if place.startswith("target:") else ""
