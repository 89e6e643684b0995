"""Filters and orders: input types made from the declarations, and their SQL.

One operator object per leaf type (`StringFilter`, `DateFilter`, an enum's own), one `<Type>Filter` per graph type over the fields
declared with `filters=True`, with `and`, `or`, `not`; one `<Type>Order` over those declared with `orders=True`. An empty filter
is true. Text operators ignore case.
"""

import enum
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import strawberry
from sqlalchemy import ARRAY, ColumnElement, Text, and_, any_, false, func, not_, or_, true
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.enum import StrawberryEnumDefinition

from cdp.db.ids import parse_id
from cdp.graph.declaration import GraphType, Row, Term, optional, strawberry_fields
from cdp.graph.given import Given, nullable


@strawberry.enum(description="Direction of an order; nulls come last in both.")
class OrderDirection(enum.Enum):
    """ASC or DESC."""

    ASC = "asc"
    DESC = "desc"


_COMPARISONS: Final = {
    "eq": "Equal.",
    "ne": "Not equal.",
    "in": "One of these, at most 1,000.",
    "lt": "Less, or earlier, than.",
    "lte": "At most.",
    "gt": "Greater, or later, than.",
    "gte": "At least.",
}
_EQUALITY: Final = {name: _COMPARISONS[name] for name in ("eq", "ne", "in")}
_TEXT: Final = {**_EQUALITY, "contains": "Has this part.", "startsWith": "Begins with this."}
_LEAVES: Final[Mapping[Any, tuple[str, Mapping[str, str]]]] = {
    str: ("String", _TEXT),
    strawberry.ID: ("ID", _EQUALITY),
    int: ("Int", _COMPARISONS),
    Decimal: ("Decimal", _COMPARISONS),
    date: ("Date", _COMPARISONS),
    datetime: ("DateTime", _COMPARISONS),
    bool: ("Boolean", {"eq": "Equal."}),
}
MOST_VALUES: Final = 1000


class InputTypes:
    """Makes each input type once."""

    def __init__(self) -> None:
        self._operators: dict[str, type] = {}
        self._filters: dict[str, type] = {}
        self._orders: dict[str, type | None] = {}

    def filter_of(self, declared: GraphType) -> type | None:
        """`<Type>Filter`, or None when no field of the type can be filtered by."""
        if declared.name in self._filters:
            return self._filters[declared.name]
        fields: dict[str, tuple[Any, str, str]] = {}
        for field, graph_field in strawberry_fields(declared.python):
            if graph_field.filters:
                name = field.name if field.graphql_name is None else field.graphql_name
                fields[field.python_name] = (
                    optional(self._operator_of(field.type)),
                    _camel(name),
                    f"By {_camel(name)}.",
                )
        if not fields:
            return None
        for word, text in (("and", "All of these."), ("or", "At least one of these."), ("not", "Not this.")):
            fields[f"{word}_"] = (optional(str), word, text)
        made: Any = _input(
            f"{declared.name}Filter", f"Which {declared.name} rows; several fields must all hold.", fields
        )
        for field in made.__strawberry_definition__.fields:
            if field.python_name in {"and_", "or_"}:
                field.type_annotation = StrawberryAnnotation(optional(list[made]))
            elif field.python_name == "not_":
                field.type_annotation = StrawberryAnnotation(optional(made))
        self._filters[declared.name] = made
        return self._filters[declared.name]

    def order_of(self, declared: GraphType) -> type | None:
        """`<Type>Order`, or None when the type has no field to order by."""
        if declared.name not in self._orders:
            names = {
                _upper(field.python_name): graph_field.name
                for field, graph_field in strawberry_fields(declared.python)
                if graph_field.orders
            }
            self._orders[declared.name] = self._order_input(declared.name, names) if names else None
        return self._orders[declared.name]

    def _order_input(self, name: str, names: dict[str, str]) -> type:
        made = enum.Enum(f"{name}OrderField", names)  # type: ignore[misc]
        fields = strawberry.enum(made, description=f"What {name} rows can be ordered by.")
        direction = (OrderDirection, "direction", "Ascending unless said otherwise.")
        return _input(
            f"{name}Order",
            f"One term of an order of {name} rows; ties are broken by id.",
            {"field": (fields, "field", "The field."), "direction": direction},
            {"direction": OrderDirection.ASC},
        )

    def _operator_of(self, kind: Any) -> type:
        inner: Any = getattr(kind, "of_type", kind)
        leaf: Any
        if isinstance(inner, StrawberryEnumDefinition) or hasattr(inner, "__strawberry_enum__"):
            definition = inner if isinstance(inner, StrawberryEnumDefinition) else inner.__strawberry_enum__
            name, leaf = definition.name, definition.wrapped_cls
            operators: Mapping[str, str] = _EQUALITY
        else:
            leaf = inner if inner in _LEAVES else str
            name, operators = _LEAVES[leaf]
        key = f"{name}Filter"
        if key not in self._operators:
            fields: dict[str, tuple[Any, str, str]] = {
                f"{each}_": (optional(list[leaf]) if each == "in" else optional(leaf), each, text)
                for each, text in operators.items()
            }
            fields["is_null"] = (optional(bool), "isNull", "True: has no value; false: has one.")
            self._operators[key] = _input(key, f"Conditions on a {name}; several must all hold.", fields)
        return self._operators[key]


def condition(
    declared: GraphType, row: Row, given: Given, bind: Callable[..., ColumnElement[Any]]
) -> ColumnElement[bool]:
    """SQL of a filter on `row`. `bind(given, type, convert)` makes a parameter."""
    if given.is_null:
        return true()
    parts: list[ColumnElement[bool]] = []
    for name, inner in given.fields().items():
        if inner.is_null:
            continue
        if name == "and":
            parts.extend(condition(declared, row, item, bind) for item in inner.items())
        elif name == "or":
            parts.append(or_(false(), *(condition(declared, row, item, bind) for item in inner.items())))
        elif name == "not":
            parts.append(not_(condition(declared, row, inner, bind)))
        else:
            field = declared.fields[name]
            column = field.expression(row) if name != "id" else getattr(row.c, declared.key[-1])
            parts.extend(
                _operator(column, operator, operand, bind, declared.prefix)
                for operator, operand in inner.fields().items()
                if not operand.is_null
            )
    return and_(true(), *parts)


def order_terms(declared: GraphType, given: Given) -> list[Term]:
    """Order terms of an `orderBy` argument; they name columns of the row."""
    terms = []
    for item in given.items():
        fields = item.fields()
        field = declared.fields[_plain(fields["field"].value)]
        descending = _plain(fields["direction"].value) == OrderDirection.DESC.value
        assert isinstance(field.where, str)  # noqa: S101 — checked when the schema is made
        terms.append(Term(column=field.where, descending=descending, nullable=field.nullable))
    return terms


def _operator(
    column: ColumnElement[Any],
    operator: str,
    operand: Given,
    bind: Callable[..., ColumnElement[Any]],
    prefix: str | None,
) -> ColumnElement[bool]:
    if operator == "isNull":
        return column.is_(None) if operand.value else column.is_not(None)
    leaf = nullable(operand.type)
    convert: Callable[[Any], Any] = _plain
    if getattr(leaf, "name", None) == "ID" or getattr(nullable(getattr(leaf, "of_type", None)), "name", None) == "ID":
        convert = lambda text: parse_id(text, prefix) if prefix else None  # noqa: E731 — two lines would hide the branch
    if operator == "in":
        values = bind(operand, ARRAY(column.type), lambda items: [convert(item) for item in items])
        return column == any_(values)
    if operator in {"contains", "startsWith"}:
        part = func.lower(bind(operand, Text()))
        lowered = func.lower(column)
        return func.strpos(lowered, part) > 0 if operator == "contains" else func.starts_with(lowered, part)
    value = bind(operand, column.type, convert)
    comparisons: dict[str, Callable[[], ColumnElement[bool]]] = {
        "eq": lambda: column == value,
        "ne": lambda: column.is_distinct_from(value),
        "lt": lambda: column < value,
        "lte": lambda: column <= value,
        "gt": lambda: column > value,
        "gte": lambda: column >= value,
    }
    return comparisons[operator]()


def _input(
    name: str, description: str, fields: dict[str, tuple[Any, str, str]], defaults: dict[str, Any] | None = None
) -> type:
    body: dict[str, Any] = {"__annotations__": {}, "__doc__": description}
    for python_name, (annotation, graphql_name, text) in fields.items():
        body["__annotations__"][python_name] = annotation
        options = {"default": (defaults or {}).get(python_name, strawberry.UNSET)}
        if python_name == "field":
            options = {}
        body[python_name] = strawberry.field(name=graphql_name, description=text, **options)
    return strawberry.input(type(name, (), body), name=name, description=description)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def _upper(name: str) -> str:
    return name.upper()
