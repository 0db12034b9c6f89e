"""Decide one signal: what is there in; orders, cancels and the signal as it is then out.

A refusal is kept with its reason, and never raised: whoever sent the alert is answered, and the next one is decided.
"""

from decimal import Decimal

from pilothouse.accounts.hooks import Hook
from pilothouse.bots import follow
from pilothouse.bots.alert import Shape
from pilothouse.core.errors import Refused
from pilothouse.core.instrument import Side
from pilothouse.core.intent import OrderIntent
from pilothouse.core.order import Purpose
from pilothouse.core.rounding import EXACT, plain
from pilothouse.execution import cancel
from pilothouse.execution.desk import Desk
from pilothouse.execution.gate import DeniedByRisk
from pilothouse.execution.submit import submit
from pilothouse.execution.trader import Trader
from pilothouse.fleet.guard import protect_with
from pilothouse.fleet.keep import keep, refused, why_waiting
from pilothouse.fleet.scene import Scene
from pilothouse.fleet.store import SignalRecord, SignalState
from pilothouse.fleet.turn import alarm
from pilothouse.kit.chain import judgement
from pilothouse.kit.db import Tx

WAITS_FOR_STOP = "Stored; waits until it is known whether a stop of the position that was closed still stands"

_STATES = {
    follow.Verdict.DONE: SignalState.DECIDED,
    follow.Verdict.WAIT: SignalState.ACTIVE,
    follow.Verdict.NOOP: SignalState.NOOP,
    follow.Verdict.GIVEN_UP: SignalState.REFUSED,
}


def decide(
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
        undone = _left_undone(trader, scene, record, hook, decision, is_deaf=is_deaf)
        if undone is not None:
            return (keep(tx, desk, undone, is_fresh=is_fresh) if undone != record or is_fresh else record), scene
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
        return keep(tx, desk, after, is_fresh=is_fresh), scene
    state = _STATES[decision.verdict]
    after = record.but(state=state, message=decision.message, step=step)
    if decision.verdict is follow.Verdict.GIVEN_UP:
        after = after.but(code="given_up")
        alarm(tx, trader, desk.clock.now(), "given_up", decision.message, {"signal_id": record.id})
    return keep(tx, desk, after, is_fresh=is_fresh), scene


def _left_undone(
    trader: Trader, scene: Scene, record: SignalRecord, hook: Hook, decision: follow.Decision, *, is_deaf: bool
) -> SignalRecord | None:
    """Return the signal as it is if nothing of its decision is done, but told, or not yet; None: it is done."""
    if hook.dry:
        return record.but(state=SignalState.NOOP, message=f"dry: {decision.message}", detail=_would(decision))
    if not trader.may_send:
        detail = {**_would(decision), "disarmed": True}
        return record.but(state=SignalState.NOOP, message=_would_in_words(decision), detail=detail)
    if decision.order is None:
        return None
    if is_deaf and not decision.order.terms.reduce_only:
        return record.but(message=why_waiting(is_deaf=True))
    return record.but(message=WAITS_FOR_STOP) if scene.could_be_closed_by_doubt(decision.order.terms) else None


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


def _count_denials(desk: Desk, codes: list[str]) -> None:
    for code in codes:
        desk.meters.denials.labels(code).inc()


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
