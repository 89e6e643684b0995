"""Cases: whose they are, which of them a member's role sees, what they are about, and their threads."""

from typing import Any

from sqlalchemy import ColumnElement, Uuid, and_, func, or_, select

from cdp.access.tables import staff
from cdp.graph.compiler import Arguments, MemberParameters
from cdp.graph.declaration import Row, Rows
from cdp.graph.sites import viewer_sites
from cdp.interact.tables import case_file, case_message, customer_case
from cdp.ledger.tables import ledger_entry, sales_order
from cdp.resolvers.account import order_is_visible


def visible(row: Row, me: MemberParameters) -> ColumnElement[bool]:
    """A client admin sees all cases of the account; finance those about the ledger, and their own; a buyer their own; of these,
    whoever is limited to sites those about no document, or an order that they see.
    """
    return and_(
        row.c.account_id == me.account_id,
        or_(
            viewer_sites().is_(None),
            and_(row.c.entry_id.is_(None), or_(row.c.order_id.is_(None), order_is_visible(row, me))),
        ),
        or_(
            me.role == "client_admin",
            and_(me.role.in_(("finance", "buyer")), row.c.member_id == me.member_id),
            and_(me.role == "finance", or_(row.c.kind == "invoice_query", row.c.entry_id.is_not(None))),
        ),
    )


def visible_with_case(row: Row, me: MemberParameters) -> ColumnElement[bool]:
    """What a case holds is seen by those who see the case."""
    held = customer_case.alias()
    return and_(
        row.c.account_id == me.account_id,
        select(held.c.case_id)
        .where(held.c.customer_id == row.c.customer_id, held.c.case_id == row.c.case_id, visible(held, me))
        .exists(),
    )


def everything(_row: Row, _arguments: Arguments) -> Rows:
    """All cases."""
    return Rows(customer_case.alias())


def of_account(row: Row, _arguments: Arguments) -> Rows:
    """Cases of an account."""
    found = customer_case.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id, found.c.account_id == row.c.account_id))


def changed(_row: Row | None, arguments: Arguments) -> Rows:
    """The case of a payload."""
    found = customer_case.alias()
    return Rows(found, (found.c.case_id == arguments.of_source("case_id", Uuid()),))


def messages(row: Row, _arguments: Arguments) -> Rows:
    """What was written in a case, and what happened."""
    found = case_message.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id, found.c.case_id == row.c.case_id))


def files(row: Row, _arguments: Arguments) -> Rows:
    """Files of a message."""
    found = case_file.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id, found.c.message_id == row.c.message_id))


def entry(row: Row, _arguments: Arguments) -> Rows:
    """The entry that a case is about."""
    found = ledger_entry.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id, found.c.entry_id == row.c.entry_id))


def order(row: Row, _arguments: Arguments) -> Rows:
    """The order that a case is about."""
    found = sales_order.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id, found.c.order_id == row.c.order_id))


def assigned(row: Row, _arguments: Arguments) -> Rows:
    """Who looks after a case."""
    found = staff.alias()
    return Rows(found, (found.c.staff_id == row.c.assigned_staff_id,))


def late(row: Row) -> ColumnElement[Any]:
    """Whether an answer of ours is past what was promised."""
    return and_(row.c.status == "open", func.coalesce(row.c.respond_by < func.now(), False))


def content(row: Row) -> ColumnElement[str]:
    """A file's bytes in Base64, without line breaks."""
    return func.translate(func.encode(row.c.content, "base64"), "\n", "")


def fingerprint(row: Row) -> ColumnElement[str]:
    """A SHA-256 as 64 hexadecimal digits."""
    return func.encode(row.c.sha256, "hex")
