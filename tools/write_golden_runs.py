"""Write the golden runs of the built-in strategies: what each does on the bundled market, for `strategy test`.

python tools/write_golden_runs.py      look at what changed before it is committed
"""

import json

from pilothouse.backtest.exam import golden_of
from pilothouse.strategies.registry import BUILT_IN
from pilothouse.wiring.strategy_exams import OURS, market_of


def runs() -> str:
    """Return the content of the file."""
    told = {
        name: [golden_of(described.strategy, market_of(described), {})] for name, described in sorted(BUILT_IN.items())
    }
    return json.dumps(told, indent=1) + "\n"


if __name__ == "__main__":
    OURS.write_text(runs(), encoding="utf-8")
