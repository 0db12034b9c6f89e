"""`pilothouse alarm`: try the addresses that alarms go to, see what was told, hear no more of one that was seen."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.options import Json, Limit, Token, Url

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(no_args_is_help=True, help="Alarms: try where they go, see what was told, hear no more of one.")


@app.command("test")
def try_addresses(
    *,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="ADDRESS",
            help="Try this address alone, or @FILE that holds it: others on this machine can read arguments. "
            "Without it: all in PILOTHOUSE_ALARM_URLS.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Send a test alarm to every address, and say which of them took it; exit code 1 if one did not."""
    from pathlib import Path

    from pilothouse.cli import show, talk

    address = Path(to[1:]).read_text(encoding="utf-8").strip() if to and to.startswith("@") else to
    with talk.open_house(url, token) as house:
        answer = house.post("/api/v1/alarms/test", {"url": address} if address else {})
    show.out(answer, as_json=as_json, draw=lambda screen: _draw_tried(screen, answer["tried"]))
    if answer["arrived"] < len(answer["tried"]):
        raise typer.Exit(1)


@app.command("list")
def list_(
    *,
    open_only: Annotated[bool, typer.Option("--open", help="Only those that are not over.")] = False,
    limit: Limit = 20,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """List alarms, newest first: what was raised, who was told when, and what did not arrive."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        page = house.pages("/api/v1/alarms", limit=limit, open="true" if open_only else None)
    show.out(page, as_json=as_json, draw=lambda screen: _draw(screen, page["items"]))


@app.command("ack")
def ack(
    alarm_id: Annotated[str, typer.Argument(metavar="ID", help="The alarm's id.")],
    *,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Hear no more of an alarm until it is over and begins anew."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        made = house.post(f"/api/v1/alarms/{alarm_id}/acknowledge")
    words = f"{made['headline']}: it is not told again until it is over."
    show.out(made, as_json=as_json, draw=lambda screen: screen.print(words, markup=False))


def _draw_tried(screen: "Console", rows: list[dict[str, Any]]) -> None:
    from rich.markup import escape

    for row in rows:
        if row["arrived"]:
            screen.print(f"[green]✓[/] {escape(row['to'])} took it")
        else:
            screen.print(f"[red]✗[/] {escape(row['to'])} did not: {escape(row['error'])}")


def _draw(screen: "Console", rows: list[dict[str, Any]]) -> None:
    from rich.text import Text

    from pilothouse.cli import show

    at = show.now()
    for row in rows:
        told = row["told"]
        missed = [one for one in told if one["state"] != "arrived"]
        reached = f"{len(told) - len(missed)} of {len(told)} arrived" if told else "no address is set"
        if missed:
            reached += "; " + "; ".join(f"{one['to']}: {one['error'] or 'waits'}" for one in missed[-3:])
        where = " ".join(each for each in (row["about"], row["account_id"]) if each)
        screen.print(
            show.pairs(
                [
                    (row["grade"], Text(f"{row['headline']}{f' ({where})' if where else ''}", style="bold")),
                    ("alarm", Text(f"{row['id']}, {row['state']}")),
                    ("what", Text(row["message"])),
                    ("do", Text(row["todo"])),
                    ("since", Text(f"{show.age(row['first_at'], at)} ago, raised {row['times']} times")),
                    ("told", Text(reached)),
                ]
            )
        )
    if not rows:
        screen.print("[green]No alarm was raised.[/]")
