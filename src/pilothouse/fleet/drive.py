"""One turn of one instrument of one account: what is there in; orders, cancels and changed signals out.

Level-triggered: asked again whenever something moved, it does what is due and nothing twice. Alerts are decided one
after the other in order of arrival; while an order is unknown, or an older signal is in the middle of its orders,
the later ones wait, and a newer target or close supersedes the older ones that wait.
"""

from datetime import timedelta
from decimal import Decimal

from pilothouse.accounts.hooks import Hook, get
from pilothouse.bots import follow
from pilothouse.bots.alert import Shape
from pilothouse.core.errors import Invalid, NotFound, Problem, Refused, Unavailable
from pilothouse.core.facts import Fact, FactKind
from pilothouse.core.instrument import Side
from pilothouse.core.intent import OrderIntent
from pilothouse.core.order import Purpose
from pilothouse.core.rounding import EXACT, plain
from pilothouse.core.signals import SignalKind
from pilothouse.execution import cancel, hearing
from pilothouse.execution.desk import Desk
from pilothouse.execution.gate import DeniedByRisk
from pilothouse.execution.submit import submit
from pilothouse.execution.tell import MOVED_TOPIC
from pilothouse.execution.trader import Trader
from pilothouse.fleet import protections, store
from pilothouse.fleet.guard import alarm, guard_position, protect_with
from pilothouse.fleet.scene import Scene, look
from pilothouse.fleet.store import SignalRecord, SignalState
from pilothouse.kit import outbox
from pilothouse.kit.chain import judgement
from pilothouse.kit.db import Tx

_ABSOLUTE = (SignalKind.TARGET, SignalKind.CLOSE)
"""Signals that say where the position shall be, whatever older ones wanted."""

TURN_MOST = 32
"""So many signals of one instrument are decided in one transaction; what came behind them has another turn."""

CROWDED_MOST = 1
"""So many are decided while there is a crowd, in which alerts are stored and answered first: it goes on, slowly."""

CROWDED_PAUSE = timedelta(milliseconds=250)
WAITS = "Stored; waits for its turn"
WAITS_FOR_STOP = "Stored; waits until it is known whether a stop of the position that was closed still stands"


def advance(
    tx: Tx, desk: Desk, trader: Trader, symbol: str, hooks: "HookBook", fresh: SignalRecord | None = None
) -> SignalRecord | None:
    """Do what is due in one instrument; returns `fresh`, stored, as it was decided.

    fresh   an alert that came with this transaction, not stored yet; it is the youngest
    Raises Unavailable if there is no price to decide with: then nothing is stored.
    """
    tx.lock(f"account:{trader.account_id}")
    most = _most_now(desk, trader.account_id, symbol)
    waiting = store.waiting_in(tx, trader.account_id, symbol, most + 1)
    now = desk.clock.now()
    deaf_since = hearing.deaf_since(tx, trader.account_id, now)
    is_deaf = deaf_since is not None
    decided = None
    more_wait = len(waiting) > most
    if more_wait:
        waiting = waiting[:most]
        decided, fresh = (_keep_waiting(tx, desk, fresh) if fresh is not None else None), None
    protection = protections.of(tx, trader.account_id, symbol)
    try:
        scene = look(tx, desk, trader, symbol)
    except Unavailable:
        if not is_deaf or (fresh is None and decided is None):
            raise
        # Nothing is decided for the account now anyway: it is kept, and decided once there is a price and it is heard.
        if fresh is None:
            return decided
        return _store(tx, desk, fresh.but(message=_why_waiting(is_deaf=True)), is_fresh=True)
    queue = [*waiting, *([fresh] if fresh else [])]
    kept, was_active = _supersede(tx, desk, queue, fresh)
    held_up = scene.in_doubt() or (was_active and scene.view.moves())
    # What happened meanwhile is not known yet: it would be decided on a position that may be another one.
    is_unsure = deaf_since is not None and now - deaf_since <= desk.patience.deaf
    held_up = held_up or is_unsure
    exit_waits = any(record.state is SignalState.ACTIVE for record in kept)
    for record in kept:
        is_fresh = record is fresh
        if held_up:
            if is_fresh:
                decided = _store(tx, desk, record.but(message=_why_waiting(is_deaf=is_deaf)), is_fresh=True)
            continue
        hook = hooks.of(tx, record.owner_id, record.hook_id)
        after, scene = _decide(tx, desk, trader, scene, record, hook, is_fresh=is_fresh, is_deaf=is_deaf)
        exit_waits = after.state is SignalState.ACTIVE
        held_up = exit_waits or (after.state is SignalState.PENDING and scene.view.held() == 0)
        decided = after if is_fresh else decided
    if (
        more_wait and not held_up
    ):  # else what it waits for gives it its turn: an order that ends, an account that is heard
        another_turn(tx, desk, trader.account_id, symbol)
    if trader.may_send and (protection is not None or scene.has_protective() or scene.protection_changed):
        guard_position(tx, desk, trader, scene, exit_waits=exit_waits, may_exit=not is_unsure)
    return decided


def _most_now(desk: Desk, account_id: str, symbol: str) -> int:
    """Return how many signals of an instrument a turn may decide; in a crowd a few, and then none for a moment."""
    if not desk.database.is_crowded:
        return TURN_MOST
    now = desk.clock.monotonic()
    last = desk.crowd_turns.get((account_id, symbol))
    if last is not None and 0 <= now - last < CROWDED_PAUSE.total_seconds():
        return 0
    desk.crowd_turns[account_id, symbol] = now
    return CROWDED_MOST


def hold(tx: Tx, desk: Desk, fresh: SignalRecord) -> SignalRecord:
    """Store a fresh alert that is decided later, in its turn; its instrument is given one."""
    assert fresh.symbol is not None, "an alert that waits has an instrument"
    record = _keep_waiting(tx, desk, fresh)
    another_turn(tx, desk, record.account_id, fresh.symbol)
    return record


def nothing_to_do(
    tx: Tx, record: SignalRecord, state: SignalState, message: str, *, code: str | None = None
) -> SignalRecord:
    """Store a fresh alert with which nothing is to be done, and tell."""
    done = record.but(state=state, message=message, code=code)
    store.add(tx, done)
    tell(tx, done)
    return done


def _keep_waiting(tx: Tx, desk: Desk, fresh: SignalRecord) -> SignalRecord:
    """Store a fresh alert behind those that wait."""
    record = fresh.but(message=WAITS, changed_at=desk.clock.now())
    store.add(tx, record)
    return record


def another_turn(tx: Tx, desk: Desk, account_id: str, symbol: str) -> None:
    """Let an instrument have another turn: soon, or a little later while there is a crowd."""
    now = desk.clock.now()
    outbox.put(
        tx,
        MOVED_TOPIC,
        key=account_id,
        payload={"account_id": account_id, "symbol": symbol},
        dedupe_key=f"{MOVED_TOPIC}/{account_id}:{symbol}/turn",
        available_at=now + CROWDED_PAUSE if desk.database.is_crowded else now,
        now=now,
    )


class HookBook:
    """Hooks by id, read once each within one turn."""

    def __init__(self, *known: Hook) -> None:
        """Begin with the hooks that were read already."""
        self._known = {hook.id: hook for hook in known}

    def of(self, tx: Tx, owner_id: str, hook_id: str) -> Hook:
        """Return the hook; it exists, since signals are never older than their hook."""
        if hook_id not in self._known:
            self._known[hook_id] = get(tx, owner_id, hook_id)
        return self._known[hook_id]


def _supersede(
    tx: Tx, desk: Desk, queue: list[SignalRecord], fresh: SignalRecord | None
) -> tuple[list[SignalRecord], bool]:
    """Return what is still wanted of a queue, and whether a signal was superseded in the middle of its orders."""
    last_absolute = max(
        (index for index, record in enumerate(queue) if record.signal and record.signal.kind in _ABSOLUTE), default=0
    )
    was_active = False
    for record in queue[:last_absolute]:
        was_active = was_active or record.state is SignalState.ACTIVE
        newer = queue[last_absolute].id
        message = f"superseded by the newer alert {newer}"
        _store(tx, desk, record.but(state=SignalState.SUPERSEDED, message=message), is_fresh=record is fresh)
    return queue[last_absolute:], was_active


def _why_waiting(*, is_deaf: bool) -> str:
    if is_deaf:
        return "Stored; waits until the account is heard at its venue again"
    return WAITS


def _decide(
    tx: Tx,
    desk: Desk,
    trader: Trader,
    scene: Scene,
    record: SignalRecord,
    hook: Hook,
    *,
    is_fresh: bool,
    is_deaf: bool,
) -> tuple[SignalRecord, Scene]:
    """Decide one signal and do what was decided; a refusal is kept with its reason, never raised.

    is_deaf   the account is not heard at its venue: what adds exposure keeps waiting
    """
    assert record.signal is not None, "only alerts that were understood wait for a decision"
    try:
        decision = _decided(tx, desk, trader, scene, record, hook, is_fresh=is_fresh)
        if hook.dry:
            after = record.but(state=SignalState.NOOP, message=f"dry: {decision.message}", detail=_would(decision))
            return _store(tx, desk, after, is_fresh=is_fresh), scene
        if not trader.may_send:
            detail = {**_would(decision), "disarmed": True}
            after = record.but(state=SignalState.NOOP, message=_would_in_words(decision), detail=detail)
            return _store(tx, desk, after, is_fresh=is_fresh), scene
        if is_deaf and decision.order is not None and not decision.order.terms.reduce_only:
            waiting = record.but(message=_why_waiting(is_deaf=True))
            return (_store(tx, desk, waiting, is_fresh=is_fresh) if waiting != record or is_fresh else record), scene
        if decision.order is not None and scene.could_be_closed_by_doubt(decision.order.terms):
            waiting = record.but(message=WAITS_FOR_STOP)
            return (_store(tx, desk, waiting, is_fresh=is_fresh) if waiting != record or is_fresh else record), scene
        for order_id in decision.cancels:
            cancel.ask(tx, desk, scene.order(order_id), by=f"signal {record.id}")
        step = record.step
        if decision.order is not None:
            scene = _submit(tx, desk, trader, scene, record, decision.order)
            step += 1
    except Refused as refusal:
        if isinstance(refusal, DeniedByRisk):
            codes = [reason.code for reason in refusal.reasons]
            tx.after_commit(lambda: _count_denials(desk, codes))
        after = refused(record, refusal)
        if not is_fresh:  # its sender was answered 200: the same alert again is the same one, and not another chance
            after = after.but(alert_key=record.alert_key)
        return _store(tx, desk, after, is_fresh=is_fresh), scene
    state = _STATES[decision.verdict]
    after = record.but(state=state, message=decision.message, step=step)
    if decision.verdict is follow.Verdict.GIVEN_UP:
        after = after.but(code="given_up")
        alarm(tx, trader, desk.clock.now(), "given_up", decision.message, {"signal_id": record.id})
    return _store(tx, desk, after, is_fresh=is_fresh), scene


def _decided(
    tx: Tx, desk: Desk, trader: Trader, scene: Scene, record: SignalRecord, hook: Hook, *, is_fresh: bool
) -> follow.Decision:
    """Return what is to be done for a signal, and keep what was asked and answered so that it can be asked again.

    A signal that waits is asked again and again; only what moves something is kept. Raises as `follow.decide`.
    """
    assert record.signal is not None, "only alerts that were understood wait for a decision"
    noop = record.shape != Shape.ORDER.value
    given = {
        "signal": record.signal,
        "view": scene.view,
        "hook_id": hook.id,
        "step": record.step,
        "default_size": hook.default_size,
        "flat_close_is_noop": noop,
    }
    said: follow.Decision | Refused
    try:
        said = follow.decide(
            record.signal,
            scene.view,
            hook_id=hook.id,
            step=record.step,
            default_size=hook.default_size,
            flat_close_is_noop=noop,
        )
    except Refused as refusal:
        said = refusal
    waits = isinstance(said, follow.Decision) and said.verdict is follow.Verdict.WAIT
    if is_fresh or not waits or (isinstance(said, follow.Decision) and (said.order or said.cancels)):
        judged = judgement("follow.decide", f"{record.id}:{record.step}", given, said)
        tx.record(trader.account_id, record.id, "judged", {"at": desk.clock.now(), **judged})
    if isinstance(said, Refused):
        raise said
    return said


def _count_denials(desk: Desk, codes: list[str]) -> None:
    for code in codes:
        desk.meters.denials.labels(code).inc()


_STATES = {
    follow.Verdict.DONE: SignalState.DECIDED,
    follow.Verdict.WAIT: SignalState.ACTIVE,
    follow.Verdict.NOOP: SignalState.NOOP,
    follow.Verdict.GIVEN_UP: SignalState.REFUSED,
}


def _submit(tx: Tx, desk: Desk, trader: Trader, scene: Scene, record: SignalRecord, planned: follow.Planned) -> Scene:
    """Submit what a signal wants now; a stop-loss or take-profit it carries is wanted from here on."""
    signal = record.signal
    assert signal is not None, "only alerts that were understood wait for a decision"
    expected = EXACT.add(scene.view.expected(), planned.terms.quantity * planned.terms.side.sign)
    intent = OrderIntent(
        key=f"{record.id}:{record.step}",
        terms=planned.terms,
        purpose=planned.purpose,
        decided_price=scene.view.quote.mark,
        reason=planned.reason,
        signal_id=record.id,
        hook_id=record.hook_id,
    )
    alert_at = record.received_at if record.step == 0 else None
    scene = scene.with_order(submit(tx, desk, trader, intent, scene.basis(planned.terms.side), alert_at=alert_at))
    opens = planned.purpose is Purpose.ENTRY and Side.of(expected or Decimal(1)) is planned.terms.side
    if opens and signal.guards:
        protect_with(tx, desk, trader, scene, record, planned.terms)
        scene.protection_changed = True
    return scene


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


def _problem_data(problem: Problem) -> dict[str, str]:
    return {"field": problem.field, "message": str(problem), "type": problem.code}


def _would(decision: follow.Decision) -> dict[str, object]:
    """Return what a dry hook would have done."""
    order = decision.order
    if order is None:
        return {"dry": True, "would": None, "would_cancel": list(decision.cancels)}
    terms = order.terms
    return {
        "dry": True,
        "would": {
            "symbol": terms.symbol,
            "side": terms.side.value,
            "type": terms.type.value,
            "quantity": plain(terms.quantity),
            "price": plain(terms.price) if terms.price is not None else None,
            "reduce_only": terms.reduce_only,
        },
        "would_cancel": list(decision.cancels),
    }


def _would_in_words(decision: follow.Decision) -> str:
    """Return what a disarmed account would have done."""
    if decision.order is None:
        count = len(decision.cancels)
        return f"disarmed: would cancel {count} orders" if count else f"disarmed: would do nothing: {decision.message}"
    terms = decision.order.terms
    return f"disarmed: would {terms.side.value.lower()} {plain(terms.quantity)} {terms.symbol}: {decision.message}"


def _store(tx: Tx, desk: Desk, record: SignalRecord, *, is_fresh: bool) -> SignalRecord:
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
