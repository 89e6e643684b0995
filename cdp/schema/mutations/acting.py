"""What every mutation has in common: who acts and whether they may, the work's outcome, and how mistakes are told."""

from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar
from uuid import UUID

import strawberry
from psycopg import Connection

from cdp.access.viewer import Member, Role, Scope, Tool, Viewer
from cdp.db.ids import parse_id
from cdp.errors import Forbidden, Invalid, Mistake
from cdp.graph.refusal import ClosedToMembers, MembersOnly, ScopeMissing, graphql_error
from cdp.identify.claims import Author

T = TypeVar("T")


class NothingChangesHere(Invalid):
    """Nothing can be changed here; send mutations to /graphql by POST."""


class NobodyWritesWhileLooking(Forbidden):
    """Whoever sees the extranet as a client sees it changes nothing there."""


@strawberry.type(description="Why nothing was changed; something that whoever asked can mend.")
class UserError:
    """A mistake in what was asked."""

    message: str = strawberry.field(description="A sentence for people.")
    field: list[str] | None = strawberry.field(description="Where in the input: names and places; null for the whole.")
    code: str = strawberry.field(description="Stable, for programs, e.g. customer_not_found.")


def authorise(info: strawberry.Info, *, scope: Scope | None, roles: Collection[Role] = ()) -> Viewer:
    """Who asks. Raises a GraphQL error unless they are a tool with `scope` (None: no tool may) or a member in one of `roles`."""
    viewer: Viewer = info.context.viewer
    label = f"Mutation.{info.field_name}"
    nodes = list(info._raw_info.field_nodes)  # noqa: SLF001 — Strawberry's own wrapper keeps it there
    if isinstance(viewer, Member):
        if viewer.is_looking:
            raise graphql_error(NobodyWritesWhileLooking(), nodes)
        if viewer.role not in roles:
            raise graphql_error(ClosedToMembers(field=label), nodes)
    elif scope is None:
        raise graphql_error(MembersOnly(field=label), nodes)
    elif not isinstance(viewer, Tool) or scope not in viewer.scopes:
        raise graphql_error(ScopeMissing(field=label, scope=scope.value), nodes)
    return viewer


def author(info: strawberry.Info, reason: str | None) -> Author:
    """Who acts on identity, in the ledger's words. Raises a GraphQL error unless they may write identity."""
    viewer = authorise(info, scope=Scope.IDENTITY_WRITE)
    assert isinstance(viewer, Tool)  # noqa: S101 — no role of members may
    return Author(actor=viewer.acting_for or f"client:{viewer.client_id}", reason=reason)


async def work(info: strawberry.Info, act: Callable[[Connection[Any]], T]) -> T:
    """What `act` did, committed. What the payload shows is read where it was written, from here on.

    What the payload asks is compiled first: where it would be refused, nothing is changed.
    """
    raw = info._raw_info  # noqa: SLF001 — as above
    writing = info.context.writing
    if writing is None:  # a socket, or a graph that was opened for reading alone
        raise graphql_error(NothingChangesHere(), list(raw.field_nodes))
    info.context.runner.prepare(raw)
    outcome: T = await writing.run(act, info.context.viewer)
    info.context.pool = writing.pool
    return outcome


def read_ids(texts: Iterable[str], prefix: str, field: str) -> list[UUID] | Mistake:
    """The UUIDs of typed ids; a mistake that names the first which isn't one."""
    found = []
    for place, text in enumerate(texts):
        each = parse_id(text, prefix)
        if each is None:
            message = f"An id of this type looks like {prefix}_0123456789abcdef0123456789abcdef."
            return Mistake(code="not_an_id", message=message, field=(field, str(place)))
        found.append(each)
    return found


def too_long(text: str | None, most: int, field: str) -> Mistake | None:
    """A mistake when a text is longer than may be kept."""
    if text is None or (len(text) <= most and "\0" not in text):
        return None
    message = f"At most {most} characters, none of them U+0000."
    return Mistake(code="text_invalid", message=message, field=(field,))


def user_error(mistake: Mistake) -> UserError:
    """A room's mistake as the contract shows it."""
    path = ["input", *mistake.field] if mistake.field else None
    return UserError(message=mistake.message, field=path, code=mistake.code)
