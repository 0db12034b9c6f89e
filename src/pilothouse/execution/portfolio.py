"""What an account holds, as a person wants to see it: our books, today's prices, and the venue's own margin figures.

Quantities, costs and results are those of our books. Leverage, margin type, liquidation price and margin are the
venue's to say: when it does not answer, that is told, and never shown as "flat" or "none".
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from pilothouse.core.errors import Invalid, NotFound, Problem, Refused, Unavailable
from pilothouse.core.instrument import Instrument
from pilothouse.core.position import Position
from pilothouse.core.rounding import EXACT
from pilothouse.execution.desk import Desk
from pilothouse.execution.trader import AccountDisarmed, Trader
from pilothouse.kit.db import Tx
from pilothouse.ledger import positions as books
from pilothouse.ledger.exposure import holdings
from pilothouse.venues.port import MarginType, VenueAccount, VenueBalance, VenuePosition


class InstrumentUnknown(NotFound):
    """The venue of this account trades nothing of that name."""

    code = "symbol_unknown"


class SentElsewhere(Unavailable):
    """Another process has the right to send for the account: nothing is changed at the venue by this one."""

    code = "sent_elsewhere"


@dataclass(frozen=True, slots=True)
class Margin:
    """What only the venue knows of one position.

    liquidation_price   mark price at which the venue takes the position away; None if it has none
    isolated_margin     quote currency; None for a position that shares the account's margin
    """

    leverage: int
    margin_type: MarginType
    liquidation_price: Decimal | None
    isolated_margin: Decimal | None


@dataclass(frozen=True, slots=True)
class PositionView:
    """One position now.

    quantity     base, above zero long, below zero short, never zero
    cost         quote paid for it, same sign as `quantity`
    entry_price, mark_price   quote per base
    unrealised   open result at the mark, quote
    notional     worth at the mark, quote, same sign as `quantity`
    margin       None where the venue was not asked
    """

    symbol: str
    quantity: Decimal
    cost: Decimal
    entry_price: Decimal
    mark_price: Decimal
    unrealised: Decimal
    notional: Decimal
    opened_at: datetime | None
    margin: Margin | None


@dataclass(frozen=True, slots=True)
class BalanceView:
    """What an account is worth: the venue's own figures, and the wallet as our books have it."""

    venue: VenueBalance
    booked_wallet: Decimal


def find(desk: Desk, trader: Trader, symbol: str) -> Instrument:
    """Return the instrument that somebody named in an address; raises InstrumentUnknown."""
    try:
        return desk.resolve(trader.venue, symbol)
    except Refused as unknown:
        raise InstrumentUnknown(str(unknown)) from unknown


def positions(desk: Desk, trader: Trader) -> list[PositionView]:
    """Return every position that is not flat, by symbol. Raises Unavailable when the venue does not answer."""
    told = {each.symbol: each for each in desk.venue(trader.venue).positions(_account(trader))}
    rows = desk.database.read(lambda tx: books.all_positions(tx, trader.account_id, flat_too=False))
    views = []
    for row in rows:
        margin = _margin(desk, trader, row.position.symbol, told.get(row.position.symbol))
        views.append(_view(desk, trader, row.position, row.opened_at, margin))
    return views


def position(desk: Desk, trader: Trader, symbol: str) -> PositionView | None:
    """Return the position in one instrument, or None when flat. Raises Unavailable when the venue does not answer."""
    return next((view for view in positions(desk, trader) if view.symbol == symbol), None)


def glance(tx: Tx, desk: Desk, trader: Trader, symbol: str) -> PositionView | None:
    """Return the position as the books have it, without asking the venue; None when flat. Raises Unavailable."""
    held = books.position(tx, trader.account_id, symbol)
    return None if held.quantity == 0 else _view(desk, trader, held, None, None)


def with_margin(desk: Desk, trader: Trader, view: PositionView) -> PositionView:
    """Return a position with the venue's figures if they are at hand: from a venue inside of this process.

    For answers that cannot wait for a wire; where the figures are not at hand they stay unsaid.
    """
    venue = desk.venue(trader.venue)
    if not venue.card.simulated:
        return view
    try:
        told = {each.symbol: each for each in venue.positions(_account(trader))}
        return replace(view, margin=_margin(desk, trader, view.symbol, told.get(view.symbol)))
    except Unavailable:
        return view


def balance(desk: Desk, trader: Trader) -> BalanceView:
    """Return what the account is worth. Raises Unavailable when the venue does not answer, or a price is missing."""
    told = desk.venue(trader.venue).balance(_account(trader))
    held = desk.database.read(lambda tx: holdings(tx, trader.account_id, desk.clock.now(), trader.currency))
    if desk.holds_coins(trader.venue):
        # The venue tells the money alone: what was bought with it is worth something too.
        marks = {symbol: desk.quote_of(trader.venue, symbol).mark for symbol in held.positions}
        worth = sum((EXACT.multiply(each.quantity, marks[name]) for name, each in held.positions.items()), Decimal(0))
        whole = EXACT.add(told.wallet, worth)
        told = replace(told, unrealised=held.equity(marks).unrealised, margin_balance=whole)
    return BalanceView(told, held.wallet)


def settings(desk: Desk, trader: Trader, symbol: str) -> tuple[int, MarginType]:
    """Return leverage and margin type in one instrument. Raises Unavailable when the venue does not answer."""
    return desk.venue(trader.venue).settings(_account(trader), symbol)


def set_leverage(desk: Desk, trader: Trader, instrument: Instrument, leverage: int) -> int:
    """Set the leverage in one instrument and return it.

    leverage   1 to the instrument's maximum

    Raises Invalid, AccountDisarmed, Refused (the venue says no), Unavailable (it did not happen, also where another
    process sends for the account), Unknown (ask before trying again).
    """
    _must_be_armed(trader)
    if not 1 <= leverage <= instrument.leverage_max:
        allowed = f"a whole number from 1 to {instrument.leverage_max} for {instrument.symbol}"
        raise Invalid([Problem("leverage", str(leverage), allowed, "out_of_range")])
    venue = desk.venue(trader.venue)
    return venue.set_leverage(_account(trader), instrument.symbol, leverage, _stamped(desk, trader))


def set_margin_type(desk: Desk, trader: Trader, instrument: Instrument, margin_type: str) -> MarginType:
    """Set the margin type in one instrument and return it; setting what stands already is success.

    margin_type   ISOLATED or CROSSED, in any case

    Raises what `set_leverage` raises.
    """
    _must_be_armed(trader)
    try:
        wanted = MarginType(margin_type.upper())
    except ValueError:
        problem = Problem("margin_type", ascii(margin_type[:40]), f"one of {', '.join(MarginType)}")
        raise Invalid([problem]) from None
    venue = desk.venue(trader.venue)
    return venue.set_margin_type(_account(trader), instrument.symbol, wanted, _stamped(desk, trader))


def _stamped(desk: Desk, trader: Trader) -> datetime:
    """Return the stamp of a request that this process may send now; raises SentElsewhere while another one sends.

    Stamped first and asked then, as orders are: whoever is stopped in between and wakes up when somebody else has
    taken the account over sends what the venue no longer takes.
    """
    stamped_at = desk.clock.now()
    if not desk.writers.may_send(trader.venue, trader.account_id):
        raise SentElsewhere("another process sends for this account, or will in a moment: ask that one, or again")
    return stamped_at


def _must_be_armed(trader: Trader) -> None:
    """Refuse to change anything at the venue of an account that nobody has armed."""
    if not trader.may_send:
        raise AccountDisarmed("the account is not armed: nothing is changed at its venue until somebody arms it")


def _account(trader: Trader) -> VenueAccount:
    return VenueAccount(trader.account_id, trader.owner_id)


def _margin(desk: Desk, trader: Trader, symbol: str, told: VenuePosition | None) -> Margin:
    """Return the venue's figures; a position that it does not have (yet, or any more) still has its settings."""
    if told is not None:
        return Margin(told.leverage, told.margin_type, told.liquidation_price, told.isolated_margin)
    leverage, margin_type = settings(desk, trader, symbol)
    return Margin(leverage, margin_type, None, None)


def _view(
    desk: Desk, trader: Trader, held: Position, opened_at: datetime | None, margin: Margin | None
) -> PositionView:
    mark = desk.quote_of(trader.venue, held.symbol).mark
    entry = held.entry_price()
    assert entry is not None, "what is held was paid for"
    return PositionView(
        symbol=held.symbol,
        quantity=held.quantity,
        cost=held.cost,
        entry_price=entry,
        mark_price=mark,
        unrealised=held.unrealised(mark),
        notional=EXACT.multiply(held.quantity, mark),
        opened_at=opened_at,
        margin=margin,
    )
