"""What the paper venue can do, and what it leaves out."""

from datetime import timedelta
from decimal import Decimal

from pilothouse.venues.card import Capability, Card

ACCEPTANCE_WINDOW = timedelta(seconds=5)
"""A request stamped longer ago is refused: who asked has given up on it and may ask for the outcome safely."""

CARD = Card(
    venue="paper",
    title="Paper (simulated market)",
    simulated=True,
    acceptance_window_s=Decimal(5),
    in_one_go=True,
    capabilities=(
        Capability("market orders", "done"),
        Capability("limit orders GTC, IOC, FOK, post-only", "done"),
        Capability("stop and take-profit orders, by mark price", "done"),
        Capability("reduce-only orders", "done"),
        Capability("partial fills", "done"),
        Capability("maker and taker fees", "done"),
        Capability("cross and isolated margin", "done"),
        Capability("liquidation", "done"),
        Capability("funding every eight hours", "done"),
        Capability("client order ids, unique among open orders", "done"),
        Capability("acceptance window", "done"),
        Capability("account events", "done"),
        Capability("amend", "done", "the order is ended and another takes its place"),
        Capability("closePosition", "done", "as a reduce-only order for the quantity it names"),
        Capability("closePosition of a position that has grown", "to do", "it closes the quantity it was placed with"),
        Capability("price bands", "exempt", "the made-up market takes a limit at any price on the grid"),
        Capability("a wire that can fail", "exempt", "it runs in our own process: faults are armed by hand"),
        Capability("credentials", "exempt", "there is no key: an account belongs to its owner"),
        Capability("rules that change", "exempt", "its instruments are the same for ever"),
        Capability("hedge mode", "exempt", "the house trades one-way"),
        Capability("trailing stops", "done", "a stop that stands there and is moved by the house"),
        Capability("trailing orders of the venue's own", "exempt", "the house that moves the stop is the venue, too"),
        Capability("order lists (OCO)", "exempt", "orders that only reduce stand side by side"),
        Capability(
            "trading between accounts", "exempt", "accounts trade with a simulated crowd, never with each other"
        ),
        Capability("auto-deleveraging", "exempt", "an insurance fund without end pays instead"),
        Capability("limits on request rates", "exempt", "there is nobody to protect"),
    ),
)
