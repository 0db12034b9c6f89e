"""The column types of the house, exact on both databases, and the one `metadata` all tables belong to.

SQLite has no exact numbers: left alone, 65000.10 comes back as 65000.0999... So a Decimal is stored there as its
canonical text, and for the same reason no money is summed, compared or ordered in SQL, on either database.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, DateTime, Integer, MetaData, Numeric, String, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from pilothouse.core.clock import from_micros, micros
from pilothouse.core.rounding import NotExact, exact, plain
from pilothouse.kit.exact_json import dumps, loads

# A text so short has at most 20 digits before the point and 18 behind it: they need not be counted.
_CERTAINLY_KEPT = 19

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""All tables of the house. Constraints are named by rule, so that a migration can find them again."""

# Compared byte by byte on both databases, so that time-sortable ids sort the same in every locale.
Id = String(40).with_variant(String(40, collation="C"), "postgresql")
"""An id of the house: `prefix_` and 28 hex digits."""

Name = String(200).with_variant(String(200, collation="C"), "postgresql")
"""A short text that is compared and ordered byte by byte: topics, states, symbols, client order ids."""

Serial = BigInteger().with_variant(Integer(), "sqlite")
"""A whole number counted up by the database (SQLite counts only what is called INTEGER)."""


class Exact(TypeDecorator[Decimal]):
    """A Decimal, exactly: NUMERIC(38, 18) on PostgreSQL, canonical text on SQLite.

    Takes Decimal and int; a float, NaN or too many digits raise NotExact. Gives Decimal without trailing zeros
    and without an exponent, so that equal values also look equal.
    """

    impl = Numeric(38, 18)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the type that keeps every digit."""
        return dialect.type_descriptor(Numeric(38, 18) if dialect.name == "postgresql" else String(41))

    def process_bind_param(self, value: Any | None, dialect: Dialect) -> Any:
        """Refuse what is not exact; text for SQLite."""
        if dialect.name != "postgresql":
            return self.to_sqlite(value)
        if isinstance(value, str):
            raise _is_text(value)
        return None if value is None else exact(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Decimal | None:
        """Return the number in its shortest form."""
        if value is None:
            return None
        return Decimal(plain(value) if isinstance(value, Decimal) else value)

    @staticmethod
    def to_sqlite(value: Any) -> str | None:
        """Return the canonical text of an exact number. Raises NotExact."""
        if isinstance(value, Decimal) and value.is_finite():
            text = plain(value)
            if len(text) <= _CERTAINLY_KEPT:
                return text
        if isinstance(value, str):
            raise _is_text(value)
        return None if value is None else plain(exact(value))

    from_sqlite = Decimal


def _is_text(value: str) -> NotExact:
    return NotExact(f"{value[:40]!r} is a text: parse it where it came in")


class Instant(TypeDecorator[datetime]):
    """An aware instant, to the microsecond, always given back in UTC: timestamptz, or whole microseconds on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the type that keeps every microsecond."""
        return dialect.type_descriptor(DateTime(timezone=True) if dialect.name == "postgresql" else BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse an instant without a time zone: it is a guess."""
        return self.to_sqlite(value) if dialect.name != "postgresql" or value is None else _aware(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Return the instant in UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if isinstance(value, datetime) else from_micros(value)

    @staticmethod
    def to_sqlite(value: datetime | None) -> int | None:
        """Return whole microseconds. Raises NotExact for an instant without a time zone."""
        return None if value is None else micros(_aware(value))

    from_sqlite = staticmethod(from_micros)


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise NotExact(f"{value} has no time zone")
    return value


class JsonText(TypeDecorator[Any]):
    """Exact JSON as text on both databases: what is read is what was written, to the character."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any | None, dialect: Dialect) -> str | None:
        """Write it as exact JSON; None is NULL."""
        return self.to_sqlite(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Read it; NULL is None."""
        return None if value is None else loads(value)

    @staticmethod
    def to_sqlite(value: Any) -> str | None:
        """Write it as exact JSON; None is NULL."""
        return None if value is None else dumps(value)

    from_sqlite = staticmethod(loads)
