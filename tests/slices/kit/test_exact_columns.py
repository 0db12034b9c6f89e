"""What is written comes back, to the last digit, on both databases."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import String, cast, delete, insert, select

from pilothouse.core.rounding import EXACT, NotExact, plain
from pilothouse.kit.db import Database, Tx
from tests.slices.kit.probe import note, notes

exact_numbers = st.builds(
    lambda digits, places: EXACT.scaleb(Decimal(digits), -places),
    st.integers(-(10**20 - 1), 10**20 - 1),
    st.integers(0, 18),
) | st.builds(lambda digits: EXACT.scaleb(Decimal(digits), -18), st.integers(-(10**38 - 1), 10**38 - 1))
instants = st.datetimes(
    datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone itself
    datetime(2200, 1, 1),  # noqa: DTZ001 - as above
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=5, minutes=45))]),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)
several = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def there_and_back(db: Database, column: str, values: list[Any]) -> list[Any]:
    """Return `values` as they come back from `column`."""

    def work(tx: Tx) -> list[Any]:
        tx.execute(delete(notes))
        rows = [{"text": f"{number:04d}", column: value} for number, value in enumerate(values)]
        if rows:
            tx.execute(insert(notes), rows)
        return list(tx.execute(select(notes.c[column]).order_by(notes.c.text)).scalars())

    return db.write(work, name="there and back")


@several
@given(values=st.lists(exact_numbers, max_size=20))
def test_a_decimal_comes_back_to_the_last_digit(db: Database, values: list[Decimal]) -> None:
    """65000.10 is 65000.10: a tenth of a cent lost here is lost for good. Equal numbers also look equal."""
    found = there_and_back(db, "number", list(values))
    assert found == values
    assert all(type(each) is Decimal for each in found)
    assert [str(each) for each in found if abs(each) >= Decimal("0.000001")] == [
        plain(each) for each in values if abs(each) >= Decimal("0.000001")
    ]


def test_a_number_is_found_by_its_value_however_it_is_written(db: Database) -> None:
    """On SQLite it is text: 1.10 and 1.1 must be the same text."""
    db.write(note("a", number=Decimal("1.10")), name="n")
    for same in (Decimal("1.1"), Decimal("1.100000"), Decimal("11E-1")):
        assert db.read(lambda tx, same=same: tx.execute(select(notes.c.text).where(notes.c.number == same)).all())  # type: ignore[misc]  # mypy cannot type the default


@pytest.mark.parametrize(
    "wrong", [1.5, float("nan"), Decimal("NaN"), Decimal("Infinity"), Decimal("1E-19"), Decimal(10) ** 20, True, "1.5"]
)
def test_what_is_not_exact_is_refused_before_it_reaches_the_database(db: Database, wrong: Any) -> None:
    """A float is already wrong when it arrives; NaN poisons every sum it meets."""
    with pytest.raises(NotExact):
        db.write(note("a", number=wrong), name="n")


@several
@given(values=st.lists(instants, max_size=20))
def test_an_instant_comes_back_to_the_microsecond_in_utc(db: Database, values: list[datetime]) -> None:
    """The order of events is their order, wherever the server stands."""
    found = there_and_back(db, "at", list(values))
    assert found == values
    assert all(each.utcoffset() == timedelta(0) for each in found)


def test_instants_are_ordered_by_the_database_as_by_us(db: Database) -> None:
    """Work that is due is found by comparing instants in SQL."""
    base = datetime(2026, 1, 5, tzinfo=UTC)
    moments = [base + timedelta(microseconds=each) for each in (5, -1, 999_999, 0)]
    for number, moment in enumerate(moments):
        db.write(note(str(number), at=moment), name="n")
    found = db.read(lambda tx: list(tx.execute(select(notes.c.at).order_by(notes.c.at)).scalars()))
    assert found == sorted(moments)


def test_an_instant_without_a_time_zone_is_refused(db: Database) -> None:
    """It is a guess."""
    with pytest.raises(NotExact):
        db.write(note("a", at=datetime(2026, 1, 5)), name="n")  # noqa: DTZ001 - the mistake itself


@several
@given(values=st.lists(json_values, max_size=5))
def test_json_comes_back_as_it_was(db: Database, values: list[Any]) -> None:
    """What a venue or a person said is kept as it was said."""
    assert there_and_back(db, "plain", list(values)) == values


def test_json_keeps_numbers_exact(db: Database) -> None:
    """A price in a payload is a price."""
    db.write(note("a", plain={"price": Decimal("65000.10"), "count": 10**30}), name="n")
    stored = db.read(lambda tx: tx.execute(select(notes.c.plain, cast(notes.c.plain, String).label("text"))).one())
    assert stored.plain == {"price": "65000.1", "count": 10**30}
