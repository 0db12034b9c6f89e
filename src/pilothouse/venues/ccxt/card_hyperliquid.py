"""What the adapter can do at Hyperliquid."""

from decimal import Decimal
from typing import Final

from pilothouse.venues.card import COUNTDOWN, Capability
from pilothouse.venues.ccxt.card import REST_NOT_ON_TAPE, Part, Sheet

PERPETUALS: Final = Sheet(
    title="Hyperliquid USDC perpetuals",
    exchange="hyperliquid",
    window_s=Decimal(15),
    parts=(
        Part("wallet_address", "address of the account's wallet", "walletAddress", secret=False),
        Part("private_key", "private key of its API wallet (agent)", "privateKey"),
    ),
    testnet="testnet",
    capabilities=(
        Capability(COUNTDOWN, "exempt", "the exchange has one for a whole account, above a volume; not used"),
        Capability("market orders", "done", "as a limit 5 % beyond the best price that is done at once or not at all"),
        Capability("limit orders GTC, IOC, post-only", "done"),
        Capability("limit orders FOK", "exempt", "the exchange has none; refused before sending"),
        Capability("stop and take-profit orders, by mark price", "done", "done within 10 % of the trigger"),
        Capability("reduce-only orders", "done"),
        Capability("closePosition", "done", "as a trigger of the whole position; not replayed"),
        Capability("cancel", "done", "by client id"),
        Capability("amend", "to do", "ended and replaced; the exchange could change one in place"),
        Capability("query by client id", "done", "with all fills"),
        Capability("client order ids", "done", "as numbers of 128 bits, and read from them again"),
        Capability("acceptance window", "done", "15 s: every action expires after 10 s, the rest is for clocks"),
        Capability("partial fills", "done"),
        Capability("maker and taker fees", "done", "as the exchange reports them"),
        Capability("error table", "done", "by its sentences; it has no codes"),
        Capability("leverage", "done"),
        Capability("cross and isolated margin", "done"),
        Capability("position mode", "exempt", "the exchange knows one-way only"),
        Capability("balances and positions", "done"),
        Capability("fills and income", "done", "seven days back where no id to begin behind is given"),
        Capability("funding", "done"),
        Capability("deposits and withdrawals", "done"),
        Capability("candles", "done", "by request"),
        Capability("account events", "done", "by asking every five seconds; its stream is to do"),
        Capability("quotes", "done", "by asking every two seconds"),
        Capability("permissions of a key", "done", "that it is an API wallet of the account; not replayed"),
        Capability("one API wallet for several processes", "to do", "numbers of actions are unique in a process; two "
                   "in the same millisecond are one too many, and the second is unknown until it is looked for"),
        Capability("unified accounts", "to do", "the balance that is told is the one of perpetuals"),
        Capability("vaults and subaccounts", "exempt", "one wallet for each account"),
        Capability("spot, and perpetuals that others list", "exempt", "perpetuals of the exchange itself only"),
        Capability("referrals and builders", "exempt", "none is named and no fee for one is ever approved"),
        Capability("batch", "exempt", "orders go one by one, so that each has an outcome of its own"),
        Capability("replayed", "done", "orders, fills, positions, funding, instruments, on answers quoted by ccxt"),
        REST_NOT_ON_TAPE,
    ),
)  # fmt: skip
