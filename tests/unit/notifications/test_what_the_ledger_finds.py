"""What an invariant that does not hold tells a person: also where it has no words of its own."""

from datetime import UTC, datetime

from pilothouse.core.facts import Fact, FactKind
from pilothouse.notifications import words


def test_a_result_that_differs_from_the_venues_is_told_with_both_numbers() -> None:
    """Its message failed twelve times and was put aside: nobody heard of it."""
    payload = {"invariant": "realised_agrees_with_venue", "symbol": "ETHUSDT", "ours": "1.5", "venue": "1.7"}
    fact = Fact(FactKind.INVARIANT_BROKEN, "usr_1", datetime(2026, 1, 5, tzinfo=UTC), "acc_1", payload)

    alarm = words.heard(fact)

    assert isinstance(alarm, words.Alarm)
    assert alarm.message == "symbol ETHUSDT, ours 1.5, venue 1.7"


def test_a_record_that_was_changed_names_the_command_that_verifies_it() -> None:
    """Whoever reads it at night should not have to look up what tells which row it is."""
    payload = {"invariant": "record_is_whole", "gravity": "breach", "words": "row 7 does not fit", "level": "account"}
    alarm = words.heard(Fact(FactKind.INVARIANT_BROKEN, "usr_1", datetime(2026, 1, 5, tzinfo=UTC), "acc_1", payload))

    assert isinstance(alarm, words.Alarm)
    assert "`pilothouse audit verify`" in alarm.meaning.todo
    other = words.heard(
        Fact(
            FactKind.INVARIANT_BROKEN, "usr_1", datetime(2026, 1, 5, tzinfo=UTC), "acc_1", payload | {"invariant": "x"}
        )
    )
    assert isinstance(other, words.Alarm)
    assert "audit" not in other.meaning.todo
