"""Messages over a pipe: plain data and columns of numbers go in; the same comes out. No code travels.

A frame is a length, a header in MessagePack, and the bytes of its arrays one behind the other. What comes from a
confined process is believed in nothing: sizes are bounded before memory is taken, kinds of arrays are a short list, and
whatever does not fit is FrameBroken.
"""

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pilothouse.core.errors import Broken

Array = NDArray[Any]

HEADER_MOST: Final = 64 * 2**20
BYTES_MOST: Final = 8 * 2**30
_ARRAYS_MOST: Final = 4_096
_KINDS: Final = frozenset({"<i8", "<f8", "<i4", "<f4", "|i1", "|b1", "|u1"})
_LENGTH = struct.Struct("<IQ")


class FrameBroken(Broken):
    """What came over the pipe is no frame."""

    code = "frame_broken"


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One message.

    data     plain data: dicts with text keys, lists, text, numbers, truths, None
    arrays   columns by name, of whole numbers of 8, 32 or 64 bits, floats of 32 or 64, or truths
    """

    data: dict[str, Any]
    arrays: Mapping[str, Array] = field(default_factory=dict)


class _Column(msgspec.Struct, array_like=True):
    name: str
    kind: str
    shape: list[int]


class _Header(msgspec.Struct, array_like=True):
    data: dict[str, Any]
    columns: list[_Column]


_ENCODE = msgspec.msgpack.Encoder()
_DECODE = msgspec.msgpack.Decoder(_Header)


def write_frame(write: Callable[[memoryview], Any], frame: Frame) -> None:
    """Write one message by calling `write` with portions of it.

    Raises TypeError for data that is not plain and for arrays of another kind: a bug of the sender.
    """
    columns, bodies = [], []
    for name, given in frame.arrays.items():
        array = np.ascontiguousarray(given)
        kind = array.dtype.newbyteorder("<").str if array.dtype.itemsize > 1 else array.dtype.str
        if kind not in _KINDS:
            raise TypeError(f"{name}: arrays of {array.dtype} do not travel")
        columns.append(_Column(name, kind, list(array.shape)))
        bodies.append(array.astype(kind, copy=False).reshape(-1).view(np.uint8).data if array.size else memoryview(b""))
    header = _ENCODE.encode(_Header(frame.data, columns))
    write(memoryview(_LENGTH.pack(len(header), sum(len(body) for body in bodies)) + header))
    for body in bodies:
        write(body)


def read_frame(read: Callable[[int], bytes]) -> Frame | None:
    """Return the next message, None at the end of the pipe.

    read   returns exactly so many bytes, or fewer at the end
    Raises FrameBroken.
    """
    lengths = read(_LENGTH.size)
    if not lengths:
        return None
    if len(lengths) != _LENGTH.size:
        raise FrameBroken("the pipe ended within a length")
    header_bytes, body_bytes = _LENGTH.unpack(lengths)
    if header_bytes > HEADER_MOST or body_bytes > BYTES_MOST:
        raise FrameBroken(f"a frame of {header_bytes:,} + {body_bytes:,} bytes is too large")
    text = read(header_bytes)
    if len(text) != header_bytes:
        raise FrameBroken("the pipe ended within a header")
    try:
        header = _DECODE.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FrameBroken(f"no header: {error}"[:200]) from error
    return Frame(header.data, _arrays(header.columns, body_bytes, read))


def _arrays(columns: list[_Column], body_bytes: int, read: Callable[[int], bytes]) -> dict[str, Array]:
    if len(columns) > _ARRAYS_MOST:
        raise FrameBroken(f"{len(columns)} arrays are too many")
    sizes = []
    for column in columns:
        if column.kind not in _KINDS or len(column.shape) > 3 or any(edge < 0 for edge in column.shape):
            raise FrameBroken(f"array {column.name[:40]!r} of {column.kind[:10]!r} {column.shape[:4]} is none of ours")
        sizes.append(math.prod(column.shape) * np.dtype(column.kind).itemsize)
    if sum(sizes) != body_bytes:
        raise FrameBroken(f"{body_bytes} bytes came for arrays of {sum(sizes)}")
    found = {}
    for column, size in zip(columns, sizes, strict=True):
        body = read(size)
        if len(body) != size:
            raise FrameBroken("the pipe ended within an array")
        found[column.name] = np.frombuffer(body, dtype=column.kind).reshape(column.shape)
    if len(found) != len(columns):
        raise FrameBroken("two arrays have one name")
    return found
