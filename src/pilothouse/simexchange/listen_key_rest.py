"""Listen keys over REST: given, kept alive and ended."""

from typing import Any

from pilothouse.simexchange.asking import KEYED, Asking, Route
from pilothouse.simexchange.records import BINANCE
from pilothouse.simexchange.wire_errors import WireError


def open_listen_key(asking: Asking) -> Any:
    """Give the account's listen key."""
    return {"listenKey": asking.exchange.listen_keys.issue(asking.file.id)}


def keep_listen_key(asking: Asking) -> Any:
    """Keep the account's listen key alive for another hour."""
    alive = any(owner == asking.file.id for owner, _ in asking.exchange.listen_keys.owners.values())
    given = asking.request.text("listenKey")
    if not alive or (given and asking.exchange.listen_keys.owners.get(given, ("", 0))[0] != asking.file.id):
        raise WireError(-1125)
    key = asking.exchange.listen_keys.issue(asking.file.id)
    return {"listenKey": key} if asking.profile == BINANCE else {}


def close_listen_key(asking: Asking) -> Any:
    """End the account's listen key; nobody hears anything by it any more."""
    asking.exchange.listen_keys.drop(asking.file.id, quietly=True)
    return {}


ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "listenKey"): Route(open_listen_key, KEYED),
    ("PUT", "listenKey"): Route(keep_listen_key, KEYED),
    ("DELETE", "listenKey"): Route(close_listen_key, KEYED),
}
