"""The storeys and the walls of ARCHITECTURE.md are contracts, and a new room cannot forget to sign them."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tools.tidy import ROOT

PACKAGE = ROOT / "src" / "pilothouse"
CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]
DOORS_ONLY: dict[str, set[str]] = {
    "http-framework": {"api"},
    "terminal": {"cli"},
    "queue-and-kernels": {"backtest", "jobs", "simulation", "strategies"},
    "ccxt": set(),
}


def contract(name: str) -> dict[str, Any]:
    """Return the contract with this id."""
    return next(entry for entry in CONTRACTS if entry["id"] == name)


def rooms() -> set[str]:
    """Return the rooms that are built."""
    return {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of the package in `folder`, as `make check` does."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=folder, env={"PYTHONPATH": str(folder / "src"), "COLUMNS": "400"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_every_room_with_tables_owns_them() -> None:
    """A second room that writes to a table makes two truths of it; ask the owner's functions instead."""
    with_tables = {path.parent.name for path in PACKAGE.glob("*/tables.py")}
    protected = {name for entry in CONTRACTS for name in entry.get("protected_modules", [])}

    assert {f"pilothouse.{room}.tables" for room in with_tables} <= protected, "add a contract to pyproject.toml"


@pytest.mark.parametrize("name", DOORS_ONLY)
def test_no_room_is_left_out_of_a_wall(name: str) -> None:
    """A wall that a new room forgot is a gap, and gaps are found by what crawls through them."""
    inside = {module.removeprefix("pilothouse.") for module in contract(name)["source_modules"]}

    assert inside == rooms() - DOORS_ONLY[name], "name the new room in this contract of pyproject.toml"


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("core/zz_planted.py", "import pilothouse.kit", "Storeys"),
        ("ledger/zz_planted.py", "import pilothouse.accounts", "Storeys"),
        ("zz_room/__init__.py", "", "Storeys"),
        ("bots/zz_planted.py", "import socket", "The pure rooms"),
        ("fleet/zz_planted.py", "import pilothouse.venues", "Only execution and marketdata"),
        ("execution/zz_planted.py", "import pilothouse.ledger.tables", "The ledger's tables"),
        ("jobs/zz_planted.py", "import fastapi", "The HTTP framework"),
        ("api/zz_planted.py", "import uvicorn", "The terminal and the HTTP server"),
        ("api/zz_planted.py", "import sqlalchemy", "The doors write no SQL"),
        ("marketdata/zz_planted.py", "import ccxt", "The client library of other exchanges"),
        ("venues/aster/zz_planted.py", "import ccxt", "The client library of other exchanges"),
        ("fleet/zz_planted.py", "import celery", "A queue is known in jobs alone"),
        ("kit/zz_planted.py", "from pilothouse.kit import zz_other", "No circles"),
        ("simexchange/zz_planted.py", "import pilothouse.venues.aster", "Two pens"),
    ],
)
def test_a_planted_breach_is_seen(file: str, line: str, broken: str, tmp_path: Path) -> None:
    """A contract that was never seen broken may be one that cannot break."""
    package = tmp_path / "src" / "pilothouse"
    for built in [PACKAGE / "__init__.py", *PACKAGE.glob("**/__init__.py"), *PACKAGE.glob("*/tables.py")]:
        empty = package / built.relative_to(PACKAGE)
        empty.parent.mkdir(parents=True, exist_ok=True)
        empty.touch()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    planted = package / file
    planted.parent.mkdir(exist_ok=True)
    planted.write_text(line + "\n")
    if broken == "No circles":
        planted.with_name("zz_other.py").write_text("import pilothouse.kit.zz_planted\n")

    answer = lint_imports(tmp_path)

    assert answer.returncode == 1, answer.stdout + answer.stderr
    assert any(row.startswith(broken) and row.endswith("BROKEN") for row in answer.stdout.splitlines()), answer.stdout
