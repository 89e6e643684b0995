"""Failed messages in the contract: acknowledged, and not applied; which, at which stage, and why."""

from datetime import datetime

from strawberry.scalars import JSON

from cdp.access.viewer import Scope
from cdp.events.tables import failed_message
from cdp.graph.declaration import by, one, scalar
from cdp.resolvers import customer as customer_resolvers
from cdp.resolvers import failed as resolvers
from cdp.schema.base import graph
from cdp.schema.customer import Source


@graph.type(
    scope=Scope.ADMIN,
    table=failed_message,
    key=("source_id", "message_id"),
    order=(by("failed_at", descending=True),),
)
class FailedMessage:
    """A message that was acknowledged and could not be applied; it waits to be replayed. Default order: latest failed first."""

    message_id: str = scalar("message_id", "The message's id, unique within its source.", filters=True)
    stage: str = scalar(
        "stage",
        "decode: it can't be read, or is about nobody; identify: it could not be stored; project: its order can't be understood,"
        " the rest of it has landed.",
        filters=True,
    )
    code: str = scalar("code", "Stable, for programs, e.g. currency_missing.", filters=True)
    error: str = scalar("error", "The error by kind; it quotes nothing of the message.")
    attempts: int = scalar("attempts", "How often it was tried.", filters=True, orders=True)
    failed_at: datetime = scalar("failed_at", "When it failed last.", filters=True, orders=True)
    received_at: datetime = scalar(resolvers.received_at, "When it was acknowledged.")
    body: JSON = scalar(resolvers.body, "The message as it was sent.", scope=Scope.GRAPH_PII)
    source: Source = one(customer_resolvers.source_of, "The source that sent it.", filters=True)
