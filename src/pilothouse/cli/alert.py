"""`pilothouse alert`: send an alert as a chart would, then watch its orders live.

What a chart sends is the text of an alert and nothing else; so is what this sends.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from pilothouse.cli.options import Json, Token, Url

if TYPE_CHECKING:
    from pilothouse.cli.talk import Way

app = typer.Typer(help="Send an alert as a chart would, and watch what becomes of it.", no_args_is_help=True)

ORDER_DOOR: Final = "/webhook/tradingview"
STRATEGY_DOOR: Final = "/webhook/tradingview-strategy"


@app.command("sample")
def sample(
    shape: Annotated[str, typer.Argument(metavar="order|strategy", help="Which kind of alert.")] = "strategy",
    *,
    as_json: Json = False,
) -> None:
    """Print a message to paste into a chart's alert dialog; the chart fills its placeholders."""
    from pilothouse.bots import templates

    text = templates.text(_shape(shape))
    if as_json:
        from pilothouse.cli.show import print_json

        print_json({"message": text})
    else:
        sys.stdout.write(text + "\n")


@app.command("send")
def send(
    *,
    text: Annotated[str | None, typer.Option("--text", "-t", help="The alert itself.", show_default=False)] = None,
    file: Annotated[
        str | None,
        typer.Option("--file", "-f", help="A file with the alert, - for standard input.", show_default=False),
    ] = None,
    sample_of: Annotated[
        str | None,
        typer.Option(
            "--sample", metavar="order|strategy", help="A sample instead; order is the default.", show_default=False
        ),
    ] = None,
    hook: Annotated[
        str | None,
        typer.Option(
            "--hook", help="Where to send it: a hook's address or path. Without it: the first hook.", show_default=False
        ),
    ] = None,
    secret: Annotated[
        str | None, typer.Option("--secret", help="The webhook secret, for hooks that need one.", show_default=False)
    ] = None,
    wait: Annotated[
        int, typer.Option("--wait", metavar="SECONDS", min=0, max=3600, help="Watch at most so many seconds.")
    ] = 15,
    follow: Annotated[bool, typer.Option("--follow", help="Also watch orders that rest, until they are over.")] = False,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Send an alert and watch its orders live; without --text or --file, a sample that buys 0.01 BTCUSDT."""
    from pilothouse.cli import show, talk, watch

    body = _body(text, file, sample_of)
    way = talk.find(url, token)
    path = door(way, hook)
    with talk.House(way) as house:
        sender = watch.Sender(house, path, _headers(way, path, secret, body))
        told = sender.send(body, show.console(), wait=wait, follow=follow, quiet=as_json)
    if as_json:
        show.print_json(told)
    if not told.get("success"):
        raise typer.Exit(1)


# ── What is sent, and where to ────────────────────────────────────────────────────────────────────


def _shape(word: str) -> Any:
    from pilothouse.bots.alert import Shape

    shapes = {"order": Shape.ORDER, "strategy": Shape.STRATEGY}
    if word not in shapes:
        raise typer.BadParameter(f"a sample is order or strategy, not {word!r}")
    return shapes[word]


def _body(text: str | None, file: str | None, sample_of: str | None) -> bytes:
    """Return the bytes of the alert; a sample as a chart would have filled it just now."""
    from pilothouse.core.errors import Refused

    if sum(each is not None for each in (text, file, sample_of)) > 1:
        raise typer.BadParameter("one of --text, --file and --sample is enough")
    if text is not None:
        return text.encode()
    if file == "-":
        return sys.stdin.buffer.read()
    if file is not None:
        try:
            return Path(file).expanduser().read_bytes()
        except OSError as error:
            raise Refused(f"the alert cannot be read: {error}") from None
    from pilothouse.bots import templates
    from pilothouse.cli.show import now
    from pilothouse.core.clock import iso

    # Two samples within one second are two alerts, as two strokes of a person are: so the time has microseconds.
    values = {**templates.EXAMPLE_VALUES, "timenow": iso(now())}
    return templates.filled(templates.text(_shape(sample_of or "order")), values).encode()


def door(way: "Way", hook: str | None) -> str:
    """Return the path to send to: the one that was named, or that of the first hook.

    Only the path of an address is taken: a hook is told by its public address, and this machine is nearer.
    Raises Refused if none is known.
    """
    from pilothouse.core.errors import Refused

    named = hook or way.hook_url
    if not named:
        raise Refused("no hook is known here: say --hook /hooks/..., with the address that its making showed")
    words = {"order": ORDER_DOOR, "strategy": STRATEGY_DOOR}
    path = words.get(named) or urlsplit(named).path
    if "/" not in path:
        path = f"/hooks/{path}"
    return path if path.startswith("/") else f"/{path}"


def _headers(way: "Way", path: str, secret: str | None, body: bytes) -> dict[str, str]:
    """Return the headers of the alert; the secret goes along where the path needs one and the text has none."""
    from pilothouse.bots.alert import secret_in

    headers = {"Content-Type": "application/json"}
    known = secret or ("" if path.startswith("/hooks/") or secret_in(body) else way.webhook_secret)
    return headers | ({"X-Webhook-Secret": known} if known else {})
