"""The whole house under a seed: in whatever order its threads are moved, whatever breaks, whenever it dies.

VOYAGE_SEED=17 pytest tests/voyage/seeded/test_seeds.py -k one_seed      sails one seed; a failure says which
make soak SOAK="-k voyage"                                               thousands of them
"""

import os

import pytest

from tests.voyage.seeded.port import Port
from tests.voyage.seeded.scenes import a_clock_is_set
from tests.voyage.seeded.voyage import Course, Ended, sail
from tests.voyage.seeded.worlds import FIRST

SEEDS = (2, 7, 8, 20055, pytest.param(9, marks=pytest.mark.postgres))
"""They sail at Binance, at Binance spot and at AsterDEX (these two over HTTP), at spot beside somebody who trades there
while clocks jump by minutes and the house dies fifty times, and at Binance on PostgreSQL."""

_IN_ONE = 50
_SOAKED = 3_000
_SHORT = Course(alerts=4, storm_s=14.0, storm_every_s=3.0, crash_every=(0,))


def _holds(ended: Ended) -> None:
    assert ended.wrong is None, f"\n{ended.told()}"


@pytest.mark.parametrize("seed", [int(os.environ["VOYAGE_SEED"])] if "VOYAGE_SEED" in os.environ else SEEDS)
def test_one_seed_of_a_voyage_comes_to_rest_with_every_law_whole(seed: int, port: Port) -> None:
    """Nothing lost, nothing doubled, nothing naked, and the books are the exchange's own."""
    _holds(sail(seed, port))


def test_a_seed_that_found_a_stop_without_a_size_finds_it_no_more(port: Port) -> None:
    """A stop that closes all that is held has no size at the exchange: asked about, it halted the account."""
    _holds(sail(5, port, Course(watched=True, world=FIRST)))


def test_the_same_seed_is_the_same_voyage(port: Port) -> None:
    """What a seed found can be looked at again, as often as it takes."""
    first, again, other = (sail(seed, port, _SHORT) for seed in (2, 2, 3))
    assert first.trace == again.trace
    assert first.digest == again.digest != other.digest


@pytest.mark.parametrize(
    ("minutes", "boot"),
    [
        pytest.param(2, "frozen", id="forward, same boot"),
        pytest.param(2, "another", id="forward, other boot"),
        pytest.param(-2, "frozen", id="back, same boot"),
        pytest.param(2, None, id="forward, no restart", marks=pytest.mark.soak),
        pytest.param(-2, None, id="back, no restart", marks=pytest.mark.soak),
        pytest.param(-2, "another", id="back, other boot", marks=pytest.mark.soak),
    ],
)
def test_a_clock_that_is_set_makes_no_request_too_old_to_arrive(minutes: int, boot: str | None, port: Port) -> None:
    """By the wall clock its window would be over at once, or minutes late; the machine's own count goes on.

    Sent again too soon, an order could be there twice; the steady clock of a process dies with it.
    """
    ended = a_clock_is_set(port, minutes=minutes, boot=boot)

    _holds(ended)
    names = [line.rpartition(" ")[2] for line in ended.trace if "> POST /fapi/v3/order " in line]
    assert len(names) > len(set(names)), "one of them was sent again, in the end"
    assert ended.lives == (1 if boot is None else 2)


@pytest.mark.soak
@pytest.mark.parametrize("first", range(1_000, 1_000 + _SOAKED, _IN_ONE))
def test_thousands_of_voyages_come_to_rest(first: int, port: Port) -> None:
    """A few seeds are an example; the law is about all of them."""
    wrong = [ended.told() for seed in range(first, first + _IN_ONE) if (ended := sail(seed, port)).wrong]
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 7))
def test_a_voyage_may_end_at_any_commit_and_go_on(seed: int, port: Port) -> None:
    """The process dies right before and right after each commit of one voyage, in one voyage for each."""
    whole = sail(seed, port, _SHORT)
    _holds(whole)
    wrong = [
        f"died at commit {at}: {ended.told()}"
        for at in range(1, whole.commits + 1)
        if (ended := sail(seed, port, _SHORT, crash_at=at)).wrong
    ]
    assert not wrong, "\n\n".join(wrong)
