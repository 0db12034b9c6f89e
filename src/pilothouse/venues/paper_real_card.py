"""What paper money on a real market's prices can do: what is real in it, what is simulated, and by which rule."""

from typing import Final

from pilothouse.simulation.admission import MAKER_PPM, POSITION_MOST, TAKER_PPM
from pilothouse.simulation.outside import LATE_US, PATIENT_US, RESTS_US
from pilothouse.simulation.outside_desk import LEVELS, RETURNS_US
from pilothouse.simulation.told import BOOK_AGE_US_MAX, HEARD_US
from pilothouse.venues.card import Capability, Card
from pilothouse.venues.paper_card import CARD as PAPER

_PERCENT: Final = 10_000
_SECOND: Final = 1_000_000

_CAPABILITIES: Final = (
    Capability(
        "market orders",
        "done",
        "simulated: at the best price that was told, or worse; at none that is older than "
        f"{BOOK_AGE_US_MAX // _SECOND} s, or than what the mark or the last price had said when the order came: then "
        "the venue is asked, and without an answer the order is rejected for now (no_fresh_book)",
    ),
    Capability("limit orders GTC, IOC, FOK, post-only", "done"),
    Capability(
        "stop and take-profit orders, by mark price",
        "done",
        "by the real mark price, at best prices that are not older; those that do not come are asked for after "
        f"{PATIENT_US // _SECOND} s, and nothing is filled before they are told",
    ),
    Capability("reduce-only orders", "done"),
    Capability(
        "quantity at the best price",
        "done",
        "as told where the venue tells it, else 10,000 of the quote currency; "
        f"it comes back when the book changes there, or is told again after {RETURNS_US // _SECOND} s",
    ),
    Capability(
        "slippage by size",
        "done",
        f"simulated: behind the best price {LEVELS - 1} levels of 10,000 each, a tick, 0.01 % or the spread apart, "
        "whichever is most; what finds nothing expires",
    ),
    Capability(
        "resting limit orders",
        "done",
        "at their own price, once the other side's best price reaches it, or a trade went through it while it had "
        f"rested for {LATE_US // _SECOND} s; a trade at the very price is not enough. Best prices that are not told "
        f"for {RESTS_US // _SECOND} s are asked for",
    ),
    Capability("queue position", "exempt", "nobody's place in the real queue is known: hence the rule for limits"),
    Capability("latency", "exempt", "none is simulated: an order meets the newest price that has arrived here"),
    Capability("effect on the market", "exempt", "the real market does not notice paper orders"),
    Capability(
        "outage of the prices",
        "done",
        f"without a price of the last {HEARD_US // _SECOND} s orders are rejected (no_fresh_price), cancels pass and "
        "nothing triggers; what was passed meanwhile triggers at the first price after it, and says so",
    ),
    Capability("partial fills", "done"),
    Capability(
        "maker and taker fees",
        "done",
        f"{MAKER_PPM / _PERCENT:g} % and {TAKER_PPM / _PERCENT:g} %: venues tell their own to accounts only",
    ),
    Capability(
        "leverage", "done", "up to what the venue tells of the instrument; without leverage nothing is sold short"
    ),
    Capability(
        "maintenance margin",
        "done",
        f"of the usual shape: half of the first margin, in steps; the largest position is {POSITION_MOST:,}",
    ),
    Capability("leverage steps of the venue", "exempt", "told to accounts only: hence those of the usual shape"),
    Capability("cross and isolated margin", "done"),
    Capability("liquidation", "done", "by the real mark prices"),
    Capability(
        "funding",
        "done",
        "at the rate and time that the venue announced last; what falls due while nobody runs it is paid once",
    ),
    Capability("price bands", "to do", "a limit is taken at any price on the grid"),
    Capability("limits on request rates", "exempt", "none for paper orders; prices are asked for within the venue's"),
    Capability("instruments, quotes and candles", "done", "those of the venue, in one settlement currency"),
    *(
        capability
        for capability in PAPER.capabilities
        if capability.name
        in {
            "client order ids, unique among open orders",
            "acceptance window",
            "account events",
            "amend",
            "closePosition",
            "closePosition of a position that has grown",
            "a wire that can fail",
            "credentials",
            "hedge mode",
            "trailing stops",
            "trailing orders of the venue's own",
            "order lists (OCO)",
            "trading between accounts",
            "auto-deleveraging",
        }
    ),
)


def card_on(source: Card) -> Card:
    """Return the card of paper money on the prices of a venue."""
    return Card(
        venue=f"{PAPER.venue}-{source.venue}",
        title=f"Paper money on real prices of {source.title}",
        simulated=True,
        acceptance_window_s=PAPER.acceptance_window_s,
        capabilities=_CAPABILITIES,
        prices_of=source.title,
        in_one_go=PAPER.in_one_go,
    )
