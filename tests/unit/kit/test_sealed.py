"""Secrets: held without showing, sealed for one place, kept in a file of one's own."""

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.kit.sealed import (
    KeyFileUnsafe,
    SealBroken,
    Sealer,
    Secret,
    digest,
    load_or_make_key,
    new_token,
    same,
    write_private,
)

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


def test_a_secret_does_not_show_itself() -> None:
    """It ends up in a log, a traceback or an answer only if somebody asks for it by name."""
    secret = Secret("canary-1234")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>20}", f"{[secret]} {secret!r}", "%s" % secret]  # noqa: UP031 - one of the ways
    assert not [each for each in shown if "canary" in each]
    leaks: list[Callable[[Any], object]] = [json.dumps, pickle.dumps, vars, iter, list]
    for leak in leaks:
        with pytest.raises(TypeError):
            leak(secret)
    assert secret.reveal() == "canary-1234"


def test_secrets_compare_by_what_they_hold() -> None:
    """So that settings and records can be compared."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert hash(Secret("a")) == hash(Secret("a"))
    assert not Secret("")


@given(st.text(), st.text())
def test_same_is_equality(a: str, b: str) -> None:
    """In constant time, and also for text that has no UTF-8."""
    assert same(a, a)
    assert same(a, b) == (a == b)


def test_a_token_is_long_unlike_any_other_and_safe_to_paste() -> None:
    """It stands in URLs, headers and shells."""
    tokens = {new_token("op") for _ in range(200)}
    assert len(tokens) == 200
    assert all(re.fullmatch(r"op_[a-z2-7]{52}", each) for each in tokens)
    assert re.fullmatch(r"[a-z2-7]{26}", new_token("", 16))
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(st.binary(max_size=200), st.text(max_size=30))
def test_what_is_sealed_opens_in_its_place(plain: bytes, place: str) -> None:
    """And never looks the same twice."""
    sealer = Sealer(KEY)
    sealed = sealer.seal(plain, place)
    assert sealer.open(sealed, place) == plain
    assert sealer.seal(plain, place) != sealed


def test_what_is_sealed_opens_nowhere_else_and_not_when_altered() -> None:
    """Swapping two rows in the database must not swap two keys."""
    sealer = Sealer(KEY)
    sealed = sealer.seal(b"venue key", "keys/1/secret")
    broken = [
        (sealed, "keys/2/secret"),
        (sealed[:-6] + ("AAAA==" if not sealed.endswith("AAAA==") else "BBBB=="), "keys/1/secret"),
        (sealed[:-8], "keys/1/secret"),
        ("v1", "keys/1/secret"),
        ("", "keys/1/secret"),
        (sealed.replace("v1.", "v2."), "keys/1/secret"),
        (sealed + "é", "keys/1/secret"),
    ]
    for text, place in broken:
        with pytest.raises(SealBroken):
            sealer.open(text, place)
    with pytest.raises(SealBroken):
        Sealer(OTHER).open(sealed, "keys/1/secret")


def test_a_key_is_replaced_without_losing_what_the_old_one_sealed() -> None:
    """Rotation: open with both, seal with the new one."""
    old = Sealer(KEY).seal(b"x", "place")
    both = Sealer(OTHER, KEY)
    assert both.open(old, "place") == b"x"
    assert not both.is_current(old)
    assert both.is_current(both.seal(b"x", "place"))
    assert Sealer(OTHER).open(both.seal(b"x", "place"), "place") == b"x"


def test_a_key_is_made_once_and_found_again(tmp_path: Path) -> None:
    """The file is the owner's alone."""
    path = tmp_path / "house.key"
    key = load_or_make_key(path)
    assert len(key) == 32
    assert load_or_make_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["house.key"]


@pytest.mark.parametrize(("text", "mode"), [("ab" * 32, 0o644), ("ab" * 31, 0o600), ("no hex", 0o600), ("", 0o600)])
def test_a_key_file_that_others_may_read_or_that_holds_no_key_is_refused(tmp_path: Path, text: str, mode: int) -> None:
    """And it is never replaced: what it sealed would be lost."""
    path = tmp_path / "house.key"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(KeyFileUnsafe):
        load_or_make_key(path)
    assert path.read_text() == text


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    """Whoever reads it sees the old or the new, with nobody else looking on."""
    path = tmp_path / "first-steps.json"
    write_private(path, "old")
    write_private(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
