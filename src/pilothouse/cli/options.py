"""Options that every command understands, and the question before what cannot be undone; each said once."""

import sys
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value on standard output and nothing else.")]

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="Where Pilothouse listens. Without it: what first-steps.json in the data folder says.",
        show_default=False,
    ),
]

Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="TOKEN",
        help="An operator token, or @FILE that holds one: others on this machine can read arguments. "
        "Without it: the one in first-steps.json.",
        show_default=False,
    ),
]

Account = Annotated[
    str | None,
    typer.Option(
        "--account",
        "-a",
        metavar="NAME",
        help="The trading account, by name or id. Without it: the first one that may be traded.",
        show_default=False,
    ),
]

EachAccount = Annotated[
    str | None,
    typer.Option(
        "--account",
        "-a",
        metavar="NAME",
        help="Only this trading account, by name or id. Without it: all of them.",
        show_default=False,
    ),
]

Bot = Annotated[
    str | None,
    typer.Option("--bot", metavar="HOOK", help="A bot: the id of its hook.", show_default=False),
]

LevelName = Annotated[
    str | None,
    typer.Option(
        "--level",
        metavar="LEVEL",
        help="house, user, account or bot. Without it: the bot if one is named, else the account.",
        show_default=False,
    ),
]

Symbol = Annotated[
    str | None,
    typer.Option("--symbol", "-s", metavar="SYMBOL", help="Only this instrument, such as BTCUSDT.", show_default=False),
]

Limit = Annotated[
    int, typer.Option("--limit", "-n", metavar="COUNT", min=1, max=1000, help="How many at most, newest first.")
]

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first; nobody is asked without a terminal.")]


def ask_first(question: str, *, yes: bool, as_json: bool) -> None:
    """Ask the person in front of the terminal; raises Abort for no. A script that asks for it means it."""
    if not (yes or as_json) and sys.stdin.isatty():
        typer.confirm(question, abort=True, err=True)
