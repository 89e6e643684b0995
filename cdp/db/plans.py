"""What a plan may do, for a transaction: where the planner has nothing to go by, a statement is told to go by index.

Of a recursion's working table, of arrays, and of a table that fills and empties, there are no statistics. A plan that was made
while a table was empty reads it whole, and is kept.
"""

from typing import Final, LiteralString

_WAYS: Final = ("hashjoin", "mergejoin", "seqscan", "bitmapscan")

AS_USUAL: Final[LiteralString] = "SELECT " + ", ".join(f"set_config('enable_{way}', 'on', true)" for way in _WAYS)
"""From here on plans may be what they like."""

# Before version 18 a way that is forbidden has a price so high that the statement would be compiled each time.
BY_INDEX: Final[LiteralString] = AS_USUAL.replace("'on'", "'off'") + ", set_config('jit', 'off', true)"
"""From here on, in this transaction, rows are found one by one, by index."""

NO_SCANS: Final = {"enable_seqscan": "off", "jit": "off"}
"""Settings of connections whose every statement finds its rows by index."""
