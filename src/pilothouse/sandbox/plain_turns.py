"""Turns as plain data and columns, for both sides of a pipe: bars and fills one way, wanted orders the other. Pure.

What comes from a confined process is built anew and bounded here: a lie there is Invalid here.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import repeat
from operator import mul
from typing import Any, Final

import numpy as np

from pilothouse.core.candles import Candles, Ints
from pilothouse.core.errors import Invalid, Problem
from pilothouse.core.rounding import NotExact, exact, plain
from pilothouse.sandbox.frames import Array
from pilothouse.strategies.sdk import Bar, Denied, Filled, Happening, Quoted, Turn, Want

_PRICES: Final = ("open", "high", "low", "close")
_KEY_MOST: Final = 200
_WANTS_MOST: Final = 10_000
_KINDS: Final[dict[str, Any]] = {
    "bar": Bar, "filled": Filled, "denied": Denied, "quoted": Quoted,
}  # fmt: skip
_MONEY: Final = frozenset({"open", "high", "low", "close", "volume", "quantity", "price", "bid", "ask"})


def bars_to_plain(candles: Candles, bars: range) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return some bars of candles as data and columns."""
    part = slice(bars.start, bars.stop)
    columns = {name: getattr(candles, name)[part] for name in (*_PRICES, "volume", "opened_ms")}
    told = {
        "symbol": candles.symbol, "span_ms": candles.span_ms, "tick": plain(candles.price_step),
        "step": plain(candles.volume_step),
    }  # fmt: skip
    return told, columns


def bars_from_plain(told: Mapping[str, Any], columns: Mapping[str, Array]) -> Iterator[Bar]:
    """Yield the bars again, each when it is asked for."""
    opened = columns["opened_ms"]
    tick, step = Decimal(told["tick"]), Decimal(told["step"])
    prices = (map(mul, columns[name].tolist(), repeat(tick)) for name in _PRICES)
    volumes = map(mul, columns["volume"].tolist(), repeat(step))
    closed = (opened + told["span_ms"]).tolist()
    return map(Bar, repeat(told["symbol"]), opened.tolist(), closed, *prices, volumes)


def many_to_plain(candles: Sequence[Candles], which: Ints, bars: Ints) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return bars of several instruments in order as data and columns: of each, which instrument and which bar."""
    columns: dict[str, Array] = {name: np.empty(len(which), np.int64) for name in (*_PRICES, "volume", "opened_ms")}
    for number, each in enumerate(candles):
        mine = which == number
        for name, column in columns.items():
            column[mine] = getattr(each, name)[bars[mine]]
    told = {
        "symbols": [each.symbol for each in candles], "span_ms": candles[0].span_ms,
        "ticks": [plain(each.price_step) for each in candles],
        "steps": [plain(each.volume_step) for each in candles],
    }  # fmt: skip
    return told, {**columns, "which": which}


def many_from_plain(told: Mapping[str, Any], columns: Mapping[str, Array]) -> Iterator[Bar]:
    """Yield those bars again, each when it is asked for."""
    which, opened = columns["which"].tolist(), columns["opened_ms"]
    symbols, closed = told["symbols"], (opened + told["span_ms"]).tolist()
    ticks, steps = ([Decimal(text) for text in told[name]] for name in ("ticks", "steps"))
    prices = (map(mul, columns[name].tolist(), map(ticks.__getitem__, which)) for name in _PRICES)
    volumes = map(mul, columns["volume"].tolist(), map(steps.__getitem__, which))
    return map(Bar, map(symbols.__getitem__, which), opened.tolist(), closed, *prices, volumes)


def happening_to_plain(happening: Happening) -> dict[str, Any]:
    """Return one happening as data."""
    kind = next(name for name, each in _KINDS.items() if isinstance(happening, each))
    values = {name: getattr(happening, name) for name in happening.__struct_fields__}
    return {"kind": kind, **{name: plain(value) if name in _MONEY else value for name, value in values.items()}}


def happening_from_plain(told: Mapping[str, Any]) -> Happening:
    """Return the happening again."""
    values = {name: Decimal(value) if name in _MONEY else value for name, value in told.items() if name != "kind"}
    made: Happening = _KINDS[told["kind"]](**values)
    return made


def turn_to_plain(turn: Any) -> dict[str, Any]:
    """Return what a turn asks for as data; its state stays where it is. Raises Invalid for what is no turn."""
    if not isinstance(turn, Turn) or not isinstance(turn.state, dict):
        raise Invalid([Problem("decide", f"returned {type(turn).__name__}", "a Turn with a dict as its state", "kind")])
    wants = []
    for want in turn.wants:
        if not isinstance(want, Want):
            raise Invalid([Problem("wants", f"{type(want).__name__} came", "orders of the SDK: Want", "kind")])
        numbers = (want.quantity, want.price, want.stop, want.trail)
        if any(number is not None and not isinstance(number, Decimal) for number in numbers):
            raise Invalid([Problem(f"wants.{want.key}", "a number that is no Decimal", "exact decimals", "not_exact")])
        told = [None if number is None else str(number) for number in numbers]
        wants.append([str(want.key), str(want.symbol), *told, bool(want.reduce_only)])
    return {"wants": wants, "cancels": [str(key) for key in turn.cancels]}


def turn_from_plain(told: Mapping[str, Any]) -> Turn:
    """Return what a turn asks for, checked. Raises Invalid."""
    try:
        wants, cancels = list(told["wants"]), list(told["cancels"])
        if len(wants) > _WANTS_MOST or len(cancels) > _WANTS_MOST:
            raise Invalid([Problem("wants", f"{len(wants)} orders", f"at most {_WANTS_MOST} in a turn", "too_many")])
        made = []
        for key, symbol, quantity, price, stop, trail, reduces in wants:
            numbers = [None if text is None else exact(str(text)) for text in (quantity, price, stop, trail)]
            made.append(_want(str(key), str(symbol), numbers, reduces=bool(reduces)))
        return Turn({}, tuple(made), tuple(str(key)[:_KEY_MOST] for key in cancels))
    except (KeyError, TypeError, ValueError, NotExact) as error:
        raise Invalid(
            [Problem("turn", f"{type(error).__name__}: {error}"[:200], "orders as the SDK has them")]
        ) from error


def _want(key: str, symbol: str, numbers: list[Decimal | None], *, reduces: bool) -> Want:
    quantity, price, stop, trail = numbers
    if len(key) > _KEY_MOST:
        raise Invalid([Problem("wants", f"a key of {len(key)} letters", f"at most {_KEY_MOST}", "too_long")])
    if quantity is None or quantity == 0:
        raise Invalid([Problem(f"wants.{key}.quantity", "none or zero", "base, above zero to buy, below to sell")])
    if any(number is not None and number <= 0 for number in (price, stop, trail)):
        raise Invalid([Problem(f"wants.{key}", "a price of zero or less", "prices above zero", "out_of_range")])
    return Want(key, symbol, quantity, price, stop, reduces, trail)
