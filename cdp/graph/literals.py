"""The few constants that stand in SQL as they are: GraphQL names, page sizes, the empty list. Never a value somebody sent."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import ColumnElement, Text, func, literal_column

EMPTY_LIST: Final[ColumnElement[Any]] = literal_column("'[]'::json")


def text_literal(name: str) -> ColumnElement[str]:
    """A GraphQL name as a text literal; the grammar allows letters, digits and underscores only."""
    return literal_column(f"'{name}'", Text)


def number(value: int) -> ColumnElement[int]:
    """A whole number, such as a page size: plans are made for it anyway, and the planner sees it."""
    return literal_column(str(value))


def json_object(pairs: Iterable[tuple[str, ColumnElement[Any]]]) -> ColumnElement[Any]:
    """A JSON object of (response key, expression) pairs."""
    return func.json_build_object(*(part for key, column in pairs for part in (text_literal(key), column)))
