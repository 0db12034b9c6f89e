"""Messages over a pipe, from a sender that nobody believes."""

import io
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pilothouse.sandbox.frames import Frame, FrameBroken, read_frame, write_frame

_PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
_ARRAYS = hnp.arrays(
    st.sampled_from(["<i8", "<f8", "<i4", "<f4", "|i1", "|b1", "|u1"]).map(np.dtype),
    hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=6),
)


def _sent(frame: Frame) -> bytes:
    sink = io.BytesIO()
    write_frame(sink.write, frame)
    return sink.getvalue()


@given(
    st.dictionaries(st.text(max_size=8), _PLAIN, max_size=4), st.dictionaries(st.text(max_size=8), _ARRAYS, max_size=4)
)
def test_what_is_sent_is_what_comes(data: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Data and columns, whatever they hold."""
    found = read_frame(io.BytesIO(_sent(Frame(data, arrays))).read)

    assert found is not None
    assert found.data == data
    assert list(found.arrays) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)


@given(st.binary(max_size=200))
def test_no_bytes_whatever_are_more_than_refused(junk: bytes) -> None:
    """A frame, an end, or FrameBroken; never another error, and never memory that was only promised."""
    try:
        found = read_frame(io.BytesIO(junk).read)
    except FrameBroken:
        return
    assert found is None or isinstance(found, Frame)


@given(st.data())
def test_a_frame_that_is_cut_or_changed_is_refused_or_is_plain_data(data: st.DataObject) -> None:
    """Wherever the pipe ends, and whichever byte is another."""
    whole = _sent(Frame({"a": [1, "x"]}, {"column": np.arange(5), "truths": np.array([True, False])}))
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(FrameBroken):
        read_frame(io.BytesIO(whole[:cut]).read)
    changed = bytearray(whole)
    changed[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_frame(io.BytesIO(bytes(changed)).read)
    except FrameBroken:
        return


@pytest.mark.parametrize(
    "columns",
    [
        [["x", "|O", [1]]],
        [["x", "<U4", [1]]],
        [["x", "<i8", [-1]]],
        [["x", "<i8", [2**62, 2**62]]],
        [["x", "<i8", [1, 1, 1, 1]]],
        [["x", "<i8", [1]], ["x", "<i8", [0]]],
    ],
)
def test_arrays_that_are_none_of_ours_are_refused(columns: list[Any]) -> None:
    """Objects, negative shapes, sizes that nobody sent, and two of one name."""
    header = msgspec.msgpack.encode([{}, columns])
    lengths = len(header).to_bytes(4, "little") + (8).to_bytes(8, "little")

    with pytest.raises(FrameBroken):
        read_frame(io.BytesIO(lengths + header + bytes(8)).read)


def test_an_array_of_objects_is_not_sent() -> None:
    """It is a bug of the sender."""
    with pytest.raises(TypeError, match="x: arrays of object do not travel"):
        _sent(Frame({}, {"x": np.array([object()])}))
