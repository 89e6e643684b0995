"""Issued statements in the contract: snapshots under a number, which nothing posted later changes."""

import enum
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from cdp.graph.declaration import by, many, one, scalar
from cdp.ledger.tables import issued_statement, issued_statement_file
from cdp.resolvers import account as account_resolvers
from cdp.resolvers import issued as resolvers
from cdp.resolvers import order as order_resolvers
from cdp.schema.base import Currency, Money, Node, graph, node_id
from cdp.schema.statement import LEDGER, StatementKind

if TYPE_CHECKING:
    from cdp.schema.account import Account


@strawberry.enum(description="Kinds of files of a statement.")
class StatementFormat(enum.Enum):
    """Formats."""

    PDF = strawberry.enum_value("pdf", description="Tagged PDF (PDF/UA-1).")
    CSV = strawberry.enum_value("csv", description="Comma-separated values (RFC 4180), UTF-8.")
    XLSX = strawberry.enum_value("xlsx", description="A workbook.")


@graph.type(
    scope=LEDGER,
    member=LEDGER,
    table=issued_statement_file,
    key=("format",),
    order=(by("format"),),
    visible=account_resolvers.visible,
)
class IssuedStatementFile:
    """A file of an issued statement as it was first downloaded; every later download is the same bytes."""

    format: StatementFormat = scalar("format", "Which kind.")
    sha256: str = scalar(resolvers.fingerprint, "SHA-256 of the file, hexadecimal.")
    size: int = scalar(resolvers.size, "Bytes.")
    content: str = scalar(resolvers.content, "The file itself, in Base64.")
    kept_at: datetime = scalar("kept_at", "When it was first downloaded.")


@graph.type(
    scope=LEDGER,
    member=LEDGER,
    table=issued_statement,
    key=("statement_id",),
    order=(by("issued_at", descending=True),),
    prefix="sta",
    visible=account_resolvers.visible,
)
class IssuedStatement(Node):
    """A statement of account as it stood when it was issued. Default order: latest issued first."""

    id: strawberry.ID = node_id("sta", "statement_id")
    number: str = scalar("number", "The account's number and a sequence number.", filters=True)
    kind: StatementKind = scalar("kind", "Which kind.", filters=True)
    currency: Currency = scalar("currency", "Currency of every amount.", filters=True)
    from_: date | None = scalar("from_on", "First day; null on an open-item statement.", name="from")
    to: date = scalar("to_on", "Last day, also the date open items are as at.", filters=True)
    opening: Money = one(resolvers.amount("opening"), "Balance at the end of the day before the first.")
    closing: Money = one(resolvers.amount("closing"), "Balance at the end of the last day.")
    total_debit: Money = one(resolvers.amount("total_debit"), "Sum of the period's debits, positive.")
    total_credit: Money = one(resolvers.amount("total_credit"), "Sum of the period's credits, positive.")
    issued_at: datetime = scalar("issued_at", "When it was issued.", filters=True, orders=True)
    language: str = scalar("language", "The language that its files are in, whoever reads them: an ISO 639-1 code.")
    issued_by: str = scalar("issued_by", "Who issued it: member:…, client:… or a staff person's subject.", member=None)
    posted_since: int = scalar(
        resolvers.posted_since, "Entries posted up to its last day since it was issued; it does not show them."
    )
    document: str = scalar(
        "document", "All that stands on it, as canonical JSON: the account and its statement, named as here."
    )
    sha256: str = scalar(resolvers.fingerprint, "SHA-256 of the document, hexadecimal.")
    files: list[IssuedStatementFile] = many(resolvers.files, "Its files that were downloaded before.", most=3)
    account: Annotated["Account", strawberry.lazy("cdp.schema.account")] = one(
        order_resolvers.account_of, "The account."
    )
