"""Claims: a source's statement that identifiers belong together, always about exactly one profile of that source.

`ClaimDraft` is what a door has understood of a message or record; `Claim` is the fact kept of it. Equal statements,
however often made, are one claim with its first and last time: its id is the hash of what it says.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec

from cdp.identify.identifier import PROFILE, Identifier

Kind = Literal["person", "organisation"]


class ProfileKey(NamedTuple):
    """Under which key one source knows someone. The value is the key's normal form."""

    source_id: UUID
    namespace: str
    value: str


class ClaimDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What one message or record says about one profile.

    `namespace`, `value` are the profile's key, an unblocked identifier (see `identifier.identify`); it needn't be
    repeated in `identifiers`, whose values are as given: blocked and malformed ones are passed over. `traits` hold
    JSON values; None unsets one. `group` is the key (namespace, value) of the organisation's profile in the same
    source that this person belongs to; that profile needs a draft of its own in the same call, or to exist.
    """

    source_id: UUID
    namespace: str
    value: str
    at: datetime
    message_id: str
    kind: Kind = "person"
    identifiers: Sequence[tuple[str, str]] = ()
    traits: Mapping[str, Any] = msgspec.field(default_factory=dict)
    group: tuple[str, str] | None = None
    role: str | None = None


@lru_cache(maxsize=4_096)
def one_object(source_id: UUID) -> UUID:
    """The one object that stands for this source's id in profile keys: what is identical need not be compared, and UUIDs
    are compared by a call each.
    """
    return source_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """Where a draft's profile is now."""

    profile_id: UUID
    customer_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim as resolution sees it. `identifiers` includes the profile's own key.

    `is_set_aside`: it doesn't count about its profile, about which enough is claimed (see `crowding`).
    """

    claim_id: UUID
    profile_id: UUID
    source_id: UUID
    key: Identifier
    kind: Kind
    first_at: datetime
    first_message_id: str
    identifiers: tuple[Identifier, ...]
    is_set_aside: bool = False

    @property
    def order(self) -> tuple[datetime, UUID, str, UUID]:
        """The canonical order: event time, source, message; the id settles the two claims of one message."""
        return self.first_at, self.source_id, self.first_message_id, self.claim_id


DecisionKind = Literal["link", "part", "unlink", "block", "shared", "unshared", "grow", "closed", "unblock"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person, or an `alias` call, decided of two identifiers (or profile nodes), or of one, which is then both.

    Of two: link, they belong together; part, they never do; unlink, the identifier doesn't speak for that profile's customer,
    whoever claims it. Of one identifier: block, it points at nobody; shared or unshared, it does or doesn't point at too many.
    Of one node of a quarantined customer: grow or closed, it may take up more (`most`) or not. The latest about the same counts.
    """

    decision_id: UUID
    kind: DecisionKind
    one: Identifier
    other: Identifier
    rule: Literal["alias", "manual"]
    decided_at: datetime
    actor: str = "system"
    reason: str | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who decides, and why: `client:<id>` or a staff person's subject; the reason in their own words."""

    actor: str
    reason: str | None = None


def claim_id(key: ProfileKey, identifiers: Sequence[Identifier]) -> UUID:
    """The id of what a claim says: equal profile and identifiers, equal id."""
    return _hashed("claim", key.source_id.hex, *key[1:], *(part for one in sorted(identifiers) for part in one))


def decision_id(kind: str, one: Identifier, other: Identifier, rule: str) -> UUID:
    """The id of a decision; telling it twice is telling it once."""
    return _hashed("decision", kind, rule, *(part for node in sorted((one, other)) for part in node))


def request_id(actor: str, key: str) -> UUID:
    """The id of the decision that a request with this idempotency key makes: the same request, the same decision."""
    return _hashed("request", actor, key)


def finding_id(kind: str, *about: str) -> UUID:
    """The id of something found for people to decide: by its kind and what it is about."""
    return _hashed("finding", kind, *about)


def profile_node(profile_id: UUID) -> Identifier:
    """The node that stands for the profile itself."""
    return Identifier(PROFILE, profile_id.hex)


def _hashed(*parts: str) -> UUID:
    """UUIDv8 of length-prefixed parts, so that no two lists of parts read the same."""
    told = [part.encode("utf-8", "surrogatepass") for part in parts]
    digest = hashlib.blake2b(b"".join(len(one).to_bytes(4, "big") + one for one in told), digest_size=16)
    number = int.from_bytes(digest.digest(), "big")
    number = number & ~(0xF << 76) | 8 << 76
    return UUID(int=number & ~(0x3 << 62) | 2 << 62)
