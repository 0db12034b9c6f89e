"""`pilothouse doctor`: is everything as it must be, and what to do where it is not.

Looks at this machine first, then asks the house if it runs. Nothing is changed.
"""

import os
import platform
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from pilothouse.cli.options import Json, Token, Url

if TYPE_CHECKING:
    from rich.console import Console

    from pilothouse.cli.talk import House
    from pilothouse.kit.settings import Settings

OK, NOTE, BAD, SKIPPED = "ok", "note", "bad", "skipped"

_MARKS: Final = {OK: ("✓", "green"), NOTE: ("!", "yellow"), BAD: ("✗", "bold red"), SKIPPED: ("–", "dim")}
_DISK_BAD, _DISK_NOTE = 200 * 2**20, 2 * 2**30
_SKEW_NOTE, _SKEW_BAD = timedelta(seconds=1), timedelta(seconds=5)
_DEAF_BAD = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    state    ok, note (works, but look at it), bad, or skipped (could not be looked at now)
    found    what is the case
    advice   what to do; empty where nothing is to be done
    """

    check: str
    state: str
    found: str
    advice: str = ""


def doctor(*, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Check this machine, the data, the database and the house that runs; say what to do where something is wrong."""
    from pilothouse.cli import show

    findings = list(examine(url, token))
    sound = all(finding.state != BAD for finding in findings)
    told = {"ok": sound, "checks": [asdict(finding) for finding in findings]}
    show.out(told, as_json=as_json, draw=lambda screen: _draw(screen, findings))
    if not sound:
        raise typer.Exit(1)


def examine(url: str | None, token: str | None) -> Iterator[Finding]:
    """Yield what is found, from the ground up."""
    from pilothouse.cli import environment
    from pilothouse.core.errors import Invalid

    yield _python()
    try:
        settings = environment.settings()
    except Invalid as invalid:
        yield Finding("settings", BAD, str(invalid), "mend or unset these variables")
        return
    yield Finding("settings", OK, f"data in {settings.data}")
    yield from _data(settings)
    yield _disk(settings)
    yield from _database(settings)
    yield from _running(settings, url, token)


# ── this machine ──────────────────────────────────────────────────────────────────────────────────


def _python() -> Finding:
    """Tell which Python this is; one that is too old could not have read this far."""
    return Finding("python", OK, f"{platform.python_version()}, {sys.executable}")


def _data(settings: "Settings") -> Iterator[Finding]:
    """Look whether the data folder and what is in it belong to us and to nobody else."""
    folder = settings.data
    if not folder.is_dir():
        yield Finding("data folder", NOTE, f"{folder} is not there", "the first `pilothouse up` makes it")
        return
    if folder.stat().st_uid != os.geteuid():
        yield Finding("data folder", BAD, "it belongs to another user", f"run this as that user, or chown -R {folder}")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield Finding("data folder", BAD, "it cannot be written to", f"chmod 700 {folder}")
        return
    wide = [path for path in (folder, *_private_files(folder)) if stat.S_IMODE(path.stat().st_mode) & 0o077]
    if wide:
        names = ", ".join(path.name for path in wide[:4]) + (" and more" if len(wide) > 4 else "")
        yield Finding("data folder", BAD, f"others on this machine can read {names}", f"chmod -R go= {folder}")
        return
    yield Finding("data folder", OK, "only you can read it")


def _private_files(folder: Path) -> Iterator[Path]:
    """Yield every file below the data folder; files that vanish meanwhile are left out."""
    for path in folder.rglob("*"):
        with suppress(OSError):
            if path.is_file() and not path.is_symlink():
                yield path


def _disk(settings: "Settings") -> Finding:
    place = next(path for path in (settings.data, *settings.data.parents) if path.exists())
    free = shutil.disk_usage(place).free
    words = f"{free / 2**30:.1f} GiB free"
    advice = "a full disk stops trading: make room, or move the data folder (PILOTHOUSE_DATA)"
    if free < _DISK_BAD:
        return Finding("disk", BAD, words, advice)
    return Finding("disk", NOTE, words, advice) if free < _DISK_NOTE else Finding("disk", OK, words)


# ── the database ──────────────────────────────────────────────────────────────────────────────────


def _database(settings: "Settings") -> Iterator[Finding]:
    """Look whether the database answers, is whole, has the right shape, and knows the time."""
    from pilothouse.core.errors import PilothouseError
    from pilothouse.kit import soundness

    try:
        faults = soundness.faults(settings.database_url)
        if faults:
            copies = settings.data / "backups"
            yield Finding("database", BAD, "; ".join(faults[:3]), f"stop Pilothouse and take a copy from {copies}")
            return
        yield Finding("database", OK, "answers, and is whole")
        yield _migrations(settings)
        yield _clock(settings)
    except soundness.NoDatabase as missing:
        yield Finding("database", NOTE, str(missing), "pilothouse up")
    except PilothouseError as error:
        yield Finding("database", BAD, str(error), "is PILOTHOUSE_DATABASE_URL right, and the server up?")


def _migrations(settings: "Settings") -> Finding:
    from pilothouse.kit.schema import HEAD
    from pilothouse.migrations.migrate import current

    at = current(settings.database_url)
    if at == HEAD:
        return Finding("migrations", OK, f"at {at}")
    return Finding("migrations", NOTE, f"at {at}, this version wants {HEAD}", "`pilothouse up` copies it and migrates")


def _clock(settings: "Settings") -> Finding:
    """Hold our clock against the database's; a venue's clock is asked where there is a venue with one."""
    from pilothouse.kit import soundness
    from pilothouse.kit.clocks import SystemClock

    theirs = soundness.clock_of(settings.database_url)
    if theirs is None:
        return Finding("clock", OK, "database and paper venue go by this machine's clock")
    skew = abs(SystemClock().now() - theirs)
    words = f"{skew / timedelta(milliseconds=1):.0f} ms away from the database's"
    state = BAD if skew > _SKEW_BAD else NOTE if skew > _SKEW_NOTE else OK
    return Finding("clock", state, words, "" if state == OK else "set this machine's clock: timedatectl set-ntp true")


# ── the house ─────────────────────────────────────────────────────────────────────────────────────


def _running(settings: "Settings", url: str | None, token: str | None) -> Iterator[Finding]:
    """Ask the house, if it runs; else look whether its port is free."""
    from pilothouse import __version__
    from pilothouse.cli import talk
    from pilothouse.core.errors import PilothouseError

    try:
        way = talk.find(url, token)
    except talk.NotRunning as missing:
        way = talk.Way(missing.url)
    except PilothouseError as error:
        yield Finding("first steps", BAD, str(error))
        way = talk.Way((url or settings.address).rstrip("/"))
    with talk.House(way) as house:
        try:
            alive = house.get("/health")
        except talk.NotRunning:
            yield from _port(settings, way.url)
            return
        except talk.Answered as unwell:
            alive = unwell.body
        except PilothouseError as error:
            yield Finding("running", BAD, str(error), "look into logs/pilothouse.log in the data folder")
            return
        if "request_id" in alive:
            yield Finding("running", BAD, f"{way.url} answers: {alive.get('detail')}", _LOG)
            return
        if "version" not in alive:
            yield Finding("running", BAD, f"something else answers on {way.url}", "choose another PILOTHOUSE_PORT")
            return
        same = alive["version"] == __version__
        words = f"version {alive['version']} on {way.url}"
        yield (
            Finding("running", OK, words)
            if same
            else Finding(
                "running",
                NOTE,
                f"{words}, this command is {__version__}",
                "start Pilothouse again to run what is installed",
            )
        )
        yield from _health(alive)
        if not way.token:
            yield Finding("operator token", NOTE, "none is known here", "show one with --token @FILE")
            return
        yield from _inside(house)


def _port(settings: "Settings", url: str) -> Iterator[Finding]:
    """Say that it does not run, and whether it could."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            place = f"{settings.host}:{settings.port}"
            yield Finding(
                "port", BAD, f"{place} cannot be used ({error.strerror})", "stop what uses it, or set PILOTHOUSE_PORT"
            )
            return
    yield Finding("port", OK, f"{settings.port} is free")
    yield Finding("running", NOTE, f"not running on {url}", "start it with `make run` or `pilothouse up`")


def _health(alive: dict[str, Any]) -> Iterator[Finding]:
    """Tell what the house says of itself: unhealthy is bad, degraded is something to look at."""
    status = str(alive.get("status"))
    checks = alive.get("checks")
    wrong = {name: one for name, one in checks.items() if not one.get("ok")} if isinstance(checks, dict) else {}
    for name, one in wrong.items():
        state = BAD if status == "unhealthy" else NOTE
        yield Finding(name.replace("_", " "), state, str(one.get("words")), _ADVICE.get(name, _LOG))
    if not wrong:
        yield Finding("health", OK if status == "healthy" else BAD, status, "" if status == "healthy" else _LOG)


_LOG: Final = "look into logs/pilothouse.log in the data folder"
_ADVICE: Final = {
    "database": "is the disk full, or the database server down?",
    "unknown_orders": "the venue is asked every few seconds: pilothouse orders --state unknown",
    "parked_messages": "pilothouse parked",
    "halts": "pilothouse account list; then pilothouse resume, once it is mended",
    "invariants": "keep a copy of the data folder before mending anything",
}


def _inside(house: "House") -> Iterator[Finding]:
    """Ask for what only an operator may see."""
    questions: tuple[tuple[str, Callable[[House], Iterator[Finding]]], ...] = (
        ("accounts", _accounts),
        ("parked messages", _parked),
        ("invariants", _invariants),
    )
    from pilothouse.cli import talk
    from pilothouse.core.errors import PilothouseError

    for name, ask in questions:
        try:
            yield from ask(house)
        except talk.Answered as refused:
            yield Finding(name, BAD, str(refused), "show a good token: --token @FILE" * (refused.status == 401))
            if refused.status == 401:
                return
        except PilothouseError as error:
            yield Finding(name, SKIPPED, str(error))


def _accounts(house: "House") -> Iterator[Finding]:
    for row in house.pages("/api/v1/accounts", limit=1000)["items"]:
        halt = row.get("halt")
        if halt:
            words = f"{row['name']} is halted by {halt['by']}: {halt['reason']}"
            yield Finding("accounts", NOTE, words, f"pilothouse resume --account {row['name']}")
        elif row.get("state", "active") == "active":
            yield _account(row)


def _account(row: dict[str, Any]) -> Finding:
    """Tell of an account that is not halted: whether its venue was asked about it, and whether it sends."""
    name, test, stream = row["name"], row.get("test") or {}, row.get("stream") or {}
    place = f"{name} at {row['venue']} ({row.get('market')})"
    is_deaf = bool(stream) and stream["state"] != "live"
    if is_deaf and (row.get("simulated") or test.get("passed")):
        return _deaf(row, place)
    if row.get("simulated"):
        return Finding("accounts", OK, f"{place} may trade" + (", heard live" if stream else ""))
    if not test:
        return Finding(
            "accounts", NOTE, f"{place} is not yet tested: its venue did not answer", f"pilothouse account test {name}"
        )
    if not test.get("passed"):
        return Finding(
            "accounts", BAD, f"{place} did not pass: {test.get('message')}", f"pilothouse account test {name}"
        )
    found = test.get("found") or {}
    rights = {"True": "may withdraw", "False": "may not withdraw"}.get(str(found.get("may_withdraw")), "may withdraw?")
    words = f"{place}: heard live, passed, clock {found.get('clock_ahead_ms')} ms apart, its key {rights}"
    if not row.get("may_send"):
        return Finding("accounts", NOTE, f"{words}; disarmed: nothing is sent", f"pilothouse account arm {name}")
    return Finding("accounts", OK, f"{words}; sends")


def _deaf(row: dict[str, Any], place: str) -> Finding:
    """Tell of an account that is not heard at its venue: for a moment that is ordinary, after a reconnect."""
    from pilothouse.cli import show
    from pilothouse.cli.account import heard

    since = show.instant(row["stream"]["since"])
    is_long = since is not None and show.now() - since > _DEAF_BAD
    advice = f"does its venue answer? pilothouse account test {row['name']}; the log says more"
    return Finding("accounts", BAD if is_long else NOTE, f"{place}: {heard(row)}", advice)


def _parked(house: "House") -> Iterator[Finding]:
    from pilothouse.cli.show import items

    rows = items(house.get("/api/v1/outbox/parked"))
    if rows:
        yield Finding("parked messages", BAD, f"{len(rows)}: {rows[0].get('error')}", "pilothouse parked")
    else:
        yield Finding("parked messages", OK, "none")


def _invariants(house: "House") -> Iterator[Finding]:
    from pilothouse.cli.show import items

    rows = items(house.get("/api/v1/invariants"))
    broken = [row for row in rows if not row.get("ok")]
    for row in broken:
        yield Finding("invariants", BAD, f"{row.get('name')}: {row.get('detail')}", _ADVICE["invariants"])
    if not broken:
        yield Finding("invariants", OK, f"all {len(rows)} hold")


# ── on the screen ─────────────────────────────────────────────────────────────────────────────────


def _draw(screen: "Console", findings: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(width=1)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for finding in findings:
        mark, style = _MARKS[finding.state]
        words = Text(finding.found, style="dim" if finding.state == SKIPPED else "")
        if finding.advice:
            words.append(f"\n→ {finding.advice}", style=style)
        grid.add_row(Text(mark, style=style), finding.check, words)
    screen.print(grid)
    bad = sum(finding.state == BAD for finding in findings)
    notes = sum(finding.state == NOTE for finding in findings)
    if bad:
        screen.print(Text(f"\n{bad} to mend", style="bold red"))
    else:
        screen.print(Text("\nall is well" + (f", {notes} to look at" if notes else ""), style="bold green"))
