"""`pilothouse halt` and `pilothouse resume`: no new exposure on an account until somebody says so."""

from typing import Annotated

import typer

from pilothouse.cli.options import Account, Json, Token, Url


def halt(
    *,
    reason: Annotated[
        str, typer.Option("--reason", "-r", help="Why; it stands in every refusal until then.")
    ] = "by hand",
    account: Account = None,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Stop new exposure on an account at once; orders that only reduce still pass, stop-losses stay."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        chosen = talk.account_of(house, account)
        made = house.post(f"/api/v1/accounts/{chosen['id']}/halt", {"reason": reason})
    show.out(
        made,
        as_json=as_json,
        draw=lambda screen: screen.print(
            f"[bold red]{chosen['name']} is halted[/]: {_plain(reason)}\n"
            "Alerts that would add are refused; closing and reducing still work.\n"
            "Go on with [bold]pilothouse resume[/]."
        ),
    )


def resume(*, account: Account = None, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Let an account that was halted trade again."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        chosen = talk.account_of(house, account)
        made = house.post(f"/api/v1/accounts/{chosen['id']}/resume")
    show.out(made, as_json=as_json, draw=lambda screen: screen.print(f"[green]{chosen['name']} trades again.[/]"))


def _plain(text: str) -> str:
    """Return text that somebody typed, so that brackets in it stay brackets."""
    from rich.markup import escape

    return escape(text)
