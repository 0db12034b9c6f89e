"""`pilothouse orders`: list, show with timeline, submit, amend, cancel, cancel all."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pilothouse.cli.options import Account, EachAccount, Json, Limit, Symbol, Token, Url, Yes, ask_first

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from pilothouse.cli.talk import House

app = typer.Typer(invoke_without_command=True)

_SPOKEN_S: Final = 3.0

OrderId = Annotated[str, typer.Argument(metavar="ID", help="The order's id, or the part of it that lists show.")]


@app.callback()
def orders(
    context: typer.Context,
    *,
    state: Annotated[
        str | None, typer.Option("--state", help="Only these, such as working, filled, unknown, rejected.")
    ] = None,
    live: Annotated[bool, typer.Option("--open", help="Only orders that are not over.")] = False,
    symbol: Symbol = None,
    account: EachAccount = None,
    limit: Limit = 20,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """List orders, newest first. With a command behind it: show one, submit, cancel."""
    if context.invoked_subcommand is not None:
        return
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        asked = talk.accounts_of(house, account)
        chosen = asked[0]["id"] if account else None
        page = house.pages("/api/v1/orders", limit=limit, state=state, live=live or None, symbol=symbol, account=chosen)
    names = talk.names_if_several(asked)
    show.out(page, as_json=as_json, draw=lambda screen: draw_list(screen, page["items"], names))


@app.command("show")
def show_one(order_id: OrderId, *, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Show one order with everything that happened to it."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        known = house.get(f"/api/v1/orders/{talk.whole_id(house, '/api/v1/orders', order_id)}")
    show.out(known, as_json=as_json, draw=lambda screen: draw_one(screen, known))


@app.command("submit")
def submit(
    *,
    side: Annotated[str, typer.Argument(metavar="BUY|SELL", help="Which way.")],
    quantity: Annotated[str, typer.Argument(metavar="QUANTITY", help="How much, in base units: 0.01.")],
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="Which instrument: BTCUSDT.")],
    price: Annotated[
        str | None, typer.Option("--limit-price", "-p", help="Make it a LIMIT order at this price.")
    ] = None,
    stop_price: Annotated[
        str | None, typer.Option("--stop-price", help="Make it a stop that triggers when the mark price is here.")
    ] = None,
    time_in_force: Annotated[str, typer.Option("--time-in-force", help="GTC, IOC, FOK or GTX (post-only).")] = "GTC",
    reduce_only: Annotated[bool, typer.Option("--reduce-only", help="Never open or turn a position.")] = False,
    account: Account = None,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Submit an order by hand, through the same risk gate as an alert's: orders submit BUY 0.01 BTCUSDT."""
    from pilothouse.cli import show, talk

    kind = ("STOP" if price else "STOP_MARKET") if stop_price else ("LIMIT" if price else "MARKET")
    body: dict[str, object] = {
        "symbol": symbol,
        "side": side.upper(),
        "type": kind,
        "quantity": quantity,
        "time_in_force": time_in_force.upper(),
        "reduce_only": reduce_only,
    }
    body |= {"price": price} if price else {}
    body |= {"stop_price": stop_price} if stop_price else {}
    with talk.open_house(url, token) as house:
        chosen = talk.account_of(house, account)["id"] if account else None
        made = settled(house, house.post("/api/v1/orders", body, account=chosen))
    show.out(made, as_json=as_json, draw=lambda screen: draw_one(screen, made))


@app.command("amend")
def amend(
    order_id: OrderId,
    *,
    price: Annotated[str | None, typer.Option("--price", "-p", help="Its new limit price.")] = None,
    stop_price: Annotated[str | None, typer.Option("--stop-price", help="Its new trigger price.")] = None,
    quantity: Annotated[
        str | None, typer.Option("--quantity", "-q", help="Its new size, with what has filled already.")
    ] = None,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Change price, trigger or size of a resting order; where the venue cannot, another takes its place."""
    from pilothouse.cli import show, talk

    told = {"price": price, "stop_price": stop_price, "quantity": quantity}
    body = {name: value for name, value in told.items() if value is not None}
    with talk.open_house(url, token) as house:
        whole = talk.whole_id(house, "/api/v1/orders", order_id)
        made = _changed(house, house.patch(f"/api/v1/orders/{whole}", body))
    show.out(made, as_json=as_json, draw=lambda screen: draw_one(screen, made))


@app.command("cancel")
def cancel(order_id: OrderId, *, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Ask for an order to be cancelled; what the venue filled before it heard of it stays filled."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        whole = talk.whole_id(house, "/api/v1/orders", order_id)
        made = house.post(f"/api/v1/orders/{whole}/cancel")
    show.out(
        made, as_json=as_json, draw=lambda screen: screen.print(f"The venue is asked to cancel {short_of(whole)}.")
    )


@app.command("cancel-all")
def cancel_all(
    *,
    symbol: Symbol = None,
    account: Account = None,
    yes: Yes = False,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Cancel every resting order of an account, or of one instrument; positions stay, and so does their protection."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        chosen = talk.account_of(house, account)
        ask_first(
            f"Cancel every resting order{f' in {symbol}' if symbol else ''} of {chosen['name']}?",
            yes=yes,
            as_json=as_json,
        )
        made = house.post("/api/v1/orders/cancel-all", {"symbol": symbol} if symbol else {}, account=chosen["id"])
    show.out(made, as_json=as_json, draw=lambda screen: screen.print(f"Orders asked to be cancelled: {made['asked']}"))


def settled(house: "House", made: dict[str, Any]) -> dict[str, Any]:
    """Return the order with its timeline once the venue has spoken, or as it stands after a few seconds."""
    import time

    from pilothouse.kit.clocks import SystemClock

    clock = SystemClock()
    deadline = clock.monotonic() + _SPOKEN_S
    while True:
        known: dict[str, Any] = house.get(f"/api/v1/orders/{made['id']}")
        if known["state"] not in {"intended", "sending"} or clock.monotonic() > deadline:
            return known
        time.sleep(0.05)


def _changed(house: "House", made: dict[str, Any]) -> dict[str, Any]:
    """Return the order, or the one that took its place, once the change is known to stand, or after a few seconds."""
    import time

    from pilothouse.kit.clocks import SystemClock

    clock = SystemClock()
    deadline = clock.monotonic() + _SPOKEN_S
    while True:
        known: dict[str, Any] = house.get(f"/api/v1/orders/{made['id']}")
        if known["replaced_by"]:
            return settled(house, {"id": known["replaced_by"]})
        if not known["changing"] or clock.monotonic() > deadline:
            return known
        time.sleep(0.05)


def short_of(order_id: str) -> str:
    """Return the part of an order's id that lists show."""
    from pilothouse.cli.show import short

    return short(order_id)


def draw_list(screen: "Console", rows: list[dict[str, Any]], names: Mapping[str, str] | None = None) -> None:
    """Draw orders as a table; with the names of their accounts by id, if there are several."""
    from pilothouse.cli import show

    made = show.table(
        "id", *(["*account"] if names else []), ">age", "symbol", "side", ">quantity", "*type", ">price", "state"
    )
    at = show.now()
    for row in rows:
        made.add_row(
            show.short(row.get("id")),
            *([names.get(str(row.get("account_id")), show.NOTHING)] if names else []),
            show.age(row.get("created_at"), at),
            str(row.get("symbol")),
            show.side(row.get("side")),
            show.number(row.get("quantity")),
            _short_kind(row),
            show.number(row.get("average_price") or row.get("price") or row.get("stop_price")),
            _state(row),
        )
    show.listed(screen, rows, made, "There are no such orders. `pilothouse alert send` makes one.")


_SHORT = {"STOP_MARKET": "stop", "TAKE_PROFIT_MARKET": "take", "TAKE_PROFIT": "take lim", "STOP": "stop lim"}


def _short_kind(row: Mapping[str, Any]) -> str:
    kind = str(row.get("type") or "")
    return _SHORT.get(kind, kind.lower()) + (" ↓" if row.get("reduce_only") else "")


def _state(row: Mapping[str, Any]) -> "Text":
    """Return the state, with how much is filled where that is a part."""
    from pilothouse.cli import show

    text = show.state(row.get("state"))
    filled, whole = show.decimal(row.get("filled_quantity")), show.decimal(row.get("quantity"))
    if filled and whole and 0 < filled < whole:
        text.append(f" {filled * 100 // whole:f}%")
    return text


def draw_one(screen: "Console", row: Mapping[str, Any]) -> None:
    """Draw one order with its timeline."""
    from rich.text import Text

    from pilothouse.cli import show, timeline

    head = Text.assemble(
        show.side(row.get("side")),
        f" {show.number(row.get('quantity'))} {row.get('symbol')} ",
        timeline.kind_of(row),
        "  ",
    )
    screen.print(head.append(_state(row)))
    rows: list[tuple[str, Any]] = [("order", str(row.get("id"))), ("client id", str(row.get("client_order_id")))]
    if row.get("venue_order_id"):
        rows.append(("venue id", str(row["venue_order_id"])))
    rows.append(("for", f"{row.get('purpose')}: {row.get('reason') or show.NOTHING}"))
    if row.get("outcome"):
        rows.append(("told", str(row["outcome"])))
    if show.decimal(row.get("filled_quantity")):
        fee = show.number(row.get("commission"))
        rows.append(
            (
                "filled",
                f"{show.number(row.get('filled_quantity'))} at {show.number(row.get('average_price'))}, fee {fee}",
            )
        )
    screen.print(show.pairs(rows))
    timeline.draw_events(screen, row)
