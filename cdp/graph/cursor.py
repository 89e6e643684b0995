"""Keyset cursors: where a row stands in an order, as an opaque string.

A cursor is the JSON array [name of the order, value of each term], in URL-safe base64. SQL writes it; Python reads it back and
checks it term by term, so that a forged or foreign cursor is refused before the database hears of it. Rows after a cursor are
found by comparing keys, never by counting: stable under inserts, and as fast on page 1,000 as on page 1.
"""

import binascii
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    DateTime,
    Float,
    Integer,
    Numeric,
    Text,
    Uuid,
    and_,
    case,
    cast,
    false,
    func,
    literal_column,
    or_,
    tuple_,
)

from cdp.graph.declaration import Row, Term

Bind = Callable[[int, Any], ColumnElement[Any]]
"""Parameter for the cursor's i-th value, of the given SQL type."""


@dataclass(frozen=True, slots=True)
class Order:
    """Terms of an order on a row, most significant first, ending in a unique key."""

    terms: tuple[Term, ...]

    @property
    def name(self) -> str:
        """Names the order inside cursors, so that a cursor of another order is refused."""
        return ",".join(f"{'-' if term.descending else ''}{term.column}" for term in self.terms)

    def by(self, row: Row, *, backward: bool = False) -> list[ColumnElement[Any]]:
        """ORDER BY expressions; backward runs from the last row to the first."""
        expressions = []
        for term in self.terms:
            column = getattr(row.c, term.column)
            descending = term.descending != backward
            ordered = column.desc() if descending else column.asc()
            if term.nullable:
                ordered = ordered.nulls_first() if backward else ordered.nulls_last()
            expressions.append(ordered)
        return expressions

    def cursor(self, row: Row) -> ColumnElement[str]:
        """SQL of a row's cursor."""
        values = func.json_build_array(self.name, *(getattr(row.c, term.column) for term in self.terms))
        encoded = func.encode(func.convert_to(cast(values, Text), "UTF8"), "base64")
        return func.translate(encoded, literal_column("E'+/\\n'", Text), "-_")

    def beyond(self, row: Row, bind: Bind, *, backward: bool, inclusive: bool = False) -> ColumnElement[bool]:
        """Rows after the cursor (before it, when backward), in this order; with the cursor's own row when inclusive."""
        columns = [getattr(row.c, term.column) for term in self.terms]
        values = [bind(index, column.type) for index, column in enumerate(columns)]
        descending = {term.descending != backward for term in self.terms}
        if len(descending) == 1 and not any(term.nullable for term in self.terms):
            # One row comparison: PostgreSQL walks a matching index from exactly there.
            left, right = (tuple_(*columns), tuple_(*values)) if len(columns) > 1 else (columns[0], values[0])
            if descending.pop():
                return left <= right if inclusive else left < right
            return left >= right if inclusive else left > right
        alternatives = []
        for index, term in enumerate(self.terms):
            equal = [_same(columns[i], values[i], self.terms[i]) for i in range(index)]
            alternatives.append(and_(*equal, _later(columns[index], values[index], term, backward=backward)))
        if inclusive:
            alternatives.append(and_(*(_same(c, v, t) for c, v, t in zip(columns, values, self.terms, strict=True))))
        return or_(*alternatives)

    def decode(self, cursor: str, row: Row) -> list[Any]:
        """Values inside a cursor, one a term. Raises ValueError when it isn't one of this order."""
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            found = json.loads(urlsafe_b64decode(padded.encode("ascii")), parse_float=Decimal)
        except (binascii.Error, UnicodeError, ValueError, RecursionError) as error:
            raise ValueError("not a cursor") from error
        if not isinstance(found, list) or len(found) != len(self.terms) + 1 or found[0] != self.name:
            raise ValueError("of another order")
        return [
            None if value is None and term.nullable else _typed(value, getattr(row.c, term.column).type)
            for term, value in zip(self.terms, found[1:], strict=True)
        ]


def order_of(terms: Sequence[Term], key: Sequence[str]) -> Order:
    """An order that ends in `key`, which takes the direction of the last term so that one index serves both."""
    named = {term.column for term in terms}
    descending = terms[-1].descending if terms else False
    rest = tuple(Term(column=column, descending=descending) for column in key if column not in named)
    return Order((*terms, *rest))


def _same(column: ColumnElement[Any], value: ColumnElement[Any], term: Term) -> ColumnElement[bool]:
    return column.is_not_distinct_from(value) if term.nullable else column == value


def _later(column: ColumnElement[Any], value: ColumnElement[Any], term: Term, *, backward: bool) -> ColumnElement[bool]:
    compared = column < value if term.descending != backward else column > value
    if not term.nullable:
        return compared
    if backward:  # before a null come all values; before a value come smaller ones, and no null
        return case((value.is_(None), column.is_not(None)), else_=func.coalesce(compared, false()))
    return and_(value.is_not(None), or_(compared, column.is_(None)))


def _typed(value: Any, kind: Any) -> Any:
    try:
        if isinstance(kind, Uuid):
            return UUID(value)
        if isinstance(kind, DateTime):
            return datetime.fromisoformat(value)
        if isinstance(kind, Date):
            return date.fromisoformat(value)
        if isinstance(kind, (BigInteger, Integer)) and type(value) is int:
            return value
        if isinstance(kind, Boolean) and type(value) is bool:
            return value
        if isinstance(kind, Numeric) and isinstance(value, (int, Decimal)):
            return Decimal(value)
        if isinstance(kind, Float) and isinstance(value, (int, Decimal)):
            return float(value)
    except (TypeError, ValueError, AttributeError, InvalidOperation) as error:
        raise ValueError("of another type") from error
    if isinstance(kind, Text) and isinstance(value, str):
        return value
    raise ValueError("of another type")
