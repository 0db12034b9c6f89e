"""An adapter that speaks to a recording server on this machine, and the messages of the venue's pages."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pilothouse.core.clock import Clock, millis
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderTerms, OrderType, TimeInForce
from pilothouse.kit.clocks import FrozenClock, SystemClock
from pilothouse.kit.http_client import HttpClient, HttpLimits
from pilothouse.kit.sealed import Secret
from pilothouse.kit.throttle import OwnBooks, Throttle
from pilothouse.venues.aster.accounts import Accounts
from pilothouse.venues.aster.adapter import AsterVenue
from pilothouse.venues.aster.endpoint import MAINNET_CHAIN, Endpoint
from pilothouse.venues.aster.rest import Tools
from pilothouse.venues.aster.sign import AsterKeys
from pilothouse.venues.held_streams import Patience
from pilothouse.venues.port import OrderRequest, VenueAccount
from tests.slices.venues.aster.recorder import PATIENCE_S, Recorder, Say, StreamRecorder

KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
KEYS = AsterKeys(ADDRESS, ADDRESS, Secret(KEY))
ACCOUNT = VenueAccount("acc_1", "usr_1")

STARTED = datetime.now(UTC)
"""Orders are stamped then, and adapters without streams stand there: nothing grows old while this machine is busy."""

# Tried again at once, and given up for dead only by a test that says so: this machine may be busy.
QUICK = Patience(open_s=60.0, ping_s=60.0, silent_s=600.0, market_silent_s=600.0, first_s=0.01, most_s=0.02)

EXCHANGE_INFO: dict[str, Any] = {
    "rateLimits": [
        {"interval": "MINUTE", "intervalNum": 1, "limit": 2400, "rateLimitType": "REQUEST_WEIGHT"},
        {"interval": "MINUTE", "intervalNum": 1, "limit": 1200, "rateLimitType": "ORDERS"},
    ],
    "symbols": [
        {
            "symbol": "BTCUSDT",
            "pair": "BTCUSDT",
            "contractType": "PERPETUAL",
            "status": "TRADING",
            "baseAsset": "BTC",
            "quoteAsset": "USDT",
            "marginAsset": "USDT",
            "pricePrecision": 1,
            "quantityPrecision": 3,
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": "0.1", "maxPrice": "1000000", "tickSize": "0.1"},
                {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
                {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "100", "stepSize": "0.001"},
                {"filterType": "MIN_NOTIONAL", "notional": "5"},
                {
                    "filterType": "PERCENT_PRICE",
                    "multiplierUp": "1.15",
                    "multiplierDown": "0.85",
                    "multiplierDecimal": 4,
                },
            ],
        },
        {
            "symbol": "ETHUSDT_260327",
            "contractType": "CURRENT_QUARTER",
            "status": "TRADING",
            "baseAsset": "ETH",
            "quoteAsset": "USDT",
            "filters": [],
        },
        {
            "symbol": "OLDUSDT",
            "contractType": "PERPETUAL",
            "status": "CLOSE",
            "baseAsset": "OLD",
            "quoteAsset": "USDT",
            "filters": [],
        },
    ],
}


def now_ms() -> int:
    """Return the time as the venue tells it."""
    return int(datetime.now(UTC).timestamp() * 1000)


def order_row(**changed: Any) -> dict[str, Any]:
    """Return an order as the venue tells it in an answer."""
    return {
        "orderId": 405,
        "symbol": "BTCUSDT",
        "status": "NEW",
        "clientOrderId": "ph0001",
        "price": "50000.0",
        "avgPrice": "0.00000",
        "origQty": "0.010",
        "executedQty": "0",
        "cumQty": "0",
        "cumQuote": "0",
        "timeInForce": "GTC",
        "type": "LIMIT",
        "reduceOnly": False,
        "closePosition": False,
        "side": "BUY",
        "positionSide": "BOTH",
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": "LIMIT",
        "time": now_ms(),
        "updateTime": now_ms(),
    } | changed


def trade_row(**changed: Any) -> dict[str, Any]:
    """Return a trade as userTrades tells it."""
    return {
        "buyer": True,
        "commission": "0.20",
        "commissionAsset": "USDT",
        "id": 9001,
        "maker": False,
        "orderId": 405,
        "price": "50000.0",
        "qty": "0.010",
        "quoteQty": "500",
        "realizedPnl": "0",
        "side": "BUY",
        "positionSide": "BOTH",
        "symbol": "BTCUSDT",
        "time": now_ms(),
    } | changed


def limit(
    client_order_id: str = "ph0001", quantity: str = "0.010", price: str | None = "50000.0", **changed: Any
) -> OrderRequest:
    """Return a limit order that is stamped when all began."""
    terms: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "quantity": Decimal(quantity),
        "price": Decimal(price) if price is not None else None,
        "time_in_force": TimeInForce.GTC,
    }
    return OrderRequest(client_order_id, OrderTerms(**(terms | changed)), STARTED)


def stop(client_order_id: str, price: str = "45000.0", *, close_position: bool = False) -> OrderRequest:
    """Return a stop that protects a long position."""
    terms = OrderTerms(
        "BTCUSDT", Side.SELL, OrderType.STOP_MARKET, Decimal("0.010"), stop_price=Decimal(price), reduce_only=True
    )
    return OrderRequest(client_order_id, terms, STARTED, close_position)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Return a server that tells its time and its instruments, and nothing else yet."""
    found = Recorder()
    found.on("GET", "/fapi/v3/time", lambda _: Say({"serverTime": now_ms()}))
    found.on("GET", "/fapi/v3/exchangeInfo", Say(EXCHANGE_INFO))
    found.on(
        "GET",
        "/fapi/v3/leverageBracket",
        Say([{"symbol": "BTCUSDT", "brackets": [{"bracket": 1, "initialLeverage": 75}, {"initialLeverage": 50}]}]),
    )
    yield found
    found.close()


def stand_still(recorder: Recorder, ahead_ms: int = 0) -> None:
    """Let the venue's time stand still too, so far ahead of ours."""
    recorder.on("GET", "/fapi/v3/time", Say({"serverTime": millis(STARTED) + ahead_ms}))


@pytest.fixture
def streams() -> Iterator[StreamRecorder]:
    """Return a server of streams."""
    found = StreamRecorder()
    yield found
    found.close()


def open_venue(
    recorder: Recorder,
    folder: Path,
    *,
    stream_url: str | None = None,
    patience: Patience = QUICK,
    keys: AsterKeys = KEYS,
    throttle: Throttle | None = None,
    clock: Clock | None = None,
    read_s: float = PATIENCE_S,
) -> AsterVenue:
    """Return an adapter that speaks to `recorder`.

    throttle  what was spent already, by its address `here`
    clock     unless told otherwise one that stands still, or with streams the system's
    read_s    how long an answer is waited for
    """
    clock = clock or (SystemClock() if stream_url else FrozenClock(STARTED))
    endpoint = Endpoint("aster", "AsterDEX", recorder.url, stream_url or "ws://127.0.0.1:1", MAINNET_CHAIN)
    return AsterVenue(
        endpoint,
        Accounts(keys_of=lambda _: keys, all=lambda: [ACCOUNT]),
        Tools(clock, throttle or Throttle(OwnBooks(), clock), folder / "nonces"),
        http=HttpClient(recorder.url, limits=HttpLimits(read_s=read_s)),
        patience=patience,
    )


@pytest.fixture
def venue(recorder: Recorder, tmp_path: Path) -> Iterator[AsterVenue]:
    """Return an adapter that speaks to the recording server."""
    found = open_venue(recorder, tmp_path)
    yield found
    found.close()
