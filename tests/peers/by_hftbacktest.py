"""hftbacktest: a market replayed from events, and a strategy that numba compiles, which asks it bar by bar.

It knows a book and no candles. So it is handed one: a millisecond behind each opening the open of the bar as bid and
ask, a hair apart and deep, and just before the bar ends a trade at its close, by which the strategy decides.
"""

from typing import Any

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_CLEAR_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    GTC,
    LOCAL_EVENT,
    MARKET,
    SELL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
    Recorder,
)
from hftbacktest.stats import LinearAssetRecord
from hftbacktest.stats.metrics import SR, MaxDrawdown, Ret, Sortino
from hftbacktest.types import event_dtype
from numba import njit

from tests.peers.frame import CAPITAL, FAST, FEE, SLOW, SPAN_MS, Came, Market, Run

PACKAGE = "hftbacktest"
TOLD = "four statistics"
WHY: dict[str, str] = {}
HAIR = 1e-7
"""What is between bid and ask, quote currency: all fills of a year together cost less than a cent for it."""
DEEP = 1e6
MS = 1_000_000
SPAN_NS = SPAN_MS * MS


def _events(market: Market) -> np.ndarray[Any, Any]:
    """Return five events a bar: old bid and ask taken away and new ones at its opening, the trade at its end."""
    found = np.zeros((len(market.close), 5), event_dtype)
    opened = market.opened_ms * MS
    bid, ask = market.open - HAIR / 2, market.open + HAIR / 2
    # What is taken away is named by its price: everything from there to the best.
    old_bid, old_ask = np.roll(bid, 1), np.roll(ask, 1)
    old_bid[0], old_ask[0] = bid[0], ask[0]
    columns = (
        (DEPTH_CLEAR_EVENT | BUY_EVENT, old_bid, MS),
        (DEPTH_CLEAR_EVENT | SELL_EVENT, old_ask, MS),
        (DEPTH_EVENT | BUY_EVENT, bid, MS),
        (DEPTH_EVENT | SELL_EVENT, ask, MS),
        (TRADE_EVENT | BUY_EVENT, market.close, SPAN_NS - MS),
    )
    for at, (kind, price, late) in enumerate(columns):
        found["ev"][:, at] = kind | EXCH_EVENT | LOCAL_EVENT
        found["exch_ts"][:, at] = found["local_ts"][:, at] = opened + late
        found["px"][:, at] = price
        found["qty"][:, at] = DEEP
    return found.ravel()


@njit(cache=True)
def _cross(market: Any, recorder: Any, bars: int, fast: int, slow: int) -> None:
    """Turn round wherever the averages cross; they are carried along in whole hundredths."""
    closes = np.zeros(bars, np.int64)
    fast_sum = slow_sum = 0
    before = 0
    known = False
    # Its clock begins with the first event. So a decision is made as a bar ends, and arrives behind the next opening.
    span = SPAN_NS - MS
    for at in range(bars):
        if market.elapse(span) != 0:
            break
        span = SPAN_NS
        recorder.record(market)
        closes[at] = round(market.last_trades(0)[0].px * 100)
        market.clear_last_trades(0)
        market.clear_inactive_orders(0)
        fast_sum += closes[at] - (closes[at - fast] if at >= fast else 0)
        slow_sum += closes[at] - (closes[at - slow] if at >= slow else 0)
        if at < slow - 1:
            continue
        sign = np.sign(fast_sum * slow - slow_sum * fast)
        if known and sign and sign != before:
            size = abs(sign - market.position(0))
            price = closes[at] / 100
            if sign > 0:
                market.submit_buy_order(0, at, price, size, GTC, MARKET, False)
            else:
                market.submit_sell_order(0, at, price, size, GTC, MARKET, False)
        before, known = sign, True


def flip(market: Market, deadline: float) -> Run:
    """Replay the year."""
    events, bars = _events(market), len(market.close)

    def run() -> Came:
        asset = (
            BacktestAsset()
            .data(events)
            .linear_asset(1.0)
            .constant_order_latency(2 * MS, 0)
            .risk_adverse_queue_model()
            .no_partial_fill_exchange()
            .trading_value_fee_model(FEE, FEE)
            .tick_size(HAIR)
            .lot_size(1.0)
            .last_trades_capacity(1)
        )
        replayed = HashMapMarketDepthBacktest([asset])
        recorder = Recorder(1, bars + 2)
        _cross(replayed, recorder.recorder, bars, FAST, SLOW)
        recorder.recorder.record(replayed)
        replayed.close()
        kept = recorder.get(0)
        LinearAssetRecord(kept).resample("1m").stats([SR, Sortino, Ret, MaxDrawdown], book_size=CAPITAL)
        last = kept[-1]
        final = CAPITAL + last["balance"] + last["position"] * float(market.close[-1]) - last["fee"]
        return Came(int(last["num_trades"]), float(final), TOLD)

    return run


ROWS = {"flip": flip}
