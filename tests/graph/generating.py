"""Running a check on generated examples: Hypothesis in a thread, the graph and its connections in one event loop."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from cdp.schema import Graph, open_graph

T = TypeVar("T")


def for_each(
    url: str, drawn: SearchStrategy[T], check: Callable[[Graph, T], Awaitable[None]], *, examples: int, number: int = 0
) -> None:
    """`check` each of so many examples, the same ones for the same `number`."""

    async def run() -> None:
        async with open_graph(url, "cdp_app", max_connections=2) as graph:
            loop = asyncio.get_running_loop()

            @seed(number)
            @settings(
                max_examples=examples, deadline=None, database=None,
                suppress_health_check=list(HealthCheck), phases=[Phase.generate],
            )  # fmt: skip
            @given(drawn)
            def each(example: T) -> None:
                asyncio.run_coroutine_threadsafe(_awaited(check(graph, example)), loop).result()

            await asyncio.to_thread(each)

    asyncio.run(run())


async def _awaited(check: Awaitable[None]) -> None:
    await check
