"""JSON without floats: decimals go out as strings, broken numbers come in as decimals.

`dumps` knows plain data, Decimal, instants, enums, dataclasses and Secret (masked). What it does not know, it refuses.
"""

import dataclasses
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec

from pilothouse.core.clock import iso
from pilothouse.core.errors import Refused
from pilothouse.core.rounding import plain
from pilothouse.kit.sealed import MASK, Secret


class NotJson(Refused, ValueError):
    """The text is no JSON that can be read here."""

    code = "not_json"


def dumps(value: object) -> str:
    """Return `value` as compact JSON.

    Decimal -> "65000.1" (plain, never an exponent), datetime -> "2026-11-21T04:00:00.000001Z", date -> "2026-11-21",
    Enum -> its value, dataclass and dict -> object, list and tuple -> array, Secret -> masked.

    Raises TypeError for a float, a naive datetime, a key that is no text, or anything else.
    """
    return encoded(value).decode()


def encoded(value: object) -> bytes:
    """Return `dumps(value)` as UTF-8, without the detour over text."""
    return _encode(_clean(value))


def both(value: object) -> tuple[str, Any]:
    """Return `dumps(value)`, and what `loads` would make of that, without reading it again."""
    cleaned = _clean(value)
    return _encode(cleaned).decode(), cleaned


def loads(text: str | bytes) -> Any:
    """Return what `text` says: objects as dict, arrays as list, whole numbers as int, all others as Decimal.

    Raises NotJson, also for NaN, for half characters and for nesting without end.
    """
    try:
        return _DECODER.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise NotJson(str(error)) from None


def as_json(value: object) -> Any:
    """Return what stands in JSON for a value that a JSON library does not know. Raises TypeError."""
    return _clean(value)


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


def _encode(cleaned: Any) -> bytes:
    try:
        return _ENCODER.encode(cleaned)
    except UnicodeEncodeError:
        raise TypeError("text with half a character (a lone surrogate) has no UTF-8") from None


def _clean(value: Any) -> Any:
    """Return `value` as nothing but str, int, bool, None, dict and list."""
    kind = type(value)
    return (_CLEANERS.get(kind) or _learned(kind))(value)


_AS_THEY_ARE = frozenset({str, int, bool, type(None)})


def _same(value: Any) -> Any:
    return value


def _number(value: Decimal) -> str:
    if not value.is_finite():
        raise TypeError(f"{value} is no number that JSON could carry")
    return plain(value)


def _instant(value: datetime) -> str:
    if value.tzinfo is None:
        raise TypeError(f"{value} has no time zone")
    return iso(value)


def _object(value: dict[Any, Any]) -> dict[str, Any]:
    return {
        (key if type(key) is str else _key(key)): (item if type(item) in _AS_THEY_ARE else _clean(item))
        for key, item in value.items()
    }


def _array(value: list[Any] | tuple[Any, ...]) -> list[Any]:
    return [_clean(item) for item in value]


def _key(key: object) -> str:
    if isinstance(key, str):
        return key.value if isinstance(key, Enum) else str(key)
    raise TypeError(f"the key {key!r} is no text")


def _learned(kind: type) -> Callable[[Any], Any]:
    cleaner = _CLEANERS[kind] = _cleaner_of(kind)
    return cleaner


def _cleaner_of(kind: type) -> Callable[[Any], Any]:
    """Return what cleans values of a type that is not in the table of common ones."""
    if issubclass(kind, Enum):
        return _of_enum
    if issubclass(kind, Secret):
        return _masked
    if dataclasses.is_dataclass(kind):
        return _record_of(tuple(field.name for field in dataclasses.fields(kind)))
    if issubclass(kind, str):  # from here on, subclasses of the common types
        return str.__str__
    if issubclass(kind, int):
        return int
    for common in (Decimal, datetime, dict, list, tuple):
        if issubclass(kind, common):
            return _CLEANERS[common]
    return date.isoformat if issubclass(kind, date) else _refused


def _of_enum(value: Enum) -> Any:
    return _clean(value.value)


def _masked(_: Secret) -> str:
    return MASK


def _record_of(names: tuple[str, ...]) -> Callable[[Any], dict[str, Any]]:
    return lambda value: {name: _clean(getattr(value, name)) for name in names}


def _refused(value: object) -> Any:
    if isinstance(value, float):
        raise TypeError(f"{value!r} is a float; JSON here carries exact numbers only")
    raise TypeError(f"{type(value).__name__} has no JSON here")


_CLEANERS: dict[type, Callable[[Any], Any]] = {
    str: _same,
    int: _same,
    bool: _same,
    type(None): _same,
    Decimal: _number,
    datetime: _instant,
    dict: _object,
    list: _array,
    tuple: _array,
}
