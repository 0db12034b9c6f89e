"""The answers that the adapters are tried on are somebody else's, as they were taken."""

from tools import take_tapes


def test_every_tape_is_as_it_was_taken_and_says_where_from() -> None:
    """A tape that was mended here would only show that we agree with ourselves."""
    assert take_tapes.wrong() == []


def test_the_notices_of_those_who_recorded_them_lie_beside_the_tapes() -> None:
    """They gave their work away under terms that ask for that."""
    for _, _, file in take_tapes._NOTICES:
        assert (take_tapes.TAPES / file).stat().st_size > 500
