"""The numbers of the cards: read from the tests themselves, so that no list can say what no test proves."""

import ast
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
TAPED = FOLDER.parent / "slices" / "venues" / "ccxt"

GROUPS = {
    "V-O": "Orders",
    "V-U": "When the answer does not come",
    "V-R": "Reads",
    "V-S": "Streams",
    "V-L": "Limits",
    "V-T": "Time",
    "V-I": "Instruments",
    "V-X": "Examining a credential",
}
"""The beginning of a number -> what its cards are about, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Number:
    """One card: its number, what it asks in words, and the test that asks it."""

    number: str
    words: str
    test: str


def all_numbers() -> list[Number]:
    """Return every card, in the order of its number. A number that stands twice is there twice."""
    found = [number for path in sorted(FOLDER.glob("test_*.py")) for number in _in(path)]
    groups = list(GROUPS)
    return sorted(found, key=lambda each: (groups.index(each.number[:3]), each.number))


@dataclass(frozen=True, slots=True)
class Taped:
    """A test that shows of some cards what recorded answers can show; `typed`: it answers what nobody recorded."""

    exchange: str
    numbers: tuple[str, ...]
    test: str
    typed: bool


def all_taped() -> list[Taped]:
    """Return every test that is marked so, from the files of tests on tape."""
    found = []
    for path in sorted(TAPED.glob("test_replayed_*.py")):
        exchange = path.stem.removeprefix("test_replayed_")
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and (mark := _marked(node, "taped")) is not None:
                numbers = tuple(str(ast.literal_eval(each)) for each in mark.args)
                found.append(Taped(exchange, numbers, node.name, any(_is_typed(each) for each in ast.walk(node))))
    return found


def _is_typed(node: ast.AST) -> bool:
    """Say whether this is an answer without a tape in it."""
    is_answer = isinstance(node, ast.Call) and ast.unparse(node.func) == "Say"
    return is_answer and not any(
        isinstance(each, ast.Call) and ast.unparse(each.func) == "tape" for each in ast.walk(node)
    )


def _in(path: Path) -> list[Number]:
    found = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and (number := _number_of(node)) is not None:
            words = node.name.removeprefix("test_").replace("_", " ")
            found.append(Number(number, words[0].upper() + words[1:], f"{path.name}::{node.name}"))
    return found


def _number_of(test: ast.FunctionDef) -> str | None:
    """Return the number in `@pytest.mark.card("V-O01")`, if the test has one."""
    mark = _marked(test, "card")
    return None if mark is None else str(ast.literal_eval(mark.args[0]))


def _marked(test: ast.FunctionDef, name: str) -> ast.Call | None:
    """Return the mark of that name, if the test has it."""
    for each in test.decorator_list:
        if isinstance(each, ast.Call) and ast.unparse(each.func) == f"pytest.mark.{name}":
            return each
    return None
