"""Applying: a batch of claims becomes customers. One read of what the batch touches, one pure call, one set-wise write.

`apply_claims` is the way in for what sources say, `apply_decisions` for what people decide (`deciding`). Both run in the
caller's transaction under the exclusive customers' lock, and call `rehome` of the facts' rooms where profiles move.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from psycopg import Connection

import cdp.events.queries
import cdp.ledger.queries
from cdp.db.ids import time_ordered_id
from cdp.feed import append
from cdp.identify import queries, stored_decisions
from cdp.identify.claims import Attached, Author, ClaimDraft, Decision, ProfileKey, profile_node
from cdp.identify.crowding import counting
from cdp.identify.findings import keep_listed
from cdp.identify.gathering import Told, ToldClaim, ToldProfile, gather
from cdp.identify.history import SYSTEM, About, complete, quarantine_events
from cdp.identify.identifier import Identifier
from cdp.identify.looking_ahead import Foreseen, profiles_told
from cdp.identify.queries import CustomerIdentifier, Shown, SourceTrust
from cdp.identify.redrawing import MergeRecord, Redrawing, redraw
from cdp.identify.resolution import Resolution, resolve
from cdp.identify.rules import Rules
from cdp.identify.ruling import rules_in_force
from cdp.identify.stored_claims import StoredClaim, as_stored, component, put_claims, set_aside
from cdp.identify.telling import Redrawn, customer_changes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """The batch's profiles as they were: those with a row, and ids for those without."""

    attached: Mapping[ProfileKey, Attached]
    new: Mapping[ProfileKey, UUID]

    @property
    def profile_ids(self) -> dict[ProfileKey, UUID]:
        return {**{key: one.profile_id for key, one in self.attached.items()}, **self.new}


def apply_claims(
    connection: Connection[Any],
    drafts: Sequence[ClaimDraft],
    *,
    decisions: Sequence[Decision] = (),
    rules: Rules | None = None,
) -> Mapping[ProfileKey, Attached]:
    """As `attach`, of drafts as they are; where each draft's profile is now, by its key in normal form.

    Raises BlockedKey, before anything is written, for a draft whose key points at nobody.
    """
    trust = queries.sources(connection, {draft.source_id for draft in drafts})
    told = gather(drafts, {source_id: one.region for source_id, one in trust.items()})
    attach(connection, told, decisions=decisions, rules=rules)
    return {key: _placed(one) for key, one in told.profiles.items()}


def attach(
    connection: Connection[Any],
    told: Told,
    *,
    decisions: Sequence[Decision] = (),
    rules: Rules | None = None,
    foreseen: Foreseen | None = None,
    meanwhile: Callable[[list[Attached]], None] | None = None,
) -> list[Attached]:
    """Make the customers follow from these claims too; where each draft's profile is now, in the order of the drafts.

    The caller holds `hold_customers_exclusive` and commits. Telling the same again changes nothing. About twenty
    statements whatever the batch's size, the last of which tells the change feed. `rules`: those in force, if not given.
    `foreseen`: what was looked up before the lock was held. `meanwhile` is called as soon as it is known where everybody is: in a
    pipeline what it writes is under way while what was seen of them is made ready.
    """
    rules = rules or rules_in_force(connection)
    trust = queries.sources(connection, {key.source_id for key in told.profiles})
    attached = profiles_told(connection, told, foreseen)
    known = _Known(attached=attached, new={key: time_ordered_id() for key in told.profiles if key not in attached})
    decided = {node for one in decisions for node in (one.one, one.other)}
    claimed = put_claims(
        connection,
        told.claims,
        known.profile_ids,
        rules,
        new=known.new.keys(),
        decided=decided,
        foreseen=foreseen,
    )
    news = stored_decisions.put_decisions(connection, decisions)
    seeds = claimed.seeds | {node for one in decisions if one.decision_id in news for node in (one.one, one.other)}
    stored_decisions.free_values(connection, [one for one in decisions if one.decision_id in news])
    organisations = [one.profile_id for key, one in attached.items() if told.profiles[key].kind == "organisation"]
    seeds |= {profile_node(profile_id) for profile_id in queries.mark_organisations(connection, organisations)}
    moved: set[UUID] = set()
    redrawn = Redrawn()
    if seeds or claimed.fresh:
        attached, redrawn = _redraw(connection, told, known, seeds, fresh=claimed.fresh, trust=trust, rules=rules)
        moved = set(redrawn.drawn.homes.values()) if redrawn.drawn else set()
    for key, profile in told.profiles.items():
        profile.place = attached[key]
    places = [_placed(one) for one in told.of_drafts]
    if meanwhile is not None:
        meanwhile(places)
    described = set(_tell_what_was_seen(connection, told, known, attached, moved)) | redrawn.quarantined
    append(connection, customer_changes(redrawn, described))
    return places


def apply_decisions(
    connection: Connection[Any],
    decisions: Sequence[Decision],
    *,
    withdrawn: Collection[Decision],
    reinstated: Collection[Decision] = (),
    author: Author,
    about: About | None = None,
    rules: Rules | None = None,
) -> tuple[MergeRecord, ...]:
    """Make the customers follow from these decisions too, and no longer from those `withdrawn`; what the ledger says of it.

    `reinstated` were withdrawn and are in force again. `about`: the value that was decided of, for the history. The caller
    holds `hold_customers_exclusive` and commits. Records are the author's, also where a claim did the rest.
    """
    rules = rules or rules_in_force(connection)
    stored_decisions.withdraw_decisions(connection, [one.decision_id for one in withdrawn])
    stored_decisions.reinstate_decisions(connection, [one.decision_id for one in reinstated])
    stored_decisions.put_decisions(connection, decisions)
    stored_decisions.free_values(connection, (*decisions, *withdrawn))
    seeds = {node for one in (*decisions, *withdrawn, *reinstated) for node in (one.one, one.other)}
    nobody = _Known(attached={}, new={})
    _, redrawn = _redraw(connection, gather((), {}), nobody, seeds, trust={}, rules=rules, author=author, about=about)
    if redrawn.drawn is None:
        return ()
    described = set(queries.describe_customers(connection, set(redrawn.drawn.homes.values()))) | redrawn.quarantined
    append(connection, customer_changes(redrawn, described))
    return redrawn.drawn.merges


def redraw_again(connection: Connection[Any], seeds: Collection[Identifier], *, rules: Rules) -> None:
    """Resolve what is connected with these nodes again, from what is stored, and put right what differs.

    The caller holds `hold_customers_exclusive` and commits.
    """
    nobody = _Known(attached={}, new={})
    _, redrawn = _redraw(connection, gather((), {}), nobody, set(seeds), trust={}, rules=rules)
    append(connection, customer_changes(redrawn, redrawn.quarantined))


def _placed(profile: ToldProfile) -> Attached:
    assert profile.place is not None  # noqa: S101 — every profile told of has been attached
    return profile.place


def _redraw(
    connection: Connection[Any],
    told: Told,
    known: _Known,
    seeds: set[Identifier],
    *,
    fresh: Mapping[UUID, ToldClaim] = MappingProxyType({}),
    trust: Mapping[UUID, SourceTrust],
    rules: Rules,
    author: Author | None = None,
    about: About | None = None,
) -> tuple[dict[ProfileKey, Attached], Redrawn]:
    """Resolve the seeds' component again and store the difference: where the batch's profiles are, and what changed.

    `fresh`: claims that belong to it, too, connected with nothing stored, of which nothing needs to be read.
    """
    untold = {profile_id: (key, told.profiles[key].kind) for key, profile_id in known.new.items()}
    stored_claims, stored = component(connection, seeds, untold) if seeds else ({}, {})
    claims = {claim_id: one.claim for claim_id, one in stored_claims.items()}
    identifiers = {identifier for claim in claims.values() for identifier in claim.identifiers}
    nodes = identifiers | {profile_node(profile_id) for profile_id in stored}
    decisions = stored_decisions.decisions_about(connection, nodes)
    before = queries.component_owners(
        connection, identifiers, decisions, stored, decided=seeds if author is not None else frozenset()
    )
    read = claims.keys()
    if fresh:
        fresh_claims, fresh_profiles = as_stored(fresh, known.profile_ids)
        stored_claims, stored = stored_claims | fresh_claims, stored | fresh_profiles
        claims = claims | {claim_id: one.claim for claim_id, one in fresh_claims.items()}
    resolution = resolve(
        claims.values(),
        decisions,
        rules,
        shared=frozenset(one for one, owner in before.items() if owner is None),
    )
    set_aside(connection, resolution.crowding)
    stored_claims = _counting(stored_claims, resolution)
    claims = {claim_id: one.claim for claim_id, one in stored_claims.items()}
    drawn = redraw(resolution, claims, stored, time_ordered_id)
    drawn, events = complete(drawn, before, about=about, author=author or SYSTEM)
    if author is not None:
        drawn = replace(drawn, merges=tuple(_signed(one, author) for one in drawn.merges))
    _store(connection, told, known, drawn, owners_before=before)
    queries.put_events(connection, events)
    is_less_refused = queries.change_refusals(connection, read, resolution.refusals)
    keep_listed(connection, resolution, claims, before, drawn, is_less_refused=is_less_refused)
    founded = set(drawn.founded.values())
    customers = {one.customer_id for one in stored.values() if one.customer_id} | set(drawn.homes.values()) - founded
    others = {one.claim.source_id for one in stored_claims.values()} - trust.keys()
    after = _shown(stored_claims, drawn, {**trust, **queries.sources(connection, others)} if others else trust)
    after |= _vouched(connection, decisions, drawn, after)
    shown = queries.shown(connection, customers)
    if resolution.crowding.last:
        after = _seen_last(after, shown)
    queries.change_shown(connection, shown, after)
    homes = {one.profile_id: one.customer_id for one in known.attached.values()} | dict(drawn.homes)
    attached = {
        key: Attached(profile_id=profile_id, customer_id=homes[profile_id])
        for key, profile_id in known.profile_ids.items()
    }
    quarantined: set[UUID] = set()
    if max(len(claims), len(identifiers), len(drawn.owners), len(decisions)) >= rules.size.least:
        homes_now = set(drawn.homes.values()) - founded | drawn.quarantined.keys()
        quarantined = queries.quarantine(connection, homes_now, drawn.quarantined)
        queries.put_events(connection, quarantine_events(drawn, quarantined, author or SYSTEM))
    return attached, Redrawn(drawn=drawn, before=shown, after=after, quarantined=frozenset(quarantined))


def _counting(stored: Mapping[UUID, StoredClaim], resolution: Resolution) -> dict[UUID, StoredClaim]:
    """The claims that count, with what counts of them."""
    cut = counting((one.claim for one in stored.values()), resolution.crowding)
    return {one.claim_id: replace(stored[one.claim_id], claim=one) for one in cut if not one.is_set_aside}


def _seen_last(after: Shown, before: Shown) -> dict[tuple[UUID, Identifier], CustomerIdentifier]:
    """What is shown, seen no less lately than before: the latest claims may be among those set aside."""
    return {
        place: replace(one, last_seen_at=max(one.last_seen_at, before[place].last_seen_at)) if place in before else one
        for place, one in after.items()
    }


def _signed(record: MergeRecord, author: Author) -> MergeRecord:
    return replace(record, rule="manual", actor=author.actor, reason=author.reason)


def _store(
    connection: Connection[Any],
    told: Told,
    known: _Known,
    drawn: Redrawing,
    *,
    owners_before: Mapping[Identifier, UUID | None],
) -> None:
    """Write the redrawing, in the order that leaves no row without its customer."""
    queries.put_customers(connection, drawn.created)
    queries.put_profiles(
        connection,
        [
            (
                drawn.homes[profile_id],
                profile_id,
                key.source_id,
                told.profiles[key].kind,
                key.namespace,
                key.value,
                drawn.founded.get(profile_id),
                told.profiles[key].first_at,
                told.profiles[key].last_at,
            )
            for key, profile_id in known.new.items()
        ],
    )
    queries.move_profiles(connection, drawn.moves)
    cdp.events.queries.rehome(connection, drawn.moves)
    cdp.ledger.queries.rehome(connection, drawn.moves)
    new = set(known.new.values())
    queries.set_founded(
        connection,
        [(drawn.homes[one], one, founded) for one, founded in drawn.founded.items() if one not in new],
    )
    queries.change_owners(connection, owners_before, drawn.owners)
    queries.end_customers(connection, drawn.ended, drawn.redirects, drawn.merges)


def _shown(
    claims: Mapping[UUID, StoredClaim], drawn: Redrawing, trust: Mapping[UUID, SourceTrust]
) -> dict[tuple[UUID, Identifier], CustomerIdentifier]:
    """What each customer shows of its identifiers: as the first claim gave it, seen from first to last."""
    seen: dict[tuple[UUID, Identifier], CustomerIdentifier] = {}
    for stored in sorted(claims.values(), key=lambda one: one.claim.order):
        claim = stored.claim
        home = drawn.homes[claim.profile_id]
        verified = trust[claim.source_id].verified
        for identifier in claim.identifiers:
            if drawn.owners.get(identifier) != home:
                continue
            held = seen.get((home, identifier))
            seen[home, identifier] = CustomerIdentifier(
                given=held.given if held else stored.given[identifier],
                source_id=held.source_id if held else claim.source_id,
                verified=verified or (held is not None and held.verified),
                first_seen_at=held.first_seen_at if held else claim.first_at,
                last_seen_at=max(stored.last_at, held.last_seen_at) if held else stored.last_at,
            )
    return seen


def _vouched(
    connection: Connection[Any], decisions: Iterable[Decision], drawn: Redrawing, claimed: Shown
) -> dict[tuple[UUID, Identifier], CustomerIdentifier]:
    """What customers show that no source claims, only somebody of the company."""
    vouched = {
        (home, node): one.decided_at
        for one in sorted(decisions, key=lambda one: one.decided_at, reverse=True)
        for node in (one.one, one.other)
        if one.kind == "link" and (home := drawn.owners.get(node)) is not None and (home, node) not in claimed
    }
    if not vouched:
        return {}
    source_id = queries.staff_source(connection)
    return {
        (home, node): CustomerIdentifier(
            given=node.value, source_id=source_id, verified=True, first_seen_at=at, last_seen_at=at
        )
        for (home, node), at in vouched.items()
    }


def _tell_what_was_seen(
    connection: Connection[Any],
    told: Told,
    known: _Known,
    attached: Mapping[ProfileKey, Attached],
    redrawn: set[UUID],
) -> list[UUID]:
    """Times, traits and affiliations of the batch, and the golden values of every customer they touch.

    Returns the customers of which more changed than when they were seen.
    """
    places = [(_placed(one), one) for one in told.profiles.values()]
    elsewhere = {organisation for organisation, _ in told.affiliations} - attached.keys()
    organisations = {**attached, **(queries.profile_keys(connection, elsewhere) if elsewhere else {})}
    asked = queries.ask_told_anew(
        connection,
        [
            (place.customer_id, trait, value)
            for place, one in places
            if one.traits and place.customer_id not in redrawn
            for trait, (_, _, value) in one.traits.items()
        ],
    )
    queries.see_profiles(
        connection,
        [
            (place.customer_id, place.profile_id, one.first_at, one.last_at)
            for place, one in places
            if not known.new or one.key not in known.new
        ],
    )
    queries.see_identifiers(
        connection,
        [
            (home, claim.said, claim.last_at)
            for claim in told.claims.values()
            if (home := _placed(claim.profile).customer_id) not in redrawn
        ],
    )
    queries.put_traits(
        connection,
        [
            (place.customer_id, place.profile_id, trait, value, at, message_id)
            for place, one in places
            for trait, (at, message_id, value) in one.traits.items()
        ],
    )
    queries.put_affiliations(
        connection,
        [
            (organisations[organisation], attached[person], one)
            for (organisation, person), one in told.affiliations.items()
            if organisation in organisations
        ],
    )
    described = redrawn | (queries.told_anew(asked) if asked else set())
    seen: dict[UUID, datetime] = {}
    for place, one in places:
        home = place.customer_id
        if home not in described:
            held = seen.setdefault(home, one.last_at)
            if held < one.last_at:
                seen[home] = one.last_at
    queries.see_customers(connection, seen)
    return queries.describe_customers(connection, described)
