"""What our entries cannot explain is settled by a person, with a reason that is kept."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from pilothouse.accounts import audit
from pilothouse.core.errors import Unavailable
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState, OrderTerms, OrderType, Purpose, TimeInForce
from pilothouse.execution import account_store, halt_store
from pilothouse.execution.adopt import MovedMeanwhile, adopt
from pilothouse.execution.reconcile import reconcile
from pilothouse.fleet import manual
from pilothouse.fleet.answer import AnswerState
from pilothouse.fleet.manual import Ticket
from pilothouse.kit.db import Tx
from pilothouse.ledger.exposure import holdings
from pilothouse.venues.paper_faults import Fault
from pilothouse.venues.port import OrderRequest
from tests.stepped import Stepped

OPEN = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010"}


def _bought_without_a_trace(stepped: Stepped, quantity: str) -> None:
    """Let the venue hold what no fill tells of: its history is shorter than the house was away."""
    terms = OrderTerms("BTCUSDT", Side.BUY, OrderType.MARKET, Decimal(quantity))
    stepped.faults.arm(Fault.DROP_EVENTS, "event", times=1_000)
    venue = stepped.house.venues["paper"]
    venue.place(stepped.account, [OrderRequest("by-hand", terms, stepped.clock.now())])
    stepped.faults.disarm()
    last = venue.fills_after(stepped.account, "BTCUSDT", None)[-1]
    account, now = stepped.account, stepped.clock.now()

    def forget(tx: Tx) -> None:
        account_store.set_reconciled(tx, account.id, account.owner_id, "fills", "BTCUSDT", last.venue_trade_id, now)

    stepped.house.database.write(forget, name="forget")


def _halted(stepped: Stepped) -> Any:
    return stepped.house.database.read(lambda tx: halt_store.halted(tx, stepped.account.id))


def test_what_cannot_be_explained_is_adopted_with_a_reason_and_the_account_trades_again(stepped: Stepped) -> None:
    """Both numbers stand in the halt; afterwards books and venue say the same, and who said why is on record."""
    assert stepped.alert(**OPEN).state is AnswerState.FILLED
    _bought_without_a_trace(stepped, "0.005")
    found = reconcile(stepped.house.desk, stepped.trader)
    assert [str(one) for one in found.differences] == ["BTCUSDT: the venue says 0.015, our entries say 0.01"]
    assert found.differences[0].theirs == stepped.venue_position("BTCUSDT")
    assert "0.015" in _halted(stepped).reason

    done = adopt(stepped.house.desk, stepped.trader, reason="bought on the phone", by="tester")

    assert done.resumed
    assert _halted(stepped) is None
    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == Decimal("0.015")
    wallet = stepped.house.venues["paper"].balance(stepped.account).wallet
    now = stepped.clock.now()
    assert stepped.house.database.read(lambda tx: holdings(tx, stepped.account.id, now)).wallet == wallet
    assert stepped.drift() == []
    foreign = [one for one in stepped.orders() if one.purpose is Purpose.FOREIGN]
    assert [(one.reason, one.state) for one in foreign] == [("adopted: bought on the phone", OrderState.FILLED)]
    kept = stepped.house.database.read(lambda tx: audit.list_audit(tx, stepped.account.owner_id))
    line = next(one for one in kept if one.what == "account.adopted")
    assert (line.who, line.detail["reason"]) == ("tester", "bought on the phone")
    assert {"what": "BTCUSDT", "ours": "0.01", "venue": "0.015"} in line.detail["settled"]
    assert reconcile(stepped.house.desk, stepped.trader).mismatches == []
    assert stepped.alert(**OPEN).state is AnswerState.FILLED


def test_nothing_is_adopted_while_an_order_is_on_its_way(stepped: Stepped) -> None:
    """What differs now may be explained in a moment."""
    stepped.faults.arm(Fault.LOSE_REQUEST)
    stepped.alert(**OPEN)
    with pytest.raises(MovedMeanwhile):
        adopt(stepped.house.desk, stepped.trader, reason="hurry", by="tester")
    assert stepped.position("BTCUSDT") == 0


def test_a_venue_that_does_not_answer_is_not_taken_for_flat(stepped: Stepped) -> None:
    """Whoever adopts an empty answer closes every position in the books."""
    assert stepped.alert(**OPEN).state is AnswerState.FILLED
    stepped.faults.arm(Fault.LOSE_ANSWER, "read", times=50)
    with pytest.raises(Unavailable):
        adopt(stepped.house.desk, stepped.trader, reason="hurry", by="tester")
    assert stepped.position("BTCUSDT") == Decimal("0.010")
    assert _halted(stepped) is None


def test_an_order_by_hand_waits_behind_one_that_may_not_have_arrived(stepped: Stepped) -> None:
    """And counts as filled until then, as the unknown one does: the gate sees both."""
    stepped.faults.arm(Fault.LOSE_REQUEST)
    stepped.alert(**OPEN)
    assert len(stepped.unknown()) == 1
    desk, trader = stepped.house.desk, stepped.trader
    ticket = Ticket(
        "BTCUSDT", Side.BUY, OrderType.MARKET, Decimal("0.02"), None, None, TimeInForce.GTC, reduce_only=False
    )

    made = stepped.house.database.write(lambda tx: manual.place(tx, desk, trader, ticket, by="me"), name="manual")

    assert made.state is OrderState.INTENDED
    stepped.run()
    assert stepped.venue_position("BTCUSDT") == 0
    stepped.pass_time(timedelta(seconds=45).total_seconds())
    fills = stepped.house.venues["paper"].fills_after(stepped.account, "BTCUSDT", None)
    assert [fill.quantity for fill in fills] == [Decimal("0.010"), Decimal("0.02")]
