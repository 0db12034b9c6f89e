"""Client order ids come from the intent alone; other ids sort by time."""

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.clock import micros
from pilothouse.core.ids import CLIENT_ID_PATTERN, client_order_id, sortable

keys = st.binary(min_size=10, max_size=32)
names = st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=60)
instants = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is the strategy's


@given(keys, names, names)
def test_the_same_intent_has_the_same_client_id(house: bytes, account: str, intent: str) -> None:
    """A replay after a crash must ask about the order that may already stand, not make another."""
    first = client_order_id(house, account, intent)

    assert first == client_order_id(bytes(house), str(account), str(intent))
    assert re.fullmatch(CLIENT_ID_PATTERN, first)
    assert len(first) == 27


@given(st.lists(st.tuples(names, names), unique=True, min_size=2, max_size=30), keys)
def test_different_intents_have_different_client_ids(intents: list[tuple[str, str]], house: bytes) -> None:
    """Two orders under one id would be one order at the venue."""
    assert len({client_order_id(house, account, intent) for account, intent in intents}) == len(intents)


@given(st.lists(keys, unique=True, min_size=2, max_size=5), names)
def test_another_house_makes_other_client_ids(houses: list[bytes], intent: str) -> None:
    """A new data directory on the same exchange account never repeats an id of the old one."""
    assert len({client_order_id(house, "acc", intent) for house in houses}) == len(houses)


def test_a_client_id_never_changes_between_releases() -> None:
    """Orders of yesterday's release stand at the venue under these ids."""
    assert client_order_id(b"0123456789abcdef", "acc_1", "sig_1/entry") == "phQKGVONSEQAMCWIIOT3HBVPMYV"


@given(instants, instants, st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.binary(min_size=4, max_size=4))
def test_ids_sort_by_time_then_by_counter(one: datetime, other: datetime, i: int, j: int, noise: bytes) -> None:
    """Cursors walk by id alone."""
    a, b = sortable("sig", one, i, noise), sortable("sig", other, j, noise)

    assert (a < b) == ((micros(one), i) < (micros(other), j))
    assert re.fullmatch(r"sig_[0-9a-f]{28}", a)


@given(instants, st.integers(0, 10**6), st.binary(min_size=4, max_size=4))
def test_a_counter_may_run_around(at: datetime, counter: int, noise: bytes) -> None:
    """An id never grows longer than its column."""
    assert len(sortable("sig", at, counter, noise)) == 32
    assert sortable("sig", at, counter, noise) < sortable("sig", at + timedelta(microseconds=1), 0, noise)
