"""`pilothouse halt`, `flatten`, `resume` and `halts`: how much of trading is stopped, where, and until when."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.options import Account, Bot, Json, LevelName, Token, Url, Yes, ask_first

if TYPE_CHECKING:
    from rich.console import Console

    from pilothouse.cli.talk import House

Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; it stands in every refusal until then.")]
Everything = Annotated[bool, typer.Option("--all", help="Every active account.")]

_DOES = {
    "no_new_exposure": "Alerts that would add are refused; closing and reducing still work, what rests stays.",
    "reduce_only": "Alerts that would add are refused, and what could add is being cancelled.",
    "cancel_all": "What rests is being cancelled, but the protection of positions; only closing still works.",
    "flatten": "Everything that rests is being cancelled and every position closed, again and again until you resume.",
}


def halt(
    *,
    reason: Reason = "by hand",
    reduce_only: Annotated[bool, typer.Option("--reduce-only", help="Cancel what rests and could add too.")] = False,
    cancel_all: Annotated[
        bool, typer.Option("--cancel-all", help="Cancel everything that rests but the protection of positions.")
    ] = False,
    account: Account = None,
    level: LevelName = None,
    bot: Bot = None,
    everything: Everything = False,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Stop new exposure at once; orders that only reduce still pass, stop-losses stay."""
    kind = "cancel_all" if cancel_all else "reduce_only" if reduce_only else "no_new_exposure"
    _stop(kind, reason, account, level, bot, everything=everything, as_json=as_json, url=url, token=token)


def flatten(
    *,
    reason: Reason = "by hand",
    account: Account = None,
    level: LevelName = None,
    bot: Bot = None,
    everything: Everything = False,
    yes: Yes = False,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Cancel what rests and close every position at the market, again and again until you resume."""
    where = "every account" if everything else f"the {level}" if level else f"bot {bot}" if bot else "the account"
    ask_first(f"Close every position of {where} at the market?", yes=yes, as_json=as_json)
    _stop("flatten", reason, account, level, bot, everything=everything, as_json=as_json, url=url, token=token)


def resume(
    *,
    account: Account = None,
    level: LevelName = None,
    bot: Bot = None,
    everything: Everything = False,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Let trade again what was halted; a halt of another level stays."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        query = _where(house, account, level, bot, everything=everything)
        made = house.ask("POST", "/api/v1/resume", query=query)
    show.out(_one(made, query), as_json=as_json, draw=lambda screen: _draw_resumed(screen, made))


def halts(*, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Show the halts that stand: where, how much they stop, since when, by whom and why."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        answer = house.get("/api/v1/halts")

    def draw(screen: "Console") -> None:
        for row in show.items(answer):
            whose = row["hook_id"] or row["account_id"]
            where = f"{row['level']} {show.short(whose)}" if whose else row["level"]
            since = f"{row['at'][:19].replace('T', ' ')} UTC"
            screen.print(f"[bold red]{where}[/]  {row['kind'].replace('_', ' ')}  since {since}", highlight=False)
            screen.print(f"    by {row['by']}: {row['reason']}", markup=False, highlight=False)
        if not show.items(answer):
            screen.print("Nothing is halted.")

    show.out(answer, as_json=as_json, draw=draw)


def _stop(
    kind: str,
    reason: str,
    account: str | None,
    level: str | None,
    bot: str | None,
    *,
    everything: bool,
    as_json: bool,
    url: str | None,
    token: str | None,
) -> None:
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        query = _where(house, account, level, bot, everything=everything)
        made = house.ask("POST", "/api/v1/halt", body={"reason": reason, "kind": kind}, query=query)
    where = f"bot {bot}" if bot else level if level in {"house", "user"} else ""

    def draw(screen: "Console") -> None:
        names = where or ", ".join(row["name"] for row in show.items(made))
        screen.print(
            f"[bold red]{_plain(names)} is halted[/]: {_plain(reason)}\n{_DOES[kind]}\n"
            "Go on with [bold]pilothouse resume[/]; [bold]pilothouse halts[/] shows what stands."
        )

    show.out(_one(made, query), as_json=as_json, draw=draw)


def _where(
    house: "House", account: str | None, level: str | None, bot: str | None, *, everything: bool
) -> dict[str, Any]:
    """Return the query that says where: a bot, a level, an account, or nothing for every account."""
    from pilothouse.cli import talk

    if bot is not None or level in {"house", "user"}:
        return {"level": level, "bot": bot}
    return {} if everything else {"account": talk.account_of(house, account)["id"]}


def _one(answer: Any, query: dict[str, Any]) -> Any:
    """Return the account alone where one was asked for, as it always was; else the list."""
    return answer["items"][0] if "account" in query and answer["items"] else answer


def _draw_resumed(screen: "Console", made: Any) -> None:
    from pilothouse.cli import show

    for row in show.items(made):
        stop = row["halt"]
        if stop is None:
            screen.print(f"[green]{_plain(row['name'])} trades again.[/]")
        else:
            why = _plain(stop["reason"])
            screen.print(f"[yellow]{_plain(row['name'])} is still halted by the {stop['level']}[/]: {why}")


def _plain(text: str) -> str:
    """Return text that somebody typed, so that brackets in it stay brackets."""
    from rich.markup import escape

    return escape(text)
