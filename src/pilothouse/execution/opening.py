"""The first page of an account's books: what was there when it was added, taken over as it stands.

What a real account did before is not ours to tell: its wallet is booked as one transfer, each position as one fill at
its entry price, and whatever happened earlier than that instant is passed over from then on.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from pilothouse.core.clock import EPOCH, from_micros, micros
from pilothouse.core.errors import Unavailable
from pilothouse.core.fill import Fill
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderEvent, OrderState, OrderTerms, OrderType, Purpose
from pilothouse.execution import account_store, hearing, settle, store
from pilothouse.execution.desk import Desk
from pilothouse.execution.trader import Trader
from pilothouse.execution.where import holds_more_than_ours
from pilothouse.kit.db import Tx
from pilothouse.venues.keys import VenueKey
from pilothouse.venues.port import Examined, OrderReport, Transfer, VenueAccount, VenuePosition, VenueStatus

PREFIX = "opening-"
"""Client ids of the orders that stand for what was held before."""

_KIND = "opened"


def begun(desk: Desk, trader: Trader, account: VenueAccount) -> datetime:
    """Return the instant, of the venue's clock, from which on the books tell everything; begin them if need be.

    Raises Unavailable if the venue does not answer, or the account moved meanwhile; Refused if its key does not fit.
    """
    if VenueKey.parse(trader.venue).is_paper:
        return EPOCH
    marks = desk.database.read(lambda tx: account_store.reconciled_up_to(tx, account.id))
    known = marks.get((_KIND, ""))
    if known is not None:
        return from_micros(int(known))
    venue = desk.venue(trader.venue)
    found = venue.examine(account)
    if found.hedge_mode:
        raise Unavailable("the account keeps long and short apart (hedge mode); the house trades one-way")
    if _held(found.positions) != _held(venue.positions(account)):
        raise Unavailable("the account moved while its books were begun; they are begun again")
    at = desk.clock.now() + found.clock_ahead
    # Coins are shown as the venue tells them: a position is what was bought here.
    taken_over = () if holds_more_than_ours(venue.card) else found.positions
    desk.database.write(lambda tx: _begin(tx, desk, account, found, taken_over, at), name="opening", urgent=True)
    return at


def counts(tx: Tx, account_id: str, at: datetime) -> bool:
    """Say whether what happened at that instant belongs into the books; before they are begun, nothing does."""
    if hearing.of(tx, account_id) is None:
        return True
    known = account_store.reconciled_up_to(tx, account_id).get((_KIND, ""))
    return known is not None and at >= from_micros(int(known))


def _held(positions: Sequence[VenuePosition]) -> dict[str, Decimal]:
    return {position.symbol: position.quantity for position in positions}


def _begin(
    tx: Tx, desk: Desk, account: VenueAccount, found: Examined, positions: Sequence[VenuePosition], at: datetime
) -> None:
    """Book the wallet and every position, once."""
    tx.lock(f"account:{account.id}")
    if (_KIND, "") in account_store.reconciled_up_to(tx, account.id):
        return
    now = desk.clock.now()
    wallet = Transfer(f"{PREFIX}wallet", found.balance.wallet, found.balance.asset, at)
    if wallet.amount:
        settle.transferred(tx, account.id, account.owner_id, [wallet], now)
    for position in positions:
        if position.quantity:
            _take_over(tx, desk, account, position, found.balance.asset, at)
    account_store.set_reconciled(tx, account.id, account.owner_id, _KIND, "", str(micros(at)), now)


def _take_over(tx: Tx, desk: Desk, account: VenueAccount, position: VenuePosition, currency: str, at: datetime) -> None:
    """Book one position as a fill at its entry price, without a fee, through an order that stands for it."""
    quantity, side = abs(position.quantity), Side.of(position.quantity)
    name = f"{PREFIX}{position.symbol}"[:36]
    terms = OrderTerms(symbol=position.symbol, side=side, type=OrderType.MARKET, quantity=quantity)
    now = desk.clock.now()
    order = store.OrderRecord(
        id=desk.ids.fresh("ord"),
        owner_id=account.owner_id,
        account_id=account.id,
        hook_id=None,
        signal_id=None,
        client_order_id=name,
        venue_order_id=name,
        terms=terms,
        purpose=Purpose.MANUAL,
        reason="held before the account was added here",
        state=OrderState.WORKING,
        filled_quantity=Decimal(0),
        filled_notional=Decimal(0),
        commission=Decimal(0),
        decided_price=position.entry_price,
        outcome=None,
        cancel_asked_at=None,
        created_at=at,
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
        client_order_id=name,
        symbol=position.symbol,
        side=side,
        price=position.entry_price,
        quantity=quantity,
        commission=Decimal(0),
        commission_currency=currency,
        realised=None,
        maker=False,
        at=at - timedelta(microseconds=1),
    )
    report = OrderReport(name, name, terms, VenueStatus.FILLED, quantity, at, fills=(fill,))
    settle.reported(tx, desk, order.id, report)
