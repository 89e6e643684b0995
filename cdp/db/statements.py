"""Named SQL: every static statement lives in a room's `queries.sql`, named and described, and is loaded once.

    -- name: messages_to_stitch
    -- The oldest pending messages of a lane, locked for this transaction.
    SELECT …;

Idea and form: procrastinate's `queries.sql`.
"""

import re
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import LiteralString

_HEADER = re.compile(r"^-- name: (\w+)\n((?:--.*\n)+)", re.MULTILINE)


def load_statements(package: str, filename: str = "queries.sql") -> Mapping[str, LiteralString]:
    """Statement text by name. Raises ValueError for an undescribed, empty or doubled statement."""
    source = resources.files(package).joinpath(filename).read_text(encoding="utf-8")
    headers = list(_HEADER.finditer(source))
    if source.count("-- name:") != len(headers):
        msg = f"{package}/{filename}: every statement needs a name and a description"
        raise ValueError(msg)
    found: dict[str, LiteralString] = {}
    for header, following in zip(headers, [*headers[1:], None], strict=True):
        name = header[1]
        body = source[header.end() : following.start() if following else None].strip().rstrip(";")
        if not body or name in found:
            msg = f"{package}/{filename}: {name} is empty or there twice"
            raise ValueError(msg)
        found[name] = body
    return MappingProxyType(found)
