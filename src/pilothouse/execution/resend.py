"""Send an order that never left, or never arrived: once more under the same id, if it is still wanted.

SENDING is committed before the wire is touched. Half of a pair is never sent.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from pilothouse.accounts import trading_accounts
from pilothouse.core.clock import Tick
from pilothouse.core.order import OrderEvent, OrderState, Purpose, after
from pilothouse.core.rounding import plain, ratio
from pilothouse.execution import free_coins, halt_store, hearing, settle, store
from pilothouse.execution.desk import Desk
from pilothouse.execution.elapsed import is_over
from pilothouse.execution.give_up import give_up
from pilothouse.execution.limits import of_account
from pilothouse.execution.take_in import Sent, of_other_half, record_other_half, take_in
from pilothouse.execution.tell import told
from pilothouse.kit.db import Tx
from pilothouse.kit.wire_tape import taped
from pilothouse.venues.port import OrderRequest, Unknown, VenueAccount

HUNDRED = Decimal(100)


def send_again(desk: Desk, venue_name: str, order: store.OrderRecord) -> timedelta | None:
    """Send an order that never left or never arrived, if it is still wanted and no stop locks what it sells.

    SENDING is committed before the wire is touched.
    """
    if not desk.writers.may_send(venue_name, order.account_id):
        return desk.patience.elsewhere
    if not order.terms.reduce_only and not order.purpose.protects and _is_deaf(desk, order.account_id):
        return desk.patience.ask_most
    other = None
    if order.beside is not None:
        other = desk.database.read(lambda tx: store.by_client_id(tx, order.account_id, order.beside or ""))
        waits = _waits_for_other_half(desk, order, other)
        if waits is not None:
            return waits or None
    stale = _no_longer_wanted(desk, venue_name, order)
    if stale is not None:
        desk.database.write(lambda tx: give_up(tx, desk, order.id, stale), name="withdraw", urgent=True)
        return None
    if desk.holds_coins(venue_name):
        locked = desk.database.write(
            lambda tx: free_coins.still_locked(tx, desk, venue_name, order.id), name="free coins", urgent=True
        )
        if locked is not None:
            return locked
    held, held_other = desk.database.write(
        lambda tx: _hold_both(tx, desk, venue_name, order.id, other), name="hold", urgent=True
    )
    return timedelta(0) if held is None else _send_held(desk, venue_name, held, held_other)


def _send_held(
    desk: Desk, venue_name: str, order: store.OrderRecord, other: store.OrderRecord | None
) -> timedelta | None:
    """Put an order that this process has just taken in hand on the wire, and take in what came of it.

    other   the other half, where it is a pair: it leaves by the same request
    """
    now = desk.clock.now()
    beside = None if other is None else OrderRequest(other.client_order_id, other.terms, now)
    request = OrderRequest(order.client_order_id, order.terms, now, beside=beside)
    until, until_tick = _held_until(order)
    if is_over(desk.clock, until, until_tick) or not desk.writers.may_send(venue_name, order.account_id):
        desk.database.write(lambda tx: _let_go(tx, desk, order, other), name="put off")
        return desk.patience.elsewhere
    handed = desk.clock.now()
    with taped() as wire:
        outcome = desk.venue(venue_name).place(VenueAccount(order.account_id, order.owner_id), [request])[0]
    left_at, left_tick = desk.clock.now(), desk.clock.tick()
    sent = Sent(order.id, request, handed, left_at, type(outcome).__name__, wire)
    desk.meters.outcomes.labels(venue_name, type(outcome).__name__.lower()).inc()

    def settle_it(tx: Tx) -> store.OrderRecord:
        tx.record(order.account_id, order.about, "sent", sent)
        if other is not None:
            record_other_half(tx, order.account_id, order.signal_id, other.id, sent)
            its = settle.Ended(left_at, _held_until(other)[0], left_tick)
            take_in(tx, desk, other.id, of_other_half(outcome), its)
        return take_in(tx, desk, order.id, outcome, settle.Ended(left_at, until, left_tick))

    settled = desk.database.write(settle_it, name="settle", urgent=True)
    if settled.state is OrderState.INTENDED:
        return max(desk.patience.venue_busy, desk.patience.back_off(settled.asked))
    return desk.patience.ask_first if isinstance(outcome, Unknown) else None


def _held_until(order: store.OrderRecord) -> tuple[datetime, Tick]:
    """Return until when this process may send an order that it has just taken in hand."""
    assert order.sendable_until is not None, "it was taken in hand"
    assert order.until_tick is not None, "by this process"
    return order.sendable_until, order.until_tick


def _let_go(tx: Tx, desk: Desk, order: store.OrderRecord, other: store.OrderRecord | None) -> None:
    """Let an order that was taken in hand and certainly not sent wait again, and the other half of its pair."""
    why = "its sender was held up, or may not send any more"
    for each in (order, other):
        if each is not None:
            settle.put_off(tx, desk, each.id, why, held_until=_held_until(each)[0])


def _waits_for_other_half(desk: Desk, order: store.OrderRecord, other: store.OrderRecord | None) -> timedelta | None:
    """Return when to look again at one half of a pair that is not sent; zero: it is given up; None: both leave now.

    Half of a pair is never sent: where the other one has ended, or stands, the protection asks for another pair.
    """
    wanted = other is not None and not other.state.is_final and not other.state.is_resting
    if not wanted or order.cancel_asked_at is not None or (other is not None and other.cancel_asked_at is not None):
        why = "the pair that it is half of is not wanted any more"
        desk.database.write(lambda tx: give_up(tx, desk, order.id, why), name="withdraw", urgent=True)
        return timedelta(0)
    if other is None or other.state is not OrderState.INTENDED or order.purpose is not Purpose.STOP_LOSS:
        return desk.patience.ask_first if order.purpose is Purpose.STOP_LOSS else desk.patience.venue_busy
    return None


def _hold_both(
    tx: Tx, desk: Desk, venue_name: str, order_id: str, other: store.OrderRecord | None
) -> tuple[store.OrderRecord | None, store.OrderRecord | None]:
    """Commit that this process is about to send an order, and the other half of it where it is a pair, or neither."""
    if other is not None:
        known = store.get(tx, other.id, lock=True)
        if known is None or known.state is not OrderState.INTENDED:
            return None, None
    held = _hold(tx, desk, venue_name, order_id)
    if held is None or other is None:
        return held, None
    return held, _hold(tx, desk, venue_name, other.id)


def _is_deaf(desk: Desk, account_id: str) -> bool:
    return desk.database.read(lambda tx: hearing.deaf_since(tx, account_id, desk.clock.now())) is not None


def _no_longer_wanted(desk: Desk, venue_name: str, order: store.OrderRecord) -> str | None:
    """Return why an order that waited is not sent any more, or None. What only reduces does not expire.

    Raises Unavailable while there is no price to measure it against.
    """
    if order.cancel_asked_at is not None:
        return "cancelled before it was sent"
    if order.terms.reduce_only or order.purpose.protects:
        return None
    waited = desk.clock.now() - order.created_at
    if waited > desk.patience.intent_age_most:
        most = desk.patience.intent_age_most.total_seconds()
        why = f"; it waited because of {order.outcome}" if order.outcome else ""
        return f"it waited {waited.total_seconds():.0f} s; an order that adds exposure may wait {most:.0f} s{why}"
    # Without a price nobody can say: it waits for one, for as long as it may wait at all.
    mark = desk.quote_of(venue_name, order.terms.symbol).mark
    now = desk.clock.now()
    collar = desk.database.read(lambda tx: of_account(tx, order.account_id, order.owner_id, now)).price_collar_percent
    away = abs(ratio((mark - order.decided_price) * HUNDRED, order.decided_price))
    if collar is not None and away > collar:
        return f"the price moved {plain(away)} % since the decision, at most {plain(collar)} % are allowed"
    halt = desk.database.read(lambda tx: halt_store.halted(tx, order.account_id, order.owner_id, order.hook_id))
    return None if halt is None else "the account was halted while it waited"


def _hold(tx: Tx, desk: Desk, venue_name: str, order_id: str) -> store.OrderRecord | None:
    """Commit that this process is about to send; None if somebody else moved the order, or it may not be sent."""
    order = store.get(tx, order_id, lock=True)
    if order is None or order.state is not OrderState.INTENDED:
        return None
    if not trading_accounts.by_id(tx, order.account_id).may_send:
        give_up(tx, desk, order.id, "the account was disarmed while it waited")
        return None
    now = desk.clock.now()
    held = replace(
        order,
        state=after(order.state, OrderEvent.SEND),
        sent_at=now,
        sendable_until=now + desk.patience.ask_most,
        until_tick=desk.clock.tick().later(desk.patience.ask_most),
        updated_at=now,
    )
    kept = {"sendable_until": held.sendable_until, **store.as_columns(held.until_tick)}
    store.change(tx, order.id, now, state=held.state, sent_at=now, **kept)
    how = "sent again under the same id" if order.sent_at is not None else "sent"
    epoch = desk.writers.in_words(venue_name, order.account_id)
    store.note(tx, order, now, (OrderEvent.SEND, held.state, f"{how} by {desk.process}{epoch}"))
    told(tx, held, now)
    return held
