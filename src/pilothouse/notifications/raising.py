"""Take in what alarms: an alarm begins, is counted, is told again, ends, is acknowledged; each in the caller's unit.

In: facts, and the time. Out: stored alarms, and for each address what it is to be told, with a message that has it
delivered.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pilothouse.accounts import trading_accounts
from pilothouse.core.errors import NotFound
from pilothouse.core.facts import Fact
from pilothouse.kit import outbox
from pilothouse.kit.db import Tx
from pilothouse.notifications import letters, pace, store, words
from pilothouse.notifications.addresses import Address
from pilothouse.notifications.letters import Kind
from pilothouse.notifications.store import AlarmRecord, Telling
from pilothouse.notifications.words import Alarm, Ended, Grade

AGAIN_TOPIC = "alarm.again"
TELL_TOPIC = "alarm.tell"


class AlarmNotFound(NotFound):
    """There is no such alarm, or it is somebody else's."""

    code = "alarm_not_found"


def take(tx: Tx, fact: Fact, message_id: str, addresses: Sequence[Address], now: datetime) -> None:
    """Take in a fact that may begin, repeat or end an alarm; the same message again changes nothing."""
    heard = words.heard(fact)
    if isinstance(heard, Ended):
        tx.lock(f"alarm:{heard.code}:{fact.account_id}:{heard.about}")
        was = store.latest(tx, heard.code, fact.account_id, heard.about)
        if was is not None and was.over_at is None:
            end(tx, was, addresses, now)
    elif heard is not None:
        _happened(tx, fact, heard, message_id, addresses, now)


def _happened(tx: Tx, fact: Fact, heard: Alarm, message_id: str, addresses: Sequence[Address], now: datetime) -> None:
    tx.lock(f"alarm:{heard.code}:{fact.account_id}:{heard.about}")
    was = store.latest(tx, heard.code, fact.account_id, heard.about)
    if was is not None and was.last_message == message_id:
        return
    if was is not None and was.over_at is None and pace.is_quiet(was.pace, was.last_at, now):
        store.change(tx, replace(was, over_at=was.last_at))
        was = None
    if was is None or was.over_at is not None:
        alarm, tells = _begun(tx, fact, heard, message_id, now)
        store.add(tx, alarm)
        kind = Kind.FIRST
    else:
        gone_on, tells = pace.happened_again(was.pace, now)
        if was.acknowledged_at is not None:
            gone_on, tells = replace(was.pace, count=gone_on.count, news=gone_on.news, next_at=None), False
        alarm = replace(was, pace=gone_on, last_at=fact.at, message=heard.message, last_message=message_id)
        if heard.meaning.grade is Grade.CRITICAL and was.grade != heard.meaning.grade.value:
            alarm, tells = _graver(alarm, heard, now), True
        store.change(tx, alarm)
        kind = Kind.FIRST if was.pace.told_at is None else Kind.AGAIN
    if tells:
        _tell(tx, alarm, kind, addresses, now)
    _come_back(tx, alarm)


def _graver(alarm: AlarmRecord, heard: Alarm, now: datetime) -> AlarmRecord:
    """Return an alarm that has become critical: it is news, whatever pause is on and whoever has seen the former."""
    meaning = heard.meaning
    begun, _ = pace.begin(now, stands=meaning.stands)
    return replace(
        alarm,
        pace=replace(begun, count=alarm.pace.count),
        grade=meaning.grade.value,
        headline=meaning.headline,
        did=meaning.did,
        todo=meaning.todo,
        acknowledged_at=None,
        acknowledged_by=None,
    )


def _begun(tx: Tx, fact: Fact, heard: Alarm, message_id: str, now: datetime) -> tuple[AlarmRecord, bool]:
    meaning = heard.meaning
    begun, tells = pace.begin(now, stands=meaning.stands, hold=meaning.hold)
    alarm = AlarmRecord(
        id=tx.ids.fresh("alm"),
        owner_id=fact.owner_id,
        account_id=fact.account_id,
        code=heard.code,
        about=heard.about,
        grade=meaning.grade.value,
        headline=meaning.headline,
        message=heard.message,
        did=meaning.did,
        todo=meaning.todo,
        first_at=fact.at,
        last_at=fact.at,
        pace=begun,
        acknowledged_at=None,
        acknowledged_by=None,
        over_at=None,
        last_message=message_id,
    )
    return alarm, tells


def again(tx: Tx, alarm_id: str, addresses: Sequence[Address], now: datetime) -> None:
    """Tell an alarm whose pause may be over; what is not due, acknowledged or over is left as it is."""
    was = store.get(tx, alarm_id)
    if was is None or was.over_at is not None or was.acknowledged_at is not None:
        return
    gone_on, tells = pace.when_due(was.pace, now)
    if gone_on == was.pace:
        return
    alarm = replace(was, pace=gone_on)
    store.change(tx, alarm)
    if tells:
        shown = replace(alarm, pace=replace(gone_on, news=was.pace.news))
        _tell(tx, shown, Kind.FIRST if was.pace.told_at is None else Kind.AGAIN, addresses, now)
    _come_back(tx, alarm)


def end(tx: Tx, alarm: AlarmRecord, addresses: Sequence[Address], now: datetime) -> None:
    """Close an alarm that is over; who was told that it began is told."""
    over = replace(alarm, over_at=now, pace=replace(alarm.pace, next_at=None))
    store.change(tx, over)
    if alarm.pace.told_at is not None:
        _tell(tx, over, Kind.OVER, addresses, now)


def acknowledge(tx: Tx, owner_id: str, alarm_id: str, by: str, now: datetime) -> AlarmRecord:
    """Tell an alarm no more until it is over and begins anew; raises AlarmNotFound. Twice is no error."""
    was = store.get(tx, alarm_id)
    if was is None or was.owner_id != owner_id:
        raise AlarmNotFound(f"there is no alarm {alarm_id!r}")
    if was.acknowledged_at is not None:
        return was
    alarm = replace(was, acknowledged_at=now, acknowledged_by=by[:120], pace=replace(was.pace, next_at=None))
    store.change(tx, alarm)
    return alarm


def _tell(tx: Tx, alarm: AlarmRecord, kind: Kind, addresses: Sequence[Address], now: datetime) -> None:
    """Store what each address is to be told, and have it delivered."""
    if not addresses:
        return
    title, body = letters.compose(alarm, kind, now, _account_name(tx, alarm.account_id))
    about_itself = alarm.about if alarm.code == words.ADDRESS_FAILS else None
    told = [
        Telling(
            id=tx.ids.fresh("tel"),
            owner_id=alarm.owner_id,
            alarm_id=alarm.id,
            address=address.key,
            label=address.label,
            grade=alarm.grade,
            title=title,
            body=body,
            made_at=now,
        )
        for address in addresses
        if address.label != about_itself
    ]
    store.add_tellings(tx, told)
    for one in told:
        deliver_from(tx, one.address, now, now)


def deliver_from(tx: Tx, address: str, now: datetime, at: datetime) -> None:
    """Have an address told what waits for it, from `at` on; one message waits for it at most."""
    payload = {"address": address}
    dedupe = f"{TELL_TOPIC}/{address}"
    outbox.put(tx, TELL_TOPIC, key=address, payload=payload, now=now, available_at=at, dedupe_key=dedupe)


def _come_back(tx: Tx, alarm: AlarmRecord) -> None:
    if alarm.pace.next_at is not None:
        outbox.put(
            tx,
            AGAIN_TOPIC,
            key=alarm.id,
            payload={"alarm_id": alarm.id},
            now=alarm.last_at,
            available_at=alarm.pace.next_at,
            dedupe_key=f"{AGAIN_TOPIC}/{alarm.id}",
        )


def _account_name(tx: Tx, account_id: str | None) -> str | None:
    if account_id is None:
        return None
    try:
        return trading_accounts.by_id(tx, account_id).name
    except NotFound:
        return account_id
