"""Margin of one position: initial, maintenance by brackets, and the price at which it would be liquidated."""

from pilothouse.simulation.contracts import Bracket, Contract
from pilothouse.simulation.division import divided_up

_PPM = 1_000_000


def bracket_for(contract: Contract, notional: int) -> Bracket:
    """Return the bracket a position of `notional` (quote units, zero or more) lies in; beyond all of them, the last."""
    for bracket in contract.brackets:
        if notional <= bracket.notional_cap:
            return bracket
    return contract.brackets[-1]


def initial(notional: int, leverage: int) -> int:
    """Return the margin that holding `notional` binds, quote units, rounded up."""
    return divided_up(notional, leverage)


def maintenance(contract: Contract, notional: int) -> int:
    """Return the margin below which a position of `notional` is closed by force, quote units, rounded up."""
    bracket = bracket_for(contract, notional)
    return divided_up(notional * bracket.maintenance_ppm, _PPM) - bracket.deduction


def required(position: int, buys: int, sells: int, leverage: int) -> int:
    """Return the initial margin of a position and its open orders in one instrument, quote units.

    position      notional at the mark, signed
    buys, sells   notional of open orders that may add exposure

    The worse of all buys and all sells filling, as one-way venues reckon; an order that only turns a position down
    binds nothing.
    """
    return initial(max(abs(position), abs(position + buys), abs(position - sells)), leverage)


def liquidation_ticks(contract: Contract, lots: int, cost: int, backing: int, mark: int) -> int | None:
    """Return the mark price at which a position would be liquidated, or None if no price above zero does it.

    lots, cost   signed, not zero
    backing      quote units: the position's own margin if isolated; if cross, the cross wallet and the open results
                 less the maintenance of all other positions

    Solves backing + lots x price - cost = |lots| x price x rate - deduction, with the bracket found by trying: a
    larger price may mean a higher bracket. Rounded towards the safe side, so it is told too early, never too late.
    """
    ticks = mark
    for _ in range(len(contract.brackets)):
        bracket = bracket_for(contract, abs(lots) * ticks * contract.unit)
        slope = (abs(lots) * bracket.maintenance_ppm - lots * _PPM) * contract.unit
        value = (backing + bracket.deduction - cost) * _PPM
        if slope < 0:  # long: the higher tick is nearer to the mark
            value, slope = -value, -slope
            found = divided_up(value, slope)
        else:
            found = value // slope
        if found <= 0:
            return None
        if bracket_for(contract, abs(lots) * found * contract.unit) is bracket:
            return found
        ticks = found
    return ticks
