"""What the adapter can do at OKX, linear perpetuals and spot."""

from decimal import Decimal
from typing import Final

from pilothouse.venues.card import COUNTDOWN, Capability
from pilothouse.venues.ccxt.card import KEY_AND_SECRET, REST_NOT_ON_TAPE, Part, Sheet

_WINDOW_S: Final = Decimal(40)
"""The exchange takes a request for up to thirty seconds from its time; the rest is for clocks."""

_PARTS: Final = (*KEY_AND_SECRET, Part("passphrase", "API passphrase", "password"))

_BOTH: Final = (
    Capability(COUNTDOWN, "exempt", "the exchange has one for a whole account; not used"),
    Capability("market orders", "done"),
    Capability("limit orders GTC, IOC, FOK, post-only", "done"),
    Capability("cancel", "done", "on the book, or waiting for its trigger"),
    Capability("amend", "to do", "ended and replaced; the exchange could change one in place"),
    Capability("query by client id", "done", "with all fills; what waited for a trigger and what it became are one"),
    Capability("client order ids, unique", "done", "letters and digits, up to 32"),
    Capability("acceptance window", "done", "40 s: a request is taken for 30 s, the rest is for clocks"),
    Capability("partial fills", "done"),
    Capability("maker and taker fees", "done", "as the exchange reports them"),
    Capability("error table", "done", "by the code of the order, else of the request; from the exchange's own list"),
    Capability("candles", "done", "by request; not replayed"),
    Capability("account events", "done", "by asking every five seconds; its private stream is to do"),
    Capability("quotes", "done", "by asking every two seconds"),
    Capability("permissions of a key", "done", "whether it may trade and withdraw; not replayed"),
    Capability("batch", "exempt", "orders go one by one, so that each has an outcome of its own"),
)

SWAP: Final = Sheet(
    title="OKX USDT perpetuals",
    exchange="okx",
    window_s=_WINDOW_S,
    parts=_PARTS,
    testnet="demo trading",
    capabilities=(
        *_BOTH,
        Capability("contracts of more or less than one coin", "done", "counted in coins here, in contracts there"),
        Capability("stop and take-profit orders, by mark price", "done", "at order-algo, as one order under our id"),
        Capability("reduce-only orders", "done"),
        Capability("closePosition", "done", "as the close fraction one"),
        Capability("leverage", "done", "of cross margin"),
        Capability("cross margin", "done"),
        Capability("isolated margin", "exempt", "each order says its margin type there, and orders are sent cross"),
        Capability("position mode", "done", "read; only accounts in net mode are traded"),
        Capability("balances and positions", "done"),
        Capability("fills and income", "done", "seven days back where no id to begin behind is given"),
        Capability("funding", "done", "of seven days; not replayed"),
        Capability("deposits and withdrawals", "done", "transfers to and from the trading account; not replayed"),
        Capability("coin-margined contracts, futures, options", "exempt", "settlement is in USDT here"),
        Capability("replayed", "done", "orders, fills, positions, balances, instruments, on tapes of other projects"),
        REST_NOT_ON_TAPE,
    ),
)

SPOT: Final = Sheet(
    title="OKX spot",
    exchange="okx",
    window_s=_WINDOW_S,
    parts=_PARTS,
    testnet="demo trading",
    capabilities=(
        *_BOTH,
        Capability(
            "stop and take-profit orders",
            "done",
            "at order-algo, by the last price, in cash mode; not every "
            "account mode takes them so, as an answer on tape says",
        ),
        Capability("market buys by quantity", "done", "in base, never in quote"),
        Capability("reduce-only orders", "exempt", "there is no position on spot"),
        Capability("closePosition", "exempt", "there is no position on spot"),
        Capability("leverage", "exempt", "what is bought is paid for; nothing is borrowed"),
        Capability("balances and positions", "done", "coins that are held are shown as positions; not replayed"),
        Capability("fills and income", "done", "seven days back where no id to begin behind is given"),
        Capability("replayed", "done", "fills, on a tape of another project; instruments and balances are not"),
        REST_NOT_ON_TAPE,
    ),
)
