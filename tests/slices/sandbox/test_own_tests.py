"""A user's own tests of a strategy: run behind its walls, and told one by one."""

from pathlib import Path

from pilothouse.sandbox.load import find
from pilothouse.sandbox.own_tests import fared, file_beside
from pilothouse.sandbox.talk import Cell

_STRATEGY = """
from pilothouse.strategies.sdk import Turn

class Idle:
    name, title, parameters = "idle", "Idle", {}

    def begin(self, p):
        return {"count": 0}

    def decide(self, state, happening, p):
        return Turn(state)
"""

_TESTS = """
import socket
from pathlib import Path
from idle import Idle

def test_it_begins_with_nothing():
    assert Idle().begin(None) == {"count": 0}

def test_it_counts():
    count = Idle().begin(None)["count"]
    assert count == 1

def test_it_says_why():
    assert False, "a reason"

def test_it_wants_a_fixture(tmp_path):
    pass

def test_it_ends_everything():
    raise SystemExit(0)

def test_it_reads_what_it_may_not():
    Path("/etc/passwd").read_text()

def helper():
    raise RuntimeError
"""


def test_each_test_of_the_file_beside_a_strategy_is_told(tmp_path: Path) -> None:
    """With file, line and reason; behind the walls of the strategy itself; none stops those behind it."""
    (tmp_path / "idle.py").write_text(_STRATEGY)
    path = tmp_path / "test_idle.py"
    path.write_text(_TESTS)
    (source,) = find([tmp_path])
    assert file_beside(source) == path
    told = {each.name: (each.passed, each.words) for each in fared(source, Cell((tmp_path,)), path)}

    assert told.pop("test_it_begins_with_nothing") == (True, "")
    assert told.pop("test_it_counts") == (False, f"{path}:11: not so: count == 1")
    assert told.pop("test_it_says_why") == (False, f"{path}:14: AssertionError: a reason")
    assert told.pop("test_it_wants_a_fixture") == (False, f"{path}:16: it wants tmp_path; a test takes no argument")
    assert told.pop("test_it_ends_everything") == (False, f"{path}:20: SystemExit: 0")
    assert told.pop("test_it_reads_what_it_may_not")[1].startswith(f"{path}:23: PermissionError")
    assert told == {}


def test_a_file_of_tests_that_says_nothing_has_not_passed(tmp_path: Path) -> None:
    """Neither one without a test, nor one that cannot be read."""
    (tmp_path / "idle.py").write_text(_STRATEGY)
    path = tmp_path / "test_idle.py"
    (source,) = find([tmp_path / "nowhere", tmp_path])
    for text, words in (
        ("", "there is no function"),
        ("import nothing_of_this_name", "test_idle.py:1: ModuleNotFound"),
    ):
        path.write_text(text)
        (only,) = fared(source, Cell((tmp_path,)), path)
        assert not only.passed
        assert words in only.words
