"""Settle with a venue what our entries cannot explain: a person says why, and the books become what the venue says.

In: an account that was compared and still differs, a reason and who gives it. Out: a foreign order with one fill for
each position, a transfer for the wallet, a line in the audit record, and the end of the halt that the difference made.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pilothouse.accounts import audit
from pilothouse.core.errors import Conflict, Unavailable
from pilothouse.core.fill import Fill
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderEvent, OrderState, OrderTerms, OrderType, Purpose
from pilothouse.core.rounding import EXACT, plain
from pilothouse.execution import halt_store, halts, settle, store, wallet
from pilothouse.execution.desk import Desk
from pilothouse.execution.limit_sets import Level, Scope
from pilothouse.execution.reconcile import BY, WALLET, Difference, Reconciled, reconcile
from pilothouse.execution.trader import Trader
from pilothouse.kit.db import Tx
from pilothouse.venues.port import OrderReport, Transfer, VenueAccount, VenueStatus


class MovedMeanwhile(Conflict):
    """The account is not at rest: what differs now may be explained in a moment."""

    code = "account_moves"


@dataclass(frozen=True, slots=True)
class Adopted:
    """What one comparison found, and what was adopted of it.

    found     the comparison
    adopted   the differences that were settled; empty if there was none
    resumed   whether a halt ended that a comparison had made
    """

    found: Reconciled
    adopted: tuple[Difference, ...]
    resumed: bool


def adopt(desk: Desk, trader: Trader, *, reason: str, by: str) -> Adopted:
    """Compare an account once more, and book what still differs as the venue has it.

    Raises Unavailable if the venue does not answer, MovedMeanwhile while an order is on its way.
    """
    found = reconcile(desk, trader)
    if found.moving:
        raise MovedMeanwhile("an order is on its way, or nobody knows what became of one: ask again when it is known")
    prices = {each.symbol: _price(desk, trader, each) for each in found.differences}
    theirs = None
    if (found.differences or found.wallet) and not desk.holds_coins(trader.venue):
        theirs = desk.venue(trader.venue).balance(VenueAccount(trader.account_id, trader.owner_id)).wallet

    def work(tx: Tx) -> tuple[tuple[Difference, ...], bool]:
        now = desk.clock.now()
        tx.lock(f"account:{trader.account_id}")
        for each in found.differences:
            _book(tx, desk, trader, each, prices[each.symbol], reason, now)
        wallet = () if theirs is None else _book_wallet(tx, desk, trader, theirs, now)
        due = (*found.differences, *wallet)
        scope = Scope(Level.ACCOUNT, trader.account_id, trader.owner_id, trader.account_id)
        standing = halt_store.of_scope(tx, scope)
        # What somebody else has halted stays halted.
        ends = bool(standing) and all(halt.by == BY for halt in standing) and halts.resume_at(tx, desk, scope, by=by)
        if due or ends:
            detail = {
                "account_id": trader.account_id,
                "reason": reason,
                "settled": [{"what": one.symbol, "ours": plain(one.ours), "venue": plain(one.theirs)} for one in due],
            }
            audit.record(tx, owner_id=trader.owner_id, who=by, what="account.adopted", now=now, detail=detail)
        return due, ends

    due, resumed = desk.database.write(work, name="adopt", urgent=True)
    return Adopted(found, due, resumed)


def _price(desk: Desk, trader: Trader, one: Difference) -> Decimal:
    """Return the price at which a difference is booked: what it is worth now. Raises Unavailable without one."""
    for position in desk.venue(trader.venue).positions(VenueAccount(trader.account_id, trader.owner_id)):
        if position.symbol == one.symbol and one.ours == 0:
            return position.entry_price
    price = desk.quote_of(trader.venue, one.symbol).mark
    if price <= 0:
        raise Unavailable(f"there is no price of {one.symbol}")
    return price


def _book(tx: Tx, desk: Desk, trader: Trader, one: Difference, price: Decimal, reason: str, now: datetime) -> None:
    """Book one position as the venue has it, through an order that is shown as foreign."""
    name = desk.ids.fresh("adp")
    change = one.theirs - one.ours
    side = Side.of(change)
    terms = OrderTerms(symbol=one.symbol, side=side, type=OrderType.MARKET, quantity=abs(change))
    order = store.OrderRecord(
        id=desk.ids.fresh("ord"),
        owner_id=trader.owner_id,
        account_id=trader.account_id,
        hook_id=None,
        signal_id=None,
        client_order_id=name[:36],
        venue_order_id=name,
        terms=terms,
        purpose=Purpose.FOREIGN,
        reason=f"adopted: {reason}",
        state=OrderState.WORKING,
        filled_quantity=Decimal(0),
        filled_notional=Decimal(0),
        commission=Decimal(0),
        decided_price=price,
        outcome=None,
        cancel_asked_at=None,
        created_at=now,
        sent_at=None,
        sendable_until=None,
        asked=0,
        updated_at=now,
    )
    store.add(tx, order)
    store.note(tx, order, now, (OrderEvent.ACCEPT, order.state, order.reason))
    fill = Fill(
        venue_trade_id=name,
        venue_order_id=name,
        client_order_id=order.client_order_id,
        symbol=one.symbol,
        side=side,
        price=price,
        quantity=abs(change),
        commission=Decimal(0),
        commission_currency=trader.currency,
        realised=None,
        maker=False,
        at=now,
    )
    report = OrderReport(order.client_order_id, name, terms, VenueStatus.FILLED, abs(change), now, fills=(fill,))
    settle.reported(tx, desk, order.id, report)


def _book_wallet(tx: Tx, desk: Desk, trader: Trader, theirs: Decimal, now: datetime) -> tuple[Difference, ...]:
    """Book what the wallet has more or less, beside what the adopted positions have just realised."""
    ours = settle.wallet_of(tx, trader.account_id, trader.currency, now)
    wallet.agrees(tx, trader.account_id)
    if theirs == ours:
        return ()
    transfer = Transfer(desk.ids.fresh("adp"), EXACT.subtract(theirs, ours), trader.currency, now)
    settle.transferred(tx, trader.account_id, trader.owner_id, [transfer], now)
    return (Difference(WALLET, ours, theirs),)
