"""What holds at each of the exchanges on tape: an order whose answer is lost or odd is unknown, and is sent once."""

from collections.abc import Iterator

import pytest

from pilothouse.core.errors import Unavailable
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType
from pilothouse.venues.port import Rejected, Unknown
from tests.slices.venues.aster.recorder import Say
from tests.slices.venues.ccxt.replayed import ACCOUNT, Player, order, player, tape

ORDERS = {
    "bybit": ("/v5/order/create", "BTCUSDT"),
    "okx": ("/api/v5/trade/order", "BTC-USDT-SWAP"),
    "hyperliquid": ("/exchange", "SOLUSDC"),
    "alpaca": ("/v2/orders", "SPY"),
}


@pytest.fixture(params=sorted(ORDERS))
def exchange(request: pytest.FixtureRequest) -> Iterator[Player]:
    """Return each exchange in turn, with what can be traded there."""
    with player(request.param) as opened:
        opened.on("GET", "/v5/market/instruments-info", tape("bybit/quoted_fetch_future_markets.1.json"))
        opened.on("GET", "/v5/market/time", tape("bybit/quoted_fetch_time.1.json"))
        opened.on("GET", "/api/v5/public/instruments", tape("okx/http_get_instruments_swap.json"))
        opened.on("GET", "/api/v5/public/time", tape("okx/quoted_fetch_time.1.json"))
        opened.on_info(metaAndAssetCtxs=tape("hyperliquid/quoted_fetch_swap_markets.1.json"))
        asset = {"symbol": "SPY", "exchange": "ARCA", "status": "active", "tradable": True}
        opened.on("GET", "/v2/assets", Say([asset]))
        opened.venue.instruments()
        yield opened


def sent(exchange: Player, answer: Say) -> object:
    """Send an order that is answered so, and return its outcome; it was sent once."""
    path, symbol = ORDERS[exchange.name]
    exchange.on("POST", path, answer)
    outcome = exchange.place(order(symbol, Side.BUY, "1", OrderType.LIMIT, price="108"))
    assert len(exchange.recorder.of("POST", path)) == 1
    return outcome


@pytest.mark.parametrize(
    "answer",
    [
        Say(drop=True),
        Say(b"<html>bad gateway</html>", 502),
        Say({"retCode": 10016, "code": "50026", "message": "internal"}, 500),
        Say({"code": 503, "msg": "busy"}, 503),
        Say(b"", 504),
        Say(b"not what was expected", 200),
        Say({"retCode": 999_999, "code": "99999", "status": "err", "response": "?", "message": "?"}, 400),
        Say({}, 418 - 10),
    ],
    ids=["no answer", "502", "500", "503", "504", "no JSON", "an unlisted error", "408"],
)
def test_an_order_that_may_have_arrived_is_unknown(exchange: Player, answer: Say) -> None:
    """Sent again, it might stand twice; called failed, it might stand and nobody would look."""
    assert isinstance(sent(exchange, answer), Unknown)


def test_an_order_that_came_too_often_may_be_sent_later(exchange: Player) -> None:
    """A limit is looked at before the order is."""
    outcome = sent(exchange, Say({"retCode": 10006, "code": "50011", "message": "too many"}, 429, {"Retry-After": "3"}))

    assert isinstance(outcome, Rejected)
    assert outcome.may_be_repeated


def test_a_question_that_is_not_answered_is_never_flat(exchange: Player) -> None:
    """No position was told, which is not the same as no position."""
    with pytest.raises(Unavailable):
        exchange.venue.positions(ACCOUNT)


def test_the_card_says_what_is_on_tape(exchange: Player) -> None:
    """And each thing that is left out says why."""
    capabilities = {each.name: each for each in exchange.venue.card.capabilities}

    assert capabilities["replayed"].state == "done"
    assert all(each.reason for each in capabilities.values() if each.state != "done")
