"""What happens to an order when it arrives and when its trigger is met: checked, taken, rested or ended."""

import re

from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.simulation.account import Account, pending
from pilothouse.simulation.contracts import SETTLEMENT, UNITS_PER_QUOTE
from pilothouse.simulation.fees import commission
from pilothouse.simulation.floor import Desk, Floor
from pilothouse.simulation.margin import bracket_for, required
from pilothouse.simulation.orders import Asked, Order, Refusal, Status
from pilothouse.simulation.slots import BOTH

OPEN_ORDERS_MAX = 200

_CLIENT_ID = re.compile(r"[\.A-Z\:/a-z0-9_-]{1,36}")


def place(floor: Floor, account_id: str, asked: Asked, now: int) -> Order | Refusal:
    """Take an order into the books, or say why not; what trades at once has traded when this returns."""
    account = floor.accounts.get(account_id)
    if account is None:
        return Refusal("-2015", f"there is no paper account {account_id}")
    refusal = _refusal_of(floor, account, asked)
    if refusal is not None:
        return refusal
    account.holding(asked.slot)
    order = Order(
        floor.take_number(), account.id, asked.client_id, asked.symbol, asked.sign, asked.type, asked.tif, asked.lots,
        asked.price, asked.stop, asked.reduce_only, now, now,
        side=asked.side, closes=asked.closes, by_last=asked.by_last, protect_ppm=asked.protect_ppm, trail=asked.trail,
    )  # fmt: skip
    floor.stand(account, order)
    if asked.expires_if_taking and order.tif is TimeInForce.GTX and not order.waits and would_take(floor, order):
        floor.finish(order, Status.EXPIRED, "a post-only order would have taken at once", now)
    elif not order.waits:
        _work(floor, account, order, now)
    return order


def amend(floor: Floor, order: Order, lots: int, price: int, now: int) -> Refusal | None:
    """Give a resting limit order another size and price; it goes behind the others there, and may trade at once.

    Returns why not, or None. Its size includes what has traded; not above that, it is cancelled.
    """
    account, desk = floor.accounts[order.account_id], floor.desks[order.symbol]
    if (lots, price) == (order.lots, order.price):
        return Refusal("-5027", "No need to modify the order.")
    before = order.lots, order.price
    if lots <= order.filled:
        floor.finish(order, Status.CANCELED, "amended to no more than has traded", now)
        return None
    if order.tif is TimeInForce.GTX:
        order.price = price
        if would_take(floor, order):
            order.price = before[1]
            return Refusal(
                "-5022", "Due to the order could not be executed as maker, the Post Only order will be rejected."
            )
    order.lots, order.price = lots, price
    if not order.reduce_only:
        floor.desks[order.symbol].orders.pop(order.number)
        account.orders.pop(order.number)
        short = _margin_refusal(floor, account, desk, order)
        floor.desks[order.symbol].orders[order.number] = account.orders[order.number] = order
        if short is not None:
            order.lots, order.price = before
            return short
    order.rank, order.updated = floor.take_number(), now
    floor.changes.orders[order.number] = order
    _work(floor, account, order, now)
    return None


def activate(floor: Floor, order: Order, now: int) -> None:
    """Make a conditional order whose trigger was met active: it trades, rests, or expires where it no longer may."""
    account, desk = floor.accounts[order.account_id], floor.desks[order.symbol]
    order.triggered, order.updated = True, now
    floor.changes.orders[order.number] = order
    if order.closes:
        order.lots = account.reducible(order.symbol, order.sign, order.side)
    if order.reduce_only:
        if not account.reducible(order.symbol, order.sign, order.side):
            floor.finish(order, Status.EXPIRED, "nothing is left that it could reduce", now)
            return
    else:
        # Until now it bound no margin, as on venues that check a conditional order only when it triggers.
        order.triggered = False
        short = _margin_refusal(floor, account, desk, order)
        order.triggered = True
        if short is not None:
            floor.finish(order, Status.EXPIRED, short.message, now)
            return
    if order.tif is TimeInForce.GTX and order.type.has_limit and would_take(floor, order):
        floor.finish(order, Status.EXPIRED, "it would have taken when it was triggered", now)
        return
    _work(floor, account, order, now)


def _work(floor: Floor, account: Account, order: Order, now: int) -> None:
    """Trade what can be taken; leave the rest standing if the order may stand."""
    if order.tif is TimeInForce.FOK and order.type.has_limit:
        most = (
            min(order.left, account.reducible(order.symbol, order.sign, order.side))
            if order.reduce_only
            else order.left
        )
        there = floor.takeable(account, order.symbol, order.sign, order.left, order.price)
        if min(most, there) < order.left:
            floor.finish(order, Status.EXPIRED, "it could not be filled whole at once", now)
            return
    floor.take(order, now)
    if order.filled:
        floor.drop_idle_reductions(account, order.symbol, now)
    if not order.is_open:
        return
    at_once = not order.type.has_limit or order.tif in {TimeInForce.IOC, TimeInForce.FOK}
    if at_once:
        floor.finish(order, Status.EXPIRED, "the rest could not be filled at once", now)


def _refusal_of(floor: Floor, account: Account, asked: Asked) -> Refusal | None:
    desk = floor.desks.get(asked.symbol)
    if desk is None:
        return Refusal("-1121", f"there is no instrument {asked.symbol}")
    if not _CLIENT_ID.fullmatch(asked.client_id):
        return Refusal("-4015", "a client order id has 1 to 36 letters, digits or . : / _ -")
    if asked.client_id in account.by_client:
        return Refusal("-4116", f"the client order id {asked.client_id} is that of an open order")
    if len(account.orders) >= OPEN_ORDERS_MAX and asked.type is not OrderType.MARKET:
        there = sum(order.symbol == asked.symbol for order in account.orders.values())
        if there >= OPEN_ORDERS_MAX:
            return Refusal("-2025", f"at most {OPEN_ORDERS_MAX} orders may be open in one instrument")
    return (
        _size_refusal(desk, asked)
        or _trigger_refusal(desk, asked)
        or _reduce_refusal(account, asked)
        or _post_only_refusal(floor, asked)
        or (None if asked.reduce_only or asked.waits else _margin_refusal(floor, account, desk, asked))
    )


def _size_refusal(desk: Desk, asked: Asked) -> Refusal | None:
    contract = desk.contract
    if asked.closes:
        return None
    if asked.lots < contract.lots_min:
        return Refusal(
            "-4003", f"{contract.quantity_text(asked.lots)} is below {contract.quantity_text(contract.lots_min)}"
        )
    if asked.lots > contract.lots_max:
        return Refusal(
            "-4005", f"{contract.quantity_text(asked.lots)} is above {contract.quantity_text(contract.lots_max)}"
        )
    ticks = asked.price or asked.stop or desk.prices.mark
    notional = asked.lots * ticks * contract.unit
    if not asked.reduce_only and notional < contract.notional_min:
        return Refusal(
            "-4164",
            f"the order is worth {quoted(notional)}, at least {quoted(contract.notional_min)} are needed "
            "unless it only reduces",
        )
    return None


def _trigger_refusal(desk: Desk, asked: Asked) -> Refusal | None:
    if asked.stop is None or not desk.meets(asked.type, asked.sign, asked.stop, by_last=asked.by_last):
        return None
    working = desk.working(by_last=asked.by_last)
    mark, stop = (desk.contract.price_text(ticks) for ticks in (working, asked.stop))
    return Refusal(
        "-2021",
        f"it would trigger at once: the {'last' if asked.by_last else 'mark'} price is {mark}, the stop price {stop}",
        would_trigger=True,
    )


def _reduce_refusal(account: Account, asked: Asked) -> Refusal | None:
    if asked.waits and asked.side != BOTH:
        return None  # a hedged account may place the exits of a position before it stands
    if asked.reduce_only and not asked.closes and not account.reducible(asked.symbol, asked.sign, asked.side):
        return Refusal("-2022", "there is no position that it could reduce")
    return None


def _post_only_refusal(floor: Floor, asked: Asked) -> Refusal | None:
    post_only = asked.type is OrderType.LIMIT and asked.tif is TimeInForce.GTX and not asked.expires_if_taking
    if post_only and would_take(floor, asked):
        return Refusal("-5022", "a post-only order would have taken at once")
    return None


def would_take(floor: Floor, asked: Asked | Order, price: int | None = None) -> bool:
    """Say whether an order with a limit would trade at once, with the crowd or with another account.

    price   ticks, where it is asked for another limit than its own
    """
    price = asked.price if price is None else price
    assert price is not None, "only an order with a limit can be post-only"
    desk = floor.desks[asked.symbol]
    if desk.ladder(asked.sign).reaches(price):
        return True
    return floor.crossing and any(
        each.sign == -asked.sign
        and not each.waits
        and each.price is not None
        and (price - each.price) * asked.sign >= 0
        for each in desk.orders.values()
    )


def _margin_refusal(floor: Floor, account: Account, desk: Desk, asked: Asked | Order) -> Refusal | None:
    """Ask for the margin, the fee and the loss at the first mark of what the order adds; what turns down needs none."""
    contract, mark = desk.contract, desk.prices.mark
    holding = account.holding(asked.slot)
    lots = asked.lots if isinstance(asked, Asked) else asked.left
    ticks = asked.price if asked.price is not None else desk.ladder(asked.sign).worst_for(lots, None)[0] or mark
    worth = lots * ticks * contract.unit
    position = holding.notional(contract, mark)
    buys, sells = pending(account, contract, mark, asked.side)
    before = required(position, buys, sells, holding.leverage)
    more_buys, more_sells = (buys + worth, sells) if asked.sign > 0 else (buys, sells + worth)
    after = required(position, more_buys, more_sells, holding.leverage)
    if after <= before:
        return None
    largest = max(abs(position + more_buys), abs(position - more_sells))
    if holding.leverage > bracket_for(contract, largest).leverage_max or largest > contract.brackets[-1].notional_cap:
        return Refusal("-2027", f"a position worth {quoted(largest)} is more than leverage {holding.leverage} allows")
    loss = max(0, asked.sign * (ticks - mark)) * lots * contract.unit
    needs = after - before + commission(contract, worth, maker=False) + loss
    available = floor.standing(account).available
    if needs <= available:
        return None
    return Refusal("-2019", f"margin is insufficient: {quoted(needs)} are needed, {quoted(available)} are available")


def quoted(units: int) -> str:
    """Return quote units as text for people."""
    whole, part = divmod(abs(units), UNITS_PER_QUOTE)
    decimals = f"{part:08d}".rstrip("0")
    return f"{'-' if units < 0 else ''}{whole}{'.' if decimals else ''}{decimals} {SETTLEMENT}"
