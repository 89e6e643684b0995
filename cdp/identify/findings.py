"""Findings: what resolution, or a comparison of records, leaves for people to decide. Listed once, whoever finds it again.

A finding is named by what it says (`review_id` is its hash): found again it is the same line of the queue, and one that was
decided never comes back. `reviewing` is what people do with them.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal
from uuid import UUID

from psycopg import Connection

from cdp.db.rows import as_rows
from cdp.db.statements import load_statements
from cdp.identify.claims import finding_id
from cdp.identify.identifier import Identifier

STATEMENTS: Final = load_statements("cdp.identify", "findings.sql")

Kind = Literal["shared", "quarantine", "refusal", "match"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something for people to decide.

    - shared: `identifier` is on more customers than one person is; it ties nobody together.
    - quarantine: `customer_ids` (one) is larger than customers are; nothing merges into it.
    - refusal: `customer_ids` (two) share `identifier`, and together would break a rule; named by the two alone.
    - match: `customer_ids` (two) look alike, by `weight` (log2 of the odds) and an `explanation` for people to read.

    Customers by any id they ever had, in any order. `explanation` is a small JSON object.
    """

    kind: Kind
    customer_ids: tuple[UUID, ...] = ()
    identifier: Identifier | None = None
    weight: float | None = None
    explanation: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def review_id(self) -> UUID:
        """The line of the queue that this is, whenever and by whomever it is found."""
        about = self.identifier if self.kind == "shared" and self.identifier else ()
        return finding_id(self.kind, *about, *(one.hex for one in sorted(self.customer_ids)))


def open_reviews(connection: Connection[Any], findings: Iterable[Finding]) -> int:
    """List what is found, in one statement; how many of them were never listed before.

    Open matches take the newest weight and explanation; what was accepted or refused stays as it is. The caller commits.
    """
    rows = {one.review_id: _row(one) for one in findings}
    if not rows:
        return 0
    # By id, so that two who list the same wait for one another instead of deadlocking.
    listed = connection.execute(STATEMENTS["open_reviews"], {"findings": as_rows(rows[one] for one in sorted(rows))})
    return sum(is_new for (is_new,) in listed)


def close_vanished(connection: Connection[Any], customer_ids: Collection[UUID], findings: Iterable[Finding]) -> None:
    """Take from the list what was found of these customers before and isn't among `findings`, which are all there are."""
    given = {"customer_ids": list(customer_ids), "review_ids": [one.review_id for one in findings]}
    connection.execute(STATEMENTS["close_vanished"], given)


def close_merged(connection: Connection[Any], customer_ids: Collection[UUID]) -> None:
    """Take from the list the proposed matches of these customers that have become one otherwise."""
    connection.execute(STATEMENTS["close_merged"], {"customer_ids": list(customer_ids)})


def _row(finding: Finding) -> Mapping[str, Any]:
    one, other = (*sorted(finding.customer_ids), None, None)[:2]
    namespace, value = finding.identifier or (None, None)
    return {
        "review_id": finding.review_id,
        "kind": finding.kind,
        "namespace": namespace,
        "value": value,
        "one_customer_id": one,
        "other_customer_id": other,
        "weight": finding.weight,
        "explanation": dict(finding.explanation),
    }
