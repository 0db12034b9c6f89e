"""Requests as texts, put before the front of an exchange whose time stands still: no socket, no clock, no wait."""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from pilothouse.core.clock import micros
from pilothouse.kit.clocks import FrozenClock
from pilothouse.simexchange.front import Reply
from pilothouse.simexchange.requests import Request
from pilothouse.simexchange.serve import Plan, SimulatedExchange

SECRET = "S"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Desk:
    """A client of the Binance kind for a frozen exchange."""

    def __init__(self, **plan: Any) -> None:
        keys = (("K", "S"), ("K2", "S2"))
        how = {"speed": 0, "start_us": micros(NOON), "api_keys": keys, **plan}
        self.sim = SimulatedExchange(Plan(**how), FrozenClock(NOON))
        self.exchange = self.sim.exchange
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.exchange.telling.watched = lambda _account: True
        self.exchange.telling.listeners.append(self._heard)

    def _heard(self, account: str, kind: str, event: dict[str, Any]) -> None:
        if account:
            self.events.append((kind, event))

    def signed(self, params: dict[str, Any], secret: str = SECRET, **changed: Any) -> str:
        """Return the parameters with time and signature."""
        text = urlencode({**params, "timestamp": self.exchange.clock.now() // 1_000, **changed})
        return f"{text}&signature={hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()}"

    def reply(self, method: str, path: str, key: str = "K", headers: Any = None, **params: Any) -> Reply:
        """Ask, signed, in the body or (GET, DELETE) in the query."""
        text = self.signed(params, "S" + key[1:])
        query, body = (text, "") if method in {"GET", "DELETE"} else ("", text)
        return self.sim.front.answer(
            Request(method, f"/fapi/v1/{path}", query, body, {"x-mbx-apikey": key, **(headers or {})}, "test")
        )

    def spot(self, method: str, path: str, **params: Any) -> tuple[int, Any]:
        """Ask the spot side, signed; return status and what was answered."""
        text = self.signed(params)
        query, body = (text, "") if method in {"GET", "DELETE"} else ("", text)
        request = Request(method, f"/api/v3/{path}", query, body, {"x-mbx-apikey": "K"}, "test")
        reply = self.sim.front.answer(request)
        return reply.status, msgspec.json.decode(reply.body)

    def ask(self, method: str, path: str, key: str = "K", **params: Any) -> Any:
        """Ask and return what was answered, which is a success."""
        reply = self.reply(method, path, key, **params)
        assert reply.status == 200, reply.body
        return msgspec.json.decode(reply.body)

    def code(self, method: str, path: str, key: str = "K", **params: Any) -> int:
        """Ask and return the code of the refusal."""
        reply = self.reply(method, path, key, **params)
        assert reply.status != 200, reply.body
        return int(msgspec.json.decode(reply.body)["code"])

    def market(self, side: str, quantity: str, key: str = "K", **more: Any) -> Any:
        """Trade at once."""
        return self.ask(
            "POST", "order", key, symbol="BTCUSDT", side=side, type="MARKET", quantity=quantity,
            newOrderRespType="RESULT", **more,
        )  # fmt: skip

    def limit(self, side: str, quantity: str, price: str, key: str = "K", **more: Any) -> Any:
        """Send a limit order."""
        return self.ask(
            "POST", "order", key, symbol="BTCUSDT", side=side, type="LIMIT", timeInForce="GTC", quantity=quantity,
            price=price, **more,
        )  # fmt: skip

    def steps(self, count: int) -> None:
        """Let time go on by so many steps of the market."""
        self.exchange.clock.move(count * 250_000)
        self.exchange.run()

    def price(self, text: str) -> None:
        """Put Bitcoin at a price with one digit behind the point."""
        self.exchange.set_price("BTCUSDT", int(text.replace(".", "")))
