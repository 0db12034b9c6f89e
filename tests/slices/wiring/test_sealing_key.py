"""Another sealing key in the place of the present one: nothing that was sealed is ever without a key that opens it."""

import itertools
from functools import partial
from pathlib import Path

import pytest

from pilothouse.accounts import trading_accounts, users, venue_keys
from pilothouse.accounts.audit import list_audit
from pilothouse.accounts.trading_accounts import Mode
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Database
from pilothouse.kit.sealed import KeyFileUnsafe, SealBroken, Secret, write_private
from pilothouse.kit.settings import Settings
from pilothouse.wiring import sealing_key
from pilothouse.wiring.sealing_key import KeyFileMissing, KeyGivenTwice, NothingToRotate, RotationUnfinished, SealingKey
from tests.conftest import NOON

CANARY = "the-private-key-itself"
STEPS = ["another key made", "sealed anew", "old key kept", "another key in its place"]


def place_of(folder: Path, **more: str) -> SealingKey:
    """Return where the keys are of a house with its data in `folder`."""
    variables = {f"PILOTHOUSE_{name}": text for name, text in more.items()}
    return SealingKey.of(Settings.from_environment({"PILOTHOUSE_DATA": str(folder), **variables}))


class Books:
    """A house's owner with credentials of a few accounts."""

    def __init__(self, database: Database, place: SealingKey, accounts: int = 3) -> None:
        """Keep `accounts` credentials under the key of `place`."""
        self.database = database
        self.owner = database.write(lambda tx: users.ensure_operator(tx, now=NOON), name="operator").id
        self.accounts = [self.keep(place, f"live {number}") for number in range(accounts)]

    def keep(self, place: SealingKey, name: str) -> str:
        """Open an account with a credential; returns its id."""
        sealer = place.sealer()
        opened = self.database.write(
            lambda tx: trading_accounts.open_account(
                tx, owner_id=self.owner, name=name, venue="aster", mode=Mode.LIVE, currency="USDT", now=NOON
            ),
            name="open",
        )
        parts = {"private_key": Secret(f"{CANARY} of {opened.id}")}
        self.database.write(
            lambda tx: venue_keys.keep(tx, sealer, self.owner, opened.id, parts, label="0xabc", now=NOON), name="keep"
        )
        return opened.id

    def all_open(self, place: SealingKey) -> bool:
        """Say whether a house that starts now reads every credential."""
        sealer = place.sealer()
        for account in self.accounts:
            found = self.database.read(partial(venue_keys.reveal, sealer=sealer, account_id=account))
            assert found["private_key"].reveal() == f"{CANARY} of {account}"
        return True

    def rotate(self, place: SealingKey) -> sealing_key.KeyState:
        """Rotate as a house does that has just started."""
        return sealing_key.rotate(
            self.database, place, place.sealer(), FrozenClock(NOON), owner_id=self.owner, by="somebody"
        )

    def forget(self, place: SealingKey) -> list[str]:
        """Forget the old keys as a house does that has just started."""
        return sealing_key.forget_old(
            self.database, place, place.sealer(), FrozenClock(NOON), owner_id=self.owner, by="somebody"
        )


def test_a_rotation_seals_everything_anew_and_keeps_the_old_key(database: Database, tmp_path: Path) -> None:
    """The key that may have been seen is worth nothing any more, and copies from before still open."""
    place = place_of(tmp_path)
    books = Books(database, place)
    before = place.path.read_text()

    after = books.rotate(place)

    assert (after.sealed, after.sealed_older, after.unfinished) == (3, 0, False)
    assert place.path.read_text() != before
    assert [path.read_text() for path in place.older] == [before]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("sealing.key*")} == {0o600}
    assert books.all_open(place)
    assert "sealing_key.rotated" in {line.what for line in database.read(lambda tx: list_audit(tx, books.owner))}


def test_a_house_that_runs_goes_on_with_what_it_has_open(database: Database, tmp_path: Path) -> None:
    """Adapters hold the sealer; a rotation must not take their keys from them, nor let them seal with the old one."""
    place = place_of(tmp_path)
    books = Books(database, place)
    running = place.sealer()

    sealing_key.rotate(database, place, running, FrozenClock(NOON), owner_id=books.owner, by="somebody")

    assert database.read(lambda tx: venue_keys.reveal(tx, running, books.accounts[0]))
    assert running.current == place.sealer().current


@pytest.mark.parametrize("done", range(len(STEPS)), ids=lambda count: f"after {count} steps")
def test_whoever_is_killed_in_a_rotation_loses_nothing(database: Database, tmp_path: Path, done: int) -> None:
    """Power fails when it likes; the next start reads every key, and the next rotation goes on."""
    place = place_of(tmp_path)
    books = Books(database, place)
    going = sealing_key.steps(database, place, place.sealer(), FrozenClock(NOON), owner_id=books.owner, by="somebody")
    assert list(itertools.islice(going, done)) == STEPS[:done]
    del going

    assert books.all_open(place)
    books.accounts.append(books.keep(place, "opened in between"))
    after = books.rotate(place)

    assert (after.sealed, after.sealed_older, after.unfinished) == (4, 0, False)
    assert books.all_open(place)
    books.forget(place)
    assert books.all_open(place)
    assert [path.name for path in tmp_path.glob("sealing.key*")] == ["sealing.key"]


class Death(BaseException):
    """The process dies."""


@pytest.mark.parametrize("when", ["before:keys rotate", "keys rotate"])
def test_whoever_dies_around_the_commit_loses_nothing(tables_url: str, tmp_path: Path, when: str) -> None:
    """Either all credentials are sealed anew or none is, and the key for it is there before."""

    def witness(what: str) -> None:
        if what == when:
            raise Death

    place = place_of(tmp_path)
    dying = Database(tables_url, clock=FrozenClock(NOON), witness=witness)
    books = Books(dying, place)
    with pytest.raises(Death):
        books.rotate(place)
    dying.close()

    books.database = Database(tables_url, clock=FrozenClock(NOON))
    try:
        assert books.all_open(place)
        assert books.rotate(place).sealed_older == 0
        assert books.all_open(place)
    finally:
        books.database.close()


def test_old_keys_are_not_forgotten_while_something_needs_them(database: Database, tmp_path: Path) -> None:
    """The command that deletes keys is the one that could lock out every account."""
    place = place_of(tmp_path)
    books = Books(database, place)
    going = sealing_key.steps(database, place, place.sealer(), FrozenClock(NOON), owner_id=books.owner, by="somebody")
    list(itertools.islice(going, 1))

    with pytest.raises(RotationUnfinished):
        books.forget(place)
    assert books.all_open(place)

    books.rotate(place)
    assert len(books.forget(place)) == 1
    assert books.forget(place) == []
    assert books.all_open(place)


def test_one_that_does_not_open_stops_the_rotation_and_nothing_is_changed(database: Database, tmp_path: Path) -> None:
    """A credential of a lost key is shown as lost; the others stay as they are."""
    place, stranger = place_of(tmp_path / "ours"), place_of(tmp_path / "theirs")
    for folder in (place.path.parent, stranger.path.parent):
        folder.mkdir()
    books = Books(database, place, accounts=1)
    books.keep(stranger, "sealed elsewhere")

    with pytest.raises(SealBroken):
        books.rotate(place)

    found = database.read(lambda tx: sealing_key.state(tx, place, place.sealer()))
    assert (found.sealed, found.sealed_lost) == (2, 1)
    assert books.all_open(place)


def test_a_key_from_the_environment_takes_over_from_a_file(database: Database, tmp_path: Path) -> None:
    """An operator moves the key into a secret store without adding one account again."""
    file = place_of(tmp_path)
    books = Books(database, file)
    given = place_of(tmp_path, SEALING_KEY="ab" * 32)

    assert books.all_open(given)
    after = books.rotate(given)
    assert (after.source, after.path, after.sealed_older) == ("variable", None, 0)
    assert books.forget(given) == ["sealing.key"]
    assert list(tmp_path.glob("sealing.key*")) == []
    assert books.all_open(given)


def test_a_key_in_the_environment_is_rotated_by_putting_another_in_front(database: Database, tmp_path: Path) -> None:
    """A variable cannot be changed from here, and a rotation that does nothing must not look like one."""
    first = place_of(tmp_path, SEALING_KEY="ab" * 32)
    books = Books(database, first)

    with pytest.raises(NothingToRotate, match="NEW,OLD"):
        books.rotate(first)

    both = place_of(tmp_path, SEALING_KEY=f"{'cd' * 32},{'ab' * 32}")
    assert books.all_open(both)
    assert books.rotate(both).sealed_older == 0
    assert books.all_open(place_of(tmp_path, SEALING_KEY="cd" * 32))


def test_a_named_key_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    """A disk that was not mounted must not become a new key under which nothing opens."""
    with pytest.raises(KeyFileMissing, match="openssl rand"):
        place_of(tmp_path, SEALING_KEY_FILE=str(tmp_path / "elsewhere" / "key"))
    with pytest.raises(KeyGivenTwice):
        place_of(tmp_path, SEALING_KEY_FILE=str(tmp_path / "key"), SEALING_KEY="ab" * 32)


def test_a_named_key_file_is_used_and_rotated_where_it_is(database: Database, tmp_path: Path) -> None:
    """It may lie on another disk than the database that it seals."""
    folder = tmp_path / "keys"
    folder.mkdir()
    write_private(folder / "desk.key", "ab" * 32 + "\n")
    place = place_of(tmp_path, SEALING_KEY_FILE=str(folder / "desk.key"))
    books = Books(database, place)

    assert books.rotate(place).path == str(folder / "desk.key")
    assert sorted(path.name.partition(".old-")[0] for path in folder.iterdir()) == ["desk.key", "desk.key"]
    assert books.all_open(place)


def test_a_key_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    """It is a secret only as long as nobody else has seen it; that goes for an old one, too."""
    place = place_of(tmp_path)
    place.sealer()
    old = tmp_path / "sealing.key.old-2026-01-01"
    old.write_text("ab" * 32)
    old.chmod(0o644)

    with pytest.raises(KeyFileUnsafe, match="chmod 600"):
        place.sealer()
