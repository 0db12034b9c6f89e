"""The tool that drafts migrations writes what a person would, in the words of the house."""

import ast

import pytest
from sqlalchemy import Column, MetaData, Table

from pilothouse.kit import schema
from pilothouse.kit.columns import Exact, Id, Instant
from pilothouse.migrations.every_table import every_table
from tools import draft_migration


def test_a_draft_names_the_types_of_the_house_and_leads_there_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever changes a table reads and mends a draft instead of typing one."""
    wanted = MetaData(naming_convention=every_table().naming_convention)
    for table in every_table().sorted_tables:
        table.to_metadata(wanted)
    Table("tiers", wanted, Column("id", Id, primary_key=True), Column("fee", Exact), Column("at", Instant))
    monkeypatch.setattr(draft_migration, "every_table", lambda: wanted)

    text = draft_migration.difference("Keep fees by tier.")

    ast.parse(text)
    assert text.startswith(f'"""Keep fees by tier.\n\nRevision {int(schema.HEAD) + 1:04d}, behind {schema.HEAD}.')
    assert "from pilothouse.kit.columns import Exact, Id, Instant\n" in text
    assert "PrimaryKeyConstraint('id', name='pk_tiers')" in text
    assert text.rstrip().endswith("op.drop_table('tiers')")


def test_the_ground_floor_can_be_drawn_again() -> None:
    """Before the first release the tables may still move, and the first migration with them."""
    text = draft_migration.ground_floor()

    ast.parse(text)
    assert text.count("op.create_table(") == text.count("op.drop_table(") == len(every_table().tables)
