"""Each invariant holds on a healthy record, and finds the one thing that is planted to break it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Executable, delete, insert, select, text, update

from pilothouse.core.facts import FactKind
from pilothouse.core.instrument import Side
from pilothouse.execution import halt_store, halts
from pilothouse.execution.tables import order_events, orders
from pilothouse.fleet.tables import protections, signals
from pilothouse.kit import outbox
from pilothouse.kit.db import Tx
from pilothouse.kit.tables import outbox as messages
from pilothouse.kit.tables import records
from pilothouse.ledger.tables import balances, entries, fills, positions
from pilothouse.observability import watch
from pilothouse.observability.invariants.rule import Finding, Gravity, Looking
from tests.stepped import Stepped

D = Decimal


def plant(stepped: Stepped, statement: Executable | str) -> None:
    """Change the record behind everybody's back."""
    statement = text(statement) if isinstance(statement, str) else statement
    stepped.house.database.write(lambda tx: tx.execute(statement).close(), name="plant")


def ask(stepped: Stepped, statement: Any) -> Any:
    """Return the first value of the first row."""
    return stepped.house.database.read(lambda tx: tx.execute(statement).scalar())


def found_by(stepped: Stepped) -> dict[str, list[Finding]]:
    """Return what is wrong, by invariant."""
    found: dict[str, list[Finding]] = {}
    for one in watch.run(stepped.house):
        found.setdefault(one.invariant, []).append(one)
    return found


def test_nothing_is_wrong_with_a_healthy_record(traded: Stepped) -> None:
    """A watchman who cries wolf is switched off; so all of them are silent while nothing is wrong, always."""
    assert watch.survey(traded.house) == []
    assert watch.run(traded.house) == []
    traded.pass_time(90, step=5)
    assert watch.run(traded.house) == []
    assert traded.house.database.read(lambda tx: halt_store.halted(tx, traded.account.id)) is None


@dataclass(frozen=True)
class Planted:
    """One thing that is wrong: how it comes about, who finds it, with which words, and whether it halts."""

    by: Callable[[Stepped], None]
    invariant: str
    words: str
    halts: bool = True


def lost_entry(stepped: Stepped) -> None:
    """One leg of a posting is gone."""
    last = select(entries.c.id).where(entries.c.book == "wallet").order_by(entries.c.id.desc()).limit(1)
    plant(stepped, delete(entries).where(entries.c.id == ask(stepped, last)))


def lost_posting(stepped: Stepped) -> None:
    """All entries of a fill are gone, and what is left still sums to zero."""
    fill_id = ask(stepped, select(fills.c.id).order_by(fills.c.id).limit(1))
    plant(stepped, delete(entries).where(entries.c.posting_id == fill_id))


def lost_fill(stepped: Stepped) -> None:
    """A fill is gone, its entries are not."""
    fill_id = ask(stepped, select(fills.c.id).order_by(fills.c.id.desc()).limit(1))
    plant(stepped, delete(fills).where(fills.c.id == fill_id))


def changed_fill(stepped: Stepped) -> None:
    """A fill says more than was booked of it."""
    fill_id = ask(stepped, select(fills.c.id).order_by(fills.c.id).limit(1))
    plant(stepped, update(fills).where(fills.c.id == fill_id).values(quantity=D("0.021")))


def changed_order(stepped: Stepped) -> None:
    """An order counts a fill that is not there."""
    plant(stepped, update(orders).where(orders.c.symbol == "SOLUSDT").values(filled_quantity=D("0.5")))


def finished_order(stepped: Stepped) -> None:
    """An order is called filled, and nothing filled."""
    plant(stepped, update(orders).where(orders.c.symbol == "SOLUSDT").values(state="filled", is_live=False))


def changed_position(stepped: Stepped) -> None:
    """A stored position is not what was booked."""
    plant(stepped, update(positions).where(positions.c.symbol == "BTCUSDT").values(quantity=D("0.02")))


def changed_wallet(stepped: Stepped) -> None:
    """A stored balance is not what was booked."""
    plant(stepped, update(balances).values(wallet=D(1_000_000)))


def hook_of_nobody(stepped: Stepped) -> None:
    """A fill is counted for another hook than its order's."""
    fill_id = ask(stepped, select(fills.c.id).order_by(fills.c.id).limit(1))
    plant(stepped, update(fills).where(fills.c.id == fill_id).values(hook_id="hok_of_nobody"))


def entry_without_hook(stepped: Stepped) -> None:
    """What a hook bought is counted for nobody."""
    fill_id = ask(stepped, select(fills.c.id).order_by(fills.c.id).limit(1))
    plant(stepped, update(entries).where(entries.c.posting_id == fill_id).values(hook_id=None))


def spoiled_record(stepped: Stepped) -> None:
    """One row of the record was changed."""
    plant(stepped, update(records).where(records.c.number == 3).values(body="[]"))


def record_cut_short(stepped: Stepped) -> None:
    """The last row of the account's record is gone."""
    last = select(records.c.id).where(records.c.chain == stepped.account.id).order_by(records.c.id.desc()).limit(1)
    plant(stepped, delete(records).where(records.c.id == ask(stepped, last)))


def long_unknown(stepped: Stepped) -> None:
    """An order was lost a minute ago, and asking led nowhere."""
    since = stepped.clock.now() - timedelta(seconds=61)
    order = next(one for one in stepped.orders() if one.terms.symbol == "SOLUSDT")
    plant(stepped, update(orders).where(orders.c.id == order.id).values(state="unknown", until_boot=None))
    plant(
        stepped,
        insert(order_events).values(
            owner_id=order.owner_id, order_id=order.id, at=since, event="lose", state="unknown", detail="no answer"
        ),
    )


def long_sending(stepped: Stepped) -> None:
    """Whoever was to send an order is gone for a minute, and nobody asked."""
    since = stepped.clock.now() - timedelta(seconds=61)
    change = update(orders).where(orders.c.symbol == "SOLUSDT")
    plant(stepped, change.values(state="sending", until_boot=None, sendable_until=since))


def late_message(stepped: Stepped) -> None:
    """A message is due and nobody delivers it."""
    now = stepped.clock.now()
    stepped.house.database.write(
        lambda tx: outbox.put(
            tx, "instrument.moved", key=stepped.account.id, payload={}, now=now - timedelta(seconds=61)
        ),
        name="plant",
    )


def parked_message(stepped: Stepped) -> None:
    """A message failed too often."""
    late_message(stepped)
    plant(stepped, update(messages).values(state="parked", attempt=12, error="ValueError: no"))


def undecided_alert(stepped: Stepped) -> None:
    """An alert was taken, and nobody decides it."""
    first = ask(stepped, select(signals.c.id).order_by(signals.c.id).limit(1))
    since = stepped.clock.now() - timedelta(seconds=61)
    plant(stepped, update(signals).where(signals.c.id == first).values(state="pending", received_at=since))


def naked_position(stepped: Stepped) -> None:
    """A position is without its stop."""
    since = stepped.clock.now() - timedelta(seconds=61)
    plant(stepped, update(protections).values(unprotected_since=since))


PLANTED = {
    "lost entry": Planted(lost_entry, "ledger_balances", "do not sum to zero"),
    "lost posting": Planted(lost_posting, "fills_are_posted", "has no entries"),
    "lost fill": Planted(lost_fill, "fills_are_posted", "have no fill"),
    "changed fill": Planted(changed_fill, "fills_are_posted", "is of 0.021, its entries say 0.02"),
    "changed order": Planted(changed_order, "fills_are_posted", "stored as filled by 0.5, its fills add up to 0"),
    "finished order": Planted(finished_order, "fills_are_posted", "is filled, and 0 of 1 filled"),
    "changed position": Planted(changed_position, "positions_are_folds", "quantity is stored as 0.02"),
    "changed wallet": Planted(changed_wallet, "positions_are_folds", "USDT wallet is stored as 1000000"),
    "long unknown": Planted(long_unknown, "nothing_stays_unknown", "has been unknown for 61 s"),
    "long sending": Planted(long_sending, "nothing_stays_unknown", "has been sending for 61 s"),
    "late message": Planted(late_message, "outbox_moves", "for 61 s", halts=False),
    "parked message": Planted(parked_message, "outbox_moves", "failed 12 times"),
    "undecided alert": Planted(
        undecided_alert, "every_alert_has_an_outcome", "is pending for 61 s, and nothing holds it up", halts=False
    ),
    "hook of nobody": Planted(hook_of_nobody, "bots_add_up", "is counted for hook"),
    "entry without hook": Planted(entry_without_hook, "bots_add_up", "its entries for None"),
    "spoiled record": Planted(spoiled_record, "record_is_whole", "does not fit its hash"),
    "record cut short": Planted(record_cut_short, "record_is_whole", "the head that is kept says"),
    "naked position": Planted(naked_position, "protection_stands", "without its protection for 61 s"),
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_what_is_wrong_is_found_told_once_and_stops_its_account(traded: Stepped, planted: Planted) -> None:
    """Every law that is watched can be seen to break: a check that finds nothing ever is no check."""
    told: list[Any] = []
    traded.house.database.bell.subscribe(told.extend)
    planted.by(traded)

    found = found_by(traded)[planted.invariant]
    assert any(planted.words in one.words for one in found), [one.words for one in found]
    assert {one.account_id for one in found} == {traded.account.id}
    assert found_by(traded)[planted.invariant], "it stays found until it is mended"

    facts = [one.fact for one in told if one.fact.kind is FactKind.INVARIANT_BROKEN]
    mine = [one for one in facts if one.payload["invariant"] == planted.invariant]
    assert len(mine) == 1, "told once, not at every look"
    assert mine[0].account_id == traded.account.id
    halt = traded.house.database.read(lambda tx: halt_store.halted(tx, traded.account.id))
    if planted.halts:
        assert halt is not None
        assert halt.by == "watch"
    else:
        assert halt is None or planted.invariant not in halt.reason


def test_an_id_that_stands_for_two_orders_is_found(database_url: str, traded_on: Callable[[str], Stepped]) -> None:
    """The constraint forbids it; but a database that was restored by hand may have lost the constraint."""
    stepped = traded_on(database_url)
    stepped.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.02")
    stepped.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.02")
    assert watch.run(stepped.house) == []
    plant(stepped, "ALTER TABLE orders RENAME TO orders_as_they_were")
    plant(stepped, "CREATE TABLE orders AS SELECT * FROM orders_as_they_were")
    if stepped.house.database.dialect == "postgresql":
        plant(stepped, "ALTER TABLE orders_as_they_were DROP CONSTRAINT pk_orders CASCADE")
        plant(stepped, "ALTER TABLE orders ADD CONSTRAINT pk_orders PRIMARY KEY (id)")
    same = select(orders.c.client_order_id).order_by(orders.c.id).limit(1).scalar_subquery()
    plant(stepped, update(orders).values(client_order_id=same))

    found = found_by(stepped)["client_ids_are_unique"]

    assert "2 orders have the client order id" in found[0].words
    assert found_by(stepped)["client_ids_are_unique"] == found


def test_a_person_who_resumes_is_not_halted_for_the_same_again(traded: Stepped) -> None:
    """What was looked at and accepted must not take the account away a minute later; something new may."""
    changed_position(traded)
    watch.run(traded.house)

    def resume(tx: Tx) -> None:
        halts.resume(tx, traded.house.desk, traded.account.id, traded.account.owner_id, by="operator")

    traded.house.database.write(resume, name="resume")
    watch.run(traded.house)
    assert traded.house.database.read(lambda tx: halt_store.halted(tx, traded.account.id)) is None

    naked_position(traded)
    watch.run(traded.house)
    assert traded.house.database.read(lambda tx: halt_store.halted(tx, traded.account.id)) is not None


def test_what_was_mended_is_no_longer_found_and_may_be_told_again(traded: Stepped) -> None:
    """A thing that breaks twice is two pieces of news."""
    told: list[Any] = []
    traded.house.database.bell.subscribe(told.extend)
    right = ask(traded, select(positions.c.quantity).where(positions.c.symbol == "BTCUSDT"))
    for _ in range(2):
        changed_position(traded)
        assert found_by(traded).keys() == {"positions_are_folds", "bots_add_up"}
        plant(traded, update(positions).where(positions.c.symbol == "BTCUSDT").values(quantity=right))
        assert watch.run(traded.house) == []

    broken = [one.fact.payload["invariant"] for one in told if one.fact.kind is FactKind.INVARIANT_BROKEN]
    assert sorted(broken) == ["bots_add_up", "bots_add_up", "positions_are_folds", "positions_are_folds"]


def test_what_is_lost_behind_the_watermark_is_found_later(traded: Stepped) -> None:
    """Someone who edits old rows is found too: the books are read again from the beginning, over and over."""
    assert watch.run(traded.house) == []
    lost_posting(traded)

    assert "fills_are_posted" in found_by(traded)
    assert "positions_are_folds" in found_by(traded)


def test_a_run_reads_no_more_than_a_slice_and_ends_up_knowing_all(
    traded: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a year a run is as short as on the first day; what is wrong is found some runs later."""
    monkeypatch.setattr(watch, "Looking", partial(Looking, rows_most=7))
    for _ in range(60):
        assert watch.run(traded.house) == []
    lost_posting(traded)

    runs = [bool(watch.run(traded.house)) for _ in range(60)]

    assert not runs[0]
    assert runs[-1]


def test_an_alert_that_waits_for_an_answer_is_shown_with_the_reason_and_not_told(traded: Stepped) -> None:
    """While nobody knows what an order became, later alerts wait by law; a person who asks is told for what."""
    undecided_alert(traded)
    btc = next(one for one in traded.orders() if one.terms.symbol == "BTCUSDT")
    plant(traded, update(orders).where(orders.c.id == btc.id).values(state="unknown", is_live=True))

    shown = [one for one in watch.survey(traded.house) if one.invariant == "every_alert_has_an_outcome"]

    assert [one.gravity for one in shown] == [Gravity.WAITING]
    assert f"it waits for order {btc.id}, which is unknown" in shown[0].words
    assert "every_alert_has_an_outcome" not in found_by(traded)


def test_an_alert_that_waits_under_a_halt_says_so(traded: Stepped) -> None:
    """A halted account decides nothing that adds; that is no fault of the house."""
    undecided_alert(traded)

    def halt(tx: Tx) -> str:
        return halts.halt(
            tx, traded.house.desk, traded.account.id, traded.account.owner_id, reason="by hand", by="operator"
        ).id

    halt_id = traded.house.database.write(halt, name="halt")

    shown = [one for one in watch.survey(traded.house) if one.invariant == "every_alert_has_an_outcome"]
    assert f"it waits for the end of halt {halt_id}" in shown[0].words


def test_an_order_stays_unknown_without_blame_while_its_venue_is_silent(traded: Stepped) -> None:
    """Nobody can be asked then; health says that quotes are missing, and the account is not halted for it."""
    long_unknown(traded)
    traded.clock.advance(11)

    shown = [one for one in watch.survey(traded.house) if one.invariant == "nothing_stays_unknown"]

    assert [one.gravity for one in shown] == [Gravity.WAITING]
    assert "its venue does not answer" in shown[0].words


def test_a_fill_out_of_the_order_of_ids_is_no_fault(traded: Stepped) -> None:
    """A clock that is set back gives a fill an id that the watch has passed already."""
    watch.run(traded.house)
    traded.clock.set(traded.clock.now() - timedelta(hours=1))
    traded.house.ids._last = 0  # type: ignore[attr-defined]  # a new process does not know the last id of the old one
    traded.alert(action="open", symbol="SOLUSDT", side=Side.BUY, quantity="1")

    assert "fills_are_posted" not in found_by(traded)


def test_findings_say_themselves_in_one_line() -> None:
    """They end up in a log and in a halt's reason."""
    one = Finding("ledger_balances", Gravity.BREACH, "the entries of fil_1 do not sum to zero", "acc_1")

    assert str(one) == "ledger_balances on acc_1: the entries of fil_1 do not sum to zero"
    assert str(replace(one, account_id=None)) == "ledger_balances: the entries of fil_1 do not sum to zero"
