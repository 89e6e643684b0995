"""What a document may ask before it's even validated: fields, levels and fragments, with every fragment written out.

Validation and compiling follow fragments wherever they are spread, so a short document can cost them exponential time, and
fields repeated side by side are compared pair by pair. Here each definition is read once and the sums follow from there.

Why not Strawberry's own limiters: they follow fragments too, each time anew (thirty that spread one another twice take hours).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)
from strawberry.extensions import SchemaExtension

from cdp.graph.refusal import LimitExceeded, graphql_error

MOST_FIELDS: Final = 1_000
MOST_LEVELS: Final = 100
MOST_FRAGMENTS: Final = 200
MOST_ROOT_FIELDS: Final = 100
_COUNTED_TO: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Of a selection with its fragments written out: fields in all, those at its top, and levels of fields."""

    fields: int = 0
    top: int = 0
    levels: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A definition as written: its own size, and each spread with how many fields stand above it."""

    size: Size
    spreads: tuple[tuple[str, int], ...]


class DocumentLimits(SchemaExtension):
    """Refuses a document that is too large, before anything follows its fragments."""

    def on_validate(self) -> Iterator[None]:
        """Ahead of validation, which doesn't happen when there already are errors."""
        document = self.execution_context.graphql_document
        if document is not None and (refusal := excess(document)) is not None:
            self.execution_context.pre_execution_errors = [refusal]
        yield


def excess(document: DocumentNode) -> GraphQLError | None:
    """The refusal of a document that is beyond a limit, located where it is; None for one within them all."""
    fragments = {
        definition.name.value: _read(definition.selection_set)
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    if len(fragments) > MOST_FRAGMENTS:
        return graphql_error(LimitExceeded(limit="fragments", asked=len(fragments), most=MOST_FRAGMENTS))
    sizes: dict[str, Size] = {}
    for definition in document.definitions:
        if not isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode):
            continue
        size = _written_out(_read(definition.selection_set), fragments, sizes)
        bounds = [("fields", size.fields, MOST_FIELDS), ("levels of fields", size.levels, MOST_LEVELS)]
        if isinstance(definition, OperationDefinitionNode):
            bounds.append(("fields at its root", size.top, MOST_ROOT_FIELDS))
        for limit, asked, most in bounds:
            if asked > most:
                return graphql_error(LimitExceeded(limit=limit, asked=min(asked, _COUNTED_TO), most=most), [definition])
    return None


def _read(selection_set: SelectionSetNode) -> _Read:
    fields = top = deepest = 0
    spreads: list[tuple[str, int]] = []
    pending = [(selection, 0) for selection in selection_set.selections]
    while pending:
        selection, above = pending.pop()
        if isinstance(selection, FragmentSpreadNode):
            spreads.append((selection.name.value, above))
            continue
        if isinstance(selection, FieldNode):
            fields += 1
            top += above == 0
            above += 1
            deepest = max(deepest, above)
        # An inline fragment is no level of its own.
        inner = cast("FieldNode | InlineFragmentNode", selection).selection_set
        pending += [(each, above) for each in inner.selections] if inner is not None else []
    return _Read(size=Size(fields=fields, top=top, levels=deepest), spreads=tuple(spreads))


def _written_out(read: _Read, fragments: dict[str, _Read], sizes: dict[str, Size]) -> Size:
    """The size of a definition; `sizes` remembers each fragment's. A fragment within itself (invalid anyway) ends there."""
    fields, top, levels = read.size.fields, read.size.top, read.size.levels
    for name, above in read.spreads:
        if name in fragments and name not in sizes:
            sizes[name] = Size()
            sizes[name] = _written_out(fragments[name], fragments, sizes)
        size = sizes.get(name, Size())
        fields, levels = min(fields + size.fields, _COUNTED_TO), max(levels, above + size.levels)
        top += size.top if above == 0 else 0
    return Size(fields=fields, top=min(top, _COUNTED_TO), levels=levels)
