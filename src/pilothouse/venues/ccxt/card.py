"""What the adapter can do at each exchange, and what it leaves out; knows nothing of ccxt, which takes long to load."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from pilothouse.core.stops import USUAL_WAYS, StopWay, TrailRange
from pilothouse.venues.card import HOLDINGS, STOPS_KEPT, Capability, Card

TESTNET: Final = "-testnet"
SPOT: Final = "-spot"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a credential.

    name     as the house asks for it and keeps it
    words    what it is, for who enters it
    ccxt     what ccxt calls it
    secret   whether it is hidden while it is entered
    """

    name: str
    words: str
    ccxt: str
    secret: bool = True


KEY_AND_SECRET: Final = (
    Part("api_key", "API key", "apiKey", secret=False),
    Part("api_secret", "API secret", "secret"),
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """One exchange tested in depth.

    exchange       ccxt's name of it
    window_s       after so many seconds from its stamp a request can no longer be accepted; None: never certain
    parts          of a credential
    testnet        what the exchange calls its testnet; empty: it has none
    trails         how far trailing orders of its own may trail; None: the house uses none
    stop_ways      in which forms it takes a stop, in the order in which they are tried
    """

    title: str
    exchange: str
    window_s: Decimal | None
    capabilities: tuple[Capability, ...]
    parts: tuple[Part, ...] = KEY_AND_SECRET
    testnet: str = ""
    trails: TrailRange | None = None
    stop_ways: tuple[StopWay, ...] = USUAL_WAYS


BY_ALL: Final = (
    Capability("amounts and prices as text, never as floats", "done"),
    Capability("no fee to a builder or broker", "done", "client ids are ours, verbatim"),
    Capability("requests leave for the exchange's own address only", "done", "checked before each is sent"),
    Capability("unlisted errors are unknown, never failed", "done"),
    Capability("limits on request rates", "done", "shared between processes; 429 and 418 are obeyed"),
    Capability("tick, lot, minimum and bounds before sending", "done"),
    Capability("hedge mode", "exempt", "the house trades one-way; an account in hedge mode is refused"),
    Capability("trailing stops", "done", "a stop that stands there and is moved by the house; not the exchange's own"),
)
"""What holds at every exchange that is tested in depth."""

REST_NOT_ON_TAPE: Final = Capability(
    "venue cards that no tape shows", "to do", "not replayed: docs/operate/venues.md says which are shown"
)
"""Of an exchange that cannot be simulated here, and is known from recorded answers alone."""

_BY_OTHERS: Final = (
    Capability("tested in depth", "to do", "asked in ccxt's common words; nobody has tried it here"),
    Capability("market and limit orders", "to do", "not replayed"),
    Capability("stop and take-profit orders", "to do", "not replayed, so none is sent"),
    Capability(STOPS_KEPT, "done", "watched at the last price and closed at the market, while the house runs"),
    Capability("query by client id", "to do", "not replayed; not every exchange has it"),
    Capability("acceptance window", "exempt", "not known: an order without an answer stays unknown until it is found"),
    Capability("error table", "exempt", "none; nearly every refused order is unknown until it is looked for"),
    Capability("account events", "done", "by asking every five seconds"),
    Capability("deposits and withdrawals", "to do", "not told; the balance shows them"),
    Capability("quotes", "done", "by asking every two seconds"),
    Capability("no fee to a builder or broker", "to do", "switched off where ccxt has a switch; not checked here"),
    Capability("requests leave for the exchange's own address only", "done", "checked before each is sent"),
    Capability("limits on request rates", "done", "by ccxt's table; shared between processes"),
)

_COINS: Final = (
    Capability(HOLDINGS, "done", "a position is what is held of a coin, whoever bought it"),
    Capability("reduce-only orders", "exempt", "nothing can be sold that is not held"),
)
"""Of the spot side of any exchange."""


def card_of(name: str, sheet: Sheet | None) -> Card:
    """Return the card of one exchange; `sheet`: what is known of it in depth, or None."""
    if sheet is None:
        coins = _COINS if name.removesuffix(TESTNET).endswith(SPOT) else ()
        return Card(name, f"{name} (by ccxt)", False, None, (*_BY_OTHERS, *coins))
    title = f"{sheet.title} ({sheet.testnet})" if name.endswith(TESTNET) else sheet.title
    known = {each.name for each in sheet.capabilities}
    capabilities = (*sheet.capabilities, *(each for each in BY_ALL if each.name not in known))
    return Card(name, title, False, sheet.window_s, capabilities, "", sheet.trails, sheet.stop_ways)


@cache
def exchange_ids() -> frozenset[str]:
    """Return every exchange that ccxt knows, without loading it; each has a file of its endpoints."""
    found = find_spec("ccxt")
    if found is None or found.origin is None:
        return frozenset()
    endpoints = (Path(found.origin).parent / "abstract").glob("*.py")
    return frozenset(each.stem for each in endpoints) - {"__init__"}


def is_known(name: str) -> bool:
    """Say whether ccxt knows the exchange that `name` names, with or without `-spot` and `-testnet`."""
    return name.removesuffix(TESTNET).removesuffix(SPOT) in exchange_ids()
