"""What may be traded on AsterDEX and within which bounds: exchangeInfo in, instruments with their rules out."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pilothouse.core.instrument import Instrument
from pilothouse.venues.aster import wire
from pilothouse.venues.bounds import NO_BOUND, Rules

LEVERAGE_UNTOLD: Final = 20
"""The most leverage of an instrument whose brackets were not read: they are told to accounts only."""


CODES: Final = MappingProxyType(
    {
        "price_min": "-4013",
        "price_max": "-4002",
        "tick": "-4014",
        "quantity_min": "-4004",
        "quantity_max": "-4005",
        "lot": "-4023",
        "notional_min": "-4164",
        "price_up": "-4016",
        "price_down": "-4024",
    }
)
"""The venue's own codes for what is refused here, before it is sent."""


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
        quantity_max=wire.number_or_zero(lot, "maxQty") or NO_BOUND,
        notional_min=wire.number_or_zero(filters.get("MIN_NOTIONAL", {}), "notional"),
        price_min=wire.number_or_zero(price, "minPrice") or tick,
        price_max=wire.number_or_zero(price, "maxPrice") or NO_BOUND,
        leverage_max=leverage.get(name, LEVERAGE_UNTOLD),
    )
    return Rules(
        instrument,
        wire.number_or_zero(market, "minQty"),
        wire.number_or_zero(market, "maxQty") or NO_BOUND,
        wire.number_or_zero(band, "multiplierUp") or None,
        wire.number_or_zero(band, "multiplierDown") or None,
    )
