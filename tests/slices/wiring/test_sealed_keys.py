"""From a sealed credential to a signature: what an account needs before its first order."""

from pathlib import Path

import pytest

from pilothouse.accounts import trading_accounts, users, venue_keys
from pilothouse.accounts.trading_accounts import Mode
from pilothouse.accounts.venue_keys import KeysMissing
from pilothouse.core.errors import Invalid
from pilothouse.kit.db import Database
from pilothouse.kit.sealed import Secret
from pilothouse.venues.aster.credential import keys_of
from pilothouse.venues.aster.endpoint import MAINNET_CHAIN
from pilothouse.venues.aster.sign import KeyNotOfSigner, Signer
from pilothouse.venues.catalogue import checked_credential
from pilothouse.venues.keys import VenueKey
from pilothouse.venues.port import VenueAccount
from pilothouse.wiring.sealed_keys import KeyRing
from pilothouse.wiring.sealing_key import KEY_FILE, SealingKey
from tests.conftest import NOON

KEY = Secret("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
ASTER = VenueKey("aster")


def _typed(user: str, signer: str) -> dict[str, Secret]:
    return {"user": Secret(user), "signer": Secret(signer), "private_key": KEY}


def test_an_account_signs_with_what_was_sealed_for_it(database: Database, tmp_path: Path) -> None:
    """From the form in which it was typed to the address that the venue sees."""
    place = SealingKey(tmp_path / KEY_FILE)
    sealer = place.sealer()
    owner = database.write(lambda tx: users.add_user(tx, name="a", role="member", now=NOON), name="user").id
    opened = database.write(
        lambda tx: trading_accounts.open_account(
            tx, owner_id=owner, name="live", venue="aster", mode=Mode.LIVE, currency="USDT", now=NOON
        ),
        name="open",
    )
    parts, label = checked_credential(ASTER, _typed(ADDRESS, ADDRESS))
    database.write(lambda tx: venue_keys.keep(tx, sealer, owner, opened.id, parts, label=label, now=NOON), name="keep")
    ring = KeyRing(database, place)
    accounts = ring.at("aster")
    (account,) = accounts.all()

    assert account == VenueAccount(opened.id, owner)
    assert Signer.of(keys_of(accounts.parts_of(account)), MAINNET_CHAIN).address == ADDRESS.lower()
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o077 == 0
    assert ring.at("aster-testnet").all() == []


def test_an_account_without_a_key_says_so(database: Database, tmp_path: Path) -> None:
    """And sends nothing."""
    accounts = KeyRing(database, SealingKey(tmp_path / KEY_FILE)).at("aster")

    with pytest.raises(KeysMissing):
        accounts.parts_of(VenueAccount("acc_x", "usr_x"))


@pytest.mark.parametrize("wrong", ["", "0x12", "f39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "0x" + "g" * 40])
def test_what_is_no_address_is_named(wrong: str) -> None:
    """Both, if both are wrong."""
    with pytest.raises(Invalid) as refused:
        checked_credential(ASTER, _typed(wrong, wrong))
    assert [problem.field for problem in refused.value.problems] == ["user", "signer"]


def test_a_key_of_another_signer_is_not_kept() -> None:
    """It would be found out with the first order."""
    with pytest.raises(KeyNotOfSigner):
        checked_credential(ASTER, _typed(ADDRESS, "0x" + "1" * 40))
