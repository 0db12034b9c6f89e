"""What must not be read in a log: secrets are masked by the name of their field, by their form, and by their value.

Never raises and never calls foreign code: of an object it does not know, it shows the type.
"""

import json
import re
import threading
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from pilothouse.kit.sealed import MASK, Secret

# Names that stand in nearly every line: they are no secrets, so they are not searched for one each time.
_OUR_NAMES = frozenset(
    (
        *("time", "level", "event", "logger", "correlation", "request", "signal_id", "method", "route", "status", "ms"),
        *("order", "client_order_id", "venue_order_id", "symbol", "state", "filled", "outcome"),
    )
)

_DEPTH_MAX = 8
_ITEMS_MAX = 200
_TEXT_LENGTH_MAX = 20_000
_SECRET_LENGTH_MIN = 6
_NUMBER_MAX = 2**63
# The route of alerts by address, as all that is looked through would make it; it stands in the line of each of them.
OUR_TEXTS = {"/hooks/{url_token}": f"/hooks/{MASK}"}
_CLEAN_LENGTH_MAX = 64
_CLEAN_MOST = 1_024

_NAMES = (
    r"secret|token|passw(?:or)?d|passphrase|authori[sz]ation|cookie|credential|signature"
    r"|(?:private|api|access|signing|sealing)[_ -]?key"
)
_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)

# One cheap look says whether any of the forms below can be in a text at all.
_SUSPECT = re.compile(rf"{_NAMES}|hooks|bearer|basic|://|[a-z2-7]{{26}}", re.IGNORECASE)

# Ids of ours, client order ids, instants and numbers stand in nearly every line. None of the forms below can be in
# them, and to look for all of these would take longer than everything else that is done for a line.
_HARMLESS = re.compile(r"[a-z]{3}_000[0-9a-f]{25}|ph[A-Z2-7]{25}|[0-9T:.+Z-]{0,40}")

_FORMS: tuple[tuple[re.Pattern[str], str], ...] = (
    # The token in the path of a hook is its credential.
    (re.compile(r"((?:/|%2f)hooks(?:/|%2f))[^/\s?#\"'<>&%\\]+", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"\b(bearer\s+)[^\s\"',;\\]+", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"\b(basic\s+)[a-z0-9+/=_-]{12,}", re.IGNORECASE), rf"\1{MASK}"),
    # What stands before the host in an address: name and password.
    (re.compile(r"(://)[^/\s@\"']*:[^/\s@\"']+@"), rf"\1{MASK}@"),
    # webhook_secret=..., "token": "...", also inside of text that was escaped before
    (
        re.compile(
            rf"([\w-]*(?:{_NAMES})[\w-]*\\*[\"']?\s*[=:]\s*)"
            r"(?:\"(?:[^\"\\]|\\.)*(?:\"|\Z)"  # quoted
            r"|(?P<escape>\\+)\".*?(?:(?<!\\)(?P=escape)\"|\Z)"  # quoted inside of a quoted text
            r"|'[^']*(?:'|\Z)"
            r"|[^\s,;&\"'}\\]+)",
            re.IGNORECASE | re.DOTALL,
        ),
        rf"\1{MASK}",
    ),
    # What sealed.new_token makes, wherever it stands; ids are hex and begin with zeros.
    (re.compile(r"(?<![a-z0-9])((?:[a-z][a-z0-9]{0,15}_){0,2})[a-z2-7]{26,}(?![a-z0-9])"), rf"\1{MASK}"),
)


def is_secret_name(name: str) -> bool:
    """Say whether what bears this name is a secret, such as webhook_secret or credentials.private_key."""
    return _SECRET_NAME.search(name) is not None


class Redactor:
    """Masks what it is shown. Values that are secret in no special form are told to it with `hide`."""

    def __init__(self) -> None:
        """Know no value yet, only names and forms."""
        self._values: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()
        # Short texts that were looked through and had nothing to be masked, such as events, routes and states.
        self._clean: set[str] = set()

    def hide(self, *values: str | Secret) -> None:
        """Mask these values from now on, also where they stand URL-quoted or JSON-escaped.

        Values of fewer than 6 characters are left out: masking them would make every line unreadable.
        """
        forms = set()
        for value in values:
            text = value.reveal() if isinstance(value, Secret) else value
            if len(text) >= _SECRET_LENGTH_MIN:
                forms |= {text, quote(text, safe="", errors="replace"), json.dumps(text)[1:-1]}
        with self._lock:
            self._values |= forms
            if self._values:
                longest_first = sorted(self._values, key=len, reverse=True)
                self._pattern = re.compile("|".join(re.escape(each) for each in longest_first))
                # Another set, not an emptied one: who is looking just now with the old pattern adds to the old one.
                self._clean = set()

    def text(self, text: str) -> str:
        """Return `text` with everything secret masked, cut where it is too long."""
        clean = self._clean
        if text in clean:
            return text
        if text in OUR_TEXTS:
            return OUR_TEXTS[text]
        masked = self._masked(text)
        if masked == text and len(text) <= _CLEAN_LENGTH_MAX and not _HARMLESS.fullmatch(text):
            if len(clean) >= _CLEAN_MOST:
                clean.clear()
            clean.add(text)
        return masked

    def _masked(self, text: str) -> str:
        if len(text) > _TEXT_LENGTH_MAX:
            text = f"{text[:_TEXT_LENGTH_MAX]}... ({len(text)} characters)"
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        if _HARMLESS.fullmatch(text) is None and _SUSPECT.search(text):
            for form, mask in _FORMS:
                text = form.sub(mask, text)
        return text

    def value(self, value: object, depth: int = 0) -> Any:
        """Return `value` as plain data with everything secret masked."""
        if type(value) is str:
            return self.text(value)
        if isinstance(value, Secret):
            return MASK
        if isinstance(value, Enum):
            value = value._value_
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):  # the methods are those of the base classes: nobody else's code runs here
            return self.text(str.__str__(value))
        if isinstance(value, int):
            number = int.__index__(value)
            return number if abs(number) < _NUMBER_MAX else hex(number)
        if isinstance(value, float):
            return float.__float__(value)
        for kind in (Decimal, date):
            if isinstance(value, kind):
                return kind.__str__(value)
        if isinstance(value, PurePath):
            return self.text(PurePath.__str__(value))
        return self._deeper(value, depth)

    def fields(self, fields: Mapping[Any, Any], depth: int = 0) -> dict[str, Any]:
        """Return `fields` with masked values, and those whose name says that they are secret masked whole."""
        shown: dict[str, Any] = {}
        for key, value in list(fields.items())[:_ITEMS_MAX]:
            if type(key) is str and key in _OUR_NAMES:
                shown[key] = self.value(value, depth + 1)
                continue
            name = self.text(str.__str__(key)) if isinstance(key, str) else str(self.value(key, depth + 1))
            empty = value is None or isinstance(value, bool)
            shown[name] = MASK if _SECRET_NAME.search(name) and not empty else self.value(value, depth + 1)
        return shown

    def _deeper(self, value: object, depth: int) -> Any:
        """Show what holds other values; of what is not known, the type."""
        if depth >= _DEPTH_MAX:
            return "<deeper>"
        if isinstance(value, BaseException):
            said = ", ".join(str(self.value(each, depth + 1)) for each in value.args[:_ITEMS_MAX])
            return f"{type(value).__name__}: {said}" if said else type(value).__name__
        if isinstance(value, dict):
            return self.fields(value, depth)
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(each, depth + 1) for each in list(value)[:_ITEMS_MAX]]
        return f"<{type(value).__name__}>"
