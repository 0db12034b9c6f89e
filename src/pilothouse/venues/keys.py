"""What an account's venue is called: text in, its name in the catalogue and its address out.

    aster                            a venue of the catalogue, at its own address
    aster-testnet                    its testnet
    paper                            paper money on a made-up market
    paper-aster                      paper money on the public prices of aster
    aster@http://127.0.0.1:18100     the same adapter at another address, such as a simulated exchange

Instruments, quotes and candles are kept by this text, so one venue has one spelling.
"""

import re
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from pilothouse.core.errors import Invalid, Problem, Refused

LENGTH_MOST: Final = 200
TESTNET: Final = "-testnet"
PAPER: Final = "paper"

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_HERE: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class NotPrivate(Refused):
    """Requests would travel in the open."""

    code = "address_not_private"


@dataclass(frozen=True, slots=True)
class VenueKey:
    """A venue: its name in the catalogue, and where it is reached if that is not its own address.

    base_url   without a slash at its end; empty: the venue's own
    """

    name: str
    base_url: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the key that `text` spells. Raises Invalid (field `venue`), or NotPrivate for an open address."""
        name, at, address = text.strip().partition("@")
        name = name.strip().lower()
        if len(text) > LENGTH_MOST or not _NAME.fullmatch(name):
            raise _wrong(text, "a name of the catalogue, such as aster, or name@https://address")
        return cls(name, _address(text, address) if at else "")

    def __str__(self) -> str:
        return f"{self.name}@{self.base_url}" if self.base_url else self.name

    @property
    def rides(self) -> "VenueKey | None":
        """Return the venue on whose public prices this paper venue rides; None if it is none, or makes its own."""
        behind = self.name.removeprefix(f"{PAPER}-")
        return VenueKey(behind, self.base_url) if behind != self.name else None

    @property
    def is_paper(self) -> bool:
        """Say whether its money is not real and it is simulated here."""
        return self.name == PAPER or self.rides is not None

    @property
    def is_testnet(self) -> bool:
        """Say whether it is a venue's testnet or demo."""
        return self.name.endswith(TESTNET)

    @property
    def is_here(self) -> bool:
        """Say whether it is reached on this machine, as a simulated exchange is."""
        return bool(self.base_url) and urlsplit(self.base_url).hostname in _HERE


def private(address: str) -> str:
    """Return `address` if nobody else reads along: with TLS, or on this machine. Raises NotPrivate."""
    parts = urlsplit(address)
    if parts.scheme not in {"https", "wss"} and parts.hostname not in _HERE:
        raise NotPrivate(f"{parts.scheme}://{parts.hostname} is no address with TLS; what is signed is not for others")
    return address


def _address(text: str, address: str) -> str:
    try:
        parts = urlsplit(address.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _wrong(text, "an address such as https://host or http://127.0.0.1:18100") from None
    if parts.scheme not in {"http", "https"} or not host or parts.username or parts.query or parts.fragment:
        raise _wrong(text, "an address such as https://host or http://127.0.0.1:18100, without name, ? or #")
    shown = f"[{host}]" if ":" in host else host
    place = f":{port}" if port is not None else ""
    return private(f"{parts.scheme}://{shown}{place}{parts.path.rstrip('/')}")


def _wrong(text: str, allowed: str) -> Invalid:
    return Invalid([Problem("venue", f"{text[:80]!a} came", allowed)])
