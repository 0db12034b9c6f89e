"""Accounts at AsterDEX, over a real socket: what they hold, what has happened on them, and how they are set."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pilothouse.core.clock import millis
from pilothouse.core.errors import Refused, Unavailable
from pilothouse.core.errors import Unknown as OutcomeUnknown
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.sealed import Secret
from pilothouse.kit.throttle import Budget, OwnBooks, Throttle, Use
from pilothouse.venues.aster.adapter import AsterVenue
from pilothouse.venues.aster.sign import AsterKeys
from pilothouse.venues.card import Capability
from pilothouse.venues.port import MarginType
from tests.slices.venues.aster.conftest import (
    ACCOUNT,
    ADDRESS,
    EXCHANGE_INFO,
    KEY,
    STARTED,
    now_ms,
    open_venue,
    order_row,
    stand_still,
    trade_row,
)
from tests.slices.venues.aster.recorder import Heard, Recorder, Say

POSITIONS, INCOME, TRADES = "/fapi/v3/positionRisk", "/fapi/v3/income", "/fapi/v3/userTrades"


def position_row(**changed: Any) -> dict[str, Any]:
    """Return a position as the venue tells it."""
    return {
        "entryPrice": "50000.0",
        "marginType": "isolated",
        "isAutoAddMargin": "false",
        "isolatedMargin": "51.5",
        "leverage": "10",
        "liquidationPrice": "45210.5",
        "markPrice": "50100.25",
        "maxNotionalValue": "20000000",
        "positionAmt": "0.010",
        "symbol": "BTCUSDT",
        "unRealizedProfit": "1.0025",
        "positionSide": "BOTH",
        "updateTime": now_ms(),
    } | changed


def income_row(number: int, kind: str, at: int, amount: str = "-0.5", symbol: str = "BTCUSDT") -> dict[str, Any]:
    """Return a line of income."""
    return {
        "symbol": symbol,
        "incomeType": kind,
        "income": amount,
        "asset": "USDT",
        "info": kind,
        "time": at,
        "tranId": str(number),
        "tradeId": "",
    }


def account_row() -> dict[str, Any]:
    """Return an account as the venue tells it."""
    return {
        "canTrade": True,
        "canWithdraw": False,
        "assets": [
            {"asset": "BTC", "walletBalance": "1", "marginBalance": "1", "availableBalance": "1"},
            {
                "asset": "USDT",
                "walletBalance": "1000.12345678",
                "unrealizedProfit": "1.5",
                "marginBalance": "1001.62345678",
                "maintMargin": "0.25",
                "initialMargin": "50",
                "crossWalletBalance": "950",
                "availableBalance": "951.62345678",
            },
        ],
    }


def test_instruments_are_the_perpetuals_that_trade(venue: AsterVenue) -> None:
    """A dated future or a closed market is no place for an order."""
    (instrument,) = venue.instruments()

    assert (instrument.symbol, instrument.base, instrument.quote) == ("BTCUSDT", "BTC", "USDT")
    assert (instrument.tick, instrument.lot) == (Decimal("0.1"), Decimal("0.001"))
    assert (instrument.notional_min, instrument.leverage_max) == (5, 75)


def test_instruments_outlive_a_venue_that_does_not_answer(venue: AsterVenue, recorder: Recorder) -> None:
    """What may be traded does not become nothing because a request failed."""
    before = venue.instruments()
    venue._instruments._rules_at = datetime.now(UTC) - timedelta(hours=2)
    recorder.on("GET", "/fapi/v3/exchangeInfo", Say(b"", 502))

    assert venue.instruments() == before


def test_a_balance_is_told_to_the_last_digit(venue: AsterVenue, recorder: Recorder) -> None:
    """The books are compared with it."""
    recorder.on("GET", "/fapi/v3/accountWithJoinMargin", Say(account_row()))
    balance = venue.balance(ACCOUNT)

    assert balance.wallet == Decimal("1000.12345678")
    assert balance.available == Decimal("951.62345678")
    assert (balance.initial_margin, balance.maintenance_margin) == (50, Decimal("0.25"))


def test_positions_leave_out_what_is_flat(venue: AsterVenue, recorder: Recorder) -> None:
    """The venue lists every symbol it has."""
    flat = position_row(symbol="ETHUSDT", positionAmt="0.000", liquidationPrice="0")
    recorder.on("GET", POSITIONS, Say([position_row(), flat]))
    (position,) = venue.positions(ACCOUNT)

    assert position.quantity == Decimal("0.01")
    assert position.margin_type is MarginType.ISOLATED
    assert position.liquidation_price == Decimal("45210.5")
    assert position.isolated_margin == Decimal("51.5")
    assert position.notional == Decimal("501.0025")


def test_a_hedged_account_is_not_read_as_flat(venue: AsterVenue, recorder: Recorder) -> None:
    """Long and short of one symbol, taken together, would say that there is nothing."""
    sides = [position_row(positionSide="LONG"), position_row(positionSide="SHORT", positionAmt="-0.010")]
    recorder.on("GET", POSITIONS, Say(sides))

    with pytest.raises(Unavailable, match="hedge"):
        venue.positions(ACCOUNT)


@pytest.mark.parametrize("say", [Say(drop=True), Say(b"", 502), Say({"code": -1000, "msg": ""}, 503), Say({"x": 1})])
def test_a_question_without_an_answer_is_never_flat(venue: AsterVenue, recorder: Recorder, say: Say) -> None:
    """No answer, and no position, are not the same."""
    recorder.on("GET", POSITIONS, say)

    with pytest.raises(Unavailable):
        venue.positions(ACCOUNT)


def test_a_question_is_asked_once_more(venue: AsterVenue, recorder: Recorder) -> None:
    """It changes nothing, and connections break."""
    recorder.on("GET", POSITIONS, Say(drop=True), Say([]))

    assert venue.positions(ACCOUNT) == []
    first, second = recorder.of("GET", POSITIONS)
    assert first.params["nonce"] != second.params["nonce"]
    assert not first.in_body


def test_settings_are_those_of_the_instrument(venue: AsterVenue, recorder: Recorder) -> None:
    """Leverage and margin type belong to the symbol, with a position or without."""
    recorder.on("GET", POSITIONS, Say([position_row(positionAmt="0", marginType="cross")]))

    assert venue.settings(ACCOUNT, "BTCUSDT") == (10, MarginType.CROSSED)


def test_leverage_is_set_and_told(venue: AsterVenue, recorder: Recorder) -> None:
    """More than the instrument has is not even asked for."""
    recorder.on("POST", "/fapi/v3/leverage", Say({"leverage": 20, "maxNotionalValue": "1", "symbol": "BTCUSDT"}))
    venue.instruments()

    assert venue.set_leverage(ACCOUNT, "BTCUSDT", 20) == 20
    for wrong in (0, 76):
        with pytest.raises(Refused):
            venue.set_leverage(ACCOUNT, "BTCUSDT", wrong)
    assert len(recorder.of("POST", "/fapi/v3/leverage")) == 1


@pytest.mark.parametrize(
    ("say", "raised"),
    [
        (Say({"code": 200, "msg": "success"}), None),
        (Say({"code": -4046, "msg": "No need to change margin type."}, 400), None),
        (Say({"code": -4048, "msg": "there is a position"}, 400), Refused),
        (Say({"code": -1003, "msg": "slow down"}, 429), Unavailable),
        (Say(drop=True), OutcomeUnknown),
    ],
)
def test_a_margin_type_is_set_or_it_is_said_why_not(
    venue: AsterVenue, recorder: Recorder, say: Say, raised: type[Exception] | None
) -> None:
    """What is so already is as good as set."""
    recorder.on("POST", "/fapi/v3/marginType", say)
    if raised is None:
        assert venue.set_margin_type(ACCOUNT, "BTCUSDT", MarginType.ISOLATED) is MarginType.ISOLATED
        return
    with pytest.raises(raised):
        venue.set_margin_type(ACCOUNT, "BTCUSDT", MarginType.ISOLATED)


def test_an_account_is_examined_without_changing_anything(venue: AsterVenue, recorder: Recorder) -> None:
    """Whoever adds an account sees what it is before the first order."""
    recorder.on("GET", "/fapi/v3/accountWithJoinMargin", Say(account_row()))
    recorder.on("GET", "/fapi/v3/positionSide/dual", Say({"dualSidePosition": False}))
    recorder.on("GET", POSITIONS, Say([position_row()]))
    stand_still(recorder, 2_000)
    found = venue.examine(ACCOUNT)

    assert found.label == ADDRESS.lower()
    assert abs(found.clock_ahead - timedelta(seconds=2)) <= timedelta(milliseconds=1)
    assert (found.hedge_mode, found.may_trade) == (False, True)
    assert found.may_withdraw is True, "the key of the wallet itself moves everything, whatever the account may do"
    assert len(found.positions) == 1
    assert {each.method for each in recorder.heard} == {"GET"}


@pytest.mark.parametrize(
    ("say", "may_withdraw"),
    [
        (Say([{"agentAddress": ADDRESS, "canWithdraw": False}]), False),
        (Say([{"agentAddress": ADDRESS.lower(), "canWithdraw": True}]), True),
        (Say([{"agentAddress": ADDRESS}]), None),
        (Say([]), None),
        (Say({"code": -1000, "msg": "no"}, 400), None),
    ],
)
def test_an_agent_may_withdraw_as_the_venue_says(
    recorder: Recorder, tmp_path: Path, say: Say, may_withdraw: object
) -> None:
    """`canWithdraw` of an account is true for nearly everybody; it is the key that a thief would have."""
    recorder.on("GET", "/fapi/v3/accountWithJoinMargin", Say({**account_row(), "canWithdraw": True}))
    recorder.on("GET", "/fapi/v3/positionSide/dual", Say({"dualSidePosition": False}))
    recorder.on("GET", POSITIONS, Say([]))
    recorder.on("GET", "/fapi/v3/agent", say)
    venue = open_venue(recorder, tmp_path, keys=AsterKeys("0x" + "1" * 40, ADDRESS, Secret(KEY)))
    try:
        assert venue.examine(ACCOUNT).may_withdraw is may_withdraw
    finally:
        venue.close()


# ── History ───────────────────────────────────────────────────────────────────────────────────────


def test_fills_behind_an_id_are_read_page_by_page(venue: AsterVenue, recorder: Recorder) -> None:
    """A thousand fills are a page, and one more is not forgotten."""
    trades = [trade_row(id=number, orderId=number // 100) for number in range(1, 1_502)]

    def page(heard: Heard) -> Say:
        first = int(heard.params["fromId"])
        return Say([row for row in trades if row["id"] >= first][:1_000])

    recorder.on("GET", TRADES, page)
    recorder.on("GET", "/fapi/v3/order", lambda heard: Say(order_row(
        orderId=int(heard.params["orderId"]), clientOrderId=f"ph{heard.params['orderId']}")))  # fmt: skip
    fills = venue.fills_after(ACCOUNT, "BTCUSDT", "100")

    assert [int(fill.venue_trade_id) for fill in fills] == list(range(101, 1_502))
    assert fills[0].client_order_id == "ph1"
    assert len(recorder.of("GET", "/fapi/v3/order")) == 15


def test_a_fill_of_an_order_that_is_forgotten_is_told_without_its_name(venue: AsterVenue, recorder: Recorder) -> None:
    """The money moved all the same."""
    recorder.on("GET", TRADES, Say([trade_row()]))
    recorder.on("GET", "/fapi/v3/order", Say({"code": -2013, "msg": "Order does not exist."}, 400))
    (fill,) = venue.fills_after(ACCOUNT, "BTCUSDT", None)

    assert fill.client_order_id is None
    assert fill.venue_order_id == "405"


@pytest.mark.parametrize(
    ("row", "rate", "paid"),
    [
        ({"commission": "-0.2", "maker": False}, "0.0002", "0.2"),
        ({"commission": "0.2", "maker": False}, "0.0002", "0.2"),
        ({"commission": "-0.2", "maker": True}, "0.0002", "0.2"),
        ({"commission": "-0.2", "maker": True}, "-0.0001", "-0.2"),
        ({"commission": "0.2", "maker": True}, "0.0002", "0.2"),
    ],
)
def test_a_commission_is_a_cost_unless_the_account_has_a_rebate(
    venue: AsterVenue, recorder: Recorder, row: dict[str, Any], rate: str, paid: str
) -> None:
    """The venue's pages show a cost below zero, its sibling sends it above: the rate of the account decides."""
    recorder.on("GET", TRADES, Say([trade_row(**row)]))
    recorder.on("GET", "/fapi/v3/order", Say(order_row()))
    recorder.on("GET", "/fapi/v3/commissionRate", Say({"symbol": "BTCUSDT", "makerCommissionRate": rate}))
    (fill,) = venue.fills_after(ACCOUNT, "BTCUSDT", None)

    assert fill.commission == Decimal(paid)


def test_funding_is_told_once_and_in_order(venue: AsterVenue, recorder: Recorder) -> None:
    """Payments of one instant may become visible one after the other: none is passed over."""
    at = now_ms() - 3_600_000
    rows = [income_row(7, "FUNDING_FEE", at, "0.25"), income_row(5, "FUNDING_FEE", at, "-0.5", "ETHUSDT")]
    recorder.on("GET", INCOME, lambda _: Say(rows))
    first = venue.funding_after(ACCOUNT, None)
    rows.append(income_row(9, "FUNDING_FEE", at + 1_000, "-0.125"))
    later = venue.funding_after(ACCOUNT, first[-1].venue_id)

    assert [(payment.symbol, payment.amount) for payment in first] == [
        ("ETHUSDT", Decimal("-0.5")), ("BTCUSDT", Decimal("0.25")),
    ]  # fmt: skip
    assert [payment.amount for payment in later] == [Decimal("-0.125")]
    assert recorder.of("GET", INCOME)[0].params["incomeType"] == "FUNDING_FEE"


def test_a_payment_that_becomes_visible_late_is_not_lost(venue: AsterVenue, recorder: Recorder) -> None:
    """Funding of all positions has one instant, and the venue books it one position after the other."""
    at = now_ms() - 5_000
    rows = [income_row(7, "FUNDING_FEE", at)]
    recorder.on("GET", INCOME, lambda _: Say(rows))
    first = venue.funding_after(ACCOUNT, None)
    rows.append(income_row(3, "FUNDING_FEE", at, "-0.75", "ETHUSDT"))

    assert [payment.symbol for payment in venue.funding_after(ACCOUNT, first[-1].venue_id)] == ["ETHUSDT"]


def test_transfers_are_everything_but_trades_and_funding(venue: AsterVenue, recorder: Recorder) -> None:
    """What changes the wallet and is booked nowhere would be a difference for ever."""
    at = now_ms() - 60_000
    kinds = ["TRANSFER", "COMMISSION", "REALIZED_PNL", "FUNDING_FEE", "WELCOME_BONUS", "INSURANCE_CLEAR"]
    recorder.on("GET", INCOME, Say([income_row(number, kind, at + number) for number, kind in enumerate(kinds, 1)]))
    transfers = venue.transfers_after(ACCOUNT, None)

    assert [transfer.venue_id.rpartition(".")[2] for transfer in transfers] == [
        "TRANSFER", "WELCOME_BONUS", "INSURANCE_CLEAR",
    ]  # fmt: skip


def test_income_is_read_page_by_page(venue: AsterVenue, recorder: Recorder) -> None:
    """A page that ends inside of an instant is begun there again, and nothing counts twice."""
    start = now_ms() - 600_000
    rows = [income_row(number, "FUNDING_FEE", start + number // 3) for number in range(2_300)]

    def page(heard: Heard) -> Say:
        first, last = int(heard.params["startTime"]), int(heard.params["endTime"])
        return Say([row for row in rows if first <= row["time"] <= last][:1_000])

    recorder.on("GET", INCOME, page)

    assert len(venue.funding_after(ACCOUNT, None)) == 2_300


def test_candles_and_depth_are_exact(venue: AsterVenue, recorder: Recorder) -> None:
    """The last candle is open and says so."""
    stand_still(recorder)
    opened = millis(STARTED) // 60_000 * 60_000 - 60_000
    rows = [
        [at, "1.10", "1.30", "1.00", "1.20", "12.5", at + 59_999, "15", 3, "6", "7", "0"]
        for at in (opened, opened + 60_000)
    ]
    recorder.on("GET", "/fapi/v3/klines", Say(rows))
    recorder.on("GET", "/fapi/v3/depth", Say({
        "lastUpdateId": 7, "E": opened, "T": opened, "bids": [["1.1", "5"]], "asks": [["1.2", "6"]]}))  # fmt: skip
    start = datetime.fromtimestamp(opened / 1_000, UTC)
    candles = venue.candles("BTCUSDT", "1m", start, start + timedelta(minutes=1))
    depth = venue.depth("BTCUSDT")

    assert [(candle.opened_at, candle.close, candle.closed) for candle in candles] == [
        (start, Decimal("1.20"), True), (start + timedelta(minutes=1), Decimal("1.20"), False),
    ]  # fmt: skip
    assert (depth.bids, depth.asks) == (((Decimal("1.1"), 5),), ((Decimal("1.2"), 6),))
    assert "signature" not in recorder.of("GET", "/fapi/v3/depth")[0].text


def test_the_card_gives_a_reason_for_all_that_is_left_out(venue: AsterVenue) -> None:
    """A capability that is missing without a word is found out with money."""
    missing: list[Capability] = [each for each in venue.card.capabilities if each.state != "done"]

    assert all(each.state in {"exempt", "to do"} and each.reason for each in missing)
    assert venue.card.acceptance_window_s is not None
    assert venue.card.acceptance_window_s >= 68


def test_larger_limits_than_usual_are_learnt_after_a_start_in_a_busy_minute(recorder: Recorder, tmp_path: Path) -> None:
    """More than the usual is spent already: who waited for the next minute to ask would be deaf until then."""
    clock = FrozenClock(STARTED)  # the minute does not end
    throttle = Throttle(OwnBooks(), clock)
    throttle.take({Budget("aster:here:weight", 24_000): 9_000}, Use.ORDER)
    limits = [{**each, "limit": each["limit"] * 10} for each in EXCHANGE_INFO["rateLimits"]]
    recorder.on("GET", "/fapi/v3/exchangeInfo", Say({**EXCHANGE_INFO, "rateLimits": limits}))
    recorder.on("GET", "/fapi/v3/openOrders", Say([]))
    venue = open_venue(recorder, tmp_path, throttle=throttle, clock=clock)
    try:
        assert [one.symbol for one in venue.instruments()] == ["BTCUSDT"]
        assert venue.open_orders(ACCOUNT) == []
    finally:
        venue.close()
