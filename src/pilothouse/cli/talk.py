"""How the command line speaks to a house that runs: address and token in, plain JSON data out.

Where the house is and how it is entered stands in `first-steps.json` in the data folder; options say otherwise. A
house that does not answer is NotRunning, an answer that is no success is Answered; the door in `main.py` says both.
"""

import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from pilothouse.cli.environment import settings
from pilothouse.core.errors import Invalid, Problem, Refused, Unavailable, Unknown

if TYPE_CHECKING:
    import httpx

FIRST_STEPS: Final = "first-steps.json"
_PAGE: Final = 200
_ANSWER_S: Final = 30.0
_CONNECT_S: Final = 3.0


class NotRunning(Unavailable):
    """Nobody answers at the address of the house."""

    code = "not_running"

    def __init__(self, url: str, why: str = "") -> None:
        """Say how to start it; `why` is what the machine said."""
        super().__init__(
            f"Pilothouse is not running on {url}: start it with `make run` or `pilothouse up`"
            + (f" ({why})" * bool(why))
        )
        self.url = url


class NeverStarted(NotRunning):
    """There is no data folder yet, so there is nothing to speak to and no token to speak with."""

    code = "never_started"

    def __init__(self, folder: Path, url: str) -> None:
        """Say where was looked."""
        Unavailable.__init__(
            self,
            f"Pilothouse is not running on {url}: it was never started with the data folder {folder}. Start it with "
            "`make run` or `pilothouse up`, or say where its data is with PILOTHOUSE_DATA",
        )
        self.url = url


class Answered(Refused):
    """The house answered, and the answer is no."""

    code = "answered"

    def __init__(self, status: int, body: Mapping[str, Any], text: str) -> None:
        """Keep the whole answer: `--json` shows it, and some commands read it."""
        super().__init__(text)
        self.status, self.body = status, dict(body)


class SentWithoutAnswer(Unknown):
    """The request left and no answer came: it may have been done."""

    code = "no_answer"


@dataclass(frozen=True, slots=True)
class Way:
    """How a house is reached.

    token, hook_url, webhook_secret, account   empty where nothing is known of them
    """

    url: str
    token: str = ""
    hook_url: str = ""
    webhook_secret: str = ""
    account: str = ""


def find(url: str | None, token: str | None) -> Way:
    """Return the way to the house: options first, then first-steps.json.

    token   as it was typed: a token, or @FILE

    Raises NeverStarted if neither says, Refused if the file cannot be read.
    """
    told = settings()
    path = told.data / FIRST_STEPS
    try:
        known = json.loads(path.read_text())
    except FileNotFoundError:
        if url is None or token is None:
            raise NeverStarted(told.data, url or told.address) from None
        known = {}
    except PermissionError:
        raise Refused(f"{path} belongs to somebody else: run this as the user who started Pilothouse") from None
    except (OSError, ValueError) as error:
        raise Refused(f"{path} cannot be read ({error}); the next `pilothouse up` writes it again") from None
    own = str(known.get("url") or told.address)
    if own == told.public_url:
        own = replace(told, public_url="").address  # this machine does not need the way round by the outside
    return Way(
        url=(url or own).rstrip("/"),
        token=_token(token) if token else str(known.get("operator_token") or ""),
        hook_url=str(known.get("hook_url") or ""),
        webhook_secret=str(known.get("webhook_secret") or ""),
        account=_name_of(known.get("account")),
    )


def _token(typed: str) -> str:
    """Return the token that was typed, or that stands in the file that was named."""
    if not typed.startswith("@"):
        return typed
    try:
        return Path(typed[1:]).expanduser().read_text().strip()
    except OSError as error:
        raise Refused(f"the token file cannot be read: {error}") from None


def _name_of(account: object) -> str:
    """Return the account's id, whether it is told alone or with its name and the rest."""
    return str(account.get("id") or "") if isinstance(account, dict) else str(account or "")


class House:
    """One conversation with a house that runs; closed by leaving a `with`."""

    def __init__(self, way: Way) -> None:
        """Speak to the house at the end of `way`; raises Invalid for an address that is none."""
        _check_address(way.url)
        # Imported where somebody is spoken to: most of the work over files is done before this would be loaded.
        import httpx

        self.way = way
        patience = httpx.Timeout(_ANSWER_S, connect=_CONNECT_S)
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {way.token}"} if way.token else {})
        # The environment may name a proxy; a desk on this machine is not behind it.
        self._client = httpx.Client(base_url=way.url, headers=headers, timeout=patience, trust_env=is_far(way.url))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def get(self, path: str, **query: object) -> Any:
        """Return what the house answers to a question; None in `query` is left out."""
        return self.ask("GET", path, query=query)

    def post(self, path: str, body: object = None, **query: object) -> Any:
        """Ask the house to do something."""
        return self.ask("POST", path, body=body, query=query)

    def put(self, path: str, body: object) -> Any:
        """Ask the house to keep something as it is given."""
        return self.ask("PUT", path, body=body)

    def patch(self, path: str, body: object) -> Any:
        """Ask the house to change part of something."""
        return self.ask("PATCH", path, body=body)

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Return the JSON that is answered (None for none). Raises NotRunning, Answered, SentWithoutAnswer."""
        response = self.raw(method, path, body=body, query=query, headers=headers)
        if response.is_success:
            return _read(response)
        raise refusal(response)

    def raw(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> "httpx.Response":
        """Return the answer as it came, whatever its status; `body` is sent as it is when it is bytes, else as JSON."""
        import httpx

        sent = dict(headers or {})
        content: bytes | None = None
        if isinstance(body, bytes):
            content = body
        elif body is not None:
            content = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        try:
            return self._client.request(method, path, content=content, params=_query(query), headers=sent)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise NotRunning(self.way.url, _why(error)) from None
        except httpx.TransportError as error:
            if method == "GET":
                raise Unavailable(
                    f"Pilothouse at {self.way.url} broke off its answer ({_why(error)}): ask again"
                ) from None
            raise SentWithoutAnswer(
                f"no answer came from {self.way.url} ({_why(error)}): it may have been done. Look with "
                "`pilothouse orders` and `pilothouse signals` before you repeat it"
            ) from None

    def pages(self, path: str, *, limit: int, **query: object) -> dict[str, Any]:
        """Return `{"items": [...], "next_cursor": ...}` with up to `limit` rows, over as many pages as that takes."""
        rows: list[Any] = []
        cursor: object = query.pop("cursor", None)
        while len(rows) < limit:
            answer = self.get(path, **query, limit=min(_PAGE, limit - len(rows)), cursor=cursor)
            if not isinstance(answer, dict):
                return {"items": list(answer or [])[:limit], "next_cursor": None}
            rows += answer.get("items", [])
            cursor = answer.get("next_cursor")
            if not cursor or not answer.get("items"):
                break
        return {"items": rows[:limit], "next_cursor": cursor or None}

    def events(self, *, after: object = None) -> Iterator[dict[str, Any]]:
        """Yield committed facts as they come, until the stream ends; begins by yielding `{}` once it is connected."""
        import httpx

        headers = {"Accept": "text/event-stream"}
        patience = httpx.Timeout(5.0, read=30.0)
        try:
            with self._client.stream(
                "GET", "/api/v1/events", params=_query({"after": after}), headers=headers, timeout=patience
            ) as response:
                if not response.is_success:
                    return
                yield {}
                yield from read_events(response.iter_lines())
        except httpx.HTTPError:
            return


def read_events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Yield the data of each server-sent event, with its `id` and `event` among it; comments are skipped."""
    fields: dict[str, str] = {}
    data: list[str] = []
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                data.append(value)
            else:
                fields[name] = value
            continue
        if data:
            told = json.loads("\n".join(data))
            yield {**fields, **told} if isinstance(told, dict) else {**fields, "data": told}
        fields, data = {}, []


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise Invalid([Problem("--url", repr(url[:80]), "an address such as http://127.0.0.1:8000")])


def is_far(url: str) -> bool:
    """Say whether what is sent there leaves this machine."""
    host = urlsplit(url).hostname or ""
    return not (host in {"localhost", "::1"} or host.startswith("127."))


def _query(query: Mapping[str, object] | None) -> dict[str, str]:
    """Return a query as text, without what is None; truth as JSON says it."""
    words = {True: "true", False: "false"}
    return {
        name: words[value] if isinstance(value, bool) else str(value)
        for name, value in (query or {}).items()
        if value is not None
    }


def _read(response: "httpx.Response") -> Any:
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        return {"detail": response.text[:500]}


def refusal(response: "httpx.Response") -> Answered:
    """Return the error that an answer is, in a sentence that says what to do."""
    answer = _read(response)
    body = answer if isinstance(answer, dict) else {}
    status = response.status_code
    if status == 401:
        text = (
            "the house does not know this token. The one in first-steps.json is good until it is revoked; "
            "with --token another can be shown"
        )
    elif status == 503:
        text = f"{said(body)}. Nothing was done: try again in a moment"
    else:
        text = said(body)
    return Answered(status, body or {"status": status}, text)


def said(body: Mapping[str, Any]) -> str:
    """Return what a problem answer says, every wrong field on a line of its own."""
    text = str(body.get("detail") or body.get("title") or body.get("error") or body.get("message") or "no reason given")
    wrong = body.get("errors") or body.get("validation_errors") or []
    lines = [f"  {one.get('field', '?')}: {one.get('message', '')}" for one in wrong if isinstance(one, dict)]
    if lines and all(line.strip() in text for line in lines):
        return text
    return "\n".join([text, *lines])


def _why(error: Exception) -> str:
    """Return what the machine said, where it says more than that nobody listens."""
    cause = error.__cause__ or error.__context__
    text = str(error)
    if isinstance(cause, ConnectionRefusedError) or "refused" in text.lower():
        return ""
    if isinstance(cause, socket.gaierror):
        return "the name cannot be found"
    return text.strip().rstrip(".")


def open_house(url: str | None, token: str | None) -> House:
    """Return a conversation with the house that options and first-steps.json point to."""
    return House(find(url, token))


def account_of(house: House, named: str | None) -> dict[str, Any]:
    """Return the trading account that was named by name, id or part of an id; without a name the first active one.

    Raises Refused with the accounts there are.
    """
    rows = [row for row in house.pages("/api/v1/accounts", limit=1000)["items"] if isinstance(row, dict)]
    if named is None:
        active = [row for row in rows if row.get("state", "active") == "active"]
        if not active:
            raise Refused("there is no account that may be traded")
        own = [row for row in active if row.get("id") == house.way.account]
        return (own or active)[0]
    found = [row for row in rows if named in {row.get("id"), row.get("name")}]
    found = found or [row for row in rows if named in str(row.get("id"))]
    if len(found) != 1:
        names = ", ".join(str(row.get("name")) for row in rows) or "none"
        raise Refused(f"there is no one account {named!r}; there are: {names}")
    return found[0]


def accounts_of(house: House, named: str | None) -> list[dict[str, Any]]:
    """Return the one account that was named, or without a name every active one. Raises Refused as `account_of`."""
    if named is not None:
        return [account_of(house, named)]
    rows = [row for row in house.pages("/api/v1/accounts", limit=1000)["items"] if isinstance(row, dict)]
    return [row for row in rows if row.get("state", "active") == "active"] or [account_of(house, None)]


def names_if_several(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the names of accounts by id where there are several of them; nothing where one needs no name."""
    return {str(row.get("id")): str(row.get("name")) for row in rows} if len(rows) > 1 else {}


def whole_id(house: House, path: str, typed: str, **query: object) -> str:
    """Return the whole id that `typed` is a part of, among the newest 500 of what `path` lists.

    A whole id is returned without asking. Raises Refused if none or several fit.
    """
    if len(typed.rpartition("_")[2]) == 28:
        return typed
    ids = [str(row.get("id")) for row in house.pages(path, limit=500, **query)["items"]]
    found = [each for each in ids if typed in each] if len(typed) >= 4 else []
    if len(found) == 1:
        return found[0]
    kind = path.rpartition("/")[2].removesuffix("s")
    if not found:
        raise Refused(f"there is no {kind} {typed!r} among the newest {len(ids)}; `pilothouse {kind}s` lists them")
    raise Refused(f"{typed!r} fits {len(found)} {kind}s: " + ", ".join(found[:5]))
