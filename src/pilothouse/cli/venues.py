"""`pilothouse venues`: where accounts may be, what each venue can do here, and what it leaves out."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.options import Json, Token, Url

if TYPE_CHECKING:
    from rich.console import Console


def venues(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show the card of this one.")] = None,
    *,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """List the venues; with a name, show what it can do here, what is to do, and what is left out and why."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        if name is None:
            page = house.get("/api/v1/venues")
            show.out(page, as_json=as_json, draw=lambda screen: _draw(screen, page["items"]))
            return
        card = house.get(f"/api/v1/venues/{name}")
    show.out(card, as_json=as_json, draw=lambda screen: _draw_card(screen, card))


def _draw(screen: "Console", rows: list[dict[str, Any]]) -> None:
    from pilothouse.cli import show

    made = show.table("name", "*title", ">done", ">to do", ">left out", "key")
    for row in rows:
        states = [each["state"] for each in row["capabilities"]]
        made.add_row(
            str(row["name"]),
            str(row["title"]),
            *(str(states.count(state)) for state in ("done", "to do", "exempt")),
            ", ".join(each["name"] for each in row["credential_fields"]) or "none needed",
        )
    show.listed(screen, rows, made, "There is no venue.")
    screen.print("[dim]Any other exchange that CCXT knows by its id; paper-NAME is paper money on NAME's prices.[/]")


def _draw_card(screen: "Console", card: dict[str, Any]) -> None:
    from rich.text import Text

    from pilothouse.cli import show

    window = card.get("acceptance_window_s")
    fields = "\n".join(f"{each['name']}: {each['words']}" for each in card["credential_fields"])
    rows: list[tuple[str, Any]] = [
        ("venue", Text(f"{card['name']}  {card['title']}", style="bold")),
        ("market", "simulated" if card["simulated"] else "real"),
        ("a lost order", f"is certain after {show.number(window)} s" if window else "is asked about for ever"),
        ("credential", fields or "none needed"),
    ]
    screen.print(show.pairs(rows))
    marks = {"done": ("✓", "green"), "to do": ("…", "yellow"), "exempt": ("–", "dim")}
    for each in card["capabilities"]:
        mark, style = marks.get(each["state"], ("?", "yellow"))
        line = Text(f"{mark} ", style=style).append(each["name"], style="" if style == "green" else style)
        if each["reason"]:
            line.append(f": {each['reason']}", style="dim")
        screen.print(line)
