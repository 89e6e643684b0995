"""Texts found by any part of them, by the trigram indexes of PostgreSQL (`pg_trgm`).

Under row-level security statistics are kept from patterns, and the planner goes by their length: three letters it takes to be in
one row of thirty, so it reads everybody in the order asked for until a page is full, which may be never. `once_more` has it go by
the index, which reads the rows that have the pattern's trigrams, be they one or many.
"""

import re
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Table, or_, select

_WILD: Final = re.compile(r"[\\%_]")
_TRIGRAM: Final = re.compile(r"[0-9A-Za-z]{3}")  # of the letters that the index knows whatever the database's locale


def anywhere(text: str) -> str:
    """What `ILIKE` compares with to find the text, as it is, in any place."""
    return f"%{_escaped(text)}%"


def at_the_beginning(text: str) -> str:
    """What `ILIKE` compares with to find values that begin with the text, as it is."""
    return f"{_escaped(text)}%"


def after_a_space(text: str) -> str:
    """What `ILIKE` compares with to find a word, but the first, that begins with the text, as it is."""
    return f"% {_escaped(text)}%"


def has_trigram(text: str) -> bool:
    """Whether the index knows where this is part of: three letters or digits in a row."""
    return _TRIGRAM.search(text) is not None


def is_searchable(column: ColumnElement[Any]) -> bool:
    """Whether there is a trigram index of the column."""
    return any(
        index.dialect_options["postgresql"]["ops"].get(base.name) == "gin_trgm_ops"
        for base in column.base_columns
        if isinstance(base, Column) and isinstance(base.table, Table)
        for index in base.table.indexes
    )


def once_more(column: ColumnElement[Any], operator: str, pattern: ColumnElement[Any]) -> ColumnElement[bool]:
    """A condition on the column said once more, of a pattern that the planner doesn't know beforehand; true where that is NULL.

    Of `ILIKE` it then expects one row in 200, of `%` one in 100, whatever the pattern, and of both conditions together so few
    that it takes the index.
    """
    return or_(pattern.is_(None), column.bool_op(operator)(select(pattern).scalar_subquery()))


def _escaped(text: str) -> str:
    return _WILD.sub(r"\\\g<0>", text)
