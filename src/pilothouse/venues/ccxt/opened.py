"""An exchange opened as the catalogue asks for it: a key and what the house has go in, the adapter comes out."""

from collections.abc import Mapping

from pilothouse.kit.sealed import Secret
from pilothouse.venues.ccxt.adapter import Accounts, CcxtVenue
from pilothouse.venues.ccxt.card import SPOT, TESTNET, Part, card_of
from pilothouse.venues.ccxt.exchange import Endpoint, Keys
from pilothouse.venues.ccxt.known import quirks_of
from pilothouse.venues.ccxt.library import ccxt
from pilothouse.venues.ccxt.plain import label
from pilothouse.venues.ccxt.rest import Tools
from pilothouse.venues.ccxt.sheets import sheet_of
from pilothouse.venues.keys import VenueKey
from pilothouse.venues.opening import CredentialField, Opening

_SHOWN = frozenset({"apiKey", "uid", "walletAddress", "login"})


def open_ccxt(key: VenueKey, opening: Opening) -> CcxtVenue:
    """Open an exchange; nothing is sent yet. Raises NotPrivate for an address in the open."""
    name = key.name.removesuffix(TESTNET)
    sheet = sheet_of(name)
    quirks = quirks_of(name)
    parts = parts_of(key.name)

    def keys_of(account_parts: Mapping[str, Secret]) -> Keys:
        return Keys.of({part.ccxt: account_parts[part.name] for part in parts if part.name in account_parts})

    endpoint = Endpoint.at(str(key), quirks.exchange, key.base_url, opening.stream_url, testnet=key.is_testnet)
    accounts = Accounts(lambda account: keys_of(opening.accounts.parts_of(account)), opening.accounts.all)
    # Each address counts requests by itself, and so does the house.
    tools = Tools(opening.clock, opening.throttle, address=key.base_url or "here")
    return CcxtVenue(endpoint, quirks, card_of(key.name, sheet), accounts, tools)


def parts_of(name: str) -> tuple[Part, ...]:
    """Return what a credential consists of at an exchange: as its sheet says, else as ccxt does."""
    sheet = sheet_of(name)
    if sheet is not None:
        return sheet.parts
    exchange = name.removesuffix(TESTNET).removesuffix(SPOT)
    asked: Mapping[str, bool] = getattr(ccxt, exchange)().requiredCredentials
    return tuple(
        Part(_spelled(each), f"what the exchange calls {_spelled(each, ' ')}", each, secret=each not in _SHOWN)
        for each, is_needed in asked.items()
        if is_needed
    )


def fields_of(name: str) -> tuple[CredentialField, ...]:
    """Return the same as the catalogue has it."""
    return tuple(CredentialField(part.name, part.words, part.secret) for part in parts_of(name))


def checked(key: VenueKey, parts: Mapping[str, Secret]) -> tuple[dict[str, Secret], str]:
    """Return a credential as it is kept, without the space around it, and what may be shown of it."""
    kept = {name: Secret(secret.reveal().strip()) for name, secret in parts.items()}
    shown = next((kept[part.name].reveal() for part in parts_of(key.name) if part.ccxt in _SHOWN), "")
    return kept, label(shown) if shown else ""


def _spelled(name: str, between: str = "_") -> str:
    """Return one of ccxt's names in small letters: apiKey becomes api_key."""
    return "".join(f"{between}{each.lower()}" if each.isupper() else each for each in name)
