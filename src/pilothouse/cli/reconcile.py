"""`pilothouse reconcile`: compare an account with its venue, and settle what our entries cannot explain."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.options import Account, Json, Token, Url

if TYPE_CHECKING:
    from rich.console import Console


def reconcile(
    *,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Book what differs as the venue has it; needs a reason.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", "-r", help="Why it differs; it is kept with what is adopted.")
    ] = None,
    account: Account = None,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Compare orders, fills, positions and wallet of an account with its venue now."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        chosen = talk.account_of(house, account)
        told = house.post(f"/api/v1/accounts/{chosen['id']}/reconcile", {"adopt": adopt, "reason": reason})
    show.out(told, as_json=as_json, draw=lambda screen: _draw(screen, str(chosen["name"]), told))


def _draw(screen: "Console", name: str, told: dict[str, Any]) -> None:
    screen.print(
        f"{name}: {told['fills_booked']} fills booked, {told['orders_asked']} orders asked for, "
        f"{told['foreign_orders']} orders found that were not made here"
    )
    if told["moving"]:
        screen.print("[yellow]An order is on its way: positions are compared when it is known.[/]")
    for one in told["differences"]:
        screen.print(f"[red]{one['what']}: the venue says {one['venue']}, our entries say {one['ours']}[/]")
    if told["adopted"]:
        screen.print("[green]Adopted: our books say what the venue says.[/]")
    elif told["differences"]:
        screen.print("Settle it with [bold]pilothouse reconcile --adopt --reason WHY[/], if you know why.")
    elif not told["moving"]:
        screen.print("[green]Books and venue agree.[/]")
    if told["resumed"]:
        screen.print("[green]The account trades again.[/]")
