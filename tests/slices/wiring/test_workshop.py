"""A workshop opens on the database and the data folder of one house, and on nothing else."""

from pathlib import Path

import pytest

from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.settings import Settings
from pilothouse.migrations.migrate import migrate
from pilothouse.wiring.build import build
from pilothouse.wiring.workshop import MARK, NoHouse, OtherFolder, open_workshop


def test_it_opens_beside_its_house_and_in_no_other_folder(
    database_url: str, tmp_path: Path, clock: FrozenClock
) -> None:
    """Candles, strategies and results lie there: in another folder a worker would compute with others, or lose them."""
    here, there = (Settings(data=tmp_path / name, database_url=database_url) for name in ("here", "there"))
    with pytest.raises(NoHouse, match="has no tables of ours"):
        open_workshop(here)
    migrate(database_url, backup_to=None, clock=clock)
    with pytest.raises(NoHouse, match="no house was ever opened"):
        open_workshop(here)
    build(here).close()

    shop = open_workshop(here)
    assert shop.process.startswith("worker:")
    shop.close()
    with pytest.raises(OtherFolder, match="set PILOTHOUSE_DATA to the same folder"):
        open_workshop(there)
    there.data.mkdir()
    (there.data / MARK).write_text("another one\n")
    with pytest.raises(OtherFolder):
        open_workshop(there)


def test_the_mark_of_a_folder_tells_nothing_of_the_key(database_url: str, tmp_path: Path, clock: FrozenClock) -> None:
    """Client order ids are made with that key, and whoever mounts the folder can read the mark."""
    migrate(database_url, backup_to=None, clock=clock)
    house = build(Settings(data=tmp_path, database_url=database_url))
    key = house.desk.house_key.hex()
    house.close()

    said = (tmp_path / MARK).read_text()
    assert key not in said
    assert said.strip() not in key
    assert (tmp_path / MARK).stat().st_mode & 0o077 == 0
