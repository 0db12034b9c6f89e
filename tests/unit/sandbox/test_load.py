"""Which files are strategies, and what becomes of one that is broken."""

from pathlib import Path

import pytest

from pilothouse.sandbox.load import FileBroken, find, import_file


def test_files_are_found_by_name_with_the_hash_of_their_content(tmp_path: Path) -> None:
    """Another content is another version; helpers and other files are no strategies."""
    for name in ("cross.py", "_shared.py", ".hidden.py", "notes.txt"):
        (tmp_path / name).write_text("x = 1")
    first = find([tmp_path])
    (tmp_path / "cross.py").write_text("x = 2")
    second = find([tmp_path])

    assert [each.name for each in first] == ["cross"]
    assert first[0].content != second[0].content


def test_the_first_folder_wins(tmp_path: Path) -> None:
    """Two strategies of one name would be told apart by nobody."""
    for folder in ("mine", "theirs"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "cross.py").write_text(folder)

    found = find([tmp_path / "mine", tmp_path / "theirs", tmp_path / "nowhere"])

    assert [each.path.parent.name for each in found] == ["mine"]


def test_a_file_may_use_helpers_beside_it(tmp_path: Path) -> None:
    """A folder of strategies may share code."""
    (tmp_path / "_shared.py").write_text("LENGTH = 7")
    (tmp_path / "cross.py").write_text("from _shared import LENGTH\nfound = LENGTH")

    assert import_file(tmp_path / "cross.py").found == 7


@pytest.mark.parametrize(
    ("code", "line", "reason"),
    [
        ("x = 1\nraise ValueError('because')", 2, "ValueError: because"),
        ("import nothing_of_this_name", 1, "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("x = 1\n  y = 2", 2, "unexpected indent"),
        ("def f():\n    return 1 / 0\n\nf()", 2, "ZeroDivisionError: division by zero"),
        ("raise SystemExit", 1, "SystemExit"),
    ],
)
def test_a_broken_file_says_file_line_and_reason(code: str, line: int, reason: str, tmp_path: Path) -> None:
    """As an editor understands it."""
    path = tmp_path / "broken.py"
    path.write_text(code)

    with pytest.raises(FileBroken) as raised:
        import_file(path)

    assert (raised.value.line, raised.value.reason) == (line, reason)
    assert str(raised.value).startswith(f"{path}:{line}: ")
