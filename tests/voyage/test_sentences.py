"""The sentences that the order path must not forget, each as a test."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState, OrderTerms, OrderType, Purpose
from pilothouse.execution import halts
from pilothouse.execution import store as orders_store
from pilothouse.fleet import manual
from pilothouse.fleet.answer import AnswerState
from pilothouse.fleet.inbox import AlertIdTaken, Door
from pilothouse.jobs.schedule import reconcile_all
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Tx
from pilothouse.venues.paper_faults import Fault
from pilothouse.venues.port import OrderRequest
from tests.conftest import NOON
from tests.stepped import Stepped

OPEN = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010"}
CLOSE = {"action": "close", "symbol": "BTCUSDT"}


def _target(size: str) -> dict[str, str]:
    return {"order_action": "buy", "symbol": "BTCUSDT", "contracts": "1", "position_size": size}


# ── Unknown ───────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_lost_after_accepting_is_one_order(stepped: Stepped) -> None:
    """A 503 from Aster means unknown, not no: resent, it would buy twice."""
    stepped.faults.arm(Fault.LOSE_ANSWER)

    first = stepped.alert(**OPEN)
    assert first.state is AnswerState.PENDING
    stepped.pass_time(1)

    assert stepped.outcome(first.signal.id).state is AnswerState.FILLED
    assert stepped.venue_position("BTCUSDT") == stepped.position("BTCUSDT") == Decimal("0.010")
    assert len(stepped.orders()) == 1


def test_an_order_lost_before_accepting_is_sent_again_only_after_the_window(stepped: Stepped) -> None:
    """A "no such order" right after a time-out is no proof: it is believed when the request can no longer arrive."""
    stepped.faults.arm(Fault.LOSE_REQUEST)

    first = stepped.alert(**OPEN)
    stepped.pass_time(4)
    assert stepped.outcome(first.signal.id).state is AnswerState.PENDING
    assert stepped.venue_position("BTCUSDT") == 0

    stepped.pass_time(40)
    order = stepped.only_order()
    assert order.state is OrderState.FILLED
    events = stepped.house.database.read(lambda tx: orders_store.timeline(tx, order.id))
    assert [event.event for event in events if event.event in {"send", "lose", "deny"}] == [
        "send",
        "lose",
        "deny",
        "send",
    ]
    assert stepped.venue_position("BTCUSDT") == Decimal("0.010")


def test_while_an_order_is_unknown_later_alerts_wait_in_order(stepped: Stepped) -> None:
    """What would add exposure is stored as pending and decided later, in the order of arrival."""
    stepped.faults.arm(Fault.LOSE_ANSWER)
    stepped.faults.arm(Fault.LOSE_ANSWER, "find", times=2)
    stepped.alert(**OPEN)

    second = stepped.alert(**OPEN)
    third = stepped.alert(action="increase", symbol="BTCUSDT", quantity="0.005")
    assert [one.state for one in (second, third)] == [AnswerState.PENDING, AnswerState.PENDING]
    assert len(stepped.orders()) == 1

    stepped.pass_time(5)
    assert [order.state for order in stepped.orders()] == [OrderState.FILLED] * 3
    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == Decimal("0.025")


def test_a_newer_target_supersedes_what_waited(stepped: Stepped) -> None:
    """Three targets came while nobody knew: the last one counts, the others are told that they do not."""
    stepped.faults.arm(Fault.LOSE_ANSWER)
    stepped.faults.arm(Fault.LOSE_ANSWER, "find", times=2)
    stepped.alert(**OPEN)
    older = [stepped.alert(**_target(size)) for size in ("0.020", "-0.030")]
    newest = stepped.alert(**_target("0.015"))

    stepped.pass_time(5)

    assert stepped.position("BTCUSDT") == Decimal("0.015")
    assert [stepped.outcome(one.signal.id).state for one in older] == [AnswerState.NOOP] * 2
    assert "superseded" in stepped.outcome(older[0].signal.id).message
    assert stepped.outcome(newest.signal.id).state is AnswerState.FILLED
    assert len(stepped.orders()) == 2


def test_a_reduction_waits_no_longer_than_the_question(stepped: Stepped) -> None:
    """A close that came while an order was unknown leaves as soon as the venue has answered."""
    stepped.faults.arm(Fault.LOSE_ANSWER)
    stepped.alert(**OPEN)
    close = stepped.alert(**CLOSE)

    stepped.pass_time(1)

    assert stepped.outcome(close.signal.id).state is AnswerState.FILLED
    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == 0


@pytest.mark.parametrize(("waited", "moved", "sent"), [(200, "1", True), (400, "1", False), (200, "1.2", False)])
def test_an_entry_that_waited_is_sent_only_if_young_and_near(
    waited: int, moved: str, *, sent: bool, stepped: Stepped
) -> None:
    """After an outage an old entry at another price is no longer what the trader wanted."""
    stepped.faults.arm(Fault.LOSE_REQUEST)
    stepped.faults.arm(Fault.LOSE_ANSWER, "find", times=10_000)
    stepped.alert(**OPEN)
    stepped.clock.advance(timedelta(seconds=waited))
    mark = stepped.house.quotes.get("paper", "BTCUSDT").mark
    assert stepped.house.paper is not None
    stepped.house.paper.set_price("BTCUSDT", (mark * Decimal(moved)).quantize(Decimal("0.1")))
    stepped.faults.disarm()
    stepped.pass_time(15)

    order = stepped.only_order()
    assert order.state is (OrderState.FILLED if sent else OrderState.CANCELED)
    assert stepped.venue_position("BTCUSDT") == (Decimal("0.010") if sent else 0)
    assert sent or "may wait" in (order.outcome or "") or "moved" in (order.outcome or "")


def test_a_reduction_that_waited_does_not_expire(stepped: Stepped) -> None:
    """However long the outage was, a close is still wanted."""
    stepped.alert(**OPEN)
    stepped.faults.arm(Fault.LOSE_REQUEST)
    stepped.faults.arm(Fault.LOSE_ANSWER, "find", times=10_000)
    stepped.alert(**CLOSE)
    stepped.clock.advance(timedelta(hours=2))
    stepped.faults.disarm()
    stepped.pass_time(15)

    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == 0


def test_the_venue_told_twice_is_booked_once(stepped: Stepped) -> None:
    """Stream and answer both report each trade."""
    stepped.faults.arm(Fault.REPEAT_EVENTS, "event", times=50)
    stepped.faults.arm(Fault.TELL_IMMEDIATE, times=50)

    stepped.alert(**OPEN)
    stepped.alert(**{**OPEN, "stop_loss": "1%"})
    assert stepped.house.paper is not None
    stepped.house.paper.set_price("BTCUSDT", Decimal("60000.0"))
    stepped.pass_time(2)

    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == 0
    assert stepped.drift() == []


# ── One alert ─────────────────────────────────────────────────────────────────────────────────────


def test_the_same_alert_again_is_the_same_answer(stepped: Stepped) -> None:
    """TradingView sends up to four times."""
    body = json.dumps(OPEN).encode()
    first = stepped.send(body)
    stepped.run()
    again = [stepped.send(body) for _ in range(4)]

    assert all(one.duplicate and one.signal.id == first.signal.id for one in again)
    assert len(stepped.orders()) == 1


def test_after_the_window_the_same_body_is_another_alert(stepped: Stepped) -> None:
    """A strategy may honestly say the same thing once a minute."""
    body = json.dumps(OPEN).encode()
    stepped.send(body)
    stepped.clock.advance(61)
    assert stepped.house.paper is not None
    stepped.house.paper.step(stepped.clock.now())

    assert not stepped.send(body).duplicate
    stepped.run()
    assert len(stepped.orders()) == 2


def test_an_alert_id_with_another_body_is_refused(stepped: Stepped) -> None:
    """Two alerts under one id: one of them is a mistake, and guessing which loses money."""
    stepped.send(json.dumps({**OPEN, "alert_id": "x"}).encode())

    with pytest.raises(AlertIdTaken):
        stepped.send(json.dumps({**OPEN, "alert_id": "x", "quantity": "0.020"}).encode())


def test_a_close_that_found_nothing_may_come_again(stepped: Stepped) -> None:
    """A 404 did nothing; the same close must still close a position that was opened since."""
    body = json.dumps(CLOSE).encode()
    assert stepped.send(body, Door.ORDER).signal.http_status == 404
    stepped.alert(**OPEN)

    assert not stepped.send(body, Door.ORDER).duplicate
    stepped.run()
    assert stepped.position("BTCUSDT") == 0


def test_a_flat_exit_while_flat_opens_nothing(stepped: Stepped) -> None:
    """The exit alert of a strategy says sell; without a position there is nothing to sell."""
    exits = [
        _target("0"),
        {
            "order_action": "sell",
            "symbol": "BTCUSDT",
            "contracts": "1",
            "position_size": "0",
            "market_position": "flat",
        },
        {"action": "sell", "symbol": "BTCUSDT", "quantity": "1", "market_position": "flat"},
        CLOSE,
    ]
    assert [stepped.alert(**one).state for one in exits] == [AnswerState.NOOP] * 4
    assert stepped.orders() == []


# ── Resting orders and protection ─────────────────────────────────────────────────────────────────


def test_a_close_cancels_what_rests_before_it_is_sized(stepped: Stepped) -> None:
    """Else a limit order that fills a second later opens a position that nobody wants any more."""
    stepped.alert(**OPEN)
    stepped.alert(**{**OPEN, "order_type": "LIMIT", "price": "60000"})

    close = stepped.alert(**CLOSE)

    assert close.state is AnswerState.FILLED
    assert stepped.live() == []
    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == 0


def test_protection_lives_and_dies_with_its_position(stepped: Stepped) -> None:
    """It grows with the position, shrinks with it, and is gone with it."""
    stepped.alert(**OPEN, stop_loss="2%", take_profit="4%")
    assert _protective(stepped) == {Purpose.STOP_LOSS: Decimal("0.010"), Purpose.TAKE_PROFIT: Decimal("0.010")}

    stepped.alert(**OPEN)
    assert _protective(stepped) == {Purpose.STOP_LOSS: Decimal("0.020"), Purpose.TAKE_PROFIT: Decimal("0.020")}

    stepped.alert(action="decrease", symbol="BTCUSDT", quantity="0.015")
    assert _protective(stepped) == {Purpose.STOP_LOSS: Decimal("0.005"), Purpose.TAKE_PROFIT: Decimal("0.005")}

    stepped.alert(**CLOSE)
    stepped.pass_time(1)
    assert stepped.live() == []


@pytest.mark.parametrize(("price", "hit"), [("62000.0", Purpose.STOP_LOSS), ("69000.0", Purpose.TAKE_PROFIT)])
def test_when_one_side_fills_the_other_is_cancelled(price: str, hit: Purpose, stepped: Stepped) -> None:
    """A take-profit left behind could open a position the other way."""
    stepped.alert(**OPEN, stop_loss="2%", take_profit="4%")
    assert stepped.house.paper is not None
    stepped.house.paper.set_price("BTCUSDT", Decimal(price))
    stepped.pass_time(2)

    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == 0
    assert stepped.live() == []
    assert stepped.only_order(hit).state is OrderState.FILLED


def test_a_stop_that_is_passed_before_it_stands_closes_the_position(stepped: Stepped) -> None:
    """The price fell through it between the decision and the fill: the venue refuses it, and nothing stays naked."""
    assert stepped.house.paper is not None
    stepped.send(json.dumps({**OPEN, "stop_loss": "64900", "alert_id": "1"}).encode())
    stepped.house.paper.set_price("BTCUSDT", Decimal("64000.0"))
    stepped.run()
    stepped.pass_time(1)

    assert stepped.only_order(Purpose.EXIT).state is OrderState.FILLED
    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == 0
    assert stepped.live() == []


@pytest.mark.parametrize(
    ("side", "levels", "wrong"),
    [
        ("BUY", {"stop_loss": "66000"}, ["stop_loss"]),
        ("SELL", {"stop_loss": "64000", "take_profit": "66000"}, ["stop_loss", "take_profit"]),
        ("BUY", {"take_profit": "64000"}, ["take_profit"]),
    ],
)
def test_a_level_on_the_wrong_side_is_refused_before_anything_opens(
    side: str, levels: dict[str, str], wrong: list[str], stepped: Stepped
) -> None:
    """It would fill at once: a round trip that nobody asked for."""
    outcome = stepped.alert(**{**OPEN, "side": side, **levels})

    assert outcome.signal.http_status == 400
    assert [problem["field"] for problem in outcome.signal.detail["problems"]] == wrong
    assert stepped.orders() == []


def _protective(house: Stepped) -> dict[Purpose, Decimal]:
    house.pass_time(0.5)
    live = [order for order in house.live() if order.purpose.protects]
    assert all(order.terms.reduce_only and order.terms.type is not OrderType.MARKET for order in live)
    assert len({order.purpose for order in live}) == len(live)
    return {order.purpose: order.terms.quantity for order in live}


# ── Limits and halts ──────────────────────────────────────────────────────────────────────────────


def test_a_halted_account_reduces_but_does_not_add(stepped: Stepped) -> None:
    """The kill switch must never keep anybody in a position."""
    stepped.alert(**OPEN)
    house = stepped.house
    house.database.write(
        lambda tx: halts.halt(tx, house.desk, stepped.account.id, house.operator_id, reason="test", by="me"),
        name="halt",
    )

    refused = stepped.alert(**OPEN)
    assert refused.state is AnswerState.REFUSED
    assert "halted" in refused.message
    assert stepped.alert(**CLOSE).state is AnswerState.FILLED

    house.database.write(
        lambda tx: halts.resume(tx, house.desk, stepped.account.id, house.operator_id, by="me"), name="resume"
    )
    assert stepped.alert(**OPEN).state is AnswerState.FILLED


def test_a_position_that_the_entries_cannot_explain_halts_the_account(stepped: Stepped) -> None:
    """A failed query is never flat, and a difference is never explained away."""
    stepped.alert(**OPEN)
    house = stepped.house

    def lose_a_fill(tx: Tx) -> None:
        tx.connection.exec_driver_sql("UPDATE positions SET quantity = '0.003'")

    house.database.write(lose_a_fill, name="damage")
    reconcile_all(house)

    refused = stepped.alert(**OPEN)
    assert refused.state is AnswerState.REFUSED
    assert "0.01" in refused.message
    assert "0.003" in refused.message


def test_a_fill_that_was_never_told_is_fetched(stepped: Stepped) -> None:
    """The stream lost it; reconciling finds it, and the protection follows."""
    stepped.alert(**{**OPEN, "order_type": "LIMIT", "price": "64000.0"})
    stepped.faults.arm(Fault.DROP_EVENTS, "event", times=1_000)
    assert stepped.house.paper is not None
    stepped.house.paper.set_price("BTCUSDT", Decimal("63000.0"))
    stepped.pass_time(2)
    assert stepped.position("BTCUSDT") == 0
    assert stepped.venue_position("BTCUSDT") == Decimal("0.010")

    reconcile_all(stepped.house)
    stepped.run()

    assert stepped.position("BTCUSDT") == Decimal("0.010")
    assert stepped.only_order().state is OrderState.FILLED


def test_an_order_somebody_else_made_is_adopted_and_shown(stepped: Stepped) -> None:
    """A person trades by hand on the same account: the books follow, and say so."""
    terms = OrderTerms("BTCUSDT", Side.BUY, OrderType.MARKET, Decimal("0.002"))
    request = OrderRequest("byhand1", terms, stepped.clock.now())
    stepped.house.venues["paper"].place(stepped.account, [request])

    reconcile_all(stepped.house)
    stepped.run()

    order = stepped.only_order()
    assert order.purpose is Purpose.FOREIGN
    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == Decimal("0.002")


def test_close_all_leaves_nothing_behind(stepped: Stepped) -> None:
    """The panic button."""
    stepped.alert(**OPEN, stop_loss="2%")
    stepped.alert(**{**OPEN, "symbol": "ETHUSDT", "quantity": "0.5"})
    stepped.alert(**{**OPEN, "order_type": "LIMIT", "price": "60000"})

    house = stepped.house
    house.database.write(lambda tx: manual.close_all(tx, house.desk, stepped.trader, by="me"), name="close all")
    stepped.pass_time(2)

    assert [stepped.position(name) for name in ("BTCUSDT", "ETHUSDT")] == [0, 0]
    assert stepped.live() == []


class Ticking(FrozenClock):
    """A clock that is a microsecond later each time it is read, as real ones are."""

    def now(self) -> datetime:
        """Return the next microsecond."""
        return self.advance(timedelta(microseconds=1))


def test_protection_does_not_pass_on_to_the_next_position(tables_url: str, tmp_path: Path) -> None:
    """Closed and opened again at once: the stop of the old position is not the stop of the new one."""
    stepped = Stepped(tmp_path / "data", tables_url, Ticking(NOON)).open()
    stepped.alert(**OPEN, stop_loss="2%")
    close, again = (json.dumps({**one, "alert_id": one["action"]}).encode() for one in (CLOSE, OPEN))
    stepped.send(close)
    stepped.send(again)
    stepped.run()
    stepped.pass_time(1)

    assert stepped.position("BTCUSDT") == Decimal("0.010")
    assert stepped.live() == []
    stepped.die()
