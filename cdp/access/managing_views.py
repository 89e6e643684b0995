"""Starting to see the extranet as a client sees it: for staff, through a tool that acts for them. Synchronous, as `cdp_app`.

What is answered is a link that opens once within five minutes; the view then lasts half an hour, reads alone, and stands on
record with its reason, for the client to read (migration 0025).
"""

from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from cdp.access.sealing import digest, new_secret
from cdp.access.viewer import Role, Tool
from cdp.db.statements import load_statements
from cdp.errors import Mistake

SHORTEST_REASON: Final = 3
LONGEST_REASON: Final = 500
_SQL: Final = load_statements("cdp.access", "managing.sql")


def start_view(connection: Connection[Any], tool: Tool, *, account_id: UUID, role: Role, reason: str) -> str | Mistake:
    """The secret that the link ends in, told once."""
    said = reason.strip()
    if not SHORTEST_REASON <= len(said) <= LONGEST_REASON or "\0" in said:
        message = f"Say why, in {SHORTEST_REASON} to {LONGEST_REASON} characters; the client reads it."
        return Mistake(code="reason_required", message=message, field=("reason",))
    secret = new_secret()
    row = connection.execute(
        _SQL["start_view"],
        {
            "ticket": digest(secret),
            "account_id": account_id,
            "role": role.value,
            "actor": tool.acting_for,
            "client_id": tool.client_id,
            "reason": said,
        },
    ).fetchone()
    if row is None or not row[0]:
        return Mistake(code="staff_not_found", message="Only for tools that act for somebody of the staff.")
    if not row[1]:
        return Mistake(code="account_not_found", message="There is no such account.", field=("accountId",))
    return secret
