"""A customer's identity in the contract: what ever changed of it, and why two identifiers are together."""

import enum
from datetime import datetime
from typing import Final

import strawberry

from cdp.access.viewer import Member, Scope, Tool
from cdp.graph.declaration import by, many, one, scalar
from cdp.graph.refusal import ClosedToMembers, ScopeMissing, graphql_error
from cdp.identify import explaining
from cdp.identify.identifier import Identifier, identify
from cdp.identify.queries import STATEMENTS
from cdp.resolvers import event as event_resolvers
from cdp.resolvers import history as resolvers
from cdp.schema.base import graph
from cdp.schema.customer import Customer
from cdp.schema.merge import MergeRule
from cdp.schema.subscription import made

MOST_STEPS: Final = 100
"""Of a path that is shown. Breadth first no path of people's is longer than a dozen."""


@strawberry.enum(description="What happened to a customer's identity.")
class IdentityEventKind(enum.Enum):
    """Kinds of identity's history."""

    MERGE = strawberry.enum_value("merge", description="Other customers became part of it.")
    SPLIT = strawberry.enum_value("split", description="Profiles left it for another customer.")
    LINK = strawberry.enum_value("link", description="Somebody said that an identifier is its.")
    UNLINK = strawberry.enum_value("unlink", description="An identifier is its no longer, be it that somebody said so.")
    MOVE = strawberry.enum_value("move", description="Identifiers point at another customer, by all claims known.")
    SHARE = strawberry.enum_value("share", description="Identifiers turned out to be on too many customers.")
    BLOCK = strawberry.enum_value("block", description="Somebody blocked an identifier: it points at nobody.")
    UNBLOCK = strawberry.enum_value("unblock", description="Somebody took that back, and it points at the customer.")
    QUARANTINE = strawberry.enum_value("quarantine", description="It is too large: nothing merges into it by itself.")
    RELEASE = strawberry.enum_value("release", description="It may grow again.")


@graph.type(scope=Scope.GRAPH_PII, key=("namespace", "value"), order=(by("namespace"), by("value")))
class IdentifierValue:
    """An identifier by its namespace and normal form, whosever it is by now. Default order: namespace, value."""

    namespace: str = scalar("namespace", "What kind of value it is.")
    value: str = scalar("value", "Normal form.")


@graph.type(scope=Scope.GRAPH_READ, key=("event_id",), order=(by("happened_at", descending=True),))
class IdentityEvent:
    """Something that changed what a customer consists of; none is ever changed. Default order: latest first."""

    kind: IdentityEventKind = scalar("kind", "What happened.", filters=True)
    at: datetime = scalar("happened_at", "When.", filters=True, orders=True)
    rule: MergeRule | None = scalar("rule", "Why, of a merge or split.")
    actor: str = scalar(
        "actor", "Who: system, a client (client:…) or a staff person's subject.", scope=Scope.GRAPH_PII, filters=True
    )
    reason: str | None = scalar("reason", "Why, in words.", scope=Scope.GRAPH_PII)
    merge_id: strawberry.ID | None = scalar(
        resolvers.merge_id, "Of a merge or split: its record; a merge is undone by it."
    )
    customer_id: strawberry.ID = scalar(resolvers.customer_id, "The customer that it happened to.")
    other_customer_ids: list[strawberry.ID] = scalar(
        resolvers.other_customer_ids, "Customers that became part of it, or that profiles or identifiers went to."
    )
    profile_ids: list[strawberry.ID] = scalar(resolvers.profile_ids, "Profiles that moved.")
    identifiers: list[IdentifierValue] = many(
        resolvers.identifiers, "Identifiers that moved, or that it is about.", scope=Scope.GRAPH_PII, most=20
    )


@strawberry.enum(description="What ties two identifiers.")
class LinkStepKind(enum.Enum):
    """Kinds of steps."""

    CLAIM = strawberry.enum_value("claim", description="A source said both of one profile.")
    DECISION = strawberry.enum_value("decision", description="Somebody, or an alias call, said that they are one.")


@strawberry.type(description="An identifier on a path: namespace and normal form.")
class LinkEnd:
    """A value object of LinkStep."""

    namespace: str = strawberry.field(description="What kind of value it is.")
    value: str = strawberry.field(description="Normal form.")


@strawberry.type(description="Who decided that two identifiers are one, and why.")
class LinkDecision:
    """A value object of LinkStep."""

    rule: MergeRule = strawberry.field(description="ALIAS or MANUAL.")
    actor: str = strawberry.field(description="Who: system (an alias call), a client or a staff person's subject.")
    reason: str | None = strawberry.field(description="Why, in their own words.")


@strawberry.type(description="One step of a path between two identifiers.")
class LinkStep:
    """One claim or decision."""

    kind: LinkStepKind = strawberry.field(description="Claim or decision.")
    origin: LinkEnd = strawberry.field(description="The identifier that the step begins at.")
    target: LinkEnd = strawberry.field(description="The identifier that it leads to.")
    at: datetime = strawberry.field(description="When it was first claimed, by event time, or decided.")
    source: str | None = strawberry.field(description="The source that claimed it; null for a decision.")
    message_id: str | None = strawberry.field(description="The message that claimed it first; null for a decision.")
    identifiers: list[LinkEnd] = strawberry.field(description="All that the claim or decision names.")
    decision: LinkDecision | None = strawberry.field(description="Who decided; null for a claim.")


@strawberry.type(description="Why two identifiers are one customer's.")
class LinkPath:
    """Answer of whyLinked; `customer_id` is for the compiled field."""

    customer: Customer | None = one(event_resolvers.customer_of, "The customer.", scope=Scope.GRAPH_READ, member=None)
    steps: list[LinkStep] = strawberry.field(
        description="From the first identifier to the second: the fewest claims and decisions that tie them."
    )


async def why_linked(info: strawberry.Info, one: Identifier | None, other: Identifier | None) -> LinkPath | None:
    """The path between two identifiers; None when they are not one customer's. Three statements, however long it is."""
    viewer = info.context.viewer
    nodes = list(info._raw_info.field_nodes)  # noqa: SLF001 — Strawberry's own wrapper keeps it there
    if isinstance(viewer, Member):
        raise graphql_error(ClosedToMembers(field="Query.whyLinked"), nodes)
    if not isinstance(viewer, Tool) or Scope.GRAPH_PII not in viewer.scopes:
        raise graphql_error(ScopeMissing(field="Query.whyLinked", scope=Scope.GRAPH_PII.value), nodes)
    if one is None or other is None:
        return None
    async with info.context.pool.connection() as connection:
        owners = await connection.execute(explaining.STATEMENTS["owners_of_two"], explaining.asked_of(one, other))
        row = await owners.fetchone()
        if row is None or row[0] != row[1]:
            return None
        asked = explaining.statements_asked(row[0])
        told = await (await connection.execute(explaining.STATEMENTS["statements_of"], asked)).fetchall()
        about = explaining.nodes_of(told, one, other)
        given = {"namespaces": [node.namespace for node in about], "values": [node.value for node in about]}
        decided = await (await connection.execute(STATEMENTS["decisions_about"], given)).fetchall()
    info.context.statements += 3
    steps = explaining.path(explaining.ties_of(told, decided), one, other)
    if steps is None:
        return None
    return made(LinkPath, customer_id=row[0], steps=[_step(each) for each in steps[:MOST_STEPS]])


def read_identifier(namespace: str, value: str) -> Identifier | None:
    """The identifier that a value means, in any spelling."""
    return identify(namespace, value)


def _step(step: explaining.Step) -> LinkStep:
    tie, decision = step.tie, step.tie.decision
    return LinkStep(
        kind=LinkStepKind.CLAIM if decision is None else LinkStepKind.DECISION,
        origin=LinkEnd(namespace=step.origin.namespace, value=step.origin.value),
        target=LinkEnd(namespace=step.target.namespace, value=step.target.value),
        at=tie.at,
        source=tie.source,
        message_id=tie.message_id,
        identifiers=[LinkEnd(namespace=each.namespace, value=each.value) for each in explaining.shown(tie)],
        decision=None
        if decision is None
        else LinkDecision(rule=MergeRule(decision.rule), actor=decision.actor, reason=decision.reason),
    )
