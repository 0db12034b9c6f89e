"""Every table of the house in one place: what a database looks like once it is migrated to head."""

from sqlalchemy import MetaData, Table

from pilothouse.accounts import tables as accounts
from pilothouse.backtest import tables as backtest
from pilothouse.execution import tables as execution
from pilothouse.fleet import tables as fleet
from pilothouse.kit import tables as kit
from pilothouse.kit.columns import metadata as metadata  # noqa: PLC0414 - migrations know it from here
from pilothouse.ledger import tables as ledger
from pilothouse.marketdata import tables as marketdata
from pilothouse.notifications import tables as notifications

ROOMS = {
    "kit": kit,
    "accounts": accounts,
    "ledger": ledger,
    "execution": execution,
    "marketdata": marketdata,
    "fleet": fleet,
    "backtest": backtest,
    "notifications": notifications,
}
"""The rooms that store something, lowest storey first."""


def by_room() -> dict[str, list[Table]]:
    """Return the tables of each room in the order in which they are written there; none before what it refers to."""
    return {
        room: [value for value in vars(module).values() if isinstance(value, Table)] for room, module in ROOMS.items()
    }


def every_table() -> MetaData:
    """Return the one metadata, with every table in it."""
    return metadata
