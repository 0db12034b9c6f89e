"""What this room needs of the house: the parts that it looks at. The house itself is built on a higher storey."""

from typing import Protocol

from pilothouse.core.clock import Clock
from pilothouse.execution.desk import Desk
from pilothouse.kit.db import Database
from pilothouse.kit.meters import Meters
from pilothouse.kit.settings import Settings
from pilothouse.marketdata.quotes import QuoteBoard
from pilothouse.notifications.post import Post
from pilothouse.observability.invariants.rule import Memory


class Living(Protocol):
    """A house that is open.

    operator_id   who is told of what concerns no account
    remembered    what this room remembers from one look to the next
    """

    @property
    def settings(self) -> Settings: ...  # noqa: D102 - the class says it

    @property
    def post(self) -> Post: ...  # noqa: D102 - as above

    @property
    def clock(self) -> Clock: ...  # noqa: D102 - the class says it

    @property
    def database(self) -> Database: ...  # noqa: D102 - as above

    @property
    def desk(self) -> Desk: ...  # noqa: D102 - as above

    @property
    def quotes(self) -> QuoteBoard: ...  # noqa: D102 - as above

    @property
    def meters(self) -> Meters: ...  # noqa: D102 - as above

    @property
    def operator_id(self) -> str: ...  # noqa: D102 - as above

    @property
    def remembered(self) -> Memory: ...  # noqa: D102 - as above
