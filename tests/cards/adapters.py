"""Which adapters are tried, and which cards they are let off, each by a capability that says why on their Card."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from pilothouse.venues import catalogue
from pilothouse.venues.card import Card
from tests.cards.aster_stand import AsterStand
from tests.cards.binance_stand import BinanceStand
from tests.cards.paper_real_stand import PaperRealStand
from tests.cards.paper_stand import PaperStand
from tests.cards.spot_stand import SpotStand
from tests.cards.stand import Stand

STANDS: Mapping[str, Callable[[Path], Stand]] = MappingProxyType(
    {
        "paper": PaperStand,
        "aster": AsterStand,
        "binanceusdm": BinanceStand,
        "binance": SpotStand,
        "paper-aster": PaperRealStand,
    }
)
"""Adapter -> what opens its stand, in the order in which they are shown."""

_NO_TRAILS = {"trailing orders of the venue's own": ("V-O40", "V-O41", "V-O42")}
_NO_PAIRS = {"order lists (OCO)": ("V-O43", "V-O44", "V-O45")}
_PAPER = {
    "a wire that can fail": (
        *(f"V-U{number:02}" for number in range(3, 13)),
        "V-R11",
        *(f"V-S{number:02}" for number in range(7, 13)),
        *("V-T01", "V-T02", "V-T05"),
    ),
    "closePosition of a position that has grown": ("V-O15",),
    "price bands": ("V-O34",),
    "hedge mode": ("V-O36", "V-X03"),
    "limits on request rates": ("V-L01", "V-L02", "V-L03", "V-L04"),
    "rules that change": ("V-I02",),
    "credentials": ("V-X04",),
    **_NO_TRAILS,
    **_NO_PAIRS,
}
_PAPER_REAL = {
    **{name: numbers for name, numbers in _PAPER.items() if name != "rules that change"},
    "leverage steps of the venue": ("V-O38",),
}
_ASTER = {"permission to withdraw": ("V-X04",), **_NO_PAIRS}
_SPOT = {
    "reduce-only orders": ("V-O08", "V-O09", "V-S03"),
    "closePosition": ("V-O15",),
    "price band before sending": ("V-O34",),
    "hedge mode": ("V-O36", "V-X03"),
    "leverage, margin and funding": ("V-O38", "V-R07", "V-R09", "V-R12", "V-S05", "V-S06", "V-T06"),
    "deposits and withdrawals": ("V-R08",),
    **_NO_TRAILS,
}
_EXEMPT: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "paper": _PAPER,
    "aster": _ASTER,
    "binanceusdm": _NO_PAIRS,
    "binance": _SPOT,
    "paper-aster": _PAPER_REAL,
}

EXEMPT: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        adapter: {number: capability for capability, numbers in by.items() for number in numbers}
        for adapter, by in _EXEMPT.items()
    }
)
"""Adapter -> number of a card -> the capability on the adapter's Card that says why it is let off."""


def takes(adapter: str, number: str) -> bool:
    """Say whether an adapter is tried on a card."""
    return number not in EXEMPT.get(adapter, {})


def card_of(adapter: str) -> Card:
    """Return what the adapter says of itself."""
    return catalogue.card_of(adapter)
