"""Cases in the contract: what a client asks of us, the thread, and the files in it."""

import enum
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from cdp.access.viewer import Scope
from cdp.graph.declaration import by, many, one, page, scalar
from cdp.interact.tables import case_file, case_message, customer_case
from cdp.resolvers import case as resolvers
from cdp.resolvers import order as order_resolvers
from cdp.schema.base import Connection, Node, graph, node_id

if TYPE_CHECKING:
    from cdp.schema.account import Account, LedgerEntry, Staff
    from cdp.schema.order import Order


@strawberry.enum(description="What a case is.")
class CaseKind(enum.Enum):
    """Kinds."""

    QUESTION = strawberry.enum_value("question", description="A question.")
    INVOICE_QUERY = strawberry.enum_value("invoice_query", description="About an invoice or the statement.")
    COMPLAINT = strawberry.enum_value("complaint", description="Something went wrong.")
    RETURN = strawberry.enum_value("return", description="Goods are to come back.")
    REORDER = strawberry.enum_value("reorder", description="The same again, please.")
    DETAILS = strawberry.enum_value("details", description="Addresses, contacts or bank details change.")


@strawberry.enum(description="Where a case stands.")
class CaseStatus(enum.Enum):
    """Statuses."""

    OPEN = strawberry.enum_value("open", description="It waits for an answer of ours.")
    ANSWERED = strawberry.enum_value("answered", description="We answered last.")
    CLOSED = strawberry.enum_value("closed", description="It is over, until somebody writes again.")


@strawberry.enum(description="What an item of a case's thread is.")
class CaseEvent(enum.Enum):
    """Items."""

    MESSAGE = strawberry.enum_value("message", description="Somebody wrote.")
    CLOSED = strawberry.enum_value("closed", description="Somebody closed the case.")
    ASSIGNED = strawberry.enum_value("assigned", description="It was handed to somebody, whose name is the text.")


@strawberry.enum(description="On whose side somebody writes.")
class CaseAuthor(enum.Enum):
    """Sides."""

    MEMBER = strawberry.enum_value("member", description="The client's.")
    STAFF = strawberry.enum_value("staff", description="Ours.")
    SYSTEM = strawberry.enum_value("system", description="Neither: it happened by itself.")


@graph.type(
    scope=Scope.GRAPH_PII,
    member=Scope.GRAPH_READ,
    table=case_file,
    key=("file_id",),
    order=(by("name"),),
    prefix="cfi",
    visible=resolvers.visible_with_case,
)
class CaseFile(Node):
    """A file that came with a message. It was checked to be what its media type says."""

    id: strawberry.ID = node_id("cfi", "file_id")
    name: str = scalar("name", "Its name, harmless in any file system.")
    media_type: str = scalar("media_type", "What its content was found to be.")
    size: int = scalar("size_bytes", "Bytes.")
    sha256: str = scalar(resolvers.fingerprint, "SHA-256, hexadecimal.")
    content: str = scalar(resolvers.content, "The file itself, in Base64.")


@graph.type(
    scope=Scope.GRAPH_PII,
    member=Scope.GRAPH_READ,
    table=case_message,
    key=("message_id",),
    order=(by("written_at"),),
    visible=resolvers.visible_with_case,
)
class CaseMessage:
    """An item of a case's thread. Default order: first written first."""

    event: CaseEvent = scalar("event", "What it is.", filters=True)
    author: CaseAuthor = scalar("author", "On whose side its author writes.", filters=True)
    author_name: str = scalar("author_name", "The author's name; empty for a tool that acts for nobody.")
    author_id: str = scalar("author_id", "member:…, client:… or a staff person's subject.", member=None)
    text: str = scalar("body", "What was written; empty for a closing.")
    satisfied: bool | None = scalar("satisfied", "Of a closing: whether the client was satisfied, if they said.")
    written_at: datetime = scalar("written_at", "When.", filters=True)
    files: list[CaseFile] = many(resolvers.files, "Its files.", most=5)


@graph.type(
    scope=Scope.GRAPH_PII,
    member=Scope.GRAPH_READ,
    table=customer_case,
    key=("case_id",),
    order=(by("last_message_at", descending=True),),
    prefix="cas",
    visible=resolvers.visible,
)
class Case(Node):
    """Something a client asks of us, until it is closed. Members see them by role: a client admin all of the account, finance
    those about the ledger and their own, a buyer their own, a viewer none. Default order: latest written in first.
    """

    id: strawberry.ID = node_id("cas", "case_id")
    number: int = scalar("number", "Counts the account's cases from 1.", filters=True)
    kind: CaseKind = scalar("kind", "What it is.", filters=True)
    status: CaseStatus = scalar("status", "Where it stands.", filters=True)
    subject: str = scalar("subject", "What it is about, in a line.", filters=True)
    is_dispute: bool = scalar(
        "is_dispute",
        "Whether it contests its entry, which is marked as disputed until the case is closed.",
        filters=True,
    )
    opened_by_name: str = scalar("opened_by_name", "Who opened it.")
    opened_at: datetime = scalar("opened_at", "When it was opened.", filters=True, orders=True)
    respond_by: datetime | None = scalar(
        "respond_by",
        "By when the answer that it waited for last is promised.",
        filters=True,
        orders=True,
        nullable=True,
    )
    late: bool = scalar(resolvers.late, "Whether it waits for longer than was promised.", filters=True)
    first_answered_at: datetime | None = scalar("first_answered_at", "When we first answered.", filters=True)
    last_message_at: datetime = scalar(
        "last_message_at", "When something last happened in it.", filters=True, orders=True
    )
    closed_at: datetime | None = scalar("closed_at", "When it was closed; null while it isn't.", filters=True)
    satisfied: bool | None = scalar("satisfied", "Whether the client was satisfied when they closed it.", filters=True)
    assigned_to: Annotated["Staff", strawberry.lazy("cdp.schema.account")] | None = one(
        resolvers.assigned, "Who looks after it; to members, where that is their account manager."
    )
    entry: Annotated["LedgerEntry", strawberry.lazy("cdp.schema.account")] | None = one(
        resolvers.entry, "The invoice or other entry it is about.", scope=Scope.LEDGER_READ, member=Scope.LEDGER_READ
    )
    order: Annotated["Order", strawberry.lazy("cdp.schema.order")] | None = one(
        resolvers.order, "The order it is about."
    )
    messages: Connection[CaseMessage] = page(resolvers.messages, "Its thread, first written first.", filters=True)
    account: Annotated["Account", strawberry.lazy("cdp.schema.account")] = one(
        order_resolvers.account_of, "The account."
    )
