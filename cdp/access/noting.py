"""Writing to the audit record from synchronous code: the command line and the tests. Requests have `issuer/store.py`'s `note`."""

from typing import Any, Final

from psycopg import Connection
from psycopg.types.json import Jsonb

from cdp.db.statements import load_statements

_SQL: Final = load_statements("cdp.access.issuer")


def note(connection: Connection[Any], event: str, *, actor: str, **details: Any) -> None:
    """Append that `actor` did this. `details` hold no personal data."""
    values = {"event": event, "outcome": "done", "actor": actor, "client_id": None, "account_id": None, "reason": None}
    connection.execute(_SQL["note"], {**values, "details": Jsonb(details)})
