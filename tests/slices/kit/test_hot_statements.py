"""Hot statements: what is spoken straight to the driver means exactly what it means through SQLAlchemy."""

import random
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import NoResultFound

from pilothouse.core.errors import Broken
from pilothouse.core.rounding import EXACT, NotExact
from pilothouse.execution.tables import orders
from pilothouse.kit.db import Database, Tx
from pilothouse.kit.hot import hot

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)

_INSERT = insert(orders)
_BY_ID = select(orders).where(orders.c.id == bindparam("this"))
_CHANGE = update(orders).where(orders.c.id == bindparam("this"))
_LISTED = (
    select(orders.c.id)
    .where(orders.c.state.in_(["sending", "filled"]), orders.c.is_live.is_(True), orders.c.owner_id == bindparam("of"))
    .order_by(orders.c.id)
    .limit(bindparam("most"))
)


def _order(number: int, **changed: Any) -> dict[str, Any]:
    return {
        "id": f"ord_{number:03}",
        "owner_id": "usr_1",
        "account_id": "acc_1",
        "hook_id": None,
        "signal_id": None,
        "client_order_id": f"c{number}",
        "venue_order_id": None,
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "MARKET",
        "time_in_force": "GTC",
        "quantity": Decimal("0.010"),
        "price": None,
        "stop_price": None,
        "reduce_only": False,
        "purpose": "entry",
        "reason": "a test",
        "state": "sending",
        "is_live": True,
        "filled_quantity": Decimal(0),
        "filled_notional": Decimal(0),
        "commission": Decimal(0),
        "decided_price": Decimal(65000),
        "outcome": None,
        "cancel_asked_at": None,
        "created_at": NOON,
        "sent_at": NOON,
        "sendable_until": None,
        "asked": 0,
        "updated_at": NOON,
        **changed,
    }


def _any_order(draw: random.Random, number: int) -> dict[str, Any]:
    """Return an order with numbers, instants and truths of every form."""

    def exact() -> Decimal:
        return Decimal(draw.randint(-(10**18), 10**18)).scaleb(-draw.randint(0, 18), EXACT)

    at = NOON + timedelta(microseconds=draw.randint(-(10**15), 10**15))
    zone = timezone(timedelta(hours=draw.randint(-12, 12)))
    return _order(
        number,
        quantity=exact(),
        price=draw.choice((None, exact())),
        commission=draw.choice((Decimal("-0"), Decimal("1E+3"), Decimal("1.2300"), exact())),
        created_at=at.astimezone(zone),
        sendable_until=draw.choice((None, at)),
        reduce_only=draw.choice((True, False)),
        is_live=draw.choice((True, False)),
    )


class TestExecute:
    """`Tx.execute` with a hot statement, on both databases."""

    def test_a_hot_row_is_the_row_that_sqlalchemy_reads_and_writes(self, database: Database) -> None:
        """A digit, a zone or a truth that got lost on the short way would be a wrong order."""
        draw = random.Random(7)
        hot_insert, hot_select = hot(_INSERT), hot(_BY_ID)

        def work(tx: Tx) -> None:
            for number in range(0, 200, 2):
                order = _any_order(draw, number)
                tx.execute(hot_insert, order)
                tx.execute(_INSERT, {**order, "id": f"ord_{number + 1:03}", "client_order_id": f"c{number + 1}"})
            for number in range(200):
                which = {"this": f"ord_{number:03}"}
                row, plainly = tx.execute(hot_select, which).one(), tx.execute(_BY_ID, which).one()
                assert row._asdict() == plainly._asdict()
                assert [type(value) for value in row] == [type(value) for value in plainly]
                twin = tx.execute(_BY_ID, {"this": f"ord_{number ^ 1:03}"}).one()
                assert row.quantity.as_tuple() == twin.quantity.as_tuple()
                assert (row.commission, row.created_at, row.is_live) == (twin.commission, twin.created_at, twin.is_live)

        database.write(work, name="work")

    def test_parameters_name_the_columns_that_are_changed(self, database: Database) -> None:
        """The same statement sets a state here and a venue's number there; what is not named stays."""
        change = hot(_CHANGE)

        def work(tx: Tx) -> None:
            tx.execute(hot(_INSERT), _order(1))
            assert tx.execute(change, {"this": "ord_001", "state": "filled", "is_live": False}).rowcount == 1
            assert tx.execute(change, {"this": "ord_001", "venue_order_id": "77"}).rowcount == 1
            assert tx.execute(change, {"this": "ord_002", "venue_order_id": "78"}).rowcount == 0
            row = tx.execute(_BY_ID, {"this": "ord_001"}).one()
            assert (row.state, row.is_live, row.venue_order_id, row.side) == ("filled", False, "77", "BUY")

        database.write(work, name="work")

    def test_lists_of_constants_limits_and_many_parameters_are_understood(self, database: Database) -> None:
        """Queries over states have such lists in them."""

        def work(tx: Tx) -> list[str]:
            tx.execute(hot(_INSERT), [_order(1), _order(2, state="canceled"), _order(3), _order(4, is_live=False)])
            tx.execute(hot(_INSERT), _order(5, state="filled"))
            return list(tx.execute(hot(_LISTED), {"of": "usr_1", "most": 2}).scalars())

        assert database.write(work, name="work") == ["ord_001", "ord_003"]

    def test_what_an_insert_returns_comes_back(self, database: Database) -> None:
        """Whether a message was new is known by the id that comes back."""
        returning = hot(_INSERT.returning(orders.c.id, orders.c.quantity))
        row = database.write(lambda tx: tx.execute(returning, _order(1)).one(), name="work")
        assert (row.id, row.quantity) == ("ord_001", Decimal("0.01"))

    def test_a_record_is_made_anew_when_its_row_has_changed(self, database: Database) -> None:
        """A record that is remembered must never be an older one."""
        made = hot(_BY_ID, lambda row: (row.state, row.quantity))

        def state(tx: Tx) -> Any:
            return tx.execute(made, {"this": "ord_001"}).first()

        def work(tx: Tx) -> list[Any]:
            tx.execute(hot(_INSERT), _order(1))
            seen = [state(tx), state(tx)]
            tx.execute(hot(_CHANGE), {"this": "ord_001", "state": "filled"})
            return [*seen, state(tx)]

        found = database.write(work, name="work")
        assert found == [("sending", Decimal("0.01"))] * 2 + [("filled", Decimal("0.01"))]

    def test_a_float_is_refused_as_it_is_everywhere(self, database: Database) -> None:
        """Floats never become money, on no way."""
        with pytest.raises(NotExact):
            database.write(lambda tx: tx.execute(hot(_INSERT), _order(1, quantity=0.1)), name="work")
        assert database.read(lambda tx: tx.execute(hot(_BY_ID), {"this": "ord_001"}).first()) is None

    def test_a_column_that_was_forgotten_is_not_filled_with_nothing(self, database: Database) -> None:
        """Defaults of columns are filled in on the long way only; a statement that counts on them is refused."""
        order = _order(1)
        del order["asked"]
        if database.dialect == "sqlite":
            with pytest.raises(Broken, match="asked"):
                database.write(lambda tx: tx.execute(hot(_INSERT), order), name="work")

    def test_a_row_that_must_be_there_is_asked_for(self, database: Database) -> None:
        """One row and no row are different answers."""
        with pytest.raises((Broken, NoResultFound)):
            database.read(lambda tx: tx.execute(hot(_BY_ID), {"this": "ord_001"}).one())
        assert database.read(lambda tx: tx.execute(hot(_BY_ID), {"this": "ord_001"}).one_or_none()) is None
        assert database.read(lambda tx: tx.execute(hot(_BY_ID), {"this": "ord_001"}).scalar()) is None
