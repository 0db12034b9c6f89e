"""A backtest is asked for: a prepared request goes in; one that is done, under way or queued comes out.

The same request of the same user is found, not made again. A queued one is a row and its message in the outbox, put in
one transaction; whoever claims the message works on it under a lease (`progress.py`).
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from pilothouse.accounts.audit import record
from pilothouse.backtest import store
from pilothouse.backtest.bounds import Bounds, refuse_too_much
from pilothouse.backtest.store import Backtest, Kind, State
from pilothouse.core.errors import Invalid
from pilothouse.core.facts import Fact, FactKind
from pilothouse.kit import outbox
from pilothouse.kit.db import Tx

BACKTEST_TOPIC: Final = f"{outbox.PATIENT}backtest"


class Unfit(Invalid):
    """A request that was understood, and whose fields do not fit the strategy, the candles or each other."""

    code = "backtest_unfit"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that was understood, and what it would be.

    asked          the request, with everything that was not said filled in
    name           SHA-256 of everything the result depends on
    spec           what is run, as canonical JSON; None for a check
    bars           of each trial
    combinations   how many trials
    kept           the result, where one is kept already
    """

    kind: Kind
    strategy: str
    asked: dict[str, Any]
    name: str
    spec: str | None
    bars: int
    combinations: int
    kept: dict[str, Any] | None = None

    @property
    def work(self) -> int:
        """Return bars times combinations."""
        return self.bars * self.combinations


def ask(tx: Tx, prepared: Prepared, house: Bounds, *, owner_id: str, who: str, now: datetime) -> Backtest:
    """Return the backtest of this request: the one there is, or a new one, which is queued. Raises TooMuch."""
    tx.lock(f"backtests:{owner_id}")
    known = store.same(tx, owner_id, prepared.kind, prepared.name)
    if known is not None:
        return known
    state = State.QUEUED if prepared.kept is None else State.DONE
    if prepared.kept is None:
        refuse_too_much(tx, owner_id, house, prepared.work, now)
    fresh = Backtest(
        id=tx.ids.fresh("bt"),
        owner_id=owner_id,
        kind=prepared.kind,
        strategy=prepared.strategy,
        name=prepared.name,
        asked=prepared.asked,
        spec=prepared.spec,
        bars=prepared.bars,
        combinations=prepared.combinations,
        state=state,
        requested_by=who[:120],
        created_at=now,
        progress_ppm=0 if prepared.kept is None else 1_000_000,
        found=prepared.kept is not None,
        result=prepared.kept,
        finished_at=None if prepared.kept is None else now,
    )
    store.add(tx, fresh)
    if prepared.kept is None:
        outbox.put(tx, BACKTEST_TOPIC, key=fresh.id, payload={"backtest_id": fresh.id}, now=now)
    detail = {"backtest_id": fresh.id, "kind": fresh.kind.value, "strategy": fresh.strategy, "name": fresh.name}
    record(tx, owner_id=owner_id, who=who, what="backtest.asked", now=now, detail=detail)
    tell(tx, fresh, state, fresh.progress_ppm, now)
    return fresh


def tell(tx: Tx, backtest: Backtest, state: State, progress_ppm: int, now: datetime) -> None:
    """Say how far a backtest has come."""
    payload = {
        "backtest_id": backtest.id,
        "kind": backtest.kind.value,
        "strategy": backtest.strategy,
        "state": state.value,
        "progress": share_of(progress_ppm),
    }
    tx.announce(Fact(FactKind.BACKTEST_CHANGED, backtest.owner_id, now, None, payload))


def share_of(progress_ppm: int) -> Decimal:
    """Return a progress as a share, 0 to 1."""
    return Decimal(progress_ppm).scaleb(-6).normalize()
