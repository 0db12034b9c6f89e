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
from pilothouse.strategies.names import spelled
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
    """Return one strategy by name: built in, `FILE` for a file with one strategy, `FILE:NAME`, or its own NAME.

    - and _ are one in each of them, because a file is called my_cross.py and the strategy in it my-cross. An entry
    point of an installed package counts like a file, unless a file has its name.

    Raises NoSuchStrategy, FileBroken, NotConfined, StrategyHung, StrategyDied, Invalid.
    """
    built_in = registry.BUILT_IN.get(name) or registry.BUILT_IN.get(spelled(name))
    if built_in is not None:
        return built_in
    file, _, wanted = name.partition(":")
    sources = [*find([folder_of(settings)]), *find_installed()[0]]
    files = [source for source in sources if source.name == file]
    files = files or [source for source in sources if spelled(source.name) == spelled(file)]
    if files:
        there = list(_own(settings, files[0]))
        return _the_one(name, [(file, each) for each in there if not wanted or _is_called(each, wanted)],
                        [(file, each) for each in there])  # fmt: skip
    if wanted:
        return registry.find(name)
    called = [(source.name, each) for source in sources for each in _readable(settings, source)]
    called = [(of, each) for of, each in called if _is_called(each, name)]
    return _the_one(name, called, called) if called else registry.find(name)


def _is_called(each: Described, name: str) -> bool:
    return spelled(each.strategy.name) == spelled(name)


def _the_one(
    name: str, found: list[tuple[str, OwnStrategy]], there: list[tuple[str, OwnStrategy]]
) -> OwnStrategy:  # fmt: skip
    """Return what a name means, each with its file. Raises Invalid where that is not one."""
    if len(found) == 1:
        return found[0][1]
    allowed = ", ".join(f"{file}:{each.strategy.name}" for file, each in there) or "none"
    raise Invalid([Problem("strategy", f"{name} names {len(found)}", f"one of its strategies: {allowed}", "unclear")])


def _readable(settings: Settings, source: SourceFile) -> list[OwnStrategy]:
    """Return the strategies of a file; none of one that is broken, which hurts no other."""
    try:
        return list(_own(settings, source))
    except PilothouseError:
        return []


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
