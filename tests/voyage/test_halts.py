"""Halts at four levels and of four kinds, in a whole house: what is refused, cancelled, closed, and what goes on."""

from dataclasses import replace
from decimal import Decimal

import pytest

from pilothouse.accounts import hooks
from pilothouse.core.halts import HaltKind
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState, OrderType, Purpose, TimeInForce
from pilothouse.execution import halt_store
from pilothouse.execution import store as orders_store
from pilothouse.execution.limit_sets import Level
from pilothouse.fleet import halting, manual
from pilothouse.fleet.answer import AnswerState, Outcome
from pilothouse.jobs.schedule import carry_halts_on
from pilothouse.venues.paper_faults import Fault
from tests.stepped import Stepped

OPEN = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010"}
RESTS = {**OPEN, "order_type": "LIMIT", "price": "60000"}
CLOSE = {"action": "close", "symbol": "BTCUSDT"}
GUARDED = {**OPEN, "stop_loss": "50000"}


def _bot(stepped: Stepped) -> str:
    found = stepped.house.database.read(lambda tx: hooks.list_hooks(tx, stepped.account.owner_id))
    return found[0].id


def _codes(outcome: Outcome) -> list[str]:
    return [one["code"] for one in (outcome.signal.detail or {}).get("reasons", [])]


@pytest.mark.parametrize("level", list(Level))
def test_a_halt_at_any_level_refuses_what_adds_and_lets_close(level: Level, stepped: Stepped) -> None:
    """The code says whose halt it is; resumed there, and only there, trading goes on."""
    stepped.alert(**OPEN)
    stepped.halt(HaltKind.NO_NEW_EXPOSURE, level, _bot(stepped))

    refused = stepped.alert(**OPEN)
    assert (refused.state, _codes(refused)) == (AnswerState.REFUSED, [f"{level}_halted"])
    other = Level.ACCOUNT if level is not Level.ACCOUNT else Level.HOUSE
    stepped.resume(other)
    assert _codes(stepped.alert(**OPEN)) == [f"{level}_halted"]
    assert stepped.alert(**CLOSE).state is AnswerState.FILLED

    stepped.resume(level, _bot(stepped))
    assert stepped.alert(**OPEN).state is AnswerState.FILLED


@pytest.mark.parametrize(
    ("kind", "entries_stay", "position"),
    [
        (HaltKind.NO_NEW_EXPOSURE, True, "0.010"),
        (HaltKind.REDUCE_ONLY, False, "0.010"),
        (HaltKind.CANCEL_ALL, False, "0.010"),
        (HaltKind.FLATTEN, False, "0"),
    ],
)
def test_each_kind_of_halt_does_what_it_says(
    kind: HaltKind, position: str, stepped: Stepped, *, entries_stay: bool
) -> None:
    """Entries that rest, the position, and its stop: which outlives a halt as long as there is a position."""
    stepped.alert(**GUARDED)
    stepped.alert(**RESTS)
    assert {order.purpose for order in stepped.live()} == {Purpose.STOP_LOSS, Purpose.ENTRY}

    stepped.halt(kind)
    stepped.run()
    stepped.pass_time(2)

    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == Decimal(position)
    left = {order.purpose for order in stepped.live()}
    assert (Purpose.ENTRY in left) is entries_stay
    assert (Purpose.STOP_LOSS in left) is (Decimal(position) != 0)
    assert _codes(stepped.alert(**OPEN)) == ["account_halted"]


def test_flatten_closes_what_a_late_fill_opens(stepped: Stepped) -> None:
    """An entry that crossed the halt on its way is closed too, until there is nothing left."""
    stepped.faults.arm(Fault.LOSE_ANSWER)
    stepped.faults.arm(Fault.LOSE_ANSWER, "find", times=2)
    stepped.alert(**OPEN)
    assert stepped.unknown()
    stepped.halt(HaltKind.FLATTEN)
    stepped.run()

    for _ in range(8):
        stepped.pass_time(1)
        carry_halts_on(stepped.house)
        stepped.run()

    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == 0
    assert [order.state for order in stepped.live()] == []
    assert stepped.house.database.read(halting.due), "it stands until somebody resumes"
    exits = [order for order in stepped.orders() if order.purpose is Purpose.EXIT]
    assert [order.state for order in exits] == [OrderState.FILLED], "closed once, not once for each look"


def test_flattening_a_bot_closes_its_share_alone(stepped: Stepped) -> None:
    """There is one position per instrument: what a person holds besides stays."""
    stepped.alert(**OPEN)
    stepped.by_hand("BTCUSDT", "0.030")
    assert stepped.position("BTCUSDT") == Decimal("0.040")

    stepped.halt(HaltKind.FLATTEN, Level.BOT, _bot(stepped))
    stepped.run()
    stepped.pass_time(1)
    carry_halts_on(stepped.house)
    stepped.run()

    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == Decimal("0.030")
    stepped.by_hand("BTCUSDT", "0.010")
    assert stepped.position("BTCUSDT") == Decimal("0.040"), "the account itself is not halted"


def test_the_severest_halt_counts_and_a_milder_one_changes_nothing(stepped: Stepped) -> None:
    """Halting twice is no error, and nobody weakens a halt by asking for less."""
    first = stepped.halt(HaltKind.REDUCE_ONLY)
    assert stepped.halt(HaltKind.NO_NEW_EXPOSURE) == first
    worst = stepped.halt(HaltKind.CANCEL_ALL, Level.HOUSE)

    account = stepped.account
    found = stepped.house.database.read(lambda tx: halt_store.halted(tx, account.id, account.owner_id))
    assert found == worst
    stepped.resume(Level.HOUSE)
    found = stepped.house.database.read(lambda tx: halt_store.halted(tx, account.id, account.owner_id))
    assert found == first


def test_a_halt_outlives_a_restart_and_is_carried_out_after_it(stepped: Stepped) -> None:
    """The process that halted may die before its cancels left; whoever comes next does the rest."""
    stepped.alert(**OPEN)
    stepped.alert(**RESTS)
    stepped.halt(HaltKind.FLATTEN)
    stepped.die()
    stepped.recover()
    carry_halts_on(stepped.house)
    stepped.run()
    stepped.pass_time(2)

    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == 0
    assert stepped.live() == []


def test_real_money_that_is_decided_but_has_not_left_is_kept_back_by_a_halt(stepped: Stepped) -> None:
    """A queue before a slow venue is no way past the kill switch; what closes leaves all the same."""
    stepped.alert(**OPEN)
    desk, live = stepped.house.desk, replace(stepped.trader, is_live=True)
    buy = manual.Ticket(
        "ETHUSDT", Side.BUY, OrderType.MARKET, Decimal("0.1"), None, None, TimeInForce.GTC, reduce_only=False
    )
    made = stepped.house.database.write(lambda tx: manual.place(tx, desk, live, buy, by="test"), name="manual")
    stepped.house.database.write(lambda tx: manual.close(tx, desk, live, "BTCUSDT", by="test"), name="close")
    stepped.halt(HaltKind.NO_NEW_EXPOSURE)
    stepped.run()
    stepped.pass_time(2)

    order = stepped.house.database.read(lambda tx: orders_store.get(tx, made.id))
    assert order is not None
    assert (order.state, order.filled_quantity) == (OrderState.CANCELED, 0)
    assert "halted" in (order.outcome or "")
    assert stepped.venue_position("ETHUSDT") == 0
    assert stepped.venue_position("BTCUSDT") == stepped.position("BTCUSDT") == 0
