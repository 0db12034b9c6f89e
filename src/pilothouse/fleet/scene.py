"""What one turn sees of an account and instrument: orders, position, prices and equity, read in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from pilothouse.bots.view import LiveOrder, View
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState, OrderTerms, OrderType
from pilothouse.core.rounding import EXACT, plain
from pilothouse.execution import store as orders_store
from pilothouse.execution.desk import Desk
from pilothouse.execution.gate import Basis
from pilothouse.execution.store import OrderRecord
from pilothouse.execution.trader import Trader
from pilothouse.kit.db import Tx
from pilothouse.ledger.exposure import Holdings, holdings

_DOUBTED = frozenset({OrderState.UNKNOWN, OrderState.INTENDED})


@dataclass(slots=True)
class Scene:
    """What is there now.

    records             live orders of the instrument, as stored
    at                  when that was
    marks               mark price of each instrument in which something is held
    protection_changed  whether this turn set a new protection
    """

    view: View
    records: tuple[OrderRecord, ...]
    held: Holdings
    at: datetime
    marks: Mapping[str, Decimal]
    protection_changed: bool = False

    def in_doubt(self) -> bool:
        """Say whether nobody knows what became of an order, or one waits to be sent again.

        A stop-loss or take-profit that only reduces is left out: it can open nothing, and whether it arrived is known
        at some venues after a minute only. What it may have done to the position is what any stop may do that stands.
        """
        return any(not _only_protects(order) and order.is_doubted(self.at) for order in self.records)

    def doubted_stops(self, side: Side) -> tuple[OrderRecord, ...]:
        """Return the stop-losses and take-profits of one side of which nobody knows whether they stand."""
        return tuple(
            order
            for order in self.records
            if _only_protects(order) and order.state in _DOUBTED and order.terms.side is side
        )

    def could_be_closed_by_doubt(self, terms: OrderTerms) -> bool:
        """Say whether an order would open a position that a stop of a former one may close: it may still arrive."""
        if terms.reduce_only or not self.doubted_stops(terms.side.opposite):
            return False
        held = self.view.in_lots(self.view.expected())
        after = EXACT.add(held, terms.quantity * terms.side.sign)
        return after != 0 and Side.of(after) is terms.side and (held == 0 or Side.of(held) is not terms.side)

    def has_protective(self) -> bool:
        """Say whether a stop-loss or take-profit is alive."""
        return any(order.purpose.protects for order in self.records)

    def what_stays(self) -> str:
        """Return in words what no exit can sell of coins, because it is less than a lot; empty if there is none."""
        instrument = self.view.instrument
        dust = EXACT.subtract(self.held.position(instrument.symbol).quantity, self.view.held())
        if not self.view.coins or dust <= 0:
            return ""
        return f"; {plain(dust)} {instrument.base} stay, less than a lot of {plain(instrument.lot)}"

    def order(self, order_id: str) -> OrderRecord:
        """Return one of the live orders."""
        return next(order for order in self.records if order.id == order_id)

    def placed(self, places: Mapping[str, str]) -> "Scene":
        """Return the scene, each order with its place in the protection, by its id."""
        orders = tuple(
            replace(order, place=places[order.id]) if order.id in places else order for order in self.view.orders
        )
        return replace(self, view=replace(self.view, orders=orders))

    def with_order(self, order: OrderRecord, place: str = "") -> "Scene":
        """Return the scene with one more order in it."""
        if order.state.is_final or any(one.id == order.id for one in self.records):
            return self
        return Scene(
            view=replace(self.view, orders=(*self.view.orders, live(order, place))),
            records=(*self.records, order),
            held=self.held,
            at=self.at,
            marks=self.marks,
            protection_changed=self.protection_changed,
        )

    def basis(self, side: Side | None = None) -> Basis:
        """Return what the risk gate is shown.

        side   of the order to come: what leaves at the market on that side, and what stops of unknown outcome may have
               closed there, counts as closed, so that an order which turns the position round is measured by the most
               it could open; else it would look as if it only reduced what is still held
        """
        return Basis(
            instrument=self.view.instrument,
            quote=self.view.quote,
            position=self._position_at_worst(side),
            equity=self.view.equity,
            equity_at_midnight=self.held.day.counts_from,
            orders=self.records,
            high_water=self.held.high_water,
            held={name: (each.quantity, self.marks[name]) for name, each in self.held.positions.items()},
        )

    def _position_at_worst(self, side: Side | None) -> Decimal:
        held = self.view.position.quantity
        if side is None or held == 0 or Side.of(held) is side:
            return held
        gone = (*self.doubted_stops(side), *(order for order in self.records if _leaves(order, side)))
        closes = sum((order.remaining for order in gone), Decimal(0))
        return held + side.sign * min(closes, abs(held))


def look(tx: Tx, desk: Desk, trader: Trader, symbol: str) -> Scene:
    """Return what is there in one instrument of an account; raises Unavailable if a price is missing."""
    now = desk.clock.now()
    held = holdings(tx, trader.account_id, now, trader.currency)
    quote = desk.quote_of(trader.venue, symbol)
    marks = {name: desk.quote_of(trader.venue, name).mark for name in held.positions}
    records = tuple(orders_store.live_in(tx, trader.account_id, symbol))
    instrument = desk.instrument_of(trader.venue, symbol)
    view = View(
        instrument=instrument,
        position=held.position(symbol).in_lots(instrument.lot),
        orders=tuple(live(order) for order in records),
        quote=quote,
        equity=held.equity(marks).equity,
        coins=desk.holds_coins(trader.venue),
        carries_stops=desk.carries_stops(trader.venue),
        trails=desk.trails(trader.venue),
        stop_ways=desk.stop_ways(trader.venue),
        pairs=desk.has_pairs(trader.venue),
    )
    return Scene(view, records, held, now, marks)


def _leaves(order: OrderRecord, side: Side) -> bool:
    """Say whether an order closes at the market on this side, and is no protection."""
    terms = order.terms
    at_market = terms.type is OrderType.MARKET and terms.reduce_only
    return at_market and terms.side is side and not order.purpose.protects


def _only_protects(order: OrderRecord) -> bool:
    return order.purpose.protects and order.terms.reduce_only


def live(order: OrderRecord, place: str = "") -> LiveOrder:
    """Return a stored order as decisions see it."""
    return LiveOrder(
        id=order.id,
        hook_id=order.hook_id,
        signal_id=order.signal_id,
        purpose=order.purpose,
        state=order.state,
        terms=order.terms,
        remaining=order.remaining,
        cancel_asked=order.cancel_asked_at is not None,
        asked=order.asked,
        place=place,
    )
