"""The routes of the older wire format: every name in it, in both spellings, decimals as text."""

from typing import Any

import pytest

from tests.slices.api.conftest import Served, until

POSITION = (
    "symbol positionSide positionAmt entryPrice markPrice unRealizedProfit leverage marginType liquidationPrice "
    "isolatedMargin notional position_side position_amt entry_price mark_price un_realized_profit unrealized_profit "
    "margin_type liquidation_price isolated_margin"
)
ORDER = (
    "orderId symbol side type status origQty price executedQty avgPrice timeInForce positionSide reduceOnly "
    "closePosition clientOrderId stopPrice order_id orig_qty quantity executed_qty avg_price time_in_force "
    "position_side reduce_only close_position client_order_id stop_price"
)
BALANCE = (
    "asset walletBalance availableBalance crossWalletBalance unrealizedProfit crossUnPnl wallet_balance "
    "available_balance cross_wallet_balance unrealized_profit cross_un_pnl"
)


@pytest.fixture
def traded(running: Served) -> Served:
    """Return a house with a position and a resting order."""
    running.alert(action="open", side="BUY", quantity="0.01")
    running.alert(action="open", side="BUY", quantity="0.01", order_type="LIMIT", price="60000")
    until(lambda: running.api.get("/orders/open").json())
    return running


def _has(found: dict[str, Any], names: str) -> None:
    assert not set(names.split()) - found.keys()


def test_positions_have_every_name(traded: Served) -> None:
    """A client that reads either spelling finds its field."""
    listed = traded.api.get("/positions").json()
    one = traded.api.get("/positions/BTCUSDT").json()

    assert len(listed) == 1
    _has(one, POSITION)
    assert (one["positionAmt"], one["positionSide"], one["leverage"]) == ("0.01", "BOTH", 10)
    assert isinstance(one["liquidationPrice"], str)
    flat = traded.api.get("/positions/ETHUSDT")
    assert (flat.status_code, flat.json()["code"]) == (404, "POSITIONNOTFOUND")


def test_orders_have_every_name_and_want_a_symbol(traded: Served) -> None:
    """Newest first; by time in either spelling."""
    listed = traded.api.get("/orders", params={"symbol": "BTCUSDT"}).json()

    assert [order["status"] for order in listed] == ["NEW", "FILLED"]
    _has(listed[0], ORDER)
    assert [order["status"] for order in traded.api.get("/orders/open").json()] == ["NEW"]
    without = traded.api.get("/orders")
    assert without.status_code == 400
    assert without.json()["validation_errors"][0]["field"] == "symbol"
    for name in ("start_time", "startTime"):
        assert traded.api.get("/orders", params={"symbol": "BTCUSDT", name: listed[0]["time"] + 1}).json() == []
    for name in ("end_time", "endTime"):
        assert traded.api.get("/orders", params={"symbol": "BTCUSDT", name: 1000}).json() == []
    assert len(traded.api.get("/orders", params={"symbol": "BTCUSDT", "limit": 1}).json()) == 1
    assert traded.api.get("/orders", params={"symbol": "BTCUSDT", "limit": 1001}).status_code == 400


def test_balances_and_the_account_have_every_name(traded: Served) -> None:
    """Totals, assets and positions, as exchanges show them."""
    _has(traded.api.get("/account/balance").json()[0], BALANCE)
    info = traded.api.get("/account/info").json()
    _has(info, "totalWalletBalance total_wallet_balance availableBalance assets positions canTrade simulated")
    assert info["simulated"] is True


def test_leverage_and_margin_type_are_set_and_shown(running: Served) -> None:
    """Set in any case; what stands already is success; out of bounds is refused with the bounds."""
    post = running.api.post

    assert post("/positions/ETHUSDT/leverage", json={"leverage": 20}).json()["leverage"] == 20
    for case in ("isolated", "ISOLATED"):
        assert post("/positions/ETHUSDT/margin-type", json={"margin_type": case}).json()["margin_type"] == "ISOLATED"
    running.alert(action="open", side="BUY", quantity="1", symbol="ETHUSDT")
    shown = running.api.get("/positions/ETHUSDT").json()
    assert (shown["leverage"], shown["marginType"]) == (20, "ISOLATED")
    assert shown["isolatedMargin"] is not None
    for wrong in ({"leverage": 0}, {"leverage": 126}, {"leverage": "x"}, {}):
        assert post("/positions/ETHUSDT/leverage", json=wrong).status_code == 400
    assert post("/positions/ETHUSDT/margin-type", json={"margin_type": "HEDGED"}).status_code == 400


def test_a_venue_that_does_not_answer_is_never_shown_as_flat(traded: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty list would be a lie on which somebody might open once more."""
    from pilothouse.core.errors import Unavailable  # noqa: PLC0415 - a word of one test

    def silent(*_: object) -> None:
        raise Unavailable("the paper venue does not answer")

    monkeypatch.setattr(type(traded.house.paper), "positions", silent)
    for path in ("/positions", "/positions/BTCUSDT", "/api/v1/positions", "/account/info"):
        assert traded.api.get(path).status_code == 503, path
