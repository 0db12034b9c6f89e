"""Orders do what the venues say they do: both dialects, hedged and isolated, by price and time, to the last order."""

import pytest

from pilothouse.simexchange.soundness import complaints
from tests.slices.simexchange.raw_asking import Desk
from tests.slices.simexchange.sim_house import WALLET, RunningExchange


def algo(desk: Desk, **params: str) -> dict[str, str]:
    """Send a conditional order."""
    found: dict[str, str] = desk.ask("POST", "algoOrder", algoType="CONDITIONAL", symbol="BTCUSDT", **params)
    return found


def states(desk: Desk) -> list[str]:
    """Return what conditional orders were told to be."""
    return [event["o"]["X"] for kind, event in desk.events if kind == "ALGO_UPDATE"]


def test_conditional_orders_left_the_old_path() -> None:
    """-4120 tells clients of old where to go."""
    desk = Desk()
    wanted = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "stopPrice": "60000.0", "quantity": "0.010"}
    assert desk.code("POST", "order", **wanted) == -4120


def test_a_conditional_order_lives_in_four_steps() -> None:
    """NEW, TRIGGERING, TRIGGERED with the number of the real order, FINISHED."""
    desk = Desk()
    desk.market("BUY", "0.010")
    placed = algo(desk, side="SELL", type="STOP_MARKET", triggerPrice="60000.0", quantity="0.010", reduceOnly="true")
    desk.price("59990.0")
    assert states(desk) == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]
    asked = desk.ask("GET", "algoOrder", algoId=placed["algoId"])
    order = desk.ask("GET", "order", symbol="BTCUSDT", orderId=asked["actualOrderId"])
    assert (order["status"], order["executedQty"]) == ("FILLED", "0.010")
    assert complaints(desk.exchange) == []


def test_a_conditional_order_asks_for_margin_only_when_it_triggers() -> None:
    """It is taken without money, and rejected with the reason when its time comes."""
    desk = Desk(deposit=100)
    algo(desk, side="BUY", type="STOP_MARKET", triggerPrice="66000.0", quantity="10")
    desk.price("66010.0")
    assert states(desk)[-1] == "REJECTED"
    assert desk.exchange.floor.accounts["binance-K"].wallet == 100 * 10**8


def test_a_trailing_order_follows_and_turns() -> None:
    """It fires one percent below the best price since it was activated, not below the first."""
    desk = Desk()
    desk.market("BUY", "0.010")
    algo(desk, side="SELL", type="TRAILING_STOP_MARKET", callbackRate="1", activatePrice="66000.0", quantity="0.010")
    for price in ("65900.0", "65000.0", "66100.0", "67000.0", "66400.0"):
        desk.price(price)
        assert states(desk) == ["NEW"]
    desk.price("66300.0")
    assert states(desk)[-1] == "FINISHED"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"quantity": "0.0001"}, -1111),
        ({"quantity": "0"}, -4003),
        ({"quantity": "1001"}, -4005),
        ({"type": "LIMIT", "timeInForce": "GTC", "price": "65000.05"}, -4014),
        ({"type": "LIMIT", "timeInForce": "GTC", "price": "65000.055"}, -1111),
        ({"type": "LIMIT", "timeInForce": "GTC"}, -1102),
        ({"type": "LIMIT", "price": "65000"}, -1102),
        ({"type": "NONSENSE"}, -1116),
        ({"side": "NEITHER"}, -1117),
        ({"symbol": "NONE"}, -1121),
        ({"type": "LIMIT", "timeInForce": "SOON", "price": "65000"}, -1115),
        ({"type": "LIMIT", "timeInForce": "GTC", "price": "64000", "quantity": "0.00001"}, -1111),
        ({"quantity": "a"}, -1100),
        ({"positionSide": "LONG"}, -4061),
        ({"type": "LIMIT", "timeInForce": "FOK", "price": "65010", "quantity": "999"}, -5021),
        ({"symbol": "SOLUSDT", "quantity": "0.01"}, -4164),
        ({"newClientOrderId": "with space"}, -4015),
    ],
)
def test_each_wrong_field_has_its_code(wanted: dict[str, str], code: int) -> None:
    """The table an adapter's classification is tested with."""
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010", **wanted}
    assert Desk().code("POST", "order", **order) == code


def test_accounts_trade_with_each_other_by_price_and_time() -> None:
    """The better price first; of one price, the earlier."""
    desk = Desk()
    desk.exchange.floor.desks["BTCUSDT"].ladder(-1).thin_to(1)
    early = desk.limit("BUY", "0.010", "64999.0", "K", newClientOrderId="early")
    late = desk.limit("BUY", "0.010", "64999.0", "K", newClientOrderId="late")
    best = desk.limit("BUY", "0.010", "64999.5", "K", newClientOrderId="best")
    desk.market("SELL", "0.016", "K2")
    left = [
        desk.ask("GET", "order", symbol="BTCUSDT", orderId=each["orderId"])["executedQty"]
        for each in (best, early, late)
    ]
    assert left[0] == "0.010"
    assert "0.000" < left[1] < "0.010"
    assert left[2] == "0.000"
    assert complaints(desk.exchange) == []


@pytest.mark.parametrize(
    ("mode", "taker", "maker"),
    [
        ("EXPIRE_TAKER", "EXPIRED_IN_MATCH", "NEW"),
        ("EXPIRE_MAKER", "FILLED", "EXPIRED_IN_MATCH"),
        ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"),
    ],
)
def test_nobody_trades_with_himself(mode: str, taker: str, maker: str) -> None:
    """Which of the two orders goes is the account's choice."""
    desk = Desk()
    resting = desk.limit("BUY", "0.010", "64999.9")
    order = desk.market("SELL", "0.010", selfTradePreventionMode=mode)
    if mode == "EXPIRE_TAKER" and order["executedQty"] != "0.000":
        pytest.skip("the crowd was better this time")
    assert order["status"] == taker
    assert desk.ask("GET", "order", symbol="BTCUSDT", orderId=resting["orderId"])["status"] == maker


def test_a_batch_answers_each_for_itself() -> None:
    """Orders and refusals in the order in which they were asked, all in one success."""
    desk = Desk()
    good = '{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","quantity":"0.01","price":"64000"}'
    answers = desk.ask("POST", "batchOrders", batchOrders=f"[{good},{good.replace('0.01', '0')},{good}]")
    assert [each.get("code") for each in answers] == [None, -4003, None]
    numbers = f"[{answers[0]['orderId']},999999]"
    answers = desk.ask("DELETE", "batchOrders", symbol="BTCUSDT", orderidlist=numbers)
    assert (answers[0]["status"], answers[1]["code"]) == ("CANCELED", -2011)


def test_a_dead_mans_switch_cancels_everything() -> None:
    """Unless it is asked again in time."""
    desk = Desk()
    desk.limit("BUY", "0.010", "64000.0")
    algo(desk, side="SELL", type="STOP_MARKET", triggerPrice="60000.0", quantity="0.010")
    desk.ask("POST", "countdownCancelAll", symbol="BTCUSDT", countdownTime=1_000)
    desk.steps(2)
    assert len(desk.ask("GET", "openOrders", symbol="BTCUSDT")) == 1
    desk.steps(3)
    assert desk.ask("GET", "openOrders", symbol="BTCUSDT") == []
    assert len(desk.ask("GET", "openAlgoOrders", symbol="BTCUSDT")) == 1, (
        "those of the algo service have a path of their own"
    )


def test_where_stops_are_open_orders_the_dead_mans_switch_ends_them_too() -> None:
    """AsterDEX keeps conditional orders among the open ones, and its switch ends every open order."""
    with RunningExchange(profile="aster", speed=0) as running:
        running.control("POST", "accounts", wallet=WALLET)
        client = running.aster()
        client.load_markets()
        client.create_order(
            "BTC/USDT:USDT", "market", "sell", 0.01, None, {"stopLossPrice": 60_000, "reduceOnly": False}
        )
        assert len(client.fetch_open_orders("BTC/USDT:USDT")) == 1
        client.fapiPrivatePostV3CountdownCancelAll({"symbol": "BTCUSDT", "countdownTime": 1_000})
        running.control("POST", "advance", ms=2_000)
        assert client.fetch_open_orders("BTC/USDT:USDT") == []


def test_an_isolated_position_loses_no_more_than_was_set_aside() -> None:
    """The rest of the account never hears of it."""
    desk = Desk(deposit=10_000)
    desk.ask("POST", "leverage", symbol="BTCUSDT", leverage=50)
    desk.ask("POST", "marginType", symbol="BTCUSDT", marginType="ISOLATED")
    desk.market("BUY", "1")
    aside = desk.exchange.floor.accounts["binance-K"].holding("BTCUSDT").isolated
    desk.price("60000.0")
    desk.steps(3)
    account = desk.exchange.floor.accounts["binance-K"]
    assert account.holding("BTCUSDT").lots == 0
    assert account.wallet >= 10_000 * 10**8 - aside - 40 * 10**8, "what was set aside and the first commission"
    assert desk.exchange.liquidations
    assert complaints(desk.exchange) == []


def test_winners_are_closed_when_the_fund_is_empty() -> None:
    """Deleveraging: the loser's position goes against the one who gained most, at the loser's last price."""
    desk = Desk(deposit=2_000)
    desk.exchange.floor.insurance = 0
    for who, side in (("K", "BUY"), ("K2", "SELL")):
        desk.ask("POST", "leverage", who, symbol="BTCUSDT", leverage=50)
        desk.market(side, "0.500", who)
    desk.price("61100.0")
    for who in ("K", "K2"):
        assert desk.exchange.floor.accounts[f"binance-{who}"].holding("BTCUSDT").lots == 0
    names = [each.order.client_id for each in desk.exchange.files["binance-K2"].orders.values()]
    assert "adl_autoclose" in names
    assert desk.exchange.floor.accounts["binance-K"].wallet >= 0
    assert complaints(desk.exchange) == []


def test_hedged_exits_never_open_the_other_side() -> None:
    """Selling the long side closes it; more than it holds is refused."""
    desk = Desk()
    desk.ask("POST", "positionSide/dual", dualSidePosition="true")
    desk.market("BUY", "0.010", positionSide="LONG")
    desk.market("SELL", "0.020", positionSide="SHORT")
    too_much = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.030", "positionSide": "LONG"}
    assert desk.code("POST", "order", **too_much) == -2022
    order = desk.market("SELL", "0.010", positionSide="LONG")
    assert order["executedQty"] == "0.010"
    held = {each["positionSide"]: each["positionAmt"] for each in desk.ask("GET", "positionRisk", symbol="BTCUSDT")}
    assert held == {"BOTH": "0.000", "LONG": "0.000", "SHORT": "-0.020"}
    assert complaints(desk.exchange) == []


def test_a_fee_tier_is_what_is_charged() -> None:
    """Commissions on fills are those that commissionRate tells."""
    desk = Desk()
    desk.exchange.set_tier("binance-K", 3)
    assert desk.ask("GET", "commissionRate", symbol="BTCUSDT")["takerCommissionRate"] == "0.000320"
    desk.market("BUY", "0.010")
    fill = desk.ask("GET", "userTrades", symbol="BTCUSDT")[0]
    assert int(fill["commission"].replace(".", "")) * 100_000 == int(fill["quoteQty"].replace(".", "")) * 32


def test_a_post_only_order_amended_through_the_market_is_cancelled() -> None:
    """The venue says so: it neither takes nor stays where it was."""
    desk = Desk()
    post_only = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTX", "quantity": "0.010"}
    number = desk.ask("POST", "order", **post_only, price="64000")["orderId"]
    changed = {"symbol": "BTCUSDT", "side": "BUY", "orderId": number, "quantity": "0.010", "price": "66000"}
    assert desk.ask("PUT", "order", **changed)["status"] == "CANCELED"
    assert desk.ask("GET", "openOrders") == []
    assert complaints(desk.exchange) == []


def test_aster_bounds_what_waits_and_how_it_trails() -> None:
    """A hundred conditional orders in one instrument; in a batch a callback of four percent at most."""
    desk = Desk(profile="aster")
    stop = {"symbol": "BTCUSDT", "side": "BUY", "type": "STOP_MARKET", "stopPrice": "70000", "quantity": "0.001"}
    for _ in range(100):
        desk.ask("POST", "order", **stop)
    assert desk.code("POST", "order", **stop) == -4045
    trail = '{"symbol":"ETHUSDT","side":"SELL","type":"TRAILING_STOP_MARKET","quantity":"0.01","callbackRate":"%s"}'
    told = desk.ask("POST", "batchOrders", batchOrders=f"[{trail % '4'},{trail % '4.1'}]")
    assert [each.get("code") for each in told] == [None, -2007]


def test_all_or_nothing_may_take_from_other_accounts() -> None:
    """What rests there counts, as if the crowd had offered it."""
    desk = Desk()
    desk.exchange.floor.desks["BTCUSDT"].ladder(1).thin_to(0)
    whole = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "FOK", "quantity": "0.010"}
    assert desk.code("POST", "order", **whole, price="65010") == -5021
    desk.limit("SELL", "0.010", "65010", "K2")
    assert desk.ask("POST", "order", **whole, price="65010", newOrderRespType="RESULT")["status"] == "FILLED"


def test_what_a_conditional_order_became_is_told_alike_everywhere() -> None:
    """The order in the books is one at the market, and says what it came of; in events as when it is asked for."""
    desk = Desk()
    desk.market("BUY", "0.010")
    stop = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"}
    algo = desk.ask("POST", "algoOrder", **stop, triggerPrice="64500", quantity="0.010")
    desk.events.clear()
    desk.price("64400.0")
    number = desk.ask("GET", "algoOrder", algoId=algo["algoId"])["actualOrderId"]
    told = desk.ask("GET", "order", symbol="BTCUSDT", orderId=number)
    assert (told["type"], told["origType"]) == ("MARKET", "STOP_MARKET")
    heard = [event["o"] for kind, event in desk.events if kind == "ORDER_TRADE_UPDATE"]
    assert {(each["o"], each["ot"], str(each["i"])) for each in heard} == {("MARKET", "STOP_MARKET", number)}
