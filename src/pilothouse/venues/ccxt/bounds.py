"""What an exchange would refuse is refused here, before it is sent: an order and its instrument's rules go in."""

from decimal import Decimal
from typing import Final

from pilothouse.core.instrument import Instrument, Side
from pilothouse.core.order import OrderType
from pilothouse.core.rounding import EXACT, is_on_grid, plain
from pilothouse.venues.ccxt.plain import Rules
from pilothouse.venues.port import OrderRequest, Rejected

CLIENT_ID_MOST: Final = 32


def refusal(request: OrderRequest, rules: Rules, mark: Decimal | None) -> Rejected | None:
    """Return why the exchange would not take `request`, or None.

    mark   the mark price, if a fresh one is known; bounds that depend on it are the exchange's to check otherwise
    """
    terms, instrument = request.terms, rules.instrument
    name = request.client_order_id
    if not (name.isascii() and name.isalnum() and len(name) <= CLIENT_ID_MOST):
        return _no("client_order_id", f"{name[:40]!r} is not made of 1 to {CLIENT_ID_MOST} letters and digits")
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


def _price_refusal(price: Decimal, instrument: Instrument) -> Rejected | None:
    if price < instrument.price_min:
        return _no("price_min", f"{plain(price)} is below the least price {plain(instrument.price_min)}")
    if price > instrument.price_max:
        return _no("price_max", f"{plain(price)} is above the highest price {plain(instrument.price_max)}")
    if not is_on_grid(price, instrument.tick) and not is_on_grid(
        EXACT.subtract(price, instrument.price_min), instrument.tick
    ):
        return _no("tick", f"{plain(price)} is no multiple of the tick {plain(instrument.tick)}")
    return None


def _quantity_refusal(request: OrderRequest, rules: Rules) -> Rejected | None:
    quantity, instrument = request.terms.quantity, rules.instrument
    least, most = instrument.quantity_min, instrument.quantity_max
    if request.terms.type is OrderType.MARKET:
        least, most = max(least, rules.market_min), min(most, rules.market_max)
    if quantity < least:
        return _no("quantity_min", f"{plain(quantity)} is less than {plain(least)}")
    if quantity > most:
        return _no("quantity_max", f"{plain(quantity)} is more than {plain(most)}")
    if not is_on_grid(quantity, instrument.lot):
        return _no("lot", f"{plain(quantity)} is no whole number of lots of {plain(instrument.lot)}")
    return None


def _notional_refusal(request: OrderRequest, instrument: Instrument, mark: Decimal | None) -> Rejected | None:
    terms = request.terms
    price = terms.price or terms.stop_price or mark
    if terms.reduce_only or price is None:
        return None
    notional = instrument.notional(price, terms.quantity)
    if notional < instrument.notional_min:
        return _no("notional_min", f"worth {plain(notional)}, and {plain(instrument.notional_min)} is the least")
    return None


def _band_refusal(side: Side, price: Decimal, rules: Rules, mark: Decimal) -> Rejected | None:
    if side is Side.BUY and rules.up is not None and price > EXACT.multiply(mark, rules.up):
        return _no("price_band", f"{plain(price)} is more than {plain(rules.up)} times the mark price {plain(mark)}")
    if side is Side.SELL and rules.down is not None and price < EXACT.multiply(mark, rules.down):
        return _no("price_band", f"{plain(price)} is less than {plain(rules.down)} times the mark price {plain(mark)}")
    return None


def _no(code: str, why: str) -> Rejected:
    return Rejected(code, f"not sent: {why}")
