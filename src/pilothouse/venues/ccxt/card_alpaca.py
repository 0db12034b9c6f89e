"""What the adapter can do at Alpaca."""

from typing import Final

from pilothouse.venues.card import COUNTDOWN, Capability
from pilothouse.venues.ccxt.card import REST_NOT_ON_TAPE, Part, Sheet

STOCKS: Final = Sheet(
    title="Alpaca US stocks",
    exchange="alpaca",
    window_s=None,
    parts=(
        Part("api_key", "API key id", "apiKey", secret=False),
        Part("api_secret", "API secret key", "secret"),
    ),
    testnet="paper trading",
    capabilities=(
        Capability(COUNTDOWN, "exempt", "the exchange has none"),
        Capability("market orders", "done", "good for the day"),
        Capability("limit orders GTC, IOC, FOK", "done"),
        Capability("limit orders post-only", "exempt", "the broker has none; refused before sending"),
        Capability("market hours", "done", "the broker's: outside of them orders wait for the next opening"),
        Capability("stop orders", "done", "by the last price; at the market or with a limit"),
        Capability("take-profit orders at the market", "done", "as a limit order at the trigger"),
        Capability("take-profit orders with a limit", "exempt", "the broker has none; refused before sending"),
        Capability("stop and take-profit side by side", "to do", "the broker sets shares aside for the first, and "
                   "refuses the second; its bracket orders are not used"),
        Capability("reduce-only orders", "done", "compared with the position before sending; the broker has none"),
        Capability("closePosition", "exempt", "the quantity that is expected is sent"),
        Capability("fractional shares", "exempt", "had by market order only, so that no stop could protect them"),
        Capability("prices below one dollar", "exempt", "they go by hundredths of a cent; one tick for all here"),
        Capability("cancel", "done"),
        Capability("amend", "exempt", "the broker gives a replaced order another id; it is ended and replaced here"),
        Capability("query by client id", "done", "with all fills"),
        Capability("client order ids, unique for ever", "done", "letters and digits, up to 32"),
        Capability("acceptance window", "exempt", "requests carry no time; an order without an answer stays unknown "
                   "until it is found"),
        Capability("partial fills", "done"),
        Capability("fees", "exempt", "the broker tells none with a trade"),
        Capability("error table", "done", "by status, code and words"),
        Capability("leverage", "exempt", "set by the broker for the account"),
        Capability("position mode", "exempt", "the broker knows one-way only"),
        Capability("balances and positions", "done"),
        Capability("fills and income", "done", "seven days back where no id to begin behind is given"),
        Capability("deposits and withdrawals", "done"),
        Capability("candles", "done", "of one exchange of many (IEX); not replayed"),
        Capability("account events", "done", "by asking every five seconds; its stream is to do"),
        Capability("quotes", "done", "of one exchange of many (IEX), by asking every two seconds"),
        Capability("permissions of a key", "exempt", "the broker does not say; whether trading is blocked is read"),
        Capability("coins and options", "exempt", "stocks only"),
        Capability("batch", "exempt", "orders go one by one, so that each has an outcome of its own"),
        Capability("replayed", "done", "orders, fills, balances, quotes, on answers of its own client and of ccxt"),
        REST_NOT_ON_TAPE,
    ),
)  # fmt: skip
