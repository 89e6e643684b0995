"""The audit record in the contract: for administrators all of it, for client admins what concerns their account."""

import enum
from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from cdp.access.tables import audit_record
from cdp.access.viewer import Scope
from cdp.graph.declaration import by, one, page, scalar
from cdp.resolvers import administration as resolvers
from cdp.schema.base import Connection, Node, graph, node_id


@strawberry.enum(description="How something that is on record went.")
class AuditOutcome(enum.Enum):
    """Outcomes."""

    DONE = strawberry.enum_value("done", description="It was done.")
    REFUSED = strawberry.enum_value("refused", description="It was refused.")


@graph.type(scope=Scope.ADMIN, member=Scope.GRAPH_READ)
class AuditPerson:
    """A person who is on record."""

    name: str = scalar("name", "Name, as it is by now.")


@graph.type(
    scope=Scope.ADMIN,
    member=Scope.GRAPH_READ,
    table=audit_record,
    key=("audit_id",),
    order=(by("recorded_at", descending=True),),
    prefix="aud",
    visible=resolvers.is_own_record,
)
class AuditRecord(Node):
    """One thing that somebody did or was refused; none is ever changed. Default order: latest first.

    A refusal is on record once a minute; `details.unrecorded` counts those like it since the last.
    """

    id: strawberry.ID = node_id("aud", "audit_id")
    at: datetime = scalar("recorded_at", "When.", filters=True, orders=True)
    event: str = scalar(
        "event", "What: sign_in, read, change, export, import, view_as, member_role_changed, …", filters=True
    )
    outcome: AuditOutcome = scalar("outcome", "Done or refused.", filters=True)
    reason: str | None = scalar("reason", "Why it was refused, a code.", filters=True)
    actor: str = scalar(
        "actor", "Who: a person's subject at the issuer, an OAuth client, command line or unknown.", filters=True
    )
    person: AuditPerson | None = one(resolvers.person, "Who that is; null for tools, and people who aren't known.")
    client_id: str | None = scalar("client_id", "The OAuth client through which they acted.", filters=True)
    account_id: strawberry.ID | None = scalar(resolvers.account_id, "The account it concerns.", filters=True)
    target: str | None = scalar("target", "What it was done to: an id, an OAuth client, a kind of file.", filters=True)
    details: JSON = scalar("details", "More about it: what was before and after, or what was asked. No personal data.")


@strawberry.type
class AuditQuery:
    """The root of the record; the query root has it."""

    audit_log: Connection[AuditRecord] = page(
        resolvers.records,
        "What was done and refused, latest first: for administrators all, for client admins of their account, for other members"
        " nothing.",
        scope=Scope.ADMIN,
        member=Scope.GRAPH_READ,
    )
