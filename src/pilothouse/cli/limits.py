"""`pilothouse limits`: what the risk gate allows an account, and changing it."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pilothouse.cli.options import Account, Json, Token, Url

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(invoke_without_command=True)

MEANINGS: Final = {
    "order_notional_max": "largest order, in quote currency",
    "position_equity_ratio_max": "largest position, times equity",
    "orders_per_minute_max": "orders within 60 seconds",
    "daily_loss_percent_max": "loss since midnight UTC, percent",
    "price_collar_percent": "limit price away from the mark, percent",
    "quote_age_max_s": "age of the price decided by, seconds",
}


@app.callback()
def limits(
    context: typer.Context, *, account: Account = None, as_json: Json = False, url: Url = None, token: Token = None
) -> None:
    """Show the limits that every order of an account has to pass. With `set` behind it: change them."""
    if context.invoked_subcommand is not None:
        return
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        chosen = talk.account_of(house, account)
        answer = house.get("/api/v1/limits", account=chosen["id"])
    show.out(answer, as_json=as_json, draw=lambda screen: _draw(screen, answer))


@app.command("set")
def set_limits(
    changes: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="Such as order_notional_max=5000.")],
    *,
    account: Account = None,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Set limits; those that are not named stay as they are."""
    from pilothouse.cli import show, talk

    asked = dict(_pair(change) for change in changes)
    with talk.open_house(url, token) as house:
        chosen = talk.account_of(house, account)
        answer = house.ask("PUT", "/api/v1/limits", body=asked, query={"account": chosen["id"]})
    show.out(answer, as_json=as_json, draw=lambda screen: _draw(screen, answer))


def _pair(change: str) -> tuple[str, str | int]:
    name, given, value = change.partition("=")
    if not given or not name or not value:
        raise typer.BadParameter(f"{change!r} is no NAME=VALUE; names are {', '.join(MEANINGS)}")
    whole = name == "orders_per_minute_max" and value.isascii() and value.isdigit()
    return name.strip(), int(value) if whole else value.strip()


def _draw(screen: "Console", answer: dict[str, Any]) -> None:
    from pilothouse.cli import show

    made = show.table("limit", ">most", "meaning")
    for name, meaning in MEANINGS.items():
        made.add_row(name, show.number(answer.get(name)), meaning)
    screen.print(made)
