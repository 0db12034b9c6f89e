"""What may be traded on AsterDEX and within which bounds: exchangeInfo in, instruments and refusals out.

What the venue would refuse is refused here, before it is sent, under the venue's own code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from pilothouse.core.errors import Refused
from pilothouse.core.instrument import Instrument, Side
from pilothouse.core.order import OrderType
from pilothouse.core.rounding import EXACT, is_on_grid, plain
from pilothouse.venues.aster import wire
from pilothouse.venues.port import OrderRequest, Rejected

LEVERAGE_UNTOLD: Final = 20
"""The most leverage of an instrument whose brackets were not read: they are told to accounts only."""

_NO_BOUND: Final = Decimal(1_000_000_000_000)
_NOT_SENT: Final = "not sent: "


@dataclass(frozen=True, slots=True)
class Rules:
    """One instrument and what the venue asks of orders in it.

    market_min, market_max   of a market order, base
    up, down                 a buy at most at mark x up, a sell at least at mark x down; None: no such bound
    """

    instrument: Instrument
    market_min: Decimal
    market_max: Decimal
    up: Decimal | None
    down: Decimal | None


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests for each minute: weight for each address, orders for each account."""

    weight: int = 2_400
    orders: int = 1_200


def rules_of(info: wire.Row, leverage: Mapping[str, int]) -> dict[str, Rules]:
    """Return the rules of every perpetual that trades, by symbol.

    leverage   the most for each symbol, where it is known
    """
    found = (_one(symbol, leverage) for symbol in wire.rows(info.get("symbols")) if _trades(symbol))
    return {each.instrument.symbol: each for each in found if each is not None}


def limits_of(info: wire.Row) -> Limits:
    """Return the limits by the minute; what is not told is as the venue's pages have it."""
    told: dict[str, int] = {}
    for limit in wire.rows(info.get("rateLimits") or []):
        if limit.get("interval") == "MINUTE" and limit.get("intervalNum") == 1:
            told[str(limit.get("rateLimitType"))] = int(wire.number(limit, "limit"))
    usual = Limits()
    return Limits(told.get("REQUEST_WEIGHT", usual.weight), told.get("ORDERS", usual.orders))


def leverage_of(brackets: object) -> dict[str, int]:
    """Return the most leverage of each symbol, from leverageBracket: a list, or one object."""
    found = wire.rows(brackets) if isinstance(brackets, list) else [wire.row(brackets)]
    return {
        wire.text(each, "symbol"): max(int(wire.number(one, "initialLeverage")) for one in wire.rows(each["brackets"]))
        for each in found
        if each.get("brackets")
    }


def refusal(request: OrderRequest, rules: Rules, mark: Decimal | None) -> Rejected | None:
    """Return why the venue would not take `request`, or None.

    mark   the mark price, if a fresh one is known; bounds that depend on it are the venue's to check otherwise
    """
    terms, instrument = request.terms, rules.instrument
    for price in (terms.price, terms.stop_price):
        if price is not None:
            why = _price_refusal(price, instrument)
            if why is not None:
                return why
    if not request.close_position:
        why = _quantity_refusal(request, rules) or _notional_refusal(request, instrument, mark)
        if why is not None:
            return why
    if terms.type is OrderType.LIMIT and terms.price is not None and mark is not None:
        return _band_refusal(terms.side, terms.price, rules, mark)
    return None


def _trades(symbol: wire.Row) -> bool:
    return symbol.get("status") == "TRADING" and symbol.get("contractType") == "PERPETUAL"


def _one(symbol: wire.Row, leverage: Mapping[str, int]) -> Rules | None:
    """Return the rules of one symbol; None for one without a grid, which nobody could trade exactly."""
    filters = {str(each.get("filterType")): each for each in wire.rows(symbol.get("filters"))}
    price, lot = filters.get("PRICE_FILTER", {}), filters.get("LOT_SIZE", {})
    tick, step = wire.number_or_zero(price, "tickSize"), wire.number_or_zero(lot, "stepSize")
    if tick <= 0 or step <= 0:
        return None
    market, band = filters.get("MARKET_LOT_SIZE", lot), filters.get("PERCENT_PRICE", {})
    name = wire.text(symbol, "symbol")
    instrument = Instrument(
        symbol=name,
        base=wire.text(symbol, "baseAsset"),
        quote=wire.text(symbol, "quoteAsset"),
        tick=tick,
        lot=step,
        quantity_min=wire.number_or_zero(lot, "minQty"),
        quantity_max=wire.number_or_zero(lot, "maxQty") or _NO_BOUND,
        notional_min=wire.number_or_zero(filters.get("MIN_NOTIONAL", {}), "notional"),
        price_min=wire.number_or_zero(price, "minPrice") or tick,
        price_max=wire.number_or_zero(price, "maxPrice") or _NO_BOUND,
        leverage_max=leverage.get(name, LEVERAGE_UNTOLD),
    )
    return Rules(
        instrument,
        wire.number_or_zero(market, "minQty"),
        wire.number_or_zero(market, "maxQty") or _NO_BOUND,
        wire.number_or_zero(band, "multiplierUp") or None,
        wire.number_or_zero(band, "multiplierDown") or None,
    )


def _price_refusal(price: Decimal, instrument: Instrument) -> Rejected | None:
    if price < instrument.price_min:
        return _no("-4013", f"{plain(price)} is below the least price {plain(instrument.price_min)}")
    if price > instrument.price_max:
        return _no("-4002", f"{plain(price)} is above the highest price {plain(instrument.price_max)}")
    if not is_on_grid(EXACT.subtract(price, instrument.price_min), instrument.tick) and not is_on_grid(
        price, instrument.tick
    ):
        return _no("-4014", f"{plain(price)} is no multiple of the tick {plain(instrument.tick)}")
    return None


def _quantity_refusal(request: OrderRequest, rules: Rules) -> Rejected | None:
    quantity, instrument = request.terms.quantity, rules.instrument
    least, most = instrument.quantity_min, instrument.quantity_max
    if request.terms.type is OrderType.MARKET:
        least, most = max(least, rules.market_min), min(most, rules.market_max)
    if quantity < least:
        return _no("-4004", f"{plain(quantity)} is less than {plain(least)}")
    if quantity > most:
        return _no("-4005", f"{plain(quantity)} is more than {plain(most)}")
    if not is_on_grid(quantity, instrument.lot):
        return _no("-4023", f"{plain(quantity)} is no whole number of lots of {plain(instrument.lot)}")
    return None


def _notional_refusal(request: OrderRequest, instrument: Instrument, mark: Decimal | None) -> Rejected | None:
    terms = request.terms
    price = terms.price or terms.stop_price or mark
    if terms.reduce_only or price is None:
        return None
    notional = instrument.notional(price, terms.quantity)
    if notional < instrument.notional_min:
        return _no("-4164", f"worth {plain(notional)}, and {plain(instrument.notional_min)} is the least")
    return None


def _band_refusal(side: Side, price: Decimal, rules: Rules, mark: Decimal) -> Rejected | None:
    if side is Side.BUY and rules.up is not None and price > EXACT.multiply(mark, rules.up):
        return _no("-4016", f"{plain(price)} is more than {plain(rules.up)} times the mark price {plain(mark)}")
    if side is Side.SELL and rules.down is not None and price < EXACT.multiply(mark, rules.down):
        return _no("-4024", f"{plain(price)} is less than {plain(rules.down)} times the mark price {plain(mark)}")
    return None


def _no(code: str, why: str) -> Rejected:
    return Rejected(code, _NOT_SENT + why)


class LeverageOutOfRange(Refused):
    """The instrument has no such leverage."""

    code = "leverage_out_of_range"
