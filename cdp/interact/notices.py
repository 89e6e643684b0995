"""Notices: what members and staff are told of by mail, found set-wise and kept once for each who is to be told.

Shipments are found by the change feed, messages in cases as they are written, invoices by their due date. When one goes, if at
all, follows from what its reader chose (`preferences`); what they don't want is kept as withheld, so that it comes up once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import Connection

from cdp.db.locks import hold_customers_shared
from cdp.db.rows import as_rows
from cdp.db.statements import load_statements
from cdp.interact.preferences import letter_choices

DUE_WITHIN_DAYS: Final = 3
SHIPPED_WITHIN_DAYS: Final = 3
"""What left longer ago is history that somebody imports, and no news."""
PAGE: Final = 500
STATEMENTS: Final = load_statements("cdp.interact", "notices.sql")
TOPICS: Final = {
    "invoice_due": "invoices",
    "order_shipped": "orders",
    "case_answered": "cases",
    "case_waiting": "cases",
}
ROLES: Final = {
    "invoice_due": ("client_admin", "finance"),
    "order_shipped": ("client_admin", "buyer", "viewer"),
    "case_answered": ("client_admin", "finance", "buyer"),
}
"""Which members of an account are told of what."""


class Told(NamedTuple):
    """Somebody is to be told of something. `recipient`: member or staff."""

    customer_id: UUID
    account_id: UUID
    kind: str
    subject_id: UUID
    recipient: str
    recipient_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A notice that this worker sends."""

    notice_id: UUID
    account_id: UUID
    kind: str
    topic: str
    subject_id: UUID
    recipient: str
    recipient_id: UUID
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a notice. `send_at`: when it is tried again, where it still waits."""

    notice_id: UUID
    state: str
    problem: str | None = None
    send_at: datetime | None = None


def plan(connection: Connection[Any], *, now: datetime, today: date) -> bool:
    """Find what is to be told, in one transaction. Whether there may be more at once. `today`: the seller's date."""
    with connection.transaction():
        hold_customers_shared(connection)
        connection.execute(STATEMENTS["begin"])
        place = connection.execute(STATEMENTS["take_turn"]).fetchone()
        if place is None:  # another worker is at it
            return False
        given = {
            "transaction_id": place[0],
            "seq": place[1],
            "most": PAGE,
            "roles": list(ROLES["order_shipped"]),
            "since": now - timedelta(days=SHIPPED_WITHIN_DAYS),
        }
        rows = connection.execute(STATEMENTS["shipped"], given).fetchall()
        found = [
            Told(customer_id, account_id, "order_shipped", shipment_id, "member", member_id)
            for _transaction, _seq, _count, customer_id, account_id, shipment_id, member_id in rows
            if customer_id is not None
        ]
        if rows:
            connection.execute(STATEMENTS["move_on"], {"transaction_id": rows[0][0], "seq": rows[0][1]})
        written = connection.execute(STATEMENTS["written"], {"now": now, "most": PAGE, "today": today}).fetchall()
        _make(connection, [*found, *(Told(*row) for row in written)], now=now)
        return bool(rows and rows[0][2] == PAGE) or len(written) >= PAGE


def plan_due(connection: Connection[Any], *, now: datetime, today: date) -> None:
    """Find invoices that fall due within days, by the seller's date, in one transaction."""
    with connection.transaction():
        hold_customers_shared(connection)
        given = {
            "today": today,
            "until": today + timedelta(days=DUE_WITHIN_DAYS),
            "roles": list(ROLES["invoice_due"]),
        }
        rows = connection.execute(STATEMENTS["due"], given).fetchall()
        _make(
            connection,
            [
                Told(customer_id, account_id, "invoice_due", entry_id, "member", member_id)
                for customer_id, account_id, entry_id, member_id in rows
            ],
            now=now,
        )


def claim(connection: Connection[Any], *, now: datetime, lease: timedelta, most: int) -> list[Claimed]:
    """Notices that are due, for this worker until the lease is over."""
    with connection.transaction():
        hold_customers_shared(connection)
        rows = connection.execute(STATEMENTS["claim"], {"now": now, "lease": lease, "most": most}).fetchall()
    return [Claimed(**dict(zip(Claimed.__slots__, row, strict=True))) for row in rows]


def settle(connection: Connection[Any], outcomes: Iterable[Outcome], *, now: datetime) -> None:
    """Put on record what came of them."""
    rows = [
        {"notice_id": one.notice_id, "state": one.state, "problem": one.problem, "send_at": one.send_at}
        for one in outcomes
    ]
    if rows:
        with connection.transaction():
            hold_customers_shared(connection)
            connection.execute(STATEMENTS["settle"], {"outcomes": as_rows(rows), "now": now})


def _make(connection: Connection[Any], found: Sequence[Told], *, now: datetime) -> None:
    if not found:
        return
    choices = letter_choices(
        connection, {(one.recipient_id, TOPICS[one.kind]) for one in found if one.recipient == "member"}
    )
    rows = []
    for one in found:
        topic = TOPICS[one.kind]
        choice = choices.get((one.recipient_id, topic))
        send_at = now if one.recipient == "staff" else choice.send_at(now) if choice else None
        rows.append({**one._asdict(), "topic": topic, "send_at": send_at})
    connection.execute(STATEMENTS["make"], {"notices": as_rows(rows), "now": now})
