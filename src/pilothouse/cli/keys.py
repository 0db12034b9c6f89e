"""`pilothouse keys`: the key that seals the credentials of venue accounts: how it is, and another one in its place."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.options import Json, Token, Url, Yes, ask_first

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(help="Look after the key that seals the credentials of venue accounts.", no_args_is_help=True)

Offline = Annotated[
    bool, typer.Option("--offline", help="Work on the data folder of a house that is stopped, without its API.")
]


@app.command("status")
def status(*, offline: Offline = False, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Show where the key comes from, how many credentials it seals, and which older keys are kept."""
    from pilothouse.cli import show, talk

    if offline:
        found = _offline("status")
    else:
        with talk.open_house(url, token) as house:
            found = house.get("/api/v1/keys")
    show.out(found, as_json=as_json, draw=lambda screen: _draw(screen, found))


@app.command("rotate")
def rotate(*, offline: Offline = False, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Seal every credential with a new key; the old key is kept until `keys forget-old`. Killed, it loses nothing."""
    from pilothouse.cli import show, talk

    if offline:
        made = _offline("rotate")
    else:
        with talk.open_house(url, token) as house:
            made = house.post("/api/v1/keys/rotate")
    show.out(made, as_json=as_json, draw=lambda screen: _draw(screen, made))


@app.command("forget-old")
def forget_old(
    *, offline: Offline = False, yes: Yes = False, as_json: Json = False, url: Url = None, token: Token = None
) -> None:
    """Delete older keys for good; copies of the database from before the rotation do not open afterwards."""
    from pilothouse.cli import show, talk

    question = "Delete the older keys for good? Copies of the database from before the rotation will not open."
    ask_first(question, yes=yes, as_json=as_json)
    if offline:
        made = _offline("forget-old")
    else:
        with talk.open_house(url, token) as house:
            made = house.post("/api/v1/keys/forget-old")
    gone = ", ".join(made["forgotten"]) or "there was none"
    show.out(made, as_json=as_json, draw=lambda screen: screen.print(f"Forgotten: {gone}."))


def _offline(what: str) -> dict[str, Any]:
    """Do it on the data folder itself. Raises HouseTaken while the house runs."""
    from dataclasses import asdict

    from pilothouse.accounts import users
    from pilothouse.cli import environment, offline
    from pilothouse.wiring import sealing_key

    settings = environment.settings()
    with offline.books(settings, made_by_first_start="a key") as database:
        place = sealing_key.SealingKey.of(settings)
        sealer, clock = place.sealer(), database.clock
        owner = database.write(lambda tx: users.ensure_operator(tx, now=clock.now()), name="operator").id
        if what == "forget-old":
            gone = sealing_key.forget_old(database, place, sealer, clock, owner_id=owner, by="cli")
            return {"forgotten": gone}
        if what == "rotate":
            return asdict(sealing_key.rotate(database, place, sealer, clock, owner_id=owner, by="cli"))
        return asdict(database.read(lambda tx: sealing_key.state(tx, place, sealer)))


def _draw(screen: "Console", found: dict[str, Any]) -> None:
    from pilothouse.cli import show

    where = found.get("path") or "PILOTHOUSE_SEALING_KEY"
    older = found.get("older") or []
    rows: list[tuple[str, Any]] = [
        ("key", f"{found['key_id']}, from {where}"),
        ("seals", f"{found['sealed'] - found['sealed_older']} of {found['sealed']} credentials"),
        ("older keys", ", ".join(older) or "none"),
    ]
    screen.print(show.pairs(rows))
    if found.get("sealed_lost"):
        screen.print(f"[bold red]{found['sealed_lost']} credentials open with no key that is known here.[/]")
    if found.get("unfinished"):
        screen.print("[yellow]A rotation was begun and not finished: pilothouse keys rotate[/]")
    elif older and not found.get("sealed_older"):
        screen.print("[dim]Nothing needs the older keys any more: pilothouse keys forget-old[/]")
