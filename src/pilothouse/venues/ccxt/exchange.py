"""An exchange object of ccxt, tamed: it builds, signs and reads; what it would send is handed to this house.

Tamed means: numbers stay text, nothing is sent but by `carry`, nowhere but where it may go, and once; time is the
house's own, and its errors decide nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from threading import Lock
from typing import Any, Final, Self
from urllib.parse import urlsplit

import msgspec

from pilothouse.core.clock import from_micros
from pilothouse.core.errors import NotFound, Refused
from pilothouse.kit.sealed import Secret
from pilothouse.kit.throttle import Use
from pilothouse.venues.ccxt.card import exchange_ids
from pilothouse.venues.ccxt.codes import Outcome
from pilothouse.venues.ccxt.library import ccxt
from pilothouse.venues.ccxt.names import OrderNames

TROUBLE: Final = (ccxt.BaseError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError)
"""What leaves ccxt where it refuses to build a request, or cannot read an answer."""

_DECODER: Final = msgspec.json.Decoder(float_hook=str)
_HERE: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class ForeignAddress(Refused):
    """A request would leave for an address that is not the one of this venue."""

    code = "foreign_address"


class NotPrivate(Refused):
    """Requests would travel in the open."""

    code = "address_not_private"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an exchange is reached, and what it is called here.

    venue        as the catalogue names it, with its address if it has another one
    exchange     ccxt's name of it
    base_url     in the place of every address of the exchange, paths kept; empty: its own addresses
    stream_url   the same for streams; empty: as `base_url`
    testnet      the exchange's own testnet or demo; never together with `base_url`
    """

    venue: str
    exchange: str
    base_url: str = ""
    stream_url: str = ""
    testnet: bool = False

    @classmethod
    def at(cls, venue: str, exchange: str, base_url: str = "", stream_url: str = "", *, testnet: bool = False) -> Self:
        """Return an endpoint; raises NotPrivate for an address without TLS that is not on this machine."""
        base_url, stream_url = base_url.rstrip("/"), stream_url.rstrip("/")
        for each in (base_url, stream_url):
            parts = urlsplit(each)
            if each and parts.scheme not in {"https", "wss"} and parts.hostname not in _HERE:
                raise NotPrivate(f"{parts.scheme}://{parts.netloc} is no address with TLS; what is signed is private")
        return cls(venue, exchange, base_url, stream_url, testnet and not base_url)

    @property
    def stream_base(self) -> str:
        """Return where streams go in the place of the exchange's own; empty: its own."""
        return self.stream_url or self.base_url.replace("http", "ws", 1)


@dataclass(frozen=True, slots=True)
class Keys:
    """What signs for an account: the parts of its credential by ccxt's names of them."""

    parts: tuple[tuple[str, Secret], ...] = ()

    @classmethod
    def of(cls, parts: Mapping[str, Secret]) -> Self:
        """Return the keys with these parts."""
        return cls(tuple(sorted(parts.items())))

    def get(self, name: str) -> str:
        """Return one part, revealed; empty if there is none."""
        return next((secret.reveal() for each, secret in self.parts if each == name), "")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as ccxt built and signed it.

    cost   as ccxt's table has it, in its own measure
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: str
    cost: Any = 1

    @property
    def path(self) -> str:
        """Return the path, without what is asked."""
        return urlsplit(self.url).path


@dataclass(frozen=True, slots=True)
class Failed:
    """The exchange did not do it, or nobody can say.

    code      the exchange's own, else such as `http_503`, `not_sent`, `no_answer` or `budget`
    """

    outcome: Outcome
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class NotDone(Exception):
    """Leaves through ccxt when a request was not answered with success."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(str(failed))
        self.failed = failed


@dataclass(slots=True)
class Session:
    """One object of ccxt, used by one thread at a time.

    x            the object itself: unified and implicit methods, all through `carry`
    account_id   whose keys it signs with; empty: none
    names        which client ids orders of the exchange have
    shared       what quirks remember for all sessions of one venue, such as its markets
    use          what the present work is for
    stamp        milliseconds in the place of the present time, while an order is sent: it is taken for so long only
    changed      whether a request that may have changed something has left during the present work
    """

    account_id: str
    keys: Keys
    names: OrderNames
    shared: dict[str, Any]
    time_ms: Callable[[], int]
    carry: Callable[["Session", Outgoing], Any]
    base_url: str = ""
    x: Any = None
    use: Use = Use.READ
    stamp: int | None = None
    changed: bool = False
    cost: Any = 1

    def begin(self, use: Use, stamp: int | None) -> None:
        """Begin a piece of work."""
        self.use, self.stamp, self.changed = use, stamp, False

    def milliseconds(self) -> int:
        """Return the time by the exchange's clock."""
        return self.time_ms() if self.stamp is None else self.stamp

    def now(self) -> datetime:
        """Return the time by the exchange's clock."""
        return from_micros(self.time_ms() * 1_000)

    def fetch(self, url: str, method: str, headers: Mapping[str, str] | None, body: str | None) -> Any:
        """Hand a request on and return what was answered. Raises NotDone, or ForeignAddress before anything is sent."""
        parts = urlsplit(url)
        if self.base_url and not f"{url}/".startswith(f"{self.base_url}/"):
            raise ForeignAddress(f"{parts.scheme}://{parts.netloc}{parts.path} is not below {self.base_url}")
        if parts.scheme != "https" and parts.hostname not in _HERE:
            raise NotPrivate(f"{parts.scheme}://{parts.netloc} is no address with TLS; what is signed is private")
        cost, self.cost = self.cost, 1
        return self.carry(self, Outgoing(method, url, headers or {}, body or "", cost))


@cache
def _tamed(exchange: str) -> Any:
    """Return ccxt's class of an exchange with its hands tied. Raises NotFound."""
    base: Any = getattr(ccxt, exchange, None) if exchange in exchange_ids() else None
    if base is None:
        raise NotFound(f"ccxt knows no exchange {exchange[:40]!r}")

    class Tamed(base):  # type: ignore[misc]  # ccxt has no types
        """Builds and reads; sends nothing itself."""

        number = str
        ours: Session

        def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
            return self.ours.fetch(url, method, headers, body)

        def throttle(self, cost: Any = None) -> None:
            self.ours.cost = 1 if cost is None else cost

        def milliseconds(self) -> int:
            return self.ours.milliseconds()

        def seconds(self) -> int:
            return self.ours.milliseconds() // 1_000

        def microseconds(self) -> int:
            return self.ours.milliseconds() * 1_000

        def on_json_response(self, body: str) -> Any:
            return decoded(body)

    return Tamed


def decoded(body: str | bytes) -> Any:
    """Return what JSON says: whole numbers as int, all others as the text they were. Raises ValueError."""
    return _DECODER.decode(body)


def opened(session: Session, endpoint: Endpoint, options: Mapping[str, Any], prepare: Callable[[Any], None]) -> Session:
    """Make the object of a session.

    options   of ccxt, beside those that hold everywhere
    prepare   what is particular about the exchange; called once, before its addresses are set

    Nothing is sent. Raises NotFound for an exchange that ccxt does not know.
    """
    made = _tamed(endpoint.exchange)
    x = made.__new__(made)
    x.ours = session
    x.__init__(
        {
            **{name: secret.reveal() for name, secret in session.keys.parts},
            "enableRateLimit": True,  # only to hear what a request weighs: see `throttle`
            "maxRetriesOnFailure": 0,
            "options": {
                "maxRetriesOnFailure": 0,
                "fetchCurrencies": False,
                "adjustForTimeDifference": False,
                "builderFee": False,
                **options,
            },
        }
    )
    x.has["fetchCurrencies"] = False
    prepare(x)
    if endpoint.base_url:
        for name in ("api", "test", "demo"):
            if name in x.urls:
                x.urls[name] = redirected(x.urls[name], endpoint.base_url, endpoint.stream_base)
        session.base_url = endpoint.base_url
    session.x = x
    return session


def redirected(urls: Any, base_url: str, stream_url: str) -> Any:
    """Return addresses with another beginning and their own paths: one, or however many stand in one another."""
    if isinstance(urls, Mapping):
        return {name: redirected(each, base_url, stream_url) for name, each in urls.items()}
    if not isinstance(urls, str):
        return urls
    scheme, _, rest = urls.partition("://")
    _, slash, path = rest.partition("/")
    return (stream_url if scheme in {"ws", "wss"} else base_url) + slash + path


@dataclass(slots=True)
class Pool:
    """Sessions that are not in use, for each account; an object of ccxt is for one thread at a time."""

    make: Callable[[str, Keys], Session]
    idle: dict[str, list[Session]] = field(default_factory=dict)
    lock: Any = field(default_factory=Lock)

    @contextmanager
    def session(self, account_id: str, keys: Keys) -> Iterator[Session]:
        """Lend a session for a while."""
        with self.lock:
            idle = self.idle.setdefault(account_id, [])
            found = idle.pop() if idle else None
        if found is None or found.keys != keys:  # what was made with other keys is dropped
            found = self.make(account_id, keys)
        try:
            yield found
        finally:
            with self.lock:
                self.idle.setdefault(account_id, []).append(found)
