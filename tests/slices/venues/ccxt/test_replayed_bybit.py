"""Bybit on tape: what is sent, and what its answers are taken to mean.

Fields of an order are those of the exchange's page "Place Order" (v5): triggerDirection 1 is for a rise and 2 for a
fall, a quantity of zero with reduceOnly and closeOnTrigger closes the position, marketUnit says what a spot order
counts in.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.venues.port import Absent, Accepted, Gone, MarginType, Rejected, Unknown, VenueStatus
from tests.slices.venues.aster.recorder import Say
from tests.slices.venues.ccxt.replayed import ACCOUNT, Player, order, played, player, tape

CREATE = "/v5/order/create"
REALTIME = "/v5/order/realtime"
HISTORY = "/v5/order/history"
NAME = "ph7K3J2QWERTYUIOPASDFGHJKLZ"


@pytest.fixture
def bybit() -> Iterator[Player]:
    """Return Bybit's perpetuals; instruments are on tape."""
    with player("bybit") as opened:
        opened.on("GET", "/v5/market/instruments-info", tape("bybit/quoted_fetch_future_markets.1.json"))
        opened.on("GET", "/v5/market/time", tape("bybit/quoted_fetch_time.1.json"))
        opened.on("POST", CREATE, tape("bybit/quoted_create_order.1.json"))
        yield opened


@pytest.fixture
def spot() -> Iterator[Player]:
    """Return Bybit's spot market; instruments are on tape."""
    with player("bybit-spot") as opened:
        opened.on("GET", "/v5/market/instruments-info", tape("bybit/quoted_fetch_spot_markets.1.json"))
        opened.on("GET", "/v5/market/time", tape("bybit/quoted_fetch_time.1.json"))
        opened.on("POST", CREATE, tape("bybit/quoted_create_order.1.json"))
        yield opened


@pytest.mark.taped("V-I01")
def test_the_grid_of_a_perpetual_is_what_the_exchange_says(bybit: Player) -> None:
    """An order off the grid would be refused, or rounded by somebody else."""
    (instrument,) = bybit.venue.instruments()

    assert (instrument.symbol, instrument.base, instrument.quote) == ("BTCUSDT", "BTC", "USDT")
    assert (instrument.tick, instrument.lot) == (Decimal("0.5"), Decimal("0.001"))
    assert (instrument.quantity_min, instrument.quantity_max) == (Decimal("0.001"), Decimal(100))
    assert (instrument.price_min, instrument.price_max) == (Decimal("0.5"), Decimal(999_999))
    assert instrument.leverage_max == 100


def test_the_grid_of_a_coin_is_what_the_exchange_says(spot: Player) -> None:
    """The spot market words its steps otherwise."""
    (instrument,) = spot.venue.instruments()

    assert (instrument.tick, instrument.lot) == (Decimal("0.01"), Decimal("0.000001"))
    assert (instrument.quantity_min, instrument.notional_min) == (Decimal("0.00004"), Decimal(1))
    assert instrument.leverage_max == 1


LINEAR = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": NAME, "positionIdx": 0}


@pytest.mark.parametrize(
    ("kind", "terms", "sent"),
    [
        (OrderType.MARKET, {}, {"orderType": "Market", "reduceOnly": False}),
        (
            OrderType.LIMIT,
            {"price": "60000.5"},
            {"orderType": "Limit", "price": "60000.5", "timeInForce": "GTC", "reduceOnly": False},
        ),
        (
            OrderType.LIMIT,
            {"price": "60000.5", "time_in_force": TimeInForce.GTX, "reduce_only": True},
            {"orderType": "Limit", "price": "60000.5", "timeInForce": "PostOnly", "reduceOnly": True},
        ),
        (
            OrderType.LIMIT,
            {"price": "60000.5", "time_in_force": TimeInForce.FOK},
            {"orderType": "Limit", "price": "60000.5", "timeInForce": "FOK", "reduceOnly": False},
        ),
        (
            OrderType.STOP_MARKET,
            {"stop_price": "61000", "reduce_only": True},
            {
                "orderType": "Market",
                "triggerPrice": "61000",
                "triggerDirection": 1,
                "triggerBy": "MarkPrice",
                "reduceOnly": True,
            },
        ),
        (
            OrderType.TAKE_PROFIT_MARKET,
            {"stop_price": "59000", "reduce_only": True},
            {
                "orderType": "Market",
                "triggerPrice": "59000",
                "triggerDirection": 2,
                "triggerBy": "MarkPrice",
                "reduceOnly": True,
            },
        ),
        (
            OrderType.STOP,
            {"stop_price": "61000", "price": "61010"},
            {
                "orderType": "Limit",
                "price": "61010",
                "timeInForce": "GTC",
                "triggerPrice": "61000",
                "triggerDirection": 1,
                "triggerBy": "MarkPrice",
                "reduceOnly": False,
            },
        ),
    ],
)
def test_each_kind_of_order_says_what_the_exchange_asks_for(
    bybit: Player, kind: OrderType, terms: dict[str, Any], sent: dict[str, Any]
) -> None:
    """The words of ccxt would make every stop reduce-only, and would not say which way a trigger is passed."""
    bybit.place(order("BTCUSDT", Side.BUY, "0.003", kind, **terms))

    assert bybit.sent("POST", CREATE) == [LINEAR | {"side": "Buy", "qty": "0.003"} | sent]


def test_a_stop_that_sells_is_triggered_by_a_fall(bybit: Player) -> None:
    """The wrong direction would close a position at once."""
    bybit.place(order("BTCUSDT", Side.SELL, "0.003", OrderType.STOP_MARKET, stop_price="59000", reduce_only=True))

    assert bybit.sent("POST", CREATE)[0]["triggerDirection"] == 2


def test_a_stop_that_closes_the_position_names_no_quantity(bybit: Player) -> None:
    """The position may be another size by then."""
    bybit.place(order("BTCUSDT", Side.SELL, "0.003", OrderType.STOP_MARKET, stop_price="59000", close_position=True))

    (sent,) = bybit.sent("POST", CREATE)
    assert (sent["qty"], sent["reduceOnly"], sent["closeOnTrigger"]) == ("0", True, True)


def test_a_coin_is_bought_by_quantity_and_never_by_cost(spot: Player) -> None:
    """The exchange would read a market buy in quote currency unless it is told otherwise."""
    spot.place(order("BTCUSDT", Side.BUY, "0.00012"))

    assert spot.sent("POST", CREATE) == [
        {
            "category": "spot",
            "symbol": "BTCUSDT",
            "side": "Buy",
            "orderType": "Market",
            "qty": "0.00012",
            "orderLinkId": NAME,
            "marketUnit": "baseCoin",
        }
    ]


def test_a_stop_for_coins_is_one_of_the_spot_market(spot: Player) -> None:
    """Its direction is not said there; coins are set aside when it is triggered."""
    spot.place(order("BTCUSDT", Side.SELL, "0.00012", OrderType.STOP_MARKET, stop_price="59000"))

    (sent,) = spot.sent("POST", CREATE)
    assert (sent["orderFilter"], sent["triggerPrice"], sent["qty"]) == ("StopOrder", "59000", "0.00012")
    assert not {"triggerDirection", "reduceOnly", "positionIdx"} & set(sent)


def test_an_order_is_written_exactly_and_names_no_broker(bybit: Player) -> None:
    """Text goes in and the same text goes out; nobody earns from it but the exchange."""
    bybit.place(order("BTCUSDT", Side.BUY, "0.30", OrderType.LIMIT, price="60000.50"))

    heard = bybit.recorder.of("POST", CREATE)[0]
    assert '"qty":"0.3"' in heard.text
    assert '"price":"60000.5"' in heard.text
    assert "referer" not in heard.headers
    assert heard.headers["x-bapi-recv-window"] == "5000"
    assert heard.headers["x-bapi-api-key"] == "BYBITKEY00000001"


def test_the_answer_to_an_order_is_taken_in(bybit: Player) -> None:
    """It names the order, by its id and by ours, and says nothing more."""
    outcome = bybit.place(order("BTCUSDT", Side.BUY, "0.003", name="spot-test-postonly"))

    assert isinstance(outcome, Accepted)
    assert outcome.report.venue_order_id == "1321003749386327552"
    assert outcome.report.status is VenueStatus.NEW


def test_an_answer_for_another_order_is_unknown(bybit: Player) -> None:
    """Nobody can say what became of ours."""
    assert isinstance(bybit.place(order("BTCUSDT", Side.BUY, "0.003")), Unknown)


@pytest.mark.taped("V-O37")
def test_a_parameter_that_is_wrong_is_a_refusal(bybit: Player) -> None:
    """An error comes with HTTP 200."""
    bybit.on("POST", CREATE, tape("bybit/quoted_handle_errors.1.json"))

    assert bybit.place(order("BTCUSDT", Side.BUY, "0.003")) == Rejected("10001", "symbol params err")


def test_an_order_that_is_no_longer_recent_is_found_in_history(bybit: Player) -> None:
    """The exchange tells of late orders at one address and of older ones at another."""
    bybit.on("GET", REALTIME, tape("bybit/http_get_orders_history.json"))
    bybit.on("GET", HISTORY, tape("bybit/quoted_fetch_orders_classic.1.json"))

    found = bybit.venue.find(ACCOUNT, "BTCUSDT", "test-001")

    assert isinstance(found, Accepted)
    report = found.report
    assert (report.client_order_id, report.status) == ("test-001", VenueStatus.CANCELED)
    assert report.venue_order_id == "03234de9-1332-41eb-b805-4a9f42c136a3"
    assert (report.terms.side, report.terms.quantity, report.terms.price) == (
        Side.SELL,
        Decimal("0.1"),
        Decimal(18_000),
    )
    assert bybit.sent("GET", HISTORY)[0]["orderLinkId"] == "test-001"


@pytest.mark.taped("V-O29")
def test_an_order_that_neither_address_tells_of_is_absent(bybit: Player) -> None:
    """Absent is a finding of its own: only after a while does it prove anything."""
    bybit.on("GET", REALTIME, tape("bybit/http_get_orders_history.json"))
    bybit.on("GET", HISTORY, tape("bybit/http_get_orders_history.json"))

    assert bybit.venue.find(ACCOUNT, "BTCUSDT", NAME) == Absent()


@pytest.mark.taped("V-O04")
def test_a_part_that_filled_before_the_rest_was_refused_is_kept(bybit: Player) -> None:
    """A word like Rejected would hide a position that is real."""
    bybit.on("GET", REALTIME, tape("bybit/http_get_order_partially_filled_rejected.json"))
    bybit.on("GET", "/v5/execution/list", tape("bybit/http_get_executions.json"))

    found = bybit.venue.find(ACCOUNT, "BTCUSDT", "O-20251001-164609-APEX-000-49")

    assert isinstance(found, Accepted)
    assert found.report.status is VenueStatus.CANCELED
    assert found.report.filled_quantity == Decimal("0.005")
    assert found.report.reason == "INSUFFICIENT_MARGIN"


@pytest.mark.taped("V-O20")
def test_a_cancel_names_our_id_and_what_was_ended_is_asked_for(bybit: Player) -> None:
    """The answer to a cancel says only that it was heard."""
    bybit.on("POST", "/v5/order/cancel", tape("bybit/quoted_cancel_order.1.json"))
    bybit.on("GET", REALTIME, tape("bybit/quoted_fetch_orders_classic.1.json"))

    outcome = bybit.venue.cancel(ACCOUNT, "BTCUSDT", "test-001")

    assert isinstance(outcome, Accepted)
    assert outcome.report.status is VenueStatus.CANCELED
    assert bybit.sent("POST", "/v5/order/cancel") == [
        {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "test-001"}
    ]


def test_what_cannot_be_cancelled_any_more_is_gone(bybit: Player) -> None:
    """It may have filled: the order itself is asked for."""
    bybit.on("POST", "/v5/order/cancel", Say({"retCode": 110001, "retMsg": "order not exists or too late to cancel"}))
    bybit.on("GET", REALTIME, tape("bybit/quoted_fetch_orders_classic.1.json"))

    outcome = bybit.venue.cancel(ACCOUNT, "BTCUSDT", "test-001")

    assert isinstance(outcome, Gone)
    assert outcome.report is not None


@pytest.mark.taped("V-R04")
def test_fills_are_read_with_their_fee_and_order(bybit: Player) -> None:
    """A fill is booked with what the exchange took for it."""
    bybit.on("GET", "/v5/execution/list", tape("bybit/http_get_executions.json"))

    (fill,) = bybit.venue.fills_after(ACCOUNT, "BTCUSDT", None)

    assert fill.venue_trade_id == "e0cbe81d-0f18-5866-9415-cf319b5dab3b"
    assert (fill.client_order_id, fill.side, fill.maker) == ("test-order-001", Side.BUY, True)
    assert (fill.price, fill.quantity) == (Decimal(50_000), Decimal("0.1"))
    assert (fill.commission, fill.commission_currency) == (Decimal("0.015"), "USDT")


@pytest.mark.taped("V-R05")
def test_fills_behind_one_that_is_known_are_none(bybit: Player) -> None:
    """The newest comes first there; what is known ends the search."""
    bybit.on("GET", "/v5/execution/list", tape("bybit/http_get_executions.json"))

    assert bybit.venue.fills_after(ACCOUNT, "BTCUSDT", "e0cbe81d-0f18-5866-9415-cf319b5dab3b") == []


@pytest.mark.taped("V-R01")
def test_positions_have_a_sign_and_flat_ones_are_left_out(bybit: Player) -> None:
    """The exchange tells a side and a size; three are on the tape, one of them flat."""
    bybit.on("GET", "/v5/position/list", tape("bybit/http_get_positions.json"))
    bybit.on("GET", "/v5/account/info", tape("bybit/quoted_is_unified_enabled.1.json"))

    long, short = bybit.venue.positions(ACCOUNT)

    assert (long.symbol, long.quantity, long.entry_price) == ("BTCUSDT", Decimal("0.5"), Decimal(50_000))
    assert (long.unrealised, long.liquidation_price, long.leverage) == (Decimal(250), Decimal(45_000), 10)
    assert long.margin_type is MarginType.CROSSED
    assert (short.symbol, short.quantity, short.notional) == ("ETHUSDT", Decimal(-5), Decimal(-14_750))


@pytest.mark.taped("V-R02")
def test_the_balance_is_the_one_of_the_settlement_currency(bybit: Player) -> None:
    """Other coins of the account are not margin here."""
    bybit.on("GET", "/v5/account/wallet-balance", tape("bybit/http_get_wallet_balance.json"))

    balance = bybit.venue.balance(ACCOUNT)

    assert (balance.asset, balance.wallet, balance.available) == ("USDT", Decimal("1000.5"), Decimal("1000.5"))


def test_the_margin_type_of_the_account_is_read_and_not_changed(bybit: Player) -> None:
    """It holds for every instrument: changing it for one would change it for all."""
    bybit.on("GET", "/v5/account/info", tape("bybit/quoted_is_unified_enabled.1.json"))

    assert bybit.venue.set_margin_type(ACCOUNT, "BTCUSDT", MarginType.CROSSED) is MarginType.CROSSED
    assert not [heard for heard in bybit.recorder.heard if heard.method == "POST"]


def test_what_is_read_is_exact_to_the_last_digit(bybit: Player) -> None:
    """A float on the way would show in a fee."""
    bybit.on("GET", "/v5/execution/list", tape("bybit/http_get_executions.json"))
    (fill,) = bybit.venue.fills_after(ACCOUNT, "BTCUSDT", None)
    told = played("bybit/http_get_executions.json")["result"]["list"][0]

    assert [str(number) for number in (fill.price, fill.quantity, fill.commission)] == [
        told["execPrice"],
        told["execQty"],
        told["execFee"],
    ]
