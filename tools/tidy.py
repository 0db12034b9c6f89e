"""The house rules that imports cannot show: the tree goes in, what breaks a rule comes out, each with its remedy.

    python tools/tidy.py          exits 1 when a rule is broken

One walk over each file's syntax tree, one over its comments, one over its words. Long files, functions and classes are
listed too, without failing: they are places to look at, not limits to game.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOUSE = "src/pilothouse/"

# Rooms in which a number may be money, a price or a quantity. A float there is a lost cent waiting to be found.
MONEY_ROOMS = frozenset({"core", "ledger", "execution", "venues", "simulation", "bots", "fleet", "accounts"})

COMMITS = "kit/commits.py"
ROUNDS = "core/rounding.py"
READS_THE_CLOCK = "kit/clocks.py"
RETRIES = "kit/retry.py"

# Where everything may be caught, and why. A line is added here only with a reason that a stranger would accept.
CATCH_ALL = {
    "kit/commits.py": "one unit of work fails alone; its error goes to whoever waits for it",
    "jobs/dispatch.py": "one message fails alone; it is tried again or parked",
    "jobs/embedded.py": "a thread that runs the house must not die of one turn",
    "jobs/worker.py": "as jobs/dispatch.py, for a process that only computes",
    "api/doorway.py": "the door: what nobody expected becomes a problem answer",
    "sandbox/load.py": "a file of a user may raise anything in its own process; it is told and goes no further",
    "cli/ending.py": "the door: what nobody expected becomes a sentence on the terminal",
}

# A name without an end: whatever is called so grows until nobody knows what it does.
NAMES_WITHOUT_END = frozenset(
    {"service", "services", "manager", "managers", "util", "utils", "helper", "helpers", "misc", "common"}
)

FLOAT_COLUMNS = frozenset({"Float", "FLOAT", "REAL", "Double", "DOUBLE", "DOUBLE_PRECISION"})
ROUNDING_CALLS = frozenset({"round", "quantize"})
# Columns that SQL must not add up: SQLite adds them as floats. Whole counts it may add.
EXACT_COLUMNS = re.compile(r"amount|balance|cost|equity|fee|margin|notional|pnl|price|profit|quantity|realised|value")
WALL_CLOCK = {
    "now": frozenset({"datetime"}),
    "utcnow": frozenset({"datetime"}),
    "today": frozenset({"datetime", "date"}),
    "time": frozenset({"time"}),
    "time_ns": frozenset({"time"}),
}

# Words of the place where something was made, not of the thing itself. They mean nothing to who reads the product.
WORKSHOP_WORDS = re.compile(r"(?i)(?:\bissues?\s+(?:no\.?\s*)?#?\d)|(?:/(?:home|root|users)/\w)")

NOQA = re.compile(r"#\s*noqa\b(?P<codes>:\s*[A-Z]+[0-9]+(?:[\s,]+[A-Z]+[0-9]+)*)?(?P<reason>.*)", re.IGNORECASE)
TYPE_IGNORE = re.compile(r"#\s*type:\s*ignore\b(?P<codes>\[[^\]]*\])?(?P<reason>.*)")
A_REASON = re.compile(r"[A-Za-z]{2,}\W+[A-Za-z]{2,}")

FILE_LINES, FUNCTION_LINES, CLASS_LINES = 400, 60, 200


@dataclass(frozen=True, order=True)
class Finding:
    """One place that breaks a rule, and what to do instead."""

    path: str
    line: int
    rule: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}. {self.remedy}."


@dataclass(frozen=True, order=True)
class LongPlace:
    """A file, function or class that is longer than a reader likes."""

    lines: int
    path: str
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.lines:5} lines  {self.path}:{self.line}  {self.name}"


def check(path: str, text: str) -> list[Finding]:
    """Return what breaks a rule in one file.

    path   from the root of the repository, with slashes; the rules of the house apply below `src/pilothouse/`
    text   what stands in it; only `.py` files are parsed, in all others only the words are read
    """
    found = list(_words(path, text))
    if path.endswith(".py"):
        found += _names(path)
        found += _comments(path, text)
        if path.startswith(HOUSE):
            found += _code(path, ast.parse(text))
    return sorted(found)


def check_tree(root: Path) -> list[Finding]:
    """Return what breaks a rule anywhere in the repository at `root`."""
    return [found for path, text in _texts(root) for found in check(path, text)]


def long_places(root: Path) -> list[LongPlace]:
    """Return what is long, the longest first."""
    places = []
    for path, text in _texts(root):
        if not path.endswith(".py"):
            continue
        lines = text.count("\n")
        if lines > FILE_LINES:
            places.append(LongPlace(lines, path, 1, "the file"))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > (CLASS_LINES if isinstance(node, ast.ClassDef) else FUNCTION_LINES):
                    places.append(LongPlace(length, path, node.lineno, node.name))
    return sorted(places, reverse=True)


def _texts(root: Path) -> Iterator[tuple[str, str]]:
    """Yield path and text of everything that people read here; generated and vendored trees are left out."""
    kinds = {".py", ".md", ".toml", ".yaml", ".yml", ".cfg", ".ini", ".mako", ".in", ""}
    tops = [root / name for name in ("src", "tools", "tests", "docs", "requirements", ".ci")]
    files = [file for top in tops for file in sorted(top.rglob("*"))] + sorted(root.glob("*"))
    for file in [*files, root / ".pre-commit-config.yaml"]:
        if file.is_file() and file.suffix in kinds and "__pycache__" not in file.parts and file.name != "LICENSE":
            yield file.relative_to(root).as_posix(), file.read_text(encoding="utf-8")


# ── Words, names, comments ────────────────────────────────────────────────────────────────────────


def _words(path: str, text: str) -> Iterator[Finding]:
    for number, line in enumerate(text.splitlines(), start=1):
        for word in WORKSHOP_WORDS.finditer(line):
            yield Finding(
                path,
                number,
                f"'{word.group()}' is a word of the workshop",
                "Say it so that it is true and useful to someone who has only this repository",
            )


def _names(path: str) -> Iterator[Finding]:
    for part in Path(path).with_suffix("").parts:
        if part.removeprefix("test_").strip("_") in NAMES_WITHOUT_END:
            yield Finding(path, 1, f"'{part}' has no end", "Name the file for what it does: settle.py, reconcile.py")


def _comments(path: str, text: str) -> Iterator[Finding]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        silenced = NOQA.search(token.string) or TYPE_IGNORE.search(token.string)
        if silenced is None:
            continue
        if silenced["codes"] is None:
            yield Finding(path, token.start[0], "a check is silenced without naming it", "Name the one rule you mean")
        elif not A_REASON.search(silenced["reason"]):
            remedy = "Mend the line, or write why it stays: `# noqa: X000 - why`, `# type: ignore[x]  # why`"
            yield Finding(path, token.start[0], "a check is silenced without a reason", remedy)


# ── Code ──────────────────────────────────────────────────────────────────────────────────────────


def _code(path: str, tree: ast.Module) -> Iterator[Finding]:
    """Walk the tree once; each node is shown to every rule."""
    place = path.removeprefix(HOUSE)
    room = place.split("/")[0]
    for node in ast.walk(tree):
        for rule, remedy in _broken(node, place, room):
            yield Finding(path, getattr(node, "lineno", 1), rule, remedy)


def _broken(node: ast.AST, place: str, room: str) -> Iterator[tuple[str, str]]:
    if place != COMMITS and _commits(node, room):
        yield "only kit/commits.py commits", "Take the caller's Tx, or hand your unit of work to Database.write"
    if place != ROUNDS and _called(node) in ROUNDING_CALLS:
        yield "only core/rounding.py rounds", "Use or add a rounding there that says its direction and who gains"
    if place != READS_THE_CLOCK and _reads_wall_clock(node):
        yield "only kit/clocks.py reads the wall clock", "Take `now` as an argument, or the Clock that wiring hands out"
    if place not in CATCH_ALL and _catches_all(node):
        yield (
            "everything is caught here",
            "Catch the narrowest class; where a catch-all may stand is listed, with its reason, in tools/tidy.py",
        )
    if place != RETRIES and _tries_again(node):
        yield "a retry loop of its own", "Use kit/retry.py: bounded, jittered, and never for an unknown outcome"
    if _is_orm(node):
        yield "the ORM is not used here", "Write the statement with SQLAlchemy Core in the room's store.py"
    if room in MONEY_ROOMS:
        yield from _floats(node)


def _called(node: ast.AST) -> str:
    """Return the last name of what is called, "" where nothing is: `a.b.commit()` is "commit"."""
    return _last_name(node.func) if isinstance(node, ast.Call) else ""


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _owner(node: ast.AST) -> str:
    """Return the name before the last dot of what is called: `dt.datetime.now()` is "datetime"."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _last_name(node.func.value)
    return ""


def _commits(node: ast.AST, room: str) -> bool:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.strip().rstrip(";").upper() == "COMMIT"
    if _called(node) == "commit":
        return True
    # `with engine.begin()` commits when it is left, without a word. Migrations run inside such a block by design.
    return _called(node) == "begin" and room != "migrations" and bool(re.search("engine|conn", _owner(node)))


def _reads_wall_clock(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom) and node.module == "time":
        return any(alias.name in {"time", "time_ns"} for alias in node.names)
    return _owner(node) in WALL_CLOCK.get(_called(node), frozenset())


def _catches_all(node: ast.AST) -> bool:
    everything = {"Exception", "BaseException"}
    if isinstance(node, ast.ExceptHandler):
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        caught = any(kind is None or _last_name(kind) in everything for kind in kinds)
        return caught and not _always_raises(node.body)
    if isinstance(node, ast.Call) and _called(node) == "suppress":
        return any(_last_name(kind) in everything for kind in node.args)
    return False


def _always_raises(body: list[ast.stmt]) -> bool:
    """Tell whether a handler only tidies up: it ends by raising what it caught and leaves by no other way."""
    last = body[-1]
    leaves = (ast.Return, ast.Continue, ast.Break)
    return (
        isinstance(last, ast.Raise)
        and last.exc is None
        and not any(isinstance(node, leaves) for statement in body for node in ast.walk(statement))
    )


def _tries_again(node: ast.AST) -> bool:
    if not isinstance(node, ast.While | ast.For | ast.AsyncFor):
        return False
    inside = [part for statement in node.body for part in _same_function(statement)]
    catches = any(isinstance(part, ast.Try) and part.handlers for part in inside)
    return catches and any(_called(part) == "sleep" for part in inside)


def _same_function(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the node and everything in it that runs with it: not the bodies of functions that it defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _same_function(child)


def _is_orm(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        names = {alias.name for alias in node.names}
        return (node.module or "").startswith("sqlalchemy.orm") or (node.module == "sqlalchemy" and "orm" in names)
    return isinstance(node, ast.Import) and any(alias.name.startswith("sqlalchemy.orm") for alias in node.names)


def _floats(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
        yield "a float in a room where numbers are money", "Keep the Decimal, or count in ticks, lots and units"
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
        for name in sorted({alias.name for alias in node.names} & FLOAT_COLUMNS):
            yield f"a {name} column in a room where numbers are money", "Use kit.columns.Exact"
    if isinstance(node, ast.Attribute) and node.attr in FLOAT_COLUMNS:
        yield f"a {node.attr} column in a room where numbers are money", "Use kit.columns.Exact"
    if isinstance(node, ast.Call) and _called(node) in {"sum", "avg"} and _owner(node) == "func" and _adds_exact(node):
        yield "SQL adds up here, and SQLite adds in floats", "Select the exact rows and fold them in Python"


def _adds_exact(call: ast.Call) -> bool:
    names = (_last_name(part) for argument in call.args for part in ast.walk(argument))
    return any(EXACT_COLUMNS.search(name) for name in names)


# ── The command ───────────────────────────────────────────────────────────────────────────────────


def _report(findings: Iterable[Finding], long: list[LongPlace]) -> int:
    for place in long:
        print(f"long: {place}")
    count = 0
    for finding in findings:
        print(finding, file=sys.stderr)
        count += 1
    print(f"tidy: {count} to mend, {len(long)} long" if count else f"tidy: clean, {len(long)} long")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(_report(check_tree(ROOT), long_places(ROOT)))
