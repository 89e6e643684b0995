"""Gathering: a batch of drafts folded into what it says of each profile, claim, trait and affiliation. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from uuid import UUID

from cdp.errors import Invalid
from cdp.identify.claims import Attached, ClaimDraft, Kind, ProfileKey, claim_id, one_object
from cdp.identify.identifier import Identifier, identify


class BlockedKey(Invalid):
    """A value of {namespace} that points at nobody cannot be a profile's key."""

    namespace: str


@dataclass(slots=True, kw_only=True)
class ToldProfile:
    """What the batch says of one profile. `traits`: (stated at, message id, value) of the newest statement by trait.

    `place`: where it is, once that is known.
    """

    key: ProfileKey
    kind: Kind
    first_at: datetime
    last_at: datetime
    traits: dict[str, tuple[datetime, str, Any]] = field(default_factory=dict)
    place: Attached | None = None


@dataclass(slots=True, kw_only=True)
class ToldClaim:
    """One claim of the batch, however often it was made. `said`: identifier → value as given."""

    claim_id: UUID
    key: ProfileKey
    profile: ToldProfile
    said: Mapping[Identifier, str]
    first: tuple[datetime, str]
    last_at: datetime


@dataclass(slots=True, kw_only=True)
class ToldAffiliation:
    """One person's belonging to one organisation. `role`: as stated last."""

    since_at: datetime
    stated_at: datetime
    role: tuple[datetime, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A batch, folded. Affiliations are keyed (organisation, person). `of_drafts`: the profile of each draft, in their order."""

    of_drafts: Sequence[ToldProfile]
    profiles: Mapping[ProfileKey, ToldProfile]
    claims: Mapping[UUID, ToldClaim]
    affiliations: Mapping[tuple[ProfileKey, ProfileKey], ToldAffiliation]


def profile_key(draft: ClaimDraft, region: str | None = None) -> ProfileKey:
    """The draft's profile key in normal form. Raises BlockedKey."""
    return _statement(draft.source_id, draft.namespace, draft.value, tuple(draft.identifiers), region)[0]


@lru_cache(maxsize=32_768)
def _statement(
    source_id: UUID, namespace: str, value: str, identifiers: tuple[tuple[str, str], ...], region: str | None
) -> tuple[ProfileKey, Mapping[Identifier, str], UUID]:
    """Whom a draft is about, what it says of them, and its claim's id. Remembered: visitors say the same at every step.

    Raises BlockedKey.
    """
    own = identify(namespace, value, region=region)
    if own is None:
        raise BlockedKey(namespace=namespace)
    key = ProfileKey(one_object(source_id), *own)
    said = {own: value}
    for each, given in identifiers:
        identifier = identify(each, given, region=region)
        if identifier is not None:
            said.setdefault(identifier, given)
    return key, MappingProxyType(said), claim_id(key, list(said))


def gather(drafts: Iterable[ClaimDraft], regions: Mapping[UUID, str | None]) -> Told:
    """Fold drafts; `regions` by source reads national phone numbers. Raises BlockedKey for a key that points at
    nobody.
    """
    profiles: dict[ProfileKey, ToldProfile] = {}
    claims: dict[UUID, ToldClaim] = {}
    affiliations: dict[tuple[ProfileKey, ProfileKey], ToldAffiliation] = {}
    of_drafts: list[ToldProfile] = []
    for draft in drafts:
        region = regions.get(draft.source_id)
        key, said, identity = _statement(
            draft.source_id, draft.namespace, draft.value, tuple(draft.identifiers), region
        )
        profile = _tell_profile(profiles, key, draft)
        of_drafts.append(profile)
        _tell_claim(claims, identity, profile, said, draft)
        if draft.group is not None:
            group = identify(*draft.group, region=region)
            if group is not None:
                _tell_affiliation(affiliations, (ProfileKey(draft.source_id, *group), key), draft)
    return Told(of_drafts=of_drafts, profiles=profiles, claims=claims, affiliations=affiliations)


def _tell_profile(profiles: dict[ProfileKey, ToldProfile], key: ProfileKey, draft: ClaimDraft) -> ToldProfile:
    told = profiles.get(key)
    if told is None:
        told = profiles[key] = ToldProfile(key=key, kind=draft.kind, first_at=draft.at, last_at=draft.at)
    else:
        if draft.at < told.first_at:
            told.first_at = draft.at
        elif draft.at > told.last_at:
            told.last_at = draft.at
        if draft.kind == "organisation":
            told.kind = draft.kind
    for trait, value in draft.traits.items():
        held = told.traits.get(trait)
        if held is None or (draft.at, draft.message_id) > held[:2]:
            told.traits[trait] = (draft.at, draft.message_id, value)
    return told


def _tell_claim(
    claims: dict[UUID, ToldClaim],
    identity: UUID,
    profile: ToldProfile,
    said: Mapping[Identifier, str],
    draft: ClaimDraft,
) -> None:
    told = claims.get(identity)
    if told is None:
        first = (draft.at, draft.message_id)
        claims[identity] = ToldClaim(
            claim_id=identity, key=profile.key, profile=profile, said=said, first=first, last_at=draft.at
        )
        return
    if (draft.at, draft.message_id) < told.first:
        told.first, told.said = (draft.at, draft.message_id), said
    told.last_at = max(told.last_at, draft.at)


def _tell_affiliation(
    affiliations: dict[tuple[ProfileKey, ProfileKey], ToldAffiliation],
    pair: tuple[ProfileKey, ProfileKey],
    draft: ClaimDraft,
) -> None:
    role = (draft.at, draft.role) if draft.role else None
    told = affiliations.get(pair)
    if told is None:
        affiliations[pair] = ToldAffiliation(since_at=draft.at, stated_at=draft.at, role=role)
        return
    told.since_at = min(told.since_at, draft.at)
    told.stated_at = max(told.stated_at, draft.at)
    told.role = max(told.role, role) if told.role and role else told.role or role
