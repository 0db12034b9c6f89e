"""A request as it came: raw bytes kept for signatures, parameters read leniently, as the real venues read them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

import msgspec

from pilothouse.simexchange.wire_errors import WireError, missing


@dataclass(slots=True)
class Request:
    """One HTTP request.

    path      without the query
    query     raw, without the question mark; body likewise raw
    headers   names in lower case
    ip        who asked
    waited    whether it was kept back before it was looked at
    logged_on the API key of who has logged on over this connection; empty: nobody has
    params    of query and body together; one that is in both counts as in the query
    """

    method: str
    path: str
    query: str
    body: str
    headers: Mapping[str, str]
    ip: str = ""
    waited: bool = False
    logged_on: str = ""
    params: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Read the parameters."""
        params: dict[str, str] = {}
        if self.body:
            _read(self.body, params)
        if self.query:
            _read(self.query, params)
        self.params = params

    def text(self, name: str, default: str = "") -> str:
        """Return a parameter, or `default` where it is not there or empty."""
        return self.params.get(name) or default

    def need(self, name: str) -> str:
        """Return a parameter that must be there."""
        found = self.params.get(name)
        if not found:
            raise missing(name)
        return found

    def whole(self, name: str, default: int | None = None) -> int | None:
        """Return a whole number, or `default` where it is not there."""
        found = self.params.get(name)
        if not found:
            return default
        try:
            return int(found)
        except ValueError:
            raise WireError(
                -1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
            ) from None

    def need_whole(self, name: str) -> int:
        """Return a whole number that must be there."""
        found = self.whole(name)
        if found is None:
            raise missing(name)
        return found

    def flag(self, name: str) -> bool | None:
        """Return a truth value in any spelling; None where it is not there."""
        found = self.params.get(name)
        if not found:
            return None
        if found.lower() in {"true", "1"}:
            return True
        if found.lower() in {"false", "0"}:
            return False
        raise missing(name)

    def items(self, name: str) -> list[str]:
        """Return a JSON list of texts or numbers as texts; empty where it is not there."""
        found = self.params.get(name) or self.params.get(name.lower())
        if not found:
            return []
        try:
            read = msgspec.json.decode(found)
        except msgspec.DecodeError:
            read = found.strip("[]").split(",")
        return [str(one).strip().strip("\"'") for one in read] if isinstance(read, list) else [str(read)]

    def limit(self, default: int, most: int) -> int:
        """Return how many rows are asked for."""
        found = self.whole("limit", default)
        if found is None or found < 1:
            raise WireError(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(found, most)


def merged(path: str) -> str:
    """Return a path with each run of slashes as one: a base address may end with the slash that a path begins with."""
    while "//" in path:
        path = path.replace("//", "/")
    return path


def _read(text: str, into: dict[str, str]) -> None:
    """Add the pairs of a query or a form; percent signs and plus signs are decoded, unknown names are kept."""
    for pair in text.split("&"):
        name, is_pair, value = pair.partition("=")
        if not is_pair:
            continue
        if "%" in value or "+" in value:
            value = unquote_plus(value)
        if "%" in name:
            name = unquote_plus(name)
        into[name] = value
