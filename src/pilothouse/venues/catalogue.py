"""The venues there are: one line each. Wiring opens them by their key; nothing else knows an adapter.

An adapter is imported when its first venue is opened, so that who trades on paper does not wait for the others.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType

from pilothouse.core.errors import Invalid, NotFound, Problem
from pilothouse.core.stops import StopWay, TrailRange
from pilothouse.kit.sealed import Secret
from pilothouse.venues.aster.card import CARDS as ASTER
from pilothouse.venues.card import HOLDINGS, PAIRS, STOPS_KEPT, Card
from pilothouse.venues.ccxt.card import card_of as card_of_ccxt
from pilothouse.venues.ccxt.card import is_known as is_known_to_ccxt
from pilothouse.venues.ccxt.sheets import CARDS as CCXT
from pilothouse.venues.ccxt.sheets import sheet_of
from pilothouse.venues.keys import VenueKey
from pilothouse.venues.opening import Accounts, CredentialField, Opening
from pilothouse.venues.paper_card import CARD as PAPER
from pilothouse.venues.paper_opened import open_paper
from pilothouse.venues.paper_real import open_real_paper
from pilothouse.venues.paper_real_card import card_on
from pilothouse.venues.port import Venue, VenueAccount

Checked = tuple[dict[str, Secret], str]
"""A credential as it is kept, and what may be shown of it."""


class VenueUnknown(NotFound):
    """No venue has this name."""

    code = "venue_unknown"


@dataclass(frozen=True, slots=True)
class Line:
    """One venue, or several that one adapter speaks to.

    fields   returns what a credential consists of; nothing: it needs none
    open     opens it; nothing is sent yet
    check    returns a credential as it is kept once it is certain that it fits together; raises Refused
    """

    card: Card
    fields: Callable[[], tuple[CredentialField, ...]]
    open: Callable[[VenueKey, Opening], Venue]
    check: Callable[[VenueKey, Mapping[str, Secret]], Checked]


def _paper(_: VenueKey, opening: Opening) -> Venue:
    return open_paper(opening.data_dir, clock=opening.clock, seed=opening.seed)


def _real_paper(key: VenueKey, opening: Opening) -> Venue:
    assert key.rides is not None, "only such a venue is opened here"
    source = open_venue(key.rides, replace(opening, accounts=_NOBODY))
    return open_real_paper(str(key), source, opening.data_dir, clock=opening.clock)


def _nothing_to_check(_: VenueKey, parts: Mapping[str, Secret]) -> Checked:
    return dict(parts), ""


def _aster(key: VenueKey, opening: Opening) -> Venue:
    from pilothouse.venues.aster.opened import open_aster  # noqa: PLC0415 - who trades on paper needs none of it

    return open_aster(key, opening)


def _check_aster(key: VenueKey, parts: Mapping[str, Secret]) -> Checked:
    from pilothouse.venues.aster import credential, opened  # noqa: PLC0415 - as above

    return credential.checked(parts, opened.endpoint_of(key).chain_id)


def _no_credential(account: VenueAccount) -> Mapping[str, Secret]:
    raise NotFound(f"the paper account {account.id} has no credential: public prices need none")


_NOBODY = Accounts(_no_credential, lambda: ())


def _ccxt(key: VenueKey, opening: Opening) -> Venue:
    from pilothouse.venues.ccxt.opened import open_ccxt  # noqa: PLC0415 - ccxt alone takes two seconds to load

    return open_ccxt(key, opening)


def _check_ccxt(key: VenueKey, parts: Mapping[str, Secret]) -> Checked:
    from pilothouse.venues.ccxt.opened import checked  # noqa: PLC0415 - as above

    return checked(key, parts)


def _ccxt_line(name: str) -> Line:
    """Return the line of an exchange that ccxt knows. Its fields are known without ccxt where it is tested in depth."""
    sheet = sheet_of(name)

    def fields() -> tuple[CredentialField, ...]:
        if sheet is not None:
            return tuple(CredentialField(part.name, part.words, part.secret) for part in sheet.parts)
        from pilothouse.venues.ccxt.opened import fields_of  # noqa: PLC0415 - as above

        return fields_of(name)

    return Line(card_of_ccxt(name, sheet), fields, _ccxt, _check_ccxt)


_ASTER_FIELDS = (
    CredentialField("user", "address of the account that trades", secret=False),
    CredentialField(
        "signer", "address of the agent that signs for it; the account itself if it has none", secret=False
    ),
    CredentialField("private_key", "private key of the signer, 64 hex digits", secret=True),
)

_LINES: Mapping[str, Line] = MappingProxyType(
    {
        PAPER.venue: Line(PAPER, tuple, _paper, _nothing_to_check),
        **{name: Line(card, lambda: _ASTER_FIELDS, _aster, _check_aster) for name, card in ASTER.items()},
        **{name: _ccxt_line(name) for name in CCXT},
    }
)

CARDS: Mapping[str, Card] = MappingProxyType({name: line.card for name, line in _LINES.items()})
"""What each venue can do that is known by name without asking an adapter."""


def names() -> tuple[str, ...]:
    """Return the names of the venues that are tested in depth."""
    return tuple(_LINES)


def card_of(name: str) -> Card:
    """Return what a venue can do. Raises VenueUnknown."""
    return _line(name).card


def credential_fields(name: str) -> tuple[CredentialField, ...]:
    """Return what a credential consists of; empty for paper. Raises VenueUnknown."""
    return _line(name).fields()


def checked_credential(key: VenueKey, parts: Mapping[str, Secret]) -> Checked:
    """Return a credential as it is kept and what may be shown of it; nobody is asked.

    Raises VenueUnknown, Invalid for a part that is missing or unknown, or Refused if the parts do not fit together.
    """
    line = _line(key.name)
    wanted = {field.name: field for field in line.fields()}
    problems = [Problem(name, "nothing", field.words) for name, field in wanted.items() if name not in parts]
    problems += [Problem(name, "unknown", f"one of {', '.join(wanted)}") for name in parts if name not in wanted]
    if problems:
        raise Invalid(problems)
    return line.check(key, parts)


def open_venue(key: VenueKey, opening: Opening) -> Venue:
    """Open a venue; nothing is sent yet. Raises VenueUnknown, or NotPrivate for streams in the open."""
    return _line(key.name).open(key, opening)


def _line(name: str) -> Line:
    line = _LINES.get(name)
    behind = VenueKey(name).rides
    if line is None and behind is not None and not behind.is_paper:
        return Line(card_on(_line(behind.name).card), lambda: (), _real_paper, _nothing_to_check)
    if line is None and is_known_to_ccxt(name):
        return _ccxt_line(name)
    if line is None:
        raise VenueUnknown(f"there is no venue {name[:40]!r}; there are {', '.join(_LINES)}, and the exchanges of ccxt")
    return line


@cache
def carries_stops(key: str) -> bool:
    """Say whether the venue of this key takes orders that wait for a trigger; else the house keeps them."""
    return not card_of(VenueKey.parse(key).name).has(STOPS_KEPT)


@cache
def holds_coins(key: str) -> bool:
    """Say whether a position at the venue of this key is coins that are owned, as on spot."""
    return card_of(VenueKey.parse(key).name).has(HOLDINGS)


@cache
def trails(key: str) -> TrailRange | None:
    """Return how far trailing orders of the venue of this key may trail, or None if it has none that are used."""
    return card_of(VenueKey.parse(key).name).trails


@cache
def stop_ways(key: str) -> tuple[StopWay, ...]:
    """Return in which forms the venue of this key takes a stop, in the order in which they are tried."""
    return card_of(VenueKey.parse(key).name).stop_ways


@cache
def has_pairs(key: str) -> bool:
    """Say whether at the venue of this key two orders may wait for the same coins (OCO)."""
    return card_of(VenueKey.parse(key).name).has(PAIRS)
