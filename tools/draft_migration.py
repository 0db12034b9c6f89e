"""Draft a migration: what the tables are and what the migrations make goes in, a file that makes them equal comes out.

    python tools/draft_migration.py --ground-floor          writes 0001 anew; only before the first release
    python tools/draft_migration.py "keep fees by tier"     writes the next one; read it, then mend it by hand

A draft knows names and types. It does not know what to do with rows that are there already: expand, fill, then
contract, in separate migrations, and say in the module's docstring what changes.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from alembic.autogenerate import produce_migrations, render
from alembic.autogenerate.api import AutogenContext
from alembic.migration import MigrationContext
from alembic.operations import ops
from sqlalchemy import Engine, create_engine
from sqlalchemy.types import TypeEngine

from pilothouse.kit import columns, schema
from pilothouse.migrations.every_table import by_room, every_table
from pilothouse.migrations.migrate import migrate

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ROOT / "src/pilothouse/migrations/versions"
GROUND_FLOOR = "0001_ground_floor.py"

_OWN_TYPES = ("Exact", "Id", "Instant", "JsonText", "Name", "Serial")
_PLAIN_TYPES = ("BigInteger", "Boolean", "Integer", "String", "Text")
_CONSTRAINTS = ("Column", "CheckConstraint", "ForeignKeyConstraint", "PrimaryKeyConstraint", "UniqueConstraint")

_HEADER = '''"""{told}

Revision {revision}{behind}.
"""

from alembic import op
{imports}
revision = "{revision}"
down_revision = {down}
branch_labels = None
depends_on = None

'''


def ground_floor() -> str:
    """Return the text of the first migration: every table of every room, lowest storey first."""
    with _engine().connect() as connection:
        context = _context(connection)
        up, down = [], []
        for room, tables in by_room().items():
            up.append(f"# {room}")
            down.append(f"# {room}")
            for table in tables:
                up += _rendered(context, [ops.CreateTableOp.from_table(table)])
                indexes = sorted(table.indexes, key=lambda index: str(index.name))
                up += _rendered(context, map(ops.CreateIndexOp.from_index, indexes))
            down += [f"op.drop_table({table.name!r})" for table in reversed(tables)]
    told = "The ground floor: every table of the first release."
    return _module(told, "0001", None, up, _rooms_reversed(down))


def difference(told: str) -> str:
    """Return the text of the next migration: what head lacks to be what the tables say."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/head.sqlite"
        migrate(url, backup_to=None, clock=_no_clock())
        with create_engine(url).connect() as connection:
            context = _context(connection, render_as_batch=True)
            script = produce_migrations(context.migration_context, every_table())
            assert script.upgrade_ops is not None, "produce_migrations fills both"
            assert script.downgrade_ops is not None, "produce_migrations fills both"
            up = _rendered(context, script.upgrade_ops.ops)
            down = _rendered(context, script.downgrade_ops.ops)
        connection.engine.dispose()
    return _module(told, f"{int(schema.HEAD) + 1:04d}", schema.HEAD, up, down)


def _no_clock() -> Any:
    """Return nothing in place of a clock: it only names copies, and none is made here."""
    return None


def _engine() -> Engine:
    return create_engine("sqlite://")


def _context(connection: Any, **options: Any) -> AutogenContext:
    options |= {"target_metadata": every_table(), "render_item": _type, "alembic_module_prefix": "op."}
    options |= {"sqlalchemy_module_prefix": "", "user_module_prefix": "", "compare_type": True}
    migration = MigrationContext.configure(connection, opts=options)
    return AutogenContext(migration, autogenerate=False)


def _type(kind: str, value: Any, _: AutogenContext) -> str | bool:
    """Return a column type by the name that the house knows it by; False: as Alembic would."""
    if kind != "type":
        return False
    assert isinstance(value, TypeEngine), "Alembic asks about types"
    for name in _OWN_TYPES:
        own = getattr(columns, name)
        is_own = isinstance(value, own) if isinstance(own, type) else _same_variants(value, own)
        if is_own:
            return name
    return False


def _same_variants(one: TypeEngine[Any], other: TypeEngine[Any]) -> bool:
    """Say whether two types are the same on every database."""
    variants, others = one._variant_mapping, other._variant_mapping  # noqa: SLF001 - a variant is told nowhere else
    return repr(one) == repr(other) and {k: repr(v) for k, v in variants.items()} == {
        k: repr(v) for k, v in others.items()
    }


def _rendered(context: AutogenContext, operations: Iterable[ops.MigrateOperation]) -> list[str]:
    return [line for operation in operations for line in _indented(render.render_op(context, operation))]


def _indented(lines: Iterable[str]) -> Iterator[str]:
    """Indent what stands in a batch, which Alembic leaves to its own printer."""
    inside = False
    for line in lines:
        line = line.replace("VARCHAR(", "String(")  # noqa: PLW2901 - as the tables say it
        yield line if not inside or not line else "\n".join(f"    {part}" for part in line.split("\n"))
        inside = bool(line) and (inside or line.startswith("with "))


def _rooms_reversed(lines: list[str]) -> list[str]:
    """Return groups of lines, each begun by a comment, in the opposite order."""
    groups: list[list[str]] = []
    for line in lines:
        if line.startswith("#"):
            groups.append([])
        groups[-1].append(line)
    return [line for group in reversed(groups) for line in group]


def _module(told: str, revision: str, down_revision: str | None, up: list[str], down: list[str]) -> str:
    text = "\n".join([*up, *down]).replace("sa.", "")
    imports = "".join(_imports(text))
    header = _HEADER.format(
        told=told,
        revision=revision,
        behind=f", behind {down_revision}" if down_revision else ", the first",
        down=f'"{down_revision}"' if down_revision else None,
        imports=imports + "\n" if imports else "",
    )
    return header + _function("upgrade", up) + "\n\n" + _function("downgrade", down)


def _imports(text: str) -> Iterator[str]:
    plain = [name for name in sorted((*_PLAIN_TYPES, *_CONSTRAINTS)) if re.search(rf"\b{name}\(", text)]
    own = [name for name in _OWN_TYPES if re.search(rf"\b{name}\b", text)]
    if plain:
        yield f"from sqlalchemy import {', '.join(plain)}\n"
    if own:
        yield f"\nfrom pilothouse.kit.columns import {', '.join(own)}\n"


def _plainer(operation: str) -> str:
    """Leave out what says nothing: indexes are seldom unique, and explicit names are taken as they stand.

    Not those of check constraints: the naming convention would put its own words before them.
    """
    lines = re.sub(r", unique=False(?=[,)])", "", operation).split("\n")
    return "\n".join(
        line if "CheckConstraint(" in line else re.sub(r"\b(?:batch_)?op\.f\((.*?)\)", r"\1", line) for line in lines
    )


def _function(name: str, lines: list[str]) -> str:
    body = [_plainer(line) for line in lines] or ["pass"]
    spaced = ["\n" + line if line.startswith("#") and number else line for number, line in enumerate(body)]
    indented = "\n".join("    " + part if part else "" for line in spaced for part in line.split("\n"))
    return f"def {name}() -> None:\n{indented}\n"


def main() -> None:
    """Write the file, in the project's format."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--ground-floor", action="store_true", help="write 0001 anew from the tables")
    which.add_argument("told", nargs="?", help="what changes, in a few words")
    asked = parser.parse_args()
    if asked.ground_floor:
        target, text = VERSIONS / GROUND_FLOOR, ground_floor()
    else:
        slug = re.sub(r"[^a-z0-9]+", "_", asked.told.lower()).strip("_")
        text = difference(f"{asked.told[0].upper()}{asked.told[1:].rstrip('.')}.")
        target = VERSIONS / f"{int(schema.HEAD) + 1:04d}_{slug}.py"
    target.write_text(text, encoding="utf-8")
    ruff = [sys.executable, "-m", "ruff"]
    subprocess.run([*ruff, "check", "--fix", "--quiet", target], check=False)  # noqa: S603 - our own arguments
    subprocess.run([*ruff, "format", "--quiet", target], check=True)  # noqa: S603 - our own arguments
    print(f"wrote {target.relative_to(ROOT)}")
    if not asked.ground_floor:
        print("read it, mend it, and set kit.schema.HEAD to its revision")


if __name__ == "__main__":
    main()
