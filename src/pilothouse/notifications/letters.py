"""Alarms as text: one alarm in, or several that wait for the same address; a title and a body out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pilothouse.core.clock import iso
from pilothouse.notifications.store import AlarmRecord, Telling
from pilothouse.notifications.words import Grade

LINES_MAX = 20
_MESSAGE_LENGTH_MAX = 600


class Kind(StrEnum):
    """Why it is told."""

    FIRST = "first"
    AGAIN = "again"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent, as one message."""

    title: str
    body: str
    grade: Grade


def compose(alarm: AlarmRecord, kind: Kind, now: datetime, account: str | None) -> tuple[str, str]:
    """Return title and body for one alarm.

    account   the account's name; None if it concerns none
    """
    where = " ".join([*([alarm.about] if alarm.about else []), *([f"on {account}"] if account else [])])
    place = f" ({where})" if where else ""
    message = alarm.message[:_MESSAGE_LENGTH_MAX]
    if kind is Kind.OVER:
        title = f"[over] {alarm.headline}{place}"
        lasted = lasted_words((now - alarm.first_at).total_seconds())
        return title, f"It is over after {lasted}. It was: {message}\nAlarm {alarm.id}"
    lines = [f"What happened: {message}", f"What was done: {alarm.did}", f"What to do: {alarm.todo}"]
    title = f"[{alarm.grade}] {alarm.headline}{place}"
    if kind is Kind.AGAIN:
        title = f"[{alarm.grade}, again] {alarm.headline}{place}"
        times = alarm.pace.count
        since = lasted_words((now - alarm.first_at).total_seconds())
        still = "It still is so. " if alarm.pace.stands else ""
        lines.insert(0, f"{still}Raised {times} time{'' if times == 1 else 's'} in {since}.")
    lines.append(f"Since {iso(alarm.first_at)}. To hear no more of it: pilothouse alarm ack {alarm.id}")
    return title, "\n".join(lines)


def as_one(waiting: Sequence[Telling]) -> Letter:
    """Return one message for everything that waits for an address, at least one thing, oldest first."""
    critical = any(one.grade == Grade.CRITICAL for one in waiting)
    grade = Grade.CRITICAL if critical else Grade.WARNING
    if len(waiting) == 1:
        return Letter(f"Pilothouse {waiting[0].title}", waiting[0].body, grade)
    shown = waiting[:LINES_MAX]
    parts = [f"{number}. {one.title}\n{one.body}" for number, one in enumerate(shown, start=1)]
    if len(waiting) > len(shown):
        parts.append(f"And {len(waiting) - len(shown)} more: pilothouse alarm list")
    return Letter(f"Pilothouse [{grade}] {len(waiting)} alarms", "\n\n".join(parts), grade)


def unwritten(why: str) -> Letter:
    """Return what is told when not even an alarm can be written down."""
    body = (
        f"What happened: the record cannot be read or written: {why[:_MESSAGE_LENGTH_MAX]}\n"
        "What was done: alerts are refused, and their senders told to try again. Stops stay at the venue.\n"
        "What to do: make room on the disk, or bring the database back; then run `pilothouse doctor`."
    )
    return Letter("Pilothouse [critical] The record cannot be written", body, Grade.CRITICAL)


def lasted_words(seconds: float) -> str:
    """Return a length of time in words of one unit."""
    whole = int(seconds)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if whole >= 2 * size:
            return f"{whole // size} {unit}"
    return f"{whole} s"
