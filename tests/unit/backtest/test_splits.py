"""Where to learn and where to be examined."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.backtest.splits import Split, combinations, folds, walk_forward
from pilothouse.core.errors import Invalid


def _rows(spans: tuple[tuple[int, int], ...]) -> set[int]:
    return {row for first, end in spans for row in range(first, end)}


def test_a_rolling_walk_examines_each_bar_once_and_in_order() -> None:
    """Ten bars of lesson, five of examination, then five further."""
    assert walk_forward(25, train=10, test=5) == [
        Split(((0, 10),), ((10, 15),)),
        Split(((5, 15),), ((15, 20),)),
        Split(((10, 20),), ((20, 25),)),
    ]


def test_an_anchored_walk_learns_from_everything_before() -> None:
    """The lesson grows, and a purge keeps the border clean."""
    assert walk_forward(25, train=10, test=5, anchored=True, purge=2) == [
        Split(((0, 10),), ((12, 17),)),
        Split(((0, 15),), ((17, 22),)),
        Split(((0, 20),), ((22, 25),)),
    ]


@given(
    rows=st.integers(20, 400),
    train=st.integers(2, 100),
    test=st.integers(1, 60),
    purge=st.integers(0, 20),
    data=st.data(),
)
def test_no_walk_learns_from_what_comes_later(
    rows: int, train: int, test: int, purge: int, data: st.DataObject
) -> None:
    """Every bar of a lesson lies before its examination, and the purge between them."""
    if train + purge + (test + 1) // 2 > rows:
        with pytest.raises(Invalid):
            walk_forward(rows, train=train, test=test, purge=purge)
        return
    anchored = data.draw(st.booleans())
    found = walk_forward(rows, train=train, test=test, purge=purge, anchored=anchored)

    assert found
    for split in found:
        assert max(_rows(split.train)) + purge < min(_rows(split.test))
        assert max(_rows(split.test)) < rows


@given(
    rows=st.integers(40, 400),
    parts=st.integers(2, 8),
    purge=st.integers(0, 10),
    embargo=st.integers(0, 10),
    tested=st.integers(1, 3),
)
def test_lesson_and_examination_never_touch(rows: int, parts: int, purge: int, embargo: int, tested: int) -> None:
    """Not in one bar, and not within purge and embargo."""
    if tested >= parts:
        return
    for split in [
        *folds(rows, parts, purge=purge, embargo=embargo),
        *combinations(rows, parts, tested, purge=purge, embargo=embargo),
    ]:
        learned = _rows(split.train)
        for first, end in split.test:
            near = set(range(first - purge, end + purge + embargo))
            assert not learned & near


def test_every_bar_is_examined_once() -> None:
    """The parts of all examinations are history itself."""
    found = folds(103, 7)

    assert sorted(row for split in found for row in _rows(split.test)) == list(range(103))


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: walk_forward(100, train=1, test=5), "train"),
        (lambda: walk_forward(100, train=90, test=30), "train"),
        (lambda: walk_forward(100, train=10, test=5, step=0), "step"),
        (lambda: folds(100, 1), "parts"),
        (lambda: folds(7, 4), "rows"),
        (lambda: folds(100, 4, purge=-1), "purge"),
        (lambda: combinations(100, 4, 4), "tested"),
    ],
)
def test_a_cut_that_makes_no_sense_is_refused_by_name(call: object, field: str) -> None:
    """The error names the number that does not fit."""
    assert callable(call)
    with pytest.raises(Invalid, match=field):
        call()
