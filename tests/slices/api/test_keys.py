"""The sealing key over the API: shown without the key, rotated while the house runs, and the old one forgotten."""

from pilothouse.accounts import trading_accounts, venue_keys
from pilothouse.accounts.trading_accounts import Mode
from pilothouse.kit.sealed import Secret
from pilothouse.venues.port import VenueAccount
from tests.slices.api.conftest import Served

CANARY = "the-private-key-itself"


def keep(served: Served) -> VenueAccount:
    """Keep a credential of an account that nobody trades."""
    house = served.house
    now, owner, sealer = house.clock.now(), house.operator_id, house.ring.sealer
    opened = house.database.write(
        lambda tx: trading_accounts.open_account(
            tx, owner_id=owner, name="live", venue="aster", mode=Mode.LIVE, currency="USDT", now=now
        ),
        name="open",
    )
    parts = {"private_key": Secret(CANARY)}
    house.database.write(
        lambda tx: venue_keys.keep(tx, sealer, owner, opened.id, parts, label="0xabc", now=now), name="keep"
    )
    return VenueAccount(opened.id, owner)


def test_a_house_that_runs_rotates_its_key_and_goes_on_signing(served: Served) -> None:
    """Nobody has to stop a desk with open positions to change a key that may have been seen."""
    account = keep(served)
    house, api = served.house, served.api
    before = api.get("/api/v1/keys").json()

    after = api.post("/api/v1/keys/rotate").json()

    assert (after["sealed"], after["sealed_older"], len(after["older"])) == (1, 0, 1)
    assert after["key_id"] != before["key_id"]
    house.ring.drop(account.id)
    assert house.ring.parts_of(account)["private_key"].reveal() == CANARY

    forgotten = api.post("/api/v1/keys/forget-old").json()["forgotten"]
    assert forgotten == after["older"]
    house.ring.drop(account.id)
    assert house.ring.parts_of(account)["private_key"].reveal() == CANARY
    assert api.get("/api/v1/keys").json()["older"] == []


def test_no_key_is_told_to_anybody(served: Served) -> None:
    """Neither the sealing key nor what it seals stands in an answer, a complaint or the log."""
    keep(served)
    said = [
        answer.text
        for answer in (
            served.api.get("/api/v1/keys"),
            served.api.post("/api/v1/keys/rotate"),
            served.api.post("/api/v1/keys/forget-old"),
        )
    ]
    files = [path.read_text().strip() for path in served.house.settings.data.glob("sealing.key*")]

    assert files
    for secret in (CANARY, *files):
        assert secret not in "".join(said) + served.log.getvalue()


def test_only_an_administrator_asks_for_it(served: Served) -> None:
    """Deleting keys is worth as much as having them."""
    reading = served.api.post("/api/v1/tokens", json={"label": "dashboard", "scopes": ["read", "trade"]}).json()
    stranger = served.client({"Authorization": f"Bearer {reading['token']}"})

    assert stranger.get("/api/v1/keys").status_code == 403
    assert stranger.post("/api/v1/keys/rotate").status_code == 403
    assert stranger.post("/api/v1/keys/forget-old").status_code == 403
