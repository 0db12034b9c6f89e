"""An order that ended at its venue before its fills were told: until they are here it is not over."""

from dataclasses import replace
from decimal import Decimal

from pilothouse.core.fill import Fill
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState
from pilothouse.execution import settle
from pilothouse.execution.store import OrderRecord
from pilothouse.fleet import drive, protections
from pilothouse.venues.port import OrderReport, VenueStatus
from tests.stepped import Stepped

BTC = "BTCUSDT"
PART = Decimal("0.004")


def _told(stepped: Stepped, report: OrderReport, order_id: str) -> OrderRecord:
    desk = stepped.house.desk
    return desk.database.write(lambda tx: settle.reported(tx, desk, order_id, report), name="told")


def test_an_order_that_expired_in_part_keeps_its_protection_until_its_fills_are_told(stepped: Stepped) -> None:
    """A venue may say that it is over before it says what it traded; what that opened must find its stop wanted."""
    entry = {"side": "BUY", "quantity": "0.010", "order_type": "LIMIT", "price": "60000", "stop_loss": "5%"}
    stepped.alert(action="open", symbol=BTC, **entry)
    order = stepped.only_order()
    now = stepped.clock.now()
    over = OrderReport(order.client_order_id, order.venue_order_id or "", order.terms, VenueStatus.EXPIRED, PART, now)

    assert not _told(stepped, over, order.id).state.is_final
    desk, trader = stepped.house.desk, stepped.trader
    desk.database.write(lambda tx: drive.advance(tx, desk, trader, BTC, drive.HookBook()), name="turn")
    kept = desk.database.read(lambda tx: protections.of(tx, trader.account_id, BTC))
    assert kept is not None, "its fills may open a position at any moment"

    fill = Fill(
        "900001", over.venue_order_id, order.client_order_id, BTC, Side.BUY, Decimal(60_000), PART, Decimal("0.1"),
        "USDT", None, maker=True, at=now,
    )  # fmt: skip
    ended = _told(stepped, replace(over, fills=(fill,)), order.id)
    assert (ended.state, ended.filled_quantity) == (OrderState.EXPIRED, PART)
