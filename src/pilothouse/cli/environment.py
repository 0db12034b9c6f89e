"""What the environment says of the house: variables and a `.env` file in, checked settings out."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pilothouse.kit.env_file import read_env_file
from pilothouse.kit.settings import Settings


def environment() -> dict[str, str]:
    """Return the variables of this process, over those of a `.env` file in the folder it runs in."""
    file = read_env_file(Path.cwd())
    return dict(os.environ) if file is None else file.under(os.environ)


def settings(given: Mapping[str, str] | None = None) -> Settings:
    """Return what the environment says, or what is given; raises Invalid naming every variable that is wrong."""
    return Settings.from_environment(environment() if given is None else given)


@contextmanager
def private_files() -> Iterator[None]:
    """Let what is written into the data folder meanwhile be read by its owner alone, whatever the shell says."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
