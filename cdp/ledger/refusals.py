"""What the ledger refuses: facts that contradict what is stored, one named refusal a record; the rest is stored."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why the record at `index` of a batch was not stored: the field at fault, a stable code, a sentence for people."""

    index: int
    field: str
    code: str
    message: str
