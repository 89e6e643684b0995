"""Connections: a page's rows are read once, in order, and every selected part of the connection is made from them.

The inner select has a JSON column for each selection of nodes or edges, the cursor when page information needs it, and one row
more than asked when it must tell whether there are more. `totalCount` and what lies behind the first cursor are sub-selects of
their own, made only when selected. Backward pages are read in reverse order and turned round while aggregating.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from graphql import FieldNode, GraphQLObjectType, get_named_type
from graphql.pyutils import Path
from sqlalchemy import ARRAY, ColumnElement, Select, Text, false, func, literal_column, select, true, type_coerce
from sqlalchemy.dialects.postgresql import aggregate_order_by

from cdp.graph.conditions import Conditions
from cdp.graph.cursor import Order, order_of
from cdp.graph.declaration import GraphField, GraphType, Row, Rows
from cdp.graph.literals import EMPTY_LIST, json_object, number, text_literal
from cdp.graph.plan import Execution
from cdp.graph.refusal import CursorInvalid, PageInvalid, graphql_error
from cdp.graph.selection import Fields

if TYPE_CHECKING:
    from cdp.graph.compiler import Arguments, Compiler

DEFAULT_PAGE: Final = 20
LARGEST_PAGE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One connection field as asked: how many rows, from which end, in which order."""

    declared: GraphField
    target: GraphType
    row: Row | None
    arguments: "Arguments"
    connection: GraphQLObjectType
    path: Path
    nodes: list[FieldNode]
    size: int
    backward: bool

    @classmethod
    def of(cls, *, arguments: "Arguments", nodes: list[FieldNode], **rest: Any) -> Self:
        """Read `first`, `last`, `after`, `before`. Raises GraphQLError for a size out of bounds or two ends at once."""
        first, last = arguments.plain("first"), arguments.plain("last")
        backward = last is not None or (first is None and "before" in arguments)
        size = last if backward else first
        if size is None:
            size = DEFAULT_PAGE
        if (first is not None and last is not None) or not 0 <= size <= LARGEST_PAGE:
            argument = f"{arguments.field}({'last' if backward else 'first'}:)"
            raise graphql_error(PageInvalid(argument=argument, least=0, most=LARGEST_PAGE), nodes)
        return cls(arguments=arguments, nodes=nodes, size=size, backward=backward, **rest)

    def found(self) -> Rows:
        """The rows of the edge, on a fresh FROM element."""
        rows: Rows = self.declared.where(self.row, self.arguments)
        return rows

    def order(self, found: Rows, conditions: Conditions) -> Order:
        """The order asked for, else the edge's, else the type's; made total by the key."""
        if "orderBy" in self.arguments:
            return order_of(conditions.terms(self.target, self.arguments["orderBy"]), self.target.key)
        return order_of(found.order if found.order is not None else self.target.order, self.target.key)


def page_column(compiler: "Compiler", page: Page) -> ColumnElement[Any]:
    """The connection as one JSON column."""
    return _Builder(compiler, page).column()


class _Builder:
    def __init__(self, compiler: "Compiler", page: Page) -> None:
        self.compiler = compiler
        self.page = page
        self.found = page.found()
        self.conditions = Conditions(compiler, page.nodes, page.path)
        self.order = page.order(self.found, self.conditions)
        self.wanted = compiler.collect(page.nodes, page.connection.name)
        names = {nodes[0].name.value for nodes in self.wanted.values()}
        self.info = self._page_info()
        self.looks_ahead = ("hasPreviousPage" if page.backward else "hasNextPage") in self.info
        self.needs_cursor = bool(self.info & {"startCursor", "endCursor"})
        self.reads_rows = bool(names & {"nodes", "edges"}) or self.looks_ahead or self.needs_cursor
        rows_parts = [
            nodes[0].name.value for nodes in self.wanted.values() if nodes[0].name.value in {"nodes", "edges"}
        ]
        # Nothing but nodes, from the front: the inner row is the node itself, which spares a sub-select a row.
        self.rows_are_nodes = rows_parts == ["nodes"] and not (self.looks_ahead or self.needs_cursor or page.backward)

    def column(self) -> ColumnElement[Any]:
        rows = self._rows().correlate(*self.compiler.rows).subquery(self.compiler.alias())
        parts = [
            self._part(position, nodes, rows).label(key) for position, (key, nodes) in enumerate(self.wanted.items())
        ]
        outer = select(*parts)
        if self.reads_rows:
            outer = outer.select_from(rows)
        return self.compiler.as_json(outer, func.row_to_json)

    def _rows(self) -> Select[Any]:
        """The page's rows: one JSON column for each selection of nodes or edges, by its position in the selection."""
        page, source = self.page, self.found.source
        columns: list[ColumnElement[Any]] = []
        with self.compiler.within(source):
            for position, (key, nodes) in enumerate(self.wanted.items()):
                name, path = nodes[0].name.value, page.path.add_key(key, page.connection.name)
                if name == "nodes":
                    fields = self.compiler.collect(nodes, page.target.name)
                    if self.rows_are_nodes:
                        columns += self.compiler.columns(page.target, source, fields, path)
                    else:
                        columns.append(self._node(fields, path).label(f"part{position}"))
                elif name == "edges":
                    columns.append(self._edge(nodes, path).label(f"part{position}"))
            if self.needs_cursor:
                columns.append(self.order.cursor(source).label("cursor"))
            ordered = self.order.by(source, backward=page.backward)
            if self.looks_ahead or page.backward:
                columns.append(func.row_number().over(order_by=ordered).label("position"))
            statement = self._matching(self.found, columns).where(*self._between_cursors(source)).order_by(*ordered)
        return statement.limit(number(page.size + 1 if self.looks_ahead else page.size))

    def _matching(self, found: Rows, columns: list[ColumnElement[Any]]) -> Select[Any]:
        statement = self.compiler.select(self.page.target, found, columns)
        if "filter" in self.page.arguments:
            given = self.page.arguments["filter"]
            statement = statement.where(self.conditions.condition(self.page.target, found.source, given))
        return statement

    def _between_cursors(self, source: Row) -> list[ColumnElement[bool]]:
        return [
            self.order.beyond(source, self._bind_cursor(name, source), backward=name == "before")
            for name in ("after", "before")
            if name in self.page.arguments
        ]

    def _bind_cursor(self, name: str, source: Row) -> Callable[[int, Any], ColumnElement[Any]]:
        given = self.page.arguments[name]
        argument = f"{self.page.arguments.field}({name}:)"

        def value(execution: Execution, index: int) -> Any:
            try:
                return self.order.decode(given.now(execution.variables), source)[index]
            except ValueError as error:
                raise graphql_error(CursorInvalid(argument=argument), self.page.nodes) from error

        return lambda index, kind: self.compiler.parameter(kind, lambda execution: value(execution, index))

    def _node(self, fields: Fields, path: Path) -> ColumnElement[Any]:
        columns = self.compiler.columns(self.page.target, self.found.source, fields, path)
        return self.compiler.as_json(select(*columns), func.row_to_json)

    def _edge(self, nodes: list[FieldNode], path: Path) -> ColumnElement[Any]:
        edge = get_named_type(self.page.connection.fields["edges"].type)
        pairs: list[tuple[str, ColumnElement[Any]]] = []
        for key, inner in self.compiler.collect(nodes, edge.name).items():
            name = inner[0].name.value
            if name == "node":
                fields = self.compiler.collect(inner, self.page.target.name)
                pairs.append((key, self._node(fields, path.add_key(key, edge.name))))
            else:
                pairs.append(
                    (key, self.order.cursor(self.found.source) if name == "cursor" else text_literal(edge.name))
                )
        return json_object(pairs)

    def _part(self, position: int, nodes: list[FieldNode], rows: Any) -> ColumnElement[Any]:
        name = nodes[0].name.value
        if name in {"nodes", "edges"}:
            part = literal_column(rows.name) if self.rows_are_nodes else rows.c[f"part{position}"]
            return func.coalesce(self._in_order(func.json_agg, part, rows), EMPTY_LIST)
        if name == "totalCount":
            if self.found.count is not None and "filter" not in self.page.arguments:
                return self.found.count
            counted = self._matching(self.page.found(), [func.count().label("_")])
            return counted.correlate(*self.compiler.rows).scalar_subquery()
        if name == "__typename":
            return text_literal(self.page.connection.name)
        return self._page_info_object(nodes, rows)

    def _in_order(self, aggregate: Any, column: Any, rows: Any) -> ColumnElement[Any]:
        """An aggregate over the page's rows, in order, without the extra row that tells whether there are more."""
        made = aggregate(aggregate_order_by(column, rows.c.position.desc()) if self.page.backward else column)
        return made.filter(rows.c.position <= number(self.page.size)) if self.looks_ahead else made  # type: ignore[no-any-return]

    def _page_info(self) -> set[str]:
        return {
            inner[0].name.value
            for nodes in self.wanted.values()
            if nodes[0].name.value == "pageInfo"
            for inner in self.compiler.collect(nodes, "PageInfo").values()
        }

    def _page_info_object(self, nodes: list[FieldNode], rows: Any) -> ColumnElement[Any]:
        def value(name: str) -> ColumnElement[Any]:
            if name == "__typename":
                return text_literal("PageInfo")
            if name in {"startCursor", "endCursor"}:
                cursors = type_coerce(self._in_order(func.array_agg, rows.c.cursor, rows), ARRAY(Text))
                return cursors[number(1) if name == "startCursor" else func.cardinality(cursors)]
            if (name == "hasNextPage") is not self.page.backward:
                return func.count() > number(self.page.size)
            return self._came_from_somewhere()

        return json_object(
            (key, value(inner[0].name.value)) for key, inner in self.compiler.collect(nodes, "PageInfo").items()
        )

    def _came_from_somewhere(self) -> ColumnElement[Any]:
        """Whether rows lie on the side the page came from: only when it began at a cursor."""
        name = "before" if self.page.backward else "after"
        if name not in self.page.arguments:
            return false()
        found = self.page.found()
        bind = self._bind_cursor(name, found.source)
        behind = self.order.beyond(found.source, bind, backward=name == "after", inclusive=True)
        # Not EXISTS, whose plan may look for any such row from the table's beginning: the nearest one is a step away.
        nearest = self.order.by(found.source, backward=not self.page.backward)
        statement = self._matching(found, [true().label("_")]).where(behind).order_by(*nearest).limit(number(1))
        return func.coalesce(statement.correlate(*self.compiler.rows).scalar_subquery(), false())
