"""Orders by hand: submit one, close a position, close all. The same gate, the same path as an alert's."""

from dataclasses import dataclass
from decimal import Decimal

from pilothouse.bots.follow import PositionNotFound
from pilothouse.bots.free import at_hand, resting_sales
from pilothouse.core.errors import Unavailable
from pilothouse.core.instrument import Side
from pilothouse.core.intent import OrderIntent
from pilothouse.core.order import OrderTerms, OrderType, Purpose, TimeInForce
from pilothouse.core.sizing import within_bounds
from pilothouse.execution import amend, cancel, hearing
from pilothouse.execution import store as orders_store
from pilothouse.execution.desk import Desk
from pilothouse.execution.store import OrderRecord
from pilothouse.execution.submit import submit
from pilothouse.execution.trader import Trader
from pilothouse.fleet.scene import look
from pilothouse.kit.db import Tx
from pilothouse.ledger import positions


class AccountNotHeard(Unavailable):
    """What happened on the account is not known yet; soon it may be."""

    code = "account_not_heard"


@dataclass(frozen=True, slots=True)
class Ticket:
    """An order as a person fills it in; checked against the instrument when it is placed."""

    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    price: Decimal | None
    stop_price: Decimal | None
    time_in_force: TimeInForce
    reduce_only: bool


def place(tx: Tx, desk: Desk, trader: Trader, ticket: Ticket, *, by: str) -> OrderRecord:
    """Place an order by hand.

    Raises OffGrid or SizeBelowMinimum with the numbers, DeniedByRisk, AccountDisarmed, Unavailable without a price
    or while the account is not heard at its venue.
    """
    tx.lock(f"account:{trader.account_id}")
    instrument = desk.resolve(trader.venue, ticket.symbol)
    scene = look(tx, desk, trader, instrument.symbol)
    price = instrument.price(ticket.price) if ticket.price is not None else None
    stop_price = instrument.price(ticket.stop_price) if ticket.stop_price is not None else None
    reference = price or stop_price or scene.view.quote.mark
    quantity = within_bounds(instrument.quantity(ticket.quantity), instrument, reference, reduces=ticket.reduce_only)
    terms = OrderTerms(
        symbol=instrument.symbol,
        side=ticket.side,
        type=ticket.type,
        quantity=quantity,
        price=price,
        stop_price=stop_price,
        time_in_force=ticket.time_in_force,
        reduce_only=ticket.reduce_only,
    )
    intent = OrderIntent(
        key=desk.ids.fresh("man"),
        terms=terms,
        purpose=Purpose.MANUAL,
        decided_price=scene.view.quote.mark,
        reason=f"by hand: {by}",
    )
    if not terms.reduce_only and hearing.deaf_since(tx, trader.account_id, desk.clock.now()) is not None:
        raise AccountNotHeard("the account is not heard at its venue: what happened meanwhile is being asked for")
    return submit(tx, desk, trader, intent, scene.basis(terms.side))


def change(
    tx: Tx,
    desk: Desk,
    trader: Trader,
    order: OrderRecord,
    *,
    price: Decimal | None,
    quantity: Decimal | None,
    by: str,
    stop_price: Decimal | None = None,
) -> None:
    """Ask for a resting order to get another price, trigger or size; the account is locked here.

    Raises as amend.ask, Unavailable without a price or, for what could add, while the account is not heard.
    """
    tx.lock(f"account:{trader.account_id}")
    scene = look(tx, desk, trader, order.terms.symbol)
    known = orders_store.get(tx, order.id) or order
    basis = scene.basis(known.terms.side)
    adds = amend.ask(tx, desk, trader, known, basis, price=price, stop_price=stop_price, quantity=quantity, by=by)
    if adds and not order.terms.reduce_only and hearing.deaf_since(tx, trader.account_id, desk.clock.now()) is not None:
        raise AccountNotHeard("the account is not heard at its venue: what happened meanwhile is being asked for")


def close(
    tx: Tx,
    desk: Desk,
    trader: Trader,
    symbol: str,
    *,
    by: str,
    share: Decimal | None = None,
    hook_id: str | None = None,
) -> OrderRecord:
    """Cancel what could still open the position in one instrument, and close it with a reduce-only market order.

    share, hook_id   of a bot: only its orders are cancelled, and only so much is closed (base, signed), at most

    Where a stop locks the coins, it is cancelled first: the order is returned unsent, and leaves when the stop is gone.
    Raises PositionNotFound if it is flat, or the share of it is.
    """
    tx.lock(f"account:{trader.account_id}")
    instrument = desk.resolve(trader.venue, symbol)
    scene = look(tx, desk, trader, instrument.symbol)
    for order in scene.records:
        if order.terms.rests and not order.purpose.protects and hook_id in {None, order.hook_id}:
            cancel.ask(tx, desk, order, by=by)
    freed = [one for one in resting_sales(scene.view) if hook_id in {None, one.hook_id}]
    held = at_hand(scene.view, freed)
    if share is not None:
        held = _part_of(held, instrument.quantity_down(abs(share)) * (1 if share > 0 else -1))
    if held == 0:
        raise PositionNotFound(f"No open position found for {instrument.symbol}")
    terms = OrderTerms(
        symbol=instrument.symbol,
        side=Side.of(-held),
        type=OrderType.MARKET,
        quantity=instrument.quantity_down(abs(held)),
        reduce_only=True,
    )
    intent = OrderIntent(
        key=desk.ids.fresh("man"),
        terms=terms,
        purpose=Purpose.EXIT,
        decided_price=scene.view.quote.mark,
        reason=f"closed by hand: {by}",
        hook_id=hook_id,
    )
    locks = (*scene.view.locked(), *freed) if terms.side is Side.SELL else ()
    closing = submit(tx, desk, trader, intent, scene.basis(), waits=bool(locks))
    for lock in locks:
        cancel.ask(tx, desk, scene.order(lock.id), by=by)
    return closing


def _part_of(held: Decimal, share: Decimal) -> Decimal:
    """Return what of a position is a bot's: never more than is held, and nothing on the other side."""
    if held * share <= 0:
        return Decimal(0)
    return min(held, share) if held > 0 else max(held, share)


def close_all(tx: Tx, desk: Desk, trader: Trader, *, by: str) -> list[OrderRecord]:
    """Cancel every resting order of the account and close every position; nothing to do is an empty list."""
    tx.lock(f"account:{trader.account_id}")
    cancel.ask_all(tx, desk, trader.account_id, symbol=None, by=by, protective_too=False)
    closed = []
    for row in positions.all_positions(tx, trader.account_id, flat_too=False):
        scene = look(tx, desk, trader, row.position.symbol)
        if scene.view.in_lots(scene.view.expected()) != 0:
            closed.append(close(tx, desk, trader, row.position.symbol, by=by))
    return closed
