"""Every table carries its owner from the first migration on: many users come, and none may see another's rows."""

import importlib
from pathlib import Path

from pilothouse.kit.columns import metadata

SOURCE = Path(__file__).parents[2] / "src" / "pilothouse"

# What belongs to nobody: users themselves, the house's own values, public instruments and candles, the machinery.
OWNERLESS = {"users", "house", "instruments", "outbox", "leases", "budgets", "migrated"} | {
    f"candle_{each}" for each in ("coverage", "gaps", "conflicts", "follows")
}
# A row of the record is its chain's, and a chain is an account's or an owner's.
OWNERLESS |= {"records", "record_heads"}


def test_every_table_carries_its_owner() -> None:
    """A row without an owner is shown to everybody or to nobody."""
    for path in SOURCE.glob("*/tables.py"):
        importlib.import_module(f"pilothouse.{path.parent.name}.tables")
    without = {name for name, table in metadata.tables.items() if "owner_id" not in table.c}

    assert without <= OWNERLESS, without - OWNERLESS
    assert len(metadata.tables) > 15
