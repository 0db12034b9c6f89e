"""Rules in words: `2%`, `1.5atr`, `100` and `1% risk` go in; distances and sizes come out. Pure.

Raises Invalid that names the field and says what would be right.
"""

import re
from typing import Final

from pilothouse.core.errors import Invalid, Problem
from pilothouse.strategies.rules import By, Distance, Size, SizeBy, Target

_DISTANCE: Final = re.compile(r"([0-9]*\.?[0-9]+)\s*(%|atr|)", re.IGNORECASE)
_SIZE: Final = re.compile(r"([0-9]*\.?[0-9]+)\s*(%|)\s*([a-z]*)(?:\s+over\s+([0-9]{1,6}))?", re.IGNORECASE)
_BY: Final = {"%": By.PERCENT, "atr": By.ATR, "": By.PRICE}
_DISTANCES: Final = "such as 2% of the entry price, 1.5atr, or 100 (quote per base)"
_SIZES: Final = "such as 100% (of equity), 1% risk, 20% volatility over 50, 25% kelly over 30, 500 quote or 0.01 base"


def distance(text: str, field: str) -> Distance:
    """Return how far from the entry price a text means."""
    found = _DISTANCE.fullmatch(text.strip())
    if found is None or float(found[1]) <= 0:
        raise Invalid([Problem(field, f"{text[:40]!r} came", _DISTANCES)])
    return Distance(float(found[1]), _BY[found[2].lower()])


def targets(text: str, field: str) -> tuple[Target, ...]:
    """Return take-profits: `4%` alone takes everything, `2%:0.5,4%:0.5` a half each, the nearest first."""
    found = []
    for part in text.split(","):
        away, _, share = part.partition(":")
        try:
            much = float(share) if share else 1.0
        except ValueError:
            much = -1.0
        if not 0 < much <= 1:
            raise Invalid([Problem(field, f"{part[:40]!r} came", "a distance, a colon and a share, such as 2%:0.5")])
        found.append(Target(distance(away, field), much))
    return tuple(found)


def size(text: str, field: str = "size") -> Size:
    """Return how large a position a text means."""
    found = _SIZE.fullmatch(text.strip())
    kind = _kind_of(found) if found else None
    if found is None or kind is None or float(found[1]) <= 0:
        raise Invalid([Problem(field, f"{text[:40]!r} came", _SIZES)])
    over = {"lookback": int(found[4])} if found[4] else {}
    return Size(float(found[1]), kind, **over)


def _kind_of(found: re.Match[str]) -> SizeBy | None:
    percent, word = found[2] == "%", found[3].lower()
    if percent:
        named = {"": SizeBy.PERCENT, "equity": SizeBy.PERCENT, "risk": SizeBy.RISK, "kelly": SizeBy.KELLY}
        return {**named, "volatility": SizeBy.VOLATILITY}.get(word)
    return {"quote": SizeBy.QUOTE, "base": SizeBy.FIXED}.get(word)
