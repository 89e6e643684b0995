"""A question of the program's own, asked inside somebody's transaction: what a mutation keeps is what the graph answers there and
then, under the same scopes and policies, in one statement.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import lru_cache
from typing import Any, cast

from graphql import DocumentNode, FieldNode, GraphQLSchema, OperationDefinitionNode, parse, validate
from graphql.execution.values import get_variable_values
from graphql.pyutils import Path
from psycopg import Connection, RawCursor

from cdp.access.viewer import Viewer
from cdp.graph.compiler import Compiler
from cdp.graph.plan import Execution
from cdp.graph.runtime import JSON_OID, GraphRunner, RawJson
from cdp.limits import Limits

_UNBOUNDED = replace(Limits(), nodes=10**9)  # the question is ours; how much it answers is bounded where it is asked


def answer_within(
    connection: Connection[Any],
    runner: GraphRunner,
    document: str,
    variables: Mapping[str, Any],
    *,
    viewer: Viewer,
    today: date,
) -> bytes | None:
    """JSON of a query's one root field, read in the transaction of `connection`; None where it is null.

    Raises GraphQLError for a variable of the wrong type and where the viewer lacks a scope.
    """
    operation = cast("OperationDefinitionNode", _parsed(runner.schema, document).definitions[0])
    node = cast("FieldNode", operation.selection_set.selections[0])
    given = get_variable_values(runner.schema, operation.variable_definitions or (), dict(variables))
    if isinstance(given, list):
        raise given[0]
    compiler = Compiler(
        registry=runner.registry,
        schema=runner.schema,
        fragments={},
        variables=given.coerced,
        viewer=viewer,
        limits=_UNBOUNDED,
        checked=False,
    )
    owner = cast("Any", runner.schema.query_type)
    name = node.name.value
    plan = compiler.compile(
        runner.roots[owner.name][name], owner.fields[name].type, [node], Path(None, name, owner.name)
    )
    if plan.refusals:
        raise plan.refusals[0]
    cursor = RawCursor(connection)
    cursor.adapters.register_loader(JSON_OID, RawJson)
    cursor.execute(cast("Any", plan.sql), plan.parameters(Execution(given.coerced, viewer, today)))
    row = cursor.fetchone()
    return None if row is None else row[0]


@lru_cache
def _parsed(schema: GraphQLSchema, document: str) -> DocumentNode:
    parsed = parse(document)
    errors = validate(schema, parsed)
    if errors:
        raise errors[0]
    return parsed
