"""The fields of an alert: plain data in; words, exact numbers, levels and instants out, and every problem on the way.

A field is found whatever the case of its name, with or without underscores; null and empty texts are absent.
Form is judged here, one field at a time; what the fields mean together is for `bots/alert.py`.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

from pilothouse.bots.alert_text import MASK, Number, canonical, kind_of, secret_of, secrets_of, shown
from pilothouse.core.errors import Problem
from pilothouse.core.rounding import NotExact, exact
from pilothouse.core.signals import Level

Word = TypeVar("Word")

# Canonical spelling -> our name. The aliases are those that only one reading is possible of.
_NAMES: Final = {
    "action": "action",
    "symbol": "symbol",
    "ticker": "ticker",
    "side": "side",
    "quantity": "quantity",
    "qty": "quantity",
    "quoteamount": "quote_amount",
    "equitypercent": "equity_percent",
    "riskpercent": "risk_percent",
    "price": "price",
    "ordertype": "order_type",
    "stoploss": "stop_loss",
    "sl": "stop_loss",
    "takeprofit": "take_profit",
    "tp": "take_profit",
    "takeprofits": "take_profits",
    "breakevenafter": "break_even_after",
    "trailingstop": "trailing_stop",
    "timestops": "time_stop_s",
    "orderaction": "order_action",
    "strategyaction": "order_action",
    "contracts": "contracts",
    "positionsize": "position_size",
    "positionafter": "position_after",
    "positionbefore": "position_before",
    "marketposition": "market_position",
    "marketpositionsize": "market_position_size",
    "prevmarketposition": "prev_market_position",
    "prevmarketpositionsize": "prev_market_position_size",
    "alertid": "alert_id",
    "timenow": "timenow",
    "timestamp": "timestamp",
    "bartime": "bar_time",
    "time": "time",
    "counter": "counter",
    "seq": "counter",
    "sequence": "counter",
    "comment": "comment",
}
_SPELLINGS: Final = {**_NAMES, **{name: name for name in _NAMES.values()}}

_NUMBER = re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_NUMBER_CHARS_MAX: Final = 64
_NOT_FINITE: Final = frozenset({"nan", "inf", "infinity"})
_COUNTER = re.compile(r"[0-9]{1,15}")
_SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9:/._!@-]*")
_SYMBOL_CHARS_MAX: Final = 64
_ID_CHARS_MAX: Final = 128
_COMMENT_CHARS_MAX: Final = 200
_PERCENT_MAX: Final = Decimal(1000)
_UNFILLED: Final = "its value: the placeholder was not filled"

_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})"
)
_UNIX = re.compile(r"[0-9]{10}(?:\.[0-9]{1,6})?|[0-9]{13}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS: Final = Decimal(1_000_000)


class Unreadable(Exception):
    """One value does not have the form its field asks for."""

    def __init__(self, allowed: str, code: str = "invalid_value") -> None:
        """Keep what would be right."""
        super().__init__(allowed)
        self.allowed, self.code = allowed, code


class Fields:
    """The known fields of one alert, and the problems found so far, in the order they were found."""

    __slots__ = ("_secrets", "_sent", "problems", "webhook_secret")

    def __init__(self, data: dict[str, Any]) -> None:
        """Keep the known fields of `data` that carry something; two spellings that disagree are a problem."""
        self.problems: list[Problem] = []
        self.webhook_secret = secret_of(data)
        self._secrets = secrets_of(data, self.webhook_secret)
        self._sent: dict[str, tuple[str, Any]] = {}
        for key, value in data.items():
            name = _SPELLINGS.get(key) or _SPELLINGS.get(canonical(key))
            if name is None or value is None or (isinstance(value, str) and not value.strip()):
                continue
            first = self._sent.setdefault(name, (key, value))
            if first[1] != value:
                self.problem(name, f"two values, as {first[0]} and {key}"[:60], "one value", "conflict")

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return every secret that the alert carries."""
        return self._secrets

    def has(self, *names: str) -> bool:
        """Say whether any of `names` carries something, in whatever form."""
        return not self._sent.keys().isdisjoint(names)

    def problem(self, name: str, came: str, allowed: str, code: str = "invalid_value") -> None:
        """Note what is wrong with field `name`, under the spelling it was sent with."""
        field = self._sent[name][0] if name in self._sent else name
        self.problems.append(Problem(field, came, allowed, code))

    def missing(self, name: str, allowed: str) -> None:
        """Note that a needed field is absent."""
        self.problem(name, "nothing", allowed, "missing")

    def conflict(self, name: str, allowed: str) -> None:
        """Note that field `name`, well-formed by itself, contradicts another."""
        self.problem(name, self.came(name), allowed, "conflict")

    def came(self, name: str) -> str:
        """Return how the value of `name` is named in a problem."""
        return shown(self._sent[name][1], self._secrets) if name in self._sent else "nothing"

    def word(self, name: str, words: Mapping[str, Word]) -> Word | None:
        """Return what the word in `name` stands for, in any case; None if absent or not among `words` (noted)."""
        if name not in self._sent:
            return None
        value = self._sent[name][1]
        if isinstance(value, str) and value.isascii():
            meaning = words.get(value.strip().lower())
            if meaning is not None:
                return meaning
        if _is_unfilled(value):
            self._unfilled(name)
        else:
            self.problem(name, self.came(name), f"one of {', '.join(words)}, in any case")
        return None

    def number(self, name: str, allowed: str, *, above: Decimal | None = None, percent: bool = False) -> Decimal | None:
        """Return the exact number in `name`; None if absent or unfit (noted).

        allowed   what would be right, in words
        above     the number must be larger than this
        percent   whether a percent sign may follow
        """
        if name not in self._sent:
            return None
        try:
            number = _number(self._sent[name][1], allowed, percent=percent)
            if above is not None and number <= above:
                raise Unreadable(allowed)
        except Unreadable as error:
            self._unreadable(name, error)
            return None
        return number

    def level(self, name: str) -> Level | None:
        """Return the level in `name`: a number is a price, "2%" or {"percent": 2} a percentage; None as above."""
        if name not in self._sent:
            return None
        try:
            return level_of(self._sent[name][1])
        except Unreadable as error:
            self._unreadable(name, error)
            return None

    def raw(self, name: str) -> Any:
        """Return what stands in `name` as it was sent; None if absent."""
        return self._sent[name][1] if name in self._sent else None

    def inside(self, name: str, place: str, value: object, error: Unreadable) -> None:
        """Note that `value`, at `place` inside of field `name`, cannot be read."""
        field = self._sent[name][0] if name in self._sent else name
        came = shown(value, self._secrets) if value is not None else "nothing"
        if _is_unfilled(value):
            error = Unreadable(_UNFILLED, "placeholder_not_filled")
        self.problems.append(Problem(f"{field}{place}", came, error.allowed, error.code))

    def symbol(self) -> str:
        """Return the symbol as it was sent (`symbol`, else `ticker`); empty if absent or no symbol (noted)."""
        name = "symbol" if "symbol" in self._sent or "ticker" not in self._sent else "ticker"
        allowed = f"a symbol such as BTCUSDT or BINANCE:BTCUSDT.P, at most {_SYMBOL_CHARS_MAX} characters"
        if name not in self._sent:
            self.missing(name, allowed)
            return ""
        value = self._sent[name][1]
        if isinstance(value, str) and not isinstance(value, Number):
            text = value.strip()
            if len(text) <= _SYMBOL_CHARS_MAX and _SYMBOL.fullmatch(text) and not self._tells_secret(text):
                return text
        if _is_unfilled(value):
            self._unfilled(name)
        else:
            self.problem(name, self.came(name), allowed)
        return ""

    def alert_id(self) -> str | None:
        """Return the sender's own id, a text or a number; None if absent or unfit (noted).

        A placeholder that was not filled would make all alerts one and the same, so it is refused.
        """
        if "alert_id" not in self._sent:
            return None
        value = self._sent["alert_id"][1]
        if _is_unfilled(value):
            self._unfilled("alert_id")
            return None
        if isinstance(value, str):
            text = value.strip()
            if len(text) <= _ID_CHARS_MAX and text.isprintable() and not self._tells_secret(text):
                return str(text)
        self.problem("alert_id", self.came("alert_id"), f"a printable text, at most {_ID_CHARS_MAX} characters")
        return None

    def sent_at(self) -> datetime | None:
        """Return when the sender says it was sent: the first of `timenow`, `timestamp` that parses, or None.

        ISO 8601 with its offset, Unix seconds or Unix milliseconds; anything else is free text and never a problem.
        """
        return self._first_instant("timenow", "timestamp")

    def bar_time(self) -> datetime | None:
        """Return of which bar it tells: the first of `bar_time`, `time` that parses, or None; never a problem."""
        return self._first_instant("bar_time", "time")

    def counter(self) -> int | None:
        """Return the sender's running number; anything but a whole number of up to 15 digits is free text."""
        value = self._sent["counter"][1] if "counter" in self._sent else None
        text = value.strip() if isinstance(value, str) else ""
        return int(text) if _COUNTER.fullmatch(text) else None

    def position_before(self) -> Decimal | None:
        """Return what the sender held before, base, signed; None where it does not say so in numbers; never a problem.

        `position_before` is signed; `prev_market_position_size` has the sign of `prev_market_position`.
        """
        before = self._word_of("prev_market_position")
        if before == "flat":
            return Decimal(0)
        signed, size = self._quiet_number("position_before"), self._quiet_number("prev_market_position_size")
        if signed is not None or size is None or before not in {"long", "short"}:
            return signed
        return abs(size) if before == "long" else -abs(size)

    def is_heartbeat(self) -> bool:
        """Say whether it is a sign of life and nothing else."""
        return self._word_of("action") == "heartbeat"

    def _word_of(self, name: str) -> str:
        value = self._sent[name][1] if name in self._sent else None
        return value.strip().lower() if isinstance(value, str) else ""

    def _quiet_number(self, name: str) -> Decimal | None:
        try:
            return _number(self._sent[name][1], "") if name in self._sent else None
        except Unreadable:
            return None

    def _first_instant(self, *names: str) -> datetime | None:
        for name in names:
            if name in self._sent:
                value = self._sent[name][1]
                instant = _instant(value.strip()) if isinstance(value, str) else None
                if instant is not None:
                    return instant
        return None

    def comment(self) -> str | None:
        """Return the comment: printable, at most 200 characters, its secrets replaced; None if absent or no text."""
        if "comment" not in self._sent:
            return None
        value = self._sent["comment"][1]
        if not isinstance(value, str):
            return None
        for secret in self._secrets:
            value = value.replace(secret, MASK)
        text = value.strip()[:_COMMENT_CHARS_MAX]
        return str(text) if text.isprintable() else "".join(sign if sign.isprintable() else " " for sign in text)

    def _tells_secret(self, text: str) -> bool:
        """Say whether `text`, which will be stored and shown, holds a secret of this alert."""
        return any(secret in text for secret in self._secrets)

    def _unfilled(self, name: str) -> None:
        self.problem(name, self.came(name), _UNFILLED, "placeholder_not_filled")

    def _unreadable(self, name: str, error: Unreadable) -> None:
        if _is_unfilled(self._sent[name][1]):
            self._unfilled(name)
        else:
            self.problem(name, self.came(name), error.allowed, error.code)


def _is_unfilled(value: object) -> bool:
    return isinstance(value, str) and "{{" in value


def _number(value: object, allowed: str, *, percent: bool = False) -> Decimal:
    """Return the exact number that `value`, a JSON number or a text, stands for; raises Unreadable."""
    if not isinstance(value, str):
        raise Unreadable(f"{allowed}; {kind_of(value)} is no number")
    text = value.strip(" \t\r\n")
    if percent and text.endswith("%"):
        text = text[:-1].rstrip(" ")
    if len(text) > _NUMBER_CHARS_MAX or not _NUMBER.fullmatch(text):
        if text.lower().lstrip("+-") in _NOT_FINITE:
            raise Unreadable(f"{allowed}; it must be finite", "not_finite")
        raise Unreadable(f"{allowed}, in plain digits")
    try:
        number = exact(Decimal(text))
    except NotExact:
        raise Unreadable(f"{allowed}, at most 20 digits before the point and 18 behind", "not_exact") from None
    return number or Decimal(0)


def level_of(value: object) -> Level:
    """Return the level that `value` stands for; raises Unreadable."""
    if isinstance(value, dict):
        parts = parts_of(value)
        said = {kind: parts[name] for kind, names in _LEVEL_NAMES.items() for name in names if name in parts}
        if len(said) != 1 or sum(name in parts for names in _LEVEL_NAMES.values() for name in names) != 1:
            raise Unreadable('exactly one of {"price": …}, {"percent": …} and {"distance": …}')
        ((kind, inner),) = said.items()
    else:
        kind = "percent" if isinstance(value, str) and value.rstrip().endswith("%") else "price"
        inner = value
    number = amount_of(
        inner, _LEVELS[kind], percent=kind == "percent", most=_PERCENT_MAX if kind == "percent" else None
    )
    return Level(**{kind: number})


_LEVEL_NAMES: Final = {
    "price": ("price", "limitprice", "stopprice"),
    "percent": ("percent",),
    "distance": ("distance", "amount"),
}
_LEVELS: Final = {
    "price": 'a price above zero, or a percentage above zero such as "2%"',
    "percent": f"a percentage above zero, at most {_PERCENT_MAX}%",
    "distance": "a distance from the entry price above zero",
}


def parts_of(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of an object that carry something, by canonical name."""
    return {canonical(key): inner for key, inner in value.items() if inner is not None and inner != ""}


def amount_of(value: object, allowed: str, *, percent: bool = False, most: Decimal | None = None) -> Decimal:
    """Return the exact number above zero, at most `most`, that `value` stands for; raises Unreadable."""
    if _is_unfilled(value):
        raise Unreadable(_UNFILLED, "placeholder_not_filled")
    number = _number(value, allowed, percent=percent)
    if number <= 0 or (most is not None and number > most):
        raise Unreadable(allowed)
    return number


def _instant(text: str) -> datetime | None:
    """Return the instant that `text` names, or None."""
    if len(text) > 40:
        return None
    if _ISO.fullmatch(text):
        try:
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            return None
    if not _UNIX.fullmatch(text):
        return None
    if len(text) == 13 and "." not in text:
        return _EPOCH + timedelta(milliseconds=int(text))
    return _EPOCH + timedelta(microseconds=int(Decimal(text) * _MICROSECONDS))
