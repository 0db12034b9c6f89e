"""The law of telling: at once the first time, counted afterwards, told again after pauses that only grow."""

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pilothouse.notifications.pace import PAUSES, QUIET, Pace, begin, happened_again, is_quiet, when_due

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
WAITS = st.lists(st.integers(min_value=0, max_value=4_000), min_size=1, max_size=60)


def lived(waits: list[int], *, stands: bool) -> tuple[Pace, list[tuple[datetime, int]]]:
    """Let it happen again after each of `waits` (seconds), and be asked whenever it is due; return what was told."""
    now = NOON
    pace, tells = begin(now, stands=stands)
    assert tells
    told = [(now, 1)]
    for wait in waits:
        then = now + timedelta(seconds=wait)
        while pace.next_at is not None and pace.next_at <= then:
            due, news = pace.next_at, pace.news
            pace, tells = when_due(pace, due)
            if tells:
                told.append((due, news))
        now, news = then, pace.news + 1
        pace, tells = happened_again(pace, now)
        if tells:
            told.append((now, news))
    return pace, told


@given(WAITS, st.booleans())
def test_between_two_tellings_lies_at_least_the_pause_of_its_turn(waits: list[int], stands: bool) -> None:  # noqa: FBT001 - drawn by chance
    """A phone that rings all night is switched off, and then the next alarm is not heard either."""
    _, told = lived(waits, stands=stands)

    for number, (before, after) in enumerate(itertools.pairwise(told)):
        assert after[0] - before[0] >= PAUSES[min(number, len(PAUSES) - 1)]


@given(WAITS, st.booleans())
def test_whatever_happened_is_counted_in_exactly_one_telling(waits: list[int], stands: bool) -> None:  # noqa: FBT001 - drawn by chance
    """A summary that leaves some out, or counts some twice, is a false report."""
    pace, told = lived(waits, stands=stands)

    assert pace.count == len(waits) + 1
    assert sum(news for _, news in told) + pace.news == pace.count


@given(WAITS)
def test_what_happened_and_was_not_told_has_an_hour_at_which_it_will_be(waits: list[int]) -> None:
    """Counted and forgotten would be the same as lost."""
    pace, _ = lived(waits, stands=False)

    assert pace.news == 0 or pace.next_at is not None


def test_what_is_past_is_not_told_again_unless_it_happens_again() -> None:
    """One foreign order is one message, not a reminder for ever."""
    pace, _ = begin(NOON, stands=False)

    assert when_due(pace, NOON + timedelta(days=2)) == (pace, False)


def test_what_stands_is_told_again_although_nothing_new_happened() -> None:
    """A halted account that nobody resumes is still halted in the evening."""
    pace, _ = begin(NOON, stands=True)

    assert pace.next_at == NOON + PAUSES[0]
    pace, tells = when_due(pace, NOON + PAUSES[0])
    assert tells
    assert pace.next_at == NOON + PAUSES[0] + PAUSES[1]


def test_what_is_held_back_is_told_when_its_time_has_come_and_not_before() -> None:
    """A stream that is back after half a minute is worth nobody's sleep."""
    hold = timedelta(seconds=20)
    pace, tells = begin(NOON, stands=True, hold=hold)

    assert not tells
    assert happened_again(pace, NOON + hold / 2)[1] is False
    assert when_due(pace, NOON + hold)[1] is True


def test_only_what_happened_long_ago_and_does_not_stand_is_over_by_itself() -> None:
    """The next time it is news again."""
    past, _ = begin(NOON, stands=False)
    standing, _ = begin(NOON, stands=True)

    assert is_quiet(past, NOON, NOON + QUIET)
    assert not is_quiet(past, NOON, NOON + QUIET / 2)
    assert not is_quiet(standing, NOON, NOON + QUIET)
