"""Statements that lie between an alert and its fill: compiled once, then spoken straight to SQLite's driver.

SQLAlchemy's way through a statement costs several times what SQLite itself takes for it. A hot statement is the same
statement, compiled by SQLAlchemy with the same column types; only the walk through its execution layers is left out.
On PostgreSQL, where a round trip outweighs that walk, it is executed as any other.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import ClauseElement, CursorResult, Executable, Select, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.types import TypeEngine

from pilothouse.core.errors import Broken
from pilothouse.kit.columns import Exact, Instant, JsonText

# The driver's own way to write parameters, in which positions stand for names.
_DIALECT = sqlite.dialect(paramstyle="qmark")

Processor = Callable[[Any], Any]

_REMEMBERED = 1_024
"""Records of rows that each statement remembers."""


class _Prepared(NamedTuple):
    """One statement for one set of parameter names, as the driver takes it.

    values      takes the parameters, gives their values by position
    processors  (position, what turns the value into what SQLite stores)
    fixed       parameters that stand in the statement itself
    read        makes a row, or a record, of what is stored; None where nothing comes back
    """

    sql: str
    values: Callable[[Mapping[str, Any]], Sequence[Any]]
    processors: tuple[tuple[int, Processor], ...]
    fixed: dict[str, Any]
    read: Callable[[tuple[Any, ...]], Any] | None

    def bound(self, params: Mapping[str, Any]) -> Sequence[Any]:
        """Return the values of `params` as the driver takes them."""
        values = self.values({**params, **self.fixed} if self.fixed else params)
        if not self.processors:
            return values
        made = list(values)
        for position, process in self.processors:
            made[position] = process(made[position])
        return made


class HotResult:
    """What came back: rows with names, and how many rows were changed. Everything is fetched already."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: list[Any], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> list[Any]:
        """Return every row."""
        return self._rows

    def first(self) -> Any:
        """Return the first row, or None."""
        return self._rows[0] if self._rows else None

    def one(self) -> Any:
        """Return the only row; raises Broken if there is another number of them."""
        if len(self._rows) != 1:
            raise Broken(f"one row was expected, {len(self._rows)} came")
        return self._rows[0]

    def one_or_none(self) -> Any:
        """Return the only row, or None; raises Broken if there are several."""
        return self.one() if self._rows else None

    def scalar(self) -> Any:
        """Return the first value of the first row, or None."""
        return self._rows[0][0] if self._rows else None

    def scalar_one(self) -> Any:
        """Return the first value of the only row; raises Broken if there is another number of rows."""
        return self.one()[0]

    def scalars(self) -> Iterator[Any]:
        """Return the first value of every row."""
        return (row[0] for row in self._rows)


class Hot:
    """A statement of a module's own, made once at import; `Tx.execute` takes it like any other.

    For an insert or update without values, the parameters name the columns, as in SQLAlchemy.
    """

    __slots__ = ("_make", "_prepared", "seldom", "statement", "tables", "writes")

    def __init__(self, statement: Executable, make: Callable[[Any], Any] | None, *, seldom: bool) -> None:
        """Take a statement without expanding parameters; lists of constants are fine."""
        self.statement = statement
        self.seldom = seldom
        self.tables: frozenset[str] = frozenset()
        self.writes: str | None = None
        if isinstance(statement, Select):
            self.tables = frozenset(
                str(table.name) for table in statement.get_final_froms() if isinstance(table, Table)
            )
            assert not seldom or len(self.tables) == len(statement.get_final_froms()), "it reads tables, and no others"
        elif isinstance(statement, UpdateBase):
            assert isinstance(statement.table, Table), "statements change tables"
            self.writes = str(statement.table.name)
        self._make = make
        self._prepared: dict[tuple[str, ...], _Prepared] = {}

    def run(
        self, driver: sqlite3.Connection, params: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
    ) -> HotResult:
        """Run it on SQLite's driver; a sequence of parameters runs it once for each, all with the same names."""
        if params is None or isinstance(params, Mapping):
            given = params or {}
            prepared = self._for(given)
            cursor = driver.execute(prepared.sql, prepared.bound(given))
            rows = [prepared.read(stored) for stored in cursor] if prepared.read is not None else []
            return HotResult(rows, cursor.rowcount)
        if not params:
            raise Broken("a statement was to be run once for each of no parameters")
        prepared = self._for(params[0])
        cursor = driver.executemany(prepared.sql, [prepared.bound(each) for each in params])
        return HotResult([], cursor.rowcount)

    def _for(self, params: Mapping[str, Any]) -> _Prepared:
        names = tuple(params)
        prepared = self._prepared.get(names)
        if prepared is None:  # two threads may do it at once: the result is the same
            prepared = self._prepared[names] = _prepare(self.statement, names, self._make)
        return prepared

    def of(self, result: CursorResult[Any]) -> HotResult:
        """Return what SQLAlchemy brought when it executed `statement`."""
        rows = list(result) if result.returns_rows else []
        return HotResult(rows if self._make is None else [self._make(row) for row in rows], result.rowcount)


def hot(statement: Executable, make: Callable[[Any], Any] | None = None, *, seldom: bool = False) -> Hot:
    """Say that a statement lies between an alert and its fill.

    make   makes a record of a row, of nothing but the row, and nobody changes it afterwards: so the record of a row
           that was read lately is given again, because live orders, hooks and limits are read for alert after alert
    seldom its tables are changed by people, not by alerts: the writer of SQLite asks once, and again when something in
           them has changed; for a plain select, and no longer one than from its tables alone (no subquery)
    """
    return Hot(statement, make, seldom=seldom)


def _prepare(statement: Executable, names: tuple[str, ...], make: Callable[[Any], Any] | None = None) -> _Prepared:
    """Compile a statement for parameters of these names; constants in it are written out."""
    assert isinstance(statement, ClauseElement), "statements are made of SQLAlchemy's elements"
    compiled = statement.compile(dialect=_DIALECT, column_keys=sorted(names))
    assert isinstance(compiled, SQLCompiler), "it is a statement, and no type or table"
    state = compiled.construct_expanded_state(dict.fromkeys(names))
    order = list(state.positiontup or ())
    # NULL written into a statement is a constant like any other; defaults of columns are SQLAlchemy's to fill in.
    needed = {name for bind, name in compiled.bind_names.items() if bind.required}
    needed |= {column.key for column in compiled.prefetch}
    missing = [name for name in order if name in needed and name not in names]
    if missing:
        raise Broken(f"a hot statement was run without {', '.join(missing)}")
    columns = _columns(statement)
    types = {name: bind.type for bind, name in compiled.bind_names.items()}
    binders = [_binder(types.get(name)) for name in order]
    read = _reader(columns, make) if columns else None
    return _Prepared(
        sql=state.statement,
        values=_by_position(order),
        processors=tuple((at, binder) for at, binder in enumerate(binders) if binder is not None),
        fixed={name: state.parameters[name] for name in order if name not in names},
        read=read,
    )


def _by_position(order: list[str]) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    if not order:
        return lambda _: ()
    if len(order) == 1:
        return lambda params, name=order[0]: (params[name],)  # type: ignore[misc]  # mypy asks for one parameter
    return itemgetter(*order)


def _reader(
    columns: list[tuple[str, TypeEngine[Any]]], make: Callable[[Any], Any] | None
) -> Callable[[tuple[Any, ...]], Any]:
    """Return what makes a row, with names and with our values, of a stored one; or a record, if there is `make`.

    A name that comes twice has its position only.
    """
    row: Any = namedtuple("Row", [name for name, _ in columns], rename=True)  # type: ignore[misc]  # noqa: PYI024 - named by the statement
    made_of = [_maker(type_) for _, type_ in columns]
    processors = [(at, process) for at, process in enumerate(made_of) if process is not None]

    def read(stored: tuple[Any, ...]) -> Any:
        values = list(stored)
        for at, process in processors:
            if values[at] is not None:
                values[at] = process(values[at])
        return row._make(values)

    if make is None:
        return read
    return lru_cache(_REMEMBERED)(lambda stored: make(read(stored)))


def _columns(statement: Executable) -> list[tuple[str, TypeEngine[Any]]]:
    """Return names and types of what comes back."""
    if isinstance(statement, Select):
        return [(str(each["name"]), each["type"]) for each in statement.column_descriptions]
    if isinstance(statement, UpdateBase):  # what it returns, if anything
        # Asked of a copy: SQLAlchemy remembers the answer, also in statements that are derived later and return more.
        return [(str(column.key), column.type) for column in copy(statement).exported_columns]
    return []


def _binder(type_: TypeEngine[Any] | None) -> Processor | None:
    """Return what turns a value into what SQLite stores: our own types' function as it is, without SQLAlchemy's around.

    None: it is stored as it is.
    """
    if isinstance(type_, Exact | Instant | JsonText):
        return type_.to_sqlite
    return None if type_ is None else type_.dialect_impl(_DIALECT).bind_processor(_DIALECT)


def _maker(type_: TypeEngine[Any]) -> Processor | None:
    """Return what turns something stored, and not NULL, into a value."""
    if isinstance(type_, Exact | Instant | JsonText):
        return type_.from_sqlite
    return type_.dialect_impl(_DIALECT).result_processor(_DIALECT, None)
