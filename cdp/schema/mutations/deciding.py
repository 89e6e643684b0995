"""What the mutations about identifiers and reviews have in common: their words, their bounds, their payload."""

from typing import Final

from cdp.errors import Mistake
from cdp.schema.mutations.acting import too_long
from cdp.schema.query import IdentifierInput

LONGEST_REASON_CHARACTERS: Final = 1_000
LONGEST_KEY_CHARACTERS: Final = 255
LONGEST_NAMES_CHARACTERS: Final = 1_000
USUAL_CUSTOMERS: Final = 2

REASON: Final = "Why, for the ledger; at most 1,000 characters."
KEY: Final = "The same key from the same caller again changes nothing; at most 255 characters."
NEEDS: Final = "Needs the scope identity:write."


def mistaken(reason: str | None, key: str | None = None, identifier: IdentifierInput | None = None) -> Mistake | None:
    """A mistake when a text is longer than may be kept."""
    wrong = too_long(reason, LONGEST_REASON_CHARACTERS, "reason") or too_long(
        key, LONGEST_KEY_CHARACTERS, "idempotencyKey"
    )
    if identifier is not None:
        wrong = wrong or too_long(identifier.namespace, LONGEST_NAMES_CHARACTERS, "identifier")
        wrong = wrong or too_long(identifier.value, LONGEST_NAMES_CHARACTERS, "identifier")
    return wrong
