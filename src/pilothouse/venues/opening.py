"""What an adapter is opened with: tools of the house, and what signs for its accounts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pilothouse.core.clock import Clock
from pilothouse.kit.sealed import Secret
from pilothouse.kit.throttle import Throttle
from pilothouse.venues.port import VenueAccount


@dataclass(frozen=True, slots=True)
class CredentialField:
    """One part of a credential: its name as it is kept, what a person is told of it, and whether it is shown."""

    name: str
    words: str
    secret: bool


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts at one venue that can sign.

    parts_of   returns the parts of an account's credential by name; raises Refused if there is none
    all        returns every account here that has one
    """

    parts_of: Callable[[VenueAccount], Mapping[str, Secret]]
    all: Callable[[], Sequence[VenueAccount]]


@dataclass(frozen=True, slots=True)
class Opening:
    """What a venue is opened with.

    data_dir     where a venue may keep files of its own
    throttle     the budgets of requests, shared by all processes of the house
    accounts     what signs
    stream_url   another address for streams than what follows from the key; empty: what follows from it
    seed         of made-up markets
    """

    clock: Clock
    data_dir: Path
    throttle: Throttle
    accounts: Accounts
    stream_url: str = ""
    seed: int = 1
