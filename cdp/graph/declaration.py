"""What a GraphQL type says about itself, once: where each field's value lives, who may read it, what it can be filtered and
ordered by. Strawberry reads the same classes for the contract; the compiler reads the `Registry` for SQL.

    @graph.type(table=order, prefix="ord", key=("order_id",), order=(by("placed_at", descending=True),), …)
    class Order(Node):
        number: str = scalar("number", "The source's order number.", filters=True, orders=True)
        lines: Connection[OrderLine] = page(order_lines, "What was ordered, by line number.")

A *row* is a FROM element of the statement (an aliased table, a sub-select or an `Inline` value); an expression is a function
of the row. Scopes are checked while compiling: see `compiler.py`.
"""

import enum
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final, Literal, TypeVar

import strawberry
from sqlalchemy import ColumnElement, FromClause, Uuid
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from cdp.access.viewer import Scope
from cdp.db.ids import read_id

METADATA_KEY: Final = "graph"
T = TypeVar("T")


class Inherit(enum.Enum):
    """The type's own rule applies."""

    INHERIT = enum.auto()


INHERIT: Final = Inherit.INHERIT
ScopeRule = Scope | Inherit
MemberRule = Scope | Inherit | None
"""The scope a member needs; None closes the field to members."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One term of an order: a column of the row by name. Nulls come last either way."""

    column: str
    descending: bool = False
    nullable: bool = False


def by(column: str, *, descending: bool = False, nullable: bool = False) -> Term:
    """An order term, e.g. `by("placed_at", descending=True)`."""
    return Term(column=column, descending=descending, nullable=nullable)


@dataclass(frozen=True, slots=True)
class Inline:
    """A value object that is no row of its own, such as money: its columns are expressions of the parent's row.

    `absent`, when given, is true where the whole object is null.
    """

    columns: Mapping[str, Any]
    absent: ColumnElement[bool] | None = None

    @property
    def c(self) -> SimpleNamespace:
        """Columns by name, as on a FROM element."""
        return SimpleNamespace(**self.columns)


Row = Any
"""A FROM element or an Inline: anything with `.c`."""
Expression = Callable[[Row], ColumnElement[Any]]


@dataclass(frozen=True, slots=True)
class Rows:
    """Where an edge leads: a fresh FROM element, the condition that ties it to the parent, and its order. `count`: how many
    rows there are, where the parent knows it, of which the viewer may see all or none.
    """

    source: FromClause
    where: tuple[ColumnElement[bool], ...] = ()
    order: tuple[Term, ...] | None = None
    count: ColumnElement[int] | None = None


Kind = Literal["value", "one", "list", "page", "mixed", "by_place"]
Before = Callable[[Any, Mapping[str, Any]], Awaitable[None]]
"""What a root field does before its statement is sent, with the operation's context and the field's arguments."""


@dataclass(slots=True, kw_only=True)
class GraphField:
    """One field: its kind, where it lives, and its rules. `name` and `owner` are set when the type is registered."""

    kind: Kind
    where: Any
    scope: ScopeRule = INHERIT
    member: MemberRule | Inherit = INHERIT
    filters: bool = False
    orders: bool = False
    nullable: bool = False
    inputs: Mapping[str, tuple[Any, Any, str]] = field(default_factory=dict)
    most: int = 20
    sums: str | None = None
    filter_of: str | None = None
    before: Before | None = None
    name: str = ""
    owner: str = ""
    target: str | None = None

    def expression(self, row: Row) -> ColumnElement[Any]:
        """SQL of a value field on `row`."""
        if isinstance(self.where, str):
            found: ColumnElement[Any] = getattr(row.c, self.where)
            return found
        made: ColumnElement[Any] = self.where(row)
        return made


@dataclass(slots=True, kw_only=True)
class GraphType:
    """One object type of the graph.

    `visible` gives the rows a member may see (first wall) as a condition on a row and the member's bound parameters; None for
    a type no member reaches by itself. `key` breaks ties of every order and makes cursors unique.
    """

    name: str
    python: type
    table: FromClause | None
    prefix: str | None
    key: tuple[str, ...]
    order: tuple[Term, ...]
    scope: Scope
    member: Scope | None
    visible: Callable[[Row, Any], ColumnElement[bool]] | None
    by_id: Callable[[Row | None, Any], Rows] | None
    fields: dict[str, GraphField] = field(default_factory=dict)

    def scope_of(self, declared: GraphField) -> Scope:
        """Scope a tool needs for the field."""
        return self.scope if isinstance(declared.scope, Inherit) else declared.scope

    def member_scope_of(self, declared: GraphField) -> Scope | None:
        """Scope a member needs for the field; None when it is closed to members."""
        return self.member if isinstance(declared.member, Inherit) else declared.member


def scalar(
    where: str | Expression,
    description: str,
    *,
    scope: ScopeRule = INHERIT,
    member: MemberRule | Inherit = INHERIT,
    filters: bool = False,
    orders: bool = False,
    nullable: bool = False,
    name: str | None = None,
) -> Any:
    """A scalar field: a column by name, or an expression of the row. `nullable` matters for ordering only; `name` is the
    GraphQL name where Python can't have it.
    """
    declared = GraphField(
        kind="value", where=where, scope=scope, member=member, filters=filters, orders=orders, nullable=nullable
    )
    return strawberry.field(description=description, name=name, metadata={METADATA_KEY: declared})


def one(
    where: Callable[..., Rows | Inline],
    description: str,
    *,
    scope: ScopeRule = INHERIT,
    member: MemberRule | Inherit = INHERIT,
    inputs: Mapping[str, tuple[Any, Any, str]] | None = None,
    filters: bool = False,
    sums: str | None = None,
    filter_of: str | None = None,
    before: Before | None = None,
) -> Any:
    """A field that is one object: `where(row, arguments)` gives at most one row, or an `Inline` value.

    `inputs` declares arguments: name → (annotation, default or UNSET, description). `filters`: rows can be filtered by the
    object's fields. `sums`: the column of an amount of money (beside `currency`) that can be summed. `filter_of`: it takes a
    filter of that graph type. `before`: what is done first, where the field is a root.
    """
    declared = GraphField(
        kind="one",
        where=where,
        scope=scope,
        member=member,
        inputs=inputs or {},
        filters=filters,
        sums=sums,
        filter_of=filter_of,
        before=before,
    )
    return _strawberry_field(declared, description)


def many(
    where: Callable[..., Rows],
    description: str,
    *,
    scope: ScopeRule = INHERIT,
    member: MemberRule | Inherit = INHERIT,
    inputs: Mapping[str, tuple[Any, Any, str]] | None = None,
    most: int = 20,
    filters: bool = False,
) -> Any:
    """A field that is a short list of objects, bounded by nature; `most` is what its cost is reckoned with."""
    declared = GraphField(
        kind="list", where=where, scope=scope, member=member, inputs=inputs or {}, most=most, filters=filters
    )
    return _strawberry_field(declared, description)


def mixed(
    where: Callable[..., Mapping[str, Any]],
    description: str,
    *,
    scope: ScopeRule,
    member: MemberRule,
    inputs: Mapping[str, tuple[Any, Any, str]],
    most: int,
    by_place: bool = False,
) -> Any:
    """A list of objects of several types, at most `most`: `where` gives ranked rows by type name (`mixed.Ranked`).

    `by_place`: the rank is the place among the argument `ids`, and places without a row are null.
    """
    kind: Kind = "by_place" if by_place else "mixed"
    declared = GraphField(kind=kind, where=where, scope=scope, member=member, inputs=inputs, most=most)
    return _strawberry_field(declared, description)


def page(
    where: Callable[..., Rows],
    description: str,
    *,
    scope: ScopeRule = INHERIT,
    member: MemberRule | Inherit = INHERIT,
    inputs: Mapping[str, tuple[Any, Any, str]] | None = None,
    filters: bool = False,
) -> Any:
    """A field that is a Relay connection with keyset cursors; filter and order arguments follow from the node type.

    `filters`: the parent can be filtered by conditions on these rows (`some`, `none`, `every`, `count`, `sum`).
    """
    declared = GraphField(kind="page", where=where, scope=scope, member=member, inputs=inputs or {}, filters=filters)
    return _strawberry_field(declared, description)


def _strawberry_field(declared: GraphField, description: str) -> Any:
    return strawberry.field(description=description, metadata={METADATA_KEY: declared})


def _by_key(table: FromClause | None, key: str, prefix: str) -> Callable[[Row | None, Any], Rows]:
    """How a node is found by its id where nothing else is said: its table's row with that key."""
    if table is None:
        raise TypeError("a node without a table says itself how it is found by id")

    def found(_row: Row | None, arguments: Any) -> Rows:
        row = table.alias()
        return Rows(row, (row.c[key] == arguments.bind("id", Uuid(), lambda text: read_id(text, prefix)),))

    return found


def by_node_id(_row: Row | None, _arguments: Any) -> Rows:
    """Where a field of an interface type leads: to where its id's type says (`GraphType.by_id`), so never asked itself."""
    raise AssertionError("an id names its type")


class Registry:
    """Every graph type by its GraphQL name, and by its id prefix."""

    def __init__(self) -> None:
        self.types: dict[str, GraphType] = {}
        self.by_prefix: dict[str, GraphType] = {}

    def type(
        self,
        *,
        scope: Scope,
        member: Scope | None = None,
        table: FromClause | None = None,
        prefix: str | None = None,
        key: tuple[str, ...] = (),
        order: tuple[Term, ...] = (),
        visible: Callable[[Row, Any], ColumnElement[bool]] | None = None,
        by_id: Callable[[Row | None, Any], Rows] | None = None,
    ) -> Callable[[type[T]], type[T]]:
        """Class decorator: a Strawberry type, described by its docstring, whose declared fields the compiler knows."""

        def register(python: type[T]) -> type[T]:
            description = " ".join((python.__doc__ or "").split())
            # Rows are JSON by then, never instances of the class: whatever the compiler says it is, it is.
            python.is_type_of = classmethod(lambda _class, _value, _info: True)  # type: ignore[attr-defined]
            made = strawberry.type(python, description=description)
            declared = GraphType(
                name=made.__strawberry_definition__.name,  # type: ignore[attr-defined]
                python=made,
                table=table,
                prefix=prefix,
                key=key,
                order=order,
                scope=scope,
                member=member,
                visible=visible,
                by_id=by_id or (None if prefix is None else _by_key(table, key[-1], prefix)),
            )
            self.types[declared.name] = declared
            if prefix is not None:
                self.by_prefix[prefix] = declared
            return made

        return register


def strawberry_fields(python: type) -> list[tuple[StrawberryField, GraphField]]:
    """Declared graph fields of a Strawberry class, in order."""
    definition = python.__strawberry_definition__  # type: ignore[attr-defined]
    return [(each, each.metadata[METADATA_KEY]) for each in definition.fields if METADATA_KEY in (each.metadata or {})]


def optional(kind: Any) -> Any:
    """`kind | None` for a type that is made at run time."""
    return kind | None


def argument(name: str, annotation: Any, default: Any, description: str) -> StrawberryArgument:
    """A Strawberry argument made from data rather than from a resolver's signature."""
    from strawberry.annotation import StrawberryAnnotation  # noqa: PLC0415 — private to this constructor

    return StrawberryArgument(
        python_name=name,
        graphql_name=name,
        type_annotation=StrawberryAnnotation(annotation),
        default=default,
        description=description,
    )
