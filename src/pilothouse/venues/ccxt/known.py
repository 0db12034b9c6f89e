"""The exchanges that are tested in depth, and what is particular about each; all others are asked in common words."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pilothouse.venues.ccxt.plain import Quirks
from pilothouse.venues.ccxt.quirks.alpaca import Alpaca
from pilothouse.venues.ccxt.quirks.binance import BinanceUsdM
from pilothouse.venues.ccxt.quirks.binance_spot import BinanceSpot
from pilothouse.venues.ccxt.quirks.bybit import Bybit, BybitSpot
from pilothouse.venues.ccxt.quirks.hyperliquid import Hyperliquid
from pilothouse.venues.ccxt.quirks.okx import Okx, OkxSpot

KNOWN: Final[Mapping[str, Quirks]] = MappingProxyType(
    {
        "binanceusdm": BinanceUsdM(),
        "binance": BinanceSpot(),
        "bybit": Bybit(),
        "bybit-spot": BybitSpot(),
        "okx": Okx(),
        "okx-spot": OkxSpot(),
        "hyperliquid": Hyperliquid(),
        "alpaca": Alpaca(),
    }
)
"""By the venue's name in the catalogue, without `-testnet`."""


def quirks_of(name: str) -> Quirks:
    """Return what is particular about an exchange; `name` without `-testnet`, with `-spot` for its spot side."""
    found = KNOWN.get(name)
    if found is not None:
        return found
    exchange = name.removesuffix("-spot")
    kind = "spot" if exchange != name else "swap"
    plain: Quirks = type("Plain", (Quirks,), {"exchange": exchange, "title": exchange, "kind": kind})()
    return plain
