"""How an entry of the catalogue is written: inputs, settings and warm-ups that many share."""

from collections.abc import Callable
from types import ModuleType

from pilothouse.strategies.indicators.indicator import Indicator, Memory, Setting

VALUES = ("values",)
HL = ("high", "low")
HLC = ("high", "low", "close")
HLCV = ("high", "low", "close", "volume")
CV = ("close", "volume")
OHLC = ("open", "high", "low", "close")
WINDOW, FADING, ALL = Memory.WINDOW, Memory.FADING, Memory.ALL
MOST_BARS = 5_000
# Logarithm, exponential and arc tangent come from the mathematics library of the machine, and compiled code may be
# given another last digit there than the interpreter. Sums, products, quotients and roots are the same everywhere.
LIBRARY = 1e-12


def bars(name: str, default: int, least: int = 1) -> Setting:
    """Return a setting that counts bars."""
    return Setting(name, default, least, MOST_BARS)


def period_of(default: int, least: int = 1) -> Setting:
    """Return the setting `period`."""
    return bars("period", default, least)


def width_of(default: float) -> Setting:
    """Return the setting `width`, a multiple of what makes the band."""
    return Setting("width", default, 0.0, 100.0)


def entry(
    name: str,
    family: str,
    module: ModuleType,
    inputs: tuple[str, ...],
    settings: tuple[Setting, ...],
    outputs: tuple[str, ...],
    warm_up: Callable[..., int],
    memory: Memory = WINDOW,
    tolerance: float = 0.0,
) -> Indicator:
    """Return the entry of the function `name` in `module`; its twin has the same name, written as classes are."""
    twin = getattr(module, "".join(part.capitalize() for part in name.split("_")))
    return Indicator(name, family, getattr(module, name), twin, inputs, settings, outputs, warm_up, memory, tolerance)


def all_but_one(period: int, *_: float) -> int:
    """Return the warm-up of what needs `period` bars."""
    return period - 1


def whole_period(period: int, *_: float) -> int:
    """Return the warm-up of what needs `period` changes."""
    return period


def no_bar(*_: float) -> int:
    """Return no warm-up."""
    return 0


def one_bar(*_: float) -> int:
    """Return the warm-up of what needs the bar before."""
    return 1


YEAR = Setting("bars_per_year", 365.0, 1.0, 32_000_000.0)
BAND = ("upper", "middle", "lower")
