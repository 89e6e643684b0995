"""Customers in the contract: the person or organisation, what names them, what each source knows, what they did."""

import enum
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from cdp.access.tables import source
from cdp.access.viewer import Scope
from cdp.events.tables import interaction
from cdp.graph.declaration import by, many, one, page, scalar
from cdp.graph.summary import groups, summary
from cdp.identify.tables import customer, customer_identifier, profile
from cdp.resolvers import customer as resolvers
from cdp.resolvers import golden as golden_resolvers
from cdp.resolvers import history as history_resolvers
from cdp.resolvers import merge as merge_resolvers
from cdp.resolvers.summary import INTERACTION_GROUPS
from cdp.schema.base import Connection, Node, graph, node_id
from cdp.schema.golden import GoldenTrait, Quarantine

if TYPE_CHECKING:
    from cdp.schema.account import Account
    from cdp.schema.history import IdentityEvent
    from cdp.schema.merge import Merge
    from cdp.schema.order import Order, OrderSummary

LazyAccount = Annotated["Account", strawberry.lazy("cdp.schema.account")]
LazyOrder = Annotated["Order", strawberry.lazy("cdp.schema.order")]


@strawberry.enum(description="What a customer is.")
class CustomerKind(enum.Enum):
    """Person or organisation."""

    PERSON = strawberry.enum_value("person", description="A human being.")
    ORGANISATION = strawberry.enum_value("organisation", description="A company or institution.")


@strawberry.enum(description="Who began a contact.")
class Direction(enum.Enum):
    """Inbound or outbound."""

    INBOUND = strawberry.enum_value("inbound", description="The customer.")
    OUTBOUND = strawberry.enum_value("outbound", description="We did.")


@graph.type(scope=Scope.GRAPH_READ, table=source, key=("source_id",))
class Source:
    """A system that tells us something: a web shop, an ERP, a call centre."""

    name: str = scalar("name", "Unique name.", filters=True)
    channel: str = scalar("channel", "Channel its messages come through.")
    division: str | None = scalar("division", "Part of the company it belongs to.")
    location: str | None = scalar("location", "Where it stands.")


@graph.type(
    scope=Scope.GRAPH_PII, table=customer_identifier, key=("namespace", "value"), order=(by("namespace"), by("value"))
)
class Identifier:
    """A namespaced value that points at one customer. Default order: namespace, value."""

    namespace: str = scalar("namespace", "What kind of value it is: email, phone, user_id, …", filters=True)
    value: str = scalar("value", "Normal form, by which equal values are told.", filters=True)
    value_given: str = scalar("value_given", "As the source gave it.")
    verified: bool = scalar("verified", "Whether a verified source stated it.")
    first_seen_at: datetime = scalar("first_seen_at", "First stated.")
    last_seen_at: datetime = scalar("last_seen_at", "Last stated.")
    source: Source = one(resolvers.source_of, "The source that stated it first.")


@graph.type(
    scope=Scope.GRAPH_PII,
    table=profile,
    key=("profile_id",),
    order=(by("first_seen_at"),),
    prefix="pro",
)
class Profile(Node):
    """What one source knows under its own key; never changed by a merge. Default order: first seen."""

    id: strawberry.ID = node_id("pro", "profile_id")
    kind: CustomerKind = scalar("kind", "Person or organisation, as the source says.")
    namespace: str = scalar("key_namespace", "Namespace of the source's key.")
    external_id: str = scalar("key_value", "The source's own key.")
    traits: JSON = scalar(resolvers.profile_traits, "Latest value of each trait this source stated.")
    first_seen_at: datetime = scalar("first_seen_at", "First heard of.", filters=True)
    last_seen_at: datetime = scalar("last_seen_at", "Last heard of.", filters=True)
    source: Source = one(resolvers.source_of, "The source.")


@graph.type(
    scope=Scope.GRAPH_PII,
    table=interaction,
    key=("interaction_id",),
    order=(by("occurred_at", descending=True),),
    prefix="int",
)
class Interaction(Node):
    """One contact in one channel. Default order: latest first."""

    id: strawberry.ID = node_id("int", "interaction_id")
    kind: str = scalar("kind", "page, screen, track, call, visit, email, letter, chat or other.", filters=True)
    direction: Direction = scalar("direction", "Who began it.", filters=True)
    name: str | None = scalar("name", "Page or event name, or the subject.", filters=True)
    topic: str | None = scalar("topic", "What it was about.", filters=True)
    product: str | None = scalar("product", "Product it was about.", filters=True)
    channel: str = scalar("channel", "Channel.", filters=True)
    division: str | None = scalar("division", "Part of the company.", filters=True)
    location: str | None = scalar("location", "Where.", filters=True)
    occurred_at: datetime = scalar("occurred_at", "When it happened.", filters=True, orders=True)
    duration_seconds: int | None = scalar("duration_seconds", "How long it took.", filters=True)
    properties: JSON = scalar("properties", "Everything else that was told.")
    source: Source = one(resolvers.source_of, "The source that told it.")


@graph.type(
    scope=Scope.GRAPH_READ,
    member=Scope.GRAPH_READ,
    table=customer,
    key=("customer_id",),
    order=(by("last_seen_at", descending=True),),
    prefix="cus",
    visible=resolvers.visible,
    by_id=resolvers.by_id,
)
class Customer(Node):
    """One person or one organisation, concluded from what all sources say. Default order: last seen first."""

    id: strawberry.ID = node_id("cus", "customer_id")
    kind: CustomerKind = scalar("kind", "Person or organisation.", filters=True)
    name: str | None = scalar(
        "name", "Best known name.", scope=Scope.GRAPH_PII, filters=True, orders=True, nullable=True
    )
    email: str | None = scalar("email", "Best known e-mail address.", scope=Scope.GRAPH_PII, member=None, filters=True)
    phone: str | None = scalar(
        "phone", "Best known phone number, E.164.", scope=Scope.GRAPH_PII, member=None, filters=True
    )
    traits: JSON = scalar(
        "traits", "Golden values: of each trait the newest statement.", scope=Scope.GRAPH_PII, member=None
    )
    golden_traits: Connection[GoldenTrait] = page(
        golden_resolvers.golden_traits,
        "The golden values one by one, each with the source and profile that stated it, by name.",
        scope=Scope.GRAPH_PII,
        member=None,
        filters=True,
    )
    quarantined: Quarantine | None = one(
        golden_resolvers.quarantine_of,
        "Since when and why nothing merges into it by itself; null where that is not so, as for nearly all.",
        member=None,
        filters=True,
    )
    first_seen_at: datetime = scalar("first_seen_at", "First heard of.", member=None, filters=True, orders=True)
    last_seen_at: datetime = scalar("last_seen_at", "Last heard of.", member=None, filters=True, orders=True)
    identifiers: Connection[Identifier] = page(
        resolvers.identifiers,
        "Values that point at this customer.",
        scope=Scope.GRAPH_PII,
        member=None,
        inputs={"namespace": (str | None, strawberry.UNSET, "Only of this namespace.")},
        filters=True,
    )
    profiles: Connection[Profile] = page(
        resolvers.profiles,
        "What each source says.",
        scope=Scope.GRAPH_PII,
        member=None,
        filters=True,
    )
    accounts: Connection[LazyAccount] = page(resolvers.accounts, "Commercial accounts held, by number.", filters=True)
    orders: Connection[LazyOrder] = page(resolvers.orders, "Orders of all accounts held, latest first.", filters=True)
    interactions: Connection[Interaction] = page(
        resolvers.interactions,
        "Contacts through every channel, latest first.",
        scope=Scope.GRAPH_PII,
        member=None,
        filters=True,
    )
    orders_summary: Annotated["OrderSummary", strawberry.lazy("cdp.schema.order")] = one(
        summary(resolvers.orders, "Order", time="placed_at"), "Its orders summed up.", filter_of="Order"
    )
    interactions_summary: Annotated["InteractionSummary", strawberry.lazy("cdp.schema.customer")] = one(
        summary(resolvers.interactions, "Interaction", time="occurred_at"),
        "Its contacts summed up.",
        scope=Scope.GRAPH_PII,
        member=None,
        filter_of="Interaction",
    )
    contacts: Connection[Annotated["Affiliation", strawberry.lazy("cdp.schema.customer")]] = page(
        resolvers.contacts,
        "People of this organisation.",
        member=None,
        filters=True,
    )
    organisations: Connection[Annotated["Affiliation", strawberry.lazy("cdp.schema.customer")]] = page(
        resolvers.organisations,
        "Organisations this person belongs to.",
        member=None,
        filters=True,
    )
    merges: Connection[Annotated["Merge", strawberry.lazy("cdp.schema.merge")]] = page(
        merge_resolvers.of_customer,
        "How it came to be one: the merges and partings on record that name it by any id it ever had, latest first.",
        member=None,
    )
    identity_history: Connection[Annotated["IdentityEvent", strawberry.lazy("cdp.schema.history")]] = page(
        history_resolvers.of_customer,
        "All that ever changed what it consists of: merges and partings, identifiers linked, unlinked, blocked or moved,"
        " quarantines; under any id it ever had, latest first.",
        member=None,
    )


@graph.type(scope=Scope.GRAPH_READ, key=("customer_id", "person_customer_id"), order=(by("since_at"),))
class Affiliation:
    """A person's place in an organisation. Default order: earliest first."""

    role: str | None = scalar("role", "Position or role, as told.", filters=True)
    since_at: datetime = scalar("since_at", "First told.")
    person: Customer = one(resolvers.affiliated_person, "The person.", filters=True)
    organisation: Customer = one(resolvers.affiliated_organisation, "The organisation.", filters=True)


@strawberry.enum(description="What contacts are grouped by in a summary.")
class InteractionGroupBy(enum.Enum):
    """Groups of interactions."""

    MONTH = strawberry.enum_value("month", description="Month, in UTC, e.g. 2026-03.")
    CHANNEL = strawberry.enum_value("channel", description="Channel.")
    KIND = strawberry.enum_value("kind", description="page, call, visit, …")
    TOPIC = strawberry.enum_value("topic", description="What they were about.")


@graph.type(scope=Scope.GRAPH_PII, key=("key",))
class InteractionGroup:
    """Contacts of one group."""

    key: str | None = scalar("key", "The month, channel, kind or topic; null for contacts without one.")
    count: int = scalar("count", "How many.")
    first: datetime | None = scalar("first", "Earliest.")
    last: datetime | None = scalar("last", "Latest.")


@graph.type(scope=Scope.GRAPH_PII)
class InteractionSummary:
    """How many contacts, since when: in all, and by group."""

    count: int = scalar("count", "How many.")
    first: datetime | None = scalar("first", "Earliest; null when there is none.")
    last: datetime | None = scalar("last", "Latest; null when there is none.")
    groups: list[InteractionGroup] = many(
        groups(INTERACTION_GROUPS),
        "The same by group, by key; groups without a contact are left out.",
        inputs={"by": (InteractionGroupBy, strawberry.UNSET, "What to group by.")},
        most=100,
    )
