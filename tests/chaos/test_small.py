"""A small chaos run: 500 alerts, every way to die, every fault of the exchange, and nothing lost, doubled or naked."""

from pathlib import Path

import pytest

from tests.chaos.count import count
from tests.chaos.plan import DEATHS, Plan
from tests.chaos.run import run
from tests.exchange_process import FUTURES


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_five_hundred_alerts_survive_every_death_and_every_fault(tmp_path: Path) -> None:
    """What nobody else shows: `kill -9` in the middle of it, and every acknowledged alert is exactly its orders.

    Its senders are patient, since a machine that runs tests may be slow; `make chaos` sends ten thousand, and waits for
    an answer no longer than TradingView does.
    """
    plan = Plan(
        tmp_path,
        alerts=500,
        venues=(FUTURES,),
        gives_up_s=60.0,
        deliveries_most=60,
        settle_s=240.0,
        raised=4,
        fault_every_s=0.2,
        deaths=DEATHS,
        deaths_most=4,
        alive_s=(1.0, 2.5),
    )

    run(plan)

    table = count(tmp_path)
    print(table)
    assert not table.wrong, str(table)
