"""What is so right now and a person should know: asked every few seconds, told when it begins and when it is over.

In: an open house. Out: an alarm for each condition that began, the end of each alarm whose condition is gone. What is
told already stands as an open alarm in the record, so nothing is told twice, also after a restart.
"""

import shutil
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from pilothouse.accounts import hooks, trading_accounts
from pilothouse.core.clock import iso
from pilothouse.core.facts import Fact, FactKind
from pilothouse.core.rounding import plain
from pilothouse.execution import doubt, hearing, wallet
from pilothouse.fleet import expect, protections
from pilothouse.kit.db import Tx
from pilothouse.notifications import raising, store, words
from pilothouse.observability import losses
from pilothouse.observability.condition import Condition, Key
from pilothouse.observability.living import Living

UNKNOWN_AT_MOST = timedelta(seconds=60)
UNPROTECTED_AT_MOST = timedelta(seconds=10)
DISK_FREE_LEAST = 500_000_000
"""Bytes. With less, a person is told while everything can still be written."""

_ASKED_HERE = (
    words.ORDER_UNKNOWN,
    words.POSITION_UNPROTECTED,
    words.WALLET_DIFFERS,
    *losses.CODES,
    words.DISK_LOW,
    words.CLOCK_OFF,
    words.HOOK_SILENT,
    words.HOOK_NOT_THERE,
)


def look(house: Living) -> list[Condition]:
    """Tell what began and end what is over; return everything that is so. Raises Unavailable without a database."""
    now = house.clock.now()
    found, opened = house.database.read(lambda tx: _asked(tx, house, now))
    free = shutil.disk_usage(house.settings.data).free
    found += about_disk(free, house.operator_id)
    found += about_clocks(house)
    known = {_key(one): one for one in opened}
    present = {one.key: one for one in found}
    began = [one for key, one in present.items() if key not in known or _is_another(one, known[key])]
    deaf = house.database.read(lambda tx: _deaf(tx, now)) if opened else frozenset()
    over = [
        one
        for one in opened
        if (one.account_id not in deaf if one.code == words.ACCOUNT_NOT_HEARD else _key(one) not in present)
    ]
    if began or over:
        house.database.write(lambda tx: _tell(tx, house, began, over, now), name="standing")
    return found


def end_invariants(house: Living) -> None:
    """End the alarms of invariants that hold again; only after they were asked by this process."""
    opened = house.database.read(lambda tx: store.open_alarms(tx, [words.INVARIANT]))
    standing = {(f"{words.INVARIANT}{name}", account_id) for name, account_id in house.remembered.standing}
    over = [one for one in opened if (one.code, one.account_id) not in standing]
    if over:
        house.database.write(lambda tx: _tell(tx, house, [], over, house.clock.now()), name="standing")


def about_disk(free: int, operator_id: str) -> list[Condition]:
    """Return what is to be said of so many free bytes; nothing if they are enough."""
    if free >= DISK_FREE_LEAST:
        return []
    message = f"{free // 1_000_000} MB are free where the data folder is, {DISK_FREE_LEAST // 1_000_000} should be"
    return [Condition(words.DISK_LOW, "", None, operator_id, message)]


def about_clocks(house: Living) -> list[Condition]:
    """Return what is to be said of venues whose clock is not ours, as it was read last."""
    found = []
    for venue in house.desk.venues:
        ahead = house.desk.clock_ahead(venue)
        if ahead:
            seconds, way = f"{abs(ahead).total_seconds():.0f}", "behind" if ahead > timedelta(0) else "ahead of"
            message = f"this machine's clock is {seconds} s {way} the clock of {venue}"
            detail = {"venue": venue, "seconds": seconds}
            found.append(Condition(words.CLOCK_OFF, venue, None, house.operator_id, message, detail))
    return found


def _is_another(one: Condition, told: store.AlarmRecord) -> bool:
    """Say whether other numbers stand now than were told: a wallet that differs by something else is news."""
    return one.code == words.WALLET_DIFFERS and one.message != told.message


def _key(alarm: store.AlarmRecord) -> Key:
    return alarm.code, alarm.account_id, alarm.about


def _open(tx: Tx) -> list[store.AlarmRecord]:
    return store.open_alarms(tx, [*_ASKED_HERE, words.ACCOUNT_NOT_HEARD])


def _deaf(tx: Tx, now: datetime) -> frozenset[str]:
    return frozenset(one.account_id for one in hearing.all_accounts(tx) if one.deaf_since(now) is not None)


def _tell(tx: Tx, house: Living, began: list[Condition], over: list[store.AlarmRecord], now: datetime) -> None:
    for one in began:
        payload = {"code": one.code, "about": one.about, "message": one.message, **one.detail}
        tx.announce(Fact(FactKind.ALARM_RAISED, one.owner_id, now, one.account_id, payload))
    for alarm in over:
        latest = store.get(tx, alarm.id)
        if latest is not None and latest.over_at is None:
            raising.end(tx, latest, house.post.addresses, now)


def _asked(tx: Tx, house: Living, now: datetime) -> tuple[list[Condition], list[store.AlarmRecord]]:
    opened = _open(tx)
    return list(_conditions(tx, house, {_key(one) for one in opened}, now)), opened


def _conditions(tx: Tx, house: Living, opened: Collection[Key], now: datetime) -> Iterator[Condition]:
    for one in doubt.longer_than(tx, UNKNOWN_AT_MOST, now):
        seconds = f"{(now - one.since).total_seconds():.0f}"
        more = f", and {one.orders - 1} more there" if one.orders > 1 else ""
        message = f"nobody knows what became of order {one.first} in {one.symbol} for {seconds} s, asked about "
        message += f"{one.asked} times{more}"
        detail = {"symbol": one.symbol, "order_id": one.first, "since": iso(one.since)}
        yield Condition(words.ORDER_UNKNOWN, one.symbol, one.account_id, one.owner_id, message, detail)
    for wanted in protections.every(tx):
        since, naked = wanted.unprotected_since, wanted.naked_for(now, house.clock.tick())
        if since is not None and naked > UNPROTECTED_AT_MOST:
            seconds = f"{naked.total_seconds():.0f}"
            message = f"the position in {wanted.symbol} has been without its stop for {seconds} s"
            detail = {"symbol": wanted.symbol, "signal_id": wanted.signal_id or "", "since": iso(since)}
            code = words.POSITION_UNPROTECTED
            yield Condition(code, wanted.symbol, wanted.account_id, wanted.owner_id, message, detail)
    for miss in expect.missed(tx, house.desk, hooks.expecting(tx), now):
        yield Condition(miss.code, miss.about, miss.account_id, miss.owner_id, miss.message)
    differing = {one.account_id: one for one in wallet.every(tx) if one.is_sure}
    accounts = trading_accounts.active_accounts(tx)
    for account in accounts:
        if account.id in differing:
            yield _of_wallet(differing[account.id], account.currency)
    yield from losses.of_accounts(tx, house, accounts, opened, now)
    yield from losses.of_all_accounts(tx, house, accounts, opened, now)


def _of_wallet(one: wallet.WalletDiffers, currency: str) -> Condition:
    ours, theirs = plain(one.ours), plain(one.theirs)
    message = f"the venue says {theirs} {currency}, our entries say {ours}, since {iso(one.since)}"
    detail = {"ours": ours, "theirs": theirs, "currency": currency, "since": iso(one.since)}
    return Condition(words.WALLET_DIFFERS, "", one.account_id, one.owner_id, message, detail)
