"""What the benches of the tests know: a file of candles, a strategy that waits to be told, and one that is broken."""

from pathlib import Path
from typing import Any, Self

import numpy as np

from pilothouse.kit.settings import Settings
from pilothouse.wiring.benches import Benches

CANDLES = "BTC_USDT-1h.csv"
FINER = "BTC_USDT-30m.csv"
BARS = 600

_PATIENT = '''"""Waits until it may go on."""

import os
import time

from pilothouse.strategies.parameters import whole
from pilothouse.strategies.sdk import Columns, Signals


class Patient(Columns):
    """Says nothing, and that only when a file beside it says so."""

    name = "patient"
    title = "Patient"
    parameters = {"turn": whole(0, 0, 1_000)}

    def warm_up(self, p):
        return 0

    def signals(self, view, p):
        while not os.path.exists(os.path.join(os.path.dirname(__file__), f"go-{p.turn}")):
            time.sleep(0.05)
        return Signals(long=view.close > view.close.max())
'''


class SharedBenches(Benches):
    """Benches that outlive the houses that use them."""

    folder: Path

    @classmethod
    def over(cls, folder: Path) -> Self:
        """Return benches over a fresh data folder."""
        (folder / "files").mkdir()
        (folder / "files" / CANDLES).write_text(swing())
        (folder / "files" / FINER).write_text(swing(halves=True))
        (folder / "strategies").mkdir()
        (folder / "strategies" / "patient.py").write_text(_PATIENT)
        (folder / "strategies" / "spoilt.py").write_text("import math\n\n\ndef (\n")
        made = cls(Settings(data=folder, database_url=f"sqlite:///{folder / 'none.db'}", trusted_strategies="yes"))
        made.folder = folder
        return made

    def let_go(self, turn: int) -> None:
        """Let the patient strategy go on, now and later, in the runs of this turn."""
        (self.folder / "strategies" / f"go-{turn}").touch()

    def close(self) -> None:
        """Go on: other houses use them."""

    def stop_work(self) -> None:
        """Go on: a process costs seconds to start, and no test leaves work behind."""

    def end(self) -> None:
        """End every process."""
        super().close()


def request(**changed: Any) -> dict[str, Any]:
    """Return a request for a backtest over the file, as the API takes it."""
    return {"strategy": "ema-cross", "files": [CANDLES], "params": {"fast": 5, "slow": 20}} | changed


def swing(*, halves: bool = False) -> str:
    """Return 600 hours that swing, as a file; or the same as half hours."""
    close = 100 + 10 * np.sin(np.arange(BARS) / 25) + np.random.default_rng(1).normal(0, 0.5, BARS)
    first = np.concatenate((close[:1], close[:-1]))
    lines = ["date,open,high,low,close,volume"]
    for bar, (o, c) in enumerate(zip(first, close, strict=True)):
        at = 1_704_067_200_000 + bar * 3_600_000
        high, low, middle = max(o, c) + 0.2, min(o, c) - 0.2, (o + c) / 2
        if halves:
            lines.append(f"{at},{o:.2f},{high:.2f},{low:.2f},{middle:.2f},50")
            lines.append(f"{at + 1_800_000},{middle:.2f},{max(middle, c):.2f},{min(middle, c):.2f},{c:.2f},50")
        else:
            lines.append(f"{at},{o:.2f},{high:.2f},{low:.2f},{c:.2f},100")
    return "\n".join(lines) + "\n"
