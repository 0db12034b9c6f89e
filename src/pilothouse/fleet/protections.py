"""Every query over what positions are to be protected with, the orders made for it, and what accounts want done."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, and_, bindparam, delete, insert, select, update

from pilothouse.bots.bracket import TARGET, Protection
from pilothouse.bots.ladder import Progress
from pilothouse.core.clock import Since, Tick, since_both
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState
from pilothouse.execution import store as orders_store
from pilothouse.execution.store import OrderRecord
from pilothouse.fleet.store import guards_data, guards_from
from pilothouse.fleet.tables import awaited_protections, protection_policies, protections, protective_orders
from pilothouse.kit.db import Tx
from pilothouse.kit.hot import hot

FORMER = "former"
"""The place of an order that was made for a protection which another one has replaced: nothing wants it there."""


class Then(StrEnum):
    """What is done with a position whose protection does not stand in time, and cannot be placed in another way."""

    FLATTEN = "flatten"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Policy:
    """How long a position of an account may be without its protection, in seconds, and what is done then."""

    within_s: int
    then: Then


@dataclass(frozen=True, slots=True)
class ProtectionRecord:
    """The protection that a position is to have; see `fleet/tables.py`."""

    id: str
    account_id: str
    symbol: str
    owner_id: str
    hook_id: str | None
    signal_id: str | None
    asked_by: str
    asked_at: datetime
    protection: Protection
    updated_at: datetime
    asked_tick: Tick | None = None
    placed: int = 0
    position_opened: Since | None = None
    best_price: Decimal | None = None
    way: int = 0
    trail_floor: Decimal | None = None
    kept_here: frozenset[str] = frozenset()
    unprotected_since: datetime | None = None
    unprotected_us: int = 0
    watched_step: int = 0
    unprotected_tick: Tick | None = None

    def is_counted_by(self, tick: Tick) -> bool:
        """Say whether it is noted that the position is without its protection, as the machine of `tick` counts."""
        noted = self.unprotected_tick
        return self.unprotected_since is not None and noted is not None and noted.boot == tick.boot

    def naked_for(self, now: datetime, tick: Tick) -> timedelta:
        """Return for how long the position has been without its protection now; zero if it is not.

        By the machine's own count, where this boot has noted it: a wall clock that is set changes nothing then.
        """
        if self.unprotected_since is None:
            return timedelta(0)
        return Since(self.unprotected_since, self.unprotected_tick).span(now, tick)

    def unprotected(self, now: datetime, tick: Tick) -> timedelta:
        """Return for how long the position has been without its protection, in all."""
        return timedelta(microseconds=self.unprotected_us) + self.naked_for(now, tick)

    def wanted_for(self, opened: Since, now: datetime, tick: Tick) -> timedelta:
        """Return for how long a position that was `opened` then should have had its protection."""
        return since_both(opened, Since(self.asked_at, self.asked_tick), now, tick)


_ONE = hot(
    select(protections).where(
        protections.c.account_id == bindparam("account_id"), protections.c.symbol == bindparam("symbol")
    )
)
_ORDERS = select(protective_orders.c.order_id, protective_orders.c.place).where(
    protective_orders.c.protection_id == bindparam("protection_id")
)
# Targets say how far it has come; of the others, of which a trailing stop makes many, the last few are enough.
_ITS_TARGETS = hot(_ORDERS.where(protective_orders.c.place.startswith(TARGET)))
_ITS_LATEST = hot(_ORDERS.order_by(protective_orders.c.order_id.desc()).limit(10))


def _record(row: Row[Any]) -> ProtectionRecord:
    return replace(
        _asked(row),
        updated_at=row.updated_at,
        position_opened=_opened(row),
        best_price=row.best_price,
        trail_floor=row.trail_floor,
        unprotected_since=row.unprotected_since,
        unprotected_us=row.unprotected_us,
        watched_step=row.watched_step,
        unprotected_tick=_tick(row.unprotected_boot, row.unprotected_at_us),
    )


def _asked(row: Row[Any]) -> ProtectionRecord:
    """Return a protection with what both tables keep of it."""
    return ProtectionRecord(
        id=row.id,
        account_id=row.account_id,
        symbol=row.symbol,
        owner_id=row.owner_id,
        hook_id=row.hook_id,
        signal_id=row.signal_id,
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        protection=Protection(Side(row.side), guards_from(row.guards)),
        updated_at=row.asked_at,
        asked_tick=_tick(row.asked_boot, row.asked_at_us),
        placed=row.placed,
        way=row.way,
        kept_here=frozenset(row.kept_here),
    )


def _asked_values(record: ProtectionRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "account_id": record.account_id,
        "symbol": record.symbol,
        "owner_id": record.owner_id,
        "hook_id": record.hook_id,
        "signal_id": record.signal_id,
        "asked_by": record.asked_by,
        "asked_at": record.asked_at,
        **_tick_values("asked", record.asked_tick),
        "side": record.protection.side.value,
        "guards": guards_data(record.protection.guards),
        "placed": record.placed,
        "way": record.way,
        "kept_here": sorted(record.kept_here),
    }


def of(tx: Tx, account_id: str, symbol: str) -> ProtectionRecord | None:
    """Return the protection that is wanted in one instrument, or None."""
    row = tx.execute(_ONE, {"account_id": account_id, "symbol": symbol}).first()
    return _record(row) if row else None


def every(tx: Tx, account_ids: Iterable[str] | None = None) -> list[ProtectionRecord]:
    """Return every protection that is wanted, or those of some accounts."""
    query = select(protections)
    if account_ids is not None:
        query = query.where(protections.c.account_id.in_(list(account_ids)))
    return [_record(row) for row in tx.execute(query.order_by(protections.c.account_id, protections.c.symbol))]


def put(tx: Tx, record: ProtectionRecord) -> None:
    """Set the protection of one instrument; what stood before is forgotten, and what is awaited is left as it is."""
    tx.execute(delete(protections).where(_of_one(protections, record.account_id, record.symbol)))
    tx.execute(
        insert(protections).values(
            **_asked_values(record),
            **_opened_values(record.position_opened),
            best_price=record.best_price,
            trail_floor=record.trail_floor,
            unprotected_since=record.unprotected_since,
            unprotected_us=record.unprotected_us,
            watched_step=record.watched_step,
            updated_at=record.updated_at,
            **_tick_values("unprotected", record.unprotected_tick),
        )
    )


def note_naked(tx: Tx, record: ProtectionRecord, now: datetime, tick: Tick) -> None:
    """Keep that the position is without its protection from now on, as this start of the machine counts.

    How long it was so before the machine was started anew, the wall clock tells; nothing is done on its word.
    """
    total = record.unprotected_us + record.naked_for(now, tick) // timedelta(microseconds=1)
    change(tx, record, now, unprotected_since=now, unprotected_us=total, **_tick_values("unprotected", tick))


def note_covered(tx: Tx, record: ProtectionRecord, now: datetime, tick: Tick) -> None:
    """Keep that its protection stands again, and for how long it did not."""
    total = record.unprotected_us + record.naked_for(now, tick) // timedelta(microseconds=1)
    none = _tick_values("unprotected", None)
    change(tx, record, now, unprotected_since=None, unprotected_us=total, watched_step=0, **none)


def note_position(tx: Tx, record: ProtectionRecord, opened: Since | None, now: datetime, **values: Any) -> None:
    """Keep which position the protection belongs to, by when that was opened; None: to none yet."""
    change(tx, record, now, **_opened_values(opened), **values)


def _opened_values(opened: Since | None) -> dict[str, Any]:
    ticks = _tick_values("position_opened", opened.tick if opened else None)
    return {"position_opened_at": opened.at if opened else None, **ticks}


def _tick_values(name: str, tick: Tick | None) -> dict[str, Any]:
    return {f"{name}_boot": tick and tick.boot, f"{name}_at_us": tick and tick.us}


def _opened(row: Row[Any]) -> Since | None:
    tick = _tick(row.position_opened_boot, row.position_opened_at_us)
    return None if row.position_opened_at is None else Since(row.position_opened_at, tick)


def _tick(boot: str | None, us: int | None) -> Tick | None:
    return None if boot is None or us is None else Tick(boot, us)


def change(tx: Tx, record: ProtectionRecord, at: datetime, **values: Any) -> None:
    """Set columns of one protection."""
    if "kept_here" in values:
        values["kept_here"] = sorted(values["kept_here"])
    which = _of_one(protections, record.account_id, record.symbol)
    tx.execute(update(protections).where(which).values(updated_at=at, **values))


def forget(tx: Tx, account_id: str, symbol: str) -> None:
    """Delete the protection of one instrument; one that is awaited takes its place."""
    tx.execute(delete(protections).where(_of_one(protections, account_id, symbol)))
    behind = awaited(tx, account_id, symbol)
    if behind is not None:
        forget_awaited(tx, account_id, symbol)
        put(tx, behind)


def _of_one(table: Table, account_id: str, symbol: str) -> ColumnElement[bool]:
    return and_(table.c.account_id == account_id, table.c.symbol == symbol)


# ── Behind it: the protection of the other side ───────────────────────────────────────────────────

_AWAITED = hot(
    select(awaited_protections).where(
        awaited_protections.c.account_id == bindparam("account_id"),
        awaited_protections.c.symbol == bindparam("symbol"),
    )
)


def awaited(tx: Tx, account_id: str, symbol: str) -> ProtectionRecord | None:
    """Return the protection that is wanted once the position of one instrument was turned round, or None."""
    row = tx.execute(_AWAITED, {"account_id": account_id, "symbol": symbol}).first()
    return _asked(row) if row else None


def every_awaited(tx: Tx) -> list[ProtectionRecord]:
    """Return every protection that is wanted once a position was turned round."""
    order = awaited_protections.c.account_id, awaited_protections.c.symbol
    return [_asked(row) for row in tx.execute(select(awaited_protections).order_by(*order))]


def put_awaited(tx: Tx, record: ProtectionRecord) -> None:
    """Keep a protection for the time when the position was turned round; another that was awaited is forgotten."""
    forget_awaited(tx, record.account_id, record.symbol)
    tx.execute(insert(awaited_protections).values(**_asked_values(record)))


def forget_awaited(tx: Tx, account_id: str, symbol: str) -> None:
    """Delete the protection that is awaited in one instrument, if there is one."""
    tx.execute(delete(awaited_protections).where(_of_one(awaited_protections, account_id, symbol)))


# ── The orders made for it ────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Made:
    """The orders that were made for one protection, oldest first, each with its place."""

    orders: tuple[tuple[str, OrderRecord], ...] = ()

    def in_place(self, place: str) -> list[OrderRecord]:
        """Return the orders of one place, oldest first."""
        return [order for at, order in self.orders if at == place]

    def places(self) -> dict[str, str]:
        """Return the place of each order, by its id."""
        return {order.id: place for place, order in self.orders}

    def progress(self, record: ProtectionRecord, now: datetime, tick: Tick) -> Progress:
        """Return how far the protection has come, by what its orders have filled.

        A time stop counts from so long before `now` as the machine has counted: a clock that is set closes nothing.
        """
        filled: dict[int, Decimal] = {}
        done = set()
        for place, order in self.orders:
            if place.startswith(TARGET):
                number = int(place.removeprefix(TARGET))
                filled[number] = filled.get(number, Decimal(0)) + order.filled_quantity
                if order.state is OrderState.FILLED:
                    done.add(number)
        opened = record.position_opened
        return Progress(
            filled={number: quantity for number, quantity in filled.items() if quantity},
            done=frozenset(done),
            best=record.best_price,
            counts_from=now - record.wanted_for(opened, now, tick) if opened else None,
            way=record.way,
            trail_floor=record.trail_floor,
            kept_here=record.kept_here,
        )


def made_for(tx: Tx, record: ProtectionRecord) -> Made:
    """Return the orders that were made for a protection: all of its targets, and the latest of the rest."""
    which = {"protection_id": record.id}
    places = {row.order_id: row.place for query in (_ITS_TARGETS, _ITS_LATEST) for row in tx.execute(query, which)}
    found = orders_store.by_ids(tx, list(places)) if places else {}
    return Made(tuple((places[order_id], found[order_id]) for order_id in sorted(found)))


def former(tx: Tx, order_ids: Iterable[str]) -> dict[str, str]:
    """Return, by order, the place FORMER for those that were made for another protection than the one of now."""
    query = select(protective_orders.c.order_id).where(protective_orders.c.order_id.in_(list(order_ids)))
    return {row.order_id: FORMER for row in tx.execute(query)}


def note_order(tx: Tx, record: ProtectionRecord, order: OrderRecord, place: str) -> None:
    """Keep which part of a protection an order is; again is no error."""
    known = tx.execute(select(protective_orders.c.order_id).where(protective_orders.c.order_id == order.id)).first()
    if known is None:
        tx.execute(
            insert(protective_orders).values(
                order_id=order.id, owner_id=record.owner_id, protection_id=record.id, place=place
            )
        )


# ── What accounts want done ───────────────────────────────────────────────────────────────────────


def policy_of(tx: Tx, account_id: str) -> Policy | None:
    """Return what an account wants, or None: then it goes by the settings of the house."""
    row = tx.execute(select(protection_policies).where(protection_policies.c.account_id == account_id)).first()
    return Policy(row.within_s, Then(row.then)) if row else None


def set_policy(tx: Tx, account_id: str, owner_id: str, policy: Policy, *, by: str, now: datetime) -> None:
    """Set what an account wants."""
    tx.execute(delete(protection_policies).where(protection_policies.c.account_id == account_id))
    tx.execute(
        insert(protection_policies).values(
            account_id=account_id,
            owner_id=owner_id,
            within_s=policy.within_s,
            then=policy.then.value,
            updated_at=now,
            updated_by=by,
        )
    )
