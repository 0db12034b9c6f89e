"""What this adapter can do at AsterDEX, and what it leaves out."""

from decimal import Decimal
from typing import Final

from pilothouse.core.stops import StopWay, TrailRange
from pilothouse.venues.aster.endpoint import MAINNET, TESTNET, Endpoint
from pilothouse.venues.card import COUNTDOWN, Capability, Card

ACCEPTANCE_WINDOW_S: Final = Decimal(70)
"""The venue takes a nonce for up to 60 s (its pages say 60 in one place and 10 in another; the longer one is the safe
one), and a nonce may lie up to 8 s behind its stamp; the rest is for clocks."""

TRAILS: Final = TrailRange(Decimal("0.1"), Decimal(5), Decimal("0.1"))
"""As the venue says for single orders; in a batch it is 4 % at most, so those that trail go alone."""

_CAPABILITIES: Final = (
    Capability("market orders", "done"),
    Capability("limit orders GTC, IOC, FOK, post-only", "done"),
    Capability("stop and take-profit orders, by mark price", "done"),
    Capability("reduce-only orders", "done"),
    Capability("closePosition", "done", "on stops and take-profits at the market"),
    Capability(
        "stops in another form",
        "done",
        "refused for so much, a stop is asked for as closePosition, then with a limit beyond its trigger",
    ),
    Capability("batch", "done", "up to five orders that wait for a trigger; others keep their order, one by one"),
    Capability("amend", "done", "limit orders in place; others are ended and replaced"),
    Capability("cancel", "done"),
    Capability("query by client id", "done", "with all fills"),
    Capability("client order ids, unique among open orders", "done"),
    Capability("acceptance window", "done", "70 s: nonces are taken for up to 60 s"),
    Capability("partial fills", "done"),
    Capability("maker and taker fees", "done", "as the venue reports them"),
    Capability("leverage", "done"),
    Capability("cross and isolated margin", "done"),
    Capability(COUNTDOWN, "done", "for each instrument; it cancels stops too"),
    Capability("position mode", "done", "read and set; only one-way accounts are traded"),
    Capability("balances and positions", "done"),
    Capability("fills and income", "done", "seven days back where no id to begin behind is given"),
    Capability("candles and depth", "done", "by request; there is no local order book"),
    Capability("funding", "done"),
    Capability("liquidation", "done", "told as orders of the venue's own"),
    Capability("account events", "done", "a gap is filled by request after each reconnect"),
    Capability("quotes", "done", "best prices, mark and last price as they change"),
    Capability("limits on request rates", "done", "shared between processes; 429 and 418 are obeyed"),
    Capability("tick, lot, minimum and price band before sending", "done", "bands only while a fresh mark is known"),
    Capability("one signer on several machines", "exempt", "nonces grow in a file: give each machine its own agent"),
    Capability("hedge mode", "exempt", "the house trades one-way; an account in hedge mode is refused"),
    Capability("multi-assets margin", "exempt", "one settlement currency for each account"),
    Capability("trailing orders of the venue's own", "done", "alone: in a batch they may trail by less only"),
    Capability("order lists (OCO)", "exempt", "orders that only reduce stand side by side"),
    Capability(
        "trailing stops",
        "done",
        "the venue's own for 0.1 to 5 %, in steps of 0.1; for others a stop that stands there is moved by the house",
    ),
    Capability("auto-deleveraging", "done", "told as orders of the venue's own"),
    Capability("chase and strategy orders", "exempt", "not offered by the port"),
    Capability(
        "permission to withdraw",
        "exempt",
        "the venue tells it of an account and not of a key: sign with an agent, which cannot withdraw",
    ),
    Capability("legacy signature", "exempt", "removed from the venue's pages; not used"),
    Capability(
        "voiding a lost request (noop)", "to do", "the venue promises nothing for it; lost orders are asked for"
    ),
)


def card_of(endpoint: Endpoint) -> Card:
    """Return the card of the adapter at one endpoint."""
    return Card(
        venue=endpoint.venue,
        title=endpoint.title,
        simulated=False,
        acceptance_window_s=ACCEPTANCE_WINDOW_S,
        capabilities=_CAPABILITIES,
        trails=TRAILS,
        stop_ways=(StopWay.REDUCE_ONLY, StopWay.WHOLE_POSITION, StopWay.LIMIT),
    )


CARDS: Final = {endpoint.venue: card_of(endpoint) for endpoint in (MAINNET, TESTNET)}
