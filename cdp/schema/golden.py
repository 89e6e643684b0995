"""What is concluded of a customer, in the contract: golden values with whose statement each is, and quarantine."""

import enum
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from cdp.access.viewer import Scope
from cdp.graph.declaration import by, one, scalar
from cdp.resolvers import customer as customer_resolvers
from cdp.resolvers import golden as resolvers
from cdp.schema.base import graph

if TYPE_CHECKING:
    from cdp.schema.customer import Profile, Source


@graph.type(scope=Scope.GRAPH_PII, key=("trait",), order=(by("trait"),))
class GoldenTrait:
    """One golden value and where it comes from: of what all profiles say, a source ranked for the trait before others, a
    verified source before others, then the newest. Default order: name.
    """

    name: str = scalar("trait", "The trait.", filters=True)
    value: JSON = scalar("value", "Its value.")
    at: datetime = scalar("stated_at", "When it was stated, by event time.", filters=True)
    source: Annotated["Source", strawberry.lazy("cdp.schema.customer")] = one(
        customer_resolvers.source_of, "The source that stated it."
    )
    profile: Annotated["Profile", strawberry.lazy("cdp.schema.customer")] = one(
        resolvers.profile_of, "The profile it was stated of."
    )


@strawberry.enum(description="Of what a customer has, or would have, too many.")
class QuarantineReason(enum.Enum):
    """Rule 5's limits."""

    PROFILES = strawberry.enum_value("profiles", description="Profiles.")
    IDENTIFIERS = strawberry.enum_value("identifiers", description="Identifiers.")
    STATEMENTS = strawberry.enum_value("statements", description="Different claims about one profile or identifier.")


@graph.type(scope=Scope.GRAPH_READ, key=("customer_id",))
class Quarantine:
    """Nothing merges into a customer in quarantine by itself, until somebody lets it grow."""

    at: datetime = scalar("quarantined_at", "Since when, by the event time of what was too much.", filters=True)
    reason: QuarantineReason = scalar("quarantine", "Of what there is too much.", filters=True)
