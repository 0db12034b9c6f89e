"""Strategies in installed packages: named by entry points, imported behind walls, and by nobody else."""

import sys
from pathlib import Path

import pytest

from pilothouse.kit.settings import Settings
from pilothouse.sandbox.installed import find_installed
from pilothouse.strategies.parameters import resolve
from pilothouse.strategies.sdk import Columns
from pilothouse.strategies.view import View
from pilothouse.wiring.strategies import all_of, named
from tests.unit.strategies.markets import walk

_LENGTHS = "SLOW = 20\n"

_CROSSES = '''
from pilothouse.strategies.parameters import whole
from pilothouse.strategies.sdk import Columns, Signals

from .lengths import SLOW


class Cross(Columns):
    """Long above an older price."""

    name, title = "packed-cross", "Packed"
    parameters = {"slow": whole(SLOW, 2, 100)}

    def warm_up(self, p):
        return 5 * p.slow

    def signals(self, view, p):
        above = view.close > view.close[0]
        return Signals(long=above, leave_long=~above)


class Other(Cross):
    """Another of the same module."""

    name = "packed-other"
'''

_POINTS = """[pilothouse.strategies]
packed = packed_crosses.crosses:Cross
wild = packed_crosses.wild
gone = packed_crosses.gone
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder in which a package of strategies is installed."""
    root = tmp_path / "site"
    package, told = root / "packed_crosses", root / "packed_crosses-1.0.dist-info"
    package.mkdir(parents=True)
    told.mkdir()
    (package / "__init__.py").write_text("")
    (package / "lengths.py").write_text(_LENGTHS)
    (package / "crosses.py").write_text(_CROSSES)
    (package / "wild.py").write_text("import os\nos.environ['HOME']\nopen('/etc/passwd')\n")
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: packed-crosses\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text(_POINTS)
    monkeypatch.syspath_prepend(str(root))
    return root


def settings(tmp_path: Path) -> Settings:
    """Return settings with an empty folder of strategies."""
    return Settings(data=tmp_path / "data")


def test_a_strategy_of_a_package_is_one_like_any_other(root: Path, tmp_path: Path) -> None:
    """It may use the other modules of its package; the rest of the package is part of its version."""
    found = named(settings(tmp_path), "packed")
    strategy = found.strategy
    assert isinstance(strategy, Columns)
    params = resolve(strategy.parameters, {})
    signals = strategy.signals(View(walk("AAAUSDT", 300, 3)), params)

    assert (strategy.name, found.kind, params.slow, strategy.warm_up(params)) == ("packed-cross", "installed", 20, 100)
    assert signals.long is not None
    assert signals.long.sum() > 3
    (root / "packed_crosses" / "lengths.py").write_text("SLOW = 21\n")
    assert named(settings(tmp_path), "packed").version != found.version


def test_a_package_is_imported_by_nobody_but_the_walled_process(root: Path, tmp_path: Path) -> None:
    """Its code would else run with our keys. What breaks in it is named, and hurts no other."""
    sources, unusable = find_installed()
    assert [source.name for source in sources] == ["packed", "wild"]
    assert [str(error) for error in unusable if "gone" in str(error)]
    every, broken = all_of(settings(tmp_path))

    assert not any(name.startswith("packed_crosses") for name in sys.modules)
    assert "packed-cross" in {each.name for each in every}
    assert "packed-other" not in {each.name for each in every}, "the entry point names one class"
    reasons = {each.path.name: each.reason for each in broken}
    assert "wild.py:2: KeyError" in reasons["wild.py"] or "wild.py:3: PermissionError" in reasons["wild.py"]
    assert "packed_crosses.gone does not lie beside" in reasons["packed_crosses.gone"]
