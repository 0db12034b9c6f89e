"""An existing user of a bridge copies the `.env`: the account and the hook are there, and nothing is sent yet."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pilothouse.accounts import hooks, trading_accounts
from pilothouse.accounts.audit import list_audit
from pilothouse.accounts.trading_accounts import Mode, TradingAccount
from pilothouse.core.errors import Invalid
from pilothouse.kit.settings import Settings
from pilothouse.venues.aster.sign import KeyNotOfSigner
from pilothouse.venues.port import VenueAccount
from pilothouse.wiring import first_steps, given_accounts, remove_account, variables
from pilothouse.wiring.build import build
from pilothouse.wiring.house import House
from pilothouse.wiring.replace_key import AnotherAccount

# Well-known throw-away keys of every Ethereum test chain; they hold nothing anywhere.
USER = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
AGENT = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
AGENT_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
OTHER_AGENT = "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc"
OTHER_KEY = "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"

NOWHERE = "http://127.0.0.1:9"
ENV = {
    "ASTERDEX_USER_ADDRESS": USER,
    "ASTERDEX_SIGNER_ADDRESS": AGENT,
    "ASTERDEX_PRIVATE_KEY": AGENT_KEY,
    "ASTERDEX_BASE_URL": NOWHERE,
    "WEBHOOK_SECRET": "a-secret-of-the-old-bridge",
}


@pytest.fixture
def house(tables_url: str, tmp_path: Path) -> Iterator[House]:
    """Yield a house after its ordinary first start."""
    opened = build(Settings(data=tmp_path, database_url=tables_url))
    first_steps.take(opened)
    yield opened
    opened.close()


def start(house: House, changed: Mapping[str, str] | None = None) -> list[str]:
    """Do what a start does with the variables, some of them changed."""
    return given_accounts.take(house, variables.read({**ENV, **(changed or {})}))


def accounts(house: House) -> dict[str, TradingAccount]:
    """Return every account by its name."""
    found = house.database.read(lambda tx: trading_accounts.list_accounts(tx, house.operator_id))
    return {each.name: each for each in found}


def audit(house: House) -> list[Any]:
    """Return what was done, newest first."""
    return house.database.read(lambda tx: list_audit(tx, house.operator_id))


def test_a_copied_env_makes_the_account_and_its_hook_and_sends_nothing(house: House) -> None:
    """The venue does not even have to answer; the paper account of the first start stays as it is."""
    start(house)
    made = accounts(house)

    assert set(made) == {"paper", "asterdex"}
    assert (made["asterdex"].mode, made["asterdex"].may_send) == (Mode.LIVE, False)
    assert made["asterdex"].venue == f"aster@{NOWHERE}"
    hook = house.database.read(lambda tx: hooks.by_secret(tx, ENV["WEBHOOK_SECRET"]))
    assert hook is not None
    assert hook.account_id == made["asterdex"].id


def test_a_second_start_makes_nothing_twice(house: House) -> None:
    """Nor does it write a line about what did not change."""
    start(house)
    before = len(audit(house))

    assert start(house) == []
    assert set(accounts(house)) == {"paper", "asterdex"}
    assert len(audit(house)) == before


def test_a_changed_key_takes_the_place_of_the_old_one(house: House) -> None:
    """And the record says so; the secret of the hook follows as well."""
    start(house)
    start(
        house, {"ASTERDEX_SIGNER_ADDRESS": OTHER_AGENT, "ASTERDEX_PRIVATE_KEY": OTHER_KEY, "WEBHOOK_SECRET": "x" * 20}
    )
    account = accounts(house)["asterdex"]

    assert house.ring.parts_of(VenueAccount(account.id, account.owner_id))["signer"].reveal() == OTHER_AGENT
    assert [line.what for line in audit(house)][:2] == ["hook.rotated", "venue_keys.replaced"]
    assert house.database.read(lambda tx: hooks.by_secret(tx, ENV["WEBHOOK_SECRET"])) is None


def test_variables_that_are_gone_remove_nothing(house: House) -> None:
    """Who cleans up an `.env` does not mean to lose an account with open positions."""
    start(house)
    assert given_accounts.take(house, variables.read({})) == []
    assert set(accounts(house)) == {"paper", "asterdex"}


def test_a_removed_account_is_not_made_again(house: House) -> None:
    """Removing is meant; a variable that was forgotten is not."""
    start(house)
    account = accounts(house)["asterdex"]
    remove_account.remove(house, house.operator_id, account.id, force=False, by="me")

    told = " ".join(start(house))
    assert "removed" in told
    assert "revoked" in told
    assert set(accounts(house)) == {"paper", "asterdex"}


@pytest.mark.parametrize("changed", [{"ASTERDEX_USER_ADDRESS": OTHER_AGENT}, {"ASTERDEX_BASE_URL": ""}])
def test_another_account_or_address_under_the_same_name_stops_the_start(house: House, changed: dict[str, str]) -> None:
    """Its books would be another's, and its orders would go somewhere else."""
    start(house)
    with pytest.raises(AnotherAccount):
        start(house, changed)


def test_a_key_that_is_not_the_signers_stops_the_start_without_the_key_in_the_reason(house: House) -> None:
    """It would be found out with the first order."""
    with pytest.raises(KeyNotOfSigner) as refused:
        start(house, {"ASTERDEX_PRIVATE_KEY": OTHER_KEY})
    assert OTHER_KEY.removeprefix("0x") not in str(refused.value)
    assert set(accounts(house)) == {"paper"}


@pytest.mark.parametrize("missing", ["ASTERDEX_USER_ADDRESS", "ASTERDEX_SIGNER_ADDRESS", "ASTERDEX_PRIVATE_KEY"])
def test_half_a_set_stops_the_start_and_names_what_is_missing(missing: str) -> None:
    """Starting without the account would look like a desk that trades and does not."""
    with pytest.raises(Invalid) as refused:
        variables.read({**ENV, missing: " "})
    assert [each.field for each in refused.value.problems] == [missing]
    assert AGENT_KEY not in str(refused.value)


def test_the_address_says_which_venue_is_meant() -> None:
    """The venue's own address is the venue by name; its testnet is play money."""
    for address, venue in (
        ("", "aster"),
        ("https://fapi.asterdex.com/", "aster"),
        ("https://fapi.asterdex-testnet.com", "aster-testnet"),
        (NOWHERE, f"aster@{NOWHERE}"),
    ):
        (given,) = variables.read({**ENV, "ASTERDEX_BASE_URL": address}).accounts
        assert str(given.venue) == venue
