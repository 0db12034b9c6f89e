"""What the ledger finds while it books has no words of its own; it is told all the same."""

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
