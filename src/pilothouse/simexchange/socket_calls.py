"""Requests over a WebSocket: each method is a path of REST; user events are subscribed to by signature."""

from collections.abc import Mapping
from typing import Any

import msgspec

from pilothouse.simexchange.exchange import SPOT
from pilothouse.simexchange.front import SEND, Front
from pilothouse.simexchange.requests import Request
from pilothouse.simexchange.spot_rest import START_QUOTE
from pilothouse.simexchange.streams import Hub, Listening
from pilothouse.simexchange.wire_errors import WireError
from pilothouse.simulation.contracts import UNITS_PER_QUOTE

_METHODS: Mapping[str, tuple[str, str]] = {
    "ping": ("GET", "ping"),
    "time": ("GET", "time"),
    "exchangeInfo": ("GET", "exchangeInfo"),
    "depth": ("GET", "depth"),
    "klines": ("GET", "klines"),
    "ticker.price": ("GET", "ticker/price"),
    "ticker.book": ("GET", "ticker/bookTicker"),
    "order.place": ("POST", "order"),
    "order.test": ("POST", "order/test"),
    "order.modify": ("PUT", "order"),
    "order.cancel": ("DELETE", "order"),
    "order.status": ("GET", "order"),
    "openOrders.status": ("GET", "openOrders"),
    "openOrders.cancelAll": ("DELETE", "openOrders"),
    "allOrders": ("GET", "allOrders"),
    "myTrades": ("GET", "myTrades"),
    "orderList.place.oco": ("POST", "orderList/oco"),
    "algoOrder.place": ("POST", "algoOrder"),
    "algoOrder.cancel": ("DELETE", "algoOrder"),
    "account.status": ("GET", "account"),
    "v2/account.status": ("GET", "account"),
    "account.balance": ("GET", "balance"),
    "v2/account.balance": ("GET", "balance"),
    "account.position": ("GET", "positionRisk"),
    "v2/account.position": ("GET", "positionRisk"),
    "userDataStream.start": ("POST", "listenKey"),
    "userDataStream.ping": ("PUT", "listenKey"),
    "userDataStream.stop": ("DELETE", "listenKey"),
}
_SPOT_NAMES = {"listenKey": "userDataStream"}


class SocketCalls:
    """Answers the calls of one connection. `is_spot`: they are about spot, not futures."""

    def __init__(self, front: Front, hub: Hub, *, is_spot: bool) -> None:
        self._front, self._hub, self._is_spot = front, hub, is_spot

    def answer(self, asked: Mapping[str, Any], connection: Listening) -> dict[str, Any]:
        """Answer one call."""
        number, method = asked.get("id"), str(asked.get("method"))
        params = asked.get("params") or {}
        request = _request(params if isinstance(params, dict) else {})
        if method == "userDataStream.subscribe.signature":
            return {"id": number, **self._subscribe(request, connection)}
        if method == "userDataStream.unsubscribe":
            self._hub.leave(connection)
            return {"id": number, "status": 200, "result": {}}
        if method not in _METHODS:
            return {"id": number, "status": 400, "error": {"code": -1000, "msg": f"Unknown method {method}"}}
        verb, name = _METHODS[method]
        request.method = verb
        request.path = f"/api/v3/{_SPOT_NAMES.get(name, name)}" if self._is_spot else f"/fapi/v1/{name}"
        reply = self._front.answer(request)
        body = msgspec.json.decode(reply.body) if reply.how == SEND and reply.body[:1] in {b"{", b"["} else {}
        return {"id": number, "status": reply.status, ("result" if reply.status == 200 else "error"): body}

    def _subscribe(self, request: Request, connection: Listening) -> dict[str, Any]:
        exchange = self._front.exchange
        try:
            key = exchange.keys.signed(request, exchange.clock.now() // 1_000)
        except WireError as error:
            return {"status": error.status, "error": error.body}
        if self._is_spot and key.account_id not in exchange.spot.accounts:
            exchange.spot.open_account(key.account_id, START_QUOTE * UNITS_PER_QUOTE)
        self._hub.follow(connection, SPOT + key.account_id if self._is_spot else key.account_id)
        return {"status": 200, "result": {"subscriptionId": 0}}


def _request(params: Mapping[str, Any]) -> Request:
    """Return the call as a request: what is signed are the parameters in the order of their names, not encoded."""
    words = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in params.items()
        if value is not None
    }
    text = "&".join(f"{name}={words[name]}" for name in sorted(words) if name != "signature")
    if "signature" in words:
        text += f"&signature={words['signature']}"
    request = Request("GET", "", text, "", {"x-mbx-apikey": words.get("apiKey", "")})
    request.params = words
    return request
