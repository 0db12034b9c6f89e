"""A sweep is cut into pieces: every combination is in exactly one of them."""

from hypothesis import given
from hypothesis import strategies as st

from pilothouse.backtest.pieces import cut


@given(combinations=st.integers(1, 10**7), bars=st.integers(1, 10**7))
def test_every_combination_is_in_exactly_one_piece(combinations: int, bars: int) -> None:
    """One that is left out would be searched for in vain; one that is in two would be made twice."""
    pieces = cut(combinations, bars)

    ends = [0, *(piece.first + piece.count for piece in pieces)]
    assert [piece.first for piece in pieces] == ends[:-1]
    assert ends[-1] == combinations
    assert min(piece.count for piece in pieces) >= 1
    assert len(pieces) <= 64
    assert max(piece.count for piece in pieces) - min(piece.count for piece in pieces) <= 1


def test_what_is_small_stays_whole() -> None:
    """To hand a piece over takes longer than to make fifty trials over a year of days."""
    assert len(cut(50, 365)) == 1
    assert len(cut(400, 100_000)) > 1
