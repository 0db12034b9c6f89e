"""Parameters of a strategy: declared once; a form, a search space and checked values come out. Pure."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Final

from pilothouse.core.errors import Invalid, Problem

Value = int | float | str | bool

_CELLS_MOST: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number, word or switch that a strategy can be set by.

    kind           whole, number, choice or switch
    default        its value if none is given
    least, most    bounds, both included; whole and number have both
    step           between two values that are tried in a search; None: it is left alone by a search on a grid
    options        of a choice, in order
    label, help    for a form
    """

    kind: str
    default: Value
    label: str
    help: str = ""
    least: int | float | None = None
    most: int | float | None = None
    step: int | float | None = None
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a declaration whose own default breaks it: a bug of the strategy, found when it is loaded."""
        if self.kind in {"whole", "number"} and (self.least is None or self.most is None or self.least > self.most):
            raise Invalid(
                [Problem(self.label, f"{self.least} to {self.most}", "bounds, the lower one first", "bounds")]
            )
        if self.step is not None and self.step <= 0:
            raise Invalid([Problem(self.label, f"a step of {self.step}", "above zero", "step")])
        self.check(self.label, self.default)

    def check(self, name: str, value: Any) -> Value:
        """Return the value as this kind of parameter has it. Raises Invalid (field `name`)."""
        match self.kind:
            case "whole":
                return _whole(self, name, value)
            case "number":
                return _number(self, name, value)
            case "choice":
                if value not in self.options:
                    raise Invalid([Problem(name, _came(value), f"one of {', '.join(self.options)}", "unknown")])
                return str(value)
            case _:
                if value in {"true", "false"}:
                    return bool(value == "true")
                if not isinstance(value, bool):
                    raise Invalid([Problem(name, _came(value), "true or false", "not_a_truth")])
                return value

    @property
    def allowed(self) -> str:
        """Return what would be right, in words."""
        match self.kind:
            case "whole":
                return f"a whole number, {self.least} to {self.most}"
            case "number":
                return f"a number, {self.least} to {self.most}"
            case "choice":
                return f"one of {', '.join(self.options)}"
            case _:
                return "true or false"

    def grid(self) -> tuple[Value, ...]:
        """Return the values that a search on a grid tries; the default alone where there is no step."""
        if self.kind == "choice":
            return self.options
        if self.kind == "switch":
            return (False, True)
        if self.step is None or self.least is None or self.most is None:
            return (self.default,)
        first, step, most = (Decimal(str(each)) for each in (self.least, self.step, self.most))
        values = (first + step * number for number in range(int((most - first) / step) + 1))
        return tuple(int(value) if self.kind == "whole" else float(value) for value in values)


def whole(
    default: int,
    least: int,
    most: int,
    *,
    step: int | None = None,
    label: str = "",
    help: str = "",  # noqa: A002 - as forms call it
) -> Parameter:
    """Return a whole number; a search tries every `step`, each number if there is none."""
    return Parameter("whole", default, label, help, least, most, step or 1)


def number(
    default: float,
    least: float,
    most: float,
    *,
    step: float | None = None,
    label: str = "",
    help: str = "",  # noqa: A002 - as above
) -> Parameter:
    """Return a number, such as a percentage."""
    return Parameter("number", default, label, help, least, most, step)


def choice(default: str, options: tuple[str, ...], *, label: str = "", help: str = "") -> Parameter:  # noqa: A002 - as above
    """Return one word of several."""
    return Parameter("choice", default, label, help, options=options)


def switch(*, default: bool, label: str = "", help: str = "") -> Parameter:  # noqa: A002 - as above
    """Return a truth."""
    return Parameter("switch", default, label, help)


class Params(Mapping[str, Value]):
    """Checked values by name, also as attributes: `p.fast`. Frozen; equal ones hash alike."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Value]) -> None:
        """Keep values that were checked."""
        self._values = MappingProxyType(dict(sorted(values.items())))

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"there is no parameter {name!r}; there are {', '.join(self._values)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def __reduce__(self) -> tuple[type["Params"], tuple[dict[str, Value]]]:
        return Params, (dict(self._values),)

    def __repr__(self) -> str:
        return f"Params({', '.join(f'{name}={value!r}' for name, value in self._values.items())})"


def resolve(declared: Mapping[str, Parameter], given: Mapping[str, Any]) -> Params:
    """Return all parameters, those that were not given at their defaults. Raises Invalid that names every wrong one."""
    problems = [
        Problem(name, "no such parameter", f"one of {', '.join(declared) or 'none: it has no parameters'}", "unknown")
        for name in given
        if name not in declared
    ]
    values: dict[str, Value] = {}
    for name, parameter in declared.items():
        try:
            values[name] = parameter.check(name, given.get(name, parameter.default))
        except Invalid as wrong:
            problems += wrong.problems
    if problems:
        raise Invalid(problems)
    return Params(values)


def schema(declared: Mapping[str, Parameter]) -> dict[str, Any]:
    """Return JSON Schema (2020-12) of the parameters, for forms."""
    properties = {name: _schema_of(name, parameter) for name, parameter in declared.items()}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def combinations(
    declared: Mapping[str, Parameter], over: Mapping[str, tuple[Any, ...]] | None = None
) -> Iterator[Params]:
    """Yield every combination of a grid, the last parameter turning fastest.

    over   values to try by name, instead of the declared steps; parameters that are not named stay at their default
           where `over` is given, and take all their steps where it is not
    Raises Invalid.
    """
    names = list(declared)
    unknown = [name for name in over or () if name not in declared]
    if unknown:
        raise Invalid([Problem(name, "no such parameter", f"one of {', '.join(names)}", "unknown") for name in unknown])
    axes = []
    for name, parameter in declared.items():
        values = parameter.grid() if over is None else over.get(name, (parameter.default,))
        axes.append([parameter.check(name, value) for value in values])
    for values in itertools.product(*axes):
        yield Params(dict(zip(names, values, strict=True)))


def count(declared: Mapping[str, Parameter], over: Mapping[str, tuple[Any, ...]] | None = None) -> int:
    """Return how many combinations there are. Raises Invalid if there are more than anybody could wait for."""
    found = 1
    for name, parameter in declared.items():
        found *= len(parameter.grid() if over is None else over.get(name, (parameter.default,)))
        if found > _CELLS_MOST:
            raise Invalid([Problem("parameters", "more than a hundred million combinations", "fewer values to try")])
    return found


def _schema_of(name: str, parameter: Parameter) -> dict[str, Any]:
    kinds = {"whole": "integer", "number": "number", "choice": "string", "switch": "boolean"}
    found: dict[str, Any] = {
        "type": kinds[parameter.kind],
        "title": parameter.label or name.replace("_", " "),
        "default": parameter.default,
    }
    if parameter.help:
        found["description"] = parameter.help
    if parameter.least is not None:
        found |= {"minimum": parameter.least, "maximum": parameter.most}
    if parameter.step is not None:
        found["x-step"] = parameter.step
    if parameter.options:
        found["enum"] = list(parameter.options)
    return found


def _whole(parameter: Parameter, name: str, value: Any) -> int:
    found = _decimal(parameter, name, value)
    if found != int(found):
        raise Invalid([Problem(name, _came(value), parameter.allowed, "not_whole")])
    return int(found)


def _number(parameter: Parameter, name: str, value: Any) -> float:
    return float(_decimal(parameter, name, value))


def _decimal(parameter: Parameter, name: str, value: Any) -> Decimal:
    try:
        found = Decimal("NaN") if isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise Invalid([Problem(name, _came(value), parameter.allowed, "not_a_number")])
    if not Decimal(str(parameter.least)) <= found <= Decimal(str(parameter.most)):
        raise Invalid([Problem(name, _came(value), parameter.allowed, "out_of_range")])
    return found


def _came(value: Any) -> str:
    return f"{str(value)[:40]!r} came"
