"""Accounts that stand in the variables of a bridge: variables in, accounts with their credentials out; nobody is asked.

ASTERDEX_USER_ADDRESS, ASTERDEX_SIGNER_ADDRESS, ASTERDEX_PRIVATE_KEY, ASTERDEX_BASE_URL    the account `asterdex`
BINANCE_API_KEY, BINANCE_API_SECRET, BINANCE_BASE_URL                                      the account `binance`
WEBHOOK_SECRET                                                                             the secret of a hook
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pilothouse.core.errors import Invalid, Problem
from pilothouse.kit.sealed import Secret
from pilothouse.venues.keys import VenueKey

WEBHOOK_SECRET: Final = "WEBHOOK_SECRET"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class Kind:
    """The variables of one kind of account.

    parts       variable -> part of the credential, the one that tells accounts apart first
    addresses   of the venue, by its name in the catalogue: its own, and its testnet's
    is_address  whether the first part names the account itself, and not only a key to it
    """

    account: str
    base_url: str
    parts: Mapping[str, str]
    addresses: Mapping[str, str]
    is_address: bool = False

    @property
    def venue(self) -> str:
        """Return the name of the venue where no address is given."""
        return next(iter(self.addresses))


KINDS: Final = (
    Kind(
        "asterdex",
        "ASTERDEX_BASE_URL",
        {
            "ASTERDEX_USER_ADDRESS": "user",
            "ASTERDEX_SIGNER_ADDRESS": "signer",
            "ASTERDEX_PRIVATE_KEY": "private_key",
        },
        {"aster": "https://fapi.asterdex.com", "aster-testnet": "https://fapi.asterdex-testnet.com"},
        is_address=True,
    ),
    Kind(
        "binance",
        "BINANCE_BASE_URL",
        {"BINANCE_API_KEY": "api_key", "BINANCE_API_SECRET": "api_secret"},
        {"binanceusdm": "https://fapi.binance.com", "binanceusdm-testnet": "https://testnet.binancefuture.com"},
    ),
)

NAMES: Final = (*(name for kind in KINDS for name in (*kind.parts, kind.base_url)), WEBHOOK_SECRET)
"""Every variable that is understood beside the settings."""


@dataclass(frozen=True, slots=True)
class Given:
    """One account that stands in variables.

    kind    which variables
    """

    kind: Kind
    venue: VenueKey
    parts: Mapping[str, Secret]

    @property
    def name(self) -> str:
        """Return what it is called here."""
        return self.kind.account

    @property
    def first(self) -> str:
        """Return the variable that tells it from another account at the venue."""
        return next(iter(self.kind.parts))


@dataclass(frozen=True, slots=True)
class Bridge:
    """What stands in the variables of a bridge."""

    accounts: tuple[Given, ...] = ()
    webhook_secret: Secret | None = None


def read(environment: Mapping[str, str]) -> Bridge:
    """Return the accounts that stand in `environment`; an empty variable counts as not set.

    Raises Invalid for each set of which only a part is there, and for an address that is none; no value is repeated.
    """
    values = {name: environment.get(name, "").strip() for name in NAMES}
    accounts: list[Given] = []
    problems: list[Problem] = []
    for kind in KINDS:
        there = [name for name in kind.parts if values[name]]
        if not there:
            continue
        missing = [name for name in kind.parts if not values[name]]
        problems += [Problem(name, "not set", f"{there[0]} is set, and both belong together") for name in missing]
        try:
            venue = _venue(kind, values[kind.base_url])
        except Invalid as invalid:
            allowed = invalid.problems[0].allowed
            problems.append(Problem(kind.base_url, f"{values[kind.base_url][:80]!a} came", allowed))
            continue
        parts = {part: Secret(values[name]) for name, part in kind.parts.items()}
        accounts.append(Given(kind, venue, parts))
    if problems:
        raise Invalid(problems)
    secret = values[WEBHOOK_SECRET]
    return Bridge(tuple(accounts), Secret(secret) if secret else None)


def _venue(kind: Kind, address: str) -> VenueKey:
    """Return the venue at an address: by name where the address is a venue's own."""
    bare = address.rstrip("/").lower()
    if not bare:
        return VenueKey(kind.venue)
    known = {url: name for name, url in kind.addresses.items()}
    return VenueKey(known[bare]) if bare in known else VenueKey.parse(f"{kind.venue}@{address.rstrip('/')}")
