"""What an invariant is: a question whose answer must be "nothing", and the words for when it is not."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar, cast

from pilothouse.core.clock import Tick
from pilothouse.kit.db import Tx

T = TypeVar("T")

FINDINGS_MAX = 20
"""So many findings of one kind are told in one run; a person needs the first ones and their number."""


class Gravity(StrEnum):
    """What follows from a finding.

    BREACH    a law is broken: it is told, and new exposure is halted on the account it concerns; on every account of
              the user, or of the house, where it concerns no single one
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


STUCK_AFTER = timedelta(minutes=10)
STUCK_RUNS = 3
"""What is late is stuck, and halts, if it is the same one in so many runs and waits so long: no machine is so slow."""


class Stuck:
    """Which of what waits is first in its queue, and in how many runs in a row it was."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._runs: dict[object, tuple[str, int]] = {}

    def seen(self, firsts: Mapping[object, str]) -> None:
        """Take in the id of what is first in each queue in which something is late, once in a run."""
        before = self._runs
        self._runs = {
            queue: (first, before[queue][1] + 1 if before.get(queue, ("", 0))[0] == first else 1)
            for queue, first in firsts.items()
        }

    def gravity(self, queue: object, waited: timedelta) -> Gravity:
        """Return what follows from the lateness of the first in a queue."""
        _, runs = self._runs.get(queue, ("", 0))
        return Gravity.BREACH if runs >= STUCK_RUNS and waited > STUCK_AFTER else Gravity.LATE


@dataclass(frozen=True, slots=True)
class Looking:
    """What a check is given besides the record.

    tick        now, as the machine counts
    quote_age   (venue, symbol) -> age of the newest quote; None if there is none
    protect_within   how long a position may lack its protection on an account that did not say
    rows_most   so many rows are read in a slice: a run stays short however long the record is
    found       what one check of this run found out and another needs too
    """

    now: datetime
    tick: Tick
    memory: Memory
    quote_age: Callable[[str, str], timedelta | None]
    protect_within: timedelta = timedelta(seconds=5)
    rows_most: int = 20_000
    found: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Invariant:
    """One law. `question` is what it asks, for a person; `check` reads and never writes."""

    name: str
    question: str
    check: Callable[[Tx, Looking], Sequence[Finding]]
