"""Where AsterDEX is reached: its own addresses, its testnet's, or another one that speaks the same."""

from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from pilothouse.venues.keys import private

MAINNET_CHAIN: Final = 1666
TESTNET_CHAIN: Final = 714


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a venue is reached, and what it is called here.

    rest_url, stream_url   https and wss in the open; anything else is for this machine
    chain_id               of the signatures' domain
    """

    venue: str
    title: str
    rest_url: str
    stream_url: str
    chain_id: int


MAINNET: Final = Endpoint(
    "aster", "AsterDEX perpetuals", "https://fapi.asterdex.com", "wss://fstream.asterdex.com", MAINNET_CHAIN
)
TESTNET: Final = Endpoint(
    "aster-testnet",
    "AsterDEX perpetuals (testnet)",
    "https://fapi.asterdex-testnet.com",
    "wss://fstream5.asterdex-testnet.com",
    TESTNET_CHAIN,
)


def endpoint_at(like: Endpoint, rest_url: str, stream_url: str = "") -> Endpoint:
    """Return an endpoint like another one, at another address.

    stream_url   if it is not named: the host of streams beside a host of the venue, else the same host and port

    Raises NotPrivate for an address without TLS that is not on this machine.
    """
    parts = urlsplit(private(rest_url.rstrip("/")))
    if not stream_url:
        host = parts.netloc.replace("fapi.", "fstream.", 1) if parts.netloc.startswith("fapi.") else parts.netloc
        stream_url = f"{'wss' if parts.scheme == 'https' else 'ws'}://{host}{parts.path}"
    return replace(like, rest_url=rest_url.rstrip("/"), stream_url=private(stream_url.rstrip("/")))
