"""Nonces: they only grow, whoever asks for them, and never make an old request look young."""

import multiprocessing
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.venues.aster.nonce import AHEAD_MOST, Nonces, StampTooOld

SECOND = 1_000_000
START = 1_760_000_000 * SECOND


def take(path: Path, at: int, count: int, out: "multiprocessing.Queue[list[int]]") -> None:
    """Take nonces in a process of its own."""
    nonces = Nonces(path)
    out.put([nonces.next(at) for _ in range(count)])


def test_processes_with_one_signer_never_get_the_same_nonce(tmp_path: Path) -> None:
    """The venue takes a nonce once; the second request would be lost."""
    context = multiprocessing.get_context("spawn")
    out: multiprocessing.Queue[list[int]] = context.Queue()
    running = [context.Process(target=take, args=(tmp_path / "signer", START, 200, out)) for _ in range(3)]
    for process in running:
        process.start()
    given_ = [out.get(timeout=100) for _ in running]
    for process in running:
        process.join()

    assert len({nonce for each in given_ for nonce in each}) == 600
    assert all(each == sorted(each) for each in given_)


def test_threads_never_get_the_same_nonce(tmp_path: Path) -> None:
    """Lanes send side by side."""
    nonces, found = Nonces(tmp_path / "signer"), []

    def work() -> None:
        found.extend([nonces.next(START) for _ in range(200)])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(found)) == 800


def test_a_new_start_goes_on_where_the_last_ended(tmp_path: Path) -> None:
    """Two requests of one microsecond, with a crash between them."""
    first = Nonces(tmp_path / "signer").next(START)

    assert Nonces(tmp_path / "signer").next(START) == first + 1


@given(st.lists(st.integers(0, 2 * SECOND), min_size=1, max_size=50))
def test_nonces_grow_whatever_the_clock_does(tmp_path_factory: pytest.TempPathFactory, moves: list[int]) -> None:
    """Clocks are set back by a little all the time."""
    nonces = Nonces(tmp_path_factory.mktemp("nonces") / "signer")
    given_ = [nonces.next(START + move) for move in moves]

    assert given_ == sorted(set(given_))


def test_an_old_stamp_is_not_made_young(tmp_path: Path) -> None:
    """A process that was stopped and wakes up late may only send what the venue refuses as too old."""
    nonces = Nonces(tmp_path / "signer")
    nonces.next(START + 20 * SECOND)

    with pytest.raises(StampTooOld):
        nonces.next(START, now_us=START + 20 * SECOND)
    assert nonces.next(START + 20 * SECOND - AHEAD_MOST.seconds * SECOND + 1) == START + 20 * SECOND + 1


def test_a_file_that_was_torn_begins_anew(tmp_path: Path) -> None:
    """Better a nonce that may be refused than a house that does not start."""
    (tmp_path / "signer").write_text("12ab")

    assert Nonces(tmp_path / "signer").next(START) == START


@given(jump=st.integers(1, 3_600 * SECOND), sent=st.integers(1, 5), later=st.integers(0, 30 * SECOND))
def test_a_clock_that_jumped_ahead_and_came_back_holds_nothing_up(
    tmp_path_factory: pytest.TempPathFactory, jump: int, sent: int, later: int
) -> None:
    """For as long as the jump was far, no stop-loss could be placed and nothing cancelled."""
    nonces = Nonces(tmp_path_factory.mktemp("nonces") / "signer")
    for _ in range(sent):
        nonces.next(START + jump)
    now = START + later

    given_ = [nonces.next(now, now) for _ in range(3)]

    assert given_ == sorted(set(given_))
    assert all(now <= each <= now + AHEAD_MOST.seconds * SECOND + 3 for each in given_), "within what the venue takes"
    nonces.close()


def test_an_old_stamp_is_not_made_young_by_a_clock_that_came_back(tmp_path: Path) -> None:
    """What was stamped during the jump, or long before, goes out only where the venue sees how old it is."""
    nonces = Nonces(tmp_path / "signer")
    nonces.next(START + 60 * SECOND)

    with pytest.raises(StampTooOld):
        nonces.next(START - 20 * SECOND, now_us=START)


@given(st.lists(st.integers(-100 * SECOND, 0), min_size=2, max_size=20))
def test_nonces_of_a_sound_clock_are_never_given_again(
    tmp_path_factory: pytest.TempPathFactory, stamps: list[int]
) -> None:
    """The venue may have taken each of them."""
    nonces, given_ = Nonces(tmp_path_factory.mktemp("nonces") / "signer"), []
    for stamp in stamps:
        try:
            given_.append(nonces.next(START + stamp, START))
        except StampTooOld:
            continue
    assert given_ == sorted(set(given_))
    nonces.close()
