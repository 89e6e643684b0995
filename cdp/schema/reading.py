"""What the audit record keeps of an operation that a tool runs for a person: its name, its root fields, and the ids it names.

One row an operation, or one for each account it names, so that the account's client admins find it. Not what was answered: an
operation says by what it asks whose data was read, and rows would be as many as answers have lines.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    parse,
)

from cdp.access.audit import Entry, actor_of
from cdp.access.viewer import Tool
from cdp.db.ids import parse_id

MOST_NAMED: Final = 20
LONGEST_NAME: Final = 100
DOCUMENTS_KEPT: Final = 1_000
_ID: Final = re.compile(r"(?<![0-9A-Za-z_])[a-z]{2,5}_[0-9a-f]{32}(?![0-9A-Za-z_])")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operation:
    name: str | None
    fields: tuple[str, ...]
    changes: bool


def reading(tool: Tool, text: str, variables: Mapping[str, Any] | None, operation_name: str | None) -> list[Entry]:
    """The entries of an operation that was run for a person; none for a tool that acts for itself. `text` is a valid document."""
    if tool.acting_for is None:
        return []
    operation = _operation(text, operation_name)
    ids = list(
        dict.fromkeys([*_ID.findall(text), *(_ID.findall(orjson.dumps(variables).decode()) if variables else ())])
    )
    person = actor_of(tool)
    event = "change" if operation.changes else "read"
    told: dict[str, Any] = {"operation": operation.name, "fields": list(operation.fields)}
    accounts = [each for each in ids if each.startswith("acc_")]
    others = [each for each in ids if not each.startswith("acc_")]
    entries = [person.did(event, each, account_id=parse_id(each), **told) for each in accounts[:MOST_NAMED]]
    if others or not entries:
        beyond: dict[str, Any] = {"more": len(others) - MOST_NAMED} if len(others) > MOST_NAMED else {}
        named: dict[str, Any] = {"ids": others[:MOST_NAMED]} if others else {}
        entries.append(person.did(event, others[0] if others else None, **told, **named, **beyond))
    return entries


@lru_cache(maxsize=DOCUMENTS_KEPT)
def _operation(text: str, name: str | None) -> _Operation:
    document = parse(text)
    found = next(
        each
        for each in document.definitions
        if isinstance(each, OperationDefinitionNode) and (name is None or (each.name and each.name.value == name))
    )
    fields = dict.fromkeys(_root_fields(document, found.selection_set))
    return _Operation(
        name=found.name.value[:LONGEST_NAME] if found.name else None,
        fields=tuple(fields)[:MOST_NAMED],
        changes=found.operation is OperationType.MUTATION,
    )


def _root_fields(document: DocumentNode, selections: SelectionSetNode) -> Iterator[str]:
    """Names of the fields at the root, through fragments; a valid document has no fragment within itself."""
    for each in selections.selections:
        if isinstance(each, FieldNode):
            yield each.name.value
        elif isinstance(each, InlineFragmentNode):
            yield from _root_fields(document, each.selection_set)
        else:
            for fragment in document.definitions:
                if isinstance(fragment, FragmentDefinitionNode) and fragment.name.value == each.name.value:  # type: ignore[attr-defined]
                    yield from _root_fields(document, fragment.selection_set)
