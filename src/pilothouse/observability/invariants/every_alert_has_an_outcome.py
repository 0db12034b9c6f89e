"""Every alert that was taken is decided within a minute, or there is a reason why it waits."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, select

from pilothouse.core.order import OrderState
from pilothouse.execution import halt_store
from pilothouse.execution.tables import orders
from pilothouse.fleet.store import WAITING
from pilothouse.fleet.tables import signals
from pilothouse.kit.db import Tx
from pilothouse.observability.invariants.rule import Finding, Gravity, Invariant, Looking

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
    first_in: dict[tuple[str, str | None], str] = {}
    for signal in tx.execute(_LATE, {"before": looking.now - UNDECIDED_AT_MOST}):
        first = first_in.setdefault((signal.account_id, signal.symbol), signal.id)
        reason = f"it waits behind {first}" if first != signal.id else _reason(tx, signal)
        waited = _seconds(signal.received_at, looking.now)
        words = f"alert {signal.id} in {signal.symbol} is {signal.state} for {waited} s"
        found.append(
            Finding(
                NAME,
                Gravity.WAITING if reason else Gravity.LATE,
                f"{words}: {reason}" if reason else f"{words}, and nothing holds it up",
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


def _seconds(since: datetime, now: datetime) -> str:
    return f"{(now - since).total_seconds():.0f}"


EVERY_ALERT_HAS_AN_OUTCOME = Invariant(NAME, "Is every alert decided within a minute, or held up for a reason?", check)
