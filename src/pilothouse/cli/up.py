"""Everything in one process on one machine: API, jobs, SQLite and a simulated market. The newcomer's command."""

import asyncio
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import structlog
import uvicorn

from pilothouse import __version__
from pilothouse.accounts import trading_accounts
from pilothouse.accounts.trading_accounts import Mode
from pilothouse.api.threshold import Threshold
from pilothouse.cli.porch import Porch, listen_on
from pilothouse.cli.watched import Watched
from pilothouse.core.clock import iso
from pilothouse.core.errors import PilothouseError
from pilothouse.jobs.embedded import Embedded
from pilothouse.kit import log, told_facts
from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.env_file import read_env_file
from pilothouse.kit.lease import house_lock
from pilothouse.kit.settings import Settings
from pilothouse.migrations.migrate import migrate
from pilothouse.observability.record.anchors import anchor
from pilothouse.wiring import first_steps, given_accounts, variables
from pilothouse.wiring.build import Parts, build
from pilothouse.wiring.first_steps import FirstSteps
from pilothouse.wiring.house import House
from pilothouse.wiring.variables import Bridge

_SHUTDOWN_PATIENCE_S = 2
_CLOCK_BEHIND_MOST = timedelta(seconds=60)
"""A clock that is set right goes back a little; more than this is said at the start."""
_RINGS_AFTER = 10_000
"""So many objects more than before, and those that only hold each other are looked for: orders leave hardly any."""

_stop_wanted = threading.Event()


def run(
    settings: Settings,
    parts: Parts | None = None,
    environment: Mapping[str, str] | None = None,
    porch: Porch | None = None,
) -> int:
    """Run until SIGINT or SIGTERM; returns the exit code. What cannot start says why in one line.

    environment   the variables in which accounts may stand; none without it
    porch         where senders wait already; made here without it
    """
    with ExitStack() as stack:
        if porch is not None:
            stack.enter_context(porch)
        try:
            bridge = variables.read(environment or {})
            given_accounts.ready(bridge)  # what does not fit together stops the start before anything is made
            settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            stack.enter_context(house_lock(settings.data))
            porch = porch or stack.enter_context(Porch(listen_on(settings.host, settings.port)))
            _log_to_file(settings)
            return _run(settings, porch, parts or Parts(), bridge, environment)
        except (PilothouseError, OSError) as reason:
            print(f"Pilothouse cannot start: {reason}", file=sys.stderr)
            return 1


def _run(settings: Settings, porch: Porch, parts: Parts, bridge: Bridge, environment: Mapping[str, str] | None) -> int:
    # Before uvicorn listens for signals itself, one is kept until the server looks. And uvicorn raises the signal that
    # stopped it once more when it is done; it must then find a handler that lets the house be closed in order.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _stop_wanted.set())
    # Threads take turns often: the one that commits must not wait for the one that parses.
    sys.setswitchinterval(0.001)
    migrate(settings.database_url, backup_to=settings.data / "backups", clock=SystemClock())
    house = build(settings, parts)
    try:
        clock_notes = _about_clock(house)
        facts, is_first = first_steps.take(house)
        notes = [*_about_env_file(), *clock_notes, *given_accounts.take(house, bridge)]
        jobs = Embedded(house)
        jobs.start()
        gc.enable()
        gc.set_threshold(_RINGS_AFTER)
        gc.collect()
        gc.freeze()
        try:
            threshold = Threshold(house)
            config = uvicorn.Config(
                threshold,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_SHUTDOWN_PATIENCE_S,
                timeout_keep_alive=75,
            )
            welcome = _welcome(settings, facts, _real_accounts(house), notes, is_first=is_first)
            watched: list[Watched] = []

            def open_wide() -> None:
                print(welcome, flush=True)
                if settings.watcher == "yes" and environment is not None:
                    watched.append(Watched(house, environment))
                    watched[0].start()

            try:
                _Server(config, threshold, porch, open_wide).serve_until_stopped()
            finally:
                for one in watched:
                    one.stop()
                threshold.close()
        finally:
            jobs.stop()
            _anchor(house)
    finally:
        house.close()
    return 0


def _anchor(house: House) -> None:
    """Keep the ends of the record in a second place once more, as far as the database still answers."""
    try:
        anchor(house)
    except PilothouseError as error:
        structlog.get_logger("pilothouse.record").warning("heads_not_written", error=str(error))


class _Server(uvicorn.Server):
    """uvicorn, which lets in who waits on the porch, and loads what is not needed for alerts once it serves."""

    def __init__(
        self, config: uvicorn.Config, threshold: Threshold, porch: Porch, open_wide: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._threshold, self._porch, self._open_wide = threshold, porch, open_wide
        self._opening: asyncio.Task[None] | None = None

    def serve_until_stopped(self) -> None:
        """Serve, and raise what kept the rest from being loaded."""
        self.run(sockets=[self._porch.listener])
        if self._opening is not None and not self._opening.cancelled():
            self._opening.result()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._opening is not None:
            self._opening.cancel()
        # A stream of events ends only when it is told; asked to wait for it, the server would wait in vain.
        self._threshold.end_streams()
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._porch.leave()
        await super().startup(sockets)
        if _stop_wanted.is_set():
            self.should_exit = True
            return
        self._opening = asyncio.create_task(self._open())
        self._opening.add_done_callback(self._opened)

    async def _open(self) -> None:
        await self._threshold.load()
        gc.freeze()  # what was loaded stays for ever: each collection would look through all of it
        await asyncio.to_thread(self._open_wide)

    def _opened(self, opening: "asyncio.Task[None]") -> None:
        if not opening.cancelled() and opening.exception() is not None:
            self.should_exit = True


def _log_to_file(settings: Settings) -> None:
    """Write log lines to the data directory; to standard error too, unless a person looks at it."""
    folder = settings.data / "logs"
    folder.mkdir(mode=0o700, exist_ok=True)
    quiet = sys.stderr.isatty()
    stream = Path(os.devnull).open("w", encoding="utf-8") if quiet else None  # noqa: SIM115 - open as long as the process
    log.configure(
        clock=SystemClock(),
        level=settings.log_level,
        form=settings.log_format,
        stream=stream,
        file=folder / "pilothouse.log",
    )


def _about_env_file() -> list[str]:
    """Return what a person should know of the `.env` file that was read, if one was."""
    file = read_env_file(Path.cwd())
    if file is None:
        return []
    notes = []
    if file.others_may_read:
        notes.append(f"{file.path}: others on this machine can read it; run: chmod 600 {file.path}")
    if file.not_understood:
        numbers = ", ".join(str(number) for number in file.not_understood[:10])
        notes.append(f"{file.path}: nothing was understood in line {numbers}")
    return notes


def _about_clock(house: House) -> list[str]:
    """Return what a person should know of a clock that is behind what these books have seen."""
    last, now = house.database.read(told_facts.newest_fact_at), house.clock.now()
    if last is None or last - now <= _CLOCK_BEHIND_MOST:
        return []
    seconds = f"{(last - now).total_seconds():.0f}"
    structlog.get_logger("pilothouse.up").warning("clock_behind_books", seconds=seconds, last=iso(last))
    return [
        f"this machine's clock is {seconds} s behind what these books saw last ({iso(last)}): set it,",
        "such as with `timedatectl set-ntp true`; until then nobody can tell how old an alert on paper is",
    ]


def _real_accounts(house: House) -> list[str]:
    """Return a line for each account that is not paper money."""
    lines = []
    for account in house.database.read(trading_accounts.active_accounts):
        if account.mode is not Mode.PAPER:
            sends = "ARMED" if account.may_send and account.mode is Mode.LIVE else "sends"
            state = sends if account.may_send else "DISARMED: nothing is sent"
            lines.append(f"{account.name} at {account.venue}, {account.mode}, {state}")
    return lines


def _welcome(
    settings: Settings, facts: FirstSteps | None, accounts: list[str], notes: list[str], *, is_first: bool
) -> str:
    """Return what a person reads first: where everything is, and a line that works as pasted.

    accounts, notes   a line for each account with a venue, and for whatever else should be known
    """
    lines = [
        "",
        f"  Pilothouse {__version__} is ready on {settings.address}",
        "",
        f"  Data         {settings.data}  (database, secrets, copies, logs)",
        "  Market       SIMULATED: made-up prices, seeded; BTCUSDT, ETHUSDT, SOLUSDT perpetuals",
        *(f"  At a venue   {line}" for line in accounts),
        *(f"  Note         {line}" for line in notes),
    ]
    if facts is None:
        return "\n".join(
            [
                *lines,
                f"  {first_steps.FILE} is not in the data directory, so tokens cannot be shown again;",
                "  stop Pilothouse and make a new one with `pilothouse token issue NAME --offline`, start it again,",
                "  then `pilothouse hooks rotate` makes a new address and secret.",
                "",
            ]
        )
    start = "a paper account with 10,000 USDT" if is_first else "your paper account"
    alert = (
        '{"action":"open","symbol":"BTCUSDT","side":"BUY","quantity":"0.01",'
        f'"stop_loss":"2%","webhook_secret":"{facts.webhook_secret}"}}'
    )
    return "\n".join(
        [
            *lines,
            f"  Account      {facts.account}  ({start}; leverage 10, fees 0.02 % / 0.05 %)",
            "  Limits       wide: position up to 20 x equity, 1,000 alerts/s; `pilothouse limits`",
            f"  Webhook      {facts.hook_url}",
            f"  Secret       {facts.webhook_secret}",
            f"  API token    {facts.operator_token}",
            f"  For scripts  {settings.data / first_steps.FILE}",
            "",
            "  Paste this in a second terminal: an alert becomes a filled order.",
            "",
            f"  curl -sS {settings.address}/webhook/tradingview -d '{alert}'",
            "",
            f"  Then: curl -sS {settings.address}/positions -H 'Authorization: Bearer {facts.operator_token}'",
            "  Stop with Ctrl-C; nothing is lost.",
            "",
        ]
    )
