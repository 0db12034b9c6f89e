"""The price of one simulated market: seed and state in, next state out.

A random walk that is drawn back towards an anchor, in whole numbers only, from a hash of (seed, symbol, step): the
same seed is the same path on every machine, and a market goes on from its state without knowing its history.
"""

import hashlib
import math
from dataclasses import dataclass, replace
from typing import NamedTuple

from pilothouse.simulation.contracts import Contract
from pilothouse.simulation.division import clamped

STEP_US = 250_000
"""Microseconds between two steps of a market."""

FINE = 1_000_000
"""The level counts in millionths of a tick, because one step of a calm market is smaller than a tick."""

# Eight sixteen-bit draws added up: near enough to a bell, bounded, and their standard deviation is 65,536 x sqrt(8/12).
_DRAWS = 8
_DRAWS_MEAN = _DRAWS * 65_535 // 2
_DRAWS_SIGMA = 53_509

# Pulled back by five millionths of the distance per step: a half-life of about nine hours, and a spread of a percent.
_PULL_PPM = 5


@dataclass(frozen=True, slots=True)
class MarketState:
    """Where a market is.

    step     how many steps it has made
    level    millionths of a tick; the mark price is its whole part
    anchor   what it is drawn back to, likewise
    last     last trade, ticks
    """

    symbol: str
    step: int
    level: int
    anchor: int
    last: int


class Prices(NamedTuple):
    """Best prices in ticks: bid below mark, mark at most ask."""

    bid: int
    mark: int
    ask: int
    last: int


def opening(contract: Contract) -> MarketState:
    """Return a market that has not moved yet."""
    level = contract.start_ticks * FINE
    return MarketState(contract.symbol, 0, level, level, contract.start_ticks)


def noise(seed: int, symbol: str, step: int, use: str, size: int) -> bytes:
    """Return `size` bytes (at most 64) that depend on nothing but the arguments."""
    return hashlib.blake2b(f"{seed}|{symbol}|{step}|{use}".encode(), digest_size=size).digest()


def advance(contract: Contract, state: MarketState, seed: int, stride: int = 1) -> MarketState:
    """Return the market one step later; `stride` is how many ordinary steps that one stands for."""
    step = state.step + 1
    drawn = noise(seed, state.symbol, step, "walk", 2 * _DRAWS + 1)
    total = sum(int.from_bytes(drawn[2 * i : 2 * i + 2], "big") for i in range(_DRAWS))
    shock_ppb = (total - _DRAWS_MEAN) * contract.sigma_ppb // _DRAWS_SIGMA
    level = state.level + state.level * shock_ppb * math.isqrt(stride * 1_000_000) // 1_000_000_000_000
    level += (state.anchor - state.level) * min(_PULL_PPM * stride, 1_000_000) // 1_000_000
    level = clamped(level, *_bounds(contract, state.anchor))
    after = MarketState(state.symbol, step, level, state.anchor, state.last)
    bid, _, ask, _ = prices(after, seed)
    return replace(after, last=ask if drawn[-1] & 1 else bid)


def moved_to(state: MarketState, ticks: int) -> MarketState:
    """Return the market with its price set by hand; it goes on from there, drawn back to the new price."""
    level = ticks * FINE
    return MarketState(state.symbol, state.step + 1, level, level, ticks)


def traded_at(state: MarketState, ticks: int) -> MarketState:
    """Return the market one step later, led by a trade of a tape: it lies where that trade was."""
    level = ticks * FINE
    return MarketState(state.symbol, state.step + 1, level, level, ticks)


def prices(state: MarketState, seed: int) -> Prices:
    """Return the best prices: a spread of one or two ticks around the mark."""
    mark = state.level // FINE
    wide = noise(seed, state.symbol, state.step, "spread", 1)[0] & 1
    return Prices(mark - 1, mark, mark + wide, state.last)


def _bounds(contract: Contract, anchor: int) -> tuple[int, int]:
    """Return the levels the walk never leaves: half and double its anchor, and two ticks at least."""
    return max(anchor // 2, 2 * FINE), max(min(anchor * 2, 10 * contract.start_ticks * FINE), anchor, 2 * FINE)
