"""Credentials of trading accounts: sealed for their row, shown to nobody, opened for who signs."""

import pytest
from sqlalchemy import select, update

from pilothouse.accounts import trading_accounts, users, venue_keys
from pilothouse.accounts.audit import list_audit
from pilothouse.accounts.tables import venue_keys as table
from pilothouse.accounts.trading_accounts import AccountNotFound, Mode
from pilothouse.accounts.venue_keys import KeysMissing
from pilothouse.core.errors import Invalid
from pilothouse.kit.db import Database
from pilothouse.kit.sealed import SealBroken, Sealer, Secret
from tests.conftest import NOON

KEY, OLDER = b"k" * 32, b"o" * 32
PARTS = {"user": Secret("0xabc"), "private_key": Secret("the-private-key-itself")}


def account(database: Database, name: str = "live") -> tuple[str, str]:
    """Return (owner id, account id) of a new account at aster."""
    owner = database.write(lambda tx: users.add_user(tx, name=name, role="member", now=NOON), name="user").id
    opened = database.write(
        lambda tx: trading_accounts.open_account(
            tx, owner_id=owner, name=name, venue="aster", mode=Mode.LIVE, currency="USDT", now=NOON
        ),
        name="open",
    )
    return owner, opened.id


def keep(database: Database, sealer: Sealer, owner: str, account_id: str) -> None:
    """Keep PARTS for an account."""
    database.write(
        lambda tx: venue_keys.keep(tx, sealer, owner, account_id, PARTS, label="0xabc", now=NOON), name="keep"
    )


def test_a_key_comes_back_as_it_was_kept(database: Database) -> None:
    """An order is signed with it."""
    owner, account_id = account(database)
    keep(database, Sealer(KEY), owner, account_id)

    assert database.read(lambda tx: venue_keys.reveal(tx, Sealer(KEY), account_id)) == PARTS


def test_no_key_stands_in_the_database_or_the_audit(database: Database) -> None:
    """A copy of the database is no copy of the keys."""
    owner, account_id = account(database)
    keep(database, Sealer(KEY), owner, account_id)
    rows = database.read(lambda tx: str(tx.execute(select(table)).all()))
    lines = database.read(lambda tx: str(list_audit(tx, owner)))

    assert "the-private-key-itself" not in rows + lines
    assert "venue_keys.kept" in lines


def test_a_key_moved_to_another_account_does_not_open(database: Database) -> None:
    """Whoever can write rows cannot make one account sign for another."""
    owner, first = account(database, "first")
    other, second = account(database, "second")
    keep(database, Sealer(KEY), owner, first)
    keep(database, Sealer(KEY), other, second)
    sealed = database.read(
        lambda tx: tx.execute(select(table.c.sealed).where(table.c.account_id == first)).scalar_one()
    )
    database.write(
        lambda tx: tx.execute(update(table).where(table.c.account_id == second), {"sealed": sealed}), name="swap"
    )

    with pytest.raises(SealBroken):
        database.read(lambda tx: venue_keys.reveal(tx, Sealer(KEY), second))


def test_after_rotation_the_older_key_opens_nothing(database: Database) -> None:
    """A key that leaked is of no more use."""
    owner, account_id = account(database)
    keep(database, Sealer(OLDER), owner, account_id)
    both = Sealer(KEY, OLDER)

    assert database.write(lambda tx: venue_keys.seal_anew(tx, both, now=NOON), name="rotate") == 1
    assert database.write(lambda tx: venue_keys.seal_anew(tx, both, now=NOON), name="rotate") == 0
    assert database.read(lambda tx: venue_keys.reveal(tx, Sealer(KEY), account_id)) == PARTS
    with pytest.raises(SealBroken):
        database.read(lambda tx: venue_keys.reveal(tx, Sealer(OLDER), account_id))


def test_only_its_owner_keeps_sees_and_removes_a_key(database: Database) -> None:
    """Two users of one house know nothing of each other's keys."""
    owner, account_id = account(database)
    stranger, _ = account(database, "stranger")
    keep(database, Sealer(KEY), owner, account_id)

    with pytest.raises(AccountNotFound):
        keep(database, Sealer(KEY), stranger, account_id)
    with pytest.raises(AccountNotFound):
        database.read(lambda tx: venue_keys.shown(tx, stranger, account_id))
    with pytest.raises(AccountNotFound):
        database.write(lambda tx: venue_keys.remove(tx, stranger, account_id, now=NOON), name="remove")
    found = database.read(lambda tx: venue_keys.shown(tx, owner, account_id))
    assert found is not None
    assert (found.label, found.parts) == ("0xabc", ("private_key", "user"))


def test_a_removed_key_is_gone(database: Database) -> None:
    """And its account is no longer among those that can trade."""
    owner, account_id = account(database)
    keep(database, Sealer(KEY), owner, account_id)
    assert database.read(lambda tx: venue_keys.with_keys(tx, "aster")) == [(account_id, owner)]

    assert database.write(lambda tx: venue_keys.remove(tx, owner, account_id, now=NOON), name="remove")
    assert not database.write(lambda tx: venue_keys.remove(tx, owner, account_id, now=NOON), name="remove")
    assert database.read(lambda tx: venue_keys.with_keys(tx, "aster")) == []
    with pytest.raises(KeysMissing):
        database.read(lambda tx: venue_keys.reveal(tx, Sealer(KEY), account_id))


def test_an_empty_part_is_refused(database: Database) -> None:
    """It would be found when the first order is to be signed."""
    owner, account_id = account(database)

    with pytest.raises(Invalid):
        database.write(
            lambda tx: venue_keys.keep(tx, Sealer(KEY), owner, account_id, {"secret": Secret("")}, label="x", now=NOON),
            name="keep",
        )
