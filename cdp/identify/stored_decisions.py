"""Decisions as stored: made, withdrawn, in force again, and those that are about something."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection

from cdp.identify.claims import Decision
from cdp.identify.identifier import PROFILE, Identifier
from cdp.identify.queries import STATEMENTS, columns, put


def put_decisions(connection: Connection[Any], decisions: Iterable[Decision]) -> set[UUID]:
    """Store decisions; return the ids of those that were not yet known, or are now known to be older."""
    earliest: dict[UUID, Decision] = {}
    for one in sorted(decisions, key=lambda one: one.decided_at):
        earliest.setdefault(one.decision_id, one)
    rows = [
        (one.decision_id, one.kind, *one.one, *one.other, one.rule, one.actor, one.reason, one.decided_at, one.most)
        for one in earliest.values()
    ]
    if not rows:
        return set()
    given_columns = columns(rows, 11)
    names = ("decision_ids", "kinds", "one_namespaces", "one_values", "other_namespaces", "other_values", "rules")
    given = dict(zip((*names, "actors", "reasons", "decided_at", "most"), given_columns, strict=True))
    return {decision_id for (decision_id,) in connection.execute(STATEMENTS["put_decisions"], given)}


def withdraw_decisions(connection: Connection[Any], decision_ids: Collection[UUID]) -> None:
    """These decisions are no longer in force; they stay on record."""
    put(connection, "withdraw_decisions", ("decision_ids",), [(one,) for one in decision_ids])


def reinstate_decisions(connection: Connection[Any], decision_ids: Collection[UUID]) -> None:
    """These decisions, withdrawn for a merge that is undone, are in force again."""
    put(connection, "reinstate_decisions", ("decision_ids",), [(one,) for one in decision_ids])


def free_values(connection: Connection[Any], decisions: Iterable[Decision]) -> None:
    """What is connected through values that needn't point at nobody any more is connected again.

    If they point at nobody all the same, by claims or other decisions, resolution says so.
    """
    identifiers = {one.one for one in decisions if one.kind in {"block", "shared", "unshared"}}
    put(connection, "free_values", ("namespaces", "values"), list(identifiers))


def decisions_about(connection: Connection[Any], nodes: Collection[Identifier]) -> list[Decision]:
    """Decisions in force about any of these nodes, and about the values that they tie these to.

    A value that somebody linked may be in no claim, and still be blocked.
    """
    known = set(nodes)
    found: dict[UUID, Decision] = {}
    asked = known
    while asked:
        namespaces, values = columns(asked, 2)
        rows = connection.execute(STATEMENTS["decisions_about"], {"namespaces": namespaces, "values": values})
        made = decisions_from(rows)
        found.update((one.decision_id, one) for one in made)
        asked = {end for one in made for end in (one.one, one.other) if end.namespace != PROFILE} - known
        known |= asked
    return list(found.values())


def decisions_withdrawn_for(connection: Connection[Any], merge_id: UUID) -> list[Decision]:
    """Decisions that were withdrawn so that this merge could be made."""
    return decisions_from(connection.execute(STATEMENTS["decisions_withdrawn_for"], {"merge_id": merge_id}))


def decisions_from(rows: Iterable[Sequence[Any]]) -> list[Decision]:
    """Decisions from rows of `decisions_about`."""
    return [
        Decision(
            decision_id=decision_id,
            kind=kind,
            one=Identifier(*pair[:2]),
            other=Identifier(*pair[2:]),
            rule=rule,
            decided_at=decided_at,
            actor=actor,
            reason=reason,
            most=most,
        )
        for decision_id, kind, *pair, rule, decided_at, actor, reason, most in rows
    ]
