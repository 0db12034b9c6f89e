"""Numbers of a foreign table, exactly: an Arrow column goes in; whole steps of 10^-digits come out. Pure.

Text keeps every digit that it has. A float carries fifteen significant digits for sure; what stands behind them is
noise of whoever computed it, so it is read as the shortest decimal that agrees in fifteen: 0.1 is one tenth, and
0.09946999000000001 is 0.09946999. What 64 bits cannot count is refused, never rounded.
"""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pilothouse.core.errors import Invalid, Problem
from pilothouse.marketdata import arrow_functions as pc

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

DIGITS_MOST: Final = 18
_MOST: Final = 2**63 - 1
_EXACT_FLOAT: Final = 2**53
_NOISE: Final = 1e-15
_FIRST: Final = 1_024
_PLAIN_NUMBER: Final = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)\s*$"


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """A column of exact numbers.

    counted   int64[n], in steps of 10^-digits; 0 where `blank`
    digits    0 to 18
    blank     bool[n], where there was no number at all
    """

    counted: Ints
    digits: int
    blank: NDArray[np.bool_]

    def at(self, digits: int) -> Ints:
        """Return the same numbers in finer steps; `digits` is not below its own. Raises Invalid (field `numbers`)."""
        if digits == self.digits:
            return self.counted
        factor = 10 ** (digits - self.digits)
        most = int(np.abs(self.counted).max()) if len(self.counted) else 0
        if most * factor > _MOST:
            raise _too_fine("numbers", f"{most} steps of 10^-{self.digits}")
        finer: Ints = self.counted * factor
        return finer


def steps_of(column: Any, name: str) -> Steps:
    """Return an Arrow array or chunked array of text, floats, decimals or whole numbers as exact steps.

    name   of the column, for the error
    Raises Invalid that names the column, the first row that is no number, and what it was.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_null(array.type):
        return Steps(np.zeros(len(array), np.int64), 0, np.ones(len(array), bool))
    if pa.types.is_integer(array.type):
        blank = _nulls(array)
        return Steps(_ints(pc.fill_null(array, 0) if array.null_count else array, name), 0, blank)
    if pa.types.is_floating(array.type):
        return _of_floats(array, name)
    if pa.types.is_decimal(array.type):
        array = pc.cast(array, pa.string())
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        return _of_text(array, name)
    raise Invalid([Problem(name, f"a column of {array.type}", "a column of numbers", "not_a_number")])


def _nulls(array: Any) -> NDArray[np.bool_]:
    if not array.null_count:
        return np.zeros(len(array), bool)
    found: NDArray[np.bool_] = pc.is_null(array).to_numpy(zero_copy_only=False).astype(bool)
    return found


def _ints(array: Any, name: str) -> Ints:
    if array.type == pa.int64():
        whole: Ints = array.to_numpy(zero_copy_only=False)
        return whole
    try:
        found: Ints = pc.cast(array, pa.int64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid as error:
        raise _too_fine(name, str(error)[:80]) from error
    return found


def _of_floats(array: Any, name: str) -> Steps:
    array = array if array.type == pa.float64() else pc.cast(array, pa.float64())
    values = array.to_numpy(zero_copy_only=False)
    blank = np.isnan(values)
    values = np.where(blank, 0.0, values) if bool(blank.any()) else values
    if not bool(np.isfinite(values).all()):
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise Invalid([Problem(name, f"row {row + 1} is {values[row]}", "finite numbers", "not_finite")])
    noise = _NOISE * np.abs(values)
    for digits in range(DIGITS_MOST + 1):
        factor = 10.0**digits
        # What the first rows refute need not be asked of all.
        if not _agree(values[:_FIRST], factor, noise[:_FIRST])[1]:
            continue
        scaled, agree = _agree(values, factor, noise)
        if len(scaled) and max(float(scaled.max()), -float(scaled.min())) >= _EXACT_FLOAT:
            break
        if agree:
            return Steps(scaled.astype(np.int64), digits, blank)
    # Large numbers beside small ones: one by one, by their text of fifteen digits.
    return _of_decimals([Decimal(f"{float(value):.15g}") for value in values], blank, name)


def _agree(values: Floats, factor: float, noise: Floats) -> tuple[Floats, bool]:
    """Return numbers in whole steps, and whether each of them is within its noise of what it was."""
    scaled = np.rint(values * factor)
    off = scaled / factor
    off -= values
    return scaled, bool((np.abs(off, out=off) <= noise).all())


def _of_text(array: Any, name: str) -> Steps:
    trimmed = pc.utf8_trim_whitespace(array)
    blank = _nulls(trimmed) | pc.fill_null(pc.equal(trimmed, ""), fill_value=True).to_numpy(zero_copy_only=False)
    filled = pc.if_else(pa.array(blank), "0", trimmed)
    if not pc.all(pc.match_substring_regex(filled, _PLAIN_NUMBER)).as_py():
        return _of_decimals(_decimals(filled.to_pylist(), name), blank, name)
    has_point = pc.match_substring(filled, ".")
    lean = pc.if_else(has_point, pc.utf8_rtrim(filled, "0"), filled)
    point = pc.find_substring(lean, ".")
    behind = pc.if_else(has_point, pc.subtract(pc.subtract(pc.utf8_length(lean), point), 1), 0)
    digits = int(pc.max(behind).as_py() or 0)
    if digits > DIGITS_MOST:
        raise _too_fine(name, f"{digits} digits behind the point")
    lean = pc.if_else(pc.ends_with(lean, "."), pc.utf8_rtrim(lean, "."), lean)
    lean = pc.if_else(pc.or_(pc.equal(lean, ""), pc.is_in(lean, pa.array(["+", "-"], lean.type))), "0", lean)
    try:
        exact = pc.cast(lean, pa.decimal128(38, digits))
    except pa.ArrowInvalid:
        return _of_decimals(_decimals(filled.to_pylist(), name), blank, name)
    return Steps(_low_words(exact, name), digits, blank)


def _low_words(exact: Any, name: str) -> Ints:
    """Return the whole numbers of a decimal column: 128 bits each, of which the upper half only tells the sign."""
    if not len(exact):
        return np.zeros(0, np.int64)
    words = np.frombuffer(exact.buffers()[1], dtype="<i8").reshape(-1, 2)[exact.offset : exact.offset + len(exact)]
    low, high = words[:, 0], words[:, 1]
    wrong = high != (low >> 63)
    if bool(wrong.any()):
        raise _too_fine(name, f"row {int(np.flatnonzero(wrong)[0]) + 1}")
    return low.astype(np.int64)


def _decimals(texts: list[str], name: str) -> list[Decimal]:
    found = []
    for row, text in enumerate(texts):
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            allowed = "numbers with a point before the decimals, such as 65000.10"
            raise Invalid([Problem(name, f"row {row + 1} is {text[:40]!r}", allowed, "not_a_number")])
        found.append(number)
    return found


def _of_decimals(numbers: list[Decimal], blank: NDArray[np.bool_], name: str) -> Steps:
    """Count numbers one by one: slow, for what is written unusually."""
    lean = [number.normalize() for number in numbers]
    digits = max((-int(number.as_tuple().exponent) for number in lean if number), default=0)
    digits = max(digits, 0)
    if digits > DIGITS_MOST:
        raise _too_fine(name, f"{digits} digits behind the point")
    counted = [int(number.scaleb(digits)) for number in lean]
    if any(abs(count) > _MOST for count in counted):
        raise _too_fine(name, f"{max(abs(number) for number in lean)} with {digits} digits behind the point")
    return Steps(np.array(counted, np.int64), digits, blank)


def _too_fine(name: str, came: str) -> Invalid:
    return Invalid([Problem(name, came, "numbers whose digits fit 64 bits", "too_fine")])
