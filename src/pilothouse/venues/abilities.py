"""What only some venues can do, beyond what `port` asks of each: whoever wants it looks first whether it is there."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from pilothouse.venues.port import OrderRequest, VenueAccount


@runtime_checkable
class TellsWhereTraded(Protocol):
    """A venue that can say in which instruments something happened, so that not each of them has to be asked."""

    def traded_since(self, account: VenueAccount, since: datetime) -> Collection[str]:
        """Return the symbols in which an account traded since then. Raises Unavailable."""
        ...


@runtime_checkable
class ChangesInPlace(Protocol):
    """A venue that changes some resting orders in place; one that is not ends them and places others."""

    def changes_in_place(self, wanted: OrderRequest) -> bool:
        """Say whether `amend` changes an order of this kind in place."""
        ...


@runtime_checkable
class TellsItsTime(Protocol):
    """A venue whose clock is not ours."""

    def clock_ahead(self) -> timedelta | None:
        """Return how far its clock is ahead of ours, as it was read last; None: it was not read yet. Asks nobody."""
        ...


@runtime_checkable
class CountsDown(Protocol):
    """A venue that cancels the orders of an instrument by itself, unless it is told in time to wait longer."""

    def cancel_after(self, account: VenueAccount, symbol: str, seconds: int) -> None:
        """Have all orders of the instrument cancelled in so many seconds, stops too; again: from now on; 0: never.

        Raises Refused, Unavailable or Unknown.
        """
        ...
