"""`pilothouse paper`: what only a paper account can do."""

import typer

from pilothouse.cli.options import Account, Json, Token, Url, Yes, ask_first

app = typer.Typer(help="What only paper accounts can do.", no_args_is_help=True)


@app.command("reset")
def reset(
    *, account: Account = None, yes: Yes = False, as_json: Json = False, url: Url = None, token: Token = None
) -> None:
    """Start a paper account over with its first deposit; its history is kept."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        chosen = talk.account_of(house, account)
        ask_first(f"Cancel and close everything of {chosen['name']} and start it over?", yes=yes, as_json=as_json)
        made = house.post(f"/api/v1/accounts/{chosen['id']}/reset")
    show.out(
        made,
        as_json=as_json,
        draw=lambda screen: screen.print(
            f"{chosen['name']} starts over (simulated money). What it did before is kept: pilothouse fills"
        ),
    )
