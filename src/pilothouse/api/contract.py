"""The OpenAPI document: what the framework knows of the routes, and the hooks, which are spoken by hand."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from pilothouse.api.compat_shapes import AlertAnswer, OldProblem
from pilothouse.api.shapes import ProblemDocument
from pilothouse.bots import templates
from pilothouse.bots.alert import Shape

ABOUT = """A self-hosted trading desk: an alert goes in, an exact order comes out, once.

Alerts come in at /webhook/* (the secret in the body or in X-Webhook-Secret selects the hook) or at a hook's own \
address. Everything else asks for the operator token: Authorization: Bearer ph_op_...

Decimals are text, so that no digit is lost. Instants are UTC. Errors are problem documents (RFC 9457). \
A paper account trades on a simulated market, which is named so wherever it is shown."""

_TAGS = (
    ("alerts", "Where TradingView sends its alerts."),
    ("signals", "What came in and what became of it."),
    ("orders", "Orders and their timelines."),
    ("portfolio", "Positions, balances, equity, fills."),
    ("market", "Instruments and quotes."),
    ("strategies", "What can be run over history."),
    ("backtests", "Runs over history: asked for, followed, looked at."),
    ("hooks", "Where alerts may come in, and with which secret."),
    ("accounts", "Trading accounts, limits, halts, tokens."),
    ("events", "What happens, as it happens."),
    ("care", "Messages put aside, and laws that must hold."),
    ("compatible", "Routes with the names of an older wire format."),
    ("system", "Health and figures."),
)

_ALERT: dict[str, Any] = {
    "type": "object",
    "description": "Names in any case, with or without underscores; numbers as text or as numbers; more is ignored.",
    "additionalProperties": True,
}
_WAIT = {
    "name": "wait_ms",
    "in": "query",
    "description": "Wait so many milliseconds for the outcome: 0 to 2500, else clamped; 1000 if left out.",
    "schema": {"type": "string", "default": "1000", "examples": ["1000"]},
}
_SECRET = {
    "name": "X-Webhook-Secret",
    "in": "header",
    "description": "The hook's secret, where the body carries none.",
    "schema": {"type": "string", "maxLength": 200},
}
_TOKEN = {
    "name": "url_token",
    "in": "path",
    "required": True,
    "description": "The token of the hook; it is the credential.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}
_ORDER = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "order_type": "MARKET"}
_STRATEGY = {
    "order_action": "buy",
    "symbol": "BINANCE:BTCUSDT.P",
    "contracts": "0.01",
    "position_size": "0.01",
    "market_position": "long",
}
_REFUSALS = {
    400: "What came does not have the right form; every wrong field is named.",
    401: "The secret is missing or wrong.",
    404: "Nothing to close, reduce or add to; or no such hook.",
    408: "The body did not arrive in time.",
    409: "The alert_id came before, with another body.",
    413: "The body is longer than 64 KiB.",
    429: "More alerts within a second than the hook takes.",
    500: "A fault of this house; nothing was stored.",
    503: "Nothing was stored: send it again.",
    504: "Nobody can say whether it was stored.",
}


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=ABOUT,
            routes=app.routes,
            tags=[{"name": name, "description": about} for name, about in _TAGS],
        )
        document["paths"] = {**_hooks(), **document["paths"]}
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for model in (ProblemDocument, OldProblem, AlertAnswer):
            _add(schemas, model)
        app.openapi_schema = document
    return app.openapi_schema


def _add(schemas: dict[str, Any], model: type[BaseModel]) -> None:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema


def _hooks() -> dict[str, Any]:
    order = {"order": {"summary": "Open a position", "value": _ORDER | {"webhook_secret": "..."}}}
    chart = {"template": {"summary": "As pasted into TradingView", "value": templates.text(Shape.ORDER, "...")}}
    target = {"target": {"summary": "Make my position this", "value": _STRATEGY | {"webhook_secret": "..."}}}
    bare = {"order": {"value": _ORDER}, "target": {"value": _STRATEGY}}
    return {
        "/webhook/tradingview": _post(
            "Take an alert that says what to do",
            "action open, increase, decrease or close (also buy, sell); symbol, side, quantity (or quote_amount, "
            "equity_percent, risk_percent), price, order_type MARKET or LIMIT, stop_loss, take_profit or take_profits, "
            "break_even_after, trailing_stop, time_stop_s, alert_id, timenow.",
            [_WAIT, _SECRET],
            order | chart,
        ),
        "/webhook/tradingview-strategy": _post(
            "Take an alert that says what the position shall be",
            "position_size (signed, or with market_position) is the target: the position is opened, added to, reduced, "
            "closed or flipped until it is so. Already there is noop.",
            [_WAIT, _SECRET],
            target,
        ),
        "/hooks/{url_token}": _post(
            "Take an alert at a hook's own address",
            "Either shape, told apart by content; the address is the credential, for senders that cannot send headers.",
            [_TOKEN, _WAIT],
            bare,
            without=(401,),
        ),
    }


def _post(
    summary: str,
    about: str,
    parameters: list[dict[str, Any]],
    examples: dict[str, Any],
    without: tuple[int, ...] = (),
) -> dict[str, Any]:
    problem = {"application/json": {"schema": {"$ref": "#/components/schemas/OldProblem"}}}
    answer = {"application/json": {"schema": {"$ref": "#/components/schemas/AlertAnswer"}}}
    refusals = {
        str(status): {"description": words, "content": problem}
        for status, words in _REFUSALS.items()
        if status not in without
    }
    operation = {
        "tags": ["alerts"],
        "summary": summary,
        "description": about + " The same alert again is answered with how the first one stands, and done once.",
        "operationId": summary.lower().replace(" ", "_").replace("'", ""),
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": _ALERT, "examples": examples},
                "text/plain": {"schema": {"type": "string"}},
            },
        },
        "responses": {"200": {"description": "Stored, decided, and how it stands.", "content": answer}, **refusals},
    }
    return {"post": operation}
