"""Operations made from the schema that give each argument each kind of value that could find something foreign.

Filters are walked leaf by leaf through relations and counts; a new field, argument or filter joins by itself. Many are put into
one document under aliases, as many as the limits let through.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

from tests.graph.asking import ARGUMENTS, questions
from tests.graph.asking import _arguments as usual

AT_ONCE: Final = 40
OPERATORS_AND: Final = {"and", "or", "not"}
VALUES: Final = {
    "String": ['"CANARY"'],
    "Int": ["1"],
    "Decimal": ['"1"'],
    "Boolean": ["true"],
    "Date": ['"2026-03-12"'],
    "DateTime": ['"2026-03-01T00:00:00Z"'],
    "Duration": ['"P3Y"'],
    "Currency": ['"EUR"'],
    "JSON": ['"CANARY"'],
}


def operations(schema: GraphQLSchema, ids: list[str], *, deepest: int) -> list[tuple[str, str]]:
    """Documents that need no variables, each with the type whose id stands for `$id` in it, "" where there is none.

    `ids`: foreign ids to be put wherever an id fits. `deepest`: how many relations a filter goes through; beyond the first type
    one operator of each field is tried. Each kind of filter is gone through in one place, and begun in all others.
    """
    walk = _Walk(ids, deepest)
    assert schema.query_type is not None
    asked: dict[tuple[str, str, str], list[str]] = {("", "query {", "}"): []}
    for name, field in schema.query_type.fields.items():
        asked["", "query {", "}"] += list(walk.calls(name, field))
    for question in questions(schema):
        owner = schema.type_map[question.type]
        assert isinstance(owner, GraphQLObjectType)
        field = owner.fields[question.field]
        if field.args:
            leaf = f"{question.field}{usual(question.field, field)}"
            leaf += "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"
            before, found, after = question.document.rpartition(leaf)
            assert found, question
            start = question.start if "$id" in question.document else ""
            asked.setdefault((start, before, after), []).extend(walk.calls(question.field, field))
    return [
        (start, " ".join([before, *(f"a{number}: {call}" for number, call in enumerate(part)), after]))
        for (start, before, after), calls in asked.items()
        for part in _parts(calls)
    ]


def _parts(calls: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(calls), AT_ONCE):
        yield calls[start : start + AT_ONCE]


class _Walk:
    def __init__(self, ids: list[str], deepest: int) -> None:
        self._ids = [f'"{each}"' for each in ids]
        self._deepest = deepest
        self._gone_through: set[str] = set()

    def calls(self, name: str, field: GraphQLField) -> Iterator[str]:
        """The field with each argument in turn, the required ones as usual."""
        needed = {
            argument: value
            for argument, declared in field.args.items()
            if is_required_argument(declared)
            for value in [self._needed(name, argument, declared.type)]
        }
        below = _below(field)
        for argument, declared in field.args.items():
            kind = get_named_type(declared.type).name
            again = kind in self._gone_through
            self._gone_through |= {kind} if argument == "filter" else set()
            for value in islice(self.values(declared.type, 0), 2 if again else None):
                given = {**needed, argument: value}
                yield f"{name}({', '.join(f'{key}: {each}' for key, each in given.items())}){below}"

    def values(self, kind: Any, depth: int) -> Iterator[str]:
        """Literals of an input type: of an object, each of its leaves alone."""
        if isinstance(kind, GraphQLNonNull):
            yield from self.values(kind.of_type, depth)
        elif isinstance(kind, GraphQLList):
            yield from (f"[{each}]" for each in self.values(kind.of_type, depth))
        elif isinstance(kind, GraphQLEnumType):
            yield next(iter(kind.values))
        elif isinstance(kind, GraphQLInputObjectType):
            yield from self._objects(kind, depth)
        elif kind.name == "ID":
            yield from self._ids if depth == 0 else self._ids[:1]
        else:
            yield from VALUES[kind.name]

    def _objects(self, kind: GraphQLInputObjectType, depth: int) -> Iterator[str]:
        needed = {
            name: next(self.values(field.type, depth))
            for name, field in kind.fields.items()
            if isinstance(field.type, GraphQLNonNull)
        }
        names = [name for name in kind.fields if name not in OPERATORS_AND]
        if kind.name.endswith("Relation"):
            names = ["some", "count"]
        elif depth and "isNull" in kind.fields:  # the operators of a field
            names = [next(name for name in ("startsWith", "gte", "eq") if name in kind.fields)]
        for name in names:
            field = kind.fields[name]
            deeper = depth + _goes_on(field.type)
            if deeper > self._deepest:
                continue
            for value in self.values(field.type, deeper):
                given = {**needed, name: value}
                yield "{" + ", ".join(f"{key}: {each}" for key, each in given.items()) + "}"

    def _needed(self, name: str, argument: str, kind: Any) -> str:
        usually = ARGUMENTS.get(name, "")
        marker = f"{argument}: "
        if marker in usually:
            rest = usually.partition(marker)[2]
            return _balanced(rest)
        return next(self.values(kind, 0))


def _goes_on(kind: Any) -> bool:
    """Whether a filter's field leads to a filter of other rows."""
    inner = get_named_type(kind)
    return isinstance(inner, GraphQLInputObjectType) and "and" in inner.fields


def _balanced(text: str) -> str:
    """The literal that a text begins with."""
    depth, quoted = 0, False
    for place, letter in enumerate(text):
        quoted ^= letter == '"'
        if quoted:
            continue
        if letter in ",)" and depth == 0:
            return text[:place]
        depth += (letter in "[{(") - (letter in "]})")
    return text


def _below(field: GraphQLField) -> str:
    inner = get_named_type(field.type)
    if is_leaf_type(inner):
        return ""
    if isinstance(inner, GraphQLObjectType) and inner.name.endswith("Connection"):
        return " { totalCount edges { cursor node { __typename } } }"
    return " { __typename }"
