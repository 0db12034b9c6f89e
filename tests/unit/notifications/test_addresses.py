"""Addresses: read from one setting, each known by a digest, and never shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.errors import Invalid
from pilothouse.kit.settings import Settings
from pilothouse.notifications.addresses import AddressNotUnderstood, address, read, secrets_of

MAIL = "mailto://me:pass-word@mail.example.com?to=a@example.com,b@example.com"
CHAT = "tgram://123456789:abcdefg_hijklmnop/12315544/"


def test_addresses_stand_between_spaces_and_commas_and_may_hold_commas_themselves() -> None:
    """One mail to two people is one address."""
    found = read(f"  {MAIL}, {CHAT}\n{CHAT}")

    assert [one.url for one in found] == [MAIL, CHAT]


def test_nothing_is_no_address() -> None:
    """A house without addresses is the usual one."""
    assert read("") == read(" , ") == ()


@given(st.text(max_size=40).filter(lambda text: text.strip(" ,\t\n\r") and "://" not in text))
def test_what_is_no_address_is_refused_without_being_repeated(text: str) -> None:
    """It may be half of a secret."""
    with pytest.raises(AddressNotUnderstood) as refused:
        read(text + "zq")
    assert "zq" not in str(refused.value)


def test_an_address_shows_its_kind_and_nothing_else() -> None:
    """Whoever sees a list of alarms must not be able to write to the chat."""
    one = address(CHAT)

    assert one.label.startswith("tgram:")
    for text in (repr(one), one.label, one.key):
        assert not any(secret in text for secret in secrets_of(CHAT))


def test_each_part_that_may_be_a_key_is_hidden_from_logs() -> None:
    """Libraries quote parts of an address when they fail."""
    assert {"pass-word", MAIL} <= set(secrets_of(MAIL))
    assert {"123456789", "abcdefg_hijklmnop", "12315544", CHAT} <= set(secrets_of(CHAT))


def test_a_setting_that_holds_no_address_stops_the_start_and_keeps_it_to_itself() -> None:
    """An alarm address that is misspelt is found out by the next alarm, which is too late."""
    with pytest.raises(Invalid) as refused:
        Settings.from_environment({"PILOTHOUSE_ALARM_URLS": "my-secret-topic"})

    assert "PILOTHOUSE_ALARM_URLS" in str(refused.value)
    assert "my-secret-topic" not in str(refused.value)
