"""The text of an alert: bytes in; plain data, its secrets and a copy that may be stored out.

Numbers keep the text they were sent with (`Number`), so that nothing is ever a float and a huge exponent costs nothing.
What is said about an alert is bounded, escaped and free of its secrets.
"""

import json
import re
from functools import lru_cache
from typing import Any, Final, NamedTuple

from pilothouse.core.errors import Invalid, Problem

MASK: Final = "•••"

_DEPTH_MAX: Final = 16
_SHOWN_CHARS_MAX: Final = 60
_STORED_CHARS_MAX: Final = 200
# A number of so many digits is a whole number in every language that may read the stored alert.
_WHOLE_DIGITS_MAX: Final = 15
# A shorter secret would hide half of every alert, and none of ours is so short.
_SECRET_CHARS_MIN: Final = 4
_SECRETS_MAX: Final = 16

_SECRET_NAMES: Final = ("webhooksecret", "secret", "passphrase")
_SECRET_NAME = re.compile(r"secret|pass_?phrase|passw", re.IGNORECASE)
# Their own values are hidden, but not looked for elsewhere: `token` may well be the name of a coin.
_SENSITIVE_NAME = re.compile(
    r"secret|pass_?phrase|passw|token|api_?key|private_?key|credential|authori[sz]ation|signature", re.IGNORECASE
)
_SECRET_PAIR = re.compile(
    r'"(webhook[_-]?secret|secret|passphrase)"\s*+:\s*+"((?:[^"\\]|\\.)*+)"', re.IGNORECASE | re.DOTALL
)
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(r"[\[{]|[\]}]")
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_UNFILLED_BARE = re.compile(r'"([A-Za-z_]{1,40})"\s{0,40}:\s{0,40}\{\{')


class Number(str):
    """A number as it was written in the JSON text; NaN and the infinities, which JSON lacks, too."""

    __slots__ = ()


class _DuplicateKey(ValueError):
    """An object names a key twice: nobody can say which was meant."""

    def __init__(self, key: str) -> None:
        super().__init__("duplicate key")
        self.key = key


def load(body: bytes) -> dict[str, Any]:
    """Return the JSON object that `body` holds, whatever its content type said.

    UTF-8, a byte order mark is tolerated, as are raw line breaks inside strings. Numbers come back as `Number`.

    Raises Invalid with one problem: not UTF-8, not JSON, nested too deeply, a key named twice, or no object.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_json(f"bytes that are not UTF-8, from byte {error.start} on", "UTF-8 text") from None
    if not text.strip():
        raise _no_json("nothing", "a JSON object")
    if _is_too_deep(text):
        raise Invalid([Problem("body", f"JSON nested deeper than {_DEPTH_MAX}", f"at most {_DEPTH_MAX}", "too_deep")])
    try:
        data = _DECODER.decode(text)
    except _DuplicateKey as error:
        field = shown(error.key, _secrets_in_text(text), quoted=False) or '""'
        raise Invalid([Problem(field, "the same key more than once", "each key once", "duplicate_key")]) from None
    except json.JSONDecodeError as error:
        raise _syntax_error(text, error) from None
    if not isinstance(data, dict):
        raise _no_json(kind_of(data), "a JSON object")
    return data


def secret_of(data: dict[str, Any]) -> str | None:
    """Return the webhook secret that `data` carries (`webhook_secret`, else `secret`, else `passphrase`), or None."""
    found: dict[str, str] = {}
    for key, value in data.items():
        name = _about(key).canonical
        if name in _SECRET_NAMES and isinstance(value, str) and value:
            found.setdefault(name, value)
    for name in _SECRET_NAMES:
        if name in found:
            return _LONE_SURROGATE.sub("\ufffd", found[name])
    return None


def secret_in(body: bytes) -> str | None:
    """Return the webhook secret that `body` carries, even where the rest cannot be read; or None.

    For a door that must answer "wrong secret" before it says what else is wrong.
    """
    try:
        return secret_of(load(body))
    except Invalid:
        pairs = _secret_pairs(body.decode("utf-8", "replace"))
    for name in _SECRET_NAMES:
        for key, value in pairs:
            if canonical(key) == name and value:
                return _LONE_SURROGATE.sub("\ufffd", value)
    return None


def secrets_of(data: dict[str, Any], webhook_secret: str | None) -> tuple[str, ...]:
    """Return the texts of 4 characters or more in `data`, at any depth, that stand under the name of a secret.

    webhook_secret   what `secret_of` found in it

    At most 16, the webhook secret among them: each is looked for in every text of the alert. The longest come first,
    so that none leaves its tail behind where a shorter one is its beginning.
    """
    found: list[str] = []
    _collect(data, found)
    if not found and not webhook_secret:
        return ()
    found.insert(0, webhook_secret or "")
    kept = list(dict.fromkeys(secret for secret in found if len(secret) >= _SECRET_CHARS_MIN))[:_SECRETS_MAX]
    return tuple(sorted(kept, key=len, reverse=True))


def masked(data: dict[str, Any], secrets: tuple[str, ...]) -> dict[str, Any]:
    """Return `data` as plain JSON data to be stored: every secret replaced, every text bounded and printable.

    Whole numbers of up to 15 digits are ints; all other numbers are their own text.
    """
    result = {}
    for key, value in data.items():
        result[_stored(key, secrets)] = MASK if _about(key).is_sensitive else _masked(value, secrets)
    return result


def shown(value: object, secrets: tuple[str, ...], *, quoted: bool = True) -> str:
    """Return how `value` is named in an error: at most 60 characters, escaped, its secrets replaced."""
    if not isinstance(value, str):
        return kind_of(value)
    text = value
    for secret in secrets:
        text = text.replace(secret, MASK)
    text = repr(str(text[: _SHOWN_CHARS_MAX + 1]))
    if isinstance(value, Number) or not quoted:
        text = text[1:-1]
    return text if len(text) <= _SHOWN_CHARS_MAX else text[: _SHOWN_CHARS_MAX - 1] + "…"


def kind_of(value: object) -> str:
    """Return what `value` is, in the words of JSON."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Number):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "an object" if isinstance(value, dict) else "a list"


def canonical(key: str) -> str:
    """Return `key` without regard to case, underscores and hyphens; an overlong or non-ASCII key stands for nothing."""
    return _about(key).canonical


class _Key(NamedTuple):
    """What a key says by itself."""

    canonical: str
    names_secret: bool
    is_sensitive: bool


def _about(key: str) -> _Key:
    """Return what a key says; senders send the same few keys again and again, and only short ones are remembered."""
    return _about_short(key) if len(key) <= _SHOWN_CHARS_MAX else _looked_at(key)


def _looked_at(key: str) -> _Key:
    stands_for = len(key) <= _SHOWN_CHARS_MAX and key.isascii()
    return _Key(
        key.lower().replace("_", "").replace("-", "") if stands_for else "",
        _SECRET_NAME.search(key) is not None,
        _SENSITIVE_NAME.search(key) is not None,
    )


_about_short = lru_cache(1_024)(_looked_at)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return one JSON object; raises _DuplicateKey."""
    data = dict(pairs)
    if len(data) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKey(key)
            seen.add(key)
    return data


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=Number, parse_int=Number, parse_constant=Number, strict=False
)


def _is_too_deep(text: str) -> bool:
    """Say whether brackets outside of strings nest deeper than the bound: the decoder must never meet them."""
    if text.count("{") + text.count("[") <= _DEPTH_MAX:
        return False
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub("", text)):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > _DEPTH_MAX:
            return True
    return False


def _no_json(came: str, allowed: str) -> Invalid:
    return Invalid([Problem("body", came, allowed, "not_json")])


def _syntax_error(text: str, error: json.JSONDecodeError) -> Invalid:
    """Say where the JSON breaks, never with a piece of it: the piece may be the secret."""
    unfilled = _UNFILLED_BARE.search(text)
    if unfilled:
        field = shown(unfilled[1], _secrets_in_text(text), quoted=False)
        came, allowed = "a placeholder that was not filled", "its value, in quotes"
        return Invalid([Problem(field, came, allowed, "placeholder_not_filled")])
    came = f"no JSON at line {error.lineno}, column {error.colno}: {error.msg.lower()}"
    return _no_json(came[:_SHOWN_CHARS_MAX], "a JSON object")


def _secret_pairs(text: str) -> list[tuple[str, str]]:
    """Return every (key, value) in `text` that looks like a secret, its escapes undone where they are right."""
    pairs = []
    for key, raw in _SECRET_PAIR.findall(text):
        try:
            pairs.append((key, json.loads(f'"{raw}"', strict=False)))
        except json.JSONDecodeError:
            pairs.append((key, raw))
    return pairs


def _secrets_in_text(text: str) -> tuple[str, ...]:
    return tuple(value for _, value in _secret_pairs(text) if len(value) >= _SECRET_CHARS_MIN)


def _collect(value: Any, found: list[str]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(inner, str):
                _collect(inner, found)
            elif _about(key).names_secret:
                found.append(str(inner))
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, found)


def _masked(value: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        stored = _stored(value, secrets)
        is_whole = isinstance(value, Number) and len(stored) <= _WHOLE_DIGITS_MAX and stored.lstrip("-").isdigit()
        return int(stored) if is_whole else stored
    if isinstance(value, dict):
        return masked(value, secrets)
    if isinstance(value, list):
        return [_masked(inner, secrets) for inner in value]
    return value


def _stored(text: str, secrets: tuple[str, ...]) -> str:
    """Return `text` bounded, without secrets and without what a database or a terminal cannot take."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    if type(text) is str and len(text) <= _STORED_CHARS_MAX and text.isprintable():
        return text
    if len(text) > _STORED_CHARS_MAX:
        text = text[: _STORED_CHARS_MAX - 1] + "…"
    if not text.isprintable():
        text = "".join(sign if sign.isprintable() or sign in "\n\t" else "\ufffd" for sign in text)
    return str(text)
