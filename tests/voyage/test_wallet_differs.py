"""Money that the books cannot explain alarms a person: once for each difference, until it is over."""

from decimal import Decimal

from pilothouse.execution import halt_store, settle
from pilothouse.execution.adopt import adopt
from pilothouse.execution.reconcile import reconcile
from pilothouse.jobs.schedule import reconcile_all
from pilothouse.kit.db import Tx
from pilothouse.ledger.exposure import holdings
from pilothouse.notifications import store as alarms
from pilothouse.notifications.store import AlarmRecord
from pilothouse.observability import standing
from pilothouse.venues.paper_faults import Fault
from pilothouse.venues.port import Transfer
from tests.stepped import Stepped

OPEN = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010"}


def _paid(stepped: Stepped, amount: str, name: str = "lost-1") -> None:
    """Let the books hold a payment that the venue does not have, as if it had taken it back without a word."""
    account, now = stepped.account, stepped.clock.now()

    def work(tx: Tx) -> None:
        settle.transferred(tx, account.id, account.owner_id, [Transfer(name, Decimal(amount), "USDT", now)], now)

    stepped.house.database.write(work, name="planted")


def _compared(stepped: Stepped, wait: float = 0) -> list[str]:
    """Compare the account after some seconds, look for what alarms, and return which alarms are open."""
    stepped.clock.advance(wait)
    reconcile(stepped.house.desk, stepped.trader)
    standing.look(stepped.house)
    stepped.run()
    return [one.message for one in _told(stepped) if one.over_at is None]


def _told(stepped: Stepped) -> list[AlarmRecord]:
    owner = stepped.account.owner_id
    found = stepped.house.database.read(lambda tx: alarms.page(tx, owner, before=None, open_only=False, limit=50))
    return [one for one, _ in found if one.code == "wallet_differs"]


def _wallet(stepped: Stepped) -> Decimal:
    now = stepped.clock.now()
    return stepped.house.database.read(lambda tx: holdings(tx, stepped.account.id, now)).wallet


def test_a_wallet_that_differs_in_two_comparisons_alarms_once_with_both_numbers(stepped: Stepped) -> None:
    """A difference that stays is money that nobody can explain; saying it every half minute would make nobody look."""
    assert _compared(stepped) == []
    _paid(stepped, "5")

    assert _compared(stepped) == [], "a stream may yet tell of it"
    assert _compared(stepped, 5) == []
    messages = _compared(stepped, 30)
    assert len(messages) == 1
    assert "the venue says 10000 USDT, our entries say 10005" in messages[0]
    for _ in range(5):
        assert _compared(stepped, 30) == messages

    assert [one.pace.count for one in _told(stepped)] == [1], "one alarm, one time"
    assert stepped.house.database.read(lambda tx: halt_store.halted(tx, stepped.account.id)) is None


def test_the_alarm_is_over_when_wallet_and_books_agree_again(stepped: Stepped) -> None:
    """An alarm that stays after its cause is gone teaches people to look away."""
    _paid(stepped, "5")
    _compared(stepped)
    assert _compared(stepped, 30) != []

    _paid(stepped, "-5", "lost-2")
    assert _compared(stepped, 30) == []
    assert [one.over_at is not None for one in _told(stepped)] == [True]


def test_a_payment_that_a_stream_tells_late_alarms_nobody(stepped: Stepped) -> None:
    """What is explained by the next comparison was never a difference."""
    _paid(stepped, "5")
    _compared(stepped)
    _paid(stepped, "-5", "told-late")
    assert _compared(stepped, 30) == []
    _paid(stepped, "7", "lost-3")
    assert _compared(stepped, 30) == [], "another difference, seen once"
    assert _told(stepped) == []


def test_another_difference_is_told_as_news_of_the_same_alarm(stepped: Stepped) -> None:
    """Five that became fifty are not the five that somebody has looked at."""
    _paid(stepped, "5")
    _compared(stepped)
    _compared(stepped, 30)
    _paid(stepped, "45", "lost-4")

    messages = _compared(stepped, 30)

    assert len(messages) == 1
    assert "our entries say 10050" in messages[0]
    assert [one.pace.count for one in _told(stepped)] == [2]


def test_a_trade_does_not_make_the_same_difference_another_one(stepped: Stepped) -> None:
    """Both wallets move with every fee; what is told is by how much they differ."""
    _paid(stepped, "5")
    _compared(stepped)
    messages = _compared(stepped, 30)
    stepped.pass_time(1)
    stepped.alert(**OPEN)

    assert _compared(stepped, 30) == messages
    assert [one.pace.count for one in _told(stepped)] == [1]


def test_a_venue_that_does_not_answer_neither_begins_nor_ends_the_alarm(stepped: Stepped) -> None:
    """A failed query says nothing of a wallet."""
    _paid(stepped, "5")
    _compared(stepped)
    messages = _compared(stepped, 30)
    stepped.clock.advance(30)
    stepped.faults.arm(Fault.LOSE_ANSWER, "read", times=50)
    reconcile_all(stepped.house)
    stepped.faults.disarm()
    standing.look(stepped.house)
    stepped.run()

    assert [one.message for one in _told(stepped) if one.over_at is None] == messages


def test_adopting_the_difference_ends_the_alarm_at_once(stepped: Stepped) -> None:
    """Who has settled it wants to see that it is settled, not in half a minute."""
    _paid(stepped, "5")
    _compared(stepped)
    assert _compared(stepped, 30) != []

    adopt(stepped.house.desk, stepped.trader, reason="the bank took it back", by="tester")
    standing.look(stepped.house)
    stepped.run()

    assert _wallet(stepped) == stepped.house.venues["paper"].balance(stepped.account).wallet
    assert [one.over_at is not None for one in _told(stepped)] == [True]
