"""`pilothouse account`: trading accounts: where they are, what they are worth, with which key, and if they send."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.options import Json, Token, Url, Yes, ask_first

if TYPE_CHECKING:
    from rich.console import Console

    from pilothouse.cli.talk import House

app = typer.Typer(
    help="Set up trading accounts: add, test, arm, disarm, remove, and what they are worth.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The account, by name or id.")]
CredentialsFile = Annotated[
    Path | None,
    typer.Option("--credentials-file", metavar="FILE", help="JSON or NAME=value lines with the parts; mode 0600."),
]
Reason = Annotated[str | None, typer.Option("--reason", "-r", help="Why; it stands in the record of who did what.")]
AllowWithdrawals = Annotated[
    bool, typer.Option("--allow-withdrawals", help="Take a key that may withdraw. A desk never needs that right.")
]


@app.command("list")
def list_accounts(*, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Show every trading account: where, real or paper, what it is worth."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        page = house.pages("/api/v1/accounts", limit=1000)
        for row in page["items"]:
            row["worth"] = _worth(house, row)
    show.out(page, as_json=as_json, draw=lambda screen: _draw(screen, page["items"]))


@app.command("show")
def show_account(name: Name, *, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Show one account: venue, key (never the key itself), whether it sends, and what its venue said of it."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        row = talk.account_of(house, name)
    show.out(row, as_json=as_json, draw=lambda screen: _draw_one(screen, row))


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call it, such as main.")],
    *,
    venue: Annotated[
        str, typer.Option("--venue", "-v", help="Where: see `pilothouse venues`; paper-NAME rides on NAME.")
    ],
    mode: Annotated[
        str | None, typer.Option("--mode", help="paper, testnet or live. Without it: what follows from the venue.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Real money is meant. It begins disarmed.")] = False,
    base_url: Annotated[
        str | None, typer.Option("--base-url", metavar="URL", help="Another address, as of a simulated exchange.")
    ] = None,
    stream_url: Annotated[
        str | None, typer.Option("--stream-url", metavar="URL", help="Another one for streams.")
    ] = None,
    credentials_file: CredentialsFile = None,
    allow_withdrawals: AllowWithdrawals = False,
    deposit: Annotated[
        str | None, typer.Option("--deposit", metavar="AMOUNT", help="First deposit of a paper account.")
    ] = None,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Add an account: it is tried at its venue first, and what was found is shown. Keys are never typed as arguments.

    They come from --credentials-file, from variables (ASTERDEX_USER_ADDRESS, ASTERDEX_SIGNER_ADDRESS,
    ASTERDEX_PRIVATE_KEY; BINANCE_API_KEY, BINANCE_API_SECRET; else CREDENTIAL_ and the part's name in capitals), or you
    are asked for them.
    """
    from pilothouse.cli import credentials, environment, show, talk

    with talk.open_house(url, token) as house:
        _refuse_open_way(house)
        fields = house.get(f"/api/v1/venues/{venue.partition('@')[0]}")["credential_fields"]
        body: dict[str, Any] = {
            "name": name,
            "venue": venue,
            "mode": mode,
            "live": live or None,
            "base_url": base_url,
            "stream_url": stream_url,
            "allow_withdrawals": allow_withdrawals or None,
            "deposit": deposit,
        }
        body = {each: value for each, value in body.items() if value is not None}
        body["credentials"] = (
            credentials.collect(fields, venue, credentials_file, environment.environment()) if fields else {}
        )
        made = house.post("/api/v1/accounts", body)
    show.out(made, as_json=as_json, draw=lambda screen: _draw_one(screen, made))


@app.command("test")
def try_again(
    name: Name,
    *,
    allow_withdrawals: AllowWithdrawals = False,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Ask the venue about an account again: clock, permissions, balance, position mode."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        chosen = talk.account_of(house, name)
        made = house.post(f"/api/v1/accounts/{chosen['id']}/test", {"allow_withdrawals": allow_withdrawals})
    show.out(made, as_json=as_json, draw=lambda screen: _draw_one(screen, made))


@app.command("key")
def replace_key(
    name: Name,
    *,
    credentials_file: CredentialsFile = None,
    allow_withdrawals: AllowWithdrawals = False,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Put another key of the same account in the place of the old one: tried first; until it passes, the old stays.

    It comes from where `account add` takes it. An account that is armed stays armed.
    """
    from pilothouse.cli import credentials, environment, show, talk

    with talk.open_house(url, token) as house:
        _refuse_open_way(house)
        chosen = talk.account_of(house, name)
        venue = str(chosen["venue"]).partition("@")[0]
        fields = house.get(f"/api/v1/venues/{venue}")["credential_fields"]
        parts = credentials.collect(fields, venue, credentials_file, environment.environment()) if fields else {}
        body = {"credentials": parts, "allow_withdrawals": allow_withdrawals}
        made = house.put(f"/api/v1/accounts/{chosen['id']}/credentials", body)
    show.out(made, as_json=as_json, draw=lambda screen: _draw_one(screen, made))


@app.command("rename")
def rename(
    name: Name,
    new_name: Annotated[str, typer.Argument(metavar="NEW", help="What you call it from now on.")],
    *,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Call an account something else."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        chosen = talk.account_of(house, name)
        made = house.patch(f"/api/v1/accounts/{chosen['id']}", {"name": new_name})
    show.out(made, as_json=as_json, draw=lambda screen: screen.print(f"{name} is now {new_name}.", markup=False))


@app.command("arm")
def arm(
    name: Name,
    *,
    reason: Reason = None,
    yes: Yes = False,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Let a live account send orders from now on: real money. Its venue is asked about it once more first."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        chosen = talk.account_of(house, name)
        question = f"From now on every alert for {chosen['name']} trades real money at {chosen['venue']}. Go on?"
        ask_first(question, yes=yes, as_json=as_json)
        made = house.post(f"/api/v1/accounts/{chosen['id']}/arm", {"reason": reason} if reason else {})
    show.out(made, as_json=as_json, draw=lambda screen: _draw_one(screen, made))


@app.command("disarm")
def disarm(name: Name, *, reason: Reason = None, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Keep a live account from sending orders, closing ones too. What stands at the venue stays there."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        chosen = talk.account_of(house, name)
        made = house.post(f"/api/v1/accounts/{chosen['id']}/disarm", {"reason": reason} if reason else {})
    words = f"{chosen['name']} is disarmed: everything is shown and decided, nothing is sent."
    show.out(made, as_json=as_json, draw=lambda screen: screen.print(words, markup=False))


@app.command("remove")
def remove(
    name: Name,
    *,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also in use: its orders are cancelled first, stop-losses too; positions stay."),
    ] = False,
    leave_orders: Annotated[
        bool, typer.Option("--leave-orders", help="With --force: do not ask the venue; orders stay, unwatched.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Close an account for good: its hooks fall silent, its keys are forgotten, its history stays."""
    from pilothouse.cli import show, talk

    with talk.open_house(url, token) as house:
        chosen = talk.account_of(house, name)
        ask_first(f"Remove {chosen['name']} for good?", yes=yes, as_json=as_json)
        made = house.ask(
            "DELETE", f"/api/v1/accounts/{chosen['id']}", query={"force": force, "leave_orders": leave_orders}
        )
    show.out(made, as_json=as_json, draw=lambda screen: _draw_removed(screen, made))


def _refuse_open_way(house: "House") -> None:
    """Raise Refused if what is sent could be read on its way: keys travel."""
    from urllib.parse import urlsplit

    from pilothouse.cli.talk import is_far
    from pilothouse.core.errors import Refused

    if is_far(house.way.url) and urlsplit(house.way.url).scheme != "https":
        raise Refused(
            f"{house.way.url} is not on this machine and has no TLS: keys are not sent there. Use https, or run this "
            "command on the machine of the house"
        )


def _worth(house: "House", account: dict[str, Any]) -> Any:
    """Return what an account is worth, or None where nobody can say now."""
    from pilothouse.cli.show import items
    from pilothouse.cli.talk import Answered

    if account.get("state", "active") != "active":
        return None
    try:
        return next(iter(items(house.get("/api/v1/balances", account=account["id"]))), None)
    except Answered:
        return None


def money(row: dict[str, Any]) -> str:
    """Return in a word whether an account's money is real, and whether it sends."""
    if row.get("simulated"):
        return "simulated"
    mode = str(row.get("mode"))
    return mode if mode != "live" else "LIVE, armed" if row.get("may_send") else "live, disarmed"


_HEARD = {"live": "live", "catching_up": "catching up", "lost": "LOST"}


def heard_in_a_word(row: dict[str, Any]) -> str:
    """Return how well an account is heard at its venue; a dash where there is nothing to listen to."""
    from pilothouse.cli import show

    stream = row.get("stream") or {}
    return _HEARD.get(str(stream.get("state")), show.NOTHING)


def heard(row: dict[str, Any]) -> str:
    """Return how well an account is heard at its venue, since when, and what follows from it."""
    from pilothouse.cli import show

    stream = row.get("stream")
    if not stream:
        return "inside of this house" if row.get("state", "active") == "active" else show.NOTHING
    age = show.age(stream.get("since"), show.now())
    since = "since just now" if age == "now" else f"for {age}"
    if stream["state"] == "live":
        return f"live, {since}"
    if not stream.get("compared_at"):
        return "not yet: nothing that adds exposure is decided before"
    return f"{_HEARD[stream['state']]}, not heard {since}: nothing that adds exposure is decided"


def _draw(screen: "Console", rows: list[dict[str, Any]]) -> None:
    from pilothouse.cli import show

    made = show.table("name", "*venue", "money", "state", "heard", ">wallet", ">open result", ">equity")
    for row in rows:
        worth = row.get("worth") or {}
        made.add_row(
            str(row.get("name")),
            str(row.get("venue")),
            money(row),
            show.state("halted" if row.get("halt") else row.get("state")),
            heard_in_a_word(row),
            show.money(worth.get("wallet")),
            show.gain(worth.get("unrealised")),
            show.money(worth.get("equity")),
        )
    show.listed(screen, rows, made, "There is no account. The first start makes one: pilothouse up")


def _draw_one(screen: "Console", row: dict[str, Any]) -> None:
    from rich.text import Text

    from pilothouse.cli import show

    test = row.get("test") or {}
    found = row.get("found") or test.get("found") or {}
    key = row.get("key") or {}
    rows: list[tuple[str, Any]] = [
        ("account", f"{row['name']}  ({row['id']})"),
        ("venue", str(row["venue"])),
        ("market", str(row.get("market"))),
        ("money", money(row)),
        ("heard", heard(row)),
        ("key", f"{key['label']} ({', '.join(key['parts'])})" if key else show.NOTHING),
        ("tested", _tested(row, test)),
    ]
    if found:
        rows += [
            ("clock", f"venue {found['clock_ahead_ms']} ms ahead"),
            ("may trade", _truth(found["may_trade"])),
            ("may withdraw", _truth(found["may_withdraw"])),
            ("position mode", str(found["position_mode"]).replace("_", "-")),
            (
                "balance",
                f"{show.number(found['wallet'])} {found['asset']}, {show.number(found['available'])} available",
            ),
            ("positions", ", ".join(f"{each['quantity']} {each['symbol']}" for each in found["positions"]) or "none"),
        ]
    screen.print(show.pairs(rows))
    for warning in row.get("warnings") or []:
        screen.print(Text(f"! {warning}", style="yellow"))


def _tested(row: dict[str, Any], test: dict[str, Any]) -> str:
    from pilothouse.cli import show

    if row.get("simulated"):
        return "nothing to test: paper money"
    if not test:
        return "not yet tested: the venue did not answer so far"
    age = show.age(test.get("at"), show.now())
    at = "just now" if age == "now" else f"{age} ago"
    return f"passed, {at}" if test.get("passed") else f"DID NOT PASS, {at}: {test.get('message')}"


def _truth(value: object) -> str:
    return "the venue does not say" if value is None else "yes" if value else "no"


def _draw_removed(screen: "Console", row: dict[str, Any]) -> None:
    from rich.text import Text

    hooks = ", ".join(row.get("hooks_revoked") or [])
    screen.print(f"{row['name']} is removed; its keys are forgotten.", markup=False)
    if hooks:
        screen.print(f"Its hooks are revoked: {hooks}.", markup=False)
    for warning in row.get("warnings") or []:
        screen.print(Text(f"! {warning}", style="yellow"))
