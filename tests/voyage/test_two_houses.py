"""Two processes of one house: one of them listens to an account, and the other takes over when it is gone."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from pilothouse.core.facts import FactKind
from pilothouse.core.order import OrderState
from pilothouse.execution import hearing, writing
from pilothouse.fleet.answer import AnswerState
from pilothouse.jobs.dispatch import Dispatcher
from pilothouse.jobs.streams import PREFIX
from pilothouse.kit import lease, outbox, told_facts
from pilothouse.kit.db import Tx
from pilothouse.wiring.sealing_key import KEY_FILE
from pilothouse.wiring.subscriptions import SENDING_TOPICS
from tests.living import Living, within
from tests.slices.simexchange.sim_house import WALLET, RunningExchange

pytestmark = pytest.mark.postgres


@pytest.fixture
def exchange() -> Iterator[RunningExchange]:
    """Yield an exchange of its own."""
    with RunningExchange(profile="aster") as running:
        running.control("POST", "accounts", wallet=WALLET)
        yield running


def _holder(living: Living) -> str:
    """Return which process listens to the account."""
    now = living.house.clock.now()
    held = living.house.database.read(lambda tx: lease.holder(tx, f"{PREFIX}{living.account.id}", now=now))
    return held.owner if held is not None else ""


def test_one_process_listens_and_the_other_takes_over(
    postgres_url: str, tmp_path: Path, exchange: RunningExchange
) -> None:
    """Both decide alerts, and whichever listens: the books are one."""
    with Living(tmp_path / "one", postgres_url, exchange.base, process="one") as one:
        assert within(10, one.is_heard)
        assert _holder(one) == "one"
        (tmp_path / "two").mkdir()
        shutil.copy(tmp_path / "one" / KEY_FILE, tmp_path / "two" / KEY_FILE)  # one house has one sealing key
        with Living(tmp_path / "two", postgres_url, exchange.base, process="two") as two:
            assert two.account.id == one.account.id
            assert two.is_heard()
            two.house.venues[two.key].follow(["BTCUSDT"])
            assert within(10, lambda: two.house.quotes.all(two.key))
            assert _holder(two) == "one"
            assert not one.house.quotes.all(one.key), "who sends has no price yet, and follows what it needs"
            assert two.alert(20, action="open", symbol="BTCUSDT", side="BUY", quantity="0.010").state is (
                AnswerState.FILLED
            )

            one.stop()

            assert within(20, lambda: _holder(two) == "two")
            assert within(10, two.is_heard)
            assert two.alert(20, action="close", symbol="BTCUSDT").state is AnswerState.FILLED
            assert two.position("BTCUSDT") == 0
            wallet = Decimal(exchange.truth(f"aster-{WALLET}")["wallet"])
            assert within(10, lambda: two.wallet() == wallet)
            facts = two.house.database.read(lambda tx: told_facts.facts_after(tx, 0, owner_id=None, limit=10_000))
            told = [each.fact.payload for each in facts if each.fact.kind is FactKind.ACCOUNT_HEARD]
            assert [each["holder"] for each in told if each["state"] == hearing.LIVE] == ["one", "two"]


def test_an_order_is_left_to_the_process_that_may_send_it(
    postgres_url: str, tmp_path: Path, exchange: RunningExchange
) -> None:
    """The one that decided is told of it first and would take it again and again: then it leaves by luck, or late."""
    with Living(tmp_path / "one", postgres_url, exchange.base, process="two") as two:
        assert within(10, two.is_heard)
        two.house.venues[two.key].follow(["BTCUSDT"])
        assert within(10, lambda: two.house.quotes.all(two.key))
        house, account = two.house, two.account
        assert two.jobs is not None
        two.jobs.stop(patience_s=60)  # from here on nothing moves by itself

        def take(tx: Tx) -> None:
            now, long = house.clock.now(), timedelta(minutes=10)
            assert writing.take(tx, house.clock, account.id, account.venue, owner="one", lease_for=long) is not None
            held = lease.acquire(tx, f"{PREFIX}{account.id}", owner="one", now=now, lease_for=long)
            assert held is not None
            hearing.begin(tx, held, account.id, now)
            hearing.say(tx, held, account.id, hearing.LIVE, now)

        house.database.write(take, name="test")
        two.send(action="open", symbol="BTCUSDT", side="BUY", quantity="0.010")
        assert Dispatcher(house, topics=SENDING_TOPICS).run_due() == 1

        [order] = two.orders()
        assert order.state is OrderState.INTENDED, "it was not sent by who may not send it"

        def claimed(by: str) -> list[str]:
            soon, long = house.clock.now() + timedelta(seconds=1), timedelta(seconds=60)
            found = house.database.write(
                lambda tx: outbox.claim(tx, owner=by, topics=SENDING_TOPICS, limit=9, now=soon, lease_for=long),
                name="claim",
            )
            return [each.payload["order_id"] for each in found]

        assert claimed(by="two") == [], "it is left to the one that may send"
        assert claimed(by="one") == [order.id]


def test_a_stream_whose_holder_has_died_is_taken_over_when_its_lease_has_ended(
    postgres_url: str, tmp_path: Path, exchange: RunningExchange
) -> None:
    """A stop that fills while nobody listens is booked by who listens next, before anything else is decided."""
    with Living(tmp_path / "one", postgres_url, exchange.base, process="one") as one:
        assert within(10, one.is_heard)
        one.house.venues[one.key].follow(["BTCUSDT"])
        assert within(10, lambda: one.house.quotes.all(one.key))
        bought = one.alert(20, action="open", symbol="BTCUSDT", side="BUY", quantity="0.010", stop_loss="5%")
        assert bought.state is AnswerState.FILLED
        assert within(10, lambda: [each.state for each in one.orders() if each.purpose.protects] == ["working"])
        house, account = one.house, one.account

        def hold(tx: Tx) -> None:
            now = house.clock.now()
            held = lease.acquire(tx, f"{PREFIX}{account.id}", owner="dead", now=now, lease_for=timedelta(seconds=4))
            assert held is not None
            hearing.begin(tx, held, account.id, now)
            hearing.say(tx, held, account.id, hearing.LIVE, now)

        assert one.jobs is not None
        one.jobs.stop(patience_s=60)
        # What a process that is killed leaves behind: a lease that nobody gives back, and an account said to be heard.
        house.database.write(hold, name="test")
    bought_at = bought.orders[0].decided_price
    exchange.control("POST", "price", symbol="BTCUSDT", price=str((bought_at * Decimal("0.9")).quantize(Decimal(1))))

    with Living(tmp_path / "one", postgres_url, exchange.base, process="two") as two:
        assert _holder(two) == "dead"
        assert two.position("BTCUSDT") == Decimal("0.010"), "nobody has heard of the stop"
        assert within(20, lambda: _holder(two) == "two")
        assert within(10, two.is_heard)
        assert two.position("BTCUSDT") == 0, "what happened meanwhile was booked before it counted as heard"
        wallet = Decimal(exchange.truth(f"aster-{WALLET}")["wallet"])
        assert two.wallet() == wallet
        assert two.alert(20, action="open", symbol="BTCUSDT", side="BUY", quantity="0.010").state is AnswerState.FILLED
