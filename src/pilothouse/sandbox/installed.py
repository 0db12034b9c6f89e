"""Strategies in installed packages: entry points of the group `pilothouse.strategies` become sources. Imports nothing.

A package says which of its modules hold strategies:

    [project.entry-points."pilothouse.strategies"]
    my-cross = "my_package.crosses"              all strategies of a module, or
    my-other = "my_package.others:MyOther"       one of them

Only the metadata is read here; the code is imported behind walls, like a file of the operator's folder.
"""

import hashlib
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

from pilothouse.sandbox.load import BYTES_MOST, FILES_MOST, FileBroken, SourceFile

GROUP: Final = "pilothouse.strategies"


def find_installed() -> tuple[list[SourceFile], list[FileBroken]]:
    """Return the sources that installed packages name, by name, and those that cannot be used, with the reason.

    Of two with one name the first counts.
    """
    found: dict[str, SourceFile] = {}
    broken = []
    for point in sorted(entry_points(group=GROUP), key=lambda each: (each.name, each.value)):
        try:
            source = _source(point)
        except FileBroken as error:
            broken.append(error)
            continue
        found.setdefault(point.name, source)
    return list(found.values()), broken


def _source(point: EntryPoint) -> SourceFile:
    """Return where the module of an entry point lies. Raises FileBroken."""
    named = Path(point.module)
    if point.dist is None:
        raise FileBroken(named, 0, f"entry point {point.name}: no package owns it")
    root = Path(str(point.dist.locate_file("")))
    inside = root.joinpath(*point.module.split("."))
    for path in (inside.with_suffix(".py"), inside / "__init__.py"):
        if path.is_file():
            return SourceFile(point.name, path, _content(root, point.module), point.module, root, point.attr)
    why = f"entry point {point.name}: {point.module} does not lie beside the metadata of {point.dist.name}"
    raise FileBroken(named, 0, f"{why}; an editable install cannot be walled in, install it as a whole")


def _content(root: Path, module: str) -> str:
    """Return the SHA-256 over every source of the package, since a module may use them all."""
    top = root / module.partition(".")[0]
    digest = hashlib.sha256()
    files = sorted(_sources(top)) if top.is_dir() else [top.with_suffix(".py")]
    for path in files:
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _sources(folder: Path) -> Iterator[Path]:
    for count, path in enumerate(folder.rglob("*.py")):
        if count >= FILES_MOST or path.stat().st_size > BYTES_MOST:
            raise FileBroken(path, 0, f"a package of strategies has at most {FILES_MOST} files of {BYTES_MOST} bytes")
        yield path
