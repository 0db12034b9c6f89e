"""What several accounts hold, lost and did together, for limits of a user and of the house; read only where one asks.

Summed are accounts of one kind of money: real with real, testnet with testnet, paper with paper. Orders and losses are
counted over all of these; money over those that settle in the currency of the order's account: the house makes up no
rates. Repeats and self-trades are counted at the venue of the order. A position is as large as all accounts' in that
instrument added up, long or short: none of them is closed because another is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import reduce
from typing import Final

from pilothouse.accounts import trading_accounts
from pilothouse.accounts.trading_accounts import TradingAccount
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderTerms, OrderType
from pilothouse.core.risk import Activity, Elsewhere, Exposure, Together
from pilothouse.core.rounding import EXACT
from pilothouse.execution import store
from pilothouse.execution.activity import Lately, lately, with_losses
from pilothouse.execution.desk import Desk
from pilothouse.execution.limit_sets import Level, Standing
from pilothouse.kit.db import Tx
from pilothouse.ledger.exposure import holdings
from pilothouse.ledger.losses import Closed, run_of

WHOSE: Final = {Level.HOUSE: "all accounts of the house", Level.USER: "all accounts of the user"}


@dataclass(frozen=True, slots=True)
class Worth:
    """What accounts are worth, were at midnight, and were at their highest; settlement currency.

    The highest is the sum of each one's own highest, which is no less than the highest of the sum.
    """

    equity: Decimal
    at_midnight: Decimal
    high_water: Decimal

    def __add__(self, other: "Worth") -> "Worth":
        """Return what both are worth."""
        return Worth(
            EXACT.add(self.equity, other.equity),
            EXACT.add(self.at_midnight, other.at_midnight),
            EXACT.add(self.high_water, other.high_water),
        )


@dataclass(frozen=True, slots=True)
class _Other:
    """Another account: what it is worth and holds (nothing in another currency), did, and has on the other side.

    closed   its closing orders of late, newest first
    """

    account: TradingAccount
    worth: Worth | None
    elsewhere: Elsewhere
    done: Activity
    opposing: tuple[tuple[Decimal, Decimal], ...]
    closed: tuple[Closed, ...]


def together(
    tx: Tx,
    desk: Desk,
    limits: Standing,
    terms: OrderTerms,
    exposure: Exposure,
    *,
    closed: Sequence[Closed],
    account_id: str,
    now: datetime,
) -> tuple[Together, ...]:
    """Return the limits for all accounts together, with what these hold and did, the order's account in it.

    exposure   of the order's account; what stands in it counts for that account
    closed     its closing orders of late, newest first

    Decisions that are measured so are made one after the other: the caller's transaction holds a lock from here on.
    Raises Unavailable if there is no price of what another account holds: then nobody can say what all hold together.
    """
    if not limits.together:
        return ()
    active = trading_accounts.active_accounts(tx)
    mine = next((each for each in active if each.id == account_id), None)
    if mine is None:
        return ()
    for level, _, _ in limits.together:  # the house before the user, so that no two wait for each other
        tx.lock("together:house" if level is Level.HOUSE else f"together:{mine.owner_id}")
    wide = any(level is Level.HOUSE for level, _, _ in limits.together)
    others = [
        _other(tx, desk, limits, terms, each, mine, now)
        for each in active
        if each.id != mine.id and each.mode is mine.mode and (wide or each.owner_id == mine.owner_id)
    ]
    found = []
    for level, stop, warn in limits.together:
        counted = [each for each in others if level is Level.HOUSE or each.account.owner_id == mine.owner_id]
        summed = _summed(exposure, counted)
        every = sorted(
            (*closed, *(one for each in counted for one in each.closed)), key=lambda one: one.at, reverse=True
        )
        summed = replace(summed, done=with_losses(summed.done, run_of(every, now), now))
        found.append(Together(WHOSE[level], summed, stop, warn))
    return tuple(found)


def worth_of(tx: Tx, desk: Desk, account: TradingAccount, now: datetime) -> Worth:
    """Return what an account is worth. Raises Unavailable if there is no price of what it holds."""
    held = holdings(tx, account.id, now, account.currency)
    marks = {symbol: desk.quote_of(account.venue, symbol).mark for symbol in held.positions}
    equity = held.equity(marks).equity
    return Worth(equity, held.day.counts_from, equity if held.high_water is None else held.high_water)


def _other(
    tx: Tx,
    desk: Desk,
    limits: Standing,
    terms: OrderTerms,
    account: TradingAccount,
    mine: TradingAccount,
    now: datetime,
) -> _Other:
    """Return what one of the other accounts holds and did."""
    is_same_money = account.currency == mine.currency
    held = {}
    if is_same_money:
        positions = holdings(tx, account.id, now, account.currency).positions
        held = {name: (each.quantity, desk.quote_of(account.venue, name).mark) for name, each in positions.items()}
    seen: Lately = lately(
        tx,
        desk.day_sums,
        limits,
        terms,
        held,
        owner_id=account.owner_id,
        account_id=account.id,
        hook_id=None,
        currency=account.currency,
        now=now,
        whole=True,
    )
    resting: Sequence[store.OrderRecord] = ()
    if "self_trade_quantity_max" in limits.asks and account.venue == mine.venue:
        resting = store.live_in(tx, account.id, terms.symbol)
    return _Other(
        account,
        worth_of(tx, desk, account, now) if is_same_money else None,
        seen.elsewhere if is_same_money else Elsewhere(),
        _counted(seen.done, is_same_money=is_same_money, is_same_venue=account.venue == mine.venue),
        opposing(resting, terms.side),
        seen.closed,
    )


def opposing(orders: Iterable[store.OrderRecord], side: Side) -> tuple[tuple[Decimal, Decimal], ...]:
    """Return (limit price, base left) of what stands, or is about to, on the other side and is not being cancelled."""
    return tuple(
        (order.terms.price, order.remaining)
        for order in orders
        if order.terms.side is not side
        and order.terms.type is OrderType.LIMIT
        and order.terms.price is not None
        and order.cancel_asked_at is None
    )


def _counted(done: Activity, *, is_same_money: bool, is_same_venue: bool) -> Activity:
    """Return what was done, without its worth where that is in another currency, nor repeats at another venue."""
    if not is_same_venue:
        done = replace(done, repeats_last_minute=0)
    if is_same_money:
        return done
    nothing = Decimal(0)
    return replace(done, notional_last_second=nothing, notional_last_minute=nothing, notional_today=nothing)


def _summed(mine: Exposure, others: Sequence[_Other]) -> Exposure:
    """Return the exposure of an account with that of others: they stand where its other instruments stand."""
    own = Worth(mine.equity, mine.equity_at_midnight, mine.equity if mine.high_water is None else mine.high_water)
    worth = sum((each.worth for each in others if each.worth is not None), own)
    return replace(
        mine,
        equity=worth.equity,
        equity_at_midnight=worth.at_midnight,
        high_water=worth.high_water,
        elsewhere=reduce(_both_elsewhere, (each.elsewhere for each in others), mine.elsewhere),
        opposing=(*mine.opposing, *(one for each in others for one in each.opposing)),
        done=reduce(_both_done, (each.done for each in others), mine.done),
    )


def _both_elsewhere(one: Elsewhere, other: Elsewhere) -> Elsewhere:
    add = EXACT.add
    return Elsewhere(
        add(one.gross, other.gross),
        add(one.net, other.net),
        add(one.net_bought, other.net_bought),
        add(one.net_sold, other.net_sold),
        add(one.same, other.same),
    )


def _both_done(one: Activity, other: Activity) -> Activity:
    """Return what both did; losses in a row stay those of `one`: they are looked for in both together."""
    add = EXACT.add
    return replace(
        one,
        orders_last_second=one.orders_last_second + other.orders_last_second,
        orders_last_minute=one.orders_last_minute + other.orders_last_minute,
        orders_today=one.orders_today + other.orders_today,
        notional_last_second=add(one.notional_last_second, other.notional_last_second),
        notional_last_minute=add(one.notional_last_minute, other.notional_last_minute),
        notional_today=add(one.notional_today, other.notional_today),
        open_orders=one.open_orders + other.open_orders,
        repeats_last_minute=one.repeats_last_minute + other.repeats_last_minute,
    )
