"""The catalogue of everything one room may tell another: frozen, past tense, versioned by name.

A fact is written in the transaction that made it true and read by whoever is listed in `wiring/subscriptions.py`,
and by the event stream. The payload carries strings, whole numbers and decimals, never a float.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class FactKind(StrEnum):
    """What may be told. The value is what event streams show."""

    SIGNAL_DECIDED = "signal.decided"
    SIGNAL_CHANGED = "signal.changed"
    ORDER_CHANGED = "order.changed"
    FILL_BOOKED = "fill.booked"
    POSITION_CHANGED = "position.changed"
    FUNDING_BOOKED = "funding.booked"
    ACCOUNT_HALTED = "account.halted"
    ACCOUNT_RESUMED = "account.resumed"
    ACCOUNT_RESET = "account.reset"
    ACCOUNT_HEARD = "account.heard"
    INVARIANT_BROKEN = "invariant.broken"
    ALARM_RAISED = "alarm.raised"
    BACKTEST_CHANGED = "backtest.changed"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that has happened.

    owner_id     whose it is
    account_id   the trading account it concerns, or None
    payload      plain data; see the event catalogue in the documentation
    key          facts of the same kind and key are handled once for all that wait; empty: each by itself
    """

    kind: FactKind
    owner_id: str
    at: datetime
    account_id: str | None = None
    payload: dict[str, Any] = field(default_factory=dict)
    key: str = ""


@dataclass(frozen=True, slots=True)
class StampedFact:
    """A committed fact with its place in the house's history."""

    id: int
    fact: Fact
