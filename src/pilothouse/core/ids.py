"""Ids. A client order id comes from the intent alone, so a replay of the same intent makes the same id."""

import hmac
from base64 import b32encode
from datetime import datetime
from typing import Protocol

from pilothouse.core.clock import micros

CLIENT_ID_PATTERN = r"^[A-Za-z0-9]{1,32}$"
"""The alphabet that every venue takes (OKX is the strictest: no dash, no dot)."""


class Ids(Protocol):
    """Where fresh ids come from; injected, so that a test can foresee them."""

    def fresh(self, prefix: str) -> str:
        """Return a new id such as `sig_0001...`: unique, and later ids sort behind earlier ones."""
        ...


def client_order_id(house_key: bytes, account_id: str, intent_key: str) -> str:
    """Return the client order id of an intent: 27 letters and digits, the same ones each time.

    house_key    at least 10 random bytes, made when the house first started: a new data directory on the same
                 exchange account never repeats an id
    account_id, intent_key   together they name the intent

    125 bits of HMAC-SHA-256 in base 32, behind `ph`: few enough to be carried, and read again, by venues that name
    orders with a number of 128 bits.
    """
    assert len(house_key) >= 10, "80 bits tell one house from another"
    name = f"{account_id}\x00{intent_key}".encode()
    digest = hmac.digest(house_key, name, "sha256")
    return "ph" + b32encode(digest[:20]).decode("ascii")[:25]


def sortable(prefix: str, at: datetime, counter: int, noise: bytes) -> str:
    """Return an id that sorts by time, then by counter: `prefix_` and 28 lower-case hex digits.

    counter   0 to 65,535, counts the ids of one microsecond or simply runs around
    noise     4 random bytes, so that two processes never make the same id
    """
    return sortable_at(prefix, micros(at), counter, noise)


def sortable_at(prefix: str, at_micros: int, counter: int, noise: bytes) -> str:
    """Return the id that `sortable` makes of an instant, given in microseconds since 1970."""
    assert len(noise) == 4, "four bytes tell two processes apart"
    return f"{prefix}_{at_micros:016x}{counter & 0xFFFF:04x}{noise.hex()}"
