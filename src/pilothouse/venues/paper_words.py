"""Between the port's decimals and the simulation's whole numbers, both ways and exactly."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from pilothouse.core.clock import from_micros, micros
from pilothouse.core.fill import Fill
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderTerms
from pilothouse.core.position import Position
from pilothouse.core.quote import Quote
from pilothouse.core.rounding import EXACT, QUOTE_UNIT, exact
from pilothouse.simulation.account import Account, Standing
from pilothouse.simulation.contracts import Contract
from pilothouse.simulation.exchange import liquidation_price
from pilothouse.simulation.floor import Changes, Desk, Floor
from pilothouse.simulation.funding import RATE_UNIT
from pilothouse.simulation.orders import Asked, Execution, Movement, MovementKind, Order, Refusal
from pilothouse.simulation.told import Told
from pilothouse.venues.port import (
    Accepted,
    AccountEvent,
    FundingPayment,
    MarginType,
    OrderReport,
    OrderRequest,
    PlaceOutcome,
    Rejected,
    Transfer,
    VenueBalance,
    VenuePosition,
    VenueStatus,
)

SOURCE = "simulated"

Contracts = Mapping[str, Contract]

Placed = tuple[OrderRequest, Order | Refusal]
"""A request and what the venue made of it."""

_RATE = Decimal(1) / RATE_UNIT
_SIDES = {1: Side.BUY, -1: Side.SELL}
_STATUS = {str(status): status for status in VenueStatus}
# Well inside of what 64 bits hold in quote units.
_DEPOSIT_MAX = Decimal(1_000_000_000)


def money(units: int) -> Decimal:
    """Return quote units as an amount."""
    return EXACT.multiply(Decimal(units), QUOTE_UNIT)


def units(amount: Decimal) -> int:
    """Return an amount, zero to a thousand million, as quote units. Raises AssertionError for a finer one."""
    number = exact(amount)
    assert 0 <= number <= _DEPOSIT_MAX, "paper accounts hold up to a thousand million"
    count, rest = EXACT.divmod(number, QUOTE_UNIT)
    assert rest == 0, "money has eight digits behind the point"
    return int(count)


def _count(value: Decimal, step: Decimal) -> int | None:
    """Return how many steps `value` is; None if it is no whole number of them."""
    count, rest = EXACT.divmod(value, step)
    return int(count) if rest == 0 else None


def asked(contracts: Contracts, request: OrderRequest) -> Asked | Refusal:
    """Return what a request asks for in ticks and lots, or why it cannot be read on the instrument's grid."""
    terms = request.terms
    contract = contracts.get(terms.symbol)
    if contract is None:
        return Refusal("-1121", f"there is no instrument {terms.symbol}")
    if request.close_position and not terms.reduce_only:
        return Refusal("-4138", "an order that closes a position must only reduce")
    if terms.trail_percent is not None:
        return Refusal("-1116", "paper takes no orders that trail: the house moves a stop")
    instrument = contract.instrument
    lots = _count(terms.quantity, instrument.lot)
    if lots is None:
        return Refusal("-4023", f"the quantity is no whole number of lots of {instrument.lot}")
    ticks: list[int | None] = []
    for price in (terms.price, terms.stop_price):
        if price is None:
            ticks.append(None)
            continue
        if not instrument.price_min <= price <= instrument.price_max:
            return Refusal("-4002", f"the price is outside of {instrument.price_min} to {instrument.price_max}")
        count = _count(price, instrument.tick)
        if count is None:
            return Refusal("-4014", f"the price is no multiple of the tick {instrument.tick}")
        ticks.append(count)
    return Asked(
        request.client_order_id, terms.symbol, terms.side.sign, terms.type, terms.time_in_force, lots,
        ticks[0], ticks[1], terms.reduce_only,
    )  # fmt: skip


def told(contract: Contract, quote: Quote, seen: int) -> Told:
    """Return a quote in ticks and lots; what lies between two of them is rounded against whoever trades.

    seen   microseconds: when it was certainly so
    """
    tick, lot = contract.instrument.tick, contract.instrument.lot
    mark, rest = EXACT.divmod(quote.mark, tick)
    ask, beyond = EXACT.divmod(quote.ask, tick)
    known = quote.funding_rate is not None and quote.funding_at is not None
    return Told(
        quote.symbol,
        int(EXACT.divide_int(quote.bid, tick)),
        int(ask) + bool(beyond),
        int(mark),
        int(mark) + bool(rest),
        int(EXACT.divide_int(quote.last, tick)),
        seen,
        None if quote.bid_quantity is None else int(EXACT.divide_int(quote.bid_quantity, lot)),
        None if quote.ask_quantity is None else int(EXACT.divide_int(quote.ask_quantity, lot)),
        int(EXACT.divide_int(quote.funding_rate or Decimal(0), _RATE)) if known else None,
        micros(quote.funding_at) if quote.funding_at is not None and known else None,
        *(None if at is None else min(micros(at), seen) for at in (quote.book_at, quote.mark_at, quote.last_at)),
    )


def price_of(contract: Contract, ticks: int) -> Decimal:
    """Return a price in quote currency."""
    return EXACT.multiply(Decimal(ticks), contract.instrument.tick)


def quantity_of(contract: Contract, lots: int) -> Decimal:
    """Return a quantity in base currency."""
    return EXACT.multiply(Decimal(lots), contract.instrument.lot)


def fill(contracts: Contracts, execution: Execution) -> Fill:
    """Return a trade as the port tells it."""
    contract = contracts[execution.symbol]
    return Fill(
        venue_trade_id=str(execution.trade),
        venue_order_id=str(execution.number),
        client_order_id=execution.client_id,
        symbol=execution.symbol,
        side=_SIDES[execution.sign],
        price=price_of(contract, execution.price),
        quantity=quantity_of(contract, execution.lots),
        commission=money(execution.commission),
        commission_currency=contract.instrument.quote,
        realised=money(execution.realised),
        maker=bool(execution.maker),
        at=from_micros(execution.at),
    )


def terms(contract: Contract, order: Order) -> OrderTerms:
    """Return what was asked of the venue."""
    return OrderTerms(
        symbol=order.symbol,
        side=_SIDES[order.sign],
        type=order.type,
        quantity=quantity_of(contract, order.lots),
        price=None if order.price is None else price_of(contract, order.price),
        stop_price=None if order.stop is None else price_of(contract, order.stop),
        time_in_force=order.tif,
        reduce_only=order.reduce_only,
    )


def report(
    contracts: Contracts,
    order: Order,
    executions: Iterable[Execution] = (),
    its_terms: OrderTerms | None = None,
) -> OrderReport:
    """Return where an order is, with the trades it tells."""
    contract = contracts[order.symbol]
    return OrderReport(
        client_order_id=order.client_id,
        venue_order_id=str(order.number),
        terms=its_terms or terms(contract, order),
        status=_STATUS[order.status],
        filled_quantity=quantity_of(contract, order.filled),
        at=from_micros(order.updated),
        fills=tuple(fill(contracts, execution) for execution in executions),
        reason=order.reason,
    )


def outcomes(contracts: Contracts, placed: Iterable[Placed], changes: Changes) -> list[PlaceOutcome]:
    """Return what a caller is told of the orders it placed, with the trades they made at once."""
    trades = _by_order(changes)
    return [
        Rejected(order.code, order.message, order.would_trigger, order.for_now)
        if isinstance(order, Refusal)
        else Accepted(report(contracts, order, trades.get(order.number, ()), request.terms))
        for request, order in placed
    ]


def events(contracts: Contracts, changes: Changes, answered: frozenset[int] = frozenset()) -> list[AccountEvent]:
    """Return what happened on its own: each order that was touched, unless its number is answered for, and funding."""
    trades = _by_order(changes)
    told = [
        AccountEvent(order.account_id, report=report(contracts, order, trades.get(order.number, ())))
        for order in changes.orders.values()
        if order.number not in answered
    ]
    told += [
        AccountEvent(movement.account_id, funding=funding(contracts, movement))
        for movement in changes.movements
        if movement.kind is MovementKind.FUNDING
    ]
    return told


def _by_order(changes: Changes) -> dict[int, list[Execution]]:
    found: dict[int, list[Execution]] = {}
    for execution in changes.executions:
        found.setdefault(execution.number, []).append(execution)
    return found


def quotes(floor: Floor, now_us: int) -> list[Quote]:
    """Return the best prices of every market."""
    return [quote(desk, now_us) for desk in floor.desks.values()]


def quote(desk: Desk, now_us: int) -> Quote:
    """Return the best prices of a market."""
    bid, mark, ask, last = (price_of(desk.contract, ticks) for ticks in desk.prices)
    return Quote(desk.contract.symbol, bid, ask, mark, last, from_micros(now_us), SOURCE)


def funding(contracts: Contracts, movement: Movement) -> FundingPayment:
    """Return a funding payment."""
    currency = contracts[movement.symbol].instrument.quote
    return FundingPayment(
        str(movement.number), movement.symbol, money(movement.amount), currency, from_micros(movement.at)
    )


def transfer(movement: Movement, currency: str) -> Transfer:
    """Return money that came or left."""
    assert movement.kind is not MovementKind.FUNDING, "funding is told as what it is"
    return Transfer(str(movement.number), money(movement.amount), currency, from_micros(movement.at))


def position(floor: Floor, account: Account, symbol: str) -> VenuePosition | None:
    """Return what is held in one instrument; None when flat."""
    holding = account.holdings.get(symbol)
    if holding is None or not holding.lots:
        return None
    desk = floor.desks[symbol]
    contract, mark = desk.contract, desk.prices.mark
    quantity = quantity_of(contract, holding.lots)
    entry = Position(symbol, quantity, money(holding.cost)).entry_price()
    assert entry is not None, "what is held was paid for"
    liquidation = liquidation_price(floor, account, symbol)
    return VenuePosition(
        symbol=symbol,
        quantity=quantity,
        entry_price=entry,
        mark_price=price_of(contract, mark),
        unrealised=money(holding.unrealised(contract, mark)),
        leverage=holding.leverage,
        margin_type=MarginType.ISOLATED if holding.is_isolated else MarginType.CROSSED,
        liquidation_price=None if liquidation is None else price_of(contract, liquidation),
        isolated_margin=money(holding.isolated) if holding.is_isolated else None,
        notional=money(holding.notional(contract, mark)),
    )


def balance(standing: Standing, currency: str) -> VenueBalance:
    """Return what an account is worth."""
    return VenueBalance(
        asset=currency,
        wallet=money(standing.wallet),
        available=money(standing.available),
        cross_wallet=money(standing.cross_wallet),
        unrealised=money(standing.unrealised),
        margin_balance=money(standing.margin_balance),
        initial_margin=money(standing.initial),
        maintenance_margin=money(standing.maintenance),
    )
