"""The world of access and both applications on it, fresh for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.access.world import CodeFlow, Stage, World, found_world, staged


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> World:
    return found_world(database_url, tmp_path)


@pytest.fixture
async def stage(world: World) -> AsyncIterator[Stage]:
    async with staged(world) as running:
        yield running


@pytest.fixture
async def visitor(stage: Stage) -> AsyncIterator[httpx2.AsyncClient]:
    async with stage.browser() as client:
        yield client


@pytest.fixture
def console(world: World) -> CodeFlow:
    return CodeFlow(client_id=world.console.client_id, secret=world.console.client_secret)
