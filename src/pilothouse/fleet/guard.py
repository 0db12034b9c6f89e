"""Protection as it is carried out: the orders of `bots/bracket` placed and cancelled, refusals answered.

A stop that the venue does not take leaves the position naked, so it is not asked for again and again: a stop whose
price was passed already, or one refused three times, closes the position at the market and raises an alarm.
"""

from dataclasses import replace
from datetime import datetime

from pilothouse.bots.bracket import Protection, guard
from pilothouse.bots.follow import Planned
from pilothouse.core.facts import Fact, FactKind
from pilothouse.core.instrument import Side
from pilothouse.core.intent import OrderIntent
from pilothouse.core.order import OrderState, OrderTerms, OrderType, Purpose
from pilothouse.execution import cancel
from pilothouse.execution import store as orders_store
from pilothouse.execution.desk import Desk
from pilothouse.execution.submit import Trader, submit
from pilothouse.fleet import store
from pilothouse.fleet.scene import Scene
from pilothouse.fleet.store import ProtectionRecord, SignalRecord
from pilothouse.kit.db import Tx
from pilothouse.ledger import positions

REFUSALS_MAX = 3
"""So many refused protective orders in a row, and the position is closed instead."""


def protect_with(tx: Tx, desk: Desk, trader: Trader, record: SignalRecord, terms: OrderTerms) -> None:
    """Set the protection that a signal asks for, for the position that its order `terms` opens or adds to."""
    signal = record.signal
    assert signal is not None, "only alerts that were understood open anything"
    store.protect(
        tx,
        ProtectionRecord(
            account_id=trader.account_id,
            symbol=terms.symbol,
            owner_id=trader.owner_id,
            hook_id=record.hook_id,
            signal_id=record.id,
            protection=Protection(terms.side, signal.stop_loss, signal.take_profit),
            placed=0,
            position_opened_at=None,
            unprotected_since=None,
            updated_at=desk.clock.now(),
        ),
    )


def guard_position(tx: Tx, desk: Desk, trader: Trader, scene: Scene, *, exit_waits: bool = False) -> None:
    """Make the protective orders of one instrument fit its position; remember since when it is unprotected.

    exit_waits   whether an alert waits for coins to be let go, to sell them
    """
    symbol = scene.view.instrument.symbol
    wanted = _of_this_position(tx, trader, scene, store.protection_of(tx, trader.account_id, symbol))
    due = guard(
        wanted.protection if wanted else None,
        scene.view,
        entry_pending=_entry_pending(wanted, scene),
        exit_waits=exit_waits,
    )
    for order_id in due.cancels:
        cancel.ask(tx, desk, scene.order(order_id), by="protection")
    if wanted is None:
        return
    now = desk.clock.now()
    if due.ended:
        store.forget_protection(tx, trader.account_id, symbol)
        return
    placed = wanted.placed
    if due.place and _hopeless(tx, trader, wanted):
        _flatten(tx, desk, trader, scene, wanted, now)
    else:
        for planned in due.place:
            scene = scene.with_order(submit(tx, desk, trader, _intent(scene, wanted, planned, placed), scene.basis()))
            placed += 1
    since = None if _stands(scene, wanted) else wanted.unprotected_since or now
    if placed != wanted.placed or since != wanted.unprotected_since:
        store.change_protection(tx, trader.account_id, symbol, now, placed=placed, unprotected_since=since)


def _of_this_position(tx: Tx, trader: Trader, scene: Scene, wanted: ProtectionRecord | None) -> ProtectionRecord | None:
    """Return the protection if it belongs to the position that is held; one whose position is gone is forgotten."""
    held = scene.view.held()
    if wanted is None or held == 0 or Side.of(held) is not wanted.protection.side:
        return wanted
    opened_at = positions.opened_at(tx, trader.account_id, wanted.symbol)
    if wanted.position_opened_at is None:
        store.change_protection(tx, trader.account_id, wanted.symbol, wanted.updated_at, position_opened_at=opened_at)
        return replace(wanted, position_opened_at=opened_at)
    if wanted.position_opened_at != opened_at:
        store.forget_protection(tx, trader.account_id, wanted.symbol)
        return None
    return wanted


def _intent(scene: Scene, wanted: ProtectionRecord, planned: Planned, number: int) -> OrderIntent:
    return OrderIntent(
        key=f"{wanted.signal_id}:{planned.purpose}:{number}",
        terms=planned.terms,
        purpose=planned.purpose,
        decided_price=scene.view.quote.mark,
        reason=planned.reason,
        signal_id=wanted.signal_id,
        hook_id=wanted.hook_id,
    )


def _entry_pending(wanted: ProtectionRecord | None, scene: Scene) -> bool:
    """Say whether an order that could still open the protected position is alive."""
    return wanted is not None and any(
        order.terms.side is wanted.protection.side and not order.terms.reduce_only and not order.purpose.protects
        for order in scene.view.orders
    )


def _stands(scene: Scene, wanted: ProtectionRecord) -> bool:
    """Say whether nothing is held that should be protected, or every wanted protective order stands at the venue."""
    held = scene.view.held()
    if held == 0 or Side.of(held) is not wanted.protection.side:
        return True
    standing = {order.purpose for order in scene.records if order.purpose.protects and order.state.is_resting}
    needed = {Purpose.STOP_LOSS} if wanted.protection.stop_loss else set()
    needed |= {Purpose.TAKE_PROFIT} if wanted.protection.take_profit else set()
    return needed <= standing


def _hopeless(tx: Tx, trader: Trader, wanted: ProtectionRecord) -> bool:
    """Say whether the venue will not take this protection: its price was passed, or it refused again and again."""
    latest = orders_store.latest_protective(tx, trader.account_id, wanted.symbol, wanted.signal_id, REFUSALS_MAX)
    refused = [order for order in latest if order.state is OrderState.REJECTED]
    if latest and latest[0] in refused and (latest[0].outcome or "").startswith("would_trigger"):
        return True
    return len(refused) == REFUSALS_MAX


def _flatten(tx: Tx, desk: Desk, trader: Trader, scene: Scene, wanted: ProtectionRecord, now: datetime) -> None:
    """Close the position that cannot be protected, once, and raise an alarm."""
    held = scene.view.held()
    if any(order.purpose is Purpose.EXIT and not order.terms.rests for order in scene.view.orders):
        return
    terms = OrderTerms(
        symbol=wanted.symbol,
        side=Side.of(-held),
        type=OrderType.MARKET,
        quantity=scene.view.instrument.quantity_down(abs(held)),
        reduce_only=True,
    )
    message = f"the protection of {wanted.symbol} was refused by the venue: the position is closed at the market"
    planned = Planned(terms, Purpose.EXIT, "protection refused")
    intent = _intent(scene, wanted, planned, wanted.placed)
    submit(tx, desk, trader, intent, scene.basis())
    store.change_protection(tx, trader.account_id, wanted.symbol, now, placed=wanted.placed + 1)
    alarm(tx, trader, now, "protection_refused", message, {"symbol": wanted.symbol, "signal_id": wanted.signal_id})


def alarm(tx: Tx, trader: Trader, now: datetime, code: str, message: str, detail: dict[str, str] | None = None) -> None:
    """Tell that a person should look."""
    payload = {"code": code, "message": message, **(detail or {})}
    tx.announce(Fact(FactKind.ALARM_RAISED, trader.owner_id, now, trader.account_id, payload))
