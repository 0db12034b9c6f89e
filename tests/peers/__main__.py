"""Other people's engines beside ours: `make bench-peers PEERS="vectorbt raptorbt" ROWS="flip stops" EACH_S=120`.

Each peer runs in a process and an environment of its own over the same candles, and ours in the same way. Number of
trades and final equity are compared first; a time is only told beside that. What was found is kept in
bench-results/peers.json, where a later run replaces the rows and peers that it asked again.
"""

import json
import os
import platform
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.peers import data
from tests.peers.environments import HERE, PLACE, ROOT, NotInstalled, python_of
from tests.peers.verdict import HEAD, ROWS, Kind, Verdict, judge, line

RESULTS = ROOT / "bench-results" / "peers.json"
SCRIPTS = {
    "raptorbt": "by_raptorbt",
    "vectorbt": "by_vectorbt",
    "backtesting": "by_backtesting",
    "backtrader": "by_backtrader",
    "nautilus_trader": "by_nautilus",
    "jesse": "by_jesse",
    "freqtrade": "by_freqtrade",
    "hftbacktest": "by_hftbacktest",
}
EACH_S = 120.0
GRACE = 1.5
"""How many times the seconds a process lives at most: importing and making ready are not counted in them."""


def main() -> None:
    """Ask every peer for every row, print what came, keep it."""
    # Whoever ends this run ends the peer that is at work, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    peers, rows, seconds = _asked("PEERS", list(SCRIPTS)), _asked("ROWS", list(ROWS)), _seconds()
    candles = PLACE / "data"
    data.write(candles)
    pythons: dict[str, Path | str] = {}
    for name in peers:
        try:
            pythons[name] = python_of(name)
        except NotInstalled as error:
            pythons[name] = str(error)
    for row in rows:
        print(f"\n  {row}: {ROWS[row].title}; {ROWS[row].bars:,} bars\n\n{HEAD}", flush=True)
        ours = _told(Path(sys.executable), "by_us", row, candles, seconds)
        kept = {"pilothouse": ours | {"result": Kind.OURS}}
        print(line("pilothouse", ours, ours, Verdict(Kind.OURS)), flush=True)
        for name in peers:
            python = pythons[name]
            if isinstance(python, str):
                told: dict[str, Any] = {"failed": f"not installed: {python}"}
            else:
                told = _told(python, SCRIPTS[name], row, candles, seconds)
            verdict = judge(ROWS[row], ours, told)
            print(line(name, ours, told, verdict), flush=True)
            kept[name] = told | {"result": verdict.kind, "words": verdict.words}
        _keep(row, kept, seconds)
    print(f"\n  Written to {RESULTS.relative_to(ROOT)}\n")


def _asked(variable: str, known: list[str]) -> list[str]:
    """Return the names that a variable asks for; all, if it is not set."""
    asked = os.environ.get(variable, "").split() or known
    wrong = [name for name in asked if name not in known]
    if wrong:
        sys.exit(f"{variable}: {', '.join(wrong)} is not known; known are {', '.join(known)}")
    return asked


def _seconds() -> float:
    asked = os.environ.get("EACH_S", "")
    try:
        found = float(asked) if asked else EACH_S
    except ValueError:
        found = 0.0
    if not 1 <= found <= 86_400:
        sys.exit(f"EACH_S: {asked!r} is not a number of seconds from 1 to 86400")
    return found


def _told(python: Path, script: str, row: str, candles: Path, seconds: float) -> dict[str, Any]:
    """Return what a peer's process printed; what went wrong, if it printed nothing."""
    home = candles.parent / "home"
    home.mkdir(parents=True, exist_ok=True)
    # Nothing of ours, and a home of its own: some write there. raptorbt would ask the registry for news at its import.
    around = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "RAPTORBT_NO_VERSION_CHECK": "1"}
    process = subprocess.Popen(
        [str(python), str(HERE / "start.py"), script, row, str(candles), str(seconds)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, cwd=home, env=around,
        start_new_session=True,
    )  # fmt: skip
    try:
        out, err = process.communicate(timeout=seconds * GRACE)
    except subprocess.TimeoutExpired:
        return {"unfinished": f"stopped after {seconds * GRACE:,.0f} s, and did not say how far it had come"}
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    last = out.strip().rpartition("\n")[2]
    if process.returncode or not last.startswith("{"):
        return {"failed": (err.strip().rpartition("\n")[2] or f"ended with {process.returncode}")[:300]}
    found: dict[str, Any] = json.loads(last)
    if "unfinished" in found:
        found["unfinished"] += f" in {seconds:,.0f} s"
    return found


def _keep(row: str, kept: dict[str, Any], seconds: float) -> None:
    """Write what was found about a row, beside what is known from earlier runs."""
    RESULTS.parent.mkdir(exist_ok=True)
    known: dict[str, Any] = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else {}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    rows = known.get("rows", {})
    for name, told in kept.items():
        rows.setdefault(row, {})[name] = told | {"at": now, "seconds": seconds, "machine": machine}
    RESULTS.write_text(json.dumps({"rows": rows}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
