"""`pilothouse positions`: what is held, and closing it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.options import Account, EachAccount, Json, Token, Url, Yes, ask_first

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(invoke_without_command=True)


@app.callback()
def positions(
    context: typer.Context, *, account: EachAccount = None, as_json: Json = False, url: Url = None, token: Token = None
) -> None:
    """Show what is held, at the price of now, in every account. With a command behind it: close one or all."""
    if context.invoked_subcommand is not None:
        return
    from pilothouse.cli import show, talk

    rows: list[dict[str, Any]] = []
    unheard: list[tuple[str, talk.Answered]] = []
    with talk.open_house(url, token) as house:
        asked = talk.accounts_of(house, account)
        for each in asked:
            try:
                rows += show.items(house.get("/api/v1/positions", account=each["id"]))
            except talk.Answered as error:
                # One venue that does not answer hides none of the others, and is never shown as flat.
                if as_json or len(asked) == 1:
                    raise
                unheard.append((str(each["name"]), error))
    told = {"items": rows, "next_cursor": None}
    show.out(told, as_json=as_json, draw=lambda screen: draw_list(screen, rows, asked, [name for name, _ in unheard]))
    if unheard:
        raise unheard[0][1]


@app.command("close")
def close(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="Which instrument, such as BTCUSDT.")],
    *,
    account: Account = None,
    yes: Yes = False,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Close a position at the market, reduce-only; resting entries in it are cancelled first."""
    from pilothouse.cli import orders, show, talk

    with talk.open_house(url, token) as house:
        chosen = talk.account_of(house, account)
        ask_first(f"Close {symbol} of {chosen['name']} at the market?", yes=yes, as_json=as_json)
        made = orders.settled(house, house.post(f"/api/v1/positions/{symbol}/close", account=chosen["id"]))
    show.out(made, as_json=as_json, draw=lambda screen: orders.draw_one(screen, made))


@app.command("close-all")
def close_all(
    *, account: Account = None, yes: Yes = False, as_json: Json = False, url: Url = None, token: Token = None
) -> None:
    """Cancel what rests and close every position of an account at the market."""
    from pilothouse.cli import orders, show, talk

    with talk.open_house(url, token) as house:
        chosen = talk.account_of(house, account)
        ask_first(f"Close everything of {chosen['name']} at the market?", yes=yes, as_json=as_json)
        made = show.items(house.post("/api/v1/positions/close-all", account=chosen["id"]))
        closed = [orders.settled(house, order) for order in made]
    told = {"items": closed, "next_cursor": None}
    show.out(told, as_json=as_json, draw=lambda screen: _draw_closed(screen, closed, chosen))


def _draw_closed(screen: "Console", rows: list[dict[str, Any]], account: Mapping[str, Any]) -> None:
    from pilothouse.cli import orders

    if rows:
        orders.draw_list(screen, rows)
    else:
        screen.print(f"There was nothing to close: {account.get('name')} is flat.")


def quantity_of(row: Mapping[str, Any]) -> Decimal:
    """Return what is held, base, signed."""
    from pilothouse.cli.show import decimal

    return decimal(row.get("quantity")) or Decimal(0)


def draw_list(
    screen: "Console", rows: list[dict[str, Any]], accounts: Sequence[Mapping[str, Any]], unheard: Sequence[str] = ()
) -> None:
    """Draw what is held; with the name of its account where there are several.

    unheard   names of accounts whose venue did not answer: they are named, and not called flat
    """
    from pilothouse.cli import show, talk

    names = talk.names_if_several(accounts)
    made = show.table(
        *(["*account"] if names else []),
        "symbol",
        "side",
        ">quantity",
        ">entry",
        ">mark",
        ">result",
        ">liquidation",
        ">lev",
    )
    for row in rows:
        held = quantity_of(row)
        leverage = row.get("leverage")
        made.add_row(
            *([names.get(str(row.get("account_id")), show.NOTHING)] if names else []),
            str(row.get("symbol")),
            show.side("LONG" if held > 0 else "SHORT"),
            show.number(abs(held)),
            show.number(row.get("entry_price")),
            show.number(row.get("mark_price")),
            show.gain(row.get("unrealised")),
            _liquidation(row),
            f"{leverage}×" if leverage else show.NOTHING,
        )
    flat = [str(account.get("name")) for account in accounts if account.get("name") not in unheard]
    words = f"{', '.join(flat)} {'is' if len(flat) == 1 else 'are'} flat." if flat else "Nobody can say what is held."
    show.listed(screen, rows, made, words)
    for name in unheard:
        screen.print(f"[red]{name}: the venue does not answer, so nobody can say what it holds.[/]")
    if rows and any(row.get("simulated") for row in rows):
        screen.print("[dim]The money is simulated.[/]")


def _liquidation(row: Mapping[str, Any]) -> str:
    """Return the price at which the venue would close it; none where there is none."""
    from pilothouse.cli import show

    price = show.decimal(row.get("liquidation_price"))
    return show.number(price) if price else show.NOTHING
