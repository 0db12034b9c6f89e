"""What the adapter can do at Binance, USD-M futures and spot."""

from decimal import Decimal
from typing import Final

from pilothouse.core.stops import StopWay, TrailRange
from pilothouse.venues.card import COUNTDOWN, PAIRS, Capability
from pilothouse.venues.ccxt.card import Sheet

_WINDOW_S: Final = Decimal(10)
"""A request says that it is good for five seconds; as much again is for clocks."""

TRAILS: Final = TrailRange(Decimal("0.1"), Decimal(10), Decimal("0.1"))
"""As narrow as the exchange ever said; it has taken up to 20 % since October 2026."""

_BOTH: Final = (
    Capability("market orders", "done"),
    Capability("limit orders GTC, IOC, FOK, post-only", "done"),
    Capability("cancel", "done"),
    Capability("query by client id", "done", "with all fills"),
    Capability("client order ids, unique among open orders", "done", "letters and digits, up to 32"),
    Capability("acceptance window", "done", "10 s: recvWindow is 5 s, the rest is for clocks"),
    Capability("partial fills", "done"),
    Capability("maker and taker fees", "done", "as the exchange reports them, in whatever currency"),
    Capability("error table", "done", "by HTTP status, code and text; the four texts of 503 are told apart"),
    Capability("candles", "done", "by request"),
    Capability("account events", "done", "a stream of our own; a gap is filled by request after each reconnect"),
    Capability("permissions of a key", "done", "whether it may trade and withdraw"),
    Capability("batch", "exempt", "orders go one by one, so that each has an outcome of its own"),
    Capability("replayed", "exempt", "tried on the simulated exchange, which nobody of this adapter wrote"),
)

USDM: Final = Sheet(
    title="Binance USD-M futures",
    exchange="binanceusdm",
    window_s=_WINDOW_S,
    testnet="demo trading",
    capabilities=(
        *_BOTH,
        Capability("stop and take-profit orders, by mark price", "done", "at algoOrder, as one order under our id"),
        Capability("reduce-only orders", "done"),
        Capability("closePosition", "done", "on stops and take-profits at the market"),
        Capability("trailing orders of the venue's own", "done", "at algoOrder"),
        Capability("order lists (OCO)", "exempt", "orders that only reduce stand side by side"),
        Capability(
            "trailing stops",
            "done",
            "the exchange's own, at algoOrder, for 0.1 to 10 % in steps of 0.1; for others a stop that stands there is "
            "moved by the house",
        ),
        Capability(
            "stops in another form",
            "done",
            "refused for so much, a stop is asked for as closePosition, then with a limit beyond its trigger, all at "
            "algoOrder: the ordinary endpoint takes no stops (-4120)",
        ),
        Capability("amend", "done", "limit orders in place; others are ended and replaced"),
        Capability("leverage", "done"),
        Capability("cross and isolated margin", "done"),
        Capability(COUNTDOWN, "done", "for each instrument; stops, which stand elsewhere there, may stay"),
        Capability("position mode", "done", "read; only one-way accounts are traded"),
        Capability("balances and positions", "done"),
        Capability("fills and income", "done", "seven days back where no id to begin behind is given"),
        Capability("funding", "done"),
        Capability("liquidation", "done", "told as orders of the exchange's own"),
        Capability("quotes", "done", "best prices, mark and last price as they change"),
        Capability("price band before sending", "done", "while a fresh mark is known"),
        Capability("multi-assets margin, portfolio margin", "exempt", "one settlement currency for each account"),
        Capability("coin-margined futures and options", "exempt", "settlement is in the quote currency here"),
    ),
    trails=TRAILS,
    stop_ways=(StopWay.REDUCE_ONLY, StopWay.WHOLE_POSITION, StopWay.LIMIT),
)

SPOT: Final = Sheet(
    title="Binance spot",
    exchange="binance",
    window_s=_WINDOW_S,
    testnet="demo trading",
    capabilities=(
        *_BOTH,
        Capability("holdings", "done", "a position is what is held of a coin, whoever bought it"),
        Capability("stop and take-profit orders, by last price", "done", "there is no mark price on spot"),
        Capability("reduce-only orders", "exempt", "nothing can be sold that is not held"),
        Capability("closePosition", "exempt", "spot has none; the quantity is sent"),
        Capability("amend", "done", "ended and replaced, with what filled in between counted"),
        Capability("leverage, margin and funding", "exempt", "what is bought is paid for"),
        Capability("balances", "done"),
        Capability("fills", "done", "seven days back where no id to begin behind is given"),
        Capability("deposits and withdrawals", "to do", "not told; the balance shows them"),
        Capability("quotes", "done", "best prices and last price; the last price stands for the mark"),
        Capability("price band before sending", "exempt", "it lies about an average of minutes: the exchange refuses"),
        Capability(
            "trailing orders of the venue's own", "to do", "it has them (trailingDelta); the house moves a stop instead"
        ),
        Capability(
            PAIRS,
            "done",
            "stop and target of one share as one pair, for the next two targets; the house keeps those behind them",
        ),
    ),
)
