"""The world of access and both applications on it. It is founded once; each test works on a copy of its database."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import httpx2
import pytest

from cdp.access.issuer.app import prepare_issuer
from cdp.db.engine import open_pool
from tests.access.world import CodeFlow, Stage, World, found_world, staged
from tests.databases import Databases


@pytest.fixture(scope="session")
def founded(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The world, with the issuer's keys made, in a database that others are copied from."""
    with databases.copy() as url:
        world = found_world(url, tmp_path_factory.mktemp("world"))
        asyncio.run(_prepare(world))
        yield world


@pytest.fixture
def world(databases: Databases, founded: World) -> Iterator[World]:
    with databases.copy(founded.url) as url:
        yield replace(founded, url=url)


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


async def _prepare(world: World) -> None:
    async with open_pool(world.url, "cdp_app") as pool:
        await prepare_issuer(lambda: pool, world.settings)
