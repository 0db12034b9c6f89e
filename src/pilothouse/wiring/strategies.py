"""Which strategies there are: those that come with the product, and those in the operator's own folder."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pilothouse.core.errors import Invalid, PilothouseError, Problem
from pilothouse.kit.settings import Settings
from pilothouse.sandbox.installed import find_installed
from pilothouse.sandbox.load import FileBroken, SourceFile, find
from pilothouse.sandbox.talk import Cell, Prisoner
from pilothouse.sandbox.walled import Walled
from pilothouse.sandbox.walled_turns import WalledTurns, describe
from pilothouse.strategies import registry
from pilothouse.strategies.registry import Described

FOLDER: Final = "strategies"


@dataclass(frozen=True, slots=True)
class OwnStrategy(Described):
    """A strategy of the operator's folder; its version is the content of its file and of the SDK."""

    content: str = ""

    @property
    def version(self) -> str:
        """SHA-256 of its file and of what it stands on, hexadecimal."""
        return self.content

    @property
    def rule(self) -> str:
        """What it does, as its own docstring says."""
        return self.strategy.about.rule if isinstance(self.strategy, Walled | WalledTurns) else ""


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that cannot be used, and why; it hurts no other.

    reason   with file and line, as editors understand it
    line     0 where that is not known
    fault    the reason without them
    """

    path: Path
    reason: str
    line: int = 0
    fault: str = ""


def folder_of(settings: Settings) -> Path:
    """Return the operator's folder: PILOTHOUSE_STRATEGIES_DIR, else STRATEGIES_DIR, else `strategies` in the data."""
    told = settings.strategies_dir or os.environ.get("STRATEGIES_DIR", "")
    return Path(told).expanduser().absolute() if told else settings.data / FOLDER


def all_of(settings: Settings) -> tuple[list[Described], list[Broken]]:
    """Return every strategy, those of the product first, and the files that are broken."""
    found: list[Described] = list(registry.BUILT_IN.values())
    broken = []
    installed, unusable = find_installed()
    broken += [Broken(error.path, str(error), error.line, error.reason) for error in unusable]
    for source in (*find([folder_of(settings)]), *installed):
        try:
            found += _own(settings, source)
        except FileBroken as error:
            broken.append(Broken(source.path, str(error), error.line, error.reason))
        except PilothouseError as error:
            broken.append(Broken(source.path, str(error), 0, str(error)))
    return found, broken


def named(settings: Settings, name: str) -> Described:
    """Return one strategy by name: built in, `FILE` for a file with one strategy, or `FILE:NAME`.

    An entry point of an installed package counts like a file, unless a file has its name.

    Raises NoSuchStrategy, FileBroken, NotConfined, StrategyHung, StrategyDied, Invalid.
    """
    if name in registry.BUILT_IN:
        return registry.BUILT_IN[name]
    file, _, wanted = name.partition(":")
    for source in (*find([folder_of(settings)]), *find_installed()[0]):
        if source.name != file:
            continue
        found = [each for each in _own(settings, source) if not wanted or each.strategy.name == wanted]
        if len(found) == 1:
            return found[0]
        there = ", ".join(f"{file}:{each.strategy.name}" for each in _own(settings, source)) or "none"
        raise Invalid([Problem("strategy", f"{name} names {len(found)}", f"one of its strategies: {there}", "unclear")])
    return registry.find(name)


def _own(settings: Settings, source: SourceFile) -> Iterator[OwnStrategy]:
    cache = settings.data / "cache" / "strategies" / source.content
    folder = folder_of(settings) if source.root is None else source.root
    cell = Cell((folder,), trusted=settings.trusted_strategies == "yes", cache=cache)
    prisoner = Prisoner(cell)
    version = registry.version_on(source.content)
    for walled in describe(source, cell, prisoner):
        fails = "Nobody has said yet. Write it down before you trade it."
        kind = "installed" if source.module else "own"
        yield OwnStrategy(walled, kind, "one", walled.about.rule, fails, version)
