"""Limits per account and trading halts.

An account without a row of limits has the wide ones of a new paper account: they let a newcomer play and still
stop a runaway.
"""

from decimal import Decimal
from typing import Any

from pilothouse.core.clock import iso
from pilothouse.core.errors import Invalid, Problem
from pilothouse.core.facts import Fact, FactKind
from pilothouse.core.risk import Limits
from pilothouse.core.rounding import NotExact, exact, plain
from pilothouse.execution import account_store
from pilothouse.execution.desk import Desk
from pilothouse.kit.db import Tx

WIDE = Limits(
    order_notional_max=Decimal(1_000_000),
    position_equity_ratio_max=Decimal(20),
    orders_per_minute_max=100_000,
    daily_loss_percent_max=Decimal(100),
    price_collar_percent=Decimal(10),
    quote_age_max_s=Decimal(10),
)

_BOUNDS: dict[str, tuple[Decimal, Decimal, str]] = {
    "order_notional_max": (Decimal(1), Decimal(10**12), "quote currency of one order"),
    "position_equity_ratio_max": (Decimal("0.01"), Decimal(200), "position as a multiple of equity"),
    "orders_per_minute_max": (Decimal(1), Decimal(1_000_000), "orders within 60 seconds, a whole number"),
    "daily_loss_percent_max": (Decimal("0.01"), Decimal(100), "percent of the equity at midnight UTC"),
    "price_collar_percent": (Decimal("0.01"), Decimal(100), "percent away from the mark price"),
    "quote_age_max_s": (Decimal("0.1"), Decimal(3600), "seconds"),
}


def of_account(tx: Tx, account_id: str) -> Limits:
    """Return the limits of an account."""
    row = account_store.limits_row(tx, account_id)
    if row is None:
        return WIDE
    return Limits(
        order_notional_max=row.order_notional_max,
        position_equity_ratio_max=row.position_equity_ratio_max,
        orders_per_minute_max=row.orders_per_minute_max,
        daily_loss_percent_max=row.daily_loss_percent_max,
        price_collar_percent=row.price_collar_percent,
        quote_age_max_s=row.quote_age_max_s,
    )


def as_values(limits: Limits) -> dict[str, Any]:
    """Return limits as plain values by name."""
    return {name: getattr(limits, name) for name in _BOUNDS}


def change(tx: Tx, desk: Desk, account_id: str, owner_id: str, asked: dict[str, Any], by: str) -> Limits:
    """Set the limits named in `asked`, keep the others; raises Invalid naming every wrong one."""
    values = as_values(of_account(tx, account_id))
    problems = []
    for name, came in asked.items():
        if name not in _BOUNDS:
            problems.append(Problem(name, "no such limit", f"one of {', '.join(_BOUNDS)}", "unknown_field"))
            continue
        low, high, meaning = _BOUNDS[name]
        try:
            number = exact(came)
        except NotExact:
            number = Decimal(-1)
        whole = name != "orders_per_minute_max" or number == int(number)
        if not low <= number <= high or not whole:
            allowed = f"{plain(low)} to {plain(high)}: {meaning}"
            problems.append(Problem(name, f"{str(came)[:40]!r} came", allowed, "out_of_range"))
            continue
        values[name] = int(number) if name == "orders_per_minute_max" else number
    if problems:
        raise Invalid(problems)
    account_store.put_limits(tx, account_id, owner_id, values, desk.clock.now(), by)
    return Limits(**values)


def halt(tx: Tx, desk: Desk, account_id: str, owner_id: str, *, reason: str, by: str) -> account_store.Halt:
    """Stop new exposure on an account; it may still reduce. An account that is halted already stays as it is."""
    tx.lock(f"account:{account_id}")
    standing = account_store.halted(tx, account_id)
    if standing is not None:
        return standing
    stop = account_store.Halt(desk.ids.fresh("hlt"), owner_id, account_id, desk.clock.now(), by, reason)
    account_store.add_halt(tx, stop)
    tx.announce(
        Fact(FactKind.ACCOUNT_HALTED, owner_id, stop.at, account_id, {"reason": reason, "by": by, "at": iso(stop.at)})
    )
    return stop


def resume(tx: Tx, desk: Desk, account_id: str, owner_id: str, *, by: str) -> bool:
    """Let an account trade again; returns whether it was halted."""
    tx.lock(f"account:{account_id}")
    now = desk.clock.now()
    if not account_store.end_halts(tx, account_id, now, by):
        return False
    tx.announce(Fact(FactKind.ACCOUNT_RESUMED, owner_id, now, account_id, {"by": by, "at": iso(now)}))
    return True
