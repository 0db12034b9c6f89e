"""Every alert that was taken is decided within a minute, or there is a reason why it waits.

What is undecided is told. When the same alert is first in its instrument for ten minutes and three runs, with nothing
that holds it up, it is stuck: then nothing adds on its account. While there is no price, or the account is not heard,
it is told and halts nothing: the house does what it can.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, select

from pilothouse.core.order import OrderState
from pilothouse.execution import halt_store, hearing
from pilothouse.execution.tables import orders
from pilothouse.fleet.store import WAITING
from pilothouse.fleet.tables import signals
from pilothouse.kit.db import Tx
from pilothouse.observability.invariants.nothing_stays_unknown import SILENT_AFTER
from pilothouse.observability.invariants.rule import Finding, Gravity, Invariant, Looking, Stuck
from pilothouse.observability.invariants.whose import accounts

NAME = "every_alert_has_an_outcome"
UNDECIDED_AT_MOST = timedelta(seconds=60)

_LIMIT = 200

_LATE = (
    select(
        signals.c.id,
        signals.c.owner_id,
        signals.c.account_id,
        signals.c.hook_id,
        signals.c.symbol,
        signals.c.state,
        signals.c.received_at,
    )
    .where(signals.c.state.in_([state.value for state in WAITING]), signals.c.received_at < bindparam("before"))
    .order_by(signals.c.id)
    .limit(_LIMIT)
)
_IN_DOUBT = (
    select(orders.c.id, orders.c.state)
    .where(
        orders.c.is_live.is_(True),
        orders.c.account_id == bindparam("account"),
        orders.c.symbol == bindparam("symbol"),
        orders.c.state.in_([OrderState.UNKNOWN.value, OrderState.INTENDED.value, OrderState.SENDING.value]),
    )
    .order_by(orders.c.id)
    .limit(1)
)


def check(tx: Tx, looking: Looking) -> list[Finding]:
    """Return alerts that are not decided in time; those with a reason to wait are only shown, with the reason."""
    found = []
    late = tx.execute(_LATE, {"before": looking.now - UNDECIDED_AT_MOST}).all()
    first_in: dict[object, str] = {}
    for signal in late:
        first_in.setdefault((signal.account_id, signal.symbol), signal.id)
    firsts = [signal for signal in late if first_in[signal.account_id, signal.symbol] == signal.id]
    reasons = {signal.id: _reason(tx, signal) for signal in firsts}
    outside = {signal.id: _outside(tx, looking, signal) for signal in firsts}
    stuck = looking.memory.keep(NAME, Stuck)
    stuck.seen({queue: first for queue, first in first_in.items() if not reasons[first] and not outside[first]})
    for signal in late:
        queue = (signal.account_id, signal.symbol)
        first = first_in[queue]
        reason = f"it waits behind {first}" if first != signal.id else reasons[first]
        waited = _seconds(signal.received_at, looking.now)
        words = f"alert {signal.id} in {signal.symbol} is {signal.state} for {waited} s"
        found.append(
            Finding(
                NAME,
                Gravity.WAITING if reason else stuck.gravity(queue, looking.now - signal.received_at),
                f"{words}: {reason}" if reason else f"{words}, and {outside[signal.id] or 'nothing holds it up'}",
                signal.account_id,
                signal.owner_id,
                {"signal_id": signal.id, "seconds": waited},
            )
        )
    return found


def _reason(tx: Tx, signal: Row[Any]) -> str:
    """Return what an alert waits for, in words; empty if there is nothing."""
    order = tx.execute(_IN_DOUBT, {"account": signal.account_id, "symbol": signal.symbol}).first()
    if order is not None:
        return f"it waits for order {order.id}, which is {order.state}"
    halt = halt_store.halted(tx, signal.account_id, signal.owner_id, signal.hook_id)
    return f"it waits for the end of halt {halt.id}" if halt is not None else ""


def _outside(tx: Tx, looking: Looking, signal: Row[Any]) -> str:
    """Return what is missing from outside of the house, without which nothing is decided; empty if there is nothing."""
    if hearing.deaf_since(tx, signal.account_id, looking.now) is not None:
        return "its account is not heard at the venue"
    whose = accounts(tx, looking).get(signal.account_id)
    age = looking.quote_age(whose.venue, signal.symbol) if whose is not None and signal.symbol else None
    return "there is no price" if whose is not None and (age is None or age > SILENT_AFTER) else ""


def _seconds(since: datetime, now: datetime) -> str:
    return f"{(now - since).total_seconds():.0f}"


EVERY_ALERT_HAS_AN_OUTCOME = Invariant(NAME, "Is every alert decided within a minute, or held up for a reason?", check)
