"""`pilothouse account`: trading accounts and what they are worth."""

from typing import TYPE_CHECKING, Any

import typer

from pilothouse.cli.options import Json, Token, Url

if TYPE_CHECKING:
    from rich.console import Console

    from pilothouse.cli.talk import House

app = typer.Typer(help="Show trading accounts and what they are worth.", no_args_is_help=True)


@app.command("list")
def list_accounts(*, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Show every trading account: where, real or paper, what it is worth."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        page = house.pages("/api/v1/accounts", limit=1000)
        for row in page["items"]:
            row["worth"] = _worth(house, row)
    show.out(page, as_json=as_json, draw=lambda screen: _draw(screen, page["items"]))


def _worth(house: "House", account: dict[str, Any]) -> Any:
    """Return what an account is worth, or None where nobody can say now."""
    from pilothouse.cli.show import items
    from pilothouse.cli.talk import Answered

    if account.get("state", "active") != "active":
        return None
    try:
        return next(iter(items(house.get("/api/v1/balances", account=account["id"]))), None)
    except Answered:
        return None


def _draw(screen: "Console", rows: list[dict[str, Any]]) -> None:
    from pilothouse.cli import show

    made = show.table("name", "venue", "money", "state", ">wallet", ">open result", ">available", ">equity")
    for row in rows:
        worth = row.get("worth") or {}
        made.add_row(
            str(row.get("name")),
            str(row.get("venue")),
            "simulated" if row.get("simulated") else str(row.get("mode")),
            show.state("halted" if row.get("halt") else row.get("state")),
            show.money(worth.get("wallet")),
            show.gain(worth.get("unrealised")),
            show.money(worth.get("available")),
            show.money(worth.get("equity")),
        )
    show.listed(screen, rows, made, "There is no account. The first start makes one: pilothouse up")
