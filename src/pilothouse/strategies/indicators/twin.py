"""The bar-by-bar form of an indicator: plain numbers that can be written down and taken up again.

A twin is fed the bars in order, one `update` for each closed bar, and answers what the column would say at that bar.
`save` gives what it remembers as JSON can carry it; `load` puts that into a twin made with the same parameters, which
then goes on as if it had never stopped.
"""

from collections.abc import Mapping
from math import isnan, nan
from typing import Any, Self

from pilothouse.core.errors import Refused

NAN = nan


class StateDoesNotFit(Refused):
    """What was saved does not belong to this indicator with these parameters."""

    code = "indicator_state_does_not_fit"

    def __init__(self, indicator: str, field: str, wanted: str) -> None:
        """Keep whose state it was to be and what was missing or different."""
        super().__init__(f"state of {indicator}: field '{field}' should be {wanted}")
        self.indicator, self.field, self.wanted = indicator, field, wanted


class Twin:
    """What all twins can do. A subclass names in `__slots__` whatever it remembers, its parameters included."""

    __slots__ = ()

    def reset(self) -> None:
        """Forget every bar: what a NaN in the input does."""
        raise NotImplementedError

    def save(self) -> dict[str, Any]:
        """Return what is remembered: numbers, lists of numbers, null for NaN, and the same of the twins inside."""
        return {name: _plain(getattr(self, name)) for name in _slots(type(self))}

    def load(self, saved: Mapping[str, Any]) -> Self:
        """Take up what `save` gave, and return the twin.

        Raises StateDoesNotFit if a field is missing, has another shape, or a parameter differs from this twin's.
        """
        for name in _slots(type(self)):
            if name not in saved:
                raise StateDoesNotFit(type(self).__name__, name, "there")
            self._take(name, saved[name])
        return self

    def _take(self, name: str, value: Any) -> None:
        mine = getattr(self, name)
        if isinstance(mine, Twin):
            if not isinstance(value, Mapping):
                raise StateDoesNotFit(type(self).__name__, name, "an object")
            mine.load(value)
        elif name in PARAMETERS:
            if value != mine:
                raise StateDoesNotFit(type(self).__name__, name, f"{mine}, as this one was made with, not {value}")
        elif isinstance(mine, list):
            if not isinstance(value, list):
                raise StateDoesNotFit(type(self).__name__, name, "a list")
            setattr(self, name, [_number(type(self).__name__, name, entry) for entry in value])
        elif isinstance(mine, int):
            if type(value) is not int and type(value) is not bool:
                raise StateDoesNotFit(type(self).__name__, name, f"a whole number, not {value!r}")
            setattr(self, name, value)
        else:
            setattr(self, name, _number(type(self).__name__, name, value))


# Slots of these names are parameters: given when the twin is made, compared when a state is taken up.
PARAMETERS = frozenset(
    {
        "alpha", "bars_per_year", "begin", "constant", "fast", "left", "minutes", "period", "right", "sign", "slow",
        "weights", "width",
    }
)  # fmt: skip


def _slots(kind: type) -> list[str]:
    return [name for base in reversed(kind.__mro__) for name in getattr(base, "__slots__", ())]


def _plain(value: Any) -> Any:
    if isinstance(value, Twin):
        return value.save()
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and isnan(value) else value


def _number(twin: str, name: str, value: Any) -> float:
    if value is None:
        return NAN
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise StateDoesNotFit(twin, name, f"numbers, not {value!r}")
    return value
