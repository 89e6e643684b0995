"""From a selection to one SQL statement that returns finished JSON.

Each object is a sub-select whose columns are named by response key and turned into JSON whole (`row_to_json`), each list an
aggregate over such a sub-select, each edge a correlated sub-select of its parent's row; so a whole tree, whatever its depth, is
one statement. While compiling, the viewer's scopes are checked field by field, rows a member may not see are excluded, and the
number of nodes the answer can hold is reckoned, all before the database hears of it. The result, a `Plan`, depends on values
only through bound parameters and is reused for all of them.

Why correlated sub-selects in the column list and not LATERAL joins: they run alike (a nested loop over the parent's rows), but
compose without inventing join conditions, and a LIMIT above them keeps them from running for rows that are cut off.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_abstract_type,
)
from graphql.pyutils import Path
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Text,
    Uuid,
    case,
    false,
    func,
    literal_column,
    null,
    select,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import psycopg as psycopg_dialect
from sqlalchemy.types import TypeEngine

from cdp.access.viewer import Member, Viewer
from cdp.graph.conditions import MOST_VALUES
from cdp.graph.cursor import order_of
from cdp.graph.declaration import GraphField, GraphType, Inline, Registry, Row, Rows
from cdp.graph.given import Given, Variables, nullable, read
from cdp.graph.literals import EMPTY_LIST, json_object, number, text_literal
from cdp.graph.mixed import CONCRETE, by_place_column, mixed_column
from cdp.graph.page import Page, page_column
from cdp.graph.plan import Execution, Getter, Plan
from cdp.graph.refusal import (
    ClosedToMembers,
    LimitExceeded,
    Refused,
    ScopeMissing,
    ValueInvalid,
    graphql_error,
)
from cdp.graph.selection import Fields, collect
from cdp.graph.sites import SITES_NAME
from cdp.graph.today import TODAY_NAME
from cdp.limits import Limits

LONGEST_KEY: Final = 63  # PostgreSQL's longest name
_DIALECT: Final = psycopg_dialect.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


@dataclass(slots=True)
class MemberParameters:
    """Bound parameters that say which member asks; for a type's `visible` condition."""

    member_id: ColumnElement[Any]
    account_id: ColumnElement[Any]
    role: ColumnElement[Any]


@dataclass(slots=True)
class Arguments:
    """A field's arguments, as edges see them: bound values and plain ones."""

    given: Mapping[str, Given]
    compiler: "Compiler"
    field: str
    nodes: list[FieldNode]
    path: Path

    def __contains__(self, name: str) -> bool:
        return name in self.given and not self.given[name].is_null

    def __getitem__(self, name: str) -> Given:
        return self.given[name]

    def bind(
        self,
        name: str,
        kind: TypeEngine[Any],
        convert: Callable[[Any], Any] | None = None,
        *,
        beside: str | None = None,
    ) -> ColumnElement[Any]:
        """The argument as a bound parameter; NULL when absent. `convert` may raise ValueError with a sentence for the caller;
        with `beside` it is given a list of two, the value and that of the argument beside.
        """
        if name not in self:
            return sql_cast(null(), kind)
        given = self.given[name]
        if beside is not None:
            both: dict[str | int, Given] = {0: given, 1: self.given[beside]}
            given = Given(given.type, [each.value for each in both.values()], None, both)
        return self.compiler.bind(given, kind, convert, argument=f"{self.field}({name}:)")

    def plain(self, name: str) -> Any:
        """The argument's value where SQL's shape depends on it: an enum member, a boolean, an Int; None when absent."""
        return self.given[name].value if name in self else None

    def of_source(self, name: str, kind: TypeEngine[Any]) -> ColumnElement[Any]:
        """An attribute of what a root field is a field of, an event or a payload, as a bound parameter."""
        return self.compiler.parameter(kind, lambda execution: getattr(execution.source, name))


@dataclass(slots=True)
class Compiler:
    """Compiles one field of one operation for one kind of viewer. `rows` are the FROM elements around the current place."""

    registry: Registry
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Variables
    viewer: Viewer
    limits: Limits
    checked: bool = False
    refusals: list[GraphQLError] = field(default_factory=list)
    summarised: dict[Any, Any] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    nodes: int = 0
    conditions: int = 0
    by_value: bool = False
    _getters: dict[str, Getter] = field(default_factory=dict)
    _aliases: int = 0
    _multiplier: int = 1
    _depth: int = 0
    _deepest: int = 0

    def compile(
        self, declared: GraphField, kind: Any, nodes: list[FieldNode], path: Path, *, node: GraphType | None = None
    ) -> Plan:
        """The plan of a root field of GraphQL type `kind`; `node` where an id has said which type that is."""

        def column() -> ColumnElement[Any]:
            self.authorise_root(declared, nodes, path)
            if node is None:
                return self._edge(declared, None, kind, nodes, path)
            self.authorise(node.name, node.scope, node.member, nodes, path)
            return self._edge(replace(declared, where=node.by_id), None, kind, nodes, path)

        return self.plan(column, nodes)

    def plan(self, column: Callable[[], ColumnElement[Any]], nodes: list[FieldNode]) -> Plan:
        """The plan of the one column that `column` compiles; nothing to ask where that is refused."""
        sql: str | None = None
        getters: tuple[Getter, ...] = ()
        try:
            answer = column()
        except Refused:
            pass
        else:
            made: Any = select(answer).compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
            sql = str(made)
            getters = tuple(self._getter(name, made.params[name]) for name in made.positiontup)
            if len(sql) > self.limits.statement_bytes:
                most = self.limits.statement_bytes
                raise graphql_error(LimitExceeded(limit="bytes of SQL", asked=len(sql), most=most), nodes)
        return Plan(
            sql=sql,
            getters=getters,
            refusals=tuple(self.refusals),
            nodes=self.nodes,
            depth=self._deepest,
            by_value=self.by_value,
        )

    # -- parameters ----------------------------------------------------------------------------------------------------------

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

        return self.parameter(kind, get)

    def parameter(self, kind: TypeEngine[Any], getter: Getter) -> BindParameter[Any]:
        """A bound parameter filled by `getter` at each execution."""
        name = f"p{len(self._getters)}"
        self._getters[name] = getter
        return BindParameter(name, None, type_=kind, required=False)

    def me(self) -> MemberParameters:
        """Who the member is, as bound parameters; NULL for any other viewer."""

        def of_member(name: str) -> ColumnElement[Any]:
            return self.parameter(Uuid(), lambda execution: getattr(execution.viewer, name, None))

        role = self.parameter(Text(), lambda execution: str(getattr(execution.viewer, "role", "")))
        return MemberParameters(of_member("member_id"), of_member("account_id"), role)

    def _getter(self, name: str, constant: Any) -> Getter:
        if name == TODAY_NAME:
            return lambda execution: execution.today
        if name == SITES_NAME:
            return lambda execution: _sites(execution.viewer)
        return self._getters.get(name) or (lambda _execution: constant)

    # -- fields --------------------------------------------------------------------------------------------------------------

    def columns(self, target: GraphType, row: Row, fields: Fields, path: Path) -> list[ColumnElement[Any]]:
        """One column for each selected field of an object, labelled with its response key."""
        columns: list[ColumnElement[Any]] = []
        for key, nodes in fields.items():
            if len(key) > LONGEST_KEY:
                raise graphql_error(
                    LimitExceeded(limit="characters in an alias", asked=len(key), most=LONGEST_KEY), nodes
                )
            name = nodes[0].name.value
            if name == "__typename":
                columns.append(text_literal(target.name).label(key))
                continue
            declared = target.fields[name]
            kind = self.object_type(target.name).fields[name].type
            try:
                column = self._field(target, declared, row, kind, nodes, path.add_key(key, target.name))
            except Refused:
                if isinstance(kind, GraphQLNonNull):
                    raise
                column = null()
            columns.append(column.label(key))
        return columns

    def _field(  # noqa: PLR0917 — one call site, which names them all
        self, target: GraphType, declared: GraphField, row: Row, kind: Any, nodes: list[FieldNode], path: Path
    ) -> ColumnElement[Any]:
        label = f"{target.name}.{declared.name}"
        self.authorise(label, target.scope_of(declared), target.member_scope_of(declared), nodes, path)
        if declared.kind == "value":
            return _leaf(declared.expression(row), kind)
        return self._edge(declared, row, kind, nodes, path)

    def authorise_root(self, declared: GraphField, nodes: list[FieldNode], path: Path) -> None:
        """Refuse unless the viewer has the scope of a root field."""
        label = f"{declared.owner}.{declared.name}"
        self.authorise(label, cast("Any", declared.scope), cast("Any", declared.member), nodes, path)

    def authorise(self, label: str, tool_needs: Any, member_needs: Any, nodes: list[FieldNode], path: Path) -> None:
        """Refuse unless the viewer has the scope: a tool needs one, a member another; None closes the field to members."""
        needed = member_needs if isinstance(self.viewer, Member) else tool_needs
        if needed is not None and needed in self.viewer.scopes:
            return
        refusal = ClosedToMembers(field=label) if needed is None else ScopeMissing(field=label, scope=str(needed))
        self.refusals.append(graphql_error(refusal, nodes, path.as_list()))
        raise Refused

    # -- edges ---------------------------------------------------------------------------------------------------------------

    def _edge(
        self, declared: GraphField, row: Row | None, kind: Any, nodes: list[FieldNode], path: Path
    ) -> ColumnElement[Any]:
        with self._deeper(nodes):
            arguments = self.arguments(declared, nodes, path)
            if declared.kind in {"mixed", "by_place"}:
                with self.many(declared.most, nodes):
                    build = mixed_column if declared.kind == "mixed" else by_place_column
                    return build(self, declared, arguments, nodes, path)
            if declared.kind == "page":
                connection = cast("GraphQLObjectType", get_named_type(kind))
                target = self.registry.types[get_named_type(connection.fields["nodes"].type).name]
                page = Page.of(
                    declared=declared,
                    target=target,
                    row=row,
                    arguments=arguments,
                    connection=connection,
                    path=path,
                    nodes=nodes,
                )
                with self.many(page.size, nodes):
                    return page_column(self, page)
            target = self.registry.types[get_named_type(kind).name]
            fields = self.collect(nodes, target.name)
            found = declared.where(row, arguments)
            if declared.kind == "list":
                with self.many(declared.most, nodes):
                    return self._list(target, found, fields, path)
            self._count(1, nodes)
            if isinstance(found, Inline):
                return self._inline(target, found, fields, path)
            with self.within(found.source):
                columns = self.columns(target, found.source, fields, path)
                if self.checked and is_abstract_type(nullable(self._kind_of(declared))):
                    columns.append(text_literal(target.name).label(CONCRETE))
                inner = self.select(target, found, columns).limit(number(1))
            return self.as_json(inner, func.row_to_json)

    def _inline(self, target: GraphType, found: Inline, fields: Fields, path: Path) -> ColumnElement[Any]:
        columns = self.columns(target, found, fields, path)
        built = json_object((str(column.key), cast("Any", column).element) for column in columns)
        return built if found.absent is None else case((found.absent, null()), else_=built)

    def _list(self, target: GraphType, found: Rows, fields: Fields, path: Path) -> ColumnElement[Any]:
        order = order_of(found.order if found.order is not None else target.order, target.key)
        with self.within(found.source):
            inner = self.select(target, found, self.columns(target, found.source, fields, path))
            inner = inner.order_by(*order.by(found.source))
        return self.as_json(inner, lambda row: func.coalesce(func.json_agg(row), EMPTY_LIST))

    def no_arguments(self, declared: GraphField) -> Arguments:
        """Arguments of an edge that is followed by a filter rather than selected: none."""
        return Arguments({}, self, f"{declared.owner}.{declared.name}", [], Path(None, declared.name, declared.owner))

    def arguments(self, declared: GraphField, nodes: list[FieldNode], path: Path) -> Arguments:
        """The arguments that a field was given."""
        signature = self.object_type(declared.owner).fields[declared.name].args
        nodes_by_name = {each.name.value: each.value for each in nodes[0].arguments or ()}
        given = {
            name: value
            for name, argument in signature.items()
            if (value := read(nodes_by_name.get(name), argument.type, argument.default_value, self.variables))
            is not None
        }
        return Arguments(given, self, f"{declared.owner}.{declared.name}", nodes, path)

    # -- selects -------------------------------------------------------------------------------------------------------------

    def select(self, target: GraphType, found: Rows, columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
        """`columns` of the rows an edge leads to, of those the viewer may see."""
        statement = select(*columns).select_from(found.source)
        return statement.where(*found.where, *self._visible(target, found.source))

    def _visible(self, target: GraphType, row: Row) -> list[ColumnElement[bool]]:
        """First wall: the condition under which a member sees a row of the type; no rows of a table that has none."""
        if not isinstance(self.viewer, Member):
            return []
        if target.visible is None:
            return [] if target.table is None else [false()]
        return [target.visible(row, self.me())]

    def as_json(self, inner: Select[Any], wrap: Callable[[Any], ColumnElement[Any]]) -> ColumnElement[Any]:
        """A sub-select's rows made JSON by `wrap`, which is given the row as a whole."""
        name = self.alias()
        below = inner.correlate(*self.rows).subquery(name)
        return select(wrap(literal_column(name))).select_from(below).correlate(*self.rows).scalar_subquery()

    def alias(self) -> str:
        """A fresh alias."""
        self._aliases += 1
        return f"o{self._aliases}"

    def object_type(self, name: str) -> GraphQLObjectType:
        """An object type of the schema."""
        return cast("GraphQLObjectType", self.schema.type_map[name])

    def collect(self, nodes: list[FieldNode], name: str) -> Fields:
        """Fields selected below `nodes` on the object type `name`."""
        return collect(nodes, self._names_of(name), self.fragments, self.variables)

    def _names_of(self, name: str) -> frozenset[str]:
        """An object type's name and those of the interfaces and unions it belongs to."""
        kind = self.object_type(name)
        unions = (
            each for each in self.schema.type_map.values() if isinstance(each, GraphQLUnionType) and kind in each.types
        )
        return frozenset((name, *(each.name for each in (*kind.interfaces, *unions))))

    def _kind_of(self, declared: GraphField) -> Any:
        return self.object_type(declared.owner).fields[declared.name].type

    @property
    def at_root(self) -> bool:
        """Whether what is compiled now is a root field's own, no edge below it."""
        return self._depth <= 1

    # -- bounds --------------------------------------------------------------------------------------------------------------

    @contextmanager
    def within(self, row: Row) -> Iterator[None]:
        """What is compiled inside may refer to `row`."""
        self.rows.append(row)
        try:
            yield
        finally:
            self.rows.pop()

    @contextmanager
    def many(self, size: int, nodes: list[FieldNode]) -> Iterator[None]:
        """What is compiled inside happens `size` times."""
        self._count(size, nodes)
        before, self._multiplier = self._multiplier, self._multiplier * max(size, 1)
        try:
            yield
        finally:
            self._multiplier = before

    @contextmanager
    def _deeper(self, nodes: list[FieldNode]) -> Iterator[None]:
        self._depth += 1
        self._deepest = max(self._deepest, self._depth)
        if self._depth > self.limits.depth:
            raise graphql_error(
                LimitExceeded(limit="levels of nesting", asked=self._depth, most=self.limits.depth), nodes
            )
        try:
            yield
        finally:
            self._depth -= 1

    def _count(self, size: int, nodes: list[FieldNode]) -> None:
        self.nodes += self._multiplier * size
        if self.nodes > self.limits.nodes:
            raise graphql_error(LimitExceeded(limit="nodes", asked=self.nodes, most=self.limits.nodes), nodes)


def _sites(viewer: Viewer) -> list[str] | None:
    """Sites that a viewer is limited to; None for whoever sees every site."""
    sites = viewer.sites if isinstance(viewer, Member) else None
    return None if sites is None else list(sites)


def _leaf(column: ColumnElement[Any], kind: Any) -> ColumnElement[Any]:
    """A scalar or enum as JSON will show it: enums by name, decimals as text so that no digit is lost."""
    leaf = get_named_type(kind)
    if not isinstance(leaf, GraphQLEnumType):
        return sql_cast(column, Text) if leaf.name == "Decimal" else column
    names = {str(getattr(value.value, "value", value.value)): name for name, value in leaf.values.items()}
    if all(stored.upper() == name for stored, name in names.items()):
        return func.upper(column)
    return case(*((column == stored, name) for stored, name in names.items()))
