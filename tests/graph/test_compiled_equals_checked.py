"""Whatever can be asked is answered, alike by the compiler and by graphql-core, in one statement a field."""

import asyncio
from typing import Any

from graphql import OperationDefinitionNode, parse
from hypothesis import HealthCheck, Phase, given, settings

from cdp.schema import open_graph, schema
from tests.graph.conftest import EVERYTHING, TODAY
from tests.graph.operations import operations

NOT_COMPILED = {"viewer", "__typename", "__schema", "__type"}


def _root_fields(document: str) -> list[str]:
    [definition] = parse(document).definitions
    assert isinstance(definition, OperationDefinitionNode)
    return [selection.name.value for selection in definition.selection_set.selections]  # type: ignore[attr-defined]


def test_generated_operations_answer_alike_compiled_and_checked_in_one_statement_a_field(business_url: str) -> None:
    answered = 0

    async def run_all() -> None:
        nonlocal answered
        async with open_graph(business_url, "cdp_app", max_connections=2) as graph:
            loop = asyncio.get_running_loop()

            @settings(
                max_examples=400, deadline=None, database=None, derandomize=True,
                suppress_health_check=list(HealthCheck), phases=[Phase.generate],
            )  # fmt: skip
            @given(operations(schema._schema))
            def check(operation: tuple[str, dict[str, Any]]) -> None:
                future = asyncio.run_coroutine_threadsafe(_check(*operation), loop)
                future.result()

            async def _check(document: str, variables: dict[str, Any]) -> None:
                nonlocal answered
                compiled = await graph.execute(document, variables, EVERYTHING, today=TODAY)
                checked = await graph.execute(document, variables, EVERYTHING, today=TODAY, checked=True)
                assert compiled == checked, document
                assert not compiled.errors, (document, compiled.errors)
                asked = [name for name in _root_fields(document) if name not in NOT_COMPILED]
                assert compiled.statements <= len(asked), document
                answered += compiled.statements

            await asyncio.to_thread(check)

    asyncio.run(run_all())
    assert answered > 200
