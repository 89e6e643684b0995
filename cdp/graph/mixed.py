"""Lists of objects of several types: search results by rank, nodes by the order of their ids.

Each type is a select of its own with a rank and the object as JSON; their union is aggregated in rank order. Ids that lead
nowhere stay null at their place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import FieldNode
from graphql.pyutils import Path
from sqlalchemy import ColumnElement, func, literal_column, select, union_all
from sqlalchemy.dialects.postgresql import aggregate_order_by

from cdp.graph.declaration import GraphField, GraphType, Rows
from cdp.graph.literals import EMPTY_LIST, number, text_literal
from cdp.graph.refusal import Refused

if TYPE_CHECKING:
    from cdp.graph.compiler import Arguments, Compiler

CONCRETE = "__concrete"
"""Key under which checked mode tells graphql-core an object's type; names of that form are reserved, so nobody selects it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """Rows of one type with where each comes in the list: `rank`, smallest first."""

    rows: Rows
    rank: ColumnElement[Any]


def mixed_column(
    compiler: "Compiler", declared: GraphField, arguments: "Arguments", nodes: list[FieldNode], path: Path
) -> ColumnElement[Any]:
    """The list as one JSON column. `declared.where` gives rows by type name, and `most` bounds them."""
    found: Mapping[str, Ranked] = declared.where(None, arguments)
    parts = [
        _part(compiler, compiler.registry.types[name], ranked, declared.most, nodes, path)
        for name, ranked in found.items()
    ]
    union = union_all(*parts).subquery(compiler.alias())
    first = (
        select(union)
        .order_by(union.c.rank, union.c.type, union.c.key)
        .limit(number(declared.most))
        .subquery(compiler.alias())
    )
    in_order = aggregate_order_by(first.c.node, first.c.rank, first.c.type, first.c.key)
    return select(func.coalesce(func.json_agg(in_order), EMPTY_LIST)).scalar_subquery()


def by_place_column(
    compiler: "Compiler", declared: GraphField, arguments: "Arguments", nodes: list[FieldNode], path: Path
) -> ColumnElement[Any]:
    """As `mixed_column`, for rows whose rank is their place among what was asked: places without a row are null, and so are those
    of types of which the viewer may see nothing.
    """
    found: Mapping[str, Ranked] = declared.where(None, arguments)
    parts, closed = [], []
    for name, ranked in found.items():
        refused_before = len(compiler.refusals)
        try:
            parts.append(_part(compiler, compiler.registry.types[name], ranked, declared.most, nodes, path))
        except Refused:
            closed += compiler.refusals[refused_before:]
            del compiler.refusals[refused_before:]
    if not parts:
        compiler.refusals += closed
        raise Refused
    union = union_all(*parts).subquery(compiler.alias())
    asked = number(len(arguments.plain("ids")))
    place = func.generate_series(number(1), asked).table_valued("place").render_derived()
    joined = place.outerjoin(union, union.c.rank == place.c.place)
    in_order = aggregate_order_by(union.c.node, place.c.place)
    return select(func.coalesce(func.json_agg(in_order), EMPTY_LIST)).select_from(joined).scalar_subquery()


def _part(  # noqa: PLR0917 — two call sites
    compiler: "Compiler", target: GraphType, ranked: Ranked, most: int, nodes: list[FieldNode], path: Path
) -> Any:
    source = ranked.rows.source
    with compiler.within(source):
        columns = compiler.columns(target, source, compiler.collect(nodes, target.name), path)
        if compiler.checked:
            columns.append(text_literal(target.name).label(CONCRETE))
        node = compiler.as_json(select(*columns), func.row_to_json)
        key = getattr(source.c, target.key[-1])
        parts = [
            ranked.rank.label("rank"),
            text_literal(target.name).label("type"),
            key.label("key"),
            node.label("node"),
        ]
        statement = compiler.select(target, ranked.rows, parts).order_by(literal_column("1"), literal_column("3"))
    return statement.limit(number(most)).correlate(*compiler.rows)
