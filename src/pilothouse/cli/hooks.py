"""`pilothouse hooks`: the addresses that alerts come to: list, make, change, rotate, revoke, and what to paste."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.options import Account, Json, Token, Url, Yes, ask_first

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(help="Set up where alerts come in.", no_args_is_help=True)

Hook = Annotated[str, typer.Argument(metavar="HOOK", help="The hook's id, or a part of it, or its name.")]
Size = Annotated[
    str | None,
    typer.Option(
        "--size", help="For alerts that name none: 0.01 (base units), 500:quote, 10:equity%, 1:risk%; 'none'."
    ),
]
Symbols = Annotated[
    str | None, typer.Option("--symbols", help="What it may trade, such as BTCUSDT,ETHUSDT; 'all' for everything.")
]
MaxAge = Annotated[
    str | None,
    typer.Option(
        "--max-age", metavar="SECONDS", help="Refuse alerts that were sent more seconds ago; 'none' for any age."
    ),
]
Window = Annotated[
    int | None,
    typer.Option("--window", metavar="SECONDS", min=0, help="An equal alert within so many seconds is the same alert."),
]
Rate = Annotated[int | None, typer.Option("--rate", metavar="COUNT", min=1, help="Alerts within one second, at most.")]
Dry = Annotated[
    bool | None, typer.Option("--dry/--no-dry", help="Decide and show everything, send nothing.", show_default=False)
]


@app.command("list")
def list_hooks(*, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """List the hooks."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        page = house.pages("/api/v1/hooks", limit=1000)
    show.out(page, as_json=as_json, draw=lambda screen: _draw_list(screen, page["items"]))


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call it, such as 'BTC 4h breakout'.")],
    *,
    size: Size = None,
    symbols: Symbols = None,
    max_age: MaxAge = None,
    window: Window = None,
    rate: Rate = None,
    dry: Dry = None,
    account: Account = None,
    address: Annotated[
        bool, typer.Option("--address", help="Print the address alone, for scripts: hook=$(... --address).")
    ] = False,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Make a hook; its address and its secret are shown now and never again."""
    from pilothouse.cli import show, talk

    fields = _fields(size, symbols, max_age, window, rate, dry)
    with talk.open_house(url, token) as house:
        chosen = talk.account_of(house, account)
        made = house.post("/api/v1/hooks", {"name": name, "account_id": chosen["id"], **fields})
    if address and not as_json:
        typer.echo(made["url"])
        return
    show.out(made, as_json=as_json, draw=lambda screen: _draw_secrets(screen, made))


@app.command("change")
def change(
    hook: Hook,
    *,
    name: Annotated[str | None, typer.Option("--name", help="What you call it.")] = None,
    size: Size = None,
    symbols: Symbols = None,
    max_age: MaxAge = None,
    window: Window = None,
    rate: Rate = None,
    dry: Dry = None,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Change a hook; what is not named stays as it is."""
    from pilothouse.cli import show, talk

    fields = _fields(size, symbols, max_age, window, rate, dry) | ({"name": name} if name else {})
    if not fields:
        raise typer.BadParameter("say what to change, such as --dry or --symbols BTCUSDT")
    with talk.open_house(url, token) as house:
        made = house.patch(f"/api/v1/hooks/{_find(house, hook)['id']}", fields)
    show.out(made, as_json=as_json, draw=lambda screen: _draw_list(screen, [made]))


@app.command("expect")
def expect(
    hook: Hook,
    *,
    every: Annotated[
        str | None,
        typer.Option("--every", metavar="TIME", help="An alert at least so often: 90s, 5m, 4h, 1d; 'none'."),
    ] = None,
    counter: Annotated[
        bool | None,
        typer.Option("--counter/--no-counter", help="Alerts carry running numbers without a gap.", show_default=False),
    ] = None,
    position: Annotated[
        bool | None,
        typer.Option("--position/--no-position", help="The account is to hold what they say.", show_default=False),
    ] = None,
    within: Annotated[
        str | None, typer.Option("--within", metavar="TIME", help="So long it may take to hold it: 60s.")
    ] = None,
    nothing: Annotated[bool, typer.Option("--nothing", help="Expect nothing any more.")] = False,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Say what a hook is to expect, so that a missed alert raises an alarm; without options, show it."""
    from pilothouse.cli import show, talk

    wanted: dict[str, Any] = {}
    wanted |= {} if every is None else {"every_s": None if every.lower() == "none" else _span(every)}
    wanted |= {} if counter is None else {"counter": counter}
    wanted |= {} if position is None else {"position": position}
    wanted |= {} if within is None else {"within_s": _span(within)}
    with talk.open_house(url, token) as house:
        found = _find(house, hook)
        if nothing or wanted:
            known = {name: value for name, value in (found.get("expects") or {}).items() if name != "since"}
            house.patch(f"/api/v1/hooks/{found['id']}", {"expects": None if nothing else {**known, **wanted}})
        told = house.get(f"/api/v1/hooks/{found['id']}/expectation")
    show.out(told, as_json=as_json, draw=lambda screen: _draw_expectation(screen, str(found["name"]), told))


@app.command("rotate")
def rotate(
    hook: Hook,
    *,
    which: Annotated[str, typer.Option("--which", help="token (the address), secret, or both.")] = "both",
    yes: Yes = False,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Make a hook's address or secret anew; the old ones are worthless at once."""
    from pilothouse.cli import show, talk

    if which not in {"token", "secret", "both"}:
        raise typer.BadParameter(f"--which is token, secret or both, not {which!r}")
    with talk.open_house(url, token) as house:
        found = _find(house, hook)
        ask_first(
            f"Alerts with the old {_what(which)} of {found['name']!r} fail from now on. Go on?",
            yes=yes,
            as_json=as_json,
        )
        made = house.post(f"/api/v1/hooks/{found['id']}/rotate", {"which": which})
    show.out(made, as_json=as_json, draw=lambda screen: _draw_secrets(screen, made))


@app.command("revoke")
def revoke(hook: Hook, *, yes: Yes = False, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Silence a hook for good; what it did stays on record."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        found = _find(house, hook)
        ask_first(f"Revoke {found['name']!r} for good?", yes=yes, as_json=as_json)
        made = house.post(f"/api/v1/hooks/{found['id']}/revoke")
    show.out(made, as_json=as_json, draw=lambda screen: screen.print(f"{found['name']} is revoked; its alerts fail."))


_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def _span(text: str) -> int:
    """Return the seconds of `90s`, `5m`, `4h` or `1d`."""
    number, unit = text[:-1], text[-1:].lower()
    if unit not in _UNITS or not (number.isascii() and number.isdigit()):
        raise typer.BadParameter(f"a time is 90s, 5m, 4h or 1d; not {text!r}")
    return int(number) * _UNITS[unit]


def _draw_expectation(screen: "Console", name: str, told: dict[str, Any]) -> None:
    """Show what is expected of a hook and what came of it."""
    from rich.text import Text

    from pilothouse.cli import show

    expects, at = told.get("expects"), show.now()
    if not expects:
        screen.print(Text(f"Nothing is expected of {name}: a missed alert raises no alarm."))
    else:
        every = f"an alert every {show.span(expects['every_s'])}" if expects["every_s"] else ""
        counts = "running numbers without a gap" if expects["counter"] else ""
        holds = f"the position that it says, within {expects['within_s']} s" if expects["position"] else ""
        screen.print(Text(f"{name}: ", style="bold").append(", ".join(one for one in (every, counts, holds) if one)))
        rows = [("last alert", f"{show.age(told['last_at'], at)} ago" if told.get("last_at") else "none yet")]
        rows += [("last number", str(told["last_counter"]))] if told.get("last_counter") is not None else []
        rows += [("missed", f"{told['missed']} numbers")] if told.get("missed") else []
        screen.print(show.pairs(rows))
    for mark in told.get("marks") or []:
        says = f"{mark['symbol']}: it says {show.number(mark['target'])}, the account holds "
        screen.print(Text(f"{says}{show.number(mark['held'])} ({show.age(mark['at'], at)} ago)", style="dim"))
    for words in told.get("standing") or []:
        screen.print(Text(f"✗ {words}", style="red"))


def _what(which: str) -> str:
    return {"token": "address", "secret": "secret", "both": "address and secret"}[which]


def _fields(  # one for each option; all are None unless they were given
    size: str | None,
    symbols: str | None,
    max_age: str | None,
    window: int | None,
    rate: int | None,
    dry: bool | None,  # noqa: FBT001 - as above
) -> dict[str, Any]:
    """Return what was asked for, as the API takes it; what was not given is left out."""
    fields: dict[str, Any] = {"window_s": window, "rate_per_s": rate, "dry": dry}
    fields = {name: value for name, value in fields.items() if value is not None}
    if size is not None:
        fields["default_size"] = parse_size(size)
    if symbols is not None:
        fields["symbols"] = (
            None if symbols.lower() == "all" else [one.strip() for one in symbols.split(",") if one.strip()]
        )
    if max_age is not None:
        fields["max_age_s"] = None if max_age.lower() == "none" else _seconds(max_age)
    return fields


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise typer.BadParameter(f"--max-age is a whole number of seconds, or none; not {text!r}")
    return int(text)


_KINDS = {"": "quantity", "quote": "quote_amount", "equity%": "equity_percent", "risk%": "risk_percent"}


def parse_size(text: str) -> dict[str, str] | None:
    """Return a size as the API takes it: `0.01`, `500:quote`, `10:equity%`, `1:risk%`; None for `none`."""
    from pilothouse.cli.show import decimal

    if text.lower() == "none":
        return None
    value, _, kind = text.partition(":")
    if kind not in _KINDS or decimal(value) is None:
        raise typer.BadParameter(f"a size is 0.01, 500:quote, 10:equity%, 1:risk% or none; not {text!r}")
    return {"kind": _KINDS[kind], "value": value.strip()}


def size_text(size: Any) -> str:
    """Return a size in few words, as it is typed."""
    from pilothouse.cli.show import NOTHING, number

    if not isinstance(size, dict):
        return NOTHING
    unit = {kind: word for word, kind in _KINDS.items()}.get(str(size.get("kind")), "")
    return number(size.get("value")) + (f":{unit}" if unit else "")


def _find(house: Any, typed: str) -> dict[str, Any]:
    """Return the hook that was named; raises Refused with the hooks there are."""
    from pilothouse.core.errors import Refused

    rows: list[dict[str, Any]] = house.pages("/api/v1/hooks", limit=1000)["items"]
    found = [row for row in rows if typed in {row.get("id"), row.get("name")}]
    found = found or [row for row in rows if len(typed) >= 4 and typed in str(row.get("id"))]
    if len(found) != 1:
        names = ", ".join(f"{row.get('name')!r}" for row in rows) or "none"
        raise Refused(f"there is no one hook {typed!r}; there are: {names}")
    return found[0]


def _draw_list(screen: "Console", rows: list[dict[str, Any]]) -> None:
    from pilothouse.cli import show

    made = show.table("id", "*name", "state", ">size", "symbols", ">window", ">max age", ">rate")
    for row in rows:
        symbols = row.get("symbols")
        made.add_row(
            show.short(row.get("id")),
            str(row.get("name")),
            show.state("dry" if row.get("dry") and row.get("state") == "active" else row.get("state")),
            size_text(row.get("default_size")),
            "all" if not symbols else symbols[0] + (f" +{len(symbols) - 1}" if len(symbols) > 1 else ""),
            f"{row.get('window_s')}s",
            f"{row['max_age_s']}s" if row.get("max_age_s") else show.NOTHING,
            f"{show.number(row.get('rate_per_s'))}/s",
        )
    show.listed(screen, rows, made, "There is no hook. Make one: pilothouse hooks create NAME")


def _draw_secrets(screen: "Console", made: dict[str, Any]) -> None:
    """Show what is shown only once."""
    from rich.text import Text

    from pilothouse.cli import show

    screen.print(Text(f"{made.get('name')}", style="bold"), Text("  shown now and never again", style="yellow"))
    rows: list[tuple[str, Any]] = []
    if made.get("url"):
        rows.append(("address", Text(str(made["url"]), overflow="fold")))
    if made.get("secret"):
        rows.append(("secret", str(made["secret"])))
    screen.print(show.pairs(rows))
    if made.get("url"):
        screen.print(Text("Paste the address as webhook URL of your alert; it needs no secret there.", style="dim"))
    if made.get("secret"):
        screen.print(Text("The secret is for /webhook/tradingview and /webhook/tradingview-strategy.", style="dim"))
