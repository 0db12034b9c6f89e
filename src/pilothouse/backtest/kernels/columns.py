"""Columns that belong to others: an address and a row go in, the number there comes out, and nothing is copied.

A portfolio reads of hundreds of columns only where something is held. Whoever hands addresses over keeps the arrays
alive, contiguous and of the right kind until the loop has ended, and asks for no row beyond their end.
"""

from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from pilothouse.strategies.indicators.compiling import compiled

Int = Any

OPENED, OPEN, HIGH, LOW, CLOSE, ROWS, PLACE, FLAGS, RANK, COLUMNS = range(10)
"""What stands in a row of addresses: columns of int64, but FLAGS of uint8 and RANK of float64 (0: there is none).

ROWS is the first of int64[r, n]; PLACE is where each bar stands in the calendar, 0 where both are the same.
"""


def _loads(of: Any, pointers: Any) -> Any:
    """Return what reads one number of a kind at an address: `pointers` is the type of such addresses."""

    def load(_context: Any, _at: Any, _row: Any) -> Any:
        def written(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
            pointer = builder.inttoptr(given[0], context.get_value_type(pointers))
            return builder.load(builder.gep(pointer, [given[1]]))

        return of(types.int64, types.int64), written

    return intrinsic(load)


def _address(_context: Any, _at: Any) -> Any:
    def written(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.inttoptr(given[0], context.get_value_type(signature.return_type))

    return _WHOLES(types.int64), written


_kinds: Any = types
_WHOLES = _kinds.CPointer(types.int64)
whole_at = _loads(types.int64, _WHOLES)
byte_at = _loads(types.uint8, _kinds.CPointer(types.uint8))
float_at = _loads(types.float64, _kinds.CPointer(types.float64))
_pointer: Any = intrinsic(_address)
_carray: Any = numba.carray  # type: ignore[attr-defined]  # it is exported without being listed


@compiled
def rows_at(address: Int, rows: Int, count: Int) -> NDArray[np.int64]:
    """Return int64[rows, count] that begins at an address."""
    found: NDArray[np.int64] = _carray(_pointer(address), (rows, count))
    return found
