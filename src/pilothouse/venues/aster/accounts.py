"""Whose orders are sent to AsterDEX from here, and what signs for each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pilothouse.venues.aster.sign import AsterKeys
from pilothouse.venues.port import VenueAccount


@dataclass(frozen=True, slots=True)
class Accounts:
    """Whose orders these are.

    keys_of   returns what signs for an account; raises Refused if there is nothing
    all       returns every account whose stream is to be held here
    """

    keys_of: Callable[[VenueAccount], AsterKeys]
    all: Callable[[], Sequence[VenueAccount]]
