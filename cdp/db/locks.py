"""The one lock between facts and identity: facts may be written side by side, but not while customers are redrawn.

Every transaction that writes rows with a `customer_id` takes exactly one of the two before it reads any, and never
upgrades; both end with the transaction. Shared holders don't wait for one another. Advisory, so that it costs no row
and no table.
"""

from typing import Any, Final, LiteralString

from psycopg import Connection

_CUSTOMERS: Final = 0x43445001
_SHARED: LiteralString = "SELECT pg_advisory_xact_lock_shared(%s)"
_EXCLUSIVE: LiteralString = "SELECT pg_advisory_xact_lock(%s)"


def hold_customers_shared(connection: Connection[Any]) -> None:
    """Until the transaction ends, customers stay as they are: facts may be written for them."""
    connection.execute(_SHARED, (_CUSTOMERS,))


def hold_customers_exclusive(connection: Connection[Any]) -> None:
    """Until the transaction ends, nobody else writes facts or redraws customers; this transaction may do both."""
    connection.execute(_EXCLUSIVE, (_CUSTOMERS,))
