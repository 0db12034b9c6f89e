"""The venues there are: one line each. Wiring opens them by name; nothing else knows an adapter."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from pilothouse.core.clock import Clock
from pilothouse.core.errors import NotFound
from pilothouse.venues.paper import PaperVenue
from pilothouse.venues.paper_card import CARD as PAPER
from pilothouse.venues.paper_faults import PaperFaults
from pilothouse.venues.port import Card, Venue

CARDS: Mapping[str, Card] = MappingProxyType({PAPER.venue: PAPER})
"""What each venue can do, by its name."""

PAPER_FILE = "paper.sqlite"
"""The paper venue's journal, in the data directory; beside the house's books, never in them."""


def open_paper(
    data_dir: Path,
    *,
    clock: Clock,
    seed: int = 1,
    witness: Callable[[str], None] | None = None,
    faults: PaperFaults | None = None,
) -> PaperVenue:
    """Open the paper venue whose journal lies in `data_dir`."""
    return PaperVenue(f"sqlite:///{data_dir / PAPER_FILE}", clock=clock, seed=seed, witness=witness, faults=faults)


def open_venue(name: str, data_dir: Path, *, clock: Clock, seed: int = 1) -> Venue:
    """Open a venue by its name. Raises NotFound."""
    if name not in CARDS:
        raise NotFound(f"there is no venue {name}; there are {', '.join(CARDS)}")
    return open_paper(data_dir, clock=clock, seed=seed)
