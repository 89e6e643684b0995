"""Questions made from the schema: for every field of every type a document that reads it, by the shortest way from a root.

A new type, field or root joins by itself; arguments that take an id are filled by whoever asks.
"""

from collections import deque
from dataclasses import dataclass

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

ARGUMENTS = {
    "statement": '(kind: BALANCE_FORWARD, to: "2030-01-01")',
    "search": '(text: "customer")',
    "groups": "(by: MONTH)",
    "recognise": '(identifiers: [{namespace: "user_id", value: "u1"}])',
    "oauthClient": '(clientId: "extranet")',
    "whyLinked": '(a: {namespace: "user_id", value: "u1"}, b: {namespace: "user_id", value: "u1"})',
}


@dataclass(frozen=True, slots=True)
class Question:
    """A document that reads `type.field`; `$id` in it stands for an id of a `start`, the type that the root field leads to."""

    type: str
    field: str
    root: str
    start: str
    document: str


def questions(schema: GraphQLSchema) -> list[Question]:
    """One question for each field of each type, by the shortest way from any root; and for each field of a type that a root
    finds by id, one from that root too.
    """
    assert schema.query_type is not None
    starts = []
    for name, root in schema.query_type.fields.items():
        kind = get_named_type(root.type)
        concrete = (
            schema.get_possible_types(kind) if isinstance(kind, (GraphQLInterfaceType, GraphQLUnionType)) else [kind]
        )
        head = f"{name}{_arguments(name, root)} {{"
        starts += [(start, name, [head] if start is kind else [head, f"... on {start.name} {{"]) for start in concrete]
    queue = deque(
        (start, root, start.name, opened) for start, root, opened in starts if isinstance(start, GraphQLObjectType)
    )
    seen: set[tuple[str, str]] = set()
    found: list[Question] = []
    while queue:
        kind, root, start, opened = queue.popleft()
        by_id = "$id" in opened[0] and len(opened) <= 1 + (root in {"node", "nodes"})
        if (kind.name, root if by_id else "") in seen:
            continue
        seen |= {(kind.name, root), (kind.name, "")} if by_id else {(kind.name, "")}
        for name, declared in kind.fields.items():
            inner = get_named_type(declared.type)
            asked = f"{name}{_arguments(name, declared)}"
            leaf = asked if is_leaf_type(inner) else f"{asked} {{ __typename }}"
            head = "query($id: ID!)" if "$id" in opened[0] else "query"
            body = " ".join([*opened, leaf, *("}" for _ in opened)])
            found.append(Question(kind.name, name, root, start, f"{head} {{ {body} }}"))
            if isinstance(inner, GraphQLObjectType):
                queue.append((inner, root, start, [*opened, f"{asked} {{"]))
    return found


def _arguments(name: str, declared: GraphQLField) -> str:
    if "id" in declared.args:
        return "(id: $id)"
    if "ids" in declared.args:
        return "(ids: [$id])"
    if name in ARGUMENTS:
        return ARGUMENTS[name]
    assert not any(is_required_argument(argument) for argument in declared.args.values()), (
        f"say in ARGUMENTS how to ask {name}"
    )
    return ""
