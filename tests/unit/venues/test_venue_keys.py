"""One venue has one spelling: everything that is known of it is kept by that text."""

import pytest

from pilothouse.core.errors import Invalid
from pilothouse.venues.keys import NotPrivate, VenueKey


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("paper", "paper"),
        (" Aster ", "aster"),
        ("aster-testnet", "aster-testnet"),
        ("aster@http://127.0.0.1:18100/", "aster@http://127.0.0.1:18100"),
        ("binanceusdm@https://Example.com/fapi/", "binanceusdm@https://example.com/fapi"),
        ("paper-aster@http://[::1]:18100", "paper-aster@http://[::1]:18100"),
    ],
)
def test_a_key_has_one_spelling(text: str, spelled: str) -> None:
    """Instruments under one spelling and quotes under another would be two half venues."""
    key = VenueKey.parse(text)

    assert str(key) == spelled
    assert VenueKey.parse(spelled) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@http://127.0.0.1:1",
        "as ter",
        "aster@",
        "aster@ftp://127.0.0.1",
        "aster@http://u:p@127.0.0.1",
        "a" * 201,
        "aster@https://host/?x=1",
        "aster@https://host:port",
    ],
)
def test_what_is_no_venue_is_named_as_a_wrong_field(text: str) -> None:
    """The person who typed it reads what would be right."""
    with pytest.raises(Invalid, match="venue"):
        VenueKey.parse(text)


def test_an_address_in_the_open_is_no_venue() -> None:
    """What is signed, or seen, on the way to it could be used by others."""
    with pytest.raises(NotPrivate):
        VenueKey.parse("aster@http://example.com")


def test_a_key_tells_what_kind_of_venue_it_is() -> None:
    """Paper money may ride on a real venue's prices, at whatever address that is reached."""
    riding = VenueKey.parse("paper-aster@http://127.0.0.1:18100")

    assert riding.is_paper
    assert riding.rides == VenueKey("aster", "http://127.0.0.1:18100")
    assert VenueKey("paper").is_paper
    assert VenueKey("paper").rides is None
    assert not VenueKey("aster").is_paper
    assert VenueKey("bybit-testnet").is_testnet
