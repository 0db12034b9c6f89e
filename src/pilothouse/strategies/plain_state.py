"""The state of a strategy in turns: it goes in; nothing, or which key of it is no plain data, comes out. Pure.

What is plain: dicts with text keys, lists, text, whole numbers, floats that are numbers, decimals, truths and None. It
is written down as JSON, decimals as text under a key of their own, and is the same when it is taken up again.
"""

import json
from decimal import Decimal
from math import isfinite
from typing import Any, Final

from pilothouse.core.errors import Invalid, Problem

NODES_MOST: Final = 100_000
LETTERS_MOST: Final = 4_000_000
DEPTH_MOST: Final = 32
_BITS_MOST: Final = 4_096
_DECIMAL: Final = "$decimal"
_PLAIN: Final = "text, whole numbers, floats, Decimals, true, false, None, and lists and dicts of them"


def checked(state: Any) -> int:
    """Return how many values a state has, if it is plain data of a bounded size.

    Raises Invalid that names the key that is not.
    """
    if type(state) is not dict:
        raise _wrong((), f"{type(state).__name__} came", "a dict of plain data", "kind")
    look = _Look()
    look.at(state, (), 0)
    return look.nodes


def saved(state: dict[str, Any]) -> str:
    """Return a state as text. Raises Invalid as `checked`."""
    checked(state)
    return json.dumps(state, default=lambda number: {_DECIMAL: str(number)}, allow_nan=False)


def taken_up(text: str) -> dict[str, Any]:
    """Return the state that was saved as this text."""
    found: dict[str, Any] = json.loads(text, object_hook=_decimal_or_dict)
    return found


def _decimal_or_dict(told: dict[str, Any]) -> Any:
    return Decimal(told[_DECIMAL]) if _DECIMAL in told else told


class _Look:
    """One walk through a state, and how much of it was seen."""

    def __init__(self) -> None:
        self.nodes = self.letters = 0

    def at(self, value: Any, path: tuple[Any, ...], depth: int) -> None:
        """Look at one value; `path`: the path of what holds it, and its key. Raises Invalid."""
        kind = type(value)
        self.nodes += 1
        if self.nodes > NODES_MOST:
            raise _wrong(path, f"more than {NODES_MOST:,} values in all", f"at most {NODES_MOST:,}", "too_many")
        if kind is dict or kind is list:
            if depth == DEPTH_MOST:
                raise _wrong(path, f"more than {DEPTH_MOST} dicts and lists in each other", f"at most {DEPTH_MOST}")
            for name, each in value.items() if kind is dict else enumerate(value):
                if kind is dict:
                    self._key(name, (path, name))
                self.at(each, (path, name), depth + 1)
        elif kind is str:
            self._text(value, path)
        elif kind is not bool and value is not None:
            _number(value, kind, path)

    def _key(self, name: Any, path: tuple[Any, ...]) -> None:
        if type(name) is not str or name == _DECIMAL:
            raise _wrong(path, f"a key that is {type(name).__name__}", f"text, and not {_DECIMAL}", "kind")
        self._text(name, path)

    def _text(self, text: str, path: tuple[Any, ...]) -> None:
        self.letters += len(text)
        if self.letters > LETTERS_MOST:
            raise _wrong(path, f"more than {LETTERS_MOST:,} letters in all", f"at most {LETTERS_MOST:,}", "too_long")
        if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            raise _wrong(path, "text with half a letter", "text that can be written down")


def _number(value: Any, kind: type, path: tuple[Any, ...]) -> None:
    if kind is int:
        if value.bit_length() > _BITS_MOST:
            raise _wrong(path, f"a number of {value.bit_length():,} bits", f"at most {_BITS_MOST:,} bits")
    elif kind is float or kind is Decimal:
        if not (isfinite(value) if kind is float else value.is_finite()):
            raise _wrong(path, f"{value}, which is no number", "numbers; None where there is none")
    else:
        raise _wrong(path, f"{kind.__name__} came", _other(kind), "kind")


def _other(kind: type) -> str:
    """Return what would be right instead of a kind of value."""
    if kind is tuple:
        return "a list: a tuple would come back as one"
    if kind in {set, frozenset}:
        return "a list, sorted"
    return _PLAIN


def _wrong(path: tuple[Any, ...], came: str, allowed: str, code: str = "out_of_range") -> Invalid:
    names = []
    while len(path) == 2:
        path, name = path
        names.append(f"[{name!r:.40}]")
    return Invalid([Problem("state" + "".join(reversed(names)), came, allowed, code)])
