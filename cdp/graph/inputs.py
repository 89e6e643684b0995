"""Filters and orders in the contract: input types made from the declarations.

One operator object per leaf type (`StringFilter`, `DateFilter`, an enum's own); one `<Type>Filter` per graph type over the fields
declared with `filters=True`, with `and`, `or`, `not`; relations of many rows as `<Type>Relation` (`some`, `none`, `every`, and
`count` and `sum` of the rows that match `where`); one `<Type>Order` over the fields declared with `orders=True`. Their SQL is in
`conditions.py`.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NewType

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.enum import StrawberryEnumDefinition

from cdp.graph.declaration import GraphField, GraphType, Registry, optional, strawberry_fields

Duration = NewType("Duration", str)
"""ISO 8601 duration."""

DURATION: Final = strawberry.scalar(
    name="Duration",
    description="ISO 8601 duration, e.g. P90D, P3M, PT12H.",
    serialize=str,
    parse_value=str,
    specified_by_url="https://www.iso.org/iso-8601-date-and-time-format.html",
)


@strawberry.enum(description="Direction of an order; nulls come last in both.")
class OrderDirection(enum.Enum):
    """ASC or DESC."""

    ASC = strawberry.enum_value("asc", description="Smallest, or earliest, first.")
    DESC = strawberry.enum_value("desc", description="Largest, or latest, first.")


@dataclass(frozen=True, slots=True)
class _Operator:
    """How an operator appears: its name, the type of its operand (None: the leaf's own), what it means."""

    name: str
    meaning: str
    operand: Any = None


_EQUALITY: Final = (
    _Operator("eq", "Equal."),
    _Operator("ne", "Not equal; true where there is no value."),
    _Operator("in", "One of these, at most 1,000."),
)
_COMPARISON: Final = (
    *_EQUALITY,
    _Operator("lt", "Less, or earlier, than."),
    _Operator("lte", "At most."),
    _Operator("gt", "Greater, or later, than."),
    _Operator("gte", "At least."),
)
_TEXT: Final = (
    *_EQUALITY,
    _Operator("contains", "Has this part, whatever its case."),
    _Operator("startsWith", "Begins with this, whatever its case."),
)
_TIME: Final = (*_COMPARISON, _Operator("withinLast", "Not longer ago than this, and not in the future.", Duration))
_LEAVES: Final[Mapping[Any, tuple[str, tuple[_Operator, ...]]]] = {
    str: ("String", _TEXT),
    strawberry.ID: ("ID", _EQUALITY),
    int: ("Int", _COMPARISON),
    Decimal: ("Decimal", _COMPARISON),
    date: ("Date", _TIME),
    datetime: ("DateTime", _TIME),
    bool: ("Boolean", (_Operator("eq", "Equal."),)),
}


class InputTypes:
    """Makes each input type once. `currency` is the annotation of currency codes."""

    def __init__(self, registry: Registry, currency: Any) -> None:
        self._registry = registry
        self._currency = currency
        self._made: dict[str, Any] = {}

    def filter_of(self, declared: GraphType) -> Any:
        """`<Type>Filter`, or None when no field of the type can be filtered by."""
        name = f"{declared.name}Filter"
        if name not in self._made:
            fields = [
                (field, graph_field) for field, graph_field in strawberry_fields(declared.python) if graph_field.filters
            ]
            # Types refer to one another and to themselves: made with placeholders first, then filled.
            shapes = {
                field.python_name: (str, graph_field.name, _meaning(graph_field)) for field, graph_field in fields
            }
            words = {"and_": "All of these.", "or_": "At least one of these.", "not_": "Not this."}
            shapes |= {word: (str, word.rstrip("_"), text) for word, text in words.items()}
            made: Any = (
                _input(name, f"Which {declared.name} rows; several fields must all hold.", shapes) if fields else None
            )
            self._made[name] = made
            if made is not None:
                kinds = {field.python_name: self._condition_on(field, graph_field) for field, graph_field in fields}
                _fill(made, {**kinds, "and_": list[made], "or_": list[made], "not_": made})
        return self._made[name]

    def order_of(self, declared: GraphType) -> Any:
        """`<Type>Order`, or None when the type has no field to order by."""
        name = f"{declared.name}Order"
        if name not in self._made:
            columns = {
                field.python_name.upper(): strawberry.enum_value(graph_field.name, description=field.description)
                for field, graph_field in strawberry_fields(declared.python)
                if graph_field.orders
            }
            self._made[name] = self._order_input(declared.name, columns) if columns else None
        return self._made[name]

    def _order_input(self, name: str, columns: dict[str, Any]) -> Any:
        made = enum.Enum(f"{name}OrderField", columns)  # type: ignore[misc]
        fields = strawberry.enum(made, description=f"What {name} rows can be ordered by.")
        shapes = {
            "field": (fields, "field", "The field."),
            "direction": (OrderDirection, "direction", "Ascending unless said otherwise."),
        }
        text = f"One term of an order of {name} rows; ties are broken by id."
        return _input(f"{name}Order", text, shapes, {"direction": OrderDirection.ASC})

    def _condition_on(self, field: Any, graph_field: GraphField) -> Any:
        if graph_field.kind == "value":
            return self._operators_of(field.type)
        target = self._registry.types[graph_field.target or ""]
        return self.filter_of(target) if graph_field.kind == "one" else self._relation_of(target)

    def _relation_of(self, target: GraphType) -> Any:
        name = f"{target.name}Relation"
        if name not in self._made:
            quantifiers = {
                "some": "At least one row matches.",
                "none": "No row matches.",
                "every": "All rows match; true where there is none.",
                "where": "Which rows `count` and `sum` count; all unless given.",
            }
            shapes: dict[str, tuple[Any, str, str]] = {word: (str, word, text) for word, text in quantifiers.items()}
            shapes["count"] = (optional(self._operators_of(int)), "count", "How many rows match `where`.")
            sums = self._sums_of(target)
            if sums is not None:
                shapes["sum"] = (optional(sums), "sum", "Sums over the rows that match `where`.")
            made = self._made[name] = _input(name, f"A condition on related {target.name} rows.", shapes)
            _fill(made, dict.fromkeys(quantifiers, self.filter_of(target)))
        return self._made[name]

    def _sums_of(self, target: GraphType) -> Any:
        fields = [(field, declared) for field, declared in strawberry_fields(target.python) if declared.sums]
        if not fields:
            return None
        money = self._money_filter()
        shapes = {
            field.python_name: (optional(money), declared.name, f"Sum of {declared.name}.")
            for field, declared in fields
        }
        return _input(f"{target.name}SumFilter", f"Conditions on sums over {target.name} rows.", shapes)

    def _money_filter(self) -> Any:
        if "MoneyFilter" not in self._made:
            shapes = {
                each.name: (optional(Decimal), each.name, each.meaning) for each in _COMPARISON if each.name in _NUMERIC
            }
            text = "Only amounts of this currency; otherwise each currency by itself, and one that holds is enough."
            shapes["currency"] = (optional(self._currency), "currency", text)
            description = (
                "Conditions on an amount; several must all hold. Amounts of different currencies are never added."
            )
            self._made["MoneyFilter"] = _input("MoneyFilter", description, shapes)
        return self._made["MoneyFilter"]

    def _operators_of(self, kind: Any) -> Any:
        inner: Any = getattr(kind, "of_type", kind)
        leaf: Any
        if isinstance(inner, StrawberryEnumDefinition) or hasattr(inner, "__strawberry_enum__"):
            definition = inner if isinstance(inner, StrawberryEnumDefinition) else inner.__strawberry_enum__
            name, leaf = definition.name, definition.wrapped_cls
            operators: tuple[_Operator, ...] = _EQUALITY
        else:
            leaf = inner if inner in _LEAVES else str
            name, operators = _LEAVES[leaf]
        key = f"{name}Filter"
        if key not in self._made:
            shapes: dict[str, tuple[Any, str, str]] = {
                f"{each.name}_": (
                    optional(list[leaf]) if each.name == "in" else optional(each.operand or leaf),
                    each.name,
                    each.meaning,
                )
                for each in operators
            }
            shapes["is_null"] = (optional(bool), "isNull", "True: has no value; false: has one.")
            self._made[key] = _input(key, f"Conditions on a {name}; several must all hold.", shapes)
        return self._made[key]


_NUMERIC: Final = {"eq", "lt", "lte", "gt", "gte"}


def _meaning(graph_field: GraphField) -> str:
    if graph_field.kind == "value":
        return f"By {graph_field.name}."
    return (
        f"By its {graph_field.name}."
        if graph_field.kind == "one"
        else f"By its {graph_field.name}: quantified, counted or summed."
    )


def _fill(made: Any, kinds: Mapping[str, Any]) -> None:
    for field in made.__strawberry_definition__.fields:
        if field.python_name in kinds:
            field.type_annotation = StrawberryAnnotation(optional(kinds[field.python_name]))


def _input(
    name: str, description: str, shapes: Mapping[str, tuple[Any, str, str]], defaults: Mapping[str, Any] | None = None
) -> Any:
    """A Strawberry input type of `shapes`: python name → (annotation, GraphQL name, description)."""
    body: dict[str, Any] = {"__annotations__": {}, "__doc__": description}
    for python_name, (annotation, graphql_name, text) in shapes.items():
        body["__annotations__"][python_name] = annotation
        options: dict[str, Any] = {"default": (defaults or {}).get(python_name, strawberry.UNSET)}
        if defaults is not None and python_name not in defaults:
            options = {}
        body[python_name] = strawberry.field(name=graphql_name, description=text, **options)
    return strawberry.input(type(name, (), body), name=name, description=description)
