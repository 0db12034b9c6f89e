"""Protection as it is carried out: one turn of `bots/bracket` for a position, whose orders are placed and cancelled.

In: an account's lock, a scene, and what is wanted. Out: orders that fit the position, and since when they did not.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pilothouse.bots.bracket import Guarding, Protection, guard, stands
from pilothouse.bots.ladder import best_price
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderTerms
from pilothouse.execution import cancel
from pilothouse.execution.desk import Desk
from pilothouse.execution.trader import Trader
from pilothouse.fleet import protections
from pilothouse.fleet.exits import close_due, must_wait
from pilothouse.fleet.place import place_due
from pilothouse.fleet.protections import Made, ProtectionRecord
from pilothouse.fleet.scene import Scene
from pilothouse.fleet.sides import entries_of, of_the_held_side, want
from pilothouse.fleet.store import SignalRecord
from pilothouse.fleet.turn import Turn
from pilothouse.kit.chain import judgement
from pilothouse.kit.db import Tx
from pilothouse.ledger import positions

_NOTHING = Guarding()


def protect_with(tx: Tx, desk: Desk, trader: Trader, scene: Scene, record: SignalRecord, terms: OrderTerms) -> None:
    """Set the protection that a signal asks for, for the position that its order `terms` opens or adds to."""
    signal = record.signal
    assert signal is not None, "only alerts that were understood open anything"
    now = desk.clock.now()
    want(
        tx,
        scene,
        ProtectionRecord(
            id=desk.ids.fresh("prt"),
            account_id=trader.account_id,
            symbol=terms.symbol,
            owner_id=trader.owner_id,
            hook_id=record.hook_id,
            signal_id=record.id,
            asked_by="alert",
            asked_at=now,
            asked_tick=desk.clock.tick(),
            protection=Protection(terms.side, signal.guards),
            updated_at=now,
        ),
    )


def guard_position(
    tx: Tx, desk: Desk, trader: Trader, scene: Scene, *, exit_waits: bool = False, may_exit: bool = True
) -> None:
    """Make the protective orders of one instrument fit its position; remember since when it is unprotected.

    exit_waits   whether an alert waits for coins to be let go, to sell them
    may_exit     whether the position is known well enough to close it at the market
    """
    symbol = scene.view.instrument.symbol
    record = of_this_position(tx, desk, trader, scene, of_the_held_side(tx, trader, scene))
    if record is None:
        due = guard(None, scene.view, entry_pending=False)
        _cancel(tx, desk, scene, due.cancels)
        return
    turn, scene = begin(tx, desk, trader, scene, record)
    record, now = turn.record, turn.now
    due = guard(
        record.protection,
        scene.view,
        turn.progress,
        entry_pending=bool(entries_of(record, scene)),
        exit_waits=exit_waits,
        now=now,
        may_exit=may_exit,
    )
    now_due = replace(due, exits=tuple(each for each in due.exits if not must_wait(turn, *each)))
    if now_due != _NOTHING:  # asked twice a second: only what moves something is kept
        given = {
            "protection": record.protection,
            "view": scene.view,
            "progress": turn.progress,
            "entry_pending": bool(entries_of(record, scene)),
            "exit_waits": exit_waits,
            "now": now,
            "may_exit": may_exit,
        }
        about = record.signal_id or trader.account_id
        tx.record(trader.account_id, about, "judged", judgement("bracket.guard", f"{about}:protection", given, due))
    if due.trail_floor is not None:
        protections.change(tx, record, now, trail_floor=due.trail_floor)
        turn = replace(turn, progress=replace(turn.progress, trail_floor=due.trail_floor))
    _cancel(tx, desk, scene, due.cancels)
    if due.ended:
        protections.forget(tx, trader.account_id, symbol)
        return
    scene = close_due(turn, scene, now_due)
    scene = place_due(turn, scene, due)
    _remember(turn, scene)


def begin(tx: Tx, desk: Desk, trader: Trader, scene: Scene, record: ProtectionRecord) -> tuple[Turn, Scene]:
    """Return what a turn of one protection works with, and the scene with each order's place in it."""
    now = desk.clock.now()
    record = _trailed(tx, scene, record, now)
    made = protections.made_for(tx, record)
    progress = made.progress(record, now, desk.clock.tick())
    return Turn(tx, desk, trader, record, made, progress, now), in_place(tx, scene, made)


def in_place(tx: Tx, scene: Scene, made: Made) -> Scene:
    """Return the scene with the place of each protective order, of those of a former protection too."""
    places = made.places()
    others = [order.id for order in scene.records if order.purpose.protects and order.id not in places]
    return scene.placed({**protections.former(tx, others), **places} if others else places)


def of_this_position(
    tx: Tx, desk: Desk, trader: Trader, scene: Scene, record: ProtectionRecord | None
) -> ProtectionRecord | None:
    """Return the protection if it belongs to the position that is held; one whose position is gone is forgotten.

    A position that was closed while its entry still rests is not to come back without its protection: the entry is
    cancelled, and what it fills until then is protected.
    """
    if record is None:
        return None
    now, held = desk.clock.now(), scene.view.held()
    if held == 0 or Side.of(held) is not record.protection.side:
        entries = entries_of(record, scene)
        if record.position_opened is not None and entries:
            for order in entries:
                cancel.ask(tx, desk, order, by="protection: its position was closed")
            record = replace(record, position_opened=None, best_price=None, trail_floor=None)
            protections.note_position(tx, record, None, now, best_price=None, trail_floor=None)
        return record
    opened = positions.opened(tx, trader.account_id, record.symbol)
    if record.position_opened is None:
        if any(order.signal_id == record.signal_id and not order.terms.rests for order in entries_of(record, scene)):
            return record  # the entry that it came with is on its way, and may open another position than this one
        protections.note_position(tx, record, opened, now)
        return replace(record, position_opened=opened)
    if record.position_opened != opened:
        protections.forget(tx, trader.account_id, record.symbol)
        return None
    return record


def _trailed(tx: Tx, scene: Scene, record: ProtectionRecord, now: datetime) -> ProtectionRecord:
    """Return the protection with the best price that its stop follows, kept if it moved."""
    view, trailing = scene.view, record.protection.guards.trailing
    entry = view.position.entry_price()
    if trailing is None or entry is None or view.held() == 0 or Side.of(view.held()) is not record.protection.side:
        return record
    best = best_price(trailing, record.best_price, view.quote.mark, entry, record.protection.side, view.instrument)
    if best == record.best_price:
        return record
    protections.change(tx, record, now, best_price=best)
    return replace(record, best_price=best)


def _cancel(tx: Tx, desk: Desk, scene: Scene, order_ids: Sequence[str]) -> None:
    for order_id in order_ids:
        cancel.ask(tx, desk, scene.order(order_id), by="protection")


def _remember(turn: Turn, scene: Scene) -> None:
    """Keep since when, and for how long in all, the position is without its protection."""
    record, now, tick = turn.record, turn.now, turn.desk.clock.tick()
    if stands(record.protection, scene.view, turn.progress):
        if record.unprotected_since is not None:
            protections.note_covered(turn.tx, record, now, tick)
    elif not record.is_counted_by(tick):
        protections.note_naked(turn.tx, record, now, tick)
