"""How large an order should be: a size, equity and prices in; a quantity on the lot grid out.

Pure. Every rounding is down, so that a size never costs more than it was allowed to; what falls below the venue's
minimum is refused with the numbers, never raised to it.
"""

from decimal import Decimal

from pilothouse.core.errors import Refused
from pilothouse.core.instrument import Instrument, Quantity
from pilothouse.core.rounding import EXACT, plain
from pilothouse.core.signals import Size, SizeKind

HUNDRED = Decimal(100)


class SizeBelowMinimum(Refused):
    """The venue does not take so small an order."""

    code = "size_below_minimum"


class SizeAboveMaximum(Refused):
    """The venue does not take so large an order."""

    code = "size_above_maximum"


class SizeNeedsStop(Refused):
    """A size by risk needs a stop on the losing side of the entry."""

    code = "size_needs_stop"


def quantity_for(
    size: Size, instrument: Instrument, price: Decimal, equity: Decimal, stop: Decimal | None = None
) -> Quantity:
    """Return the quantity that `size` stands for, rounded down to the lot; it may be below the venue's minimum.

    price    expected entry, quote per base, above zero
    equity   account value, quote; zero or less sizes to nothing
    stop     stop price, needed for RISK_PERCENT only

    Raises SizeNeedsStop. Leaves out fees and slippage.
    """
    equity = max(equity, Decimal(0))
    match size.kind:
        case SizeKind.QUANTITY:
            wanted = size.value
        case SizeKind.QUOTE_AMOUNT:
            wanted = EXACT.divide(size.value, price)
        case SizeKind.EQUITY_PERCENT:
            wanted = EXACT.divide(EXACT.multiply(equity, size.value), EXACT.multiply(HUNDRED, price))
        case SizeKind.RISK_PERCENT:
            if stop is None or stop == price:
                raise SizeNeedsStop("risk_percent needs a stop_loss away from the entry price")
            stake = EXACT.divide(EXACT.multiply(equity, size.value), HUNDRED)
            wanted = EXACT.divide(stake, EXACT.abs(EXACT.subtract(price, stop)))
    return instrument.quantity_down(wanted)


def within_bounds(
    quantity: Quantity, instrument: Instrument, price: Decimal, *, reduces: bool, wanted: str = ""
) -> Quantity:
    """Return `quantity` if the venue takes it.

    reduces   whether it only reduces a position: then no minimal notional is asked
    wanted    what was asked for, to be named in the error

    Raises SizeBelowMinimum or SizeAboveMaximum with both numbers.
    """
    asked = f" ({wanted})" if wanted else ""
    if quantity < instrument.quantity_min:
        raise SizeBelowMinimum(
            f"{plain(quantity)} {instrument.base}{asked} is below the minimum of {plain(instrument.quantity_min)} "
            f"{instrument.base} for {instrument.symbol} (lots of {plain(instrument.lot)}, rounded down)"
        )
    if quantity > instrument.quantity_max:
        raise SizeAboveMaximum(
            f"{plain(quantity)} {instrument.base}{asked} is above the maximum of {plain(instrument.quantity_max)} "
            f"{instrument.base} for one order of {instrument.symbol}"
        )
    worth = instrument.notional(price, quantity)
    if not reduces and worth < instrument.notional_min:
        raise SizeBelowMinimum(
            f"{plain(quantity)} {instrument.base}{asked} at {plain(price)} is worth {plain(worth)} {instrument.quote}, "
            f"below the minimum of {plain(instrument.notional_min)} {instrument.quote} for {instrument.symbol}"
        )
    return quantity
