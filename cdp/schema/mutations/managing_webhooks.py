"""What mutations of webhooks have in common: the desk they work at, and a payload with the endpoint."""

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import strawberry
from psycopg import Connection

from cdp.access.audit import actor_of
from cdp.access.viewer import Scope, Tool
from cdp.db.ids import parse_id
from cdp.errors import Mistake
from cdp.graph.refusal import graphql_error
from cdp.schema.mutations.acting import NothingChangesHere, authorise, work
from cdp.webhooks.endpoints import Desk

T = TypeVar("T")
NEEDS = "Needs the scopes admin and feed:read."


async def at_desk(info: strawberry.Info, act: Callable[[Desk], T]) -> T:
    """What `act` did at the desk, committed. Raises a GraphQL error unless the viewer may manage webhooks."""
    viewer = authorise(info, scope=Scope.ADMIN)
    authorise(info, scope=Scope.FEED_READ)
    assert isinstance(viewer, Tool)  # noqa: S101 — no role of members may
    actor = actor_of(viewer)
    settings = None if info.context.writing is None else info.context.writing.settings
    if settings is None:
        raise graphql_error(NothingChangesHere(), list(info._raw_info.field_nodes))  # noqa: SLF001 — Strawberry's wrapper

    def write(connection: Connection[Any]) -> T:
        return act(Desk(connection, settings, actor=actor))

    return await work(info, write)


def read_one(text: str, prefix: str, field: str) -> UUID | Mistake:
    """The UUID of a typed id; a mistake about `field` when it isn't one."""
    found = parse_id(text, prefix)
    if found is None:
        message = f"An id of this type looks like {prefix}_0123456789abcdef0123456789abcdef."
        return Mistake(code="not_an_id", message=message, field=(field,))
    return found
