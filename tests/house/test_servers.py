"""The ground the tests stand on: real servers, and no way out of this machine."""

import socket

import psycopg
import pytest
from sqlalchemy import select

from pilothouse.core.facts import Fact, FactKind
from pilothouse.kit import tables
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Database
from tests.conftest import NetworkRefused


def test_a_test_cannot_reach_the_network() -> None:
    """A test that spoke to an exchange could trade; and one that needs the network fails on a train."""
    with socket.socket() as line, pytest.raises(NetworkRefused):
        line.connect(("192.0.2.1", 80))
    with pytest.raises(NetworkRefused):
        socket.getaddrinfo("exchange.example", 443)


@pytest.mark.postgres
def test_postgresql_is_real_and_starts_empty(postgres_url: str) -> None:
    """What holds on SQLite must hold on the database that many machines share."""
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert tables == (0,)


@pytest.mark.valkey
def test_valkey_answers_and_is_empty(valkey_url: str) -> None:
    """It will carry ids between machines; a test finds nothing of the test before it."""
    import valkey  # noqa: PLC0415 - typed badly and needed here only

    with valkey.Valkey.from_url(valkey_url) as client:
        assert client.dbsize() == 0
        assert client.set("met", "yes")


@pytest.mark.parametrize("turn", ["first", "second"])
def test_every_test_finds_the_tables_empty(turn: str, database: Database, clock: FrozenClock) -> None:
    """A row left over from the test before is a test that passes alone and fails in company, or worse."""
    fact = Fact(FactKind.ACCOUNT_HALTED, "own_1", clock.now(), "acc_1")

    before = database.read(lambda tx: len(tx.execute(select(tables.facts)).all()))
    database.write(lambda tx: tx.announce(fact), name=turn)
    ids = database.read(lambda tx: tx.execute(select(tables.facts.c.id)).scalars().all())

    assert before == 0
    assert list(ids) == [1]
