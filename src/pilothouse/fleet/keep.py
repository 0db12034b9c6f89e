"""A signal as it stands is kept, and told: what was decided of it, or why it waits or was refused."""

from pilothouse.core.errors import Invalid, NotFound, Problem, Refused
from pilothouse.core.facts import Fact, FactKind
from pilothouse.execution.desk import Desk
from pilothouse.execution.gate import DeniedByRisk
from pilothouse.fleet import store
from pilothouse.fleet.store import SignalRecord, SignalState
from pilothouse.kit.db import Tx

WAITS = "Stored; waits for its turn"


def keep(tx: Tx, desk: Desk, record: SignalRecord, *, is_fresh: bool) -> SignalRecord:
    """Store a signal as it is now, and tell."""
    now = desk.clock.now()
    record = record.but(changed_at=now)
    if is_fresh:
        store.add(tx, record)
    else:
        store.change(
            tx,
            record.id,
            now,
            state=record.state,
            step=record.step,
            code=record.code,
            message=record.message,
            http_status=record.http_status,
            detail=record.detail,
            alert_key=record.alert_key,
        )
    tell(tx, record)
    return record


def nothing_to_do(
    tx: Tx, record: SignalRecord, state: SignalState, message: str, *, code: str | None = None
) -> SignalRecord:
    """Store a fresh alert with which nothing is to be done, and tell."""
    done = record.but(state=state, message=message, code=code)
    store.add(tx, done)
    tell(tx, done)
    return done


def refused(record: SignalRecord, refusal: Refused) -> SignalRecord:
    """Return the signal refused, with the status its sender is told: 400 wrong field, 404 no position, else 200."""
    status = 400 if isinstance(refusal, Invalid) else 404 if isinstance(refusal, NotFound) else 200
    detail: dict[str, object] | None = None
    if isinstance(refusal, Invalid):
        detail = {"problems": [_problem_data(problem) for problem in refusal.problems]}
    elif isinstance(refusal, DeniedByRisk):
        detail = {
            "reasons": [
                {"code": one.code, "number": one.number, "limit": one.limit, "message": one.message}
                for one in refusal.reasons
            ]
        }
    return record.but(
        state=SignalState.REFUSED,
        code=refusal.code,
        message=str(refusal),
        http_status=status,
        detail=detail,
        alert_key=record.alert_key if status == 200 else None,
    )


def tell(tx: Tx, record: SignalRecord) -> None:
    """Announce where a signal stands."""
    tx.announce(
        Fact(
            FactKind.SIGNAL_CHANGED,
            record.owner_id,
            record.changed_at,
            record.account_id,
            {
                "signal_id": record.id,
                "hook_id": record.hook_id,
                "symbol": record.symbol,
                "kind": record.signal.kind.value if record.signal else None,
                "state": record.state.value,
                "code": record.code,
                "message": record.message,
            },
        )
    )


def why_waiting(*, is_deaf: bool) -> str:
    """Return what a signal that is not decided yet is told to wait for."""
    if is_deaf:
        return "Stored; waits until the account is heard at its venue again"
    return WAITS


def _problem_data(problem: Problem) -> dict[str, str]:
    return {"field": problem.field, "message": str(problem), "type": problem.code}
