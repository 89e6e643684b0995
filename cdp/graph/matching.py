"""What is asked when somebody subscribes: whether they may; and then, of each batch of events, which match their filter.

Compiled once for each subscription, run once for each batch of events; scopes and limits are those of any filter.
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import orjson
from graphql import GraphQLResolveInfo
from sqlalchemy import ARRAY, ColumnElement, Uuid, any_, func, true

from cdp.graph.compiler import Compiler
from cdp.graph.conditions import Conditions
from cdp.graph.declaration import GraphField, Rows
from cdp.graph.literals import EMPTY_LIST
from cdp.graph.plan import Execution
from cdp.graph.refusal import Refused
from cdp.graph.runtime import GraphContext, GraphRunner, run_statement, variables_of


def authorise(runner: GraphRunner, declared: GraphField, info: GraphQLResolveInfo[GraphContext]) -> None:
    """Raise GraphQLError when the viewer lacks the scope of a root field."""
    compiler = _compiler(runner, info)
    try:
        compiler.authorise_root(declared, info.field_nodes, info.path)
    except Refused:
        raise compiler.refusals[0] from None


class Matching:
    """The `filter` argument of a root field, applied to rows by their ids.

    Raises GraphQLError when the viewer lacks the field's scope, or one of a field that is filtered by.
    """

    def __init__(self, runner: GraphRunner, declared: GraphField, info: GraphQLResolveInfo[GraphContext]) -> None:
        self._info = info
        compiler = _compiler(runner, info)
        self._plan = compiler.plan(lambda: self._column(compiler, declared), info.field_nodes)
        if self._plan.refusals:
            raise self._plan.refusals[0]

    def _column(self, compiler: Compiler, declared: GraphField) -> ColumnElement[Any]:
        nodes, path = self._info.field_nodes, self._info.path
        compiler.authorise_root(declared, nodes, path)
        arguments = compiler.arguments(declared, nodes, path)
        target = compiler.registry.types[declared.filter_of or ""]
        assert target.table is not None  # noqa: S101 — only rows can be filtered
        row = target.table.alias()
        key = row.c[target.key[-1]]
        asked = compiler.parameter(ARRAY(Uuid()), lambda execution: execution.source)
        with compiler.within(row):
            met: ColumnElement[bool] = true()
            if "filter" in arguments:
                met = Conditions(compiler, nodes, path).condition(target, row, arguments["filter"])
            found = compiler.select(target, Rows(row, (key == any_(asked),)), [func.json_agg(key)]).where(met)
        return func.coalesce(found.scalar_subquery(), EMPTY_LIST)

    async def among(self, ids: Collection[UUID]) -> set[UUID]:
        """Those of `ids` that match now. One statement."""
        context = self._info.context
        assert self._plan.sql is not None  # noqa: S101 — else it was refused
        execution = Execution(variables_of(self._info), context.viewer, context.today, list(ids))
        found = await run_statement(context, self._plan.sql, self._plan.parameters(execution))
        return {UUID(one) for one in orjson.loads(found or b"[]")}


def _compiler(runner: GraphRunner, info: GraphQLResolveInfo[GraphContext]) -> Compiler:
    return Compiler(
        registry=runner.registry,
        schema=runner.schema,
        fragments=info.fragments,
        variables=variables_of(info),
        viewer=info.context.viewer,
        limits=info.context.limits,
    )
