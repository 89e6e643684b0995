"""What a selection set asks of one object: fields by response key, fragments spread, `@include` and `@skip` decided.

The response-key order of the GraphQL specification (§6.3, CollectFields) becomes the column order of the SQL, so the JSON that
PostgreSQL builds needs no reordering.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLIncludeDirective,
    GraphQLSkipDirective,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
)

Fields = dict[str, list[FieldNode]]


def collect(  # noqa: C901 — the algorithm of the specification, in its order
    parents: Iterable[FieldNode],
    type_names: frozenset[str],
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Mapping[str, Any],
) -> Fields:
    """Fields selected below `parents` (all of one response key), by response key in order of appearance.

    `type_names`: the concrete type and the interfaces and unions it belongs to; fragments on others do not apply.
    """
    found: Fields = {}
    visited: set[str] = set()

    def walk(selection_set: SelectionSetNode) -> None:
        for selection in selection_set.selections:
            if not _wanted(selection, variables):
                continue
            if isinstance(selection, FieldNode):
                key = selection.alias.value if selection.alias else selection.name.value
                found.setdefault(key, []).append(selection)
            elif isinstance(selection, InlineFragmentNode):
                if selection.type_condition is None or selection.type_condition.name.value in type_names:
                    walk(selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in visited:
                visited.add(selection.name.value)
                fragment = fragments[selection.name.value]
                if fragment.type_condition.name.value in type_names:
                    walk(fragment.selection_set)

    for parent in parents:
        if parent.selection_set is not None:
            walk(parent.selection_set)
    return found


def _wanted(selection: SelectionNode, variables: Mapping[str, Any]) -> bool:
    for directive in selection.directives or ():
        name = directive.name.value
        if name in {GraphQLIncludeDirective.name, GraphQLSkipDirective.name}:
            condition: Any = (directive.arguments or ())[0].value
            value = variables.get(condition.name.value) if isinstance(condition, VariableNode) else condition.value
            if bool(value) is (name == GraphQLSkipDirective.name):
                return False
    return True
