"""The kinds of change that readers are promised, and how a subject's id begins. Rooms above tell them; a test compares.

A kind is `subject.what_happened`. New ones may come; a reader skips what it doesn't know.
"""

from collections.abc import Mapping
from typing import Final

KINDS: Final = frozenset(
    {
        "account.changed",
        "account.created",
        "customer.changed",
        "customer.created",
        "customer.erased",
        "customer.merged",
        "customer.unmerged",
        "identifier.linked",
        "identifier.unlinked",
        "ledger_entry.posted",
        "order.changed",
        "order.placed",
        "order.status_changed",
        "shipment.changed",
        "shipment.created",
    }
)

ANNOUNCED: Final = frozenset({"customer.erased"})
"""Kinds that nothing tells yet; who follows the feed prepares for them now."""

SUBJECTS: Final[Mapping[str, str]] = {
    "customer": "cus",
    "identifier": "cus",  # an identifier has no id of its own: the line is about its customer
    "account": "acc",
    "order": "ord",
    "shipment": "shp",
    "ledger_entry": "ent",
}
"""Prefix of a subject's id, by the first part of the kind."""


def prefix_of(kind: str) -> str:
    """How the id of a change's subject begins."""
    return SUBJECTS[kind.partition(".")[0]]
