"""Issuing statements (rule 12): what stands on a statement is kept as canonical JSON under a number, and never changes again,
whatever is posted later. Its files are kept as first downloaded.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import orjson
from psycopg import Connection

from cdp.db.ids import time_ordered_id
from cdp.db.locks import hold_customers_shared
from cdp.db.statements import load_statements

FORMATS: Final = ("pdf", "csv", "xlsx")
MOST_ENTRIES: Final = 10_000
"""Lines and items an issued statement may have."""
_SQL: Final = load_statements("cdp.ledger", "issuing.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementDraft:
    """A statement about to be issued. `document`: all that stands on it; `posted_count`: entries up to `to_on` by then;
    `language`: an ISO 639-1 code, that its files will be in.
    """

    account_id: UUID
    kind: str
    currency: str
    from_on: date | None
    to_on: date
    opening: Decimal
    closing: Decimal
    total_debit: Decimal
    total_credit: Decimal
    posted_count: int
    document: Mapping[str, Any]
    issued_by: str
    issued_at: datetime
    language: str = "en"


def take_turn(connection: Connection[Any], account_id: UUID) -> None:
    """Until the transaction ends, nobody else issues statements of the account, and no customer is redrawn. First of all."""
    hold_customers_shared(connection)
    connection.execute(_SQL["take_turn"], {"account_id": account_id})


def issue(connection: Connection[Any], draft: StatementDraft) -> UUID | None:
    """Keep a statement under the account's next number; its id. None when there is no such account, or it isn't the viewer's.

    Call `take_turn` before.
    """
    document = canonical(draft.document)
    given = {
        "statement_id": time_ordered_id(),
        "account_id": draft.account_id,
        "kind": draft.kind,
        "currency": draft.currency,
        "from_on": draft.from_on,
        "to_on": draft.to_on,
        "opening": draft.opening,
        "closing": draft.closing,
        "total_debit": draft.total_debit,
        "total_credit": draft.total_credit,
        "posted_count": draft.posted_count,
        "document": document.decode(),
        "sha256": hashlib.sha256(document).digest(),
        "issued_by": draft.issued_by,
        "issued_at": draft.issued_at,
        "language": draft.language,
    }
    row = connection.execute(_SQL["issue"], given).fetchone()
    return None if row is None else row[0]


def keep_file(connection: Connection[Any], *, account_id: UUID, statement_id: UUID, kind: str, content: bytes) -> bool:
    """Keep a file of an issued statement, unless one of that kind is kept already. False when there is no such statement."""
    hold_customers_shared(connection)
    given = {
        "account_id": account_id,
        "statement_id": statement_id,
        "format": kind,
        "content": content,
        "sha256": hashlib.sha256(content).digest(),
    }
    row = connection.execute(_SQL["keep_file"], given).fetchone()
    return row is not None


def canonical(document: Mapping[str, Any]) -> bytes:
    """Canonical JSON: UTF-8, names sorted, no space between. Amounts are strings, so that no number is ever rounded."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
