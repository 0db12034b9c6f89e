"""`pilothouse signals`: the inbox, and one alert with all that came of it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.options import Account, Json, Limit, Symbol, Token, Url

if TYPE_CHECKING:
    from rich.console import Console


def signals(
    *,
    signal_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Show this alert with its orders.")] = None,
    state: Annotated[
        str | None,
        typer.Option("--state", help="Only these: pending, active, decided, noop, refused, superseded."),
    ] = None,
    symbol: Symbol = None,
    account: Account = None,
    limit: Limit = 20,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Show the alerts that came, newest first: what was asked, what became of it, how fast."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        if signal_id is not None:
            known = house.get(f"/api/v1/signals/{talk.whole_id(house, '/api/v1/signals', signal_id)}")
            show.out(known, as_json=as_json, draw=lambda screen: draw_one(screen, known))
            return
        chosen = talk.account_of(house, account)["id"] if account else None
        page = house.pages("/api/v1/signals", limit=limit, state=state, symbol=symbol, account=chosen)
    show.out(page, as_json=as_json, draw=lambda screen: draw_list(screen, page["items"]))


def asked(row: Mapping[str, Any]) -> str:
    """Return in a few words what an alert asks for: `open BUY 0.01`, `target -0.5`, `close`."""
    from pilothouse.cli.show import number

    signal = row.get("signal")
    if not isinstance(signal, dict):
        return str(row.get("kind") or "(could not be read)")
    words = [str(signal.get("kind") or "")]
    if signal.get("side"):
        words.append(str(signal["side"]))
    if signal.get("target") is not None:
        words.append(number(signal["target"]))
    size = signal.get("size")
    if isinstance(size, dict):
        words.append(_size(size))
    if signal.get("price") is not None:
        words.append(f"at {number(signal['price'])}")
    return " ".join(words)


def said(row: Mapping[str, Any]) -> str:
    """Return why an alert came to what it came to, each wrong field and each broken limit on a line of its own."""
    detail = row.get("detail")
    listed = (detail.get("problems") or detail.get("reasons") or []) if isinstance(detail, dict) else []
    lines = [str(one.get("message")) for one in listed if isinstance(one, dict) and one.get("message")]
    return "\n".join(lines) or str(row.get("outcome_message") or row.get("message") or "")


def _size(size: Mapping[str, Any]) -> str:
    from pilothouse.cli.show import number

    value = number(size.get("value"))
    return {
        "quote_amount": f"for {value}",
        "equity_percent": f"{value} % of equity",
        "risk_percent": f"{value} % at risk",
    }.get(str(size.get("kind")), value)


def latency(row: Mapping[str, Any]) -> str:
    """Return from alert to fill, or else to sending, in milliseconds: `18 ms`."""
    from pilothouse.cli.show import NOTHING

    spans = row.get("latency") or {}
    ms = spans.get("to_fill_ms") if spans.get("to_fill_ms") is not None else spans.get("to_send_ms")
    return NOTHING if ms is None else f"{ms:,} ms"


def draw_list(screen: "Console", rows: list[dict[str, Any]]) -> None:
    """Draw the inbox."""
    from pilothouse.cli import show

    made = show.table("id", ">age", "symbol", "*asked for", "state", ">took")
    at = show.now()
    for row in rows:
        made.add_row(
            show.short(row.get("id")),
            show.age(row.get("received_at"), at),
            str(row.get("symbol") or show.NOTHING),
            asked(row),
            show.state(row.get("outcome") or row.get("state")),
            latency(row),
        )
    show.listed(screen, rows, made, "No alert has come yet. Send one: pilothouse alert send")


def draw_one(screen: "Console", row: Mapping[str, Any]) -> None:
    """Draw one alert with its orders."""
    from pilothouse.cli import orders, show

    at = show.now()
    screen.print(
        show.pairs(
            [
                ("alert", str(row.get("id"))),
                ("asked for", f"{asked(row)} {row.get('symbol') or ''}".strip()),
                ("came", f"{show.age(row.get('received_at'), at)} ago, {row.get('received_at')}"),
                ("state", show.state(row.get("outcome") or row.get("state"))),
                ("because", said(row) or show.NOTHING),
                ("delivered", "once" if row.get("deliveries", 1) == 1 else f"{row['deliveries']} times, done once"),
                ("took", latency(row)),
            ]
        )
    )
    for order in [*(row.get("orders") or []), *(row.get("protective") or [])]:
        screen.print()
        orders.draw_one(screen, order)
