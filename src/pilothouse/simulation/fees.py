"""Commissions: a share of the notional, rounded up to the quote unit, in the venue's favour."""

from pilothouse.simulation.contracts import Contract
from pilothouse.simulation.division import divided_up


def commission(contract: Contract, notional: int, *, maker: bool) -> int:
    """Return what trading `notional` (quote units, zero or more) costs, quote units."""
    return divided_up(notional * (contract.maker_ppm if maker else contract.taker_ppm), 1_000_000)


def liquidation_fee(contract: Contract, notional: int) -> int:
    """Return what a forced close of `notional` costs, quote units."""
    return divided_up(notional * contract.liquidation_ppm, 1_000_000)
