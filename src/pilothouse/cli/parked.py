"""`pilothouse parked`: messages that could not be handled and wait for a person."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.options import Json, Token, Url

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(invoke_without_command=True)


@app.callback()
def parked(context: typer.Context, *, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """List work that failed too often and was put aside, with what went wrong. With `retry` behind it: try again."""
    if context.invoked_subcommand is not None:
        return
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        answer = house.get("/api/v1/outbox/parked")
    show.out(answer, as_json=as_json, draw=lambda screen: _draw(screen, show.items(answer)))


@app.command("retry")
def retry(
    message_id: Annotated[str, typer.Argument(metavar="ID", help="The message's id.")],
    *,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Have a message handled again; once what was wrong is mended."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        made = house.post(f"/api/v1/outbox/parked/{message_id}/unpark")
    show.out(made, as_json=as_json, draw=lambda screen: screen.print(f"{message_id} is handled again."))


def _draw(screen: "Console", rows: list[dict[str, Any]]) -> None:
    from pilothouse.cli import show

    at = show.now()
    for row in rows:
        screen.print(
            show.pairs(
                [
                    ("message", str(row.get("id"))),
                    ("what", f"{row.get('topic')}, tried {row.get('attempt')} times"),
                    ("since", f"{show.age(row.get('created_at'), at)} ago"),
                    ("error", str(row.get("error"))),
                ]
            )
        )
    if not rows:
        screen.print("[green]Nothing is parked.[/]")
