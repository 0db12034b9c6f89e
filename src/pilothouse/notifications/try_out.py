"""Try alarm addresses: a test goes to each of them at once, and what came of it is returned and kept."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from pilothouse.core.clock import Clock
from pilothouse.core.errors import Refused
from pilothouse.kit.db import Database, Tx
from pilothouse.notifications import post, store, words
from pilothouse.notifications.addresses import Address, address
from pilothouse.notifications.letters import Letter
from pilothouse.notifications.pace import Pace
from pilothouse.notifications.post import Post
from pilothouse.notifications.store import AlarmRecord, Telling

_AT_ONCE = 8


class NoAlarmAddress(Refused):
    """There is nobody to tell."""

    code = "no_alarm_address"


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one address: `error` says why it did not arrive, empty if it did."""

    label: str
    error: str

    @property
    def arrived(self) -> bool:
        """Say whether the address took it."""
        return not self.error


def try_out(database: Database, clock: Clock, known: Post, owner_id: str, by: str, url: str | None) -> list[Tried]:
    """Send a test to every address of the settings, or to `url` alone; waits for the slowest, some seconds.

    Raises NoAlarmAddress if there is none, AddressNotUnderstood for a `url` that no service fits.
    """
    wanted = known.addresses if url is None else (address(url),)
    if not wanted:
        raise NoAlarmAddress("no alarm address is set: put some into PILOTHOUSE_ALARM_URLS, or name one")
    meaning = words.MEANINGS[words.TEST]
    body = f"What happened: {by} asked for a test.\nWhat was done: {meaning.did}\nWhat to do: {meaning.todo}"
    letter = Letter(f"Pilothouse [test] {meaning.headline}", body, meaning.grade)
    begun = clock.now()

    def one(each: Address) -> Tried:
        error = post.send_once(each.url, letter) if url is not None else known.send(each.key, letter)
        return Tried(each.label, error)

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="pilothouse-try") as pool:
        tried = list(pool.map(one, wanted))
    outcomes = list(zip(wanted, tried, strict=True))
    database.write(lambda tx: _keep(tx, owner_id, by, letter, outcomes, begun, clock.now()), name="alarm test")
    return tried


def _keep(
    tx: Tx,
    owner_id: str,
    by: str,
    letter: Letter,
    outcomes: list[tuple[Address, Tried]],
    begun: datetime,
    now: datetime,
) -> None:
    meaning = words.MEANINGS[words.TEST]
    alarm = AlarmRecord(
        id=tx.ids.fresh("alm"),
        owner_id=owner_id,
        account_id=None,
        code=words.TEST,
        about="",
        grade=meaning.grade.value,
        headline=meaning.headline,
        message=f"{by} asked for a test",
        did=meaning.did,
        todo=meaning.todo,
        first_at=begun,
        last_at=begun,
        pace=Pace(stands=False, count=1, news=0, step=0, told_at=begun, next_at=None),
        acknowledged_at=None,
        acknowledged_by=None,
        over_at=now,
        last_message="",
    )
    store.add(tx, alarm)
    tellings = [
        Telling(
            id=tx.ids.fresh("tel"),
            owner_id=owner_id,
            alarm_id=alarm.id,
            address=where.key,
            label=where.label,
            grade=alarm.grade,
            title=letter.title,
            body=letter.body,
            made_at=begun,
            attempts=1,
            tried_at=begun,
            error=came.error or None,
            settled_at=now,
            arrived=came.arrived,
        )
        for where, came in outcomes
    ]
    store.add_tellings(tx, tellings)
