"""What identity asks of the database and tells it: one statement a step for a whole batch, values bound.

Everything here runs inside the caller's transaction, which holds the customers' lock (`cdp.db.locks`).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

import msgspec
from psycopg import Connection, Cursor

from cdp.db.plans import AS_USUAL, BY_INDEX
from cdp.db.rows import as_array
from cdp.db.statements import load_statements
from cdp.identify.claims import Attached, Decision, Kind, ProfileKey, one_object, profile_node
from cdp.identify.gathering import ToldAffiliation
from cdp.identify.history import Event
from cdp.identify.identifier import PROFILE, Identifier
from cdp.identify.redrawing import MergeRecord, Move
from cdp.identify.resolution import Quarantine, Refusal

STATEMENTS: Final = load_statements("cdp.identify")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTrust:
    """What identity needs to know of a source."""

    verified: bool
    region: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerIdentifier:
    """An identifier as its customer shows it."""

    given: str
    source_id: UUID
    verified: bool
    first_seen_at: datetime
    last_seen_at: datetime


Shown = Mapping[tuple[UUID, Identifier], CustomerIdentifier]


def sources(connection: Connection[Any], source_ids: Collection[UUID]) -> dict[UUID, SourceTrust]:
    """Trust and region by source."""
    rows = connection.execute(STATEMENTS["sources"], {"source_ids": list(source_ids)})
    return {source_id: SourceTrust(verified=verified, region=region) for source_id, verified, region in rows}


def profile_keys(connection: Connection[Any], keys: Collection[ProfileKey]) -> dict[ProfileKey, Attached]:
    """The profiles known under these keys."""
    source_ids, namespaces, values = columns(keys, 3)
    rows = connection.execute(
        STATEMENTS["profile_keys"], {"source_ids": source_ids, "namespaces": namespaces, "values": values}
    )
    return {
        ProfileKey(one_object(source_id), namespace, value): Attached(profile_id=profile_id, customer_id=customer_id)
        for source_id, namespace, value, profile_id, customer_id in rows
    }


def nodes_of(connection: Connection[Any], customer_id: UUID) -> set[Identifier]:
    """All that decisions and claims can be about of a customer: its identifiers and profiles."""
    rows = connection.execute(STATEMENTS["profiles_of"], {"customer_id": customer_id})
    return {profile_node(one) for (one,) in rows} | {identifier for _, identifier in shown(connection, [customer_id])}


def quarantine(
    connection: Connection[Any], customer_ids: Collection[UUID], quarantined: Mapping[UUID, Quarantine]
) -> set[UUID]:
    """Of these customers quarantine those, and no others; returns those of which that is news."""
    rows = [
        (one, quarantined[one].at, quarantined[one].reason) if one in quarantined else (one, None, None)
        for one in customer_ids
    ]
    given = dict(zip(("customer_ids", "at", "why"), columns(rows, 3), strict=True))
    return {customer_id for (customer_id,) in connection.execute(STATEMENTS["quarantine"], given)}


def staff_source(connection: Connection[Any]) -> UUID:
    """The source of what no system told, only people of the company; made when first needed."""
    connection.execute(STATEMENTS["make_staff_source"])
    row = connection.execute(STATEMENTS["staff_source"]).fetchone()
    assert row is not None  # noqa: S101 — it was just made
    return cast("UUID", row[0])


def put_events(connection: Connection[Any], events: Iterable[Event]) -> None:
    """Lines of customers' histories."""
    names = ("customer_ids", "kinds", "others", "identifiers", "actors", "reasons")
    rows = [
        (
            one.customer_id,
            one.kind,
            msgspec.json.encode([other.hex for other in one.other_customer_ids]).decode(),
            msgspec.json.encode(one.identifiers).decode(),
            one.actor,
            one.reason,
        )
        for one in events
    ]
    put(connection, "put_events", names, rows)


def homes(connection: Connection[Any], profile_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The customer of each profile."""
    rows = connection.execute(STATEMENTS["profiles"], {"profile_ids": as_array(list(profile_ids))})
    return {profile_id: customer_id for profile_id, customer_id, *_ in rows}


def owners(connection: Connection[Any], identifiers: Collection[Identifier]) -> dict[Identifier, UUID | None]:
    """Owner by identifier; None for shared ones, no entry for those that nobody owns."""
    namespaces, values = columns(identifiers, 2)
    rows = connection.execute(STATEMENTS["owners"], {"namespaces": namespaces, "values": values})
    return {Identifier(namespace, value): customer_id for namespace, value, customer_id, _ in rows}


def component_owners(
    connection: Connection[Any],
    identifiers: AbstractSet[Identifier],
    decisions: Sequence[Decision],
    profile_ids: Collection[UUID],
    *,
    decided: AbstractSet[Identifier] = frozenset(),
) -> dict[Identifier, UUID | None]:
    """Owners as stored of all that a component may change, and (None) whichever of the values that decisions name are nobody's.

    `identifiers`: those of its claims. A value that somebody linked to a profile has an owner without any claim, also when that
    was just taken back: `decided`. What decisions name beyond that is others', who aren't connected through what is nobody's.
    """
    if not decisions and not decided:
        return owners(connection, identifiers)
    profiles = {profile_node(profile_id) for profile_id in profile_ids}
    ends = {(one.one, one.other) for one in decisions} | {(one.other, one.one) for one in decisions}
    own = identifiers | decided | {one for one, other in ends if other in profiles}
    named = {one for one in own | {one for one, _ in ends} if one.namespace != PROFILE}
    return {one: owner for one, owner in owners(connection, named).items() if one in own or owner is None}


def change_owners(
    connection: Connection[Any], before: Mapping[Identifier, UUID | None], after: Mapping[Identifier, UUID | None]
) -> None:
    """Bring the owners of these identifiers from `before` to `after`."""
    put(connection, "delete_owners", ("namespaces", "values"), [one for one in before if one not in after])
    rows = [(*one, owner) for one, owner in after.items() if one not in before or before[one] != owner]
    put(connection, "put_owners", ("namespaces", "values", "customer_ids"), rows)


def shown(
    connection: Connection[Any], customer_ids: Collection[UUID]
) -> dict[tuple[UUID, Identifier], CustomerIdentifier]:
    """The identifiers that these customers show."""
    rows = connection.execute(STATEMENTS["customer_identifiers"], {"customer_ids": as_array(list(customer_ids))})
    return {
        (customer_id, Identifier(namespace, value)): CustomerIdentifier(
            given=given, source_id=source_id, verified=verified, first_seen_at=first, last_seen_at=last
        )
        for customer_id, namespace, value, given, source_id, verified, first, last in rows
    }


def change_shown(connection: Connection[Any], before: Shown, after: Shown) -> None:
    """Bring what customers show from `before` to `after`."""
    gone = [(customer_id, *one) for customer_id, one in before if (customer_id, one) not in after]
    put(connection, "delete_customer_identifiers", ("customer_ids", "namespaces", "values"), gone)
    rows = [
        (customer_id, *one, to.given, to.source_id, to.verified, to.first_seen_at, to.last_seen_at)
        for (customer_id, one), to in after.items()
        if before.get((customer_id, one)) != to
    ]
    names = ("customer_ids", "namespaces", "values", "given", "source_ids", "verified", "first_seen_at", "last_seen_at")
    put(connection, "put_customer_identifiers", names, rows)


def see_identifiers(connection: Connection[Any], seen: Iterable[tuple[UUID, Iterable[Identifier], datetime]]) -> None:
    """Identifiers that their customers already show were seen again: (customer, identifiers, when)."""
    latest: defaultdict[UUID, dict[Identifier, datetime]] = defaultdict(dict)
    for customer_id, identifiers, at in seen:
        of_customer = latest[customer_id]
        for identifier in identifiers:
            if of_customer.setdefault(identifier, at) < at:
                of_customer[identifier] = at
    rows = [(customer_id, *one, at) for customer_id, of_customer in latest.items() for one, at in of_customer.items()]
    put(connection, "see_identifiers", ("customer_ids", "namespaces", "values", "at"), rows)


def put_customers(connection: Connection[Any], created: Mapping[UUID, tuple[Kind, datetime]]) -> None:
    """Create or revive customers."""
    put(connection, "delete_redirects", ("customer_ids",), [(one,) for one in created])
    rows = [(customer_id, kind, at) for customer_id, (kind, at) in created.items()]
    put(connection, "put_customers", ("customer_ids", "kinds", "at"), rows)


def end_customers(
    connection: Connection[Any],
    ended: Collection[UUID],
    redirects: Mapping[UUID, UUID],
    merges: Collection[MergeRecord],
) -> None:
    """Write the merge ledger, take merged customers away, and lead their ids on."""
    ids = ("customer_ids", "merge_ids", "kinds", "others", "profile_ids")
    names = (*ids, "rules", "claim_ids", "actors", "reasons", "identifiers")
    rows = [
        (
            one.customer_id,
            one.merge_id,
            one.kind,
            one.other_customer_id,
            msgspec.json.encode([profile_id.hex for profile_id in one.profile_ids]).decode(),
            one.rule,
            one.claim_id,
            one.actor,
            one.reason,
            msgspec.json.encode(one.identifiers).decode(),
        )
        for one in merges
    ]
    put(connection, "put_merges", names, rows)
    put(connection, "delete_customers", ("customer_ids",), [(one,) for one in ended])
    if not redirects:
        return
    held = dict(connection.execute(STATEMENTS["redirects"], {"customer_ids": list(redirects)}).fetchall())
    merge_ids = {one.other_customer_id: one.merge_id for one in merges if one.kind == "merge"}
    # A redirect that is there already keeps the merge that made it, and only learns where its target lives now.
    leads = [(one, target, merge_ids.get(one, one)) for one, target in redirects.items() if held.get(one) != target]
    put(connection, "put_redirects", ("customer_ids", "targets", "merge_ids"), leads)


def put_profiles(connection: Connection[Any], rows: Sequence[tuple[Any, ...]]) -> None:
    """New profiles: (customer, profile, source, kind, namespace, value, founded customer, first seen, last seen)."""
    names = ("customer_ids", "profile_ids", "source_ids", "kinds", "namespaces", "values", "founded")
    put(connection, "put_profiles", (*names, "first_seen_at", "last_seen_at"), rows)
    keys = [
        (source_id, namespace, value, profile_id, home) for home, profile_id, source_id, _, namespace, value, *_ in rows
    ]
    key_names = ("source_ids", "namespaces", "values", "profile_ids", "customer_ids")
    put(connection, "put_profile_keys", key_names, keys)


def see_profiles(connection: Connection[Any], rows: Sequence[tuple[UUID, UUID, datetime, datetime]]) -> None:
    """Profiles were seen: (customer, profile, first, last)."""
    put(connection, "see_profiles", ("customer_ids", "profile_ids", "first_at", "last_at"), rows)


def mark_organisations(connection: Connection[Any], profile_ids: Collection[UUID]) -> set[UUID]:
    """Profiles said to be organisations' are so from now on; returns those that were taken for persons."""
    if not profile_ids:
        return set()
    rows = connection.execute(STATEMENTS["mark_organisations"], {"profile_ids": as_array(list(profile_ids))})
    return {profile_id for (profile_id,) in rows}


def set_founded(connection: Connection[Any], rows: Sequence[tuple[UUID, UUID, UUID]]) -> None:
    """Which customers profiles began as: (customer now, profile, customer founded)."""
    put(connection, "set_founded", ("customer_ids", "profile_ids", "founded"), rows)


def move_profiles(connection: Connection[Any], moves: Sequence[Move]) -> None:
    """Move profiles, with all that identity keeps under them, to other customers."""
    if not moves:
        return
    connection.execute(STATEMENTS["next_generation"])
    given = dict(zip(("profile_ids", "old", "new"), columns(moves, 3), strict=True))
    for step in ("profiles", "profile_traits", "profile_keys", "affiliations", "affiliated"):
        connection.execute(STATEMENTS[f"move_{step}"], given)


def put_traits(connection: Connection[Any], rows: Sequence[tuple[UUID, UUID, str, Any, datetime, str]]) -> None:
    """What profiles say: (customer, profile, trait, value, stated at, message id)."""
    encoded = [(*row[:3], msgspec.json.encode(row[3]).decode(), *row[4:]) for row in rows]
    names = ("customer_ids", "profile_ids", "traits", "values", "stated_at", "message_ids")
    put(connection, "put_traits", names, encoded)


def ask_told_anew(connection: Connection[Any], told: Sequence[tuple[UUID, str, Any]]) -> Cursor[Any] | None:
    """Ask of what was just told, (customer, trait, value), whose golden traits it may change; `told_anew` has the answer.

    Where the golden value is the value told, it stays, whoever's it was and whoever's it is now.
    """
    if not told:
        return None
    encoded = [(customer_id, trait, msgspec.json.encode(value).decode()) for customer_id, trait, value in told]
    given = dict(zip(("customer_ids", "traits", "values"), columns(encoded, 3), strict=True))
    return connection.execute(STATEMENTS["told_anew"], given)


def told_anew(asked: Cursor[Any]) -> set[UUID]:
    """The customers whose golden traits may change."""
    return {customer_id for (customer_id,) in asked}


def put_affiliations(connection: Connection[Any], told: Sequence[tuple[Attached, Attached, ToldAffiliation]]) -> None:
    """Persons' belonging: (organisation, person, what was told)."""
    rows = [
        (
            organisation.customer_id,
            organisation.profile_id,
            person.profile_id,
            person.customer_id,
            one.role[1] if one.role else None,
            one.since_at,
            one.stated_at,
        )
        for organisation, person, one in told
    ]
    names = ("customer_ids", "organisations", "persons", "person_customer_ids", "roles", "since_at", "stated_at")
    put(connection, "put_affiliations", names, rows)


def refusals(connection: Connection[Any], claim_ids: Collection[UUID]) -> set[tuple[UUID, Identifier, str]]:
    """What of these claims is refused, and why."""
    rows = connection.execute(STATEMENTS["refusals"], {"claim_ids": as_array(list(claim_ids))})
    return {(claim_id, Identifier(namespace, value), reason) for claim_id, namespace, value, reason in rows}


def change_refusals(connection: Connection[Any], claim_ids: Collection[UUID], refusals: Iterable[Refusal]) -> bool:
    """Make the refusals of these claims what resolution says; whether any has gone or is for another reason."""
    rows = connection.execute(STATEMENTS["refusals"], {"claim_ids": as_array(list(claim_ids))})
    before = {(claim_id, namespace, value): reason for claim_id, namespace, value, reason in rows}
    after = {(one.claim_id, *one.identifier): one.reason for one in refusals}
    names = ("claim_ids", "namespaces", "values")
    put(connection, "delete_refusals", names, [one for one in before if one not in after])
    changed = [(*one, reason) for one, reason in after.items() if before.get(one) != reason]
    put(connection, "put_refusals", (*names, "reasons"), changed)
    return any(after.get(one) != reason for one, reason in before.items())


def see_customers(connection: Connection[Any], seen: Mapping[UUID, datetime]) -> None:
    """Customers were seen again."""
    put(connection, "see_customers", ("customer_ids", "at"), list(seen.items()))


def describe_customers(connection: Connection[Any], customer_ids: Collection[UUID]) -> list[UUID]:
    """Golden values, name, contact and times of these customers, from their profiles; of which more than times changed."""
    if not customer_ids:
        return []
    connection.execute(BY_INDEX)
    rows = connection.execute(STATEMENTS["describe_customers"], {"customer_ids": as_array(list(customer_ids))})
    connection.execute(AS_USUAL)
    return [customer_id for (customer_id,) in rows if customer_id is not None]


def put(connection: Connection[Any], statement: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Run a set-wise statement over rows, none at all when there are none."""
    if rows:
        connection.execute(STATEMENTS[statement], dict(zip(names, columns(rows, len(names)), strict=True)))


def columns(rows: Iterable[Sequence[Any]], width: int) -> list[str]:
    """Rows as columns, for `unnest`."""
    found = [as_array(column) for column in zip(*rows, strict=True)]
    return found or [as_array(())] * width
