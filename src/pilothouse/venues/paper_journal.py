"""The paper venue's memory: what was touched becomes a page, a page becomes durable, a floor is built again from pages.

A page is taken while the floor stands still and written later, in a group with others. It fits only onto the page
before it, so when one is lost, all that were built on it are refused too, and the floor is built again from the rest.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Row, Table, bindparam, insert, inspect, select, text, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.dml import ValuesBase

from pilothouse.core.clock import Clock, micros
from pilothouse.core.errors import Broken
from pilothouse.core.instrument import Instrument
from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.core.rounding import plain
from pilothouse.kit.commits import in_one_transaction
from pilothouse.kit.db import Database, Tx
from pilothouse.simulation.account import Account, Holding
from pilothouse.simulation.admission import contract_of
from pilothouse.simulation.contracts import Contract
from pilothouse.simulation.floor import Changes, Floor
from pilothouse.simulation.market import MarketState
from pilothouse.simulation.orders import Execution, Movement, MovementKind, Order, Status
from pilothouse.simulation.outside import admit
from pilothouse.simulation.outside_desk import OutsideDesk
from pilothouse.simulation.told import Told
from pilothouse.venues import paper_tables as t

_DIALECT = sqlite.dialect()


class PageLost(Broken):
    """A page was to be written onto one that is not there."""

    code = "paper_page_lost"


class Page(NamedTuple):
    """What one change of the floor writes, as rows in the order of the columns."""

    before: int
    venue: tuple[int, int, int]
    markets: list[tuple[Any, ...]]
    accounts: list[tuple[Any, ...]]
    holdings: list[tuple[Any, ...]]
    orders: list[tuple[Any, ...]]
    executions: Sequence[tuple[Any, ...]]
    movements: Sequence[tuple[Any, ...]]
    contracts: list[tuple[Any, ...]]
    told: list[tuple[Any, ...]]


def _sql(statement: ValuesBase) -> str:
    """Return the text of a statement that takes its values by position, in the order of the columns.

    Compiled once: the driver then takes tuples as they are, which halves what a page costs.
    """
    return str(statement.compile(dialect=_DIALECT))


def _upsert(table: Table, *changing: str) -> str:
    """Return an insert that changes these columns where the row is there already."""
    statement = sqlite.insert(table)
    return _sql(
        statement.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_={name: statement.excluded[name] for name in changing},
        )
    )


_TURN = _sql(
    update(t.venue)
    .where(t.venue.c.page == bindparam("before"))
    .values(
        page=bindparam("after"),
        next_order=bindparam("order"),
        next_movement=bindparam("movement"),
        funded_at=bindparam("funded"),
    )
)
_MARKET = _upsert(t.markets, "step", "level", "anchor", "last", "next_trade")
_CONTRACT = _upsert(t.contracts, *(column.name for column in t.contracts.columns if column.name != "symbol"))
_TOLD = _upsert(t.told, *(column.name for column in t.told.columns if column.name != "symbol"))
_ACCOUNT = _upsert(t.accounts, "wallet")
_HOLDING = _upsert(t.holdings, "lots", "cost", "isolated", "leverage", "is_isolated")
_ORDER = _upsert(t.orders, "updated", "filled", "triggered", "status", "reason", "met")
_EXECUTION = _sql(insert(t.executions))
_MOVEMENT = _sql(insert(t.movements))

_LATEST_ORDER = (
    select(t.orders)
    .where(t.orders.c.account_id == bindparam("account"), t.orders.c.client_id == bindparam("client"))
    .order_by(t.orders.c.number.desc())
    .limit(1)
)
# Sorted in Python: asked to sort, SQLite would rather read every order there ever was than use the partial index.
_OPEN_ORDERS = select(t.orders).where(t.IS_OPEN)
_OPEN_ORDERS_OF = _OPEN_ORDERS.where(t.orders.c.account_id == bindparam("account"))
_ITS_EXECUTIONS = (
    select(t.executions).where(t.executions.c.number == bindparam("number")).order_by(t.executions.c.trade)
)
_EXECUTIONS_AFTER = (
    select(t.executions)
    .where(
        t.executions.c.account_id == bindparam("account"),
        t.executions.c.symbol == bindparam("symbol"),
        t.executions.c.trade > bindparam("after"),
    )
    .order_by(t.executions.c.trade)
)
_MOVEMENTS_AFTER = (
    select(t.movements)
    .where(
        t.movements.c.account_id == bindparam("account"),
        t.movements.c.number > bindparam("after"),
        t.movements.c.kind.in_(bindparam("kinds", expanding=True)),
    )
    .order_by(t.movements.c.number)
)


def prepare(url: str, clock: Clock) -> None:
    """Make the tables in a new file, or check that an older one is of a form we can read. Raises Broken."""

    def work(connection: Connection) -> None:
        is_new = not inspect(connection).has_table(t.venue.name)
        t.metadata.create_all(connection)  # tables that came later are added to an older file, and this column
        if t.orders.c.met.name not in {column["name"] for column in inspect(connection).get_columns(t.orders.name)}:
            connection.execute(text(f"ALTER TABLE {t.orders.name} ADD COLUMN {t.orders.c.met.name} BIGINT"))
        if is_new:
            first = {"id": 1, "schema_version": t.SCHEMA_VERSION, "page": 0, "next_order": 1, "next_movement": 1}
            connection.execute(insert(t.venue), {**first, "funded_at": micros(clock.now())})
            return
        found = connection.execute(select(t.venue.c.schema_version)).scalar_one()
        if found != t.SCHEMA_VERSION:
            raise Broken(f"the paper venue's journal has form {found}, this version reads form {t.SCHEMA_VERSION}")

    in_one_transaction(url, work)


@dataclass(slots=True)
class Journal:
    """Turns changes of one floor into pages, and counts them."""

    page: int = 0

    def take(self, floor: Floor, changes: Changes, moved: Sequence[str]) -> Page:
        """Return the next page; `moved` are the markets that moved since the last one. The floor stands still."""
        before, self.page = self.page, self.page + 1
        markets, told = [], []
        for symbol in moved:
            desk = floor.desks[symbol]
            state = desk.state
            if isinstance(desk, OutsideDesk):
                told.append(_told_row(desk))
                continue
            markets.append((symbol, state.step, state.level, state.anchor, state.last, desk.next_trade))
        accounts = [(id_, floor.accounts[id_].owner_id, floor.accounts[id_].wallet) for id_ in changes.accounts]
        holdings = []
        for id_, symbol in changes.holdings:
            held = floor.accounts[id_].holdings[symbol]
            holdings.append((id_, symbol, held.lots, held.cost, held.isolated, held.leverage, held.is_isolated))
        return Page(
            before,
            (floor.next_order, floor.next_movement, floor.funded_at),
            markets,
            accounts,
            holdings,
            [_row_of(order) for order in changes.orders.values()],
            changes.executions,
            changes.movements,
            [_contract_row(contract) for contract in changes.contracts.values()],
            told,
        )


def _row_of(order: Order) -> tuple[Any, ...]:
    return (
        order.number, order.account_id, order.client_id, order.symbol, order.sign, order.type, order.tif, order.lots,
        order.price, order.stop, order.reduce_only, order.at, order.updated, order.filled, order.triggered,
        order.status, order.reason, order.met,
    )  # fmt: skip


def write(tx: Tx, page: Page) -> None:
    """Write a page. Raises PageLost if the one before it is not there."""
    # Statements of Core, spoken to the driver: a page has five or so, and each is several times quicker this way.
    raw = cast("sqlite3.Connection", tx.connection.connection.driver_connection)
    turned = raw.execute(_TURN, (page.before + 1, *page.venue, page.before))
    if turned.rowcount != 1:
        raise PageLost(f"page {page.before} of the paper journal was lost, so what was built on it is too")
    for statement, rows in (
        (_CONTRACT, page.contracts),
        (_MARKET, page.markets),
        (_TOLD, page.told),
        (_ACCOUNT, page.accounts),
        (_HOLDING, page.holdings),
        (_ORDER, page.orders),
        (_EXECUTION, page.executions),
        (_MOVEMENT, page.movements),
    ):
        if rows:
            raw.executemany(statement, rows)


def rebuild(database: Database, blank: Callable[[], Floor]) -> tuple[Floor, Journal]:
    """Return the floor as the journal knows it, made of a `blank` one, and the journal at its last page."""
    return database.read(lambda tx: _rebuild(tx, blank()))


def _rebuild(tx: Tx, floor: Floor) -> tuple[Floor, Journal]:
    _open_outside(tx, floor)
    about = tx.execute(select(t.venue)).one()
    floor.next_order, floor.next_movement, floor.funded_at = about.next_order, about.next_movement, about.funded_at
    for row in tx.execute(select(t.markets)):
        desk = floor.desks.get(row.symbol)
        if desk is not None:
            desk.next_trade = row.next_trade
            desk.move(MarketState(row.symbol, row.step, row.level, row.anchor, row.last))
    for row in tx.execute(select(t.accounts)):
        floor.accounts[row.id] = Account(row.id, row.owner_id, row.wallet)
    for row in tx.execute(select(t.holdings)):
        floor.accounts[row.account_id].holdings[row.symbol] = Holding(
            row.lots, row.cost, row.isolated, row.leverage, row.is_isolated
        )
    for order in sorted(map(_order_of, tx.execute(_OPEN_ORDERS)), key=_number_of):
        account = floor.accounts[order.account_id]
        holding = account.holding(order.symbol)
        holding.leverage = min(holding.leverage, floor.contracts[order.symbol].instrument.leverage_max)
        floor.stand(account, order)
    floor.drain()
    return floor, Journal(about.page)


def _open_outside(tx: Tx, floor: Floor) -> None:
    """Open the markets whose prices come from outside, where the journal has any."""
    for row in tx.execute(select(t.contracts)):
        instrument = Instrument(
            row.symbol, row.base, row.quote, Decimal(row.tick), Decimal(row.lot), Decimal(row.quantity_min),
            Decimal(row.quantity_max), Decimal(row.notional_min), Decimal(row.price_min), Decimal(row.price_max),
            row.leverage_max,
        )  # fmt: skip
        admit(floor, contract_of(instrument, row.maker_ppm, row.taker_ppm))
        floor.settlement = row.quote
    for row in tx.execute(select(t.told)):
        desk = floor.desks[row.symbol]
        assert isinstance(desk, OutsideDesk), "only such a market is told"
        desk.next_trade = row.next_trade
        if row.seen is not None:
            prices = (row.bid, row.ask, row.mark, row.mark_above, row.last)
            desk.hear(Told(row.symbol, *prices, row.seen, book_seen=0))  # it may be old: nothing is filled at it
        desk.rate, desk.funds_at, desk.paid = row.rate, row.funds_at, row.paid


def _contract_row(contract: Contract) -> tuple[Any, ...]:
    about = contract.instrument
    return (
        about.symbol, about.base, about.quote,
        *map(plain, (
            about.tick, about.lot, about.quantity_min, about.quantity_max, about.notional_min, about.price_min,
            about.price_max,
        )),
        about.leverage_max, contract.maker_ppm, contract.taker_ppm,
    )  # fmt: skip


def _told_row(desk: OutsideDesk) -> tuple[Any, ...]:
    prices = (None,) * 6 if desk.told is None else desk.told[1:7]
    return (desk.contract.symbol, desk.next_trade, *prices, desk.rate, desk.funds_at, desk.paid)


def latest_order(tx: Tx, account_id: str, client_id: str) -> Order | None:
    """Return the latest order of that client id, open or not."""
    row = tx.execute(_LATEST_ORDER, {"account": account_id, "client": client_id}).one_or_none()
    return None if row is None else _order_of(row)


def open_orders(tx: Tx, account_id: str) -> list[Order]:
    """Return the open orders of an account, oldest first."""
    return sorted(map(_order_of, tx.execute(_OPEN_ORDERS_OF, {"account": account_id})), key=_number_of)


def executions_of(tx: Tx, number: int) -> list[Execution]:
    """Return every trade of an order, oldest first."""
    return [_execution_of(row) for row in tx.execute(_ITS_EXECUTIONS, {"number": number})]


def executions_after(tx: Tx, account_id: str, symbol: str, trade: int) -> list[Execution]:
    """Return the trades of an account in one instrument behind `trade`, oldest first."""
    asked = {"account": account_id, "symbol": symbol, "after": trade}
    return [_execution_of(row) for row in tx.execute(_EXECUTIONS_AFTER, asked)]


def movements_after(tx: Tx, account_id: str, number: int, *kinds: MovementKind) -> list[Movement]:
    """Return the movements of these kinds behind `number`, oldest first."""
    asked = {"account": account_id, "after": number, "kinds": [kind.value for kind in kinds]}
    return [
        Movement(row.number, row.account_id, MovementKind(row.kind), row.symbol, row.amount, row.at)
        for row in tx.execute(_MOVEMENTS_AFTER, asked)
    ]


def _order_of(row: Row[Any]) -> Order:
    return Order(
        row.number, row.account_id, row.client_id, row.symbol, row.sign, OrderType(row.type), TimeInForce(row.tif),
        row.lots, row.price, row.stop, row.reduce_only, row.at, row.updated, row.filled, row.triggered,
        Status(row.status), row.reason, met=row.met,
    )  # fmt: skip


def _number_of(order: Order) -> int:
    return order.number


def _execution_of(row: Row[Any]) -> Execution:
    return Execution(
        row.trade, row.number, row.account_id, row.client_id, row.symbol, row.sign, row.price, row.lots,
        row.commission, row.realised, row.maker, row.at,
    )  # fmt: skip
