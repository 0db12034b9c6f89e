"""Which exchanges are tested in depth, by their names in the catalogue; knows nothing of ccxt."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pilothouse.venues.card import Card
from pilothouse.venues.ccxt import card_alpaca, card_binance, card_bybit, card_hyperliquid, card_okx
from pilothouse.venues.ccxt.card import TESTNET, Sheet, card_of

SHEETS: Final[Mapping[str, Sheet]] = MappingProxyType(
    {
        "binanceusdm": card_binance.USDM,
        "binance": card_binance.SPOT,
        "bybit": card_bybit.LINEAR,
        "bybit-spot": card_bybit.SPOT,
        "okx": card_okx.SWAP,
        "okx-spot": card_okx.SPOT,
        "hyperliquid": card_hyperliquid.PERPETUALS,
        "alpaca": card_alpaca.STOCKS,
    }
)
"""By name, without `-testnet`; `quirks` has one class for each (see `known.py`)."""


def sheet_of(name: str) -> Sheet | None:
    """Return what is known in depth of an exchange, by its name with or without `-testnet`; None: nothing."""
    return SHEETS.get(name.removesuffix(TESTNET))


CARDS: Final[Mapping[str, Card]] = MappingProxyType(
    {
        full: card_of(full, sheet)
        for name, sheet in SHEETS.items()
        for full in ((name, f"{name}{TESTNET}") if sheet.testnet else (name,))
    }
)
"""The card of each, and of its testnet."""
