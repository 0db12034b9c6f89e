"""`pilothouse watcher`: sees every position of every account, in a process of its own beside the house.

While the house answers, it acts through the house's own API. When it does not, it waits until the lease of a real
account is over and the venue takes no more of the house's requests, and keeps up the protection alone until the house
is there again. What it may do through the API it is told on standard input: an address and a token, one on each line,
and behind them the id of the process that started it, if that one ends it too.
"""

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import structlog

from pilothouse.core.errors import PilothouseError
from pilothouse.jobs.aside import Keeper
from pilothouse.kit import log
from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.engines import Lost
from pilothouse.kit.settings import Settings
from pilothouse.wiring.aside import Beside, open_beside

LOOK_S = 1.0
SILENT_S = 5.0
"""A house that has not answered for so long is taken for gone: from then on its leases are looked at."""

_PATIENCE = httpx.Timeout(4.0, connect=2.0)
_PATH = "/api/v1/protection"

_log = structlog.get_logger("pilothouse.watcher")


class NotWanted(Exception):
    """The token is not good any more: another watcher is in charge."""


class Watcher:
    """One watcher. `run` until told to stop."""

    def __init__(self, settings: Settings, url: str, token: str, parent: int | None) -> None:
        """Look through `url` with `token`; `parent`: the process that started it and ends it, if one does."""
        self._settings = settings
        self._client = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=_PATIENCE, trust_env=False
        )
        self._parent = parent
        self._silent_since: float | None = None
        self._beside: Beside | None = None
        self._keeper: Keeper | None = None

    def run(self, stopping: threading.Event) -> None:
        """Look again and again."""
        try:
            while not stopping.is_set():
                if not self._look():
                    return
                stopping.wait(LOOK_S)
        except NotWanted:
            _log.info("watcher_not_wanted_any_more")
        finally:
            self._close()

    def _look(self) -> bool:
        """Look once; False when there is nothing to watch over any more."""
        rows = self._ask()
        orphaned = self._parent is not None and os.getppid() != self._parent
        if rows is not None:
            self._silent_since = None
            self._end_alone()
            if orphaned:
                return False  # a house that was started anew has a watcher of its own
            for row in rows:
                self._see_to(row)
            return True
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        if now - self._silent_since >= SILENT_S:
            return self._act_alone(orphaned=orphaned)
        return True

    def _ask(self) -> list[dict[str, Any]] | None:
        """Return every position as the house tells it; None if it does not answer. Raises NotWanted."""
        try:
            answer = self._client.get(_PATH)
        except httpx.HTTPError:
            return None
        if answer.status_code in {401, 403}:
            raise NotWanted
        if answer.status_code != 200:
            return None
        rows: list[dict[str, Any]] = answer.json()["items"]
        return rows

    def _see_to(self, row: dict[str, Any]) -> None:
        """Ask the house to look after a position that is without its protection for too long."""
        if row["wanted"] is None or row["stands"] is not False or float(row["unprotected_s"]) < row["within_s"]:
            return
        path = f"/api/v1/positions/{row['symbol']}/protection/watch"
        try:
            answer = self._client.post(path, params={"account": row["account_id"]})
        except httpx.HTTPError as error:
            _log.warning("watch_not_done", symbol=row["symbol"], why=str(error))
            return
        did = answer.json().get("did") if answer.status_code == 200 else answer.text[:200]
        _log.warning(
            "position_unprotected", account=row["account_id"], symbol=row["symbol"], s=row["unprotected_s"], did=did
        )

    def _act_alone(self, *, orphaned: bool) -> bool:
        """Keep up protection without the house; False for an orphan that has no real account to look after."""
        if orphaned and not self._settings.data.exists():
            return False
        try:
            if self._keeper is None:
                self._beside = open_beside(self._settings)
                self._keeper = Keeper(self._beside)
            if orphaned and not self._keeper.wanted():
                return False
            self._keeper.look()
        except PilothouseError as error:
            _log.error("cannot_act_alone", why=str(error))
            if isinstance(error, Lost) and self._parent is not None and not orphaned and let_go_on(self._parent):
                _log.error("house_let_go_on", pid=self._parent, why="it was stopped, and holds the books")
        return True

    def _end_alone(self) -> None:
        """Give back what was taken, now that the house answers again."""
        keeper, beside = self._keeper, self._beside
        self._keeper = self._beside = None
        if keeper is not None:
            try:
                keeper.give_back()
            except PilothouseError as error:
                _log.error("leases_not_given_back", why=str(error))
        if beside is not None:
            beside.close()

    def _close(self) -> None:
        self._end_alone()
        self._client.close()


def let_go_on(pid: int) -> bool:
    """Let a process go on that was stopped (SIGSTOP, Ctrl-Z); return whether it was. One that is traced is left alone.

    On SQLite whoever is stopped in the middle of a commit keeps everybody from writing, for as long as it is. Going on,
    it finishes the commit and finds that its leases are over: it can do no harm, and looks after its positions again.
    """
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
        if state != "T":
            return False
        os.kill(pid, signal.SIGCONT)
    except (OSError, IndexError):
        return False
    return True


def run(settings: Settings) -> int:
    """Watch until SIGTERM or SIGINT; the address and the token come on standard input."""
    url, token = sys.stdin.readline().strip(), sys.stdin.readline().strip()
    parent = sys.stdin.readline().strip()
    if not url or not token:
        print("Pilothouse watcher: an address and a token are wanted on standard input, a line each", file=sys.stderr)
        return 1
    log.hide(token)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # one line for each look would bury what matters
    folder = settings.data / "logs"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - a device, and no path of ours
        log.configure(
            clock=SystemClock(), level=settings.log_level, form=settings.log_format, stream=nowhere,
            file=folder / "watcher.log",
        )  # fmt: skip
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        Watcher(settings, url, token, int(parent) if parent.isdigit() else None).run(stopping)
    return 0
