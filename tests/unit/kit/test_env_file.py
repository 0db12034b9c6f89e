"""A `.env` file as people have them, read without being run."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.kit.env_file import EnvFileUnreadable, read_env_file, values_in


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("NAME=value", "value"),
        ("export NAME=value", "value"),
        ("  NAME = value  ", "value"),
        ("NAME=value # a comment", "value"),
        ("NAME=val#ue", "val#ue"),
        ("NAME=# nothing but a comment", ""),
        ("NAME=", ""),
        ('NAME="a \\"quoted\\" value" # why', 'a "quoted" value'),
        ('NAME="two\\nlines"', "two\nlines"),
        ("NAME='as $it \\n stands'", "as $it \\n stands"),
        ("NAME=$HOME/`id`", "$HOME/`id`"),
        ("NAME=value\r", "value"),
        ("NAME=a=b==", "a=b=="),
    ],
)
def test_what_a_line_says(line: str, value: str) -> None:
    """As other readers of such files understand it; nothing is expanded or run."""
    assert values_in(line) == ({"NAME": value}, [])


def test_lines_that_say_nothing_are_numbered_and_not_told() -> None:
    """What stands there may be half of a secret."""
    values, wrong = values_in('# fine\n\nA=1\nPRIVATE KEY 0xcanary\nB="open\nA=2\n')
    assert (values, wrong) == ({"A": "2"}, [4, 5])


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    """Who says it now means it more than who wrote it down; an empty variable says nothing."""
    (tmp_path / ".env").write_text("A=file\nB=file\nC=file\n")
    found = read_env_file(tmp_path)

    assert found is not None
    assert found.under({"A": "now", "B": " ", "D": "now"}) == {"A": "now", "B": "file", "C": "file", "D": "now"}


@pytest.mark.parametrize(("mode", "open_to_others"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_file_that_others_may_read_is_told(tmp_path: Path, mode: int, *, open_to_others: bool) -> None:
    """It holds keys."""
    (tmp_path / ".env").write_text("A=1\n")
    (tmp_path / ".env").chmod(mode)
    found = read_env_file(tmp_path)

    assert found is not None
    assert found.others_may_read is open_to_others


def test_no_file_is_no_error_and_a_broken_one_says_so(tmp_path: Path) -> None:
    """Most houses have none."""
    assert read_env_file(tmp_path) is None
    (tmp_path / ".env").write_bytes(b"A=\xff\xfe")
    with pytest.raises(EnvFileUnreadable, match="UTF-8"):
        read_env_file(tmp_path)
    (tmp_path / ".env").write_bytes(b"#" * 300_000)
    with pytest.raises(EnvFileUnreadable, match="larger"):
        read_env_file(tmp_path)


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    """A file of somebody else's program may lie in the folder, and the house must start."""
    values, wrong = values_in(text)
    assert len(values) + len(wrong) <= text.count("\n") + 1


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True), st.text(st.characters(exclude_characters="\n\r'"))
    )
)
def test_what_is_written_in_single_quotes_comes_back(values: dict[str, str]) -> None:
    """A secret may have any character."""
    text = "\n".join(f"{name}='{value}'" for name, value in values.items())
    assert values_in(text) == (values, [])
