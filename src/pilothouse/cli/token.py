"""`pilothouse token`: operator tokens of the API: list, issue, revoke."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.options import Json, Token, Url, Yes, ask_first

if TYPE_CHECKING:
    from rich.console import Console

    from pilothouse.cli.talk import House
    from pilothouse.kit.settings import Settings

app = typer.Typer(help="Issue and revoke tokens for the API.", no_args_is_help=True)

SCOPES = ("read", "trade", "admin")


@app.command("list")
def list_tokens(*, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """List the tokens; what they are was shown once, when they were issued."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        page = house.pages("/api/v1/tokens", limit=1000)
    show.out(page, as_json=as_json, draw=lambda screen: _draw(screen, page["items"]))


@app.command("issue")
def issue(
    label: Annotated[str, typer.Argument(metavar="LABEL", help="Who or what will use it.")],
    *,
    scopes: Annotated[
        str, typer.Option("--scopes", help="What it is good for: read,trade,admin.")
    ] = "read,trade,admin",
    offline: Annotated[
        bool,
        typer.Option("--offline", help="Write it into the data folder of a house that is stopped: the way back in."),
    ] = False,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Issue a token; it is shown now and never again."""
    from pilothouse.cli import environment, show, talk

    wanted = [one.strip() for one in scopes.split(",") if one.strip()]
    wrong = [one for one in wanted if one not in SCOPES]
    if wrong or not wanted:
        raise typer.BadParameter(f"--scopes is a list of {', '.join(SCOPES)}; not {scopes!r}")
    if offline:
        made = _issue_offline(environment.settings(), label, wanted)
    else:
        with talk.open_house(url, token) as house:
            made = house.post("/api/v1/tokens", {"label": label, "scopes": wanted})
    show.out(made, as_json=as_json, draw=lambda screen: _draw_secret(screen, made))


@app.command("revoke")
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The token's id, or a part of it, or its label.")],
    *,
    yes: Yes = False,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Make a token worthless from now on."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        found = _find(house, token_id)
        ask_first(f"Revoke the token {found.get('label')!r}?", yes=yes, as_json=as_json)
        made = house.post(f"/api/v1/tokens/{found['id']}/revoke")
    show.out(made, as_json=as_json, draw=lambda screen: screen.print(f"{found.get('label')} is worthless from now on."))


def _issue_offline(settings: "Settings", label: str, scopes: list[str]) -> dict[str, Any]:
    """Issue a token without the API: whoever may write the data folder owns the house anyway.

    Raises HouseTaken while it runs: then the API is the way, and first-steps.json has a token.
    """
    from pilothouse.accounts import tokens, trading_accounts
    from pilothouse.accounts.access import Scope
    from pilothouse.cli import offline
    from pilothouse.core.errors import Refused

    with offline.books(settings, made_by_first_start="a token") as database:
        owners = {account.owner_id for account in database.read(trading_accounts.active_accounts)}
        if len(owners) != 1:
            raise Refused(f"this data folder has {len(owners)} owners of accounts: nobody can say whose token it is")
        owner, now = owners.pop(), database.clock.now()
        wanted = [Scope(one) for one in scopes]
        made, plain = database.write(
            lambda tx: tokens.issue(tx, owner_id=owner, label=label, scopes=wanted, now=now, who="cli"), name="token"
        )
    return {"id": made.id, "label": made.label, "scopes": scopes, "token": plain.reveal()}


def _find(house: "House", typed: str) -> dict[str, Any]:
    from pilothouse.core.errors import Refused

    rows: list[dict[str, Any]] = house.pages("/api/v1/tokens", limit=1000)["items"]
    found = [row for row in rows if typed in {row.get("id"), row.get("label")}]
    found = found or [row for row in rows if len(typed) >= 4 and typed in str(row.get("id"))]
    if len(found) != 1:
        raise Refused(f"there is no one token {typed!r}; `pilothouse token list` shows them")
    return found[0]


def _draw(screen: "Console", rows: list[dict[str, Any]]) -> None:
    from pilothouse.cli import show

    made = show.table("id", "*label", "scopes", ">age", "state")
    at = show.now()
    for row in rows:
        made.add_row(
            show.short(row.get("id")),
            str(row.get("label")),
            ", ".join(row.get("scopes") or []),
            show.age(row.get("created_at"), at),
            show.state("revoked" if row.get("revoked_at") else "ok"),
        )
    show.listed(screen, rows, made, "There is no token.")


def _draw_secret(screen: "Console", made: dict[str, Any]) -> None:
    from rich.text import Text

    screen.print(Text(f"{made.get('label')}", style="bold"), Text("  shown now and never again", style="yellow"))
    screen.print(Text(str(made.get("token"))), soft_wrap=True)
