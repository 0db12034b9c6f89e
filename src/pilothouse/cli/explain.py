"""`pilothouse explain` and `pilothouse replay`: the story of one order, and whether it would be decided so again."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.options import Json, Token, Url

if TYPE_CHECKING:
    from rich.console import Console

OrderId = Annotated[str, typer.Argument(metavar="ORDER", help="The order's id, or the part of it that lists show.")]


def explain(order_id: OrderId, *, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Tell the story of one order from the record, in words with times: from its alert to its entries."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        whole = talk.whole_id(house, "/api/v1/orders", order_id)
        told = house.get(f"/api/v1/orders/{whole}/story")
    show.out(told, as_json=as_json, draw=lambda screen: _draw_story(screen, told))


def replay(order_id: OrderId, *, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Decide one order again from the record; exit code 1 if the answer is another one, or cannot be found out."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        whole = talk.whole_id(house, "/api/v1/orders", order_id)
        found = house.get(f"/api/v1/orders/{whole}/replay")
    show.out(found, as_json=as_json, draw=lambda screen: _draw_replay(screen, found))
    if found.get("same") is not True:
        raise typer.Exit(1)


def _draw_story(screen: "Console", told: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    from pilothouse.cli import show
    from pilothouse.cli.timeline import clock_text, order_words

    order, lines = told["order"], told["told"]
    screen.print(Text(f"{order_words(order)}  ", style="bold").append(show.state(order.get("state"))))
    if not told.get("is_recorded"):
        screen.print(Text("It is older than the record: this is its timeline, which proves nothing.", style="yellow"))
    began: datetime | None = None
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for line in lines:
        at = show.instant(line.get("at"))
        began = began or at
        since = clock_text(max(at - began, at - at)) if at is not None and began is not None else ""
        clock = at.strftime("%H:%M:%S.%f")[:-3] if at is not None else ""
        grid.add_row(clock, since, Text(str(line.get("words"))))
    if began is not None:
        screen.print(Text(f"{began:%Y-%m-%d} UTC", style="dim"))
    screen.print(grid)
    last = next((line for line in reversed(lines) if line.get("hash")), None)
    if last is not None:
        row = f"The last of it is row {last['number']} of the record, {str(last['hash'])[:16]}."
        screen.print(Text(f"{row} pilothouse audit verify proves that it is whole.", style="dim"))


def _draw_replay(screen: "Console", found: dict[str, Any]) -> None:
    import json

    from rich.text import Text

    for one in found.get("judgements") or []:
        mark, style = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("?", "yellow")}[one.get("same")]
        screen.print(Text(f"{mark} ", style=style).append(Text(f"{one['rule']}: {one['words']}", style="default")))
        if one.get("same") is False:
            screen.print(Text(f"  then  {json.dumps(one.get('then'), ensure_ascii=False)}", style="dim"))
            screen.print(Text(f"  now   {json.dumps(one.get('now'), ensure_ascii=False)}", style="dim"))
    said = {
        True: "[green]It would be decided the same today.[/]",
        False: "[bold red]It would be decided otherwise today.[/]",
        None: "[yellow]It cannot be said: the record holds no judgement of it that can be asked again.[/]",
    }
    screen.print(said[found.get("same")])
