"""What administrators' mutations have in common: who acts, who may, and payloads with the object they are about."""

import strawberry

from cdp.access.audit import Actor, actor_of
from cdp.access.viewer import Scope, Tool
from cdp.graph.declaration import one
from cdp.graph.refusal import graphql_error
from cdp.resolvers import administration as resolvers
from cdp.schema.administration import AccountMember, OAuthClient, StaffPerson
from cdp.schema.mutations.acting import NothingChangesHere, UserError, authorise
from cdp.settings import Settings

NEEDS = "Needs the scope admin; it is on record."
ERRORS = "Why nothing was changed; empty when all went well."


@strawberry.type(description="What came of a mutation of an OAuth client.")
class OAuthClientPayload:
    """`client_id` is for the compiled field."""

    client: OAuthClient | None = one(
        resolvers.client_of, "The OAuth client; null after a mistake.", scope=Scope.ADMIN, member=None
    )
    user_errors: list[UserError] = strawberry.field(description=ERRORS)


@strawberry.type(description="What came of a mutation that makes a secret.")
class OAuthClientSecretPayload:
    """`client_id` is for the compiled field."""

    client: OAuthClient | None = one(
        resolvers.client_of, "The OAuth client; null after a mistake.", scope=Scope.ADMIN, member=None
    )
    client_secret: str | None = strawberry.field(
        description="Its secret, shown now and never again; null after a mistake and for a client that signs."
    )
    user_errors: list[UserError] = strawberry.field(description=ERRORS)


@strawberry.type(description="What came of a mutation of a member.")
class MemberPayload:
    """`member_id` is for the compiled field."""

    member: AccountMember | None = one(
        resolvers.member_of, "The member; null after a mistake.", scope=Scope.ADMIN, member=None
    )
    user_errors: list[UserError] = strawberry.field(description=ERRORS)


@strawberry.type(description="What came of memberInvite.")
class MemberInvitePayload:
    """Payload of memberInvite."""

    link: str | None = strawberry.field(
        description="Where they accept it: once, within 72 hours; shown now and never again. Null after a mistake, and for a"
        " client admin, whose invitations go by mail."
    )
    user_errors: list[UserError] = strawberry.field(description=ERRORS)


@strawberry.type(description="What came of a mutation of the staff.")
class StaffPayload:
    """`staff_id` is for the compiled field."""

    staff: StaffPerson | None = one(
        resolvers.staff_person_of, "The person; null after a mistake.", scope=Scope.ADMIN, member=None
    )
    user_errors: list[UserError] = strawberry.field(description=ERRORS)


PAYLOADS = (OAuthClientPayload, OAuthClientSecretPayload, MemberPayload, StaffPayload)


def administrator(info: strawberry.Info) -> tuple[Tool, Actor, Settings]:
    """Who acts, and the installation's settings. Raises a GraphQL error unless they have the scope admin."""
    viewer = authorise(info, scope=Scope.ADMIN)
    assert isinstance(viewer, Tool)  # noqa: S101 - no role of members may
    return viewer, actor_of(viewer), settings_of(info)


def settings_of(info: strawberry.Info) -> Settings:
    """The installation's settings. Raises a GraphQL error where nothing can be changed."""
    settings: Settings | None = None if info.context.writing is None else info.context.writing.settings
    if settings is None:
        raise graphql_error(NothingChangesHere(), list(info._raw_info.field_nodes))  # noqa: SLF001 - Strawberry's wrapper
    return settings
