"""What identity tells the change feed: from a redrawing and what customers show to changes, purely.

Identifiers are told by namespace alone: the feed holds nothing personal.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from cdp.db.ids import format_id
from cdp.feed import Change
from cdp.identify.queries import Shown
from cdp.identify.redrawing import Redrawing


@dataclass(frozen=True, slots=True, kw_only=True)
class Redrawn:
    """What was redrawn, if anything: the plan, what its customers showed before and show after, and those put into
    quarantine or out of it.
    """

    drawn: Redrawing | None = None
    before: Shown = field(default_factory=dict)
    after: Shown = field(default_factory=dict)
    quarantined: frozenset[UUID] = frozenset()


def customer_changes(redrawn: Redrawn, described: Collection[UUID]) -> Iterator[Change]:
    """Customers that came to be, became one or parted; identifiers that point at them now; and those `described` anew.

    A customer that came to be is told of once, with its identifiers' namespaces. Merged or parted customers are told of
    beside whatever else changes with that.
    """
    gained = _by_customer(redrawn.after, redrawn.before)
    lost = _by_customer(redrawn.before, redrawn.after)
    created: Collection[UUID] = ()
    if redrawn.drawn is not None:
        created = redrawn.drawn.created
        for customer_id, (kind, _) in redrawn.drawn.created.items():
            told = {"kind": kind, "namespaces": sorted(gained.pop(customer_id, ()))}
            yield Change("customer.created", customer_id, customer_id, told)
        yield from _merges(redrawn.drawn)
        for ended in redrawn.drawn.ended:
            lost.pop(ended, None)
    for what, found in (("identifier.linked", gained), ("identifier.unlinked", lost)):
        for customer_id, namespaces in found.items():
            yield Change(what, customer_id, customer_id, {"namespaces": sorted(namespaces)})
    for customer_id in described:
        if customer_id not in created:
            yield Change("customer.changed", customer_id, customer_id, {})


def _merges(drawn: Redrawing) -> Iterator[Change]:
    """Merges of customers that others may know of, and splits. Both are of the customer that was there throughout."""
    for one in drawn.merges:
        if one.kind == "merge" and one.other_customer_id not in drawn.ended:
            continue  # told together for the first time, they were never two
        origin, target = one.customer_id, one.other_customer_id
        if one.kind == "merge":
            origin, target = target, origin
        told = {"from": format_id("cus", origin), "into": format_id("cus", target), "rule": one.rule}
        what = "customer.merged" if one.kind == "merge" else "customer.unmerged"
        yield Change(what, one.customer_id, one.customer_id, told)


def _by_customer(there: Shown, not_there: Shown) -> dict[UUID, set[str]]:
    """Namespaces of what the first shows and the second doesn't, by customer."""
    found: defaultdict[UUID, set[str]] = defaultdict(set)
    for customer_id, identifier in there:
        if (customer_id, identifier) not in not_there:
            found[customer_id].add(identifier.namespace)
    return dict(found)
