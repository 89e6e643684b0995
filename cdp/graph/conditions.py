"""Filters and orders as SQL.

Whoever filters by a field learns of its values, so a filter or an order needs the scopes that reading the field needs, and a
relation counts only rows the viewer may see. An empty filter is true; a condition on a missing value is not.
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from graphql import FieldNode
from graphql.pyutils import Path
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Date,
    Integer,
    Interval,
    Numeric,
    Select,
    Text,
    and_,
    any_,
    cast,
    exists,
    false,
    func,
    literal_column,
    not_,
    or_,
    true,
)

from cdp.db.ids import parse_id
from cdp.graph import words
from cdp.graph.declaration import GraphField, GraphType, Inline, Row, Rows, Term
from cdp.graph.given import Given, nullable
from cdp.graph.inputs import OrderDirection
from cdp.graph.refusal import LimitExceeded, graphql_error
from cdp.graph.today import today

if TYPE_CHECKING:
    from cdp.graph.compiler import Compiler

MOST_VALUES: Final = 1000
MOST_CONDITIONS: Final = 200
MOST_FILTERS: Final = 1000
MOST_LEVELS: Final = 12  # twenty relations within one another keep a planner busy for longer than a statement may take
_ALIKE: Final = {"eq", "ne", "isNull"}  # select about as many rows whatever their operand
_PATTERNS: Final = {"contains": words.anywhere, "startsWith": words.at_the_beginning}
_DURATION: Final = re.compile(
    r"P(?=.)(\d{1,4}Y)?(\d{1,4}M)?(\d{1,4}W)?(\d{1,5}D)?(T(?=.)(\d{1,5}H)?(\d{1,6}M)?(\d{1,7}S)?)?"
)


class Conditions:
    """Compiles the filters and orders of one field of an operation."""

    def __init__(self, compiler: "Compiler", nodes: list[FieldNode], path: Path) -> None:
        self._compiler = compiler
        self._nodes = nodes
        self._path = path
        self._counting = False
        self._filters = 0
        self._levels = 0

    def condition(self, target: GraphType, row: Row, given: Given) -> ColumnElement[bool]:
        """SQL of a `<Type>Filter` on `row`."""
        if given.is_null:
            return true()
        self._filters += 1
        self._bound("filters", self._filters, MOST_FILTERS)
        self._levels += 1
        self._bound("filters within one another", self._levels, MOST_LEVELS)
        parts = self._parts(target, row, given)
        self._levels -= 1
        return and_(true(), *parts)

    def _parts(self, target: GraphType, row: Row, given: Given) -> list[ColumnElement[bool]]:
        parts: list[ColumnElement[bool]] = []
        for name, inner in given.fields().items():
            if inner.is_null:
                continue
            if name == "and":
                parts.extend(self.condition(target, row, item) for item in inner.items())
            elif name == "or":
                parts.append(or_(false(), *(self.condition(target, row, item) for item in inner.items())))
            elif name == "not":
                parts.append(self.condition(target, row, inner).is_not(true()))
            else:
                parts.extend(self._on_field(target, target.fields[name], row, inner))
        return parts

    def terms(self, target: GraphType, given: Given) -> list[Term]:
        """Order terms of an `orderBy` argument; they name columns of the row."""
        terms = []
        for item in given.items():
            fields = item.fields()
            field = target.fields[_plain(fields["field"].value)]
            self._authorise(target, field)
            descending = _plain(fields["direction"].value) == OrderDirection.DESC.value
            assert isinstance(field.where, str)  # noqa: S101 — checked when the schema is made
            terms.append(Term(column=field.where, descending=descending, nullable=field.nullable))
        return terms

    def _authorise(self, target: GraphType, field: GraphField) -> None:
        label = f"{target.name}.{field.name}"
        scopes = target.scope_of(field), target.member_scope_of(field)
        self._compiler.authorise(label, *scopes, self._nodes, self._path)

    def _on_field(self, target: GraphType, field: GraphField, row: Row, given: Given) -> list[ColumnElement[bool]]:
        self._compiler.conditions += 1
        self._bound("conditions", self._compiler.conditions, MOST_CONDITIONS)
        self._authorise(target, field)
        if field.kind == "value":
            column = getattr(row.c, target.key[-1]) if field.name == "id" else field.expression(row)
            return self._operators(column, given, target.prefix)
        child = self._compiler.registry.types[field.target or ""]
        if field.kind == "one":
            return [self._related(child, field, row, given)]
        return self._quantified(child, field, row, given)

    def _bound(self, limit: str, asked: int, most: int) -> None:
        if asked > most:
            raise graphql_error(LimitExceeded(limit=limit, asked=asked, most=most), self._nodes)

    def _operators(
        self, column: ColumnElement[Any], given: Given, prefix: str | None = None
    ) -> list[ColumnElement[bool]]:
        bind = self._compiler.bind
        operands = [(name, operand) for name, operand in given.fields().items() if not operand.is_null]
        parts = [_operator(column, name, operand, bind, prefix) for name, operand in operands]
        # Of all rows of a table a range or a pattern leaves one or most: no plan is good for both. Below a row there are few.
        at_root = self._compiler.at_root and not self._counting
        if at_root and not _ALIKE.issuperset(name for name, _ in operands):
            self._compiler.by_value = True
            if words.is_searchable(column):
                patterns = ((_PATTERNS[name], operand) for name, operand in operands if name in _PATTERNS)
                parts += [
                    words.once_more(column, "ILIKE", bind(operand, Text(), _if_indexed(pattern)))
                    for pattern, operand in patterns
                ]
        return parts

    # -- relations -----------------------------------------------------------------------------------------------------------

    def _related(self, child: GraphType, field: GraphField, row: Row, given: Given) -> ColumnElement[bool]:
        found = self._follow(field, row)
        return exists(
            self._rows(child, found, [literal_column("1")], row).where(self.condition(child, found.source, given))
        )

    def _quantified(self, child: GraphType, field: GraphField, row: Row, given: Given) -> list[ColumnElement[bool]]:
        fields = {name: inner for name, inner in given.fields().items() if not inner.is_null}
        where = fields.pop("where", None)
        parts: list[ColumnElement[bool]] = []
        for name, inner in fields.items():
            found = self._follow(field, row)
            if name in {"some", "none", "every"}:
                matches = self.condition(child, found.source, inner)
                met = matches.is_not(true()) if name == "every" else matches
                some = exists(self._rows(child, found, [literal_column("1")], row).where(met))
                parts.append(some if name == "some" else not_(some))
            else:
                # Counted and summed row by row, whatever the values: one plan is good for all.
                before, self._counting = self._counting, True
                if name == "count":
                    counted = self._matching(child, found, [func.count(type_=Integer())], row, where)
                    parts += self._operators(counted.scalar_subquery(), inner)
                else:
                    amounts = inner.fields().items()
                    parts += [
                        self._sum(child, child.fields[each], field, row, where, amount) for each, amount in amounts
                    ]
                self._counting = before
        return parts

    def _sum(  # noqa: PLR0917 — one call site
        self, child: GraphType, summed: GraphField, field: GraphField, row: Row, where: Given | None, given: Given
    ) -> ColumnElement[bool]:
        """Whether the sum in the currency named, or in any one currency, keeps the conditions. A sum of nothing is zero."""
        if given.is_null:
            return true()
        self._authorise(child, summed)
        found = self._follow(field, row)
        amount: ColumnElement[Any] = getattr(found.source.c, summed.sums or "")
        conditions = given.fields()
        currency = conditions.pop("currency", None)
        operands = [(name, operand) for name, operand in conditions.items() if not operand.is_null]

        def holds(total: ColumnElement[Any]) -> ColumnElement[bool]:
            return and_(
                true(), *(_operator(total, name, operand, self._compiler.bind, None) for name, operand in operands)
            )

        if currency is not None and not currency.is_null:
            total = self._matching(child, found, [func.coalesce(func.sum(amount, type_=Numeric()), 0)], row, where)
            mine = found.source.c.currency == self._compiler.bind(currency, Text())
            return holds(total.where(mine).scalar_subquery())
        rows = self._matching(child, found, [literal_column("1")], row, where).group_by(found.source.c.currency)
        return exists(rows.having(holds(func.sum(amount, type_=Numeric()))))

    def _matching(
        self, child: GraphType, found: Rows, columns: list[ColumnElement[Any]], row: Row, where: Given | None
    ) -> Select[Any]:
        statement = self._rows(child, found, columns, row)
        return statement if where is None else statement.where(self.condition(child, found.source, where))

    def _rows(self, child: GraphType, found: Rows, columns: list[ColumnElement[Any]], row: Row) -> Select[Any]:
        return self._compiler.select(child, found, columns).correlate(*self._compiler.rows, row)

    def _follow(self, field: GraphField, row: Row) -> Rows:
        found = field.where(row, self._compiler.no_arguments(field))
        assert not isinstance(found, Inline)  # noqa: S101 — checked when the schema is made
        rows: Rows = found
        return rows


def _operator(
    column: ColumnElement[Any],
    operator: str,
    operand: Given,
    bind: Callable[..., ColumnElement[Any]],
    prefix: str | None,
) -> ColumnElement[bool]:
    if operator == "isNull":
        return column.is_(None) if operand.value else column.is_not(None)
    if operator == "in":
        return column == any_(bind(operand, ARRAY(column.type), _reader(operand, prefix, many=True)))
    if operator in _PATTERNS:
        # A pattern, and not a comparison of lowered texts: trigram indexes serve it.
        return column.ilike(bind(operand, Text(), _PATTERNS[operator]))
    if operator == "withinLast":
        return _within_last(column, cast(bind(operand, Text(), _read_duration), Interval))
    value = bind(operand, column.type, _reader(operand, prefix, many=False))
    comparisons: dict[str, Callable[[], ColumnElement[bool]]] = {
        "eq": lambda: column == value,
        "ne": lambda: column.is_distinct_from(value),
        "lt": lambda: column < value,
        "lte": lambda: column <= value,
        "gt": lambda: column > value,
        "gte": lambda: column >= value,
    }
    return comparisons[operator]()


def _if_indexed(pattern: Callable[[str], str]) -> Callable[[str], str | None]:
    return lambda text: pattern(text) if words.has_trigram(text) else None


def _within_last(column: ColumnElement[Any], duration: ColumnElement[Any]) -> ColumnElement[bool]:
    """From that long ago until now, both included; of dates, from that long before today until today."""
    if isinstance(column.type, Date):
        return column.between(cast(today() - duration, Date), today())
    return column.between(func.now() - duration, func.now())


def _read_duration(text: str) -> str:
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not an ISO 8601 duration such as P90D, P3M or PT12H.")
    return text


def _reader(operand: Given, prefix: str | None, *, many: bool) -> Callable[[Any], Any]:
    """How an operand becomes a value of the column: enum members their stored text, typed ids their UUID (unknown: nothing)."""
    leaf = nullable(operand.type)
    if many:
        leaf = nullable(leaf.of_type)

    def read(value: Any) -> Any:
        return parse_id(value, *([prefix] if prefix else [])) if leaf.name == "ID" else _plain(value)

    return (lambda values: [read(value) for value in values]) if many else read


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value
