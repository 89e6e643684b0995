"""The roots of reading: customers, accounts and orders by id, number or filter; who somebody is; who is asking."""

from typing import Annotated

import strawberry

from cdp.access.viewer import Member, Scope, Tool
from cdp.graph.declaration import by_node_id, mixed, one, page
from cdp.graph.summary import summary
from cdp.resolvers import account as account_resolvers
from cdp.resolvers import case as case_resolvers
from cdp.resolvers import customer as customer_resolvers
from cdp.resolvers import failed as failed_resolvers
from cdp.resolvers import order as order_resolvers
from cdp.resolvers import preference as preference_resolvers
from cdp.resolvers import review as review_resolvers
from cdp.resolvers import search as search_resolvers
from cdp.resolvers import webhook as webhook_resolvers
from cdp.schema.account import Account
from cdp.schema.administration import AdministrationQuery
from cdp.schema.audit import AuditQuery
from cdp.schema.base import Connection, Node, graph
from cdp.schema.case import Case
from cdp.schema.customer import Customer
from cdp.schema.failed import FailedMessage
from cdp.schema.history import LinkPath, read_identifier, why_linked
from cdp.schema.order import Order, OrderSummary
from cdp.schema.preference import Preferences
from cdp.schema.review import Review
from cdp.schema.webhook import WebhookDelivery, WebhookEndpoint

ID = (strawberry.ID, strawberry.UNSET, "The id.")
OPTIONAL_ID = (strawberry.ID | None, strawberry.UNSET, "By id.")
NUMBER = (str | None, strawberry.UNSET, "By number, where no id is given.")


@strawberry.input(description="A value that points at somebody.")
class IdentifierInput:
    """Namespace and value."""

    namespace: str = strawberry.field(
        description="email, phone, user_id, anonymous_id, vat, account_number, or a source's own."
    )
    value: str = strawberry.field(description="The value, in any spelling; it is brought to its normal form.")


SearchResult = Annotated[
    Customer | Account | Order, strawberry.union("SearchResult", description="Something found by words.")
]


@strawberry.type(description="Who is asking, and what they may do.")
class Viewer:
    """The viewer."""

    kind: str = strawberry.field(description="tool, member or anonymous.")
    scopes: list[str] = strawberry.field(description="Scopes granted, sorted.")
    client_id: str | None = strawberry.field(description="The OAuth client of a tool.")
    acting_for: str | None = strawberry.field(description="The staff person a tool acts for.")
    role: str | None = strawberry.field(description="A member's role in the account.")
    sites: list[str] | None = strawberry.field(description="Sites whose orders a member sees; null: of every one.")
    account: Account | None = one(
        account_resolvers.of_member,
        "The account a member is signed in to.",
        scope=Scope.ADMIN,
        member=Scope.GRAPH_READ,
    )
    preferences: Preferences | None = one(
        preference_resolvers.of_member,
        "What a member wants to be told, how and how often.",
        scope=Scope.ADMIN,
        member=Scope.GRAPH_READ,
    )


def _viewer(info: strawberry.Info) -> Viewer:
    viewer = info.context.viewer
    made = Viewer.__new__(Viewer)
    made.kind = type(viewer).__name__.lower()
    made.scopes = sorted(viewer.scopes)
    made.client_id = viewer.client_id if isinstance(viewer, Tool) else None
    made.acting_for = viewer.acting_for if isinstance(viewer, Tool) else None
    made.role = viewer.role.value if isinstance(viewer, Member) else None
    made.sites = list(viewer.sites) if isinstance(viewer, Member) and viewer.sites is not None else None
    return made


async def _why_linked(
    info: strawberry.Info,
    a: Annotated[IdentifierInput, strawberry.argument(description="One identifier, in any spelling.")],
    b: Annotated[IdentifierInput, strawberry.argument(description="The other.")],
) -> LinkPath | None:
    one_of, other = (read_identifier(each.namespace, each.value) for each in (a, b))
    return await why_linked(info, one_of, other)


@strawberry.type(description="Every question that can be asked. Each field costs one statement, whatever its depth.")
class Query(AdministrationQuery, AuditQuery):
    """The query root."""

    viewer: Viewer = strawberry.field(resolver=_viewer, description="Who is asking.")
    node: Node | None = one(
        by_node_id,
        "Anything by its id; null when there is no such thing or it is not yours to see.",
        scope=Scope.GRAPH_READ,
        member=Scope.GRAPH_READ,
        inputs={"id": ID},
    )
    nodes: list[Node | None] = mixed(
        search_resolvers.nodes_of(graph),
        "Several by their ids, at most 100, in the order given; null where there is none.",
        scope=Scope.GRAPH_PII,
        member=None,
        inputs={"ids": (list[strawberry.ID], strawberry.UNSET, "The ids.")},
        most=100,
        by_place=True,
    )
    search: list[SearchResult] = mixed(
        search_resolvers.found_by_words,
        "Customers by name or identifier, accounts by name or number, orders by number or reference: the best 20, best first."
        " Three letters or digits in a row are found anywhere in names, identifiers and numbers of accounts, fewer where a"
        " word begins, and orders by how their numbers begin.",
        scope=Scope.GRAPH_PII,
        member=None,
        inputs={"text": (str, strawberry.UNSET, "2 to 100 characters.")},
        most=20,
    )
    customer: Customer | None = one(
        customer_resolvers.by_id,
        "A customer by id; an id that was merged away leads to the customer it became part of.",
        scope=Scope.GRAPH_READ,
        member=Scope.GRAPH_READ,
        inputs={"id": ID},
    )
    customers: Connection[Customer] = page(
        customer_resolvers.everyone, "Customers, last seen first.", scope=Scope.GRAPH_READ, member=None
    )
    recognise: Customer | None = one(
        customer_resolvers.recognised,
        "Who is this, now? The customer that one of the identifiers points at; the strongest namespace speaks first. What was"
        " acknowledged about a user id, an anonymous id or an e-mail address and isn't stitched yet is stitched first.",
        scope=Scope.GRAPH_PII,
        member=None,
        inputs={"identifiers": (list[IdentifierInput], strawberry.UNSET, "What is known of the visitor or caller.")},
        before=customer_resolvers.caught_up,
    )
    why_linked: LinkPath | None = strawberry.field(
        resolver=_why_linked,
        description="Why two identifiers are one customer's: the fewest claims and decisions that lead from one to the other;"
        " null when they aren't. Needs the scope graph:pii.",
    )
    reviews: Connection[Review] = page(
        review_resolvers.everything,
        "What identity leaves for people to decide, and what they decided, longest waiting first: shared values, customers in"
        " quarantine, merges that a limit refused, and customers that look alike.",
        scope=Scope.GRAPH_READ,
        member=None,
    )
    account: Account | None = one(
        account_resolvers.by_id,
        "An account by id or number.",
        scope=Scope.GRAPH_READ,
        member=Scope.GRAPH_READ,
        inputs={"id": OPTIONAL_ID, "number": NUMBER},
    )
    accounts: Connection[Account] = page(
        account_resolvers.everyone, "Accounts, by number.", scope=Scope.GRAPH_READ, member=Scope.GRAPH_READ
    )
    order: Order | None = one(
        order_resolvers.by_id,
        "An order by id or number; of a number that two sources use, the latest placed.",
        scope=Scope.GRAPH_READ,
        member=Scope.GRAPH_READ,
        inputs={"id": OPTIONAL_ID, "number": NUMBER},
    )
    orders_summary: OrderSummary = one(
        summary(order_resolvers.everyone, "Order", time="placed_at"),
        "All orders summed up.",
        scope=Scope.GRAPH_READ,
        member=Scope.GRAPH_READ,
        filter_of="Order",
    )
    orders: Connection[Order] = page(
        order_resolvers.everyone, "Orders, latest placed first.", scope=Scope.GRAPH_READ, member=Scope.GRAPH_READ
    )
    cases: Connection[Case] = page(
        case_resolvers.everything,
        "What clients ask of us, latest written in first; `filter: {status: {eq: OPEN}}` is what waits for an answer.",
        scope=Scope.GRAPH_PII,
        member=Scope.GRAPH_READ,
    )
    failed_messages: Connection[FailedMessage] = page(
        failed_resolvers.everyone,
        "Messages that were acknowledged and could not be applied, latest failed first; `failedMessageReplay` tells them again.",
        scope=Scope.ADMIN,
        member=None,
    )
    webhook_endpoint: WebhookEndpoint | None = one(
        webhook_resolvers.endpoint_by_id,
        "An address that changes are sent to, by id.",
        scope=Scope.FEED_READ,
        member=None,
        inputs={"id": ID},
    )
    webhook_endpoints: Connection[WebhookEndpoint] = page(
        webhook_resolvers.endpoints,
        "Addresses that changes are sent to, oldest first.",
        scope=Scope.FEED_READ,
        member=None,
    )
    webhook_delivery: WebhookDelivery | None = one(
        webhook_resolvers.delivery_by_id,
        "A change on its way to an address, by id, which is the header webhook-id.",
        scope=Scope.FEED_READ,
        member=None,
        inputs={"id": ID},
    )
