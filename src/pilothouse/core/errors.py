"""The error tree: the kind of an error says what the caller must do.

    PilothouseError
    ├── Refused          tell them: it did not happen and, asked the same way, it never will
    │   ├── Invalid      what came does not have the right form; `problems` names every field
    │   ├── NotFound     there is no such thing, or it is not theirs
    │   ├── Conflict     it contradicts what is already there
    │   └── Forbidden    they may not
    ├── Unavailable      it did not happen; the same request may be made again
    ├── Unknown          it may have happened: ask, never send again
    └── Broken           one of our own laws is violated: stop trading what it concerns

Doors turn kinds into answers (`api/problems.py`); nobody else does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class PilothouseError(Exception):
    """Something a caller must act on; `code` is stable and documented."""

    code: ClassVar[str] = "error"


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong field: which, what came, what would be right."""

    field: str
    came: str
    allowed: str
    code: str = "invalid_value"

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.field}: {self.came}; {self.allowed}"


class Refused(PilothouseError):
    """It did not happen, and asked the same way it never will."""

    code = "refused"


class Invalid(Refused):
    """What came does not have the right form."""

    code = "invalid"

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep every problem, in the order of the fields; there is at least one."""
        assert problems, "an invalid request has at least one problem"
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class NotFound(Refused):
    """There is no such thing, or it belongs to somebody else: the two are told apart by nobody."""

    code = "not_found"


class Conflict(Refused):
    """It contradicts what is already there."""

    code = "conflict"


class Forbidden(Refused):
    """They may not do this."""

    code = "forbidden"


class Unavailable(PilothouseError):
    """It did not happen; the same request may be made again."""

    code = "unavailable"


class Unknown(PilothouseError):
    """It may have happened: ask, never send again."""

    code = "unknown"


class Broken(PilothouseError):
    """One of our own laws is violated: stop trading what it concerns."""

    code = "broken"
