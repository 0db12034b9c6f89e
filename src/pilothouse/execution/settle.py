"""What a venue says becomes order state, ledger entries and facts: once per venue id, in one transaction.

It may be told twice, late, and out of order, by the answer, by the stream and by a question: the result is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

import structlog

from pilothouse.accounts import trading_accounts
from pilothouse.accounts.trading_accounts import TradingAccount
from pilothouse.core.clock import Tick
from pilothouse.core.errors import Broken
from pilothouse.core.fill import Fill
from pilothouse.core.order import OrderEvent, OrderState, after
from pilothouse.core.rounding import EXACT, plain
from pilothouse.execution import amendments, halts, store
from pilothouse.execution.desk import Desk
from pilothouse.execution.tell import moved, pursue_later, told
from pilothouse.kit.db import Tx
from pilothouse.ledger import post
from pilothouse.ledger.exposure import holdings
from pilothouse.venues.card import HOLDINGS
from pilothouse.venues.catalogue import card_of
from pilothouse.venues.keys import VenueKey
from pilothouse.venues.port import FundingPayment, OrderReport, Rejected, Transfer, VenueStatus

_log = structlog.get_logger("pilothouse.execution")

Lines = list[tuple[OrderEvent | str, OrderState, str]]
"""(event, state after it, detail)"""

_ENDS = {
    VenueStatus.CANCELED: OrderEvent.CANCEL,
    VenueStatus.EXPIRED: OrderEvent.EXPIRE,
    VenueStatus.REJECTED: OrderEvent.REJECT,
}


@dataclass(frozen=True, slots=True)
class Ended:
    """A sender is done with its hold of an order: `at` the wire was left, `held_until` tells which hold it was.

    tick   `at`, as the machine counts it
    """

    at: datetime
    held_until: datetime
    tick: Tick


def reported(tx: Tx, desk: Desk, order_id: str, report: OrderReport, *, told_by: str = "answer") -> store.OrderRecord:
    """Take in what the venue says of one of our orders; returns the order as it is now.

    told_by   for the record: by what the venue said it, "answer", "question" or "stream"

    The state follows from what was booked, not from what was claimed: an order is FILLED when its fills add up.
    A broken law halts the account instead of ending the transaction, so that what is known is kept.
    """
    tx.lock(f"account:{_account_of(tx, order_id)}")
    now = desk.clock.now()
    order = amendments.seen(tx, _get(tx, order_id), report, now)
    lines: Lines = []
    try:
        changed = _fold(tx, desk, order, report, lines, now)
    except Broken as broken:
        stop(tx, desk, order, broken)
        return order
    if lines or changed != order:
        said = {
            "order": order.id,
            "by": told_by,
            "at": now,
            "venue_order_id": report.venue_order_id,
            "status": report.status,
            "filled_quantity": report.filled_quantity,
            "venue_at": report.at,
            "fills": report.fills,
            "reason": report.reason,
        }
        tx.record(order.account_id, order.about, "told", said)
    booked = sum(1 for event, _, _ in lines if event in {OrderEvent.FILL_PART, OrderEvent.FILL_REST})
    if booked:
        tx.after_commit(lambda: desk.meters.fills.inc(booked))
    if report.filled_quantity > changed.filled_quantity:
        # The venue knows of more than it told here: ask for the rest.
        pursue_later(tx, order, "fills", now + desk.patience.ask_first, now)
    return _keep(tx, order, now, lines, changed)


def _fold(
    tx: Tx, desk: Desk, order: store.OrderRecord, report: OrderReport, lines: Lines, now: datetime
) -> store.OrderRecord:
    """Return the order as the report leaves it, its new fills booked, and add to `lines` what happened.

    Raises Broken for what cannot happen to an order in its state.
    """
    order = _as_large_as_it_filled(order, report)
    state, filled, notional, commission = order.state, order.filled_quantity, order.filled_notional, order.commission
    if state in {OrderState.SENDING, OrderState.UNKNOWN} and report.status is not VenueStatus.REJECTED:
        state = after(state, OrderEvent.ACCEPT)
        lines.append((OrderEvent.ACCEPT, state, f"venue order {report.venue_order_id}"))
    for fill in report.fills:
        if not book(tx, desk, order, fill, now):
            continue
        filled = EXACT.add(filled, fill.quantity)
        notional = EXACT.add(notional, EXACT.multiply(fill.quantity, fill.price))
        commission = EXACT.add(commission, fill.commission)
        if filled > order.terms.quantity:
            raise Broken(f"order {order.id} filled {plain(filled)} of {plain(order.terms.quantity)}")
        event = OrderEvent.FILL_REST if filled == order.terms.quantity else OrderEvent.FILL_PART
        state = after(state, event)
        lines.append((event, state, f"{plain(fill.quantity)} at {plain(fill.price)}, trade {fill.venue_trade_id}"))
    if order.terms.whole_position and state is OrderState.PARTLY_FILLED and filled == order.terms.quantity:
        state = after(state, OrderEvent.FILL_REST)  # it closed less than was held when it was placed
        lines.append((OrderEvent.FILL_REST, state, "it closed all that was held"))
    # Not over before every fill is here that the venue counts: what it opened would count as opened by nobody.
    ends = _ENDS.get(report.status) if report.filled_quantity <= filled else None
    if ends is not None and state is not OrderState.FILLED:
        was, state = state, after(state, ends)
        if was is not state:
            lines.append((ends, state, report.reason))
    return replace(
        order,
        state=state,
        filled_quantity=filled,
        filled_notional=notional,
        commission=commission,
        venue_order_id=report.venue_order_id or order.venue_order_id,
        outcome=report.reason or order.outcome,
    )


def _as_large_as_it_filled(order: store.OrderRecord, report: OrderReport) -> store.OrderRecord:
    """Return an order that closes the whole position with the size that it came to have when it fired."""
    if not order.terms.whole_position or not report.filled_quantity:
        return order
    quantity = report.filled_quantity
    if report.status is not VenueStatus.FILLED:
        quantity = max(quantity, order.terms.quantity)
    return replace(order, terms=replace(order.terms, quantity=quantity))


def rejected(tx: Tx, desk: Desk, order_id: str, refusal: Rejected) -> store.OrderRecord:
    """Take in that the venue does not want the order."""
    tx.lock(f"account:{_account_of(tx, order_id)}")
    order = _get(tx, order_id)
    now = desk.clock.now()
    tx.record(order.account_id, order.about, "rejected", {"order": order.id, "at": now, "refusal": refusal})
    try:
        state = after(order.state, OrderEvent.REJECT)
    except Broken as broken:
        stop(tx, desk, order, broken)
        return order
    outcome = f"{refusal.code}: {refusal.message}"
    if refusal.would_trigger:
        outcome = f"would_trigger {outcome}"
    lines: Lines = [(OrderEvent.REJECT, state, outcome)] if state is not order.state else []
    return _keep(tx, order, now, lines, replace(order, state=state, outcome=outcome))


def lost(tx: Tx, desk: Desk, order_id: str, reason: str, *, ended: Ended | None = None) -> store.OrderRecord:
    """Take in that nobody can say what became of the order; the caller sees to it that it is asked about.

    ended   told by who sent it: from when on nothing more of the request leaves this house
    """
    tx.lock(f"account:{_account_of(tx, order_id)}")
    order = _get(tx, order_id)
    if order.state not in {OrderState.SENDING, OrderState.UNKNOWN}:
        return order
    now = desk.clock.now()
    state = after(order.state, OrderEvent.LOSE)
    until, tick = order.sendable_until, order.until_tick
    if ended is not None and ended.held_until == until:
        # The venue's window counts from here, not from the end of a hold that nobody uses any more.
        until, tick = ended.at, ended.tick
    changed = replace(order, state=state, outcome=reason, asked=order.asked + 1, updated_at=now)
    changed = replace(changed, sendable_until=until, until_tick=tick)
    silence = {"order": order.id, "at": now, "why": reason, "asked": changed.asked}
    tx.record(order.account_id, order.about, "unanswered", silence)
    kept = {"sendable_until": until, **store.as_columns(tick)}
    store.change(tx, order.id, now, state=state, outcome=reason, asked=changed.asked, **kept)
    if order.state is not state:
        store.note(tx, order, now, (OrderEvent.LOSE, state, reason))
        told(tx, changed, now)
        moved(tx, order.account_id, order.terms.symbol, now)
    return changed


def put_off(tx: Tx, desk: Desk, order_id: str, reason: str, *, held_until: datetime) -> store.OrderRecord:
    """Take in, from who was to send an order, that it certainly did not arrive: it waits to be sent, in its turn.

    held_until   tells which hold of the order is over; if another one has begun since, nothing changes
    """
    tx.lock(f"account:{_account_of(tx, order_id)}")
    order = _get(tx, order_id)
    if order.state is not OrderState.SENDING or order.sendable_until != held_until:
        return order
    now = desk.clock.now()
    state = after(order.state, OrderEvent.PUT_OFF)
    changed = replace(order, state=state, outcome=reason, sendable_until=None, asked=order.asked + 1, updated_at=now)
    store.change(tx, order.id, now, state=state, outcome=reason, sendable_until=None, asked=changed.asked)
    store.note(tx, order, now, (OrderEvent.PUT_OFF, state, reason))
    told(tx, changed, now)
    return changed


def book(tx: Tx, desk: Desk, order: store.OrderRecord, fill: Fill, now: datetime) -> bool:
    """Post one fill of an order to the ledger; returns False if it stood there already."""
    account = trading_accounts.by_id(tx, order.account_id)
    posted = post.post_fill(
        tx,
        fill,
        account_id=order.account_id,
        owner_id=order.owner_id,
        order_id=order.id,
        hook_id=order.hook_id,
        now=now,
        tick=desk.clock.tick(),
        settlement=account.currency,
        base=_coin(desk, account, fill),
        about=order.about,
    )
    return posted is not None


def _coin(desk: Desk, account: TradingAccount, fill: Fill) -> str:
    """Return the coin that is traded where positions are coins; empty elsewhere."""
    if fill.commission_currency == account.currency or not fill.commission:
        return ""
    if not card_of(VenueKey.parse(account.venue).name).has(HOLDINGS):
        return ""
    return desk.instrument_of(account.venue, fill.symbol).base


def wallet_of(tx: Tx, account_id: str, currency: str, now: datetime) -> Decimal:
    """Return the wallet as our entries have it, settlement currency."""
    return holdings(tx, account_id, now, currency).wallet


def funded(tx: Tx, account_id: str, owner_id: str, payments: Sequence[FundingPayment], now: datetime) -> None:
    """Post funding payments, each once."""
    tx.lock(f"account:{account_id}")
    for payment in payments:
        post.post_funding(
            tx,
            venue_id=payment.venue_id,
            symbol=payment.symbol,
            amount=payment.amount,
            currency=payment.currency,
            settlement=trading_accounts.by_id(tx, account_id).currency,
            at=payment.at,
            account_id=account_id,
            owner_id=owner_id,
            now=now,
        )


def transferred(tx: Tx, account_id: str, owner_id: str, transfers: Sequence[Transfer], now: datetime) -> None:
    """Post deposits and withdrawals, each once."""
    tx.lock(f"account:{account_id}")
    for transfer in transfers:
        post.post_transfer(
            tx,
            venue_id=transfer.venue_id,
            amount=transfer.amount,
            currency=transfer.currency,
            settlement=trading_accounts.by_id(tx, account_id).currency,
            at=transfer.at,
            account_id=account_id,
            owner_id=owner_id,
            now=now,
        )


def _keep(
    tx: Tx,
    before: store.OrderRecord,
    now: datetime,
    lines: Lines,
    order: store.OrderRecord,
) -> store.OrderRecord:
    """Store what changed, write the timeline, and tell; nothing is written when nothing changed."""
    if order == before and not lines:
        return before
    store.change(
        tx,
        order.id,
        now,
        state=order.state,
        quantity=order.terms.quantity,
        filled_quantity=order.filled_quantity,
        filled_notional=order.filled_notional,
        commission=order.commission,
        venue_order_id=order.venue_order_id,
        outcome=order.outcome,
    )
    store.note(tx, order, now, *lines)
    told(tx, order, now)
    tx.after_commit(lambda: _log_settled(order))
    moved(tx, order.account_id, order.terms.symbol, now)
    return order


def _log_settled(order: store.OrderRecord) -> None:
    """Write where an order stands, under the id of the alert it came from."""
    _log.info(
        "order_settled",
        correlation=order.signal_id or order.id,
        order=order.id,
        venue_order_id=order.venue_order_id,
        symbol=order.terms.symbol,
        state=order.state.value,
        filled=plain(order.filled_quantity),
        outcome=order.outcome,
    )


def stop(tx: Tx, desk: Desk, order: store.OrderRecord, broken: Broken) -> None:
    """Halt the account and put the broken law into the order's timeline."""
    now = desk.clock.now()
    store.note(tx, order, now, ("broken", order.state, str(broken)))
    halts.halt(
        tx, desk, order.account_id, order.owner_id, reason=f"law broken on order {order.id}: {broken}", by="settle"
    )


def _account_of(tx: Tx, order_id: str) -> str:
    return _get(tx, order_id).account_id if tx.dialect == "postgresql" else ""


def _get(tx: Tx, order_id: str) -> store.OrderRecord:
    order = store.get(tx, order_id)
    if order is None:
        raise Broken(f"there is no order {order_id}")
    return order
