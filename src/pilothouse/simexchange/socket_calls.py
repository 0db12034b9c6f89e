"""Requests over a WebSocket: each method is a path of REST; user events are subscribed to by signature."""

from collections.abc import Mapping
from typing import Any

import msgspec

from pilothouse.simexchange.exchange import SPOT
from pilothouse.simexchange.front import SEND, Front
from pilothouse.simexchange.keys import ApiKey
from pilothouse.simexchange.limits import rate_limits
from pilothouse.simexchange.requests import Request
from pilothouse.simexchange.spot_intake import START_QUOTE
from pilothouse.simexchange.streams import Hub, Listening
from pilothouse.simexchange.wire_errors import WireError
from pilothouse.simulation.contracts import UNITS_PER_QUOTE

_SHARED: dict[str, tuple[str, str]] = {
    "ping": ("GET", "ping"),
    "time": ("GET", "time"),
    "depth": ("GET", "depth"),
    "ticker.price": ("GET", "ticker/price"),
    "ticker.book": ("GET", "ticker/bookTicker"),
    "order.place": ("POST", "order"),
    "order.cancel": ("DELETE", "order"),
    "order.status": ("GET", "order"),
}
_FUTURES: Mapping[str, tuple[str, str]] = _SHARED | {
    "order.modify": ("PUT", "order"),
    "algoOrder.place": ("POST", "algoOrder"),
    "algoOrder.cancel": ("DELETE", "algoOrder"),
    "account.status": ("GET", "account"),
    "account.balance": ("GET", "balance"),
    "account.position": ("GET", "positionRisk"),
    "v2/account.status": ("GET", "account"),
    "v2/account.balance": ("GET", "balance"),
    "v2/account.position": ("GET", "positionRisk"),
    "userDataStream.start": ("POST", "listenKey"),
    "userDataStream.ping": ("PUT", "listenKey"),
    "userDataStream.stop": ("DELETE", "listenKey"),
}
_SPOT: Mapping[str, tuple[str, str]] = _SHARED | {
    "exchangeInfo": ("GET", "exchangeInfo"),
    "trades.recent": ("GET", "trades"),
    "trades.historical": ("GET", "historicalTrades"),
    "trades.aggregate": ("GET", "aggTrades"),
    "klines": ("GET", "klines"),
    "uiKlines": ("GET", "uiKlines"),
    "avgPrice": ("GET", "avgPrice"),
    "ticker": ("GET", "ticker"),
    "ticker.24hr": ("GET", "ticker/24hr"),
    "ticker.tradingDay": ("GET", "ticker/tradingDay"),
    "order.test": ("POST", "order/test"),
    "sor.order.place": ("POST", "sor/order"),
    "sor.order.test": ("POST", "sor/order/test"),
    "executionRules": ("GET", "executionRules"),
    "blockTrades.historical": ("GET", "historicalBlockTrades"),
    "referencePrice": ("GET", "referencePrice"),
    "referencePrice.calculation": ("GET", "referencePrice/calculation"),
    "order.cancelReplace": ("POST", "order/cancelReplace"),
    "order.amend.keepPriority": ("PUT", "order/amend/keepPriority"),
    "order.amendments": ("GET", "order/amendments"),
    "openOrders.status": ("GET", "openOrders"),
    "openOrders.cancelAll": ("DELETE", "openOrders"),
    "allOrders": ("GET", "allOrders"),
    "myTrades": ("GET", "myTrades"),
    "myPreventedMatches": ("GET", "myPreventedMatches"),
    "myFilters": ("GET", "myFilters"),
    "myAllocations": ("GET", "myAllocations"),
    "orderList.place": ("POST", "order/oco"),
    "orderList.place.oco": ("POST", "orderList/oco"),
    "orderList.place.oto": ("POST", "orderList/oto"),
    "orderList.place.opo": ("POST", "orderList/opo"),
    "orderList.place.opoco": ("POST", "orderList/opoco"),
    "orderList.place.otoco": ("POST", "orderList/otoco"),
    "orderList.status": ("GET", "orderList"),
    "orderList.cancel": ("DELETE", "orderList"),
    "openOrderLists.status": ("GET", "openOrderList"),
    "allOrderLists": ("GET", "allOrderList"),
    "account.status": ("GET", "account"),
    "account.commission": ("GET", "account/commission"),
    "account.rateLimits.orders": ("GET", "rateLimit/order"),
    "userDataStream.start": ("POST", "userDataStream"),
    "userDataStream.ping": ("PUT", "userDataStream"),
    "userDataStream.stop": ("DELETE", "userDataStream"),
}
_HERE = "socket"
"""The address whose weight is counted for calls about a connection itself."""

_WEIGHT = "X-MBX-USED-WEIGHT-1M"


class SocketCalls:
    """Answers the calls of one connection. `is_spot`: they are about spot, not futures."""

    def __init__(self, front: Front, hub: Hub, *, is_spot: bool) -> None:
        self._front, self._hub, self._is_spot = front, hub, is_spot
        self._logged_on: tuple[ApiKey, int] | None = None
        self._since = front.exchange.clock.now() // 1_000

    def answer(self, asked: Mapping[str, Any], connection: Listening) -> dict[str, Any]:
        """Answer one call."""
        number, method = asked.get("id"), str(asked.get("method"))
        params = asked.get("params") or {}
        request = _request(params if isinstance(params, dict) else {})
        if self._logged_on is not None and "signature" not in request.params:
            request.logged_on = self._logged_on[0].name
            request.headers = {"x-mbx-apikey": request.logged_on}
        own = self._of_session(method, request, connection)
        if own is not None:
            weight = self._front.limits.weigh(_HERE, 2, self._front.exchange.clock.now(), is_spot=self._is_spot)
            return {"id": number, **own, "rateLimits": self._limits(reply_count=weight)}
        verb, name = (_SPOT if self._is_spot else _FUTURES).get(method, ("", ""))
        if not verb:
            return {"id": number, "status": 400, "error": {"code": -1000, "msg": f"Unknown method {method}"}}
        request.method = verb
        version = 3 if self._is_spot or method.startswith("v2/") else 2 if method.startswith("account.") else 1
        request.path = f"/api/v3/{name}" if self._is_spot else f"/fapi/v{version}/{name}"
        reply = self._front.answer(request, is_late=True)
        body = msgspec.json.decode(reply.body) if reply.how == SEND and reply.body[:1] in {b"{", b"["} else {}
        answer = {"id": number, "status": reply.status, ("result" if reply.status == 200 else "error"): body}
        used = dict(reply.headers).get(_WEIGHT)
        if used is not None and params.get("returnRateLimits", True):
            answer["rateLimits"] = self._limits(reply_count=int(used))
        return answer

    def _limits(self, *, reply_count: int) -> list[dict[str, Any]]:
        """Return how much of the weight of this minute is used."""
        return [rate_limits(self._front.limits.raised, is_spot=self._is_spot)[0] | {"count": reply_count}]

    def _of_session(self, method: str, request: Request, connection: Listening) -> dict[str, Any] | None:
        """Answer what is about the connection itself; None: it is not."""
        listens = self._hub.follows(connection)
        if method == "userDataStream.subscribe.signature":
            return self._subscribe(request, connection)
        if method == "userDataStream.unsubscribe":
            self._hub.leave(connection)
            return {"status": 200, "result": {}}
        if method == "session.subscriptions":
            return {"status": 200, "result": [{"subscriptionId": 0}] if listens else []}
        if method == "session.logon":
            return self._log_on(request)
        if method == "userDataStream.subscribe" and self._logged_on is not None:
            return self._follow(self._logged_on[0], connection)
        if method == "userDataStream.subscribe":
            return {"status": 400, "error": {"code": -4056, "msg": "HMAC_SHA256 API key is not supported."}}
        if method == "session.logout":
            self._logged_on = None
        if method in {"session.status", "session.logout"}:
            return {"status": 200, "result": self._session() | {"userDataStream": listens}}
        return None

    def _log_on(self, request: Request) -> dict[str, Any]:
        """Let who signs with an Ed25519 key call without signing from here on; no other kind of key may."""
        exchange = self._front.exchange
        try:
            key = exchange.keys.signed(request, exchange.clock.now() // 1_000)
        except WireError as error:
            return {"status": error.status, "error": error.body}
        if not key.is_public:
            return {"status": 400, "error": {"code": -4056, "msg": "HMAC_SHA256 API key is not supported."}}
        self._logged_on = (key, exchange.clock.now() // 1_000)
        return {"status": 200, "result": self._session()}

    def _session(self) -> dict[str, Any]:
        name, since = (self._logged_on[0].name, self._logged_on[1]) if self._logged_on is not None else (None, None)
        now_ms = self._front.exchange.clock.now() // 1_000
        return {
            "apiKey": name, "authorizedSince": since, "connectedSince": self._since, "returnRateLimits": True,
            "serverTime": now_ms,
        }  # fmt: skip

    def _subscribe(self, request: Request, connection: Listening) -> dict[str, Any]:
        exchange = self._front.exchange
        try:
            key = exchange.keys.signed(request, exchange.clock.now() // 1_000)
        except WireError as error:
            return {"status": error.status, "error": error.body}
        return self._follow(key, connection)

    def _follow(self, key: ApiKey, connection: Listening) -> dict[str, Any]:
        exchange = self._front.exchange
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
    request = Request("GET", "", text, "", {"x-mbx-apikey": words.get("apiKey", "")}, _HERE)
    request.params = words
    return request
