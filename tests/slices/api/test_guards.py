"""Who may do what: every route is public by name, a hook, or behind a token; nobody sees what is another's."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Route

from pilothouse.accounts import tokens, users
from pilothouse.accounts.access import ALL_SCOPES
from pilothouse.api.app import create_app
from pilothouse.api.deps import Guarded
from pilothouse.api.hooks import PATHS
from pilothouse.api.system import PUBLIC_ROUTES
from pilothouse.backtest import asking
from pilothouse.backtest.asking import Prepared
from pilothouse.backtest.bounds import Bounds
from pilothouse.backtest.store import Kind
from pilothouse.core.errors import Broken
from pilothouse.kit.db import Tx
from tests.slices.api.conftest import Served


def _operations(app: FastAPI) -> list[tuple[str, str]]:
    return sorted(
        (method, route.path)
        for route in app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    )


def _filled(path: str) -> str:
    names = ("signal_id", "order_id", "hook_id", "account_id", "token_id", "message_id", "symbol", "url_token")
    for name in (*names, "backtest_id", "name"):
        path = path.replace("{" + name + "}", "BTCUSDT" if name == "symbol" else "abc_123")
    return path


def test_every_route_is_public_by_name_or_wants_a_credential(served: Served) -> None:
    """The list of public routes is short and complete: a new route is guarded unless somebody writes it there."""
    client = served.client({"X-Forwarded-For": "203.0.113.7"})
    asked = 0
    for method, path in _operations(served.app):
        if path in PUBLIC_ROUTES:
            continue
        for body in (b"", b"{", b"{}"):
            answer = client.request(method, _filled(path), content=body)
            expected = 404 if path == PATHS[next(d for d in PATHS if d.name == "HOOK")] else 401
            assert answer.status_code == expected, (method, path, answer.text)
            asked += 1
    assert asked > 100


def test_public_routes_answer_strangers(served: Served) -> None:
    """Monitors and people who look at the documentation have no token."""
    client = served.client()
    for path in PUBLIC_ROUTES:
        assert client.get(path).status_code in {200, 307, 503}, path


def test_a_route_that_nobody_guards_keeps_the_house_from_starting(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forgotten guard is found at the first start, not by a stranger."""

    async def open_to_all() -> None: ...

    forgotten = APIRoute("/api/v1/forgotten", open_to_all)
    monkeypatch.setattr("pilothouse.api.app.ROUTERS", (_Routes([forgotten]),))
    with pytest.raises(Broken, match="forgotten"):
        create_app(served.house)


class _Routes:
    def __init__(self, routes: list[APIRoute]) -> None:
        self.routes = routes


def test_metrics_are_for_this_machine_and_for_tokens(served: Served) -> None:
    """A proxy on this machine speaks for strangers: what it forwards is not from here."""
    assert served.client().get("/metrics").status_code == 200
    assert served.client({"X-Forwarded-For": "127.0.0.1"}).get("/metrics").status_code == 401
    held = {"X-Forwarded-For": "127.0.0.1", "Authorization": f"Bearer {served.token}"}
    assert "pilothouse_signals_total" in served.client(held).get("/metrics").text


@pytest.mark.parametrize("header", ["", "Bearer", "Basic abc", "Bearer ph_op_wrong", "Bearer " + "x" * 5000])
def test_no_token_and_a_wrong_one_are_told_the_same_way(served: Served, header: str) -> None:
    """401 says how to ask, and nothing about tokens there are."""
    answer = served.client({"Authorization": header} if header else None).get("/api/v1/orders")

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_token_is_good_for_its_scopes_until_it_is_revoked(served: Served) -> None:
    """A dashboard's token reads; it neither trades nor makes tokens."""
    issued = served.api.post("/api/v1/tokens", json={"label": "dashboard", "scopes": ["read"]}).json()
    dashboard = served.client({"Authorization": f"Bearer {issued['token']}"})

    assert dashboard.get("/api/v1/orders").status_code == 200
    assert dashboard.post("/api/v1/orders/cancel-all").status_code == 403
    assert dashboard.get("/api/v1/tokens").status_code == 403
    assert issued["token"] not in served.api.get("/api/v1/tokens").text
    served.api.post(f"/api/v1/tokens/{issued['id']}/revoke")
    assert dashboard.get("/api/v1/orders").status_code == 401


@pytest.fixture
def stranger(served: Served) -> httpx.Client:
    """Return a client of another user of the same house."""

    def make(tx: Tx) -> str:
        now = served.house.clock.now()
        other = users.add_user(tx, name="other", role="member", now=now)
        return tokens.issue(tx, owner_id=other.id, label="other", scopes=ALL_SCOPES, now=now)[1].reveal()

    return served.client({"Authorization": f"Bearer {served.house.database.write(make, name='other')}"})


def _a_backtest(served: Served) -> str:
    """Return the id of a backtest of the operator that is done."""
    kept: dict[str, Any] = {"metrics": {}, "told": {}, "digest": ""}
    prepared = Prepared(Kind.RUN, "ema-cross", {}, "a" * 64, "{}", 1, 1, kept)
    house, bounds = served.house, Bounds(1, 1, 1)
    now, owner_id = house.clock.now(), house.operator_id
    return house.database.write(
        lambda tx: asking.ask(tx, prepared, bounds, owner_id=owner_id, who="me", now=now), name="ask"
    ).id


def test_nobody_sees_or_touches_what_is_anothers(served: Served, stranger: httpx.Client) -> None:
    """For every route with an id, another's thing is as if it were not there."""
    told = served.alert(action="open", side="BUY", quantity="0.01", wait_ms=0).json()
    mine: dict[str, Any] = {
        "signal_id": told["signal_id"],
        "order_id": told["order"]["id"],
        "hook_id": served.api.get("/api/v1/hooks").json()["items"][0]["id"],
        "account_id": served.account,
        "token_id": served.api.get("/api/v1/tokens").json()["items"][0]["id"],
        "backtest_id": _a_backtest(served),
    }
    asked = 0
    for route in served.app.routes:
        if not isinstance(route, Guarded):
            continue
        names = [name for name in mine if "{" + name + "}" in route.path]
        for method in (route.methods or set()) - {"HEAD"}:
            if names:
                answer = stranger.request(method, route.path.format(**mine), json={} if method != "GET" else None)
                assert answer.status_code == 404, (method, route.path, answer.text)
                asked += 1
    assert asked >= 10
    for path in ("signals", "orders", "fills", "hooks", "accounts", "backtests"):
        assert stranger.get(f"/api/v1/{path}").json()["items"] == []
    for path in ("/positions", "/account/balance", "/api/v1/limits", "/api/v1/equity"):
        assert stranger.get(path, params={"account": served.account}).status_code == 404


def test_a_character_that_no_database_looks_for_is_refused_by_field(served: Served) -> None:
    """PostgreSQL takes NUL for no text: whoever asks with it is told so, and is no fault of ours."""
    for path in ("/api/v1/positions", "/api/v1/balances", "/positions"):
        answer = served.api.get(path, params={"account": "0\x00"})
        assert answer.status_code == 400, (path, answer.text)
        assert "account" in answer.text, path
    for path in ("orders/a%00", "signals/a%00", "accounts/a%00", "hooks/a%00", "positions/BTC%00", "backtests/a%00"):
        assert served.api.get(f"/api/v1/{path}").status_code == 404, path
