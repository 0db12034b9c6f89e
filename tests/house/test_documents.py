"""What the documents point to is there."""

import re
import subprocess
from pathlib import Path

import pytest

from pilothouse.core.limits import RULES
from pilothouse.core.rounding import plain
from tools.tidy import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("requirements/*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_inside_the_repository_leads_somewhere(document: Path) -> None:
    """A newcomer follows links; a dead one says that nobody else does."""
    text = document.read_text()
    links = [link for link in LINK.findall(text) if "://" not in link and not link.startswith("mailto:")]

    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_decision_is_listed_numbered_and_one_page() -> None:
    """They are read in one sitting, and found again by number."""
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()

    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    for path in DECISIONS:
        assert f"({path.name})" in index, path.name
        assert path.read_text().count("\n") <= 60, path.name


def test_safety_comes_first_in_every_release() -> None:
    """Who updates a thing that trades reads first what changed about money."""
    releases = re.split(r"(?m)^## ", (ROOT / "CHANGELOG.md").read_text())[1:]

    for release in releases:
        assert re.findall(r"(?m)^### (\w+)", release)[:1] == ["Safety"], release.splitlines()[0]


def test_the_ci_runs_what_a_person_runs() -> None:
    """If the two differ, one of them is not tested."""
    lines = (ROOT / ".ci" / "run").read_text().splitlines()

    assert [line for line in lines if "make" in line or "pytest" in line] == ["make test"]


def test_make_help_lists_every_command_of_the_contributing_page() -> None:
    """A command that is told of must be there."""
    told = set(re.findall(r"`make ([a-z]+)`", (ROOT / "CONTRIBUTING.md").read_text()))
    answer = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = set(re.findall(r"(?m)^\s+make ([a-z]+)", answer))

    assert told <= listed


def test_every_rule_of_the_risk_gate_is_documented() -> None:
    """A denial's code is looked up there, in a hurry; the page says unit and bounds as the gate has them."""
    page = (ROOT / "docs" / "use" / "limits.md").read_text()

    for rule in RULES:
        row = next((line for line in page.splitlines() if line.startswith(f"| `{rule.code}` | `{rule.limit}` |")), "")
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        bounds = "a list" if rule.low is None or rule.high is None else f"{plain(rule.low)} to {plain(rule.high)}"
        said = ["yes" if one else "no" for one in (rule.reducing, rule.kernels)]
        assert cells[2:5] == [rule.asks, rule.unit, bounds], rule.code
        assert [cells[5], cells[7]] == said, rule.code
        assert cells[6] == ("the bot" if rule.own else "the account"), rule.code
