"""One HTTP client: a request goes in; Answered, Refused or Unknown comes out, and nothing else.

Refused: not one byte of the request was handed to the network, so it certainly did not happen. Unknown: it may have
arrived. Which of the two it is, is not guessed from the name of an error: the first byte that goes out is noticed.
Nothing is sent twice here, no redirect is followed, and no proxy is taken from the environment.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import httpx

from pilothouse.kit import exact_json, wire_tape

_SENDING = "send_request_headers.started"
_IDENTITY = frozenset({"", "identity"})
_AGENT = "pilothouse"


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Every limit of a client.

    connect_s, write_s, pool_s   for a connection to be made, for each piece to be written, for a free connection
    read_s                       for each piece of an answer; a call may set its own
    answer_s                     for the body of an answer in all
    answer_bytes                 of a body, at most; more is not read
    connections, kept            open at once; of these, kept open when idle
    kept_s                       how long an idle connection is kept: less than servers keep theirs
    """

    connect_s: float = 3.0
    read_s: float = 10.0
    write_s: float = 5.0
    pool_s: float = 2.0
    answer_s: float = 30.0
    answer_bytes: int = 16_000_000
    connections: int = 32
    kept: int = 16
    kept_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Answered:
    """The other side answered, whatever it said. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return what the body says: whole numbers as int, all others as Decimal. Raises NotJson."""
        return exact_json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was sent: it certainly did not happen."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something was sent and no whole answer came: it may have happened."""

    reason: str


Answer = Answered | Refused | Unknown


class _TooLate(Exception):
    """The answer took longer than it may."""


class HttpClient:
    """Speaks to one host over connections that are kept open; safe for many threads. `close()` it."""

    def __init__(
        self,
        base_url: str,
        *,
        limits: HttpLimits | None = None,
        proxy: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Speak to `base_url` (http or https, host, perhaps a port and a path before every path).

        proxy   an http or https address to go through; None: none, whatever the environment says

        Raises ValueError for a base that is no such address.
        """
        base = httpx.URL(base_url)
        if base.scheme not in {"http", "https"} or not base.host or base.query or base.fragment or base.userinfo:
            raise ValueError("a base address has http or https, a host, and neither query nor name and password")
        self._base = base.copy_with(path="/")
        self._prefix = base.path.rstrip("/").encode("ascii")
        if proxy is not None and base.scheme == "http":  # a proxy is told the whole address; through TLS it hears none
            self._prefix = b"http://" + base.netloc + self._prefix
        self._host = base.netloc
        self._limits = limits if limits is not None else HttpLimits()
        self._monotonic = monotonic
        self._transport = httpx.HTTPTransport(
            http1=True,
            http2=False,
            trust_env=False,
            retries=0,
            proxy=proxy,
            limits=httpx.Limits(
                max_connections=self._limits.connections,
                max_keepalive_connections=self._limits.kept,
                keepalive_expiry=self._limits.kept_s,
            ),
        )

    def send(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        read_s: float | None = None,
    ) -> Answer:
        """Send one request, once.

        path, query   as they are to stand on the wire, already encoded: they are sent byte for byte, as what was
                      signed must be
        read_s        seconds to wait for each piece of the answer, in the place of the client's own limit

        Never raises for what the network or the other side do.
        """
        if not wire_tape.is_running():
            return self._send(method, path, query, body, headers or {}, read_s)
        begun = self._monotonic()
        answer = self._send(method, path, query, body, headers or {}, read_s)
        took = self._monotonic() - begun
        status, said = (answer.status, answer.body) if isinstance(answer, Answered) else (None, answer.reason.encode())
        wire_tape.keep(method, path, query.encode() or body, status, said, took)
        return answer

    def _send(
        self, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str], read_s: float | None
    ) -> Answer:
        sent = False

        def notice(event: str, _: object) -> None:
            nonlocal sent
            sent = sent or event.endswith(_SENDING)

        try:
            return self._exchange(self._request(method, path, query, body, headers, read_s, notice))
        except (httpx.TransportError, _TooLate) as error:
            reason = f"{type(error).__name__.lstrip('_')}: {error}" if str(error) else type(error).__name__.lstrip("_")
            return Unknown(reason) if sent else Refused(reason)

    def close(self) -> None:
        """Let go of every connection."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _request(
        self,
        method: str,
        path: str,
        query: str,
        body: bytes,
        headers: Mapping[str, str],
        read_s: float | None,
        notice: Callable[[str, object], None],
    ) -> httpx.Request:
        limits = self._limits
        target = self._prefix + path.encode("ascii") + (b"?" + query.encode("ascii") if query else b"")
        own = [(b"Host", self._host), (b"User-Agent", _AGENT.encode()), (b"Accept-Encoding", b"identity")]
        own += [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
        if body or method not in {"GET", "HEAD"}:
            own.append((b"Content-Length", str(len(body)).encode()))
        return httpx.Request(
            method,
            self._base,
            headers=own,
            content=body or None,
            extensions={
                "target": target,
                "trace": notice,
                "timeout": {
                    "connect": limits.connect_s,
                    "read": limits.read_s if read_s is None else read_s,
                    "write": limits.write_s,
                    "pool": limits.pool_s,
                },
            },
        )

    def _exchange(self, request: httpx.Request) -> Answer:
        """Send, and read the whole answer within its limits."""
        response = self._transport.handle_request(request)
        try:
            headers = {name.lower(): value for name, value in response.headers.items()}
            if headers.get("content-encoding", "") not in _IDENTITY:
                return Unknown(f"the answer ({response.status_code}) came encoded, which was not asked for")
            ends = self._monotonic() + self._limits.answer_s
            body = bytearray()
            assert isinstance(response.stream, httpx.SyncByteStream), "a synchronous transport gives such a stream"
            for piece in response.stream:
                body += piece
                if len(body) > self._limits.answer_bytes:
                    return Unknown(f"the answer ({response.status_code}) is longer than {self._limits.answer_bytes}")
                if self._monotonic() > ends:
                    raise _TooLate(f"no whole answer within {self._limits.answer_s} s")
            return Answered(response.status_code, headers, bytes(body))
        finally:
            response.close()
