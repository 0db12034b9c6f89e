"""`pilothouse invariants`: ask now what must always be true."""

from typing import TYPE_CHECKING, Any

import typer

from pilothouse.cli.options import Json, Token, Url

if TYPE_CHECKING:
    from rich.console import Console

_MARKS = {"breach": ("✗", "bold red"), "late": ("!", "yellow"), "waiting": ("·", "dim")}


def invariants(*, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Ask every law of the house now; exit code 1 if one does not hold. The house asks them by itself each minute."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        answer = house.get("/api/v1/invariants")
    rows = show.items(answer)
    show.out(answer, as_json=as_json, draw=lambda screen: _draw(screen, rows))
    if any(one["gravity"] != "waiting" for row in rows for one in row["findings"]):
        raise typer.Exit(1)


def _draw(screen: "Console", rows: list[dict[str, Any]]) -> None:
    from rich.text import Text

    for row in rows:
        gravities = [str(one["gravity"]) for one in row["findings"]]
        worst = next((one for one in _MARKS if one in gravities), None)
        mark, style = _MARKS[worst] if worst else ("✓", "green")
        screen.print(Text(f"{mark} ", style=style).append(Text(str(row["question"]), style="default")))
        for one in row["findings"]:
            screen.print(Text(f"    {one['words']}", style=_MARKS[str(one["gravity"])][1]))
