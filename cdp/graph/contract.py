"""From declarations to the contract: names and arguments every declared field has without saying so.

Called once, after all types are declared and before Strawberry makes the schema.
"""

from collections.abc import Iterable
from typing import Any

import strawberry
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

from cdp.graph.declaration import GraphField, Inherit, Registry, argument, optional, strawberry_fields
from cdp.graph.inputs import InputTypes
from cdp.graph.page import DEFAULT_PAGE, LARGEST_PAGE


def complete(registry: Registry, roots: Iterable[type], *, currency: Any) -> dict[str, dict[str, GraphField]]:
    """Name every declared field and give it its arguments. Returns root fields by type and name.

    Raises TypeError for a declaration that cannot work: a root field without rules, an order by something computed.
    """
    inputs = InputTypes(registry, currency)
    for declared in registry.types.values():
        for field, graph_field in strawberry_fields(declared.python):
            _name(field, graph_field, declared.name)
            declared.fields[graph_field.name] = graph_field
            if graph_field.kind in {"one", "list", "page"}:
                graph_field.target = _target(registry, field, graph_field)
            if graph_field.orders and not isinstance(graph_field.where, str):
                message = f"{declared.name}.{graph_field.name}: only a column can be ordered by"
                raise TypeError(message)
    found: dict[str, dict[str, GraphField]] = {}
    for root in roots:
        owner = root.__strawberry_definition__.name  # type: ignore[attr-defined]
        for field, graph_field in strawberry_fields(root):
            _name(field, graph_field, owner)
            if isinstance(graph_field.scope, Inherit) or isinstance(graph_field.member, Inherit):
                message = f"{owner}.{graph_field.name}: a root field says itself who may read it"
                raise TypeError(message)
            found.setdefault(owner, {})[graph_field.name] = graph_field
    for python in [*(declared.python for declared in registry.types.values()), *roots]:
        for field, graph_field in strawberry_fields(python):
            _give_arguments(registry, inputs, field, graph_field)
    return found


def _name(field: StrawberryField, graph_field: GraphField, owner: str) -> None:
    graph_field.name = field.graphql_name or to_camel_case(field.python_name)
    graph_field.owner = owner


def _give_arguments(registry: Registry, inputs: InputTypes, field: StrawberryField, graph_field: GraphField) -> None:
    given = [argument(name, *rest) for name, rest in graph_field.inputs.items()]
    if graph_field.filter_of is not None:
        filters_of: Any = inputs.filter_of(registry.types[graph_field.filter_of])
        given.append(argument("filter", optional(filters_of), strawberry.UNSET, "Only rows that match."))
    if graph_field.kind == "page":
        target = registry.types[graph_field.target or _target(registry, field, graph_field)]
        filters: Any = inputs.filter_of(target)
        order: Any = inputs.order_of(target)
        if filters is not None:
            given.append(argument("filter", optional(filters), strawberry.UNSET, "Only rows that match."))
        if order is not None:
            given.append(
                argument("orderBy", optional(list[order]), strawberry.UNSET, "Order, most significant term first.")
            )
        bound = f"at most {LARGEST_PAGE}"
        given += [
            argument(
                "first", optional(int), strawberry.UNSET, f"Rows from the front: {bound}, {DEFAULT_PAGE} unless given."
            ),
            argument("after", optional(str), strawberry.UNSET, "Only rows after this cursor."),
            argument("last", optional(int), strawberry.UNSET, f"Rows from the back, {bound}."),
            argument("before", optional(str), strawberry.UNSET, "Only rows before this cursor."),
        ]
    field.arguments = given


def _target(registry: Registry, field: StrawberryField, graph_field: GraphField) -> str:
    """Name of the type an edge leads to: of its objects, or of its connection's nodes."""
    kind: Any = _inner(field.type)
    if graph_field.kind == "page":
        definition = kind.__strawberry_definition__
        nodes = next(each for each in definition.fields if each.python_name == "nodes")
        kind = _inner(nodes.resolve_type(type_definition=definition))
    name: str = kind.__strawberry_definition__.name
    if name not in registry.types:
        raise TypeError(f"{graph_field.owner}.{graph_field.name} leads to {name}, which is no graph type")
    return name


def _inner(kind: Any) -> Any:
    """A type without list and null wrappers, resolved where it was named before it was made."""
    while hasattr(kind, "of_type"):
        kind = kind.of_type
    return kind.resolve_type() if hasattr(kind, "resolve_type") else kind
