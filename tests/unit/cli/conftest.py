"""What types commands in a fresh data folder, and a file of candles to type them about."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pilothouse.cli.main import main

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Typed:
    """Return what runs a command in a fresh data folder: its words in; exit code, output and complaints out."""
    monkeypatch.setenv("PILOTHOUSE_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(words)
        out, err = capfd.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), out, err

    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file of 600 hours that swing."""
    close = 100 + 10 * np.sin(np.arange(600) / 25) + np.random.default_rng(1).normal(0, 0.5, 600)
    first = np.concatenate((close[:1], close[:-1]))
    path = tmp_path / "BTC_USDT-1h.csv"
    lines = ["date,open,high,low,close,volume"]
    for bar in range(600):
        o, c = first[bar], close[bar]
        lines.append(
            f"{1_704_067_200_000 + bar * 3_600_000},{o:.2f},{max(o, c) + 0.2:.2f},{min(o, c) - 0.2:.2f},{c:.2f},100"
        )
    path.write_text("\n".join(lines) + "\n")
    return path
