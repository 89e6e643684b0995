"""Refusals of the graph: errors a caller can act on, each with a stable `extensions.code`; nothing internal in any of them."""

import re
from typing import Any, Final

from graphql import GraphQLError, GraphQLSyntaxError, Node

from cdp.errors import CdpError, Forbidden, Invalid, Unavailable

_SUGGESTION: Final = re.compile(r" Did you mean .*\?", re.DOTALL)


class Refused(Exception):
    """A field was refused; the nearest nullable one above it becomes null. Raised and caught within compiling."""


class ScopeMissing(Forbidden):
    """{field} needs the scope {scope}."""

    field: str
    scope: str


class ClosedToMembers(Forbidden):
    """{field} is not open to members of an account."""

    field: str


class MembersOnly(Forbidden):
    """{field} is open to members of an account only."""

    field: str


class LimitExceeded(Invalid):
    """This operation asks for {asked} {limit}; at most {most} are allowed."""

    limit: str
    asked: int
    most: int


class CursorInvalid(Invalid):
    """{argument} is not a cursor of this connection in this order."""

    argument: str


class PageInvalid(Invalid):
    """{argument} must be between {least} and {most}, and first and last exclude each other."""

    argument: str
    least: int
    most: int


class ValueInvalid(Invalid):
    """{argument} is not valid: {problem}"""  # noqa: D400 - the problem brings its full stop

    argument: str
    problem: str


def graphql_error(refusal: Forbidden | Invalid, nodes: list[Any] | None = None, path: Any = None) -> GraphQLError:
    """The refusal as a GraphQL error with its code and ids in `extensions`."""
    located: list[Node] | None = list(nodes) if nodes else None
    return GraphQLError(
        refusal.message,
        nodes=located,
        path=path,
        extensions={"code": refusal.code, **refusal.ids},
        original_error=refusal,
    )


class TooSlow(Unavailable):
    """The database took longer than {most_seconds} seconds; ask for less, or try again in {retry_after_seconds} seconds."""

    most_seconds: int


class Internal(CdpError):
    """Something went wrong on our side; the operators have been told."""


def shown(error: GraphQLError, *, suggests: bool = True) -> dict[str, Any]:
    """A GraphQL error as callers see it: message, locations, path and a stable `extensions.code`; nothing internal.

    `suggests`: whether a message may name what else the schema has ("Did you mean …?").
    """
    cause: BaseException | None = error
    while isinstance(cause, GraphQLError):
        if cause.original_error is None:
            break
        cause = cause.original_error
    formatted: dict[str, Any] = dict(error.formatted)
    if isinstance(cause, GraphQLError):
        if not suggests:
            formatted["message"] = _SUGGESTION.sub("", formatted["message"])
        code = "graphql_syntax" if isinstance(cause, GraphQLSyntaxError) else "graphql_invalid"
        formatted["extensions"] = {"code": code, **(error.extensions or {})}
        return formatted
    refusal = cause if isinstance(cause, CdpError) and not isinstance(cause, Internal) else Internal()
    formatted["message"] = refusal.message
    formatted["extensions"] = {"code": refusal.code, **refusal.ids}
    return formatted
