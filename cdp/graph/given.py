"""GraphQL input values that remember where they came from.

The compiler needs an argument twice: its *shape* now, since a filter with two operators is other SQL than one with three, and
its *value* at each execution, bound as a parameter. A `Given` is either constant (a literal of the document) or a path into the
operation's variables; `shape` reduces variables to what SQL can depend on, so that one plan serves all values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Self

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
)
from graphql.utilities import coerce_input_literal

Variables = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Given:
    """One input value. `value` is the coerced value of this execution, for its shape only unless `path` is None."""

    type: GraphQLInputType
    value: Any
    path: tuple[str | int, ...] | None = None
    parts: "Mapping[str | int, Given] | None" = None

    @property
    def is_null(self) -> bool:
        """Whether null was given."""
        return self.value is None

    def now(self, variables: Variables) -> Any:
        """The value at one execution."""
        if self.path is not None:
            found: Any = variables
            for step in self.path:
                found = found[step]
            return found
        if self.parts is not None:
            if isinstance(self.value, list):
                return [self.parts[index].now(variables) for index in range(len(self.value))]
            return {str(name): part.now(variables) for name, part in self.parts.items()}
        return self.value

    def fields(self) -> dict[str, Self]:
        """Fields of an input object that were given, by GraphQL name."""
        kind = nullable(self.type)
        assert isinstance(kind, GraphQLInputObjectType)  # noqa: S101 — the schema says so
        if self.parts is not None:
            return {str(name): part for name, part in self.parts.items()}  # type: ignore[misc]
        return {
            name: type(self)(kind.fields[name].type, inner, None if self.path is None else (*self.path, name))
            for name, inner in self.value.items()
        }

    def items(self) -> list[Self]:
        """Items of a list."""
        kind = nullable(self.type)
        assert isinstance(kind, GraphQLList)  # noqa: S101 — the schema says so
        if self.parts is not None:
            return [self.parts[index] for index in range(len(self.value))]  # type: ignore[misc]
        return [
            type(self)(kind.of_type, inner, None if self.path is None else (*self.path, index))
            for index, inner in enumerate(self.value)
        ]


def nullable(kind: Any) -> Any:
    """The type without its non-null wrapper."""
    return kind.of_type if isinstance(kind, GraphQLNonNull) else kind


def read(node: ValueNode | None, kind: GraphQLInputType, default: Any, variables: Variables) -> Given | None:
    """The value given for an argument or input field; None when nothing was given and there is no default."""
    if node is None:
        return None if default is Undefined else Given(kind, default)
    if isinstance(node, VariableNode):
        name = node.name.value
        if name in variables:
            return Given(kind, variables[name], (name,))
        return None if default is Undefined else Given(kind, default)
    if isinstance(node, NullValueNode):
        return Given(kind, None)
    inner = nullable(kind)
    if isinstance(node, ObjectValueNode) and isinstance(inner, GraphQLInputObjectType):
        given = {each.name.value: each.value for each in node.fields}
        parts = {
            name: part
            for name, declared in inner.fields.items()
            if (part := read(given.get(name), declared.type, declared.default_value, variables)) is not None
        }
        return Given(kind, {name: part.value for name, part in parts.items()}, None, parts)
    if isinstance(inner, GraphQLList) and isinstance(node, ListValueNode):
        items = {index: read(item, inner.of_type, None, variables) for index, item in enumerate(node.values)}
        return Given(kind, [item.value for item in items.values() if item], None, items)  # type: ignore[arg-type]
    if isinstance(inner, GraphQLList):
        only = read(node, inner.of_type, None, variables)
        return Given(kind, None) if only is None or only.value is None else Given(kind, [only.value], None, {0: only})
    return Given(kind, coerce_input_literal(node, kind))


def shape(value: Any, kind: Any) -> Any:
    """What SQL may depend on: structure, presence, null, booleans, enums and whole numbers; other leaves only by being there."""
    inner = nullable(kind)
    if value is None:
        return None
    if isinstance(inner, GraphQLList):
        if not isinstance(nullable(inner.of_type), (GraphQLInputObjectType, GraphQLList)):
            return "list"
        return tuple(shape(item, inner.of_type) for item in value)
    if isinstance(inner, GraphQLInputObjectType):
        return tuple((name, shape(inner_value, inner.fields[name].type)) for name, inner_value in sorted(value.items()))
    if isinstance(inner, GraphQLEnumType):
        return value.value if isinstance(value, Enum) else value
    if isinstance(inner, GraphQLScalarType) and inner.name in {"Int", "Boolean"}:
        return value
    return "value"
