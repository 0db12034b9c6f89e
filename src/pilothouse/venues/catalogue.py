"""The venues there are: one line each. Wiring opens them by name; nothing else knows an adapter."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from pilothouse.core.clock import Clock
from pilothouse.core.errors import NotFound
from pilothouse.venues.aster.adapter import Accounts, AsterVenue
from pilothouse.venues.aster.card import CARDS as ASTER
from pilothouse.venues.aster.rest import MAINNET, TESTNET, Tools, endpoint_at
from pilothouse.venues.paper import open_paper
from pilothouse.venues.paper_card import CARD as PAPER
from pilothouse.venues.port import Card, Venue

CARDS: Mapping[str, Card] = MappingProxyType({PAPER.venue: PAPER, **ASTER})
"""What each venue can do, by its name."""


def open_venue(name: str, data_dir: Path, *, clock: Clock, seed: int = 1) -> Venue:
    """Open a venue that needs nothing but a folder, by its name. Raises NotFound."""
    if name != PAPER.venue:
        raise NotFound(f"no venue {name} opens by itself; {PAPER.venue} does")
    return open_paper(data_dir, clock=clock, seed=seed)


def open_aster(
    name: str,
    accounts: Accounts,
    tools: Tools,
    *,
    base_url: str = "",
    stream_url: str = "",
    followed: Sequence[str] = (),
) -> AsterVenue:
    """Open AsterDEX (`aster`) or its testnet (`aster-testnet`); nothing is sent yet.

    base_url, stream_url   another address than the venue's own, as for a simulated exchange
    followed               the symbols whose prices are followed from the beginning

    Raises NotFound, or Refused for an address without TLS that is not on this machine.
    """
    like = {each.venue: each for each in (MAINNET, TESTNET)}.get(name)
    if like is None:
        raise NotFound(f"there is no venue {name}; there are {', '.join(CARDS)}")
    endpoint = endpoint_at(like, base_url, stream_url) if base_url else like
    return AsterVenue(endpoint, accounts, tools, followed=followed)
