"""`pilothouse limits`: what the risk gate allows at each level, changing it, and who changed it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.options import Account, Bot, Json, LevelName, Limit, Token, Url

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(invoke_without_command=True)

NOTHING = "none"
"""What takes a limit away."""


@app.callback()
def limits(
    context: typer.Context,
    *,
    account: Account = None,
    bot: Bot = None,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Show what every order of an account has to pass: the tightest of house, user, account and bot."""
    if context.invoked_subcommand is not None:
        return
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        chosen = talk.account_of(house, account)
        answer = house.get("/api/v1/limits", account=chosen["id"], bot=bot)
    show.out(answer, as_json=as_json, draw=lambda screen: _draw(screen, answer))


@app.command("set")
def set_limits(
    changes: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=VALUE...", help="Such as order_notional_max=5000; NAME=none takes a limit away.", min=1
        ),
    ],
    *,
    warn: Annotated[
        bool, typer.Option("--warn", "-w", help="At these numbers a person is told; nothing is stopped.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; it is kept with the change.")] = "by hand",
    account: Account = None,
    level: LevelName = None,
    bot: Bot = None,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Set limits; those that are not named stay. What is loosened may hold only after the delay of the house."""
    from pilothouse.cli import show, talk

    pairs = [_pair(change) for change in changes]
    asked = {name: value for name, value in pairs if value is not None}
    clear = [name for name, value in pairs if value is None]
    body: dict[str, Any] = {"warnings": asked, "clear_warnings": clear} if warn else {**asked, "clear": clear}
    with talk.open_house(url, token) as house:
        chosen = talk.account_of(house, account)
        query = {"account": chosen["id"], "level": level, "bot": bot}
        answer = house.ask("PUT", "/api/v1/limits", body={**body, "reason": reason}, query=query)
        later = [row for row in show.items(house.get("/api/v1/limits/levels")) if row["later"]]

    def draw(screen: "Console") -> None:
        _draw(screen, answer)
        _draw_later(screen, later)

    show.out(answer, as_json=as_json, draw=draw)


@app.command("levels")
def levels(*, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Show what each level says by itself, and what was loosened for later."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        answer = house.get("/api/v1/limits/levels")

    def draw(screen: "Console") -> None:
        made = show.table("level", "of", "limit", ">stop", ">warn")
        for row in show.items(answer):
            for name, value in row["limits"].items():
                warned = row["warnings"].get(name)
                if (value, warned) != (None, None):
                    of = show.short(row["scope_id"])
                    made.add_row(row["level"], of, name, _value(value), _value(warned))
        show.listed(screen, show.items(answer), made, "No level says anything: an account has the wide limits.")
        _draw_later(screen, show.items(answer))

    show.out(answer, as_json=as_json, draw=draw)


@app.command("changes")
def changes(*, limit: Limit = 20, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Show who changed which limit when, from what to what, and why; newest first."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        answer = house.pages("/api/v1/limits/changes", limit=limit)

    def draw(screen: "Console") -> None:
        for row in show.items(answer):
            name = row["name"] if row["which"] == "stop" else f"{row['name']} (warning)"
            was, became = row["was"] or NOTHING, row["became"] or NOTHING
            where = (
                row["level"] if row["level"] in {"house", "user"} else f"{row['level']} {show.short(row['scope_id'])}"
            )
            at = f"{row['at'][:19].replace('T', ' ')} UTC"
            later = f", from {row['holds_from'][:19]} on" if row["holds_from"] != row["at"] else ""
            screen.print(f"{at}  {where}  {name}: {was} -> {became}{later}", markup=False, highlight=False)
            screen.print(f"    by {row['by']}: {row['why']}", markup=False, highlight=False)
        if not show.items(answer):
            screen.print("Nobody has changed a limit yet.")

    show.out(answer, as_json=as_json, draw=draw)


@app.command("rules")
def rules() -> None:
    """Say of every rule its code, the limit that is set for it, what it asks and in which unit."""
    from pilothouse.cli import show
    from pilothouse.core.limits import RULES

    screen = show.console()
    for rule in RULES:
        screen.print(f"[bold]{rule.code}[/]  {rule.limit}", highlight=False)
        screen.print(f"    {rule.asks}; {rule.unit}", markup=False, highlight=False)


@app.command("anew")
def anew(
    *,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; it is kept with the change.")] = "by hand",
    account: Account = None,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Measure the drawdown of an account from what it is worth now on: after it was stopped by it, to go on."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        chosen = talk.account_of(house, account)
        made = house.post(f"/api/v1/accounts/{chosen['id']}/high-water", {"reason": reason})
    words = f"The drawdown of {chosen['name']} counts from {made['became']} on; before, it was from {made['was']}."
    show.out(made, as_json=as_json, draw=lambda screen: screen.print(words, markup=False))


def _pair(change: str) -> tuple[str, Any]:
    """Return name and value of a change as somebody typed it; None takes the limit away."""
    from pilothouse.core.limits import BY_LIMIT

    name, given, value = (part.strip() for part in change.partition("="))
    if not given or not name or not value:
        raise typer.BadParameter(f"{change!r} is no NAME=VALUE; names are {', '.join(BY_LIMIT)}")
    if value.lower() == NOTHING:
        return name, None
    rule = BY_LIMIT.get(name)
    if name == "symbols":
        return name, [one.strip() for one in value.split(",")]
    whole = rule is not None and rule.whole and value.isascii() and value.isdigit()
    return name, int(value) if whole else value


def _draw_later(screen: "Console", rows: list[dict[str, Any]]) -> None:
    """Say what was loosened and does not hold yet."""
    for row in rows:
        for one in row["later"]:
            kind = "" if one["which"] == "stop" else "the warning of "
            words = f"{kind}{one['name']} ({row['level']}) becomes {_value(one['value']) or NOTHING}"
            screen.print(f"Later: {words} at {one['holds_from'][:19]} UTC", markup=False, highlight=False)


def _value(value: object) -> str:
    return "" if value is None else ", ".join(value) if isinstance(value, list) else str(value)


def _draw(screen: "Console", answer: dict[str, Any]) -> None:
    from pilothouse.cli import show
    from pilothouse.core.limits import RULES

    made = show.table("limit", ">stop", ">warn", "unit")
    for rule in RULES:
        value, warned = answer.get(rule.limit), answer["warnings"].get(rule.limit)
        if (value, warned) != (None, None):
            made.add_row(rule.limit, _value(value), _value(warned), rule.unit)
    screen.print(made)
    unset = [rule.limit for rule in RULES if answer.get(rule.limit) is None]
    screen.print(f"[dim]Not limited: {', '.join(unset)}[/]")
    screen.print("[dim]What each of them asks:[/] pilothouse limits rules")
