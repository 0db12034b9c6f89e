"""What an invariant is: a question whose answer must be "nothing", and the words for when it is not."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar, cast

from pilothouse.kit.db import Tx

T = TypeVar("T")

FINDINGS_MAX = 20
"""So many findings of one kind are told in one run; a person needs the first ones and their number."""


class Gravity(StrEnum):
    """What follows from a finding.

    BREACH    a law is broken: it is told, and new exposure on the account it concerns is halted
    LATE      something takes longer than it may: it is told
    WAITING   something waits, and there is a reason for it: it is shown to who asks, and not told
    """

    BREACH = "breach"
    LATE = "late"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that should not be.

    account_id, owner_id   whom it concerns; None: the house
    words                  a sentence for a person, with ids and numbers
    numbers                the same for a machine: exact values as text
    """

    invariant: str
    gravity: Gravity
    words: str
    account_id: str | None = None
    owner_id: str | None = None
    numbers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Say it in one line."""
        whose = f" on {self.account_id}" if self.account_id else ""
        return f"{self.invariant}{whose}: {self.words}"


class Memory:
    """What is remembered from one run to the next, in this process; for one run at a time, under `lock`.

    standing   what was told already and still is the case, by (invariant, account id)
    """

    def __init__(self) -> None:
        """Remember nothing."""
        self.lock = threading.Lock()
        self.standing: dict[tuple[str, str | None], Finding] = {}
        self._kept: dict[str, Any] = {}

    def keep(self, name: str, make: Callable[[], T]) -> T:
        """Return what is kept under `name`, made when it is first asked for."""
        if name not in self._kept:
            self._kept[name] = make()
        return cast("T", self._kept[name])


@dataclass(frozen=True, slots=True)
class Looking:
    """What a check is given besides the record.

    quote_age   (venue, symbol) -> age of the newest quote; None if there is none
    rows_most   so many rows are read in a slice: a run stays short however long the record is
    found       what one check of this run found out and another needs too
    """

    now: datetime
    memory: Memory
    quote_age: Callable[[str, str], timedelta | None]
    rows_most: int = 20_000
    found: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Invariant:
    """One law. `question` is what it asks, for a person; `check` reads and never writes."""

    name: str
    question: str
    check: Callable[[Tx, Looking], Sequence[Finding]]
