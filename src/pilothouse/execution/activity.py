"""What an account and a bot on it did lately, for the gate: read only where a limit asks for it.

Orders since the longest span that is asked for, and everything that rests, come with one statement; losses with one
more. Orders of the day that are older than a minute no longer change, so what they add up to is remembered.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Row, bindparam, or_, select

from pilothouse.core.clock import day_start
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderTerms, OrderType, Purpose, TimeInForce
from pilothouse.core.position import ZERO
from pilothouse.core.risk import Activity, Elsewhere
from pilothouse.core.rounding import EXACT
from pilothouse.execution import account_store
from pilothouse.execution.limit_sets import Standing
from pilothouse.execution.tables import orders
from pilothouse.kit.db import Tx
from pilothouse.kit.hot import hot
from pilothouse.ledger import losses

OF_THE_DAY: Final = frozenset({"orders_per_day_max", "notional_per_day_max"})
OF_LATE: Final = OF_THE_DAY | {
    "orders_per_second_max",
    "notional_per_second_max",
    "notional_per_minute_max",
    "repeats_per_minute_max",
    "open_orders_max",
    "gross_notional_max",
    "net_notional_max",
    "leverage_max",
}
OF_LOSSES: Final = frozenset({"losses_in_a_row_max", "cooldown_s"})
_OWN_MINUTE: Final = "orders_per_minute_max"

_MINUTE = timedelta(seconds=60)
_SECOND = timedelta(seconds=1)
_NOT_OURS = frozenset({Purpose.FOREIGN.value, Purpose.LIQUIDATION.value})
_GUARDS = frozenset({Purpose.STOP_LOSS.value, Purpose.TAKE_PROFIT.value})
_COLUMNS = tuple(
    orders.c[name]
    for name in (
        "id",
        "hook_id",
        "symbol",
        "side",
        "type",
        "time_in_force",
        "quantity",
        "price",
        "stop_price",
        "reduce_only",
        "purpose",
        "decided_price",
        "created_at",
        "is_live",
        "filled_quantity",
        "amend_quantity",
    )
)
_LATELY = hot(
    select(*_COLUMNS).where(
        orders.c.account_id == bindparam("of_account"),
        or_(orders.c.created_at > bindparam("since"), orders.c.is_live.is_(True)),
    )
)
_OLDER = hot(
    select(*_COLUMNS).where(
        orders.c.account_id == bindparam("of_account"),
        orders.c.created_at > bindparam("since"),
        orders.c.created_at <= bindparam("until"),
    )
)


@dataclass(frozen=True, slots=True)
class Lately:
    """What the gate is told besides the instrument: of the account, of the bot, and of all other instruments.

    closed   closing orders of late, newest first, where losses are asked for
    """

    done: Activity
    bot: Activity
    elsewhere: Elsewhere
    closed: tuple[losses.Closed, ...] = ()


@dataclass(slots=True)
class _Sum:
    """Orders added up: how many, and what those were worth that could add."""

    made: int = 0
    worth: Decimal = ZERO

    def add(self, made: int, worth: Decimal) -> None:
        self.made += made
        self.worth = EXACT.add(self.worth, worth)


@dataclass(slots=True)
class _Day:
    """What an account did since midnight up to `until`, in all (key "") and by bot."""

    begun: datetime
    until: datetime
    sums: dict[str, _Sum] = field(default_factory=dict)


class DaySums:
    """What is remembered of the day, by account: orders older than a minute, which are committed and do not change."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._days: dict[str, _Day] = {}
        self._lock = threading.Lock()

    def up_to_a_while_ago(self, tx: Tx, account_id: str, now: datetime) -> _Day:
        """Return the sums of the day up to some minutes ago, at least one."""
        midnight = day_start(now)
        settled = now - _MINUTE
        with self._lock:
            known = self._days.get(account_id)
            if known is None or known.begun != midnight:
                known = _Day(midnight, midnight - timedelta(microseconds=1))
            if settled - known.until > _MINUTE:
                sums = {key: replace(one) for key, one in known.sums.items()}
                params = {"of_account": account_id, "since": known.until, "until": settled}
                for row in tx.execute(_OLDER, params):
                    _count(sums, row)
                known = _Day(midnight, settled, sums)
                self._days[account_id] = known
            return known


def lately(
    tx: Tx,
    sums: DaySums,
    limits: Standing,
    terms: OrderTerms,
    held: Mapping[str, tuple[Decimal, Decimal]],
    *,
    owner_id: str,
    account_id: str,
    hook_id: str | None,
    currency: str,
    now: datetime,
    without: str | None = None,
    whole: bool = False,
) -> Lately:
    """Return what an account did lately, as far as a limit asks for it.

    held      (base signed, mark) of each instrument in which the account holds something
    whole     the order is for another account: `elsewhere` is of every instrument, that of `terms` too
    without   id of an order that is being changed: it counts neither as open nor as pending
    """
    done = Activity()
    if _OWN_MINUTE in limits.asks:
        done = replace(done, orders_last_minute=account_store.orders_within_a_minute(tx, account_id, now))
    bot, elsewhere = Activity(), Elsewhere()
    own_minute = limits.bot.orders_per_minute_max is not None or limits.bot_warn.orders_per_minute_max is not None
    if own_minute or whole or not limits.asks.isdisjoint(OF_LATE):
        day = sums.up_to_a_while_ago(tx, account_id, now) if not limits.asks.isdisjoint(OF_THE_DAY) else None
        since = min(day.until, now - _MINUTE) if day is not None else now - _MINUTE
        rows = tx.execute(_LATELY, {"of_account": account_id, "since": since}).all()
        rows = [row for row in rows if row.id != without]
        done = _with_orders(done, rows, "", day, terms, now)
        if hook_id is not None:
            own = [row for row in rows if row.hook_id == hook_id]
            bot = _with_orders(bot, own, hook_id, day, terms, now)
            minute = sum(1 for row in own if row.created_at > now - _MINUTE and row.purpose not in _NOT_OURS)
            bot = replace(bot, orders_last_minute=minute)
        elsewhere = _elsewhere(rows, terms.symbol, held, whole=whole)
    closed: list[losses.Closed] = []
    if not limits.asks.isdisjoint(OF_LOSSES):
        closed = losses.closed_lately(tx, owner_id, account_id, currency)
        done = with_losses(done, losses.run_of(closed, now), now)
        bot = with_losses(bot, losses.run_of([one for one in closed if one.hook_id == hook_id], now), now)
    return Lately(done, bot, elsewhere, tuple(closed))


def _with_orders(
    done: Activity, rows: Iterable[Row[Any]], key: str, day: _Day | None, terms: OrderTerms, now: datetime
) -> Activity:
    """Return `done` with orders counted that were made lately, or are live."""
    second, minute, today = _Sum(), _Sum(), _Sum()
    repeats = live = 0
    midnight = day_start(now)
    if day is not None and key in day.sums:
        today.add(day.sums[key].made, day.sums[key].worth)
    for row in rows:
        live += row.is_live and row.purpose not in _GUARDS
        if row.purpose in _NOT_OURS:
            continue
        worth = _worth(row)
        if row.created_at > now - _SECOND:
            second.add(1, worth)
        if row.created_at > now - _MINUTE:
            minute.add(1, worth)
            repeats += _is_same(row, terms)
        if day is not None and row.created_at > day.until and row.created_at >= midnight:
            today.add(1, worth)
    return replace(
        done,
        orders_last_second=second.made,
        orders_today=today.made,
        notional_last_second=second.worth,
        notional_last_minute=minute.worth,
        notional_today=today.worth,
        repeats_last_minute=repeats,
        open_orders=live,
    )


def with_losses(done: Activity, run: losses.Run, now: datetime) -> Activity:
    """Return `done` with the losses in a row, and how long ago the last one was."""
    since = None if run.last_at is None else Decimal((now - run.last_at) // timedelta(microseconds=1)) / 1_000_000
    return replace(done, losses_in_a_row=run.losses, since_loss_s=since)


def _count(sums: dict[str, _Sum], row: Row[Any]) -> None:
    if row.purpose in _NOT_OURS:
        return
    worth = _worth(row)
    sums.setdefault("", _Sum()).add(1, worth)
    if row.hook_id is not None:
        sums.setdefault(row.hook_id, _Sum()).add(1, worth)


def _worth(row: Row[Any]) -> Decimal:
    """Return what an order may cost by the price it was decided at, quote; nothing if it only reduces."""
    if row.reduce_only or row.purpose in _GUARDS:
        return ZERO
    return EXACT.multiply(row.quantity, _price(row))


def _price(row: Row[Any]) -> Decimal:
    price: Decimal = max(row.price or ZERO, row.stop_price or ZERO, row.decided_price)
    return price


def _is_same(row: Row[Any], terms: OrderTerms) -> bool:
    """Say whether a stored order asks for the same as `terms`."""
    same = (row.symbol, row.side, row.type, row.time_in_force, row.quantity, row.price, row.stop_price)
    return same == (
        terms.symbol,
        Side(terms.side).value,
        OrderType(terms.type).value,
        TimeInForce(terms.time_in_force).value,
        terms.quantity,
        terms.price,
        terms.stop_price,
    )


def _elsewhere(
    rows: Iterable[Row[Any]], symbol: str, held: Mapping[str, tuple[Decimal, Decimal]], *, whole: bool
) -> Elsewhere:
    """Return what is held in instruments, with what is under way there as if it were filled.

    whole   in all of them; else in all but `symbol`
    """
    apart = "" if whole else symbol
    bought: dict[str, Decimal] = {}
    sold: dict[str, Decimal] = {}
    for row in rows:
        if not row.is_live or row.symbol == apart or row.reduce_only or row.purpose in _GUARDS:
            continue
        side = bought if row.side == Side.BUY.value else sold
        left = max(row.quantity, row.amend_quantity or ZERO) - row.filled_quantity
        mark = held[row.symbol][1] if row.symbol in held else _price(row)
        side[row.symbol] = EXACT.add(side.get(row.symbol, ZERO), EXACT.multiply(left, mark))
    gross = net = net_bought = net_sold = same = ZERO
    for name in sorted({*held, *bought, *sold} - {apart}):
        quantity, mark = held.get(name, (ZERO, ZERO))
        worth = EXACT.multiply(quantity, mark)
        most = EXACT.add(worth, bought.get(name, ZERO))
        least = EXACT.subtract(worth, sold.get(name, ZERO))
        larger = max(EXACT.abs(most), EXACT.abs(least))
        gross = EXACT.add(gross, larger)
        same = larger if name == symbol else same
        net, net_bought, net_sold = EXACT.add(net, worth), EXACT.add(net_bought, most), EXACT.add(net_sold, least)
    return Elsewhere(gross, net, net_bought, net_sold, same)
