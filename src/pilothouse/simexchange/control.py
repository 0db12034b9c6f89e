"""The control of a simulated exchange: set prices, time and faults, open accounts, and ask for the truth.

Only with the token that the exchange was started with. Paths, bodies (JSON) and answers stand in the documentation.
"""

import hmac
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from pilothouse.simexchange.exchange import TIERS
from pilothouse.simexchange.faults import NoSuchFault
from pilothouse.simexchange.figures import money, parsed
from pilothouse.simexchange.front import Front
from pilothouse.simexchange.keys import ApiKey
from pilothouse.simexchange.order_words import algo_words, fill_words, order_words
from pilothouse.simexchange.requests import Request
from pilothouse.simexchange.soundness import complaints
from pilothouse.simexchange.streams import Hub
from pilothouse.simexchange.typed_signatures import is_address
from pilothouse.simexchange.wire_errors import WireError
from pilothouse.simulation.contracts import UNITS_PER_QUOTE
from pilothouse.simulation.slots import side_of, symbol_of

PREFIX = "/control/"
_DONE = {"done": True}


class Control:
    """Answers control requests. `token`: what they must carry in `X-Control-Token`."""

    def __init__(self, front: Front, hub: Hub, token: str) -> None:
        self._front, self._hub, self._token = front, hub, token
        self._exchange = front.exchange
        self._paths: dict[tuple[str, str], Callable[[Request, Mapping[str, Any]], Any]] = {
            ("GET", "truth"): self._truth,
            ("GET", "requests"): self._requests,
            ("GET", "orders"): self._orders,
            ("GET", "fills"): self._fills,
            ("GET", "soundness"): self._soundness,
            ("GET", "faults"): self._show_faults,
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "price"): self._price,
            ("POST", "advance"): self._advance,
            ("POST", "accounts"): self._account,
            ("POST", "agents"): self._agent,
            ("POST", "deposit"): self._deposit,
            ("POST", "settings"): self._settings,
            ("POST", "streams"): self._streams,
        }

    def answer(self, request: Request) -> Any:
        """Answer a control request; raises WireError where it is refused."""
        if not hmac.compare_digest(request.headers.get("x-control-token", ""), self._token):
            raise WireError(-2015, "the control token is missing or wrong", status=401)
        handler = self._paths.get((request.method, request.path.removeprefix(PREFIX)))
        if handler is None:
            raise WireError(-1000, f"there is no control {request.method} {request.path}", status=404)
        try:
            body = msgspec.json.decode(request.body) if request.body else {}
            if not isinstance(body, dict):
                raise WireError(-1000, "the body is a JSON object")
            return handler(request, body)
        except (KeyError, TypeError, ValueError, msgspec.DecodeError) as error:
            raise WireError(-1000, f"not understood: {type(error).__name__} {error}") from error

    # ── the truth ─────────────────────────────────────────────────────────────────────────────────

    def _truth(self, request: Request, body: Mapping[str, Any]) -> Any:
        exchange = self._exchange
        return {
            "now": exchange.clock.now(),
            "requests": self._front.counted,
            "insurance": None if exchange.floor.insurance is None else money(exchange.floor.insurance),
            "prices": {
                symbol: {
                    name: exchange.grids[symbol].price(getattr(desk.prices, name))
                    for name in ("bid", "mark", "ask", "last")
                }
                for symbol, desk in exchange.floor.desks.items()
            },
            "accounts": [self._account_words(account_id) for account_id in exchange.files],
            "complaints": complaints(exchange),
        }

    def _account_words(self, account_id: str) -> dict[str, Any]:
        exchange, file = self._exchange, self._exchange.files[account_id]
        account = exchange.floor.accounts[account_id]
        worth = exchange.floor.standing(account)
        return {
            "id": account_id,
            "profile": file.profile,
            "wallet": money(worth.wallet),
            "available": money(worth.available),
            "marginBalance": money(worth.margin_balance),
            "hedged": account.hedged,
            "orders": len(file.orders),
            "openOrders": len(account.orders),
            "fills": len(file.fills),
            "positions": [
                {
                    "symbol": symbol_of(key),
                    "side": side_of(key),
                    "quantity": exchange.grids[symbol_of(key)].quantity(holding.lots),
                    "cost": money(holding.cost),
                }
                for key, holding in account.holdings.items()
                if holding.lots
            ],
        }

    def _requests(self, request: Request, body: Mapping[str, Any]) -> Any:
        after = request.whole("after", 0) or 0
        return [_logged(each) for each in self._front.log if each.number > after]

    def _orders(self, request: Request, body: Mapping[str, Any]) -> Any:
        exchange, wanted = self._exchange, request.text("account")
        found = []
        for file in exchange.files.values():
            if wanted and file.id != wanted:
                continue
            for told in file.orders.values():
                symbol = told.order.symbol
                words = order_words(told, exchange.floor.contracts[symbol], exchange.grids[symbol], file.profile)
                found.append({"account": file.id, "reason": told.order.reason, **words})
            for algo in file.algos.values():
                words = algo_words(algo, exchange.floor.contracts[algo.symbol], exchange.grids[algo.symbol])
                found.append({"account": file.id, "reason": algo.reason, **words})
        return found

    def _fills(self, request: Request, body: Mapping[str, Any]) -> Any:
        exchange, wanted = self._exchange, request.text("account")
        return [
            {"account": file.id, "clientOrderId": fill.client_id}
            | fill_words(fill, exchange.floor.contracts[fill.symbol], exchange.grids[fill.symbol])
            for file in exchange.files.values()
            if not wanted or file.id == wanted
            for fill in file.fills
        ]

    def _soundness(self, request: Request, body: Mapping[str, Any]) -> Any:
        return complaints(self._exchange)

    # ── what is to happen ─────────────────────────────────────────────────────────────────────────

    def _show_faults(self, request: Request, body: Mapping[str, Any]) -> Any:
        faults = self._front.faults
        return {
            "rules": [_public(each) for each in faults.rules],
            "streams": [_public(each) for each in faults.stream_rules],
        }

    def _add_faults(self, request: Request, body: Mapping[str, Any]) -> Any:
        rules = body.get("rules", [body])
        try:
            for rule in rules:
                self._front.faults.add(rule)
        except NoSuchFault as error:
            raise WireError(-1000, str(error)) from error
        return _DONE

    def _clear_faults(self, request: Request, body: Mapping[str, Any]) -> Any:
        self._front.faults.clear()
        self._exchange.conditional.trigger_refusals = 0
        return _DONE

    def _price(self, request: Request, body: Mapping[str, Any]) -> Any:
        symbol = str(body["symbol"]).upper()
        grid, number = self._exchange.grids[symbol], parsed(str(body["price"]))
        ticks = grid.ticks(*number) if number is not None else None
        if ticks is None or ticks < 2:
            raise WireError(-4014)
        self._exchange.set_price(symbol, ticks)
        self._hub.beat()
        return _DONE

    def _advance(self, request: Request, body: Mapping[str, Any]) -> Any:
        self._exchange.clock.move(int(body["ms"]) * 1_000)
        self._exchange.run()
        self._hub.beat()
        return {"now": self._exchange.clock.now()}

    def _account(self, request: Request, body: Mapping[str, Any]) -> Any:
        deposit = int(body.get("deposit", 100_000))
        if "wallet" in body:
            wallet = str(body["wallet"]).lower()
            if not is_address(wallet):
                raise WireError(-1000, "a wallet is an address: 0x and forty hex digits")
            account_id = str(body.get("id", f"aster-{wallet}"))
            if account_id not in self._exchange.files:
                self._front.add_wallet(wallet, account_id, deposit)
            for agent in body.get("agents", []):
                self._exchange.keys.add_agent(str(agent), wallet)
            return {"id": account_id}
        key = ApiKey(
            str(body["apiKey"]),
            str(body["publicKey"] if "publicKey" in body else body["secret"]),
            str(body.get("id", f"binance-{body['apiKey']}")),
            may_trade=bool(body.get("mayTrade", True)),
            may_withdraw=bool(body.get("mayWithdraw", False)),
        )
        self._front.add_api_key(key, deposit)
        return {"id": key.account_id}

    def _agent(self, request: Request, body: Mapping[str, Any]) -> Any:
        self._exchange.keys.add_agent(str(body["agent"]), str(body["wallet"]))
        return _DONE

    def _deposit(self, request: Request, body: Mapping[str, Any]) -> Any:
        number = parsed(str(body["amount"]))
        if number is None or number[1] > 8:
            raise WireError(-1000, "an amount has at most eight digits behind the point")
        self._exchange.deposit(str(body["account"]), number[0] * 10 ** (8 - number[1]))
        return _DONE

    def _settings(self, request: Request, body: Mapping[str, Any]) -> Any:
        """Change the settings that are named; the others stay."""
        front, floor = self._front, self._exchange.floor
        for name, value in body.items():
            if name == "latencyMs":
                front.latency_ms = (int(value[0]), int(value[1]))
            elif name == "skewMs":
                front.skew_us = int(value) * 1_000
            elif name == "enforceLimits":
                front.limits.enforced = bool(value)
            elif name == "forgetUse":
                front.limits.forget()
            elif name == "oldSignatures":
                self._exchange.keys.takes_old = bool(value)
            elif name == "openWallets":
                front.open_wallets = bool(value)
            elif name == "insurance":
                floor.insurance = None if value is None else int(value) * UNITS_PER_QUOTE
            elif name == "speed":
                self._exchange.clock.run_at(int(value))
            elif name == "tier":
                tier = int(value["tier"])
                if not 0 <= tier < len(TIERS):
                    raise WireError(-1000, f"tiers go from 0 to {len(TIERS) - 1}")
                self._exchange.set_tier(str(value["account"]), tier)
            else:
                raise WireError(-1000, f"there is no setting {name}")
        return _DONE

    def _streams(self, request: Request, body: Mapping[str, Any]) -> Any:
        account_id = str(body.get("account", ""))
        if body["do"] == "drop":
            return {"dropped": self._hub.drop_all(account_id)}
        if body["do"] == "expire":
            self._exchange.listen_keys.drop(account_id)
            return _DONE
        raise WireError(-1000, "'do' is drop or expire")


def _logged(each: Any) -> dict[str, Any]:
    return {
        "number": each.number, "at": each.at, "method": each.method, "path": each.path, "query": each.query,
        "body": each.body, "account": each.account_id, "status": each.status, "fault": each.fault,
    }  # fmt: skip


def _public(rule: Any) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in rule.__slots__}
