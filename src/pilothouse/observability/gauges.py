"""The gauges that Prometheus reads: counted from the record when it asks, not kept beside it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from pilothouse.backtest import computers
from pilothouse.backtest import store as backtest_store
from pilothouse.core.clock import Tick
from pilothouse.core.order import OrderState
from pilothouse.execution import halts, hearing
from pilothouse.execution.tables import orders
from pilothouse.fleet import protections as records
from pilothouse.kit import outbox
from pilothouse.kit.db import Tx
from pilothouse.observability.living import Living

_BY_STATE = select(orders.c.state, func.count()).group_by(orders.c.state)
_UNKNOWN = (
    select(func.count())
    .select_from(orders)
    .where(orders.c.is_live.is_(True), orders.c.state == OrderState.UNKNOWN.value)
)
_HEARD = {"lost": 0, "catching_up": 1, "live": 2}


@dataclass(frozen=True, slots=True)
class Counts:
    """What must stay small.

    unknown       orders whose outcome is being asked for
    outbox        messages by state; `outbox_lag`: how long the oldest due one has been waiting
    halted        accounts on which trading is halted
    unprotected   how long the longest-waiting position has been without the stop it should have
    """

    unknown: int
    outbox: dict[str, int]
    outbox_lag: timedelta
    halted: int
    unprotected: timedelta


def count(tx: Tx, now: datetime, tick: Tick) -> Counts:
    """Count what must stay small; quick, because it does."""
    return Counts(
        unknown=int(tx.execute(_UNKNOWN).scalar_one()),
        outbox=outbox.counts(tx),
        outbox_lag=outbox.lag(tx, now),
        halted=len(halts.halted_accounts(tx)),
        unprotected=max((each.naked_for(now, tick) for each in records.every(tx)), default=timedelta(0)),
    )


def orders_by_state(tx: Tx) -> dict[str, int]:
    """Return how many orders there are in each state, those with none too; reads every order."""
    return {state.value: 0 for state in OrderState} | {row[0]: row[1] for row in tx.execute(_BY_STATE)}


def set_gauges(house: Living) -> None:
    """Set every gauge from the record, in one snapshot. Raises Unavailable if the database does not answer."""
    now, tick = house.clock.now(), house.clock.tick()
    meters = house.meters
    counts, by_state, heard, guarded, backtests, computing = house.database.read(
        lambda tx: (
            count(tx, now, tick),
            orders_by_state(tx),
            hearing.all_accounts(tx),
            records.every(tx),
            backtest_store.by_state(tx),
            computers.present(tx, now),
        )
    )
    meters.position_unprotected.clear()
    meters.position_unprotected_in_all.clear()
    for record in guarded:
        place = {"account": record.account_id, "symbol": record.symbol}
        meters.position_unprotected.labels(**place).set(record.naked_for(now, tick).total_seconds())
        meters.position_unprotected_in_all.labels(**place).set(record.unprotected(now, tick).total_seconds())
    meters.heard.clear()
    for one in heard:
        meters.heard.labels(account=one.account_id).set(_HEARD[one.shown(now).value])
    for state, number in by_state.items():
        meters.orders.labels(state=state).set(number)
    meters.unknown_orders.set(counts.unknown)
    meters.unprotected_seconds.set(counts.unprotected.total_seconds())
    for state, number in counts.outbox.items():
        meters.outbox_messages.labels(state=state).set(number)
    meters.outbox_parked.set(counts.outbox[outbox.PARKED])
    meters.outbox_lag.set(counts.outbox_lag.total_seconds())
    meters.accounts_halted.set(counts.halted)
    for state, number in backtests.items():
        meters.backtests.labels(state=state).set(number)
    meters.compute_processes.set(len(computing))
    meters.units_waiting.set(house.database.waiting)
    for venue in house.desk.venues:
        for symbol, quote in house.quotes.all(venue).items():
            meters.quote_age.labels(venue=venue, symbol=symbol).set((now - quote.at).total_seconds())
