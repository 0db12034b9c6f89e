"""The only module that rounds. Every rounding names its direction and who gains.

Values are exact decimals; a float is refused, because by the time it arrives it is already wrong.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, InvalidOperation

from pilothouse.core.errors import PilothouseError

# Wide enough that no product of two 38-digit columns is ever rounded behind our back.
EXACT = Context(prec=80)

QUOTE_UNIT = Decimal("0.00000001")
"""The smallest amount of a quote currency the house books; venues book no finer."""

_DIGITS_MAX = 38
_EXPONENT_MIN = -18


class NotExact(PilothouseError, ValueError):
    """A value that cannot be kept exactly: a float, NaN, an infinity, or more digits than a column holds."""

    code = "not_exact"


def exact(value: Decimal | int | str) -> Decimal:
    """Return `value` as a finite decimal of at most 38 digits, 18 of them behind the point.

    Raises NotExact for a float, NaN, an infinity, other text, or too many digits.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise NotExact(f"{value!r} ({type(value).__name__}) is no exact number")
    if isinstance(value, str):
        text = value.strip()
        if not text.isascii() or "_" in text:
            raise NotExact(f"{text[:40]!r} is no number in ASCII digits")
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise NotExact(f"{text[:40]!r} is no number") from None
    else:
        number = Decimal(value)
    if not number.is_finite():
        raise NotExact(f"{number} is not finite")
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int), "a finite decimal has a whole exponent"
    if exponent >= _EXPONENT_MIN and len(digits) + exponent <= _DIGITS_MAX + _EXPONENT_MIN:
        return number
    return _shortened(sign, digits, exponent)


def _shortened(sign: int, digits: tuple[int, ...], exponent: int) -> Decimal:
    """Return the number without zeros that say nothing, if it can be kept then; counts digits, never rounds.

    Decimal.normalize would round to its context first: a one far behind the point would be lost without a word.
    """
    last = len(digits)
    while last and digits[last - 1] == 0:
        last -= 1
    if last == 0:
        return Decimal(0)
    exponent += len(digits) - last
    if exponent < _EXPONENT_MIN or last + exponent > _DIGITS_MAX + _EXPONENT_MIN:
        raise NotExact("more digits than can be kept: at most 20 before the point and 18 behind")
    return Decimal((sign, digits[:last], exponent))


def plain(value: Decimal) -> str:
    """Return the shortest text of `value`: no exponent, no trailing zeros, no negative zero."""
    text = str(value)
    if "E" in text:
        text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def is_on_grid(value: Decimal, step: Decimal) -> bool:
    """Say whether `value` is a whole multiple of `step`; `step` is above zero."""
    return EXACT.remainder(value, step) == 0


def down(value: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of `step` that is not above `value`."""
    return _to(value, step, ROUND_FLOOR)


def up(value: Decimal, step: Decimal) -> Decimal:
    """Return the smallest multiple of `step` that is not below `value`."""
    return _to(value, step, ROUND_CEILING)


def toward_zero(value: Decimal, step: Decimal) -> Decimal:
    """Return the multiple of `step` next to `value` on the side of zero: a size never grows."""
    return down(value, step) if value >= 0 else up(value, step)


def nearest(value: Decimal, step: Decimal) -> Decimal:
    """Return the multiple of `step` nearest to `value`, halves to even: nobody gains in the long run."""
    return _to(value, step, ROUND_HALF_EVEN)


def divided(value: Decimal, by: Decimal, step: Decimal, *, upward: bool = False) -> Decimal:
    """Return `value / by` as a multiple of `step`, rounded down, or up if `upward`; `by` is not zero."""
    whole = _whole(value, EXACT.multiply(by, step), ROUND_CEILING if upward else ROUND_FLOOR)
    return EXACT.multiply(whole, step)


def share(value: Decimal, part: Decimal, whole: Decimal, step: Decimal) -> Decimal:
    """Return `value x part / whole` as a multiple of `step`, rounded once, halves to even; `whole` is not zero."""
    steps = _whole(EXACT.multiply(value, part), EXACT.multiply(whole, step), ROUND_HALF_EVEN)
    return EXACT.multiply(steps, step)


def ratio(part: Decimal, whole: Decimal) -> Decimal:
    """Return `part / whole` to 12 digits behind the point, to be shown or compared, never to be booked."""
    return nearest(EXACT.divide(part, whole), Decimal("0.000000000001"))


def _to(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    """Return `value` rounded to a multiple of `step`; `step` is above zero."""
    assert step > 0, "a grid has a step above zero"
    return EXACT.multiply(_whole(value, step, rounding), step)


def _whole(value: Decimal, by: Decimal, rounding: str) -> Decimal:
    """Return `value / by` as a whole number; `by` is not zero.

    Decided by the remainder, which is exact: a quotient that was rounded to 80 digits first could stand on the wrong
    side of a whole number.
    """
    steps, rest = EXACT.divmod(value, by)  # toward zero; the rest has the sign of `value`
    if rest == 0:
        return steps
    away = Decimal(1 if (rest > 0) == (by > 0) else -1)
    if rounding == ROUND_FLOOR:
        return steps if away > 0 else EXACT.add(steps, away)
    if rounding == ROUND_CEILING:
        return steps if away < 0 else EXACT.add(steps, away)
    twice, bound = EXACT.abs(EXACT.add(rest, rest)), EXACT.abs(by)
    odd = EXACT.remainder(steps, Decimal(2)) != 0
    return EXACT.add(steps, away) if twice > bound or (twice == bound and odd) else steps
