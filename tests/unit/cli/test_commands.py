"""The words a person types: what they mean, and what they are told when they mean nothing."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer._coercion import build_runtime_param
from typer.main import get_command

from pilothouse.accounts.hook_settings import _CHECKS
from pilothouse.cli import alert, ending, hooks, main, talk
from pilothouse.cli.hooks import parse_size, size_text
from tools import write_command_line


@pytest.fixture(autouse=True)
def _nobody_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the environment name a data folder where nothing was ever started."""
    monkeypatch.setenv("PILOTHOUSE_DATA", str(tmp_path / "data"))


def run(*words: str) -> int:
    """Run one command and return its exit code."""
    with pytest.raises(SystemExit) as left:
        main.main(words)
    assert isinstance(left.value.code, int)
    return left.value.code


LOOKS = [
    ("signals",),
    ("orders",),
    ("orders", "show", "abcd"),
    ("positions",),
    ("fills",),
    ("account", "list"),
    ("hooks", "list"),
    ("limits",),
    ("token", "list"),
    ("parked",),
    ("openapi",),
    ("halt",),
    ("resume",),
    ("paper", "reset"),
    ("alert", "send"),
    ("positions", "close-all"),
]


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_every_command_says_when_pilothouse_does_not_run(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is the most common reason, and the remedy is one command."""
    assert run(*words) == ending.NOT_RUNNING

    told = capsys.readouterr()
    assert told.out == ""
    assert "pilothouse up" in told.err


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_with_json_a_failure_is_one_object_and_nothing_else(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """A script reads standard output, whatever happens."""
    assert run(*words, "--json") == ending.NOT_RUNNING

    told = capsys.readouterr()
    assert json.loads(told.out)["error"] == "never_started"
    assert told.out.count("\n") == 1
    assert told.err == ""


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("orders", "--nonsense"),
        ("orders", "show"),
        ("orders", "--limit", "0"),
        ("alert", "send", "--sample", "poem"),
        ("alert", "send", "--text", "a", "--file", "b"),
        ("limits", "set", "order_notional_max"),
        ("hooks", "create", "x", "--size", "big"),
        ("hooks", "rotate", "x", "--which", "all"),
        ("token", "issue", "x", "--scopes", "everything"),
    ],
    ids=" ".join,
)
def test_words_that_mean_nothing_end_with_two(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """A script tells its own mistake from the desk's."""
    assert run(*words) == ending.NOT_UNDERSTOOD
    assert capsys.readouterr().out == ""


def test_a_wrong_setting_is_named_with_what_was_meant(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped variable would otherwise be ignored in silence."""
    monkeypatch.setenv("PILOTHOUSE_PROT", "8001")

    assert run("orders") == ending.REFUSED
    assert "PILOTHOUSE_PORT" in capsys.readouterr().err


def test_version_is_one_object_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Deploy scripts ask for it first."""
    assert run("version", "--json") == ending.DONE
    assert set(json.loads(capsys.readouterr().out)) == {"version", "python"}


def test_version_imports_neither_the_web_nor_the_database() -> None:
    """Help and version answer at once; what a command needs it imports when it runs."""
    heavy = {"httpx", "fastapi", "sqlalchemy", "uvicorn", "msgspec", "structlog"}
    code = f"import sys, pilothouse.cli.main; print(sorted({heavy!r} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_command_imports_no_other_and_no_checker_of_what_nobody_typed() -> None:
    """Each of them would take a tenth of a second before anything is done."""
    heavy = {"pydantic", "pilothouse.cli.orders", "pilothouse.cli.hooks"}
    run = f"""
import sys
from pilothouse.cli.main import main
try:
    main(["backtest", "list", "--json"])
except SystemExit as left:
    print(left.code, sorted({heavy!r} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n0 []\n"


def test_a_value_is_taken_as_typer_itself_would_take_it() -> None:
    """What fits is taken as it was typed; everything else must be read, or complained of, in the same words."""

    def said(read: Any, value: Any) -> Any:
        try:
            return repr(read.coerce(value, param=option, ctx=root.make_context("pilothouse", ["version"])))
        except typer.BadParameter as error:
            return error.message

    root: Any = get_command(main.command_line())
    options = [
        option
        for group in root.commands.values()
        for command in getattr(group, "commands", {"": group}).values()
        for option in command.params
    ]
    assert len(options) > 200
    for option in options:
        typers = build_runtime_param(option.type_descriptor)
        several = option.multiple or option.nargs == -1
        texts = [(), ("a", "5")] if several else ["", "5", "-1", "x", "0.5", True, option.default]
        for value in (None, *texts):
            assert said(option.get_runtime_param(), value) == said(typers, value), (option.opts, value)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0.01", {"kind": "quantity", "value": "0.01"}),
        ("500:quote", {"kind": "quote_amount", "value": "500"}),
        ("10:equity%", {"kind": "equity_percent", "value": "10"}),
        ("1:risk%", {"kind": "risk_percent", "value": "1"}),
        ("none", None),
    ],
)
def test_a_size_is_typed_as_it_is_shown(text: str, size: dict[str, str] | None) -> None:
    """What the list shows can be typed back."""
    assert parse_size(text) == size
    assert size is None or size_text(size) == text


WAY = talk.Way("http://127.0.0.1:1", "t", "https://desk.example/hooks/TOKEN", "whs", "acc")


@pytest.mark.parametrize(
    ("hook", "path"),
    [
        (None, "/hooks/TOKEN"),
        ("https://else.example/hooks/OTHER", "/hooks/OTHER"),
        ("/webhook/tradingview", "/webhook/tradingview"),
        ("order", "/webhook/tradingview"),
        ("strategy", "/webhook/tradingview-strategy"),
        ("OTHER", "/hooks/OTHER"),
    ],
)
def test_a_hook_is_named_by_its_address_its_path_or_its_token(hook: str | None, path: str) -> None:
    """People paste what they have."""
    assert alert.door(WAY, hook) == path


def test_the_secret_goes_along_only_where_it_opens_something() -> None:
    """A secret that is not needed stays at home; one in the text is the sender's own choice."""
    assert alert._headers(WAY, "/webhook/tradingview", None, b"{}")["X-Webhook-Secret"] == "whs"
    assert "X-Webhook-Secret" not in alert._headers(WAY, "/hooks/TOKEN", None, b"{}")
    assert "X-Webhook-Secret" not in alert._headers(WAY, "/webhook/tradingview", None, b'{"webhook_secret": "own"}')
    assert alert._headers(WAY, "/hooks/TOKEN", "mine", b"{}")["X-Webhook-Secret"] == "mine"


@pytest.mark.parametrize("shape", ["order", "strategy"])
def test_two_samples_are_two_alerts(shape: str) -> None:
    """Somebody who sends the sample twice wants two orders, even within one second."""
    first, second = alert._body(None, None, shape), alert._body(None, None, shape)

    assert first != second
    assert b"{{" not in first
    assert set(json.loads(first)) == set(json.loads(second))


def test_a_sample_to_paste_keeps_its_placeholders(capsys: pytest.CaptureFixture[str]) -> None:
    """The chart fills them when the alert fires."""
    assert run("alert", "sample", "order") == ending.DONE
    assert "{{ticker}}" in capsys.readouterr().out


def test_an_alert_is_read_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts pipe."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"{}")))

    assert alert._body(None, "-", None) == b"{}"


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    """A page typed by hand is wrong within a month. Mend it: python tools/write_command_line.py."""
    assert write_command_line.PAGE.read_text(encoding="utf-8") == write_command_line.page()


def test_every_hook_field_can_be_set_from_the_command_line() -> None:
    """What the API knows and the command line does not is forgotten."""
    fields = hooks._fields("1", "BTCUSDT", "5", 1, 1, dry=True)

    by_commands_of_their_own = {"name", "expects"}  # `hooks create NAME`, `hooks expect`
    assert set(fields) | by_commands_of_their_own == set(_CHECKS)
