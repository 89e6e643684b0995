"""Anything by its id: the prefix says which type, the type how to find the row."""

from typing import Any

from cdp.graph.compiler import Arguments
from cdp.graph.declaration import GraphType, Row, Rows


def by_id(row: Row, arguments: Arguments, node: GraphType | None = None) -> Rows:
    """The row of an id whose type is already known."""
    assert node is not None and node.by_id is not None  # noqa: S101, PT018 — the runner chose a type that has it
    found: Any = node.by_id
    rows: Rows = found(row, arguments)
    return rows
