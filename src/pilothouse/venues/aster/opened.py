"""AsterDEX opened as the catalogue asks for it: a key and what the house has go in, the adapter comes out."""

from collections.abc import Sequence
from typing import Final

from pilothouse.venues.aster.accounts import Accounts
from pilothouse.venues.aster.adapter import AsterVenue
from pilothouse.venues.aster.credential import keys_of
from pilothouse.venues.aster.endpoint import MAINNET, TESTNET, Endpoint, endpoint_at
from pilothouse.venues.aster.rest import Tools
from pilothouse.venues.held_streams import Patience
from pilothouse.venues.keys import VenueKey
from pilothouse.venues.opening import Opening

_ENDPOINTS: Final = {each.venue: each for each in (MAINNET, TESTNET)}


def endpoint_of(key: VenueKey, stream_url: str = "") -> Endpoint:
    """Return where `key` is reached. Raises NotPrivate for streams in the open."""
    like = _ENDPOINTS[key.name]
    return endpoint_at(like, key.base_url or like.rest_url, stream_url) if key.base_url or stream_url else like


def open_aster(
    key: VenueKey, opening: Opening, *, followed: Sequence[str] = (), patience: Patience | None = None
) -> AsterVenue:
    """Open AsterDEX or its testnet; nothing is sent yet.

    followed   the symbols whose prices are followed from the beginning
    patience   of its streams

    Raises NotPrivate for streams in the open.
    """
    accounts = Accounts(lambda account: keys_of(opening.accounts.parts_of(account)), opening.accounts.all)
    # Each address counts requests by itself, and so does the house.
    address = key.base_url or "here"
    tools = Tools(opening.clock, opening.throttle, opening.data_dir / "nonces", address=address)
    return AsterVenue(endpoint_of(key, opening.stream_url), accounts, tools, followed=followed, patience=patience)
