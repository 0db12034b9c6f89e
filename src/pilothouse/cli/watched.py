"""The watcher beside `pilothouse up`: started, started again when it ends, and ended with it."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace

import structlog

from pilothouse.accounts import tokens
from pilothouse.accounts.access import Scope
from pilothouse.kit.db import Tx
from pilothouse.kit.sealed import Secret
from pilothouse.wiring.house import House

LABEL = "watcher"
_AGAIN_FIRST_S, _AGAIN_MOST_S = 1.0, 30.0
_PATIENCE_S = 3.0

_log = structlog.get_logger("pilothouse.watched")


class Watched:
    """Runs the watcher as a process of its own until `stop`."""

    def __init__(self, house: House, environment: Mapping[str, str]) -> None:
        """Give the watcher `environment`, so that it finds the same house."""
        self._house = house
        self._here = replace(house.settings, public_url="").address  # no way round by the outside
        ours = {name: value for name, value in environment.items() if name.startswith("PILOTHOUSE_")}
        self._environment = {**os.environ, **ours}
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name="pilothouse-watched", daemon=True)
        self._token = house.database.write(lambda tx: _token(tx, house), name="watcher token")

    def start(self) -> None:
        """Start it, and start it again whenever it ends."""
        self._thread.start()

    def stop(self) -> None:
        """End it; it gives back what it holds."""
        self._stopping.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
        self._thread.join(_PATIENCE_S)
        if process is not None and process.poll() is None:
            process.kill()

    def _keep(self) -> None:
        again_s = _AGAIN_FIRST_S
        while not self._stopping.is_set():
            begun = self._house.clock.monotonic()
            code = self._run()
            if self._stopping.is_set():
                return
            lived = self._house.clock.monotonic() - begun
            again_s = _AGAIN_FIRST_S if lived > _AGAIN_MOST_S else min(again_s * 2, _AGAIN_MOST_S)
            _log.error("watcher_ended", code=code, lived_s=int(lived), again_in_s=again_s)
            self._stopping.wait(again_s)

    def _run(self) -> int:
        """Run it until it ends; return its exit code. What it needs to know goes by a pipe that others cannot read."""
        words = [sys.executable, "-m", "pilothouse.cli.main", "watcher"]
        with subprocess.Popen(  # noqa: S603 - this very program
            words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=self._environment, start_new_session=True
        ) as process:
            self._process = process
            if self._stopping.is_set():
                process.terminate()
            assert process.stdin is not None, "it was asked for"
            try:
                process.stdin.write(f"{self._here}\n{self._token.reveal()}\n{os.getpid()}\n".encode())
                process.stdin.close()
            except BrokenPipeError:
                _log.warning("watcher_did_not_listen")
            return process.wait()


def _token(tx: Tx, house: House) -> Secret:
    """Return a token for this life of the house; those of earlier lives are worth nothing any more."""
    now, owner_id = house.clock.now(), house.operator_id
    for token in tokens.list_tokens(tx, owner_id):
        if token.label == LABEL and token.revoked_at is None:
            tokens.revoke(tx, owner_id, token.id, now=now)
    _, secret = tokens.issue(tx, owner_id=owner_id, label=LABEL, scopes=(Scope.READ, Scope.TRADE), now=now)
    return secret
