"""What is installed is exactly what was tested, and from wherever the person who installs it prefers."""

import re
import tomllib
from pathlib import Path

import pytest

from tools.tidy import ROOT

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def requirements(text: str) -> dict[str, str]:
    """Return each locked requirement with everything that belongs to it: name==version -> its lines."""
    whole = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", text))
    return {line.split(" ")[0]: line for line in whole.splitlines() if line.strip()}


@pytest.mark.parametrize("name", ["bootstrap", "base", "dev"])
def test_every_lock_is_there_and_full(name: str) -> None:
    """Installer, product and workshop are locked apart, so that the product carries nothing of the tests."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()

    assert requirements(text)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_locked_file_is_pinned_and_hashed(lock: Path) -> None:
    """A file that was changed on the way is refused, whoever changed it."""
    for name, line in requirements(lock.read_text()).items():
        assert "==" in name, name
        assert HASH.search(line), name


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_no_lock_names_where_to_fetch_from(lock: Path) -> None:
    """A mirror, a proxy or a folder serves as well as anything: the hash says whether it is the right file."""
    text = lock.read_text()

    assert "://" not in text
    assert "index-url" not in text
    assert "find-links" not in text


def test_every_direct_dependency_is_in_the_lock() -> None:
    """`make run` installs from the lock alone; a name that is only in pyproject.toml would be missing there."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    locks = {name: (ROOT / "requirements" / f"{name}.txt").read_text() for name in ("base", "dev")}

    def names(wanted: list[str]) -> set[str]:
        return {re.split(r"[\[<>=!~; ]", line)[0].lower() for line in wanted}

    def locked(name: str) -> set[str]:
        return {line.split("==")[0].split("[")[0].lower() for line in requirements(locks[name])}

    assert names(declared["project"]["dependencies"]) <= locked("base")
    assert names(declared["project"]["dependencies"] + declared["dependency-groups"]["dev"]) <= locked("dev")


def test_workshop_and_product_agree_on_versions() -> None:
    """What the tests ran is what the product runs."""
    base, dev = (set(requirements((ROOT / "requirements" / f"{name}.txt").read_text())) for name in ("base", "dev"))

    assert base <= dev
