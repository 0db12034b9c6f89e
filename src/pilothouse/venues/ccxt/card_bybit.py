"""What the adapter can do at Bybit, linear perpetuals and spot."""

from decimal import Decimal
from typing import Final

from pilothouse.venues.card import COUNTDOWN, Capability
from pilothouse.venues.ccxt.card import REST_NOT_ON_TAPE, Sheet

_WINDOW_S: Final = Decimal(10)
"""A request says that it is good for five seconds; as much again is for clocks."""

_BOTH: Final = (
    Capability(COUNTDOWN, "exempt", "the exchange has one for a whole account, by its streams; not used"),
    Capability("market orders", "done"),
    Capability("limit orders GTC, IOC, FOK, post-only", "done"),
    Capability("cancel", "done"),
    Capability("amend", "to do", "ended and replaced; the exchange could change one in place"),
    Capability("query by client id", "done", "with all fills; among orders of late first, then among all"),
    Capability("client order ids, unique", "done", "letters and digits, up to 32"),
    Capability("acceptance window", "done", "10 s: the window of a request is 5 s, the rest is for clocks"),
    Capability("partial fills", "done", "what had filled before a cancel or a refusal is kept"),
    Capability("maker and taker fees", "done", "as the exchange reports them"),
    Capability("error table", "done", "by retCode; from the exchange's own list"),
    Capability("candles", "done", "by request; not replayed"),
    Capability("account events", "done", "by asking every five seconds; its private stream is to do"),
    Capability("quotes", "done", "by asking every two seconds"),
    Capability("permissions of a key", "done", "whether it may trade and withdraw; not replayed"),
    Capability("classic accounts", "exempt", "unified trading accounts only; others are refused when they are tried"),
    Capability("batch", "exempt", "orders go one by one, so that each has an outcome of its own"),
)

LINEAR: Final = Sheet(
    title="Bybit USDT perpetuals",
    exchange="bybit",
    window_s=_WINDOW_S,
    testnet="testnet",
    capabilities=(
        *_BOTH,
        Capability("stop and take-profit orders, by mark price", "done", "with the direction of the trigger"),
        Capability("reduce-only orders", "done"),
        Capability("closePosition", "done", "as quantity zero with closeOnTrigger"),
        Capability("leverage", "done"),
        Capability("cross and isolated margin", "done", "read; one for the whole account, and set at the exchange"),
        Capability("position mode", "done", "read; only one-way accounts are traded"),
        Capability("balances and positions", "done"),
        Capability("fills and income", "done", "seven days back where no id to begin behind is given"),
        Capability("funding", "done", "not replayed"),
        Capability("deposits and withdrawals", "done", "transfers to and from the trading account; not replayed"),
        Capability("liquidation", "done", "told as fills of an order that nobody here sent; not replayed"),
        Capability("inverse contracts, USDC contracts, options", "exempt", "settlement is in USDT here"),
        Capability("replayed", "done", "orders, fills, positions, balances, instruments, on tapes of other projects"),
        REST_NOT_ON_TAPE,
    ),
)

SPOT: Final = Sheet(
    title="Bybit spot",
    exchange="bybit",
    window_s=_WINDOW_S,
    testnet="testnet",
    capabilities=(
        *_BOTH,
        Capability("stop and take-profit orders", "done", "as stop orders of the spot market; not replayed"),
        Capability("market buys by quantity", "done", "in base, never in quote"),
        Capability("reduce-only orders", "exempt", "there is no position on spot"),
        Capability("closePosition", "exempt", "there is no position on spot"),
        Capability("leverage", "exempt", "what is bought is paid for"),
        Capability("balances and positions", "done", "coins that are held are shown as positions; not replayed"),
        Capability("fills and income", "done", "seven days back where no id to begin behind is given"),
        Capability("replayed", "done", "instruments and orders, on tapes of other projects"),
        REST_NOT_ON_TAPE,
    ),
)
