"""Processes that only compute, beside a house: one sweep is spread over them, and outlives those that are killed."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest

from pilothouse.api.backtest_shapes import SweepAsked, plain_of
from pilothouse.kit.settings import Settings
from pilothouse.wiring.bench_work import Bench
from tests.bench_files import CANDLES, swing
from tests.house_process import PROGRAM, HouseProcess, eventually

pytestmark = [pytest.mark.timeout(400), pytest.mark.slow]

NewHouse = Callable[..., HouseProcess]

LEASE_S = 2
COMBINATIONS = 640
SWEEP = {
    "strategy": "ema-cross",
    "files": [CANDLES],
    "over": ["fast=2..33", "slow=70..89"],
    "limits": {"orders_per_day_max": "1000"},
}
"""32 x 20 combinations, which are 10 pieces; the limit makes them go turn by turn, so that there is time to kill."""


class WorkerProcess:
    """One `pilothouse worker` with the settings of a house; killed when the test ends."""

    def __init__(self, house: HouseProcess, **settings: str) -> None:
        """Start it."""
        house.place.mkdir(parents=True, exist_ok=True)
        variables = {f"PILOTHOUSE_{name}": value for name, value in settings.items()}
        self._process = subprocess.Popen(
            [PROGRAM, "worker", "--jobs", "1"], env=house.environment() | variables, cwd=house.place, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None, "asked for"
            stream.close()

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> tuple[int, str]:
        """Ask it to end; return its exit code and what it said on standard error."""
        self._process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> tuple[int, str]:
        """Return its exit code and what it said on standard error, once it has ended."""
        _, said = self._process.communicate(timeout=60)
        return self._process.returncode, said


@pytest.fixture
def workers() -> Iterator[Callable[..., WorkerProcess]]:
    """Yield what starts one more worker; all are ended after the test."""
    with ExitStack() as stack:
        yield lambda house, **settings: stack.enter_context(WorkerProcess(house, **settings))


def _compute(house: HouseProcess) -> str:
    """Return what is said of the processes that compute."""
    return str(house.get("/health")["checks"]["backtests"]["words"])


def _result(house: HouseProcess, address: str) -> dict[str, Any]:
    """Return what a sweep found, once it is done."""

    def look() -> dict[str, Any] | None:
        told: dict[str, Any] = house.get(address)
        assert told["state"] in {"queued", "running", "done"}, told
        return told["result"] if told["state"] == "done" else None

    found: dict[str, Any] = eventually(look, "the sweep is done", within_s=120)
    return found


def _alone(folder: Path) -> Any:
    """Return what one process finds that makes the same sweep in one go."""
    (folder / "files").mkdir(parents=True)
    (folder / "files" / CANDLES).write_text(swing())
    bench = Bench(Settings(data=folder))
    asked = plain_of(SweepAsked.model_validate(SWEEP))
    ready = bench.answer("prepare", {"kind": "sweep", "asked": asked}, lambda _: None)
    return bench.answer("sweep", {"asked": ready["asked"], "name": ready["name"]}, lambda _: None)


def test_a_sweep_is_spread_over_workers_and_outlives_them(
    new_house: NewHouse, workers: Callable[..., WorkerProcess], postgres_url: str, tmp_path: Path
) -> None:
    """Whoever rents machines for a night loses some; what comes out must be what one machine would have found."""
    settings = {"DATABASE_URL": postgres_url, "BACKTEST_WORKERS": "0", "COMPUTE_LEASE_S": str(LEASE_S)}
    house = new_house(settings=settings)
    (house.data / "files").mkdir(parents=True, mode=0o700)
    (house.data / "files" / CANDLES).write_text(swing())
    house.start()
    killed, stopped = workers(house), workers(house)
    code, said = workers(house, DATA=str(tmp_path / "elsewhere")).ended()
    assert (code, "is not the data folder of" in said) == (1, True), said
    eventually(lambda: _compute(house).startswith("2 processes"), "both are there")

    asked = house.post("/api/v1/backtests/sweeps", SWEEP)
    pieces = house.data / "backtests" / "searches" / "pieces"
    eventually(lambda: len(list(pieces.glob("*.jsonl"))) >= 3, "some pieces were begun", within_s=90)
    killed.kill()
    eventually(lambda: len(list(pieces.glob("*.jsonl"))) >= 5, "the other one goes on", within_s=90)
    code, said = stopped.stop()
    assert (code, "given_back" in said) == (0, True), said
    assert _compute(house).startswith("1 processes"), "who stops in order says so"
    workers(house)
    found = _result(house, asked["address"])

    assert (found["trials"], found["combinations"], found["failed"]) == (COMBINATIONS, COMBINATIONS, 0)
    files = [path for path in (house.data / "backtests").rglob("*") if path.is_file()]
    assert not [path.name for path in files if path.stat().st_mode & 0o077], "nobody else reads what was found"
    assert not list(pieces.glob("*.jsonl")), "their trials stand in the file of their sweep now"
    assert json.dumps(found) == json.dumps(_alone(tmp_path / "alone")), "as one process finds it, byte for byte"
    assert house.stop() == 0
