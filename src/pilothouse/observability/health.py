"""Whether the house lives, whether it may be given work, and what is wrong: for load balancers, doctors and people.

Nothing here is secret and nothing names an account: strangers may ask.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from pilothouse import __version__
from pilothouse.backtest import computers
from pilothouse.backtest import store as backtest_store
from pilothouse.backtest.store import State
from pilothouse.core.clock import millis
from pilothouse.core.errors import Broken, Unavailable
from pilothouse.execution import hearing
from pilothouse.kit import schema
from pilothouse.kit.db import Tx
from pilothouse.observability.gauges import Counts, count
from pilothouse.observability.living import Living

QUOTE_AGE_MOST = timedelta(seconds=10)
"""An older quote would be refused by the risk gate of a new account."""

OUTBOX_LAG_MOST = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `words` say what was seen, good or bad."""

    name: str
    ok: bool
    words: str


class Ready(NamedTuple):
    """Whether the house may be given work: only if every check is well."""

    ok: bool
    checks: tuple[Check, ...]


def live() -> dict[str, str]:
    """Say that this process runs and answers; it looks at nothing, so that a slow database restarts nobody."""
    return {"status": "alive", "version": __version__}


def ready(house: Living) -> Ready:
    """Say whether the house may be given work."""
    checks = (
        _database(house),
        _writer(house),
        *_markets(house, simulated=True),
        _dispatcher(house),
    )
    return Ready(all(check.ok for check in checks), checks)


def report(house: Living) -> dict[str, Any]:
    """Return the whole state in plain data: `status` is healthy, degraded (works, but look at it) or unhealthy."""
    readiness = ready(house)
    checks = [*readiness.checks, *_concerns(house)] if readiness.checks[0].ok else list(readiness.checks)
    well = all(check.ok for check in checks)
    status = "unhealthy" if not readiness.ok else "healthy" if well else "degraded"
    return {
        "status": status,
        "timestamp": millis(house.clock.now()),
        "version": __version__,
        "markets": {name: _market_kind(house, name) for name in sorted(house.desk.venues)},
        "checks": {check.name: {"ok": check.ok, "words": check.words} for check in checks},
    }


def _database(house: Living) -> Check:
    """Ask the database which revision it has: it answers, and it is the one that this code works with."""
    try:
        found = house.database.read(lambda tx: schema.revision(tx.connection))
    except Unavailable:
        return Check("database", ok=False, words="the database does not answer")
    if found != schema.HEAD:
        return Check("database", ok=False, words=f"the database is at revision {found}, the code at {schema.HEAD}")
    return Check("database", ok=True, words=f"answers, at revision {found}")


def _writer(house: Living) -> Check:
    if not house.database.alive:
        return Check("writer", ok=False, words="the house is stopping, or a thread that commits has ended")
    return Check("writer", ok=True, words=f"commits; {house.database.waiting} units wait")


def _dispatcher(house: Living) -> Check:
    if house.desk.lanes.closed:
        return Check("dispatcher", ok=False, words="the house is stopping: nothing is sent any more")
    return Check("dispatcher", ok=True, words=f"sends; {house.desk.lanes.waiting()} orders wait")


def _markets(house: Living, *, simulated: bool) -> Iterator[Check]:
    """Yield for each venue whether its quotes are fresh.

    simulated   which ones: made-up markets stand or fall with this house; one real venue that is away does not keep
                it from trading at the others
    """
    now = house.clock.now()
    for name in sorted(house.desk.venues):
        if house.desk.venues[name].card.simulated is not simulated:
            continue
        quotes = house.quotes.all(name)
        kind = _market_kind(house, name)
        if not quotes:
            yield Check(f"quotes_{name}", ok=not simulated, words=f"{kind}: there is no price yet")
            continue
        # The newest one: in a quiet instrument nothing may move for long, in all of them at once never.
        age = now - max(quote.at for quote in quotes.values())
        words = f"{kind}: {len(quotes)} prices, the newest {age.total_seconds():.1f} s old"
        yield Check(f"quotes_{name}", ok=age <= QUOTE_AGE_MOST, words=words)


def _market_kind(house: Living, venue: str) -> str:
    return house.desk.venues[venue].card.market


def _concerns(house: Living) -> Iterator[Check]:
    """Yield what does not keep the house from working but wants a person."""
    now = house.clock.now()

    def counted(tx: Tx) -> Counts:
        return count(tx, now, house.clock.tick())

    try:
        counts = house.database.read(counted)
    except (Unavailable, Broken):
        yield Check("record", ok=False, words="the record could not be read")
        return
    yield _none("unknown_orders", counts.unknown, "orders whose outcome is being asked for")
    yield _none("parked_messages", counts.outbox["parked"], "messages that failed too often and wait for a person")
    lag = counts.outbox_lag
    yield Check("outbox", ok=lag <= OUTBOX_LAG_MOST, words=f"the oldest due message waits {lag.total_seconds():.1f} s")
    yield from _markets(house, simulated=False)
    heard = house.database.read(hearing.all_accounts)
    if heard:
        deaf = sum(1 for one in heard if one.deaf_since(now) is not None)
        words = f"accounts that are heard at their venues: {len(heard) - deaf} of {len(heard)}"
        yield Check("streams", ok=not deaf, words=words)
    yield _computing(house)
    yield _none("halts", counts.halted, "accounts on which trading is halted")
    naked = counts.unprotected
    words = f"a position lacks its stop for {naked.total_seconds():.1f} s" if naked else "every position has its stop"
    yield Check("protection", ok=not naked, words=words)
    broken = sorted({name for name, _ in house.remembered.standing})
    words = f"broken: {', '.join(broken)}" if broken else "every invariant held when last asked"
    yield Check("invariants", ok=not broken, words=words)


def _computing(house: Living) -> Check:
    """Say who computes backtests; it is wrong only if some wait and nobody does."""
    now = house.clock.now()
    names, waiting = house.database.read(
        lambda tx: (computers.present(tx, now), backtest_store.by_state(tx)[State.QUEUED.value])
    )
    words = f"{len(names)} processes compute, {waiting} backtests wait"
    if waiting and not names:
        words += "; start `pilothouse worker`, or set PILOTHOUSE_BACKTEST_WORKERS"
    return Check("backtests", ok=bool(names) or not waiting, words=words)


def _none(name: str, number: int, what: str) -> Check:
    return Check(name, ok=number == 0, words=f"{what}: {number}")
