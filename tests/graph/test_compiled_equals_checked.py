"""Whatever can be asked is answered, alike by the compiler and by graphql-core, in one statement a field; and a plan made for
some values answers as one made for others does.
"""

from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse

from cdp.schema import Graph, schema
from cdp.schema.execution import runner
from tests.graph.conftest import EVERYTHING, TODAY
from tests.graph.generating import for_each
from tests.graph.operations import IDS, CursorOf, Operation, operations

NOT_COMPILED = {"viewer", "__typename", "__schema", "__type"}
OPERATIONS = 400


def _root_fields(document: str) -> list[str]:
    [definition] = parse(document).definitions
    assert isinstance(definition, OperationDefinitionNode)
    return [selection.name.value for selection in definition.selection_set.selections]  # type: ignore[attr-defined]


class Cursors:
    """Cursors of real pages, asked for once for each connection and order."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str | None], list[str]] = {}

    async def filled(self, graph: Graph, variables: dict[str, Any]) -> dict[str, Any]:
        return {
            name: await self._cursor(graph, value) if isinstance(value, CursorOf) else value
            for name, value in variables.items()
        }

    async def _cursor(self, graph: Graph, wanted: CursorOf) -> str | None:
        key = (wanted.owner, wanted.field, wanted.order)
        if key not in self._known:
            self._known[key] = await self._harvest(graph, *key)
        known = self._known[key]
        return known[wanted.number % len(known)] if known else None

    async def _harvest(self, graph: Graph, owner: str, name: str, order: str | None) -> list[str]:
        page = f"{name}(first: 30{f', orderBy: {order}' if order else ''}) {{ edges {{ cursor }} }}"
        if owner == "Query":
            documents = [f"{{ it: {page} }}"]
        else:
            ids = IDS.get(("Query", owner.lower()), [])
            documents = [f'{{ node(id: "{each}") {{ ... on {owner} {{ it: {page} }} }} }}' for each in ids]
        found: list[str] = []
        for document in documents:
            result = await graph.execute(document, {}, EVERYTHING, today=TODAY)
            assert not result.errors, (document, result.errors)
            assert result.data is not None
            holder = result.data if owner == "Query" else result.data["node"]
            found += [edge["cursor"] for edge in holder["it"]["edges"]] if holder else []
        return found


@pytest.mark.parametrize("number", range(5))
def test_generated_operations_answer_alike_compiled_checked_and_with_another_ones_plan(
    business_url: str, number: int
) -> None:
    cursors, answered, paged = Cursors(), 0, 0

    async def check(graph: Graph, operation: Operation) -> None:
        nonlocal answered, paged
        document = operation.document
        for second, given in enumerate(operation.variables):
            variables = await cursors.filled(graph, given)
            compiled = await graph.execute(document, variables, EVERYTHING, today=TODAY)
            if second:  # that was the plan of the first values; what follows is made for these
                runner.plans.clear()
            checked = await graph.execute(document, variables, EVERYTHING, today=TODAY, checked=True)
            assert compiled == checked, (document, variables)
            if {error["extensions"].get("limit") for error in compiled.errors} == {"nodes"}:
                return  # more than anybody may ask
            assert not compiled.errors, (document, variables, compiled.errors)
            asked = [name for name in _root_fields(document) if name not in NOT_COMPILED]
            assert compiled.statements <= len(asked), document
            answered += compiled.statements
            paged += any(isinstance(value, CursorOf) and variables[name] for name, value in given.items())
            if not given:
                return

    for_each(business_url, operations(schema._schema), check, examples=OPERATIONS, number=number)
    assert answered > OPERATIONS
    assert paged > OPERATIONS // 20
