"""Numbers as the wire writes them: whole ticks, lots and quote units here, decimal text there. No float in between."""

import re

from pilothouse.core.rounding import plain
from pilothouse.simulation.contracts import Contract

MONEY_DECIMALS = 8

_NUMBER = re.compile(r"([+-]?)([0-9]{0,18})(?:\.([0-9]{0,18}))?")


def fixed(value: int, decimals: int) -> str:
    """Return `value` x 10^-decimals as text with exactly that many digits behind the point."""
    if not decimals:
        return str(value)
    digits = str(abs(value)).rjust(decimals + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-decimals]}.{digits[-decimals:]}"


def short(value: int, decimals: int) -> str:
    """Return it without zeros that say nothing."""
    text = fixed(value, decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(units: int) -> str:
    """Return quote units as text, eight digits behind the point."""
    return fixed(units, MONEY_DECIMALS)


def parsed(text: str) -> tuple[int, int] | None:
    """Return (digits, decimals) of a plain decimal number, without trailing zeros; None if it is none."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    sign, whole, part = found.group(1), found.group(2), found.group(3) or ""
    if not whole and not part:
        return None
    part = part.rstrip("0")
    value = int((whole or "0") + part)
    return (-value if sign == "-" else value), len(part)


class Grid:
    """The steps of one instrument: how its ticks and lots are written, and read back.

    price_decimals, lot_decimals   digits behind the point of its tick and its lot
    price_digits, lot_digits       the most that are read; what lies between two steps is told from what is too fine
    """

    __slots__ = ("_lot", "_tick", "lot_decimals", "lot_digits", "price_decimals", "price_digits")

    def __init__(self, contract: Contract) -> None:
        self.price_decimals, self._tick = _step(plain(contract.instrument.tick))
        self.lot_decimals, self._lot = _step(plain(contract.instrument.lot))
        self.price_digits, self.lot_digits = max(2, self.price_decimals), max(3, self.lot_decimals)

    def price(self, ticks: int | None) -> str:
        """Return a price as text; "0" if there is none."""
        return "0" if ticks is None else fixed(ticks * self._tick, self.price_decimals)

    def quantity(self, lots: int) -> str:
        """Return a quantity as text."""
        return fixed(lots * self._lot, self.lot_decimals)

    def ticks(self, digits: int, decimals: int) -> int | None:
        """Return how many ticks a number is; None if it is no whole number of them."""
        if decimals > self.price_decimals:
            return None
        whole, rest = divmod(digits * 10 ** (self.price_decimals - decimals), self._tick)
        return None if rest else whole

    def lots(self, digits: int, decimals: int) -> int | None:
        """Return how many lots a number is; None if it is no whole number of them."""
        if decimals > self.lot_decimals:
            return None
        whole, rest = divmod(digits * 10 ** (self.lot_decimals - decimals), self._lot)
        return None if rest else whole

    def average(self, traded: int, lots: int, unit: int) -> str:
        """Return the average price of trades worth `traded` quote units, with two digits more than a price has."""
        decimals = self.price_decimals + 2
        return fixed(traded * self._tick * 100 // (lots * unit), decimals) if lots else fixed(0, decimals)


def _step(text: str) -> tuple[int, int]:
    """Return a step such as 0.5 as (decimals, how many of the last digit): (1, 5)."""
    found = parsed(text)
    assert found is not None, "a step is a plain number"
    return found[1], found[0]
