"""Commissions: a share of the notional, rounded up to the quote unit, in the venue's favour."""

from pilothouse.simulation.contracts import Contract
from pilothouse.simulation.division import divided_up


def commission(contract: Contract, notional: int, *, maker: bool, own_ppm: int | None = None) -> int:
    """Return what trading `notional` (quote units, zero or more) costs, quote units.

    own_ppm   the account's own rate; None: the contract's
    """
    rate = own_ppm if own_ppm is not None else contract.maker_ppm if maker else contract.taker_ppm
    return divided_up(notional * rate, 1_000_000)


def liquidation_fee(contract: Contract, notional: int) -> int:
    """Return what a forced close of `notional` costs, quote units."""
    return divided_up(notional * contract.liquidation_ppm, 1_000_000)
