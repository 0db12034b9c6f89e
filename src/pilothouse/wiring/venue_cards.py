"""What the venues can do here, and what their credentials consist of: for doors, which know no venue themselves."""

from dataclasses import dataclass

from pilothouse.core.errors import Refused
from pilothouse.venues import catalogue
from pilothouse.venues.card import Card
from pilothouse.venues.keys import VenueKey
from pilothouse.venues.opening import CredentialField


@dataclass(frozen=True, slots=True)
class VenueCard:
    """One venue: its name in accounts, its card, and the parts of a credential."""

    name: str
    card: Card
    fields: tuple[CredentialField, ...]


def every_card() -> list[VenueCard]:
    """Return the venues that are tested in depth, in the order of the catalogue."""
    return [card_of(name) for name in catalogue.names()]


def market_of(venue: str) -> str:
    """Return what kind of market the venue of an account is, for people; `venue` is its key."""
    try:
        key = VenueKey.parse(venue)
        card = catalogue.card_of(key.name)
    except Refused:
        return "a venue that is not known here any more"
    return "an exchange on this machine" if key.is_here and not card.simulated else card.market


def card_of(name: str) -> VenueCard:
    """Return one venue, also one that only the general adapter knows. Raises VenueUnknown."""
    return VenueCard(name, catalogue.card_of(name), catalogue.credential_fields(name))
