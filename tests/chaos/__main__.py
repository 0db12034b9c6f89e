"""`make chaos`: the product as its users run it, killed again and again at an exchange that fails; then all is counted.

ALERTS, SEED and VENUES (aster, binanceusdm) may be set, and WATCHER=off to leave out the process beside the house. The
raw files stay in chaos-results/. On a machine that starts the product slowly no sender waits long enough that waits as
TradingView does: PATIENT=6 makes that six times as long.
"""

import shutil
import sys
import time
from pathlib import Path

from tests.chaos.count import count
from tests.chaos.plan import Plan
from tests.chaos.run import run

RESULTS = Path(__file__).resolve().parents[2] / "chaos-results"


def main() -> int:
    """Run, count, print; returns 1 if anything differs."""
    place = RESULTS / time.strftime("%Y%m%dT%H%M%S")
    plan = Plan.of_environment(place)
    beside = "with" if plan.watched else "without"
    print(
        f"chaos: {plan.alerts} alerts, seed {plan.seed}, at {', '.join(plan.venues)}, {beside} its watcher", flush=True
    )
    print(f"files in {place}", flush=True)
    if plan.gives_up_s != Plan.gives_up_s:
        print(
            f"senders wait {plan.gives_up_s:g} s for an answer, and {plan.again_after_s:g} s to send again", flush=True
        )
    shutil.rmtree(place, ignore_errors=True)
    run(plan)
    table = count(place)
    print(table)
    return 1 if table.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
