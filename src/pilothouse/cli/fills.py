"""`pilothouse fills`: what was bought and sold, as a table or as a CSV file."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.options import Account, Json, Symbol, Token, Url

if TYPE_CHECKING:
    from rich.console import Console


def fills(
    *,
    symbol: Symbol = None,
    account: Account = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", "-n", metavar="COUNT", min=1, max=100_000, help="How many at most: 20, for a file all."
        ),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print them as a CSV file, for a spreadsheet.")] = False,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Show fills, newest first: price, quantity, fee, and what closing brought in."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        chosen = talk.account_of(house, account)["id"] if account else None
        if as_csv:
            query = {"format": "csv", "symbol": symbol, "account": chosen, "limit": limit}
            answer = house.raw("GET", "/api/v1/fills", query=query, headers={"Accept": "text/csv"})
            if not answer.is_success:
                raise talk.refusal(answer)
            sys.stdout.write(answer.content.decode("utf-8"))
            return
        page = house.pages("/api/v1/fills", limit=limit or 20, symbol=symbol, account=chosen)
    show.out(page, as_json=as_json, draw=lambda screen: _draw(screen, page["items"]))


def _draw(screen: "Console", rows: list[dict[str, Any]]) -> None:
    from pilothouse.cli import show

    made = show.table(">age", "symbol", "side", ">quantity", ">price", ">worth", ">fee", ">result")
    at = show.now()
    for row in rows:
        made.add_row(
            show.age(row.get("at"), at),
            str(row.get("symbol")),
            show.side(row.get("side")),
            show.number(row.get("quantity")),
            show.number(row.get("price")),
            show.money(row.get("notional")),
            show.number(row.get("commission")),
            show.gain(row.get("realised")),
        )
    show.listed(screen, rows, made, "Nothing was bought or sold yet.")
