"""Two processes of one house: one of them listens to an account, and the other takes over when it is gone."""

import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from pilothouse.core.facts import FactKind
from pilothouse.execution import hearing
from pilothouse.fleet.answer import AnswerState
from pilothouse.jobs.streams import PREFIX
from pilothouse.kit import lease, outbox
from pilothouse.wiring.sealing_key import KEY_FILE
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
        assert within(15, one.is_heard)
        assert _holder(one) == "one"
        (tmp_path / "two").mkdir()
        shutil.copy(tmp_path / "one" / KEY_FILE, tmp_path / "two" / KEY_FILE)  # one house has one sealing key
        with Living(tmp_path / "two", postgres_url, exchange.base, process="two") as two:
            assert two.account.id == one.account.id
            assert two.is_heard()
            two.house.venues[two.key].follow(["BTCUSDT"])
            assert within(10, lambda: two.house.quotes.all(two.key))
            assert _holder(two) == "one"
            assert two.alert(20, action="open", symbol="BTCUSDT", side="BUY", quantity="0.010").state is (
                AnswerState.FILLED
            )

            one.stop()

            assert within(20, lambda: _holder(two) == "two")
            assert within(20, two.is_heard)
            assert two.alert(20, action="close", symbol="BTCUSDT").state is AnswerState.FILLED
            assert two.position("BTCUSDT") == 0
            wallet = Decimal(exchange.truth(f"aster-{WALLET}")["wallet"])
            assert within(10, lambda: two.wallet() == wallet)
            facts = two.house.database.read(lambda tx: outbox.facts_after(tx, 0, owner_id=None, limit=10_000))
            told = [each.fact.payload for each in facts if each.fact.kind is FactKind.ACCOUNT_HEARD]
            assert [each["holder"] for each in told if each["state"] == hearing.LIVE] == ["one", "two"]
