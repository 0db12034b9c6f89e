"""What the catalogue says of one indicator, and how it is calculated by name from columns that came from elsewhere."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from pilothouse.core.errors import Invalid, Problem
from pilothouse.strategies.indicators.compiling import Column
from pilothouse.strategies.indicators.twin import Twin

# What stands for each input when an indicator is calculated from candles, unless the caller says otherwise.
FROM_CANDLES = {"values": "close"}
WHOLE_INPUTS = frozenset({"session", "minute"})


class Memory(StrEnum):
    """How far back a value looks."""

    WINDOW = "window"  # bars of a fixed number, and nothing before them
    FADING = "fading"  # all bars, the older the less; after some ten periods the beginning is forgotten
    ALL = "all"  # all bars since the beginning or since something happened


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter: whole if its default is whole. `least` and `most` are allowed themselves."""

    name: str
    default: float
    least: float
    most: float

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are allowed."""
        return isinstance(self.default, int)


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator.

    function    takes the inputs as columns, then the settings, by position; returns one column or a tuple of them
    twin        is made with the settings, by position; `update` takes one value of each input
    warm_up     from the settings: how many bars answer NaN in at least one output, when no input is NaN
    tolerance   by how much twin and column may differ, relative to the greater; 0 is the same bits
    """

    name: str
    family: str
    function: Callable[..., Any]
    twin: Callable[..., Twin]
    inputs: tuple[str, ...]
    settings: tuple[Setting, ...]
    outputs: tuple[str, ...]
    warm_up: Callable[..., int]
    memory: Memory = Memory.WINDOW
    tolerance: float = 0.0

    @property
    def title(self) -> str:
        """The first sentence of its docstring."""
        return (inspect.getdoc(self.function) or "").split("\n\n", maxsplit=1)[0].replace("\n", " ")

    @property
    def formula(self) -> str:
        """The formula, as its docstring has it."""
        return self._told("Formula")

    @property
    def source(self) -> str:
        """Where the formula was read."""
        return self._told("Source")

    def _told(self, what: str) -> str:
        said = (inspect.getdoc(self.function) or "").partition(f"{what}: ")[2]
        lines = said.splitlines() or [""]
        more = []
        for line in lines[1:]:
            if not line.startswith("    "):
                break
            more.append(line.strip())
        return " ".join([lines[0].strip(), *more])

    def defaults(self) -> dict[str, float]:
        """Return the settings as they are if nobody says otherwise."""
        return {setting.name: setting.default for setting in self.settings}

    def settled(self, given: Mapping[str, float]) -> tuple[float, ...]:
        """Return all settings in order, checked, with the defaults for those that are not given.

        Raises Invalid with every name that is not a setting and every value that is out of its bounds.
        """
        problems = [
            Problem(name, "is no setting", f"{self.name} has: {', '.join(self.defaults()) or 'none'}", "unknown_field")
            for name in given
            if name not in self.defaults()
        ]
        values = []
        for setting in self.settings:
            value = given.get(setting.name, setting.default)
            problem = _out_of_bounds(setting, value)
            problems += [problem] if problem else []
            values.append(value if setting.whole else float(value))
        if problems:
            raise Invalid(problems)
        return tuple(values)

    def calculate(self, columns: Mapping[str, Any], **given: float) -> dict[str, Column]:
        """Return each output as float64[n].

        columns   by input name: numbers that make float64[n], all equally long, oldest first, finite or NaN;
                  `values` may be absent if `close` is there
        given     settings that differ from their defaults

        Raises Invalid that names each column that is missing, of another length or not finite, and each bad setting.
        """
        settings = self.settled(given)
        taken = [_column(name, columns, self.name) for name in self.inputs]
        lengths = {name: len(column) for name, column in zip(self.inputs, taken, strict=True)}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise Invalid([Problem("columns", f"are of different lengths ({told})", "all equally long")])
        answer = self.function(*taken, *settings)
        return dict(zip(self.outputs, answer if isinstance(answer, tuple) else (answer,), strict=True))

    def make_twin(self, **given: float) -> Twin:
        """Return a new twin. Raises Invalid as `settled`."""
        return self.twin(*self.settled(given))


def _out_of_bounds(setting: Setting, value: Any) -> Problem | None:
    kind = "a whole number" if setting.whole else "a number"
    allowed = f"{kind} from {setting.least} to {setting.most}"
    fits = isinstance(value, int) if setting.whole else isinstance(value, int | float)
    if fits and not isinstance(value, bool) and setting.least <= value <= setting.most:
        return None
    return Problem(setting.name, f"{value!r}", allowed, "out_of_bounds")


def _column(name: str, columns: Mapping[str, Any], indicator: str) -> Any:
    found = columns.get(name, columns.get(FROM_CANDLES.get(name, "")))
    if found is None:
        raise Invalid([Problem(name, "is missing", f"{indicator} needs this column", "missing_column")])
    kind = np.int64 if name in WHOLE_INPUTS else np.float64
    column = np.ascontiguousarray(found, dtype=kind)
    if column.ndim != 1:
        raise Invalid([Problem(name, f"has {column.ndim} dimensions", "one column of numbers")])
    if np.isinf(column).any():
        raise Invalid([Problem(name, "has an infinite number in it", "finite numbers, or NaN where there is none")])
    return column
