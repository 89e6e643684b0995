"""What a document may ask before anything follows its fragments: bytes and tokens before it's parsed; fields, levels, aliases
and fragments, with every fragment written out, before it's validated.

Validation and compiling follow fragments wherever they are spread, so a short document can cost them exponential time, and
fields repeated side by side are compared pair by pair. Here each definition is read once and the sums follow from there.

Why not Strawberry's own limiters: they follow fragments too, each time anew (thirty that spread one another twice take hours),
and they don't say what was asked. Why tokens are counted by a pattern: it takes a hundredth of the parser's time.
"""

import re
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

from cdp.access.viewer import Scope
from cdp.graph.refusal import LimitExceeded, ScopeMissing, graphql_error
from cdp.limits import Limits

MOST_FIELDS: Final = 400
MOST_LEVELS: Final = 100
MOST_FRAGMENTS: Final = 200
MOST_ROOT_FIELDS: Final = 100
_COUNTED_TO: Final = 1_000_000_000
_INTROSPECTION: Final = frozenset({"__schema", "__type"})
# Lexical grammar of GraphQL (specification §2.1). Every quantifier is possessive, so counting takes linear time of any text; what
# is no token counts as one, and the parser refuses it.
_TOKEN: Final = re.compile(
    r'"""(?:[^"\\]++|\\"""|\\|"(?!""))*+(?:"""|\Z)'
    r'|"(?:[^"\\\r\n]++|\\.)*+"?'
    r"|[_A-Za-z][_0-9A-Za-z]*+"
    r"|-?[0-9][0-9.eE+-]*+"
    r"|\.\.\."
    r"|#[^\r\n]*+"
    r"|[^\s,\ufeff]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Of a selection with its fragments written out: fields in all, those at its top, levels of fields, aliases."""

    fields: int = 0
    top: int = 0
    levels: int = 0
    aliases: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A definition as written: its own size, each spread with how many fields stand above it, fields of introspection."""

    size: Size
    spreads: tuple[tuple[str, int], ...]
    introspection: tuple[FieldNode, ...]


def too_long(text: str, limits: Limits) -> LimitExceeded | None:
    """The refusal of a document of too many bytes or tokens; None for one that may be parsed. Linear in its length."""
    length = len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
    if length > limits.bytes:
        return LimitExceeded(limit="bytes in its document", asked=length, most=limits.bytes)
    # No text has more tokens than characters.
    if len(text) > limits.tokens and (asked := count_tokens(text)) > limits.tokens:
        return LimitExceeded(limit="tokens", asked=asked, most=limits.tokens)
    return None


def count_tokens(text: str) -> int:
    """Lexical tokens of a document, comments left out."""
    return sum(not token.startswith("#") for token in _TOKEN.findall(text))


def excess(document: DocumentNode, limits: Limits) -> GraphQLError | None:
    """The refusal of a document that is beyond a limit, located where it is; None for one within them all."""
    reads = _reads(document)
    fragments = {
        definition.name.value: read for definition, read in reads if isinstance(definition, FragmentDefinitionNode)
    }
    if len(fragments) > MOST_FRAGMENTS:
        return graphql_error(LimitExceeded(limit="fragments", asked=len(fragments), most=MOST_FRAGMENTS))
    sizes: dict[str, Size] = {}
    for definition, read in reads:
        size = _written_out(read, fragments, sizes)
        bounds = [
            ("fields", size.fields, MOST_FIELDS),
            ("levels of fields", size.levels, MOST_LEVELS),
            ("aliases", size.aliases, limits.aliases),
        ]
        if isinstance(definition, OperationDefinitionNode):
            bounds.append(("fields at its root", size.top, MOST_ROOT_FIELDS))
        for limit, asked, most in bounds:
            if asked > most:
                return graphql_error(LimitExceeded(limit=limit, asked=min(asked, _COUNTED_TO), most=most), [definition])
    return None


def introspection(document: DocumentNode) -> GraphQLError | None:
    """The refusal of a document that asks for the schema itself; None for one that doesn't."""
    for _, read in _reads(document):
        if read.introspection:
            first = read.introspection[0]
            return graphql_error(ScopeMissing(field=f"Query.{first.name.value}", scope=Scope.ADMIN.value), [first])
    return None


def _reads(document: DocumentNode) -> list[tuple[OperationDefinitionNode | FragmentDefinitionNode, _Read]]:
    return [
        (definition, _read(definition.selection_set))
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode)
    ]


def _read(selection_set: SelectionSetNode) -> _Read:
    fields = top = deepest = aliases = 0
    spreads: list[tuple[str, int]] = []
    introspection: list[FieldNode] = []
    pending = [(selection, 0) for selection in selection_set.selections]
    while pending:
        selection, above = pending.pop()
        if isinstance(selection, FragmentSpreadNode):
            spreads.append((selection.name.value, above))
            continue
        if isinstance(selection, FieldNode):
            fields += 1
            aliases += selection.alias is not None
            top += above == 0
            above += 1
            deepest = max(deepest, above)
            if selection.name.value in _INTROSPECTION:
                introspection.append(selection)
        # An inline fragment is no level of its own.
        inner = cast("FieldNode | InlineFragmentNode", selection).selection_set
        pending += [(each, above) for each in inner.selections] if inner is not None else []
    size = Size(fields=fields, top=top, levels=deepest, aliases=aliases)
    return _Read(size=size, spreads=tuple(spreads), introspection=tuple(introspection))


def _written_out(read: _Read, fragments: dict[str, _Read], sizes: dict[str, Size]) -> Size:
    """The size of a definition; `sizes` remembers each fragment's. A fragment within itself (invalid anyway) ends there."""
    fields, top, levels, aliases = read.size.fields, read.size.top, read.size.levels, read.size.aliases
    for name, above in read.spreads:
        if name in fragments and name not in sizes:
            sizes[name] = Size()
            sizes[name] = _written_out(fragments[name], fragments, sizes)
        size = sizes.get(name, Size())
        fields, levels = min(fields + size.fields, _COUNTED_TO), max(levels, above + size.levels)
        aliases = min(aliases + size.aliases, _COUNTED_TO)
        top += size.top if above == 0 else 0
    return Size(fields=fields, top=min(top, _COUNTED_TO), levels=levels, aliases=aliases)
