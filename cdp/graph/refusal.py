"""Refusals of the graph: errors a caller can act on, each with a stable `extensions.code`; nothing internal in any of them."""

from typing import Any

from graphql import GraphQLError, Node

from cdp.errors import Forbidden, Invalid


class ScopeMissing(Forbidden):
    """{field} needs the scope {scope}."""

    field: str
    scope: str


class ClosedToMembers(Forbidden):
    """{field} is not open to members of an account."""

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
