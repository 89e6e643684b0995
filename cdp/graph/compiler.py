"""From a selection to one SQL statement that returns finished JSON.

Each object is a sub-select whose columns are named by response key and turned into JSON whole (`row_to_json`), each list an
aggregate over such a sub-select, each edge a correlated sub-select of its parent's row; so a whole tree, whatever its depth, is
one statement. While compiling, the viewer's scopes are checked field by field, rows a member may not see are excluded, and the
number of nodes the answer can hold is reckoned, all before the database hears of it. The result, a `Plan`, depends on values
only through bound parameters and is reused for all of them.

Why correlated sub-selects in the column list and not LATERAL joins: they run alike (a nested loop over the parent's rows), but
compose without inventing join conditions, and a LIMIT above them keeps them from running for rows that are cut off.
"""

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
)
from graphql import get_named_type as named
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Text,
    Uuid,
    case,
    exists,
    false,
    func,
    literal_column,
    null,
    select,
    true,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import psycopg as psycopg_dialect
from sqlalchemy.types import TypeEngine

from cdp.access.viewer import Member, Viewer
from cdp.graph.cursor import Order, order_of
from cdp.graph.declaration import GraphField, GraphType, Inline, Registry, Row, Rows
from cdp.graph.filters import MOST_VALUES, condition, order_terms
from cdp.graph.given import Given, Variables, read
from cdp.graph.refusal import (
    ClosedToMembers,
    CursorInvalid,
    LimitExceeded,
    PageInvalid,
    ScopeMissing,
    ValueInvalid,
    graphql_error,
)
from cdp.graph.selection import Fields, collect
from cdp.graph.today import TODAY_NAME

DEFAULT_PAGE: Final = 20
LARGEST_PAGE: Final = 100
_LONGEST_KEY: Final = 63  # PostgreSQL's longest name
_DIALECT: Final = psycopg_dialect.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
_EMPTY_LIST: Final = literal_column("'[]'::json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one operation may ask; each refusal names the limit, its value and what was asked."""

    nodes: int = 100_000
    depth: int = 20
    statement_bytes: int = 400_000


@dataclass(frozen=True, slots=True)
class Execution:
    """What parameters are taken from: this run's variables, who asks, and the seller's date."""

    variables: Variables
    viewer: Viewer
    today: date


Getter = Callable[[Execution], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A compiled field: SQL with numbered parameters, how to get each from an execution, and what was refused."""

    sql: str | None
    getters: tuple[Getter, ...]
    refusals: tuple[GraphQLError, ...]
    type_name: str
    nodes: int

    def parameters(self, execution: Execution) -> list[Any]:
        """Values of the numbered parameters. Raises GraphQLError for a value that cannot be one."""
        return [getter(execution) for getter in self.getters]


class _Refused(Exception):  # noqa: N818 — flow within this module: a non-null field was refused, so its parent is null
    pass


@dataclass(slots=True)
class MemberParameters:
    """Bound parameters that say which member asks; for a type's `visible` condition."""

    member_id: ColumnElement[Any]
    account_id: ColumnElement[Any]


@dataclass(slots=True)
class Arguments:
    """A field's arguments, as edges see them: bound values and plain ones."""

    given: Mapping[str, Given]
    compiler: "Compiler"
    field: str

    def __contains__(self, name: str) -> bool:
        return name in self.given and not self.given[name].is_null

    def bind(self, name: str, kind: TypeEngine[Any], convert: Callable[[Any], Any] | None = None) -> ColumnElement[Any]:
        """The argument as a bound parameter; NULL when absent. `convert` may raise ValueError with a sentence for the caller."""
        if name not in self:
            return sql_cast(null(), kind)
        return self.compiler.bind(self.given[name], kind, convert, argument=f"{self.field}({name}:)")

    def plain(self, name: str) -> Any:
        """The argument's value where SQL's shape depends on it: an enum member, a boolean, an Int; None when absent."""
        return self.given[name].value if name in self else None

    def __getitem__(self, name: str) -> Given:
        return self.given[name]


@dataclass(slots=True)
class Compiler:
    """Compiles one field of one operation for one kind of viewer."""

    registry: Registry
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Variables
    viewer: Viewer
    limits: Limits
    getters: dict[str, Getter] = field(default_factory=dict)
    refusals: list[GraphQLError] = field(default_factory=list)
    nodes: int = 0
    _aliases: int = 0
    _multiplier: int = 1
    _depth: int = 0
    _scope: list[Any] = field(default_factory=list)

    def compile(self, declared: GraphField, return_type: Any, parent: str, nodes: list[FieldNode], path: Any) -> Plan:
        """The plan of a root field. `parent` is the GraphQL type that owns it."""
        sql: str | None = None
        getters: tuple[Getter, ...] = ()
        try:
            column = self._field(declared, parent, nodes, path)
        except _Refused:
            column = None
        if column is not None and not isinstance(column, type(null())):
            compiled = select(column).compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
            sql = str(compiled)
            names = cast("list[str]", compiled.positiontup)  # type: ignore[attr-defined]
            getters = tuple(self._getter(name, compiled.params[name]) for name in names)
            if len(sql) > self.limits.statement_bytes:
                raise graphql_error(
                    LimitExceeded(limit="bytes of SQL", asked=len(sql), most=self.limits.statement_bytes), nodes
                )
        return Plan(
            sql=sql,
            getters=getters,
            refusals=tuple(self.refusals),
            type_name=named(return_type).name,
            nodes=self.nodes,
        )

    def bind(
        self,
        given: Given,
        kind: TypeEngine[Any],
        convert: Callable[[Any], Any] | None = None,
        *,
        argument: str = "filter",
    ) -> ColumnElement[Any]:
        """A bound parameter whose value is `given`'s at each execution."""

        def get(execution: Execution) -> Any:
            found = given.now(execution.variables)
            if isinstance(found, list) and len(found) > MOST_VALUES:
                raise graphql_error(LimitExceeded(limit=f"values in {argument}", asked=len(found), most=MOST_VALUES))
            if isinstance(found, str) and "\0" in found:
                raise graphql_error(
                    ValueInvalid(argument=argument, problem="a text must not hold the character U+0000.")
                )
            if convert is None:
                return found
            try:
                return convert(found)
            except ValueError as error:
                raise graphql_error(ValueInvalid(argument=argument, problem=str(error))) from error

        return self._parameter(kind, get)

    def _parameter(self, kind: TypeEngine[Any], getter: Getter) -> BindParameter[Any]:
        name = f"p{len(self.getters)}"
        self.getters[name] = getter
        return BindParameter(name, None, type_=kind, required=False)

    def _getter(self, name: str, constant: Any) -> Getter:
        if name == TODAY_NAME:
            return lambda execution: execution.today
        return self.getters.get(name) or (lambda _execution: constant)

    # -- fields ---------------------------------------------------------------------------------------------------------

    def _field(self, declared: GraphField, parent: str, nodes: list[FieldNode], path: Any) -> ColumnElement[Any]:
        """Column of a field whose parent has no row: a root field."""
        return self._edge(declared, None, self._type(parent, declared.name), nodes, path)

    def _type(self, parent: str, name: str) -> Any:
        return cast("GraphQLObjectType", self.schema.type_map[parent]).fields[name].type

    def _columns(self, declared: GraphType, row: Row, fields: Fields, path: Any) -> list[ColumnElement[Any]]:
        """One labelled column for each selected field of an object."""
        columns = []
        for key, nodes in fields.items():
            if len(key) > _LONGEST_KEY:
                raise graphql_error(
                    LimitExceeded(limit="characters in an alias", asked=len(key), most=_LONGEST_KEY), nodes
                )
            name = nodes[0].name.value
            if name == "__typename":
                columns.append(literal_column(f"'{declared.name}'", Text).label(key))
                continue
            field_path = path.add_key(key, declared.name)
            graph_field = declared.fields[name]
            kind = self._type(declared.name, name)
            try:
                self._authorise(declared, graph_field, nodes, field_path)
                column = (
                    self._leaf(graph_field.expression(row), kind)
                    if graph_field.kind == "value"
                    else self._edge(graph_field, row, kind, nodes, field_path)
                )
            except _Refused:
                if isinstance(kind, GraphQLNonNull):
                    raise
                column = null()
            columns.append(column.label(key))
        return columns

    def _authorise(self, declared: GraphType, graph_field: GraphField, nodes: list[FieldNode], path: Any) -> None:
        label = f"{declared.name}.{graph_field.name}"
        needed = declared.scope_of(graph_field)
        if isinstance(self.viewer, Member):
            member_needs = declared.member_scope_of(graph_field)
            if member_needs is None:
                self._refuse(ClosedToMembers(field=label), nodes, path)
            needed = member_needs  # type: ignore[assignment]
        if needed not in self.viewer.scopes:
            self._refuse(ScopeMissing(field=label, scope=str(needed)), nodes, path)

    def authorise_root(self, declared: GraphField, nodes: list[FieldNode], path: Any) -> bool:
        """Check a root field's own rule; the refusal is kept and False returned."""
        label = f"{declared.owner}.{declared.name}"
        needed = declared.member if isinstance(self.viewer, Member) else declared.scope
        if needed is None:
            self.refusals.append(graphql_error(ClosedToMembers(field=label), nodes, path.as_list()))
            return False
        if needed not in self.viewer.scopes:
            self.refusals.append(graphql_error(ScopeMissing(field=label, scope=str(needed)), nodes, path.as_list()))
            return False
        return True

    def _refuse(self, refusal: Any, nodes: list[FieldNode], path: Any) -> None:
        self.refusals.append(graphql_error(refusal, nodes, path.as_list()))
        raise _Refused

    def _leaf(self, column: ColumnElement[Any], kind: Any) -> ColumnElement[Any]:
        """A scalar or enum as JSON will show it: enums by name, decimals as text so that no digit is lost."""
        leaf = named(kind)
        if isinstance(leaf, GraphQLEnumType):
            names = {_stored(value.value): name for name, value in leaf.values.items()}
            if all(stored.upper() == name for stored, name in names.items()):
                return func.upper(column)
            return case(*((column == stored, name) for stored, name in names.items()))
        return sql_cast(column, Text) if leaf.name == "Decimal" else column

    # -- edges ----------------------------------------------------------------------------------------------------------

    def _edge(
        self, declared: GraphField, row: Row | None, kind: Any, nodes: list[FieldNode], path: Any
    ) -> ColumnElement[Any]:
        with self._deeper(nodes):
            arguments = self._arguments(declared, nodes)
            if declared.kind == "page":
                return self._page(declared, row, kind, nodes, arguments, path)
            target = self.registry.types[declared.target or named(kind).name]
            fields = self._collect(nodes, target.name)
            if declared.kind == "list":
                return self._list(declared, target, row, fields, arguments, path)
            self._count(1, nodes)
            found = declared.where(row, arguments)
            if isinstance(found, Inline):
                return self._inline(target, found, fields, path)
            return self._one(target, found, fields, path)

    def _inline(self, target: GraphType, found: Inline, fields: Fields, path: Any) -> ColumnElement[Any]:
        columns = self._columns(target, found, fields, path)
        pairs: list[Any] = []
        for column in columns:
            pairs += [literal_column(f"'{column.key}'", Text), column.element]  # type: ignore[attr-defined]
        built = func.json_build_object(*pairs)
        return built if found.absent is None else case((found.absent, null()), else_=built)

    def _one(self, target: GraphType, found: Rows, fields: Fields, path: Any) -> ColumnElement[Any]:
        with self._within(found.source):
            inner = self._select(target, found, self._columns(target, found.source, fields, path)).limit(1)
        return self._outer(inner, func.row_to_json)

    def _list(
        self, declared: GraphField, target: GraphType, row: Row | None, fields: Fields, arguments: Arguments, path: Any
    ) -> ColumnElement[Any]:
        found = declared.where(row, arguments)
        order = order_of(found.order if found.order is not None else target.order, target.key)
        with self._many(declared.most, None), self._within(found.source):
            inner = self._select(target, found, self._columns(target, found.source, fields, path))
            inner = inner.order_by(*order.by(found.source))
        return self._outer(inner, _json_list)

    def _page(
        self,
        declared: GraphField,
        row: Row | None,
        kind: Any,
        nodes: list[FieldNode],
        arguments: Arguments,
        path: Any,
    ) -> ColumnElement[Any]:
        connection = cast("GraphQLObjectType", named(kind))
        node_type = named(connection.fields["nodes"].type)
        target = self.registry.types[node_type.name]
        wanted = self._collect(nodes, connection.name)
        size, backward = self._page_size(arguments, declared, nodes)
        found = declared.where(row, arguments)
        terms = (
            order_terms(target, arguments["orderBy"])
            if "orderBy" in arguments
            else (found.order if found.order is not None else target.order)
        )
        order = order_of(terms, target.key)
        page = _Page(
            compiler=self, declared=declared, target=target, row=row, arguments=arguments, order=order, size=size,
            backward=backward, connection=connection, path=path,
        )  # fmt: skip
        with self._many(size, nodes):
            return page.column(found, wanted)

    def _page_size(self, arguments: Arguments, declared: GraphField, nodes: list[FieldNode]) -> tuple[int, bool]:
        label = f"{declared.owner}.{declared.name}"
        first, last = arguments.plain("first"), arguments.plain("last")
        backward = last is not None or (first is None and "before" in arguments)
        size = last if backward else first
        if size is None:
            size = DEFAULT_PAGE
        if (first is not None and last is not None) or not 0 <= size <= LARGEST_PAGE:
            name = "last" if backward else "first"
            raise graphql_error(PageInvalid(argument=f"{label}({name}:)", least=0, most=LARGEST_PAGE), nodes)
        return size, backward

    def _arguments(self, declared: GraphField, nodes: list[FieldNode]) -> Arguments:
        signature = cast("GraphQLObjectType", self.schema.type_map[declared.owner]).fields[declared.name].args
        nodes_by_name = {each.name.value: each.value for each in nodes[0].arguments or ()}
        given = {
            name: value
            for name, argument in signature.items()
            if (value := read(nodes_by_name.get(name), argument.type, argument.default_value, self.variables))
            is not None
        }
        return Arguments(given, self, f"{declared.owner}.{declared.name}")

    # -- selects --------------------------------------------------------------------------------------------------------

    def _select(self, target: GraphType, found: Rows, columns: list[ColumnElement[Any]]) -> Select[Any]:
        statement = select(*(columns or [true().label("_")])).select_from(found.source)
        return statement.where(*found.where, *self.visible(target, found.source))

    def visible(self, target: GraphType, row: Row) -> list[ColumnElement[bool]]:
        """First wall: the condition under which a member sees a row of the type; no rows where the type has none."""
        if not isinstance(self.viewer, Member):
            return []
        if target.visible is None:
            return [false()] if target.table is not None else []
        return [target.visible(row, self.me())]

    def me(self) -> MemberParameters:
        """Who the member is, as bound parameters; NULL for any other viewer."""

        def of_member(name: str) -> ColumnElement[Any]:
            return self._parameter(Uuid(), lambda execution: getattr(execution.viewer, name, None))

        return MemberParameters(of_member("member_id"), of_member("account_id"))

    def _outer(self, inner: Select[Any], wrap: Callable[[Any], ColumnElement[Any]]) -> ColumnElement[Any]:
        name = self.alias()
        below = inner.correlate(*self._scope).subquery(name)
        return select(wrap(literal_column(name))).select_from(below).correlate(*self._scope).scalar_subquery()

    def alias(self) -> str:
        """A fresh alias."""
        self._aliases += 1
        return f"o{self._aliases}"

    def _collect(self, nodes: list[FieldNode], name: str) -> Fields:
        kind = cast("GraphQLObjectType", self.schema.type_map[name])
        names = frozenset((name, *(interface.name for interface in kind.interfaces)))
        return collect(nodes, names, self.fragments, self.variables)

    @contextmanager
    def _within(self, row: Row) -> Any:
        self._scope.append(row)
        try:
            yield
        finally:
            self._scope.pop()

    @contextmanager
    def _many(self, size: int, nodes: list[FieldNode] | None) -> Any:
        self._count(size, nodes)
        before, self._multiplier = self._multiplier, self._multiplier * max(size, 1)
        try:
            yield
        finally:
            self._multiplier = before

    @contextmanager
    def _deeper(self, nodes: list[FieldNode]) -> Any:
        self._depth += 1
        if self._depth > self.limits.depth:
            raise graphql_error(
                LimitExceeded(limit="levels of nesting", asked=self._depth, most=self.limits.depth), nodes
            )
        try:
            yield
        finally:
            self._depth -= 1

    def _count(self, size: int, nodes: list[FieldNode] | None) -> None:
        self.nodes += self._multiplier * size
        if self.nodes > self.limits.nodes:
            raise graphql_error(LimitExceeded(limit="nodes", asked=self.nodes, most=self.limits.nodes), nodes)


@dataclass(slots=True, kw_only=True)
class _Page:
    """One connection: its rows are read once, in order, and every selected part is made from them."""

    compiler: Compiler
    declared: GraphField
    target: GraphType
    row: Row | None
    arguments: Arguments
    order: Order
    size: int
    backward: bool
    connection: GraphQLObjectType
    path: Any

    def column(self, found: Rows, wanted: Fields) -> ColumnElement[Any]:
        names = {nodes[0].name.value for nodes in wanted.values()}
        info = self._page_info(wanted)
        beyond = ("hasPreviousPage" if self.backward else "hasNextPage") in info
        rows = beyond or names & {"nodes", "edges"} or info & {"startCursor", "endCursor"}
        compiler = self.compiler
        columns: list[ColumnElement[Any]] = []
        with compiler._within(found.source):  # noqa: SLF001 — one algorithm in two classes
            for key, nodes in wanted.items():
                name = nodes[0].name.value
                path = self.path.add_key(key, self.connection.name)
                if name == "nodes":
                    fields = compiler._collect(nodes, self.target.name)  # noqa: SLF001
                    columns.append(self._node(found, fields, path).label(f"n_{key}"[:_LONGEST_KEY]))
                elif name == "edges":
                    columns.append(self._edge(found, nodes, path).label(f"e_{key}"[:_LONGEST_KEY]))
            if info & {"startCursor", "endCursor"}:
                columns.append(self.order.cursor(found.source).label("cursor"))
            if beyond or self.backward:
                position = func.row_number().over(order_by=self.order.by(found.source, backward=self.backward))
                columns.append(position.label("position"))
            inner = self._base(found, columns)
            inner = inner.order_by(*self.order.by(found.source, backward=self.backward))
            inner = inner.limit(literal_column(str(self.size + 1 if beyond else self.size)))
        name = compiler.alias()
        rows_below = inner.correlate(*compiler._scope).subquery(name)  # noqa: SLF001
        parts = [self._part(key, nodes, rows_below, beyond=beyond).label(key) for key, nodes in wanted.items()]
        outer = select(*parts)
        if rows:
            outer = outer.select_from(rows_below)
        return compiler._outer(outer, func.row_to_json)  # noqa: SLF001

    def _base(self, found: Rows, columns: list[ColumnElement[Any]], *, paged: bool = True) -> Select[Any]:
        compiler = self.compiler
        statement = compiler._select(self.target, found, columns)  # noqa: SLF001
        if "filter" in self.arguments:
            statement = statement.where(condition(self.target, found.source, self.arguments["filter"], compiler.bind))
        if paged:
            statement = statement.where(*self._cursors(found.source))
        return statement

    def _cursors(self, source: Row) -> list[ColumnElement[bool]]:
        return [
            self.order.beyond(source, self._bind_cursor(name, source), backward=name == "before")
            for name in ("after", "before")
            if name in self.arguments
        ]

    def _bind_cursor(self, name: str, source: Row) -> Callable[[int, Any], ColumnElement[Any]]:
        given = self.arguments[name]
        argument = f"{self.arguments.field}({name}:)"

        def decode(cursor: str, index: int) -> Any:
            try:
                return self.order.decode(cursor, source)[index]
            except ValueError as error:
                raise graphql_error(CursorInvalid(argument=argument)) from error

        def bind(index: int, kind: Any) -> ColumnElement[Any]:
            return self.compiler._parameter(kind, lambda execution: decode(given.now(execution.variables), index))  # noqa: SLF001

        return bind

    def _node(self, found: Rows, fields: Fields, path: Any) -> ColumnElement[Any]:
        compiler = self.compiler
        columns = compiler._columns(self.target, found.source, fields, path)  # noqa: SLF001
        name = compiler.alias()
        below = select(*columns).correlate(*compiler._scope).subquery(name)  # noqa: SLF001
        return (
            select(func.row_to_json(literal_column(name)))
            .select_from(below)
            .correlate(*compiler._scope)
            .scalar_subquery()
        )  # noqa: SLF001

    def _edge(self, found: Rows, nodes: list[FieldNode], path: Any) -> ColumnElement[Any]:
        compiler = self.compiler
        edge = cast("GraphQLObjectType", named(self.connection.fields["edges"].type))
        pairs: list[Any] = []
        for key, inner in compiler._collect(nodes, edge.name).items():  # noqa: SLF001
            name = inner[0].name.value
            if name == "node":
                fields = compiler._collect(inner, self.target.name)  # noqa: SLF001
                value = self._node(found, fields, path.add_key(key, edge.name))
            elif name == "cursor":
                value = self.order.cursor(found.source)
            else:
                value = literal_column(f"'{edge.name}'", Text)
            pairs += [literal_column(f"'{key}'", Text), value]
        return func.json_build_object(*pairs)

    def _page_info(self, wanted: Fields) -> set[str]:
        return {
            inner[0].name.value
            for nodes in wanted.values()
            if nodes[0].name.value == "pageInfo"
            for inner in self.compiler._collect(nodes, "PageInfo").values()  # noqa: SLF001
        }

    def _part(self, key: str, nodes: list[FieldNode], rows: Any, *, beyond: bool) -> ColumnElement[Any]:
        name = nodes[0].name.value
        if name in {"nodes", "edges"}:
            return self._in_order(
                rows.c[f"{name[0]}_{key}"[:_LONGEST_KEY]], rows, func.json_agg, beyond=beyond, empty=_EMPTY_LIST
            )
        if name == "totalCount":
            return self._total()
        if name == "__typename":
            return literal_column(f"'{self.connection.name}'", Text)
        return self._info(nodes, rows, beyond=beyond)

    def _in_order(
        self, column: Any, rows: Any, aggregate: Any, *, beyond: bool, empty: Any = None
    ) -> ColumnElement[Any]:
        """An aggregate over the page's rows, in order, without the extra row that tells whether there are more."""
        if self.backward:
            from sqlalchemy.dialects.postgresql import aggregate_order_by  # noqa: PLC0415

            made = aggregate(aggregate_order_by(column, rows.c.position.desc()))
        else:
            made = aggregate(column)
        if beyond:
            made = made.filter(rows.c.position <= literal_column(str(self.size)))
        return made if empty is None else func.coalesce(made, empty)

    def _info(self, nodes: list[FieldNode], rows: Any, *, beyond: bool) -> ColumnElement[Any]:
        pairs: list[Any] = []
        for key, inner in self.compiler._collect(nodes, "PageInfo").items():  # noqa: SLF001
            name = inner[0].name.value
            value: ColumnElement[Any]
            if name in {"startCursor", "endCursor"}:
                cursors = self._in_order(rows.c.cursor, rows, func.array_agg, beyond=beyond)
                position = literal_column("1") if name == "startCursor" else func.cardinality(cursors)
                value = _element(cursors, position)
            elif name == "__typename":
                value = literal_column("'PageInfo'", Text)
            elif (name == "hasNextPage") is not self.backward:
                value = func.count() > literal_column(str(self.size))
            else:
                value = self._behind()
            pairs += [literal_column(f"'{key}'", Text), value]
        return func.json_build_object(*pairs)

    def _behind(self) -> ColumnElement[Any]:
        """Whether rows lie on the side the page came from: only when it began at a cursor."""
        name = "before" if self.backward else "after"
        if name not in self.arguments:
            return false()
        found = self.declared.where(self.row, self.arguments)
        statement = self._base(found, [literal_column("1").label("_")], paged=False).where(
            self.order.beyond(
                found.source, self._bind_cursor(name, found.source), backward=name == "after", inclusive=True
            )
        )
        return exists(statement.correlate(*self.compiler._scope))  # noqa: SLF001

    def _total(self) -> ColumnElement[Any]:
        found = self.declared.where(self.row, self.arguments)
        statement = self._base(found, [func.count().label("_")], paged=False)
        return statement.correlate(*self.compiler._scope).scalar_subquery()  # noqa: SLF001


def _json_list(row: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(func.json_agg(row), _EMPTY_LIST)


def _element(array: ColumnElement[Any], position: ColumnElement[Any]) -> ColumnElement[Any]:
    from sqlalchemy import ARRAY, type_coerce  # noqa: PLC0415

    return type_coerce(array, ARRAY(Text))[position]


def _stored(value: Any) -> str:
    return str(getattr(value, "value", value))
