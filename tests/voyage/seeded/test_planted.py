"""A voyage that finds nothing is worth what it would have found: faults are planted, and each must be found out."""

from collections import Counter

import pytest

from tests.voyage.seeded.planted import PLANTED, count_the_window_by_the_wall_clock
from tests.voyage.seeded.port import Port
from tests.voyage.seeded.scenes import a_clock_is_set
from tests.voyage.seeded.voyage import Course, sail
from tests.voyage.seeded.worlds import BINANCE, FIRST, LADDER, SPOT, TRAILING, World

_SEEDS_MOST = 6
CAUGHT_BY = {
    "resend_on_time_out_with_a_new_id": {
        "never more than was asked for",
        "one alert, one order",
        "orders agree",
        "a position is what was asked for",
        "never resent before its window is over",
    },
    "resend_before_the_window_is_over": {"never resent before its window is over"},
    "book_a_fill_twice": {"what is booked has happened"},
    "forget_the_sibling": {"protection stands", "nothing is left behind"},
    "take_a_failed_query_as_flat": {"nothing is halted without a reason"},
    "ignore_a_partial_fill": {"nothing is halted without a reason", "every fill is booked once"},
    "answer_before_the_commit": {"no alert is lost"},
    "place_the_stop_too_large": {"protection stands"},
    "drop_the_key_of_an_alert": {"never more than was asked for", "one alert, one signal"},
    "skip_the_fence": {"who sends holds the lease"},
    "send_anew_what_a_dead_process_had_in_hand": {
        "never resent before its window is over",
        "invariant fills_are_posted",
        "one client id, one order",
    },
    "deliver_at_most_once": {"it comes to rest", "invariant nothing_stays_unknown", "no error of ours"},
    "let_protection_open_a_position": {"protection only reduces"},
    "forget_the_trail_after_a_restart": {"protection stands"},
    "keep_a_target_of_another_size": {"protection stands"},
    "book_what_others_trade_as_ours": {"what others trade is not ours"},
    "forget_what_a_commission_took": {"nothing is halted without a reason", "positions agree"},
    "say_yes_to_what_was_not_stored": {"no alert is lost"},
}
"""Which laws may find it out."""

WORLDS = {
    "forget_the_trail_after_a_restart": World(venue=BINANCE, protection=TRAILING),
    "keep_a_target_of_another_size": World(protection=LADDER),
    "book_what_others_trade_as_ours": World(venue=BINANCE, is_shared=True),
    "forget_what_a_commission_took": World(venue=SPOT),
    "say_yes_to_what_was_not_stored": World(over_http=True),
}
"""In which world it shows; else in the first."""

BEGINS_AT = {
    "resend_on_time_out_with_a_new_id": 2,
    "resend_before_the_window_is_over": 2,
    "take_a_failed_query_as_flat": 4,
    "ignore_a_partial_fill": 4,
    "skip_the_fence": 2,
    "send_anew_what_a_dead_process_had_in_hand": 3,
    "forget_the_trail_after_a_restart": 3,
    "forget_what_a_commission_took": 2,
    "say_yes_to_what_was_not_stored": 2,
}
"""With which seed to begin, where the first ones happen not to touch it, or find it late; else with 1."""


def _found_by(name: str, seed: int, port: Port) -> str | None:
    with PLANTED[name]():
        ended = sail(seed, port, Course(world=WORLDS.get(name, FIRST)))
    return ended.wrong.law if ended.wrong is not None else None


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found_out_within_a_few_seeds(name: str, port: Port) -> None:
    """Found out by the law that it breaks: one that is found by accident only may be missed tomorrow."""
    begin = BEGINS_AT.get(name, 1)
    laws = (_found_by(name, seed, port) for seed in range(begin, begin + _SEEDS_MOST))
    law = next((law for law in laws if law is not None), None)
    assert law in CAUGHT_BY[name]


def test_a_window_that_is_counted_by_the_wall_clock_is_found_out(port: Port) -> None:
    """The clock has to be set while an order is in doubt, and the process to die: a scene of its own."""
    with count_the_window_by_the_wall_clock():
        ended = a_clock_is_set(port, minutes=2, boot="frozen")
    assert ended.wrong is not None
    assert ended.wrong.law == "never resent before its window is over"


@pytest.mark.soak
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found_out_by_many_seeds(name: str, port: Port) -> None:
    """Not by one lucky seed: by one in eight at least."""
    found = Counter(_found_by(name, seed, port) for seed in range(100, 140))
    assert 40 - found[None] >= 5, found
    assert found.keys() - {None} <= CAUGHT_BY[name], found
