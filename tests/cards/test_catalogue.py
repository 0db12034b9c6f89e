"""The catalogue itself: a number stands once, an exemption has its reason on a Card, the pages say what is tested."""

import re

import pytest

from tests.cards.adapters import EXEMPT, STANDS, card_of, takes
from tests.cards.numbering import GROUPS, all_numbers, all_taped
from tools import write_venue_cards


def test_every_card_has_one_number_and_every_number_one_card() -> None:
    """Who cites V-U02 means one thing, for ever."""
    numbers = [each.number for each in all_numbers()]
    assert len(numbers) == len(set(numbers))
    assert all(re.fullmatch(r"V-[A-Z][0-9]{2}", number) and number[:3] in GROUPS for number in numbers)


def test_every_group_is_numbered_without_gaps() -> None:
    """A number that is missing was taken away, and should have left a word behind."""
    for start in GROUPS:
        places = [int(each.number[3:]) for each in all_numbers() if each.number.startswith(start)]
        assert places == list(range(1, len(places) + 1)), start


@pytest.mark.parametrize("adapter", STANDS)
def test_who_is_let_off_says_why_on_its_card(adapter: str) -> None:
    """A card that is not taken is a promise that is not made: it must stand where people look."""
    states = {each.name: each for each in card_of(adapter).capabilities}
    numbers = {each.number for each in all_numbers()}
    for number, name in EXEMPT.get(adapter, {}).items():
        assert number in numbers, number
        assert name in states, f"{number}: the Card of {adapter} has no capability {name!r}"
        assert states[name].state in {"exempt", "to do"}, f"{number}: {name!r} is {states[name].state}"
        assert states[name].reason


def test_no_card_is_let_off_by_all() -> None:
    """A card that nobody takes proves nothing."""
    alone = [each.number for each in all_numbers() if not any(takes(adapter, each.number) for adapter in STANDS)]
    assert alone == []


def test_what_is_on_tape_is_a_card_and_nobody_typed_its_answers() -> None:
    """An answer that we made up ourselves agrees with us: only what others recorded counts."""
    numbers = {each.number for each in all_numbers()}
    for each in all_taped():
        assert set(each.numbers) <= numbers, each
        assert not each.typed, f"{each.exchange}: {each.test} answers what stands on no tape"


@pytest.mark.parametrize("exchange", sorted({each.exchange for each in all_taped()}))
def test_who_is_known_from_tapes_alone_says_that_the_rest_is_not_replayed(exchange: str) -> None:
    """Nothing else was tried there: who trades must be able to see it."""
    assert exchange not in STANDS
    rest = {each.name: each for each in card_of(exchange).capabilities}["venue cards that no tape shows"]
    assert (rest.state, rest.reason.startswith("not replayed")) == ("to do", True)


@pytest.mark.parametrize("page", write_venue_cards.PAGES, ids=lambda page: page.name)
def test_the_pages_say_what_is_tested(page: object) -> None:
    """Typed by hand they would be wrong within a month. Mend them: python -m tools.write_venue_cards."""
    (path, text) = next((path, text) for path, text in write_venue_cards.PAGES.items() if path == page)
    assert path.read_text(encoding="utf-8") == text()
