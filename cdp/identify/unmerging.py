"""Unmerging: two customers were never one, whether people or identifiers had made them so.

It withdraws what tied the two sides and parts them, so that they don't become one again by themselves. Facts follow their
profile: both sides are as if never merged, with what they were told since. Source: `identity.md`, merge ledger; decision 0014.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from cdp.db.locks import hold_customers_exclusive
from cdp.errors import Mistake
from cdp.identify import queries, stored_decisions
from cdp.identify.applying import apply_decisions
from cdp.identify.claims import Author, Decision, profile_node
from cdp.identify.deciding import (
    STATEMENTS,
    Component,
    Record,
    cluster_of,
    component_of,
    decided,
    living,
    now,
    recorded,
)
from cdp.identify.identifier import Identifier
from cdp.identify.rules import Rules
from cdp.identify.ruling import rules_in_force


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmerged:
    """One customer is two again, the survivor of the merge first; any others that the parting left by themselves follow."""

    customer_ids: tuple[UUID, ...]


def unmerge(
    connection: Connection[Any], merge_id: UUID, *, author: Author, rules: Rules | None = None
) -> Unmerged | Mistake:
    """Undo a merge, whether people or identifiers made it: what came from the other customer is its own again, and stays so.

    Takes the customers' lock; the caller commits. On a Mistake nothing has changed.
    """
    hold_customers_exclusive(connection)
    rules = rules or rules_in_force(connection)
    record = recorded(connection, "merge", merge_id=merge_id)
    if record is None:
        return Mistake(code="merge_not_found", message="There is no merge with this id.", field=("mergeId",))
    if record.kind != "merge":
        return Mistake(
            code="not_a_merge", message="This is the record of a parting, not of a merge.", field=("mergeId",)
        )
    ids = (record.customer_id, record.other_customer_id)
    homes = {one.customer_id for one in living(connection, ids).values()}
    founders: dict[UUID, UUID] = {}
    for home in homes if len(homes) == 1 else ():
        rows = connection.execute(STATEMENTS["founders"], {"customer_id": home, "founded": list(ids)})
        founders = dict(rows.fetchall())
    if len(founders) < len(ids):
        return Mistake(code="already_unmerged", message="These customers are apart already.", field=("mergeId",))
    (home,) = homes
    sides = _Sides(connection, record, home, founders)
    component = component_of(connection, [profile_node(one) for one in founders.values()])
    tied = {one for (one,) in connection.execute(STATEMENTS["decisions_for"], {"merge_id": record.merge_id})}
    links = [one for one in component.decisions if one.kind == "link"]
    # What people merged was two in spite of every link that they had made before.
    since = min((one.decided_at for one in links if one.decision_id in tied), default=datetime.min.replace(tzinfo=UTC))
    withdrawn = [
        one
        for one in links
        if one.decision_id in tied or (one.decided_at >= since and sides.are_tied_by(one, component))
    ]
    reinstated = stored_decisions.decisions_withdrawn_for(connection, record.merge_id)
    kept = [*(one for one in component.decisions if one not in withdrawn), *reinstated]
    made = _partings(component, sides, kept, author, at=now(connection), rules=rules)
    if made is None:
        return Mistake(
            code="cannot_be_parted",
            message="Claims tie these customers so that no parting leaves each what it had.",
            field=("mergeId",),
        )
    was_here = [one.profile_id for one in component.stored.values() if one.customer_id == home]
    apply_decisions(connection, made, withdrawn=withdrawn, reinstated=reinstated, author=author, rules=rules)
    found = queries.homes(connection, was_here)
    first = [found[founders[one]] for one in ids]
    return Unmerged(customer_ids=tuple(dict.fromkeys([*first, *sorted(set(found.values()))])))


class _Sides:
    """Who was who before a merge: profiles that came with the other customer, and those the survivor had."""

    def __init__(self, connection: Connection[Any], record: Record, home: UUID, founders: Mapping[UUID, UUID]) -> None:
        self.stayed, self.came = founders[record.customer_id], founders[record.other_customer_id]
        self.merge_id, self.home = record.merge_id, home
        self.theirs = record.profile_ids - {self.stayed} | {self.came}
        given = {"customer_id": home, "merge_id": record.merge_id}
        self._later = {one for (one,) in connection.execute(STATEMENTS["joined_since"], given)}
        self._at_home = home == record.customer_id

    def ours(self, component: Component) -> set[UUID]:
        """What the survivor had: older than the merge (ids are ordered by time), and not brought by it or a later one.

        Its beginning alone where the survivor has itself become part of another.
        """
        if not self._at_home:
            return {self.stayed}
        return {
            one.profile_id
            for one in component.stored.values()
            if one.customer_id == self.home
            and one.profile_id < self.merge_id
            and one.profile_id not in self.theirs | self._later
        } | {self.stayed}

    def are_tied_by(self, decision: Decision, component: Component) -> bool:
        """Whether a link ties the two sides, of which either claims one of its nodes and not the other.

        Who came after the merge is of neither side: a link to them is why they came, not why the sides are one.
        """
        theirs = {profile_node(one) for one in self.theirs}
        only_ours: set[Identifier] = set()
        for claim in component.claims.values():
            if claim.profile_id in self.theirs:
                theirs.update(claim.identifiers)
            elif (
                not claim.is_set_aside
                and claim.profile_id < self.merge_id
                and component.stored[claim.profile_id].customer_id == self.home
            ):
                only_ours |= {profile_node(claim.profile_id), *claim.identifiers}
        only_ours -= theirs
        ends = {decision.one, decision.other}
        return bool(ends & theirs) and bool(ends & only_ours)


def _partings(
    component: Component,
    sides: _Sides,
    kept: Collection[Decision],
    author: Author,
    *,
    at: datetime,
    rules: Rules,
) -> list[Decision] | None:
    """The decisions that part the sides, beside those `kept`; a single one where no claim ties them.

    Where claims do, and a parting would scatter what one side had, that is held together. None when even so the sides don't
    come out as they were.
    """
    made = [decided("part", profile_node(sides.stayed), profile_node(sides.came), author, at)]
    tied = set(cluster_of(component.resolve(kept, rules), sides.stayed).profile_ids)
    if sides.came not in tied:
        return made
    wanted = ((sides.stayed, sides.ours(component) & tied), (sides.came, sides.theirs & tied))
    parted = component.resolve([*kept, *made], rules)
    for beginning, members in wanted:
        strays = members - set(cluster_of(parted, beginning).profile_ids)
        made += [decided("link", profile_node(beginning), profile_node(one), author, at) for one in sorted(strays)]
    parted = component.resolve([*kept, *made], rules)
    are_whole = all(members <= set(cluster_of(parted, beginning).profile_ids) for beginning, members in wanted)
    return made if are_whole and sides.came not in cluster_of(parted, sides.stayed).profile_ids else None
