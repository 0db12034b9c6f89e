"""The way to the house is found, and what it answers is said so that somebody can act on it."""

import json
from pathlib import Path

import httpx
import pytest

from pilothouse.cli import talk
from pilothouse.core.errors import Refused

FIRST = {
    "url": "http://127.0.0.1:8123",
    "operator_token": "ph_op_secret",
    "hook_url": "https://desk.example/hooks/abc",
    "webhook_secret": "whs",
    "account": "acc_1",
}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the data folder that the environment names."""
    for name in ("PILOTHOUSE_PORT", "PILOTHOUSE_HOST", "PILOTHOUSE_PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PILOTHOUSE_DATA", str(tmp_path))
    return tmp_path


def test_the_way_to_the_house_stands_in_first_steps(data: Path) -> None:
    """On the machine of the desk nothing has to be said."""
    (data / talk.FIRST_STEPS).write_text(json.dumps(FIRST))

    way = talk.find(None, None)

    assert (way.url, way.token, way.account) == (FIRST["url"], FIRST["operator_token"], FIRST["account"])


def test_options_go_before_first_steps(data: Path) -> None:
    """Another desk may be meant."""
    (data / talk.FIRST_STEPS).write_text(json.dumps(FIRST))
    (data / "token").write_text("ph_op_other\n")

    way = talk.find("http://127.0.0.1:9/", f"@{data / 'token'}")

    assert (way.url, way.token) == ("http://127.0.0.1:9", "ph_op_other")


def test_a_public_address_is_not_the_way_of_this_machine(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a proxy the desk still listens here; the way round by the outside may be closed."""
    monkeypatch.setenv("PILOTHOUSE_PUBLIC_URL", "https://desk.example")
    monkeypatch.setenv("PILOTHOUSE_PORT", "8999")
    (data / talk.FIRST_STEPS).write_text(json.dumps(FIRST | {"url": "https://desk.example"}))

    assert talk.find(None, None).url == "http://127.0.0.1:8999"


def test_a_house_that_was_never_started_is_told_apart_and_says_how(data: Path) -> None:
    """The first thing a newcomer may do is the second command before the first."""
    with pytest.raises(talk.NeverStarted, match=r"not running.*pilothouse up"):
        talk.find(None, None)


@pytest.mark.parametrize("text", ["", "{", "[]x"])
def test_a_broken_first_steps_is_said_not_thrown(data: Path, text: str) -> None:
    """It is a file, and files break."""
    (data / talk.FIRST_STEPS).write_text(text)

    with pytest.raises(Refused, match="cannot be read"):
        talk.find(None, None)


def test_nobody_at_the_address_is_not_running() -> None:
    """Port 9 of this machine is nobody."""
    with talk.House(talk.Way("http://127.0.0.1:9")) as house, pytest.raises(talk.NotRunning) as caught:
        house.get("/health")

    assert "http://127.0.0.1:9: start it with `make run` or `pilothouse up`" in str(caught.value)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://x", "http://[::1", "nonsense"])
def test_an_address_that_is_none_is_said_to_be_none(url: str) -> None:
    """A forgotten http:// is the most common slip."""
    with pytest.raises(Refused, match="--url"), talk.House(talk.Way(url)) as house:
        house.get("/health")


def test_a_problem_answer_names_every_wrong_field() -> None:
    """Nobody mends one field at a time gladly."""
    body = {
        "detail": "two fields are wrong",
        "errors": [{"field": "a", "message": "1"}, {"field": "b", "message": "2"}],
    }

    assert talk.said(body) == "two fields are wrong\n  a: 1\n  b: 2"


def test_a_wrong_token_says_what_to_do() -> None:
    """401 alone helps nobody."""
    refusal = talk.refusal(httpx.Response(401, json={"detail": "no"}))

    assert refusal.status == 401
    assert "--token" in str(refusal)


def test_an_answer_that_is_no_json_is_still_an_answer() -> None:
    """A proxy in between answers with a page."""
    assert "Bad Gateway" in str(talk.refusal(httpx.Response(502, text="<h1>Bad Gateway</h1>")))


def test_events_are_read_with_their_ids_over_comments_and_parts() -> None:
    """A heartbeat is no event, and data may come on several lines."""
    lines = [": hello", "", "id: 7", "event: order.changed", 'data: {"a":', "data: 1}", "", ":", "data: [2]", ""]

    assert list(talk.read_events(iter(lines))) == [{"id": "7", "event": "order.changed", "a": 1}, {"data": [2]}]


@pytest.mark.parametrize(
    ("url", "far"),
    [
        ("http://127.0.0.1:1", False),
        ("http://localhost", False),
        ("http://[::1]:8", False),
        ("https://desk.example", True),
    ],
)
def test_only_a_far_desk_is_reached_through_a_proxy(url: str, far: bool) -> None:  # noqa: FBT001 - a column of the table
    """A proxy in the environment must not come between the command and this machine."""
    assert talk.is_far(url) is far
