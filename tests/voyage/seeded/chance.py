"""Every draw of a voyage: a seed in, a source of chance for each thing that is drawn out.

One more draw in one place moves none in another.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock


class Chance:
    """Sources of chance by their name."""

    def __init__(self, seed: int) -> None:
        """Draw by `seed`."""
        self.seed = seed
        self._sources: dict[str, random.Random] = {}

    def of(self, name: str) -> random.Random:
        """Return the source of that name."""
        if name not in self._sources:
            self._sources[name] = random.Random(f"{self.seed}:{name}")
        return self._sources[name]

    def happens(self, name: str, share: float) -> bool:
        """Say yes in so many of all cases, from 0 to 1."""
        return self.of(name).random() < share


@contextmanager
def no_other_chance(chance: Chance) -> Iterator[None]:
    """Let the secrets and the jitter of the product come from the seed too, so that a voyage repeats to the byte."""
    source = chance.of("secrets")
    before = random.getstate()
    random.seed(f"{chance.seed}:jitter")

    def token_bytes(count: int | None = None) -> bytes:
        return source.randbytes(32 if count is None else count)

    def token_hex(count: int | None = None) -> str:
        return token_bytes(count).hex()

    try:
        with mock.patch("secrets.token_bytes", token_bytes), mock.patch("secrets.token_hex", token_hex):
            yield
    finally:
        random.setstate(before)
