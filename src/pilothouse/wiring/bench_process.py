"""The process of a bench: settings and questions come in on standard input, a line of JSON each; answers go out.

What is a fault of ours ends the process, with its words in `logs/benches.log`; the next question begins another.
It runs at a low priority and is the first that a machine without memory ends. When standard input ends, the house is
gone, and so is everything here, with the processes that a search began.
"""

import contextlib
import json
import os
import queue
import signal
import sys
import threading
from dataclasses import fields
from pathlib import Path
from typing import IO, Any, Final

from pilothouse.core.errors import PilothouseError
from pilothouse.kit.settings import Settings
from pilothouse.wiring import bench_answers
from pilothouse.wiring.bench_work import Bench

_NAMES: Final = {each.name: each.type for each in fields(Settings)}


def main() -> None:
    """Answer one question after the other, until standard input ends."""
    os.umask(0o077)  # what it writes into the data folder is nobody else's
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a strategy or a library prints is no answer
    first = json.loads(sys.stdin.readline())
    _be_humble(int(first["nice"]))
    bench = Bench(_settings(first["settings"]))
    asked: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(asked,), daemon=True).start()
    while True:
        question = asked.get()
        _say(answers, _answered(bench, question, answers) | {"id": question["id"]})


def _answered(bench: Bench, question: dict[str, Any], answers: IO[str]) -> dict[str, Any]:
    def told(progress_ppm: int) -> None:
        _say(answers, {"id": question["id"], "progress_ppm": progress_ppm})

    try:
        return {"answer": bench.answer(question["do"], question["asked"], told)}
    except PilothouseError as error:
        return {"error": bench_answers.told(error)}


def _say(answers: IO[str], told: dict[str, Any]) -> None:
    answers.write(json.dumps(told) + "\n")
    answers.flush()


def _listen(asked: "queue.SimpleQueue[dict[str, Any]]") -> None:
    for line in sys.stdin:
        asked.put(json.loads(line))
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _settings(told: dict[str, Any]) -> Settings:
    known = {name: value for name, value in told.items() if name in _NAMES}
    return Settings(**known | {"data": Path(told["data"])})


def _be_humble(nice: int) -> None:
    os.nice(nice)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


if __name__ == "__main__":
    main()
