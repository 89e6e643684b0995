"""`docs/import.md` tells every field of every record as the structs have it."""

from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from cdp.ingest.records import LINES, SHAPES, NestedAllocation

DOCUMENT = Path(__file__).parents[2] / "docs" / "import.md"

NAMES = {
    "str": "text",
    "int": "integer",
    "Decimal": "decimal",
    "date": "date",
    "datetime": "instant",
    "dict": "object",
    "list": "list",
}

SHAPES_TOLD = [
    *(shape for shapes in SHAPES.values() for shape in shapes.values()),
    *LINES.values(),
    NestedAllocation,
]


def type_name(annotation: Any) -> str:
    """`text`, `date`, `a` or `b`: a field's type as the document has it."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return type_name(get_args(annotation)[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if origin in (Union, UnionType):
        return type_name(next(one for one in get_args(annotation) if one is not NoneType))
    name: str = getattr(origin or annotation, "__name__", "")
    return NAMES[name]


def meaning(annotation: Any) -> str:
    """The description of a field."""
    (told,) = [one.description for one in get_args(annotation) if isinstance(one, msgspec.Meta) and one.description]
    return told


def rows(shape: type[msgspec.Struct]) -> Iterator[str]:
    """The table's rows for one shape, required fields in bold."""
    hints = get_type_hints(shape, include_extras=True)
    for field in msgspec.structs.fields(shape):
        name = f"**{field.name}**" if field.required else field.name
        yield f"| {name} | {type_name(hints[field.name])} | {meaning(hints[field.name])} |"


@pytest.mark.parametrize("shape", SHAPES_TOLD, ids=lambda shape: shape.__name__)
def test_every_field_is_told_as_it_is(shape: type[msgspec.Struct]) -> None:
    table = "\n".join(["| field | type | meaning |", "|---|---|---|", *rows(shape)])
    assert table in DOCUMENT.read_text(encoding="utf-8"), f"docs/import.md should tell:\n{table}"
