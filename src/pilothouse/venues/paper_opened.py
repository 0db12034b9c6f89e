"""The paper venue of a data folder: where its journal lies, and how it is opened."""

from collections.abc import Callable
from pathlib import Path

from pilothouse.core.clock import Clock
from pilothouse.venues.paper import PaperVenue
from pilothouse.venues.paper_faults import PaperFaults

PAPER_FILE = "paper.db"
"""The journal's name in the data directory."""


def open_paper(
    data_dir: Path,
    *,
    clock: Clock,
    seed: int = 1,
    witness: Callable[[str], None] | None = None,
    faults: PaperFaults | None = None,
) -> PaperVenue:
    """Open the paper venue whose journal lies in `data_dir`: beside the house's books, never in them."""
    return PaperVenue(f"sqlite:///{data_dir / PAPER_FILE}", clock=clock, seed=seed, witness=witness, faults=faults)
