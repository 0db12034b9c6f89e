"""`pilothouse protect`: what guards an open position, shown, set or taken away, and what is done without it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.options import EachAccount, Json, Token, Url

if TYPE_CHECKING:
    from rich.console import Console

Levels = Annotated[
    list[str] | None,
    typer.Option(
        "--take", metavar="LEVEL[:SHARE]", help="A target such as 66000:50 or 2%:50; may be given again.",
        show_default=False,
    ),
]  # fmt: skip


def protect(
    symbol: Annotated[
        str | None,
        typer.Argument(metavar="SYMBOL", help="Which position; without it, all are shown.", show_default=False),
    ] = None,
    *,
    stop: Annotated[
        str | None, typer.Option("--stop", metavar="LEVEL", help='A price, or "2%" of the entry.', show_default=False)
    ] = None,
    take: Levels = None,
    break_even_after: Annotated[
        int | None,
        typer.Option(
            "--break-even-after", metavar="N", help="The stop goes to the entry after N targets.", show_default=False
        ),
    ] = None,
    trail: Annotated[
        str | None,
        typer.Option(
            "--trail",
            metavar="DISTANCE",
            help='The stop follows: "1%", or a distance in quote currency.',
            show_default=False,
        ),
    ] = None,
    trail_from: Annotated[
        str | None, typer.Option("--trail-from", metavar="LEVEL", help="From where on it follows.", show_default=False)
    ] = None,
    time_stop: Annotated[
        int | None,
        typer.Option("--time-stop", metavar="SECONDS", help="Close the position after so long.", show_default=False),
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Guard it no longer; the position stays.")] = False,
    within: Annotated[
        int | None,
        typer.Option(
            "--within",
            metavar="SECONDS",
            help="For the account: so long without protection is too long.",
            show_default=False,
        ),
    ] = None,
    then: Annotated[
        str | None,
        typer.Option(
            "--then", metavar="WHAT", help="For the account: what is done then, flatten or alarm.", show_default=False
        ),
    ] = None,
    account: EachAccount = None,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Show what guards positions; with levels: guard one with these and nothing else, from now on."""
    from pilothouse.cli import show, talk

    asked = _asked(stop, take, break_even_after, trail, trail_from, time_stop)
    if (asked or off) and symbol is None:
        raise typer.BadParameter("say which position: pilothouse protect SYMBOL ...")
    if asked and off:
        raise typer.BadParameter("--off goes with no levels")
    with talk.open_house(url, token) as house:
        if within is not None or then is not None:
            chosen = talk.account_of(house, account)
            body = {"within_s": within, "then": then}
            policy = {name: value for name, value in body.items() if value is not None}
            told = house.ask("PUT", "/api/v1/protection/policy", body=policy, query={"account": chosen["id"]})
            if not asked and not off:
                show.out(told, as_json=as_json, draw=lambda screen: _draw_policy(screen, told))
                return
        if symbol is None:
            page = house.get("/api/v1/protection")
            if account is not None:
                chosen = talk.account_of(house, account)
                page["items"] = [row for row in page["items"] if row["account_id"] == chosen["id"]]
            show.out(page, as_json=as_json, draw=lambda screen: _draw_list(screen, page["items"]))
            return
        chosen, path = talk.account_of(house, account), f"/api/v1/positions/{symbol}/protection"
        method = "DELETE" if off else "PUT" if asked else "GET"
        one = house.ask(method, path, body=asked or None, query={"account": chosen["id"]})
    show.out(one, as_json=as_json, draw=lambda screen: _draw_one(screen, one))


def _asked(
    stop: str | None, take: list[str] | None, after: int | None, trail: str | None, trail_from: str | None,
    time_stop: int | None,
) -> dict[str, Any]:  # fmt: skip
    """Return the body that asks for it, as an alert would."""
    body: dict[str, Any] = {}
    if stop is not None:
        body["stop_loss"] = stop
    if take:
        body["take_profits"] = [_target(each) for each in take]
    if after is not None:
        body["break_even_after"] = after
    if trail is not None:
        body["trailing_stop"] = {"percent": trail} if trail.rstrip().endswith("%") else {"distance": trail}
        if trail_from is not None:
            body["trailing_stop"]["activation"] = trail_from
    elif trail_from is not None:
        raise typer.BadParameter("--trail-from goes with --trail")
    if time_stop is not None:
        body["time_stop_s"] = time_stop
    return body


def _target(text: str) -> dict[str, str]:
    level, _, share = text.partition(":")
    target = {"percent": level} if level.rstrip().endswith("%") else {"price": level}
    return {**target, "share": share} if share else target


def _draw_policy(screen: "Console", told: Mapping[str, Any]) -> None:
    done = "it is closed at the market" if told["then"] == "flatten" else "a person is told"
    screen.print(f"A position without its protection for {told['within_s']} s, and no other way: {done}.")


def _draw_list(screen: "Console", rows: list[dict[str, Any]]) -> None:
    from pilothouse.cli import show

    made = show.table("symbol", "wanted", "standing", "stands", ">without it")
    for row in rows:
        standing = ", ".join(f"{one['place']} {_trigger(one)}" for one in row["orders"]) or show.NOTHING
        made.add_row(row["symbol"], _wanted(row), standing, _yes(row), f"{row['unprotected_total_s']} s")
    show.listed(screen, rows, made, "Nothing is held, so nothing is guarded.")


def _draw_one(screen: "Console", row: Mapping[str, Any]) -> None:
    from pilothouse.cli import show

    screen.print(f"[bold]{row['symbol']}[/]  {_wanted(row)}  stands: {_yes(row)}", highlight=False)
    made = show.table("place", "type", ">trigger", ">size", "state")
    for one in row["orders"]:
        made.add_row(
            one["place"],
            one["type"],
            _trigger(one),
            "all" if one["whole_position"] else show.number(one["remaining"]),
            one["state"],
        )
    for place in row["kept_by_the_house"]:
        made.add_row(place, "kept by the house", show.NOTHING, show.NOTHING, "watched")
    if row["orders"] or row["kept_by_the_house"]:
        screen.print(made)
    if row["trails_by"] == "venue":
        screen.print("The trailing stop is the venue's own order: it follows while this house is off, too.")
    if row["trails_because"]:
        screen.print(f"The trailing stop is ours, because {row['trails_because']}: the house moves the stop.")


def _trigger(order: Mapping[str, Any]) -> str:
    """Return at what price an order fires, or how far it trails."""
    from pilothouse.cli import show

    if not order["trail_percent"]:
        return show.number(order["stop_price"])
    begins = f" from {show.number(order['stop_price'])}" if order["stop_price"] else ""
    return f"{show.number(order['trail_percent'])} % behind{begins}"


def _wanted(row: Mapping[str, Any]) -> str:
    """Return what is asked for, in one line."""
    wanted = row.get("wanted")
    if not wanted:
        return "nothing guards it"
    said = []
    if wanted.get("stop_loss"):
        said.append(f"stop {_level(wanted['stop_loss'])}")
    for target in wanted.get("targets") or ():
        share = f" for {target['share']} %" if target.get("share") else ""
        said.append(f"target {_level(target['level'])}{share}")
    if wanted.get("break_even_after"):
        said.append(f"break-even after {wanted['break_even_after']}")
    if wanted.get("trailing"):
        said.append(f"trailing {_level(wanted['trailing'])}")
    if wanted.get("time_stop_s"):
        said.append(f"closed after {wanted['time_stop_s']} s")
    return ", ".join(said)


def _level(level: Mapping[str, Any]) -> str:
    if level.get("percent"):
        return f"{level['percent']} %"
    return str(level.get("price") or f"{level.get('distance')} away")


def _yes(row: Mapping[str, Any]) -> str:
    if row.get("wanted") is None:
        return "-"
    stands = row.get("stands")
    return "[yellow]nobody can say[/]" if stands is None else "[green]yes[/]" if stands else "[red]no[/]"
