"""The record of a house that traded is whole, and any one thing done to it behind its back is found."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from pilothouse.core.errors import PilothouseError
from pilothouse.execution.tables import orders
from pilothouse.kit.chain import RecordRow, StoredHead, before_the_first, link, stored_heads
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Database, Tx
from pilothouse.kit.tables import record_heads, records
from pilothouse.observability.record import anchors
from pilothouse.observability.record.verify import Verified, every_row, verify
from pilothouse.observability.walk import Anchor, Walk
from tests.stepped import Crash, Stepped


def verified(stepped: Stepped, *known: Anchor) -> Verified:
    """Return what a look at the whole record finds."""
    return stepped.house.database.read(lambda tx: verify(tx, known))


def rows(stepped: Stepped) -> list[RecordRow]:
    """Return every row of the account's chain."""
    chain = stepped.account.id
    return stepped.house.database.read(lambda tx: [row for row in every_row(tx) if row.chain == chain])


def spoil(stepped: Stepped, work: Callable[[Tx], object]) -> None:
    """Change the database behind everybody's back."""

    def unit(tx: Tx) -> None:
        work(tx)

    stepped.house.database.write(unit, name="spoil")


def words(found: Verified) -> str:
    """Return everything that does not fit."""
    return "\n".join(fault.words for fault in found.faults)


def test_the_record_of_a_house_that_traded_is_whole(traded: Stepped) -> None:
    """A proof that fails on an honest record proves nothing."""
    found = verified(traded)

    assert found.ok, words(found)
    assert found.orders == len(traded.orders())
    assert {row.number for row in rows(traded)} == set(range(1, len(rows(traded)) + 1))


def test_what_lies_between_an_alert_and_its_entries_is_in_the_record(traded: Stepped) -> None:
    """The record must tell the whole way, or the part that is missing is the one that is asked for."""
    told = {event for row in rows(traded) for event, _ in row.events()}

    assert {"begun", "alert", "judged", "ordered", "noted", "sent", "told", "booked", "signal.changed"} <= told


def test_a_secret_in_an_alert_is_not_in_the_record(traded: Stepped) -> None:
    """What is never deleted must never have held a secret."""
    traded.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.01", webhook_secret="open-sesame-4711")

    assert not [row for row in rows(traded) if "open-sesame" in row.body]


def test_a_chain_goes_on_after_a_restart(traded: Stepped) -> None:
    """What is remembered of its end dies with the process; the rows do not."""
    before = len(rows(traded))
    traded.die()
    traded.open()
    traded.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.01")

    assert len(rows(traded)) > before
    assert verified(traded).ok, words(verified(traded))


def test_a_chain_goes_on_after_a_crash_at_any_commit(tables_url: str, tmp_path: Path, clock: FrozenClock) -> None:
    """The rows are durable with what they tell of, or not there at all."""
    stepped = Stepped(tmp_path / "data", tables_url, clock).open()
    for number in range(6):
        stepped.fuse.seen.clear()
        stepped.fuse.at, stepped.fuse.lit = number, True
        with contextlib.suppress(Crash, PilothouseError):  # whichever thread it hits
            stepped.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.01", alert_id=f"crash-{number}")
        stepped.die()
        stepped.fuse.at = None
        stepped.recover()
        assert verified(stepped).ok, words(verified(stepped))
    stepped.die()


def test_another_process_that_writes_too_breaks_no_chain(traded: Stepped, tables_url: str) -> None:
    """Where a chain ends is remembered by each process; the database has the last word."""
    other = Database(tables_url, clock=traded.clock)
    chain = traded.account.id
    for number in range(4):
        where = other if number % 2 else traded.house.database
        where.write(lambda tx: tx.record(chain, "acc", "tried", {"number": 1}), name="try")
    other.close()

    assert verified(traded).ok, words(verified(traded))


def test_what_cannot_be_written_stops_no_trade_and_is_said(traded: Stepped) -> None:
    """It is an error of ours; an order that is lost for it would be a worse one."""

    def work(tx: Tx) -> None:
        tx.record(traded.account.id, "about", "odd", {"what": object()})
        tx.record(traded.account.id, "about", "even", {"what": 2})

    traded.house.database.write(work, name="odd")

    (odd, said), (even, more) = rows(traded)[-1].events()
    assert (odd, even, more) == ("odd", "even", {"what": 2})
    assert "TypeError" in said["unwritten"]
    assert verified(traded).ok


# ── One thing is done to it ───────────────────────────────────────────────────────────────────────


def test_the_end_that_is_cut_off_with_its_head_is_found_by_the_books(traded: Stepped) -> None:
    """Who cuts rows may also set back what is kept of their end."""
    all_of_it = rows(traded)
    cut = next(n for n, row in enumerate(all_of_it) if any(event == "ordered" for event, _ in row.events()))
    last = all_of_it[cut - 1]

    def work(tx: Tx) -> None:
        tx.execute(delete(records).where(records.c.chain == last.chain, records.c.number > last.number))
        head = {"number": last.number, "hash": last.hash}
        tx.execute(update(record_heads).where(record_heads.c.chain == last.chain).values(**head))

    spoil(traded, work)

    assert not verified(traded).ok
    assert "the record does not know it" in words(verified(traded))


def test_a_record_that_was_written_anew_is_found_by_its_anchor(traded: Stepped) -> None:
    """Hashes agree with whatever they are made of; only what is kept elsewhere tells the one record from another."""
    anchors.anchor(traded.house)
    known = anchors.read(traded.data / anchors.FILE)
    assert verified(traded, *known).ok, words(verified(traded, *known))

    def work(tx: Tx) -> None:
        before = before_the_first(traded.account.id)
        for row in rows_in(tx, traded.account.id):
            body = row.body.replace("BTCUSDT", "ETHUSDT")
            at = round(row.at.timestamp() * 1_000_000)
            before = link(before, row.chain, row.number, at, row.about, body)
            tx.execute(update(records).where(records.c.id == row.id).values(body=body, hash=before))
        tx.execute(update(record_heads).where(record_heads.c.chain == traded.account.id).values(hash=before))

    spoil(traded, work)

    assert verified(traded).ok, "the hashes agree again"
    assert "is another one than record-heads.jsonl" in words(verified(traded, *known))


def rows_in(tx: Tx, chain: str) -> list[RecordRow]:
    """Return the rows of a chain inside of a transaction."""
    return [row for row in every_row(tx) if row.chain == chain]


def test_an_order_that_was_changed_in_the_books_is_found_by_the_record(traded: Stepped) -> None:
    """The record is no second truth that nobody compares."""
    order = next(one for one in traded.orders() if one.terms.symbol == "SOLUSDT")
    spoil(traded, lambda tx: tx.execute(update(orders).where(orders.c.id == order.id).values(state="filled")))

    assert f"order {order.id} is filled in the books, the record left it working" in words(verified(traded))


def test_a_head_that_was_taken_away_is_found_and_stops_nobody(traded: Stepped) -> None:
    """Somebody who spoils the record must not be able to stop trading with it."""
    spoil(traded, lambda tx: tx.execute(delete(record_heads).where(record_heads.c.chain == traded.account.id)))
    assert "no head that is kept" in words(verified(traded))
    traded.die()
    traded.open()

    assert traded.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.01").state == "filled"
    assert verified(traded).ok, "it went on behind the last row"


def test_a_row_that_was_put_behind_the_end_is_found_and_stops_nobody(traded: Stepped) -> None:
    """The next row takes its number all the same, so that the forged one stands out for ever."""
    last = rows(traded)[-1]
    forged = {"chain": last.chain, "number": last.number + 1, "about": "x", "at": last.at, "body": "[]"}
    forged["hash"] = link(last.hash, last.chain, last.number + 1, round(last.at.timestamp() * 1e6), "x", "[]")
    spoil(traded, lambda tx: tx.execute(insert(records).values(**forged)))
    assert not verified(traded).ok

    assert traded.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.01").state == "filled"
    assert not verified(traded).ok


def test_the_file_of_heads_is_private_and_grows_only_with_the_record(traded: Stepped) -> None:
    """It is copied elsewhere, line by line."""
    file = traded.data / anchors.FILE

    assert anchors.anchor(traded.house) == 2
    assert anchors.anchor(traded.house) == 0
    traded.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.01")
    assert anchors.anchor(traded.house) == 1
    assert file.stat().st_mode & 0o777 == 0o600
    assert [len(json.loads(line)["heads"]) for line in file.read_text().splitlines()] == [2, 1]


def test_half_a_line_in_the_file_of_heads_is_passed_over(tmp_path: Path) -> None:
    """The power may fail in the middle of one."""
    file = tmp_path / anchors.FILE
    head = "a" * 64
    file.write_text(f'{{"at":"now","heads":{{"acc_1":[3,"{head}"]}}}}\n{{"at":"now","heads":{{"acc_1":[4,')

    assert [(one.chain, one.number) for one in anchors.read(file)] == [("acc_1", 3)]
    assert anchors.read(tmp_path / "none") == []


# ── Any one thing ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[RecordRow], list[StoredHead]]:
    """Return the rows and heads of a house that traded, once for all examples."""
    from pilothouse.migrations.migrate import migrate  # noqa: PLC0415 - as a start does it
    from tests.conftest import NOON  # noqa: PLC0415 - beside it
    from tests.slices.observability.conftest import trade  # noqa: PLC0415 - beside it

    place = tmp_path_factory.mktemp("honest")
    clock = FrozenClock(NOON)
    url = f"sqlite:///{place}/pilothouse.db"
    migrate(url, backup_to=None, clock=clock)
    stepped = Stepped(place / "data", url, clock).open()
    trade(stepped)
    found = stepped.house.database.read(lambda tx: (list(every_row(tx)), stored_heads(tx)))
    stepped.die()
    return found


def faults_of(told: list[RecordRow], heads: list[StoredHead]) -> int:
    """Return how many faults a walk finds."""
    walk = Walk()
    for row in told:
        walk.take(row)
    return sum(one.faults_in_all for one in walk.end(heads).values())


@settings(max_examples=150)
@given(data=st.data())
def test_any_one_change_removal_swap_or_insertion_is_found(
    honest: tuple[list[RecordRow], list[StoredHead]], data: st.DataObject
) -> None:
    """One thing that could be done without being seen, and the record proves nothing."""
    told, heads = list(honest[0]), list(honest[1])
    assert faults_of(told, heads) == 0
    at = data.draw(st.integers(0, len(told) - 1), label="row")
    row = told[at]
    match data.draw(st.sampled_from(["change", "remove", "swap", "insert", "head"]), label="what"):
        case "change":
            told[at] = _changed(row, data)
        case "remove":
            del told[at]
        case "swap":
            others = [n for n, one in enumerate(told) if one.chain == row.chain and n != at]
            other = data.draw(st.sampled_from(others), label="with")
            told[at], told[other] = told[other], told[at]
        case "insert":
            copied = data.draw(st.sampled_from(told), label="copied")
            told.insert(at, replace(copied, number=data.draw(st.sampled_from([copied.number, row.number]))))
        case _:
            which = data.draw(st.integers(0, len(heads) - 1), label="head")
            heads[which] = replace(heads[which], number=heads[which].number + data.draw(st.sampled_from([-1, 1])))

    assert faults_of(told, heads) > 0


def _changed(row: RecordRow, data: st.DataObject) -> RecordRow:
    """Return a row with one column changed, a single character where it is a text."""
    from datetime import timedelta  # noqa: PLC0415 - here alone

    name = data.draw(st.sampled_from(["body", "about", "hash", "number", "at", "chain"]), label="column")
    if name == "number":
        return replace(row, number=row.number + data.draw(st.sampled_from([-1, 1, 1000])))
    if name == "at":
        return replace(row, at=row.at + timedelta(microseconds=1))
    text = str(getattr(row, name))
    where = data.draw(st.integers(0, len(text) - 1), label="character")
    sign = "0" if text[where] != "0" else "1"
    other: dict[str, Any] = {name: text[:where] + sign + text[where + 1 :]}
    return replace(row, **other)


def test_the_chain_of_an_older_account_begins_with_the_first_event_after_the_upgrade(
    traded_on: Callable[[str], Stepped], database_url: str
) -> None:
    """A record that was written afterwards would prove nothing, so none is: it says where it begins."""
    stepped = traded_on(database_url)
    stepped.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.01")
    chain = stepped.account.id

    def as_before_the_upgrade(tx: Tx) -> None:
        tx.execute(delete(records))
        note = "the record begins with an upgrade: 1 orders are older and stand in the books alone"
        head = {"number": 0, "hash": before_the_first(chain), "note": note}
        tx.execute(delete(record_heads).where(record_heads.c.chain != chain))
        tx.execute(update(record_heads).where(record_heads.c.chain == chain).values(**head))

    spoil(stepped, as_before_the_upgrade)
    stepped.die()
    stepped.open()
    stepped.alert(action="open", symbol="ETHUSDT", side="BUY", quantity="0.5")
    found = verified(stepped)

    assert found.ok, words(found)
    seen = next(one for one in found.chains if one.chain == chain)
    assert seen.note.startswith("the record begins with an upgrade: 1 orders")
    assert found.orders == 1
    head = stepped.house.database.read(lambda tx: tx.execute(select(record_heads.c.number)).scalars().all())
    assert max(head) > 1
