"""Operations generated from the schema: any selection the type system allows, with arguments that mean something here.

A strategy draws a selection tree and prints it. Aliases, fragments, duplicates and variables are drawn too, because they are
where a compiler that isn't the executor goes wrong; each variable has two values, because a plan made for one serves the other.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)
from hypothesis import strategies as st

from tests.graph.business import id_of, node_id

IDS: Final = {
    ("Query", "customer"): [id_of("cus", "0001", n) for n in (1, 5, 10, 999)] + [id_of("cus", "0009", 1)],
    ("Query", "account"): [id_of("acc", "0004", n) for n in (2, 10, 12, 999)],
    ("Query", "order"): [id_of("ord", "0005", n) for n in (201, 1002, 1203, 99999)],
    ("Query", "node"): [id_of("cus", "0001", 5), id_of("acc", "0004", 10), id_of("ord", "0005", 1001)],
}
LEAVES: Final[dict[str, list[str]]] = {
    "String": ['"Customer A"', '"SO-10-1"', '"u3"', '""', '"%"', '"it\'s"', '"P1"'],
    "Int": ["0", "1", "3", "30"],
    "Boolean": ["true", "false"],
    "Decimal": ['"100.50"', '"0"', '"5000"'],
    "Date": ['"2026-03-12"', '"2026-04-01"', '"2026-12-31"'],
    "DateTime": ['"2026-03-01T00:00:00Z"', '"2025-01-01T05:00:00.500000+00:00"'],
    "Duration": ['"P90D"', '"P3Y2M"', '"PT36H"'],
    "Currency": ['"EUR"', '"JPY"'],
    "ID": [f'"{id_of("cus", "0001", 5)}"', f'"{id_of("ord", "0005", 1001)}"'],
}
DEEPEST: Final = 5
SIZES: Final = [0, 1, 2, 7]
TEXTS: Final = ['"customer"', '"SO-1"', '"100%"', '"c7@example.com"']


OWN_TESTS = {"viewer", "whyLinked"}
"""Root fields that a resolver of their own answers."""


@dataclass(frozen=True, slots=True)
class CursorOf:
    """A variable's value that is a real cursor: the n-th of the connection `owner.field` in this order."""

    owner: str
    field: str
    order: str | None
    number: int


@dataclass(frozen=True, slots=True)
class Operation:
    """A query document, and its variables with two sets of values."""

    document: str
    variables: tuple[dict[str, Any], dict[str, Any]]


@dataclass
class Drawing:
    """What one operation has used up; keeps them small enough to run thousands of."""

    draw: Any
    schema: GraphQLSchema
    aliases: int = 0
    fields: int = 0
    aliased: bool = False
    variables: dict[str, tuple[str, Any, Any]] = field(default_factory=dict)

    def one(self, options: list[Any]) -> Any:
        return self.draw(st.sampled_from(options))

    def often(self, in_ten: int) -> bool:
        return bool(self.draw(st.integers(0, 9)) < in_ten)

    def alias(self) -> str:
        self.aliases += 1
        return f"a{self.aliases}"

    def selection(self, kind: GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType, depth: int) -> str:
        if isinstance(kind, (GraphQLInterfaceType, GraphQLUnionType)):
            # Two types may give one response key different meanings, which validation refuses: so every field has an alias.
            before, self.aliased = self.aliased, True
            inner = " ".join(
                f"... on {name} {self.selection(self.schema.type_map[name], depth)}"  # type: ignore[arg-type]
                for name in ("Customer", "Order", "Account")
                if self.often(6)
            )
            self.aliased = before
            return "{ __typename " + inner + " }"
        parts = ["__typename"] if self.often(2) else []
        names = [
            name for name, declared in kind.fields.items() if depth > 0 or is_leaf_type(get_named_type(declared.type))
        ]
        if kind.name.endswith("Connection"):
            names = list(kind.fields)
        chosen = [name for name in names if self.often(4)][:6] or ([self.one(names)] if names else [])
        for name in chosen:
            part = self.field(kind, name, depth)
            if part:
                parts.append(f"... on {kind.name} {{ {part} }}" if self.often(1) else part)
        if not parts:
            parts = ["__typename"]
        if self.often(1) and parts[0] != "__typename":
            parts.append(parts[0])
        return "{ " + " ".join(parts) + " }"

    def field(self, owner: GraphQLObjectType, name: str, depth: int) -> str:
        self.fields += 1
        if self.fields > 60:
            return ""
        declared = owner.fields[name]
        alias = f"{self.alias()}: " if self.often(3) or declared.args or self.aliased else ""
        arguments = self.arguments(owner.name, name, declared.args)
        inner = get_named_type(declared.type)
        below = "" if is_leaf_type(inner) else " " + self.selection(inner, depth - 1)
        condition = f" @{self.one(['include', 'skip'])}(if: {self.one(['true', 'false'])})" if self.often(1) else ""
        return f"{alias}{name}{arguments}{condition}{below}"

    def arguments(self, owner: str, name: str, declared: Any) -> str:
        given: dict[str, str] = {}
        paging = {"first", "after", "before", "last"} & set(declared)
        for argument, definition in declared.items():
            if argument in paging or (not is_required_argument(definition) and not self.often(3)):
                continue
            given[argument] = self.given(definition, lambda: self.operand(owner, name, argument, definition))  # noqa: B023
        if paging:
            backward = self.often(3)
            if backward or self.often(4):
                size = "last" if backward else "first"
                given[size] = self.given(declared[size], lambda: str(self.one(SIZES)))
            for end in ("after", "before"):
                if self.often(2):
                    given[end] = self.cursor(owner, name, given.get("orderBy"))
        if name == "account" and owner == "Query" and not given:
            given = {"number": '"K-1010"'}
        if name == "order" and owner == "Query" and not given:
            given = {"number": '"SO-10-2"'}
        return f"({', '.join(f'{argument}: {value}' for argument, value in given.items())})" if given else ""

    def operand(self, owner: str, name: str, argument: str, definition: Any) -> str:
        if argument == "id":
            found = get_named_type(self.schema.type_map[owner].fields[name].type).name  # type: ignore[attr-defined]
            ids = IDS.get((owner, name)) or [node_id(found, number) for number in (10, 12, 999)]
            return f'"{self.one(ids)}"'
        if argument == "ageingEdges":
            return "[15, 45, 75]"
        if name == "statement" and argument in {"from", "to"}:
            return str(self.one(LEAVES["Date"][:2] if argument == "from" else LEAVES["Date"][1:]))
        return str(self.one(TEXTS)) if argument == "text" else self.value(definition.type)

    def given(self, definition: Any, value: Any) -> str:
        """The value drawn, or a variable that has it; objects and lists stay in the document."""
        drawn: str = value()
        if not self.often(4) or "{" in drawn or "[" in drawn:
            return drawn
        kind = str(definition.type)
        return self.variable(kind, _python(drawn, kind), _python(value(), kind))

    def cursor(self, owner: str, name: str, order: str | None) -> str:
        numbers = [self.draw(st.integers(0, 30)) for _ in range(2)]
        return self.variable("String", *(CursorOf(owner, name, order, number) for number in numbers))

    def variable(self, kind: str, value: Any, other: Any) -> str:
        variable = f"v{len(self.variables)}"
        self.variables[variable] = (kind, value, other)
        return f"${variable}"

    def value(self, kind: Any, depth: int = 2) -> str:
        if isinstance(kind, GraphQLNonNull):
            return self.value(kind.of_type, depth)
        if isinstance(kind, GraphQLList):
            return (
                "[" + ", ".join(self.value(kind.of_type, depth - 1) for _ in range(self.draw(st.integers(1, 2)))) + "]"
            )
        if isinstance(kind, GraphQLEnumType):
            return str(self.one(list(kind.values)))
        if isinstance(kind, GraphQLInputObjectType):
            wanted = [
                name for name, each in kind.fields.items() if each.type.__class__ is GraphQLNonNull or self.often(3)
            ]
            if depth <= 0:
                wanted = [
                    name
                    for name in wanted
                    if not isinstance(get_named_type(kind.fields[name].type), GraphQLInputObjectType)
                ]
            return (
                "{" + ", ".join(f"{name}: {self.value(kind.fields[name].type, depth - 1)}" for name in wanted[:3]) + "}"
            )
        return str(self.one(LEAVES[kind.name]))


@st.composite
def operations(draw: Any, schema: GraphQLSchema) -> Operation:
    """An operation of one or two root fields."""
    drawing = Drawing(draw, schema)
    root = schema.query_type
    assert root is not None
    fields = [
        drawing.field(root, name, DEEPEST)
        for name in draw(
            st.lists(st.sampled_from([name for name in root.fields if name not in OWN_TESTS]), min_size=1, max_size=2)
        )
    ]
    header = ", ".join(f"${name}: {kind}" for name, (kind, *_) in drawing.variables.items())
    first = {name: value for name, (_, value, _) in drawing.variables.items()}
    second = {name: value for name, (_, _, value) in drawing.variables.items()}
    document = f"query Q{f'({header})' if header else ''} {{ {' '.join(part for part in fields if part)} }}"
    return Operation(document, (first, second))


def _python(value: str, kind: str) -> Any:
    if value.startswith('"'):
        return value.strip('"')
    if value in {"true", "false"}:
        return value == "true"
    return int(value) if kind.rstrip("!") == "Int" else value
