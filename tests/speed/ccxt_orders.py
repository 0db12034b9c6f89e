"""What an order costs through ccxt: the adapter by itself, the library's own order call, and both beside AsterDEX.

    python -m tests.speed.ccxt_orders    measures alone; `make bench` does it too

The other side is a process that answers without thinking, so that what is measured is ours.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import ccxt

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderTerms, OrderType
from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.sealed import Secret
from pilothouse.kit.throttle import OwnBooks, Throttle
from pilothouse.venues.ccxt.adapter import Accounts, CcxtVenue
from pilothouse.venues.ccxt.card import card_of
from pilothouse.venues.ccxt.exchange import Endpoint, Keys
from pilothouse.venues.ccxt.known import quirks_of
from pilothouse.venues.ccxt.rest import Tools
from pilothouse.venues.port import Accepted, OrderRequest, VenueAccount

ACCOUNT = VenueAccount("acc_bench", "usr_bench")
ORDERS = 1_000

Add = Callable[[str, float, str, str], None]


def measure(add: Add, aster_ms: float = 0.0) -> None:
    """Measure everything and hand each figure to `add`: name, figure, unit, aim.

    aster_ms   what an order costs through the adapter for AsterDEX; 0: it was not measured
    """
    server = subprocess.Popen([sys.executable, "-m", "tests.speed.aster", "serve"], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None, "it was asked for"
        base = f"http://127.0.0.1:{int(server.stdout.readline())}"
        each = _ours(base)
        add("binance through ccxt: an order, processor", each, "ms", "aim < 5")
        if aster_ms:
            add("  as a share of an order at AsterDEX", each / aster_ms, "times", "")
        add("the library's own order call, processor", _theirs(base), "ms", "for comparison")
    finally:
        server.kill()
        server.wait()


def _ours(base: str) -> float:
    """Return the processor time of an order through the adapter, in milliseconds."""
    clock, name = SystemClock(), "binanceusdm"
    keys = Keys.of({"apiKey": Secret("K"), "secret": Secret("S")})
    uncounted = type("Uncounted", (type(quirks_of(name)),), {"weight_limit": 10**9, "order_limits": ((10**9, 60),)})
    venue = CcxtVenue(
        Endpoint.at(name, name, base),
        uncounted(),
        card_of(name, None),
        Accounts(lambda _: keys, lambda: [ACCOUNT]),
        Tools(clock, Throttle(OwnBooks(), clock)),
    )
    for _ in range(100):
        _place(venue)
    began = time.process_time()
    for _ in range(ORDERS):
        _place(venue)
    took = time.process_time() - began
    venue.close()
    return took / ORDERS * 1_000


def _place(venue: CcxtVenue) -> None:
    terms = OrderTerms("BTCUSDT", Side.BUY, OrderType.LIMIT, Decimal("0.01"), price=Decimal(50_000))
    (outcome,) = venue.place(ACCOUNT, [OrderRequest("ph0001", terms, datetime.now(UTC))])
    assert isinstance(outcome, Accepted), outcome


def _theirs(base: str) -> float:
    """Return the processor time of the library's own order call over its own connection, in milliseconds."""
    x = ccxt.binanceusdm(
        {"apiKey": "K", "secret": "S", "enableRateLimit": False, "options": {"fetchCurrencies": False}}
    )
    x.urls["api"] = dict.fromkeys(x.urls["api"], f"{base}/fapi/v1")
    x.set_markets([x.parse_market(_MARKET)])
    for _ in range(20):
        x.create_order("BTC/USDT:USDT", "limit", "buy", "0.01", "50000", {"clientOrderId": "ph0001"})
    began = time.process_time()
    for _ in range(ORDERS // 4):
        x.create_order("BTC/USDT:USDT", "limit", "buy", "0.01", "50000", {"clientOrderId": "ph0001"})
    return (time.process_time() - began) / (ORDERS // 4) * 1_000


_MARKET = {
    "symbol": "BTCUSDT", "pair": "BTCUSDT", "contractType": "PERPETUAL", "status": "TRADING", "baseAsset": "BTC",
    "quoteAsset": "USDT", "marginAsset": "USDT", "deliveryDate": 4_133_404_800_000, "onboardDate": 1_569_398_400_000,
    "orderTypes": ["LIMIT", "MARKET"], "timeInForce": ["GTC"],
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.1", "maxPrice": "1000000", "tickSize": "0.1"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
    ],
}  # fmt: skip


def _show(name: str, figure: float, unit: str, aim: str) -> None:
    print(f"  {name:<58} {figure:>10,.2f} {unit:<10} {aim}", flush=True)


if __name__ == "__main__":
    measure(_show)
