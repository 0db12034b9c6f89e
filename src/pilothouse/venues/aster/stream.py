"""What AsterDEX tells on its own: orders and fills of an account, prices; messages in, the port's out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pilothouse.core.quote import Quote
from pilothouse.kit import exact_json
from pilothouse.venues.aster import wire
from pilothouse.venues.aster.market import Prices
from pilothouse.venues.held_streams import StreamEnded
from pilothouse.venues.port import AccountEvent

SYMBOLS_EACH: Final = 60
"""How many instruments one connection follows: three streams for each, and a connection may have two hundred."""

_KINDS: Final = ("bookTicker", "markPrice@1s", "miniTicker")


@dataclass(frozen=True, slots=True)
class UserSpeech:
    """The user stream of one account. What it asks of the rest blocks, and is called on threads.

    open_key    returns the listen key; raises Unavailable
    keep_key    extends it; raises StreamEnded if there is none any more, Unavailable if nobody answers
    funded      returns funding that was not told yet; raises Unavailable
    keep_s      seconds between two extensions
    """

    account_id: str
    stream_url: str
    open_key: Callable[[], str]
    keep_key: Callable[[], None]
    funded: Callable[[], Sequence[AccountEvent]]
    keep_s: float

    def open(self) -> tuple[str, Sequence[str]]:
        """Open a listen key; the address has it."""
        return f"{self.stream_url}/ws/{self.open_key()}", ()

    def keep(self) -> None:
        """Extend the listen key, which lasts an hour."""
        self.keep_key()

    def asks(self, message: Any) -> bool:
        """Say whether it tells of funding: the new balance and not which payment it was, so that is asked for."""
        event = _inner(message)
        return event.get("e") == "ACCOUNT_UPDATE" and wire.row(event.get("a")).get("m") == "FUNDING_FEE"

    def understood(self, message: Any) -> Sequence[AccountEvent]:
        """Return what a message tells."""
        event = _inner(message)
        kind = event.get("e")
        if kind == "ORDER_TRADE_UPDATE":
            return (AccountEvent(self.account_id, report=wire.report_of_event(event)),)
        if kind == "listenKeyExpired":
            raise StreamEnded("the listen key has expired")
        return self.funded() if self.asks(message) else ()


class PriceSpeech:
    """Prices of some instruments, on one connection."""

    each: int = SYMBOLS_EACH

    def __init__(self, stream_url: str, source: str) -> None:
        """Name `source` in every quote."""
        self._url = stream_url
        self._prices = Prices(source)

    def open(self, symbols: Sequence[str]) -> Sequence[tuple[str, Sequence[str]]]:
        """Return the address, and what is subscribed to there."""
        names = [f"{symbol.lower()}@{kind}" for symbol in symbols for kind in _KINDS]
        return [(f"{self._url}/stream", [exact_json.dumps({"method": "SUBSCRIBE", "params": names, "id": 1})])]

    def put(self, quotes: Sequence[Quote]) -> None:
        """Begin with quotes that were asked for."""
        self._prices.put(quotes)

    def understood(self, message: Any) -> Sequence[Quote]:
        """Return the quotes that a message completes."""
        if isinstance(message, dict) and isinstance(message.get("error"), dict):
            raise StreamEnded(f"the venue refuses the subscription: {message['error'].get('msg')}")
        inner = message.get("data", message) if isinstance(message, dict) else message
        told = inner if isinstance(inner, list) else [inner]
        quotes = (self._prices.take(each) for each in told if isinstance(each, dict))
        return [quote for quote in quotes if quote is not None]


def _inner(message: Any) -> wire.Row:
    """Return what a frame carries: some come with the name of their stream. Anything else is nothing."""
    if not isinstance(message, dict):
        return {}
    inner = message.get("data")
    return inner if isinstance(inner, dict) else message
