"""`pilothouse audit`: where the record ends, and whether it is whole."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.options import Json, Token, Url

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(no_args_is_help=True, help="The record of everything that happened: show its ends, verify it.")


@app.command("heads")
def heads(*, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Show the last row of every chain: noted elsewhere, it proves later that nothing was cut off or written anew."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        answer = house.get("/api/v1/audit/heads")
    show.out(answer, as_json=as_json, draw=lambda screen: _draw_heads(screen, show.items(answer)))


@app.command("verify")
def verify(
    *,
    head: Annotated[
        list[str] | None,
        typer.Option("--head", metavar="CHAIN:NUMBER:HASH", help="A head that was noted elsewhere; again for more."),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Read the data folder of a house that is stopped, without its API.")
    ] = False,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Prove that nothing in the record was changed or taken away; exit code 1 if something was."""
    from pilothouse.cli import show, talk

    if offline:
        answer = _offline(head or [])
    else:
        with talk.open_house(url, token) as house:
            answer = house.get("/api/v1/audit/verify", head=head or None)
    show.out(answer, as_json=as_json, draw=lambda screen: _draw(screen, answer))
    if not answer.get("ok"):
        raise typer.Exit(1)


def _offline(noted: list[str]) -> dict[str, Any]:
    """Verify the record of a house that is stopped, every chain of it."""
    from pilothouse.api.audit import noted_heads, shown
    from pilothouse.cli import environment, offline
    from pilothouse.observability.record import anchors
    from pilothouse.observability.record.verify import verify as look

    settings = environment.settings()
    known = [*anchors.read(settings.data / anchors.FILE), *noted_heads(noted)]
    with offline.books(settings, made_by_first_start="a record") as database:
        found = database.read(lambda tx: look(tx, known))
    return shown(found, {one.chain: one.chain for one in found.chains})


def _draw_heads(screen: "Console", rows: list[dict[str, Any]]) -> None:
    from rich.text import Text

    for row in rows:
        screen.print(Text(f"{row.get('name')}", style="bold"), Text(f"  row {row.get('number')}", style="dim"))
        screen.print(Text(str(row.get("head"))), soft_wrap=True)
        if row.get("note"):
            screen.print(Text(str(row["note"]), style="dim"))
    if not rows:
        screen.print("The record is empty.")
    else:
        screen.print(Text("Keep these lines elsewhere: pilothouse audit verify --head ...", style="dim"))


def _draw(screen: "Console", answer: dict[str, Any]) -> None:
    from rich.text import Text

    for chain in answer.get("chains") or []:
        mark, style = ("✗", "bold red") if chain["faults_in_all"] else ("✓", "green")
        said = f"{chain['name']}: {chain['rows']} rows, the last one is {chain['number']} {chain['hash'][:16]}"
        screen.print(Text(f"{mark} ", style=style).append(Text(said, style="default")))
        if chain["note"]:
            screen.print(Text(f"  {chain['note']}", style="dim"))
        for fault in chain["faults"]:
            screen.print(Text(f"  {fault['words']}", style="red"))
        if chain["faults_in_all"] > len(chain["faults"]):
            screen.print(Text(f"  and {chain['faults_in_all'] - len(chain['faults'])} more", style="red"))
    compared = f"compared with {answer.get('orders')} orders and {answer.get('anchors')} heads from elsewhere"
    verdict = "[green]Nothing was changed or taken away[/]" if answer.get("ok") else "[bold red]The record is broken[/]"
    screen.print(f"{verdict}; {answer.get('rows')} rows, {compared}.")
