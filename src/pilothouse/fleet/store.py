"""Every query over the fleet's tables."""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, select, update

from pilothouse.core.clock import Tick
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType
from pilothouse.core.rounding import exact
from pilothouse.core.signals import Guards, Level, Signal, SignalKind, Size, SizeKind, Target, Trailing
from pilothouse.fleet.tables import signals
from pilothouse.kit.db import Tx
from pilothouse.kit.hot import hot


class SignalState(StrEnum):
    """Where a signal is: `pending` waits for its turn, `active` is in the middle of its orders, the rest is decided."""

    PENDING = "pending"
    ACTIVE = "active"
    DECIDED = "decided"
    NOOP = "noop"
    REFUSED = "refused"
    SUPERSEDED = "superseded"


WAITING = (SignalState.PENDING, SignalState.ACTIVE)


@dataclass(frozen=True, slots=True)
class SignalRecord:
    """One alert and what became of it; see `fleet/tables.py`."""

    id: str
    owner_id: str
    account_id: str
    hook_id: str
    shape: str
    alert_key: str | None
    fingerprint: str
    body: Any
    signal: Signal | None
    symbol: str | None
    received_at: datetime
    state: SignalState
    step: int
    code: str | None
    message: str
    http_status: int
    detail: Any
    deliveries: int
    changed_at: datetime
    heard: Tick | None = None

    def but(self, **changes: Any) -> "SignalRecord":
        """Return the same with other values, as `dataclasses.replace` does, in a third of its time."""
        return SignalRecord(**dict(zip(_NAMES, _VALUES(self), strict=True), **changes))


_NAMES = tuple(field.name for field in fields(SignalRecord))
_VALUES = attrgetter(*_NAMES)
_SELECT = select(signals)
_BY_ID = hot(_SELECT.where(signals.c.id == bindparam("signal_id")))
_BY_KEY = hot(_SELECT.where(signals.c.hook_id == bindparam("hook_id"), signals.c.alert_key == bindparam("alert_key")))
_SAME_BODIES = 16
_BY_BODY = hot(
    select(signals.c.id, signals.c.received_at, signals.c.heard_boot, signals.c.heard_us)
    .where(
        signals.c.hook_id == bindparam("hook_id"),
        signals.c.fingerprint == bindparam("fingerprint"),
        signals.c.alert_key.is_not(None),
    )
    .order_by(signals.c.received_at.desc())
    .limit(_SAME_BODIES)
)
# One state at a time, so that the index gives them in order however many wait; what is active came before the rest.
_WAITING_IN = {
    state: hot(
        _SELECT.where(
            signals.c.state == state.value,
            signals.c.account_id == bindparam("account_id"),
            signals.c.symbol == bindparam("symbol"),
        )
        .order_by(signals.c.id)
        .limit(bindparam("most"))
    )
    for state in (SignalState.ACTIVE, SignalState.PENDING)
}
_WAITING = (
    select(signals.c.account_id, signals.c.symbol)
    .where(signals.c.state.in_([state.value for state in WAITING]))
    .distinct()
)
_INSERT = hot(insert(signals))
_CHANGE = hot(update(signals).where(signals.c.id == bindparam("this_signal")))


def signal_data(signal: Signal) -> dict[str, Any]:
    """Return a signal as plain data, decimals as they are."""
    return {
        "kind": signal.kind.value,
        "symbol": signal.symbol,
        "side": signal.side.value if signal.side else None,
        "size": {"kind": signal.size.kind.value, "value": signal.size.value} if signal.size else None,
        "target": signal.target,
        "order_type": signal.order_type.value,
        "price": signal.price,
        "stop_loss": level_data(signal.stop_loss),
        "take_profit": level_data(signal.take_profit),
        "take_profits": [target_data(target) for target in signal.take_profits],
        "break_even_after": signal.break_even_after,
        "trailing_stop": trailing_data(signal.trailing_stop),
        "time_stop_s": signal.time_stop_s,
        "alert_id": signal.alert_id,
        "sent_at": signal.sent_at,
        "comment": signal.comment,
        "bar_time": signal.bar_time,
        "counter": signal.counter,
        "position_before": signal.position_before,
    }


def _signal(data: dict[str, Any]) -> Signal:
    sent_at = data["sent_at"]
    return Signal(
        kind=SignalKind(data["kind"]),
        symbol=data["symbol"],
        side=Side(data["side"]) if data["side"] else None,
        size=Size(SizeKind(data["size"]["kind"]), exact(data["size"]["value"])) if data["size"] else None,
        target=_decimal(data["target"]),
        order_type=OrderType(data["order_type"]),
        price=_decimal(data["price"]),
        stop_loss=_level(data["stop_loss"]),
        take_profit=_level(data["take_profit"]),
        alert_id=data["alert_id"],
        sent_at=datetime.fromisoformat(sent_at) if sent_at else None,
        comment=data["comment"],
        # An alert that an older version stored lacks these.
        bar_time=datetime.fromisoformat(data["bar_time"]) if data.get("bar_time") else None,
        counter=data.get("counter"),
        position_before=_decimal(data.get("position_before")),
        take_profits=tuple(_target(each) for each in data.get("take_profits", ())),
        break_even_after=data.get("break_even_after"),
        trailing_stop=_trailing(data.get("trailing_stop")),
        time_stop_s=data.get("time_stop_s"),
    )


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else exact(text)


def level_data(level: Level | None) -> dict[str, Any] | None:
    """Return a level as plain data, decimals as they are."""
    return {"price": level.price, "percent": level.percent, "distance": level.distance} if level else None


def target_data(target: Target) -> dict[str, Any]:
    """Return a target as plain data, decimals as they are."""
    return {"level": level_data(target.level), "share": target.share}


def trailing_data(trailing: Trailing | None) -> dict[str, Any] | None:
    """Return a trailing stop as plain data, decimals as they are."""
    if trailing is None:
        return None
    return {
        "percent": trailing.percent,
        "distance": trailing.distance,
        "activation": level_data(trailing.activation),
    }


def guards_data(guards: Guards) -> dict[str, Any]:
    """Return what a position is to be protected with as plain data, decimals as they are."""
    return {
        "stop_loss": level_data(guards.stop_loss),
        "targets": [target_data(target) for target in guards.targets],
        "break_even_after": guards.break_even_after,
        "trailing": trailing_data(guards.trailing),
        "time_stop_s": guards.time_stop_s,
    }


def guards_from(data: dict[str, Any]) -> Guards:
    """Return what `guards_data` made plain."""
    return Guards(
        _level(data.get("stop_loss")),
        tuple(_target(each) for each in data.get("targets", ())),
        data.get("break_even_after"),
        _trailing(data.get("trailing")),
        data.get("time_stop_s"),
    )


def _level(data: dict[str, Any] | None) -> Level | None:
    if not data:
        return None
    return Level(_decimal(data["price"]), _decimal(data["percent"]), _decimal(data.get("distance")))


def _target(data: dict[str, Any]) -> Target:
    level = _level(data["level"])
    assert level is not None, "a target has a level"
    return Target(level, _decimal(data["share"]))


def _trailing(data: dict[str, Any] | None) -> Trailing | None:
    if not data:
        return None
    return Trailing(_decimal(data["percent"]), _decimal(data["distance"]), _level(data["activation"]))


def _record(row: Row[Any]) -> SignalRecord:
    return SignalRecord(
        id=row.id,
        owner_id=row.owner_id,
        account_id=row.account_id,
        hook_id=row.hook_id,
        shape=row.shape,
        alert_key=row.alert_key,
        fingerprint=row.fingerprint,
        body=row.body,
        signal=_signal(row.signal) if row.signal else None,
        symbol=row.symbol,
        received_at=row.received_at,
        state=SignalState(row.state),
        step=row.step,
        code=row.code,
        message=row.message,
        http_status=row.http_status,
        detail=row.detail,
        deliveries=row.deliveries,
        changed_at=row.changed_at,
        heard=None if row.heard_boot is None else Tick(row.heard_boot, row.heard_us),
    )


def add(tx: Tx, record: SignalRecord) -> None:
    """Store an alert."""
    tx.execute(
        _INSERT,
        {
            "id": record.id,
            "owner_id": record.owner_id,
            "account_id": record.account_id,
            "hook_id": record.hook_id,
            "shape": record.shape,
            "alert_key": record.alert_key,
            "fingerprint": record.fingerprint,
            "body": record.body,
            "signal": signal_data(record.signal) if record.signal else None,
            "kind": record.signal.kind.value if record.signal else None,
            "symbol": record.symbol,
            "received_at": record.received_at,
            "state": record.state.value,
            "step": record.step,
            "code": record.code,
            "message": record.message,
            "http_status": record.http_status,
            "detail": record.detail,
            "deliveries": record.deliveries,
            "changed_at": record.changed_at,
            "heard_boot": record.heard.boot if record.heard else None,
            "heard_us": record.heard.us if record.heard else None,
        },
    )


def change(tx: Tx, signal_id: str, at: datetime, **values: Any) -> None:
    """Set columns of one signal."""
    if "state" in values:
        values["state"] = values["state"].value
    tx.execute(_CHANGE, {"this_signal": signal_id, "changed_at": at, **values})


def delivered_again(tx: Tx, signal_id: str) -> None:
    """Count one more delivery of the same alert."""
    tx.execute(update(signals).where(signals.c.id == signal_id).values(deliveries=signals.c.deliveries + 1))


def get(tx: Tx, signal_id: str) -> SignalRecord | None:
    """Return one signal, or None."""
    row = tx.execute(_BY_ID, {"signal_id": signal_id}).first()
    return _record(row) if row else None


def by_key(tx: Tx, hook_id: str, alert_key: str) -> SignalRecord | None:
    """Return the hook's signal with that key, or None."""
    row = tx.execute(_BY_KEY, {"hook_id": hook_id, "alert_key": alert_key}).first()
    return _record(row) if row else None


def by_body(
    tx: Tx, hook_id: str, fingerprint: str, within: timedelta, now: datetime, tick: Tick
) -> SignalRecord | None:
    """Return the hook's oldest signal within that span whose body had that fingerprint, or None.

    By the count of the machine where it was started since; else by the wall clock. Looks at the newest of them alone.
    """
    found = None
    for row in tx.execute(_BY_BODY, {"hook_id": hook_id, "fingerprint": fingerprint}):
        if row.heard_boot == tick.boot:
            is_within = Tick(row.heard_boot, row.heard_us).until(tick) <= within
        else:
            is_within = row.received_at > now - within
        found = row.id if is_within else found
    return None if found is None else get(tx, found)


def waiting_in(tx: Tx, account_id: str, symbol: str, most: int) -> list[SignalRecord]:
    """Return the first `most` signals of one instrument that are not decided, in order of arrival."""
    where = {"account_id": account_id, "symbol": symbol, "most": most}
    found = [_record(row) for statement in _WAITING_IN.values() for row in tx.execute(statement, where)]
    return found[:most]


def symbols_since(tx: Tx, account_id: str, since: datetime) -> set[str]:
    """Return the symbols that alerts for an account named since then."""
    query = select(signals.c.symbol).where(signals.c.account_id == account_id, signals.c.received_at > since)
    return set(tx.execute(query.where(signals.c.symbol.is_not(None)).distinct()).scalars())


def waiting(tx: Tx) -> list[tuple[str, str]]:
    """Return the (account id, symbol) pairs in which a signal waits."""
    return [(row.account_id, row.symbol) for row in tx.execute(_WAITING)]


def count_waiting(tx: Tx) -> int:
    """Return how many signals wait."""
    query = select(func.count()).select_from(signals).where(signals.c.state.in_([s.value for s in WAITING]))
    return int(tx.execute(query).scalar_one())


@dataclass(frozen=True, slots=True)
class SignalFilter:
    """What a list of signals is narrowed to; None does not narrow."""

    account_id: str | None = None
    hook_id: str | None = None
    symbol: str | None = None
    state: SignalState | None = None
    since: datetime | None = None
    until: datetime | None = None


def page(tx: Tx, owner_id: str, narrow: SignalFilter, *, before: str | None, limit: int) -> list[SignalRecord]:
    """Return the owner's signals, newest first, behind the cursor `before` (a signal id)."""
    query = _SELECT.where(signals.c.owner_id == owner_id)
    for column, value in (
        (signals.c.account_id, narrow.account_id),
        (signals.c.hook_id, narrow.hook_id),
        (signals.c.symbol, narrow.symbol),
        (signals.c.state, narrow.state.value if narrow.state else None),
    ):
        if value is not None:
            query = query.where(column == value)
    if narrow.since is not None:
        query = query.where(signals.c.received_at >= narrow.since)
    if narrow.until is not None:
        query = query.where(signals.c.received_at <= narrow.until)
    if before is not None:
        query = query.where(signals.c.id < before)
    return [_record(row) for row in tx.execute(query.order_by(signals.c.id.desc()).limit(limit))]
