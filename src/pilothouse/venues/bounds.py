"""What a venue would refuse is refused here, before it is sent: an order and its instrument's rules go in."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from pilothouse.core.errors import Refused
from pilothouse.core.instrument import Instrument, Side
from pilothouse.core.order import OrderType
from pilothouse.core.rounding import EXACT, is_on_grid, plain
from pilothouse.venues.port import OrderRequest, Rejected

NO_BOUND: Final = Decimal(1_000_000_000_000)

Codes = Mapping[str, str]
"""A venue's own code for each of the reasons here, where it has one."""

_OURS: Final[Codes] = MappingProxyType({})


class LeverageOutOfRange(Refused):
    """The instrument has no such leverage."""

    code = "leverage_out_of_range"


@dataclass(frozen=True, slots=True)
class Rules:
    """One instrument and what the venue asks of orders in it.

    market_min, market_max   of a market order, base
    up, down                 a buy at most at mark x up, a sell at least at mark x down; None: no such bound
    """

    instrument: Instrument
    market_min: Decimal = Decimal(0)
    market_max: Decimal = NO_BOUND
    up: Decimal | None = None
    down: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Market:
    """What is known of a symbol without asking: its rules, and its mark price if a fresh one is known."""

    rules: Rules | None
    mark: Decimal | None


def refusal(request: OrderRequest, market: Market, codes: Codes = _OURS) -> Rejected | None:
    """Return why the venue would not take `request`, or None; what is not known is the venue's to check.

    codes   what the venue calls price_min, price_max, tick, quantity_min, quantity_max, lot, notional_min, price_up
            and price_down
    """
    if market.rules is None:
        return None
    found = _reason(request, market.rules, market.mark)
    if found is None:
        return None
    reason, why = found
    return Rejected(codes.get(reason, reason), f"not sent: {why}")


def client_id_refusal(name: str, most: int) -> Rejected | None:
    """Return why a client order id would be taken at hardly any exchange, or None: letters and digits, up to `most`."""
    if name.isascii() and name.isalnum() and len(name) <= most:
        return None
    return Rejected("client_order_id", f"not sent: {name[:40]!r} is not made of 1 to {most} letters and digits")


def _reason(request: OrderRequest, rules: Rules, mark: Decimal | None) -> tuple[str, str] | None:
    terms, instrument = request.terms, rules.instrument
    for price in (terms.price, terms.stop_price):
        why = _price_refusal(price, instrument) if price is not None else None
        if why is not None:
            return why
    if not request.close_position:
        why = _quantity_refusal(request, rules) or _notional_refusal(request, instrument, mark)
        if why is not None:
            return why
    if terms.type is OrderType.LIMIT and terms.price is not None and mark is not None:
        return _band_refusal(terms.side, terms.price, rules, mark)
    return None


def _price_refusal(price: Decimal, instrument: Instrument) -> tuple[str, str] | None:
    if price < instrument.price_min:
        return "price_min", f"{plain(price)} is below the least price {plain(instrument.price_min)}"
    if price > instrument.price_max:
        return "price_max", f"{plain(price)} is above the highest price {plain(instrument.price_max)}"
    if not is_on_grid(price, instrument.tick) and not is_on_grid(
        EXACT.subtract(price, instrument.price_min), instrument.tick
    ):
        return "tick", f"{plain(price)} is no multiple of the tick {plain(instrument.tick)}"
    return None


def _quantity_refusal(request: OrderRequest, rules: Rules) -> tuple[str, str] | None:
    quantity, instrument = request.terms.quantity, rules.instrument
    least, most = instrument.quantity_min, instrument.quantity_max
    if request.terms.type is OrderType.MARKET:
        least, most = max(least, rules.market_min), min(most, rules.market_max)
    if quantity < least:
        return "quantity_min", f"{plain(quantity)} is less than {plain(least)}"
    if quantity > most:
        return "quantity_max", f"{plain(quantity)} is more than {plain(most)}"
    if not is_on_grid(quantity, instrument.lot):
        return "lot", f"{plain(quantity)} is no whole number of lots of {plain(instrument.lot)}"
    return None


def _notional_refusal(request: OrderRequest, instrument: Instrument, mark: Decimal | None) -> tuple[str, str] | None:
    terms = request.terms
    price = terms.price or terms.stop_price or mark
    if terms.reduce_only or price is None:
        return None
    notional = instrument.notional(price, terms.quantity)
    if notional < instrument.notional_min:
        return "notional_min", f"worth {plain(notional)}, and {plain(instrument.notional_min)} is the least"
    return None


def _band_refusal(side: Side, price: Decimal, rules: Rules, mark: Decimal) -> tuple[str, str] | None:
    if side is Side.BUY and rules.up is not None and price > EXACT.multiply(mark, rules.up):
        return "price_up", f"{plain(price)} is more than {plain(rules.up)} times the mark price {plain(mark)}"
    if side is Side.SELL and rules.down is not None and price < EXACT.multiply(mark, rules.down):
        return "price_down", f"{plain(price)} is less than {plain(rules.down)} times the mark price {plain(mark)}"
    return None
