"""Views, signals and rules as plain data and columns, for both sides of a pipe. Pure.

What comes from a confined process is built anew by the same checked constructors as everywhere: a lie there is Invalid
here.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from pilothouse.core.candles import Candles
from pilothouse.core.errors import Invalid, Problem
from pilothouse.sandbox.frames import Array
from pilothouse.strategies.parameters import Parameter
from pilothouse.strategies.rules import By, Distance, Exits, Rules, Side, Size, SizeBy, Target
from pilothouse.strategies.sdk import Signals
from pilothouse.strategies.view import View

_COLUMNS: Final = ("opened_ms", "open", "high", "low", "close", "volume")
_TAGS_MOST: Final = 1_000


def view_to_plain(view: View) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return a view as data and columns."""
    series = [view.candles, *(view.instrument(symbol).candles for symbol in view.symbols)]
    shapes: list[dict[str, Any]] = []
    arrays: dict[str, Array] = {}
    for place, candles in enumerate(series):
        shapes.append({
            "symbol": candles.symbol, "span_ms": candles.span_ms, "price_digits": candles.price_digits,
            "volume_digits": candles.volume_digits, "extra": list(candles.extra),
        })  # fmt: skip
        arrays |= {f"{place}.{name}": getattr(candles, name) for name in _COLUMNS}
        arrays |= {f"{place}.x.{name}": column for name, column in candles.extra.items()}
    return {"series": shapes, "symbols": list(view.symbols)}, arrays


def view_from_plain(data: Mapping[str, Any], arrays: Mapping[str, Array]) -> View:
    """Return the view again."""
    series = []
    for place, shape in enumerate(data["series"]):
        columns: dict[str, Any] = {name: arrays[f"{place}.{name}"] for name in _COLUMNS}
        extra = {name: arrays[f"{place}.x.{name}"] for name in shape["extra"]}
        digits = {name: shape[name] for name in ("price_digits", "volume_digits")}
        series.append(Candles(shape["symbol"], shape["span_ms"], **columns, **digits, extra=extra))
    return View(series[0], dict(zip(data["symbols"], series[1:], strict=True)))


def signals_to_plain(signals: Signals) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return signals as data and columns; numbers of tags travel as 32 bits."""
    arrays = {name: column.astype(np.int32) if name == "tag" else column for name, column in signals.columns.items()}
    return {"tags": [str(tag)[:200] for tag in signals.tags[:_TAGS_MOST]]}, arrays


def signals_from_plain(data: Mapping[str, Any], arrays: Mapping[str, Array], count: int) -> Signals:
    """Return the signals again, checked. Raises Invalid."""
    columns: dict[str, Any] = {
        name: column.astype(np.int16) if name == "tag" else column for name, column in arrays.items()
    }
    unknown = sorted(set(columns) - set(Signals.__dataclass_fields__))
    if unknown:
        raise Invalid([Problem("signals", ", ".join(unknown)[:200], "columns of Signals", "unknown")])
    tags = tuple(str(tag) for tag in data.get("tags", ()))
    return Signals(**columns, tags=tags).checked(count)


def rules_to_plain(rules: Any) -> dict[str, Any]:
    """Return rules as plain data. Raises Invalid for what are no rules."""
    if not isinstance(rules, Rules):
        raise Invalid([Problem("rules", type(rules).__name__, "Rules", "kind")])
    return asdict(rules)


def rules_from_plain(told: Mapping[str, Any]) -> Rules:
    """Return rules again, checked. Raises Invalid."""
    try:
        exits = dict(told["exits"])
        for name in ("stop", "trail", "trail_after", "break_even_after"):
            exits[name] = _distance(exits[name])
        exits["targets"] = tuple(Target(_sure(_distance(each["at"])), each["share"]) for each in exits["targets"])
        size = told["size"]
        return Rules(
            **{**told, "exits": Exits(**exits), "side": Side(told["side"]),
               "size": Size(size["value"], SizeBy(size["by"]), size["lookback"])},
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(
            [Problem("rules", f"{type(error).__name__}: {error}"[:200], "rules as the SDK has them")]
        ) from error


def parameters_from_plain(told: Mapping[str, Any]) -> dict[str, Parameter]:
    """Return declared parameters again, checked. Raises Invalid."""
    try:
        return {
            str(name): Parameter(**{**one, "options": tuple(one["options"])}) for name, one in told.items()
        }  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(
            [Problem("parameters", f"{type(error).__name__}: {error}"[:200], "declared parameters")]
        ) from error


def _distance(told: Any) -> Distance | None:
    return None if told is None else Distance(told["value"], By(told["by"]))


def _sure(found: Distance | None) -> Distance:
    if found is None:
        raise Invalid([Problem("targets", "none", "a distance for each target", "missing")])
    return found
