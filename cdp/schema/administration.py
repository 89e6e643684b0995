"""People and tools in the contract, for administrators: OAuth clients, members with their accounts and sessions, staff.

Secrets are answered by what makes them, once, and never here.
"""

import enum
from datetime import date, datetime

import strawberry

from cdp.access.issuer.tables import oauth_client
from cdp.access.tables import invite, login_session, member, membership, staff
from cdp.access.viewer import Scope
from cdp.graph.declaration import by, many, one, page, scalar
from cdp.resolvers import administration as resolvers
from cdp.schema.base import Connection, Node, graph, node_id


@strawberry.enum(description="How an OAuth client proves who it is.")
class ClientAuthMethod(enum.Enum):
    """Methods of client authentication."""

    CLIENT_SECRET_BASIC = strawberry.enum_value("client_secret_basic", description="It tells a secret.")
    PRIVATE_KEY_JWT = strawberry.enum_value("private_key_jwt", description="It signs with a key of its own (RFC 7523).")
    NONE = strawberry.enum_value("none", description="Not at all: a public client.")


@strawberry.enum(description="What a member may see in an account.")
class MemberRole(enum.Enum):
    """Roles of members."""

    CLIENT_ADMIN = strawberry.enum_value("client_admin", description="Everything, and who else belongs to it.")
    FINANCE = strawberry.enum_value("finance", description="Statements, invoices and orders.")
    BUYER = strawberry.enum_value("buyer", description="Orders; no balances.")
    VIEWER = strawberry.enum_value("viewer", description="Orders, to read.")


@graph.type(scope=Scope.ADMIN, table=oauth_client, key=("client_id",), order=(by("name"),))
class OAuthClient:
    """A tool or an integrator, as the embedded issuer knows it. Default order: name."""

    client_id: str = scalar("client_id", "What it calls itself.", filters=True)
    name: str = scalar("name", "What people call it.", filters=True, orders=True)
    auth_method: ClientAuthMethod = scalar("auth_method", "How it proves who it is.", filters=True)
    grant_types: list[str] = scalar("grant_types", "Ways in which it may ask for tokens.")
    scopes: list[str] = scalar("scopes", "The most that it may ever ask for.")
    redirect_uris: list[str] = scalar("redirect_uris", "Where people are sent back to, character by character.")
    post_logout_redirect_uris: list[str] = scalar("post_logout_redirect_uris", "Where they are sent after signing out.")
    backchannel_logout_uri: str | None = scalar(
        "backchannel_logout_uri", "Where it is told that a person's session ended."
    )
    trusted_only: bool = scalar("trusted_only", "Whether it may run trusted documents only.", filters=True)
    created_at: datetime = scalar("created_at", "When it was registered.", filters=True, orders=True)
    disabled_at: datetime | None = scalar("disabled_at", "Since when it is refused.", filters=True)
    tokens_from: datetime | None = scalar("tokens_from", "Access tokens issued earlier are refused.")


@graph.type(scope=Scope.ADMIN, table=membership, key=("account_id",), order=(by("created_at"),))
class Membership:
    """That a member belongs to an account. Default order: oldest first."""

    account_id: strawberry.ID = scalar(resolvers.account_id, "The account.", filters=True)
    role: MemberRole = scalar("role", "What they may see there.", filters=True)
    sites: list[str] | None = scalar("sites", "Sites whose orders they see; null: of every one.")
    since: datetime = scalar("created_at", "When they were let in.", filters=True)


@graph.type(scope=Scope.ADMIN, table=login_session, key=("session_hash",), order=(by("created_at", descending=True),))
class MemberSession:
    """A live session of a member in the extranet. Default order: latest first."""

    session_id: str = scalar(resolvers.session_name, "Names it for memberEndSession; it opens nothing.")
    account_id: strawberry.ID = scalar(resolvers.account_id, "The account it is in now.")
    device: str | None = scalar("device", "Browser and system.")
    signed_in_at: datetime = scalar("created_at", "When it began.")
    last_seen_at: datetime = scalar("last_seen_at", "When it last asked for something; to the minute.")


@graph.type(scope=Scope.ADMIN, table=member, key=("member_id",), order=(by("email"),), prefix="mem")
class AccountMember(Node):
    """A person who may sign in to the extranet, known by issuer and subject. Default order: e-mail."""

    id: strawberry.ID = node_id("mem", "member_id")
    email: str = scalar("email", "For letters and lists; never a key.", filters=True, orders=True)
    name: str = scalar("name", "Name.", filters=True, orders=True)
    issuer: str = scalar("issuer", "Who says who they are.", filters=True)
    subject: str = scalar("subject", "What that issuer calls them.", filters=True)
    created_at: datetime = scalar("created_at", "When they first were let in.", filters=True, orders=True)
    disabled_at: datetime | None = scalar("disabled_at", "Since when they are let in nowhere.", filters=True)
    memberships: Connection[Membership] = page(resolvers.memberships, "Where they belong to.", filters=True)
    sessions: list[MemberSession] = many(resolvers.sessions, "Where they are signed in now, latest first.", most=20)


@graph.type(scope=Scope.ADMIN, table=staff, key=("staff_id",), order=(by("email"),), prefix="stf")
class StaffPerson(Node):
    """Somebody of the company's staff, as administrators see them. Default order: e-mail."""

    id: strawberry.ID = node_id("stf", "staff_id")
    email: str = scalar("email", "E-mail address.", filters=True, orders=True)
    name: str = scalar("name", "Name.", filters=True, orders=True)
    title: str | None = scalar("title", "Position.")
    phone: str | None = scalar("phone", "Phone number.")
    issuer: str | None = scalar("issuer", "Who says who they are, where tools may act for them.")
    subject: str | None = scalar("subject", "What that issuer calls them.", filters=True)
    created_at: datetime = scalar("created_at", "When they were added.", orders=True)
    away_from: date | None = scalar("away_from_on", "First day of the absence that was said last.", filters=True)
    away_to: date | None = scalar("away_to_on", "Last day of it.", filters=True)
    deputy: "StaffPerson | None" = one(resolvers.deputy_of, "Who stands in meanwhile.")
    disabled_at: datetime | None = scalar("disabled_at", "Since when no tool may act for them.", filters=True)


@graph.type(
    scope=Scope.ADMIN,
    member=Scope.GRAPH_READ,
    key=("member_id",),
    order=(by("name"),),
    visible=resolvers.is_own_record,
)
class AccountPerson:
    """Somebody who may sign in for an account. Its client admins see them; other members nobody. Default order: name."""

    id: strawberry.ID = node_id("mem", "member_id")
    name: str = scalar("name", "Name.", filters=True, orders=True)
    email: str = scalar("email", "E-mail address.", filters=True, orders=True)
    role: MemberRole = scalar("role", "What they may see.", filters=True)
    sites: list[str] | None = scalar("sites", "Sites whose orders they see; null: of every one.")
    since: datetime = scalar("created_at", "When they were let in.", filters=True)
    last_signed_in_at: datetime | None = scalar(
        "last_signed_in_at",
        "When they last signed in to the account, or came to it from another; null: not yet.",
        filters=True,
    )
    disabled_at: datetime | None = scalar("disabled_at", "Since when the company lets them in nowhere.")


@graph.type(
    scope=Scope.ADMIN,
    member=Scope.GRAPH_READ,
    table=invite,
    key=("invite_id",),
    order=(by("created_at", descending=True),),
    visible=resolvers.is_own_record,
)
class AccountInvite:
    """An invitation into an account that can still be accepted. For client admins. Default order: latest first."""

    id: strawberry.ID = node_id("inv", "invite_id")
    email: str = scalar("email", "Whom it is for; nobody else can accept it.", filters=True)
    role: MemberRole = scalar("role", "What they will see.", filters=True)
    sites: list[str] | None = scalar("sites", "Sites whose orders they will see; null: of every one.")
    invited_at: datetime = scalar("created_at", "When they were invited.")
    expires_at: datetime = scalar(resolvers.expires_at, "Until when it can be accepted.")


@strawberry.type
class AdministrationQuery:
    """Roots for administrators; the query root has them."""

    oauth_client: OAuthClient | None = one(
        resolvers.client_by_id,
        "An OAuth client of the embedded issuer.",
        scope=Scope.ADMIN,
        member=None,
        inputs={"clientId": (str, strawberry.UNSET, "Its id.")},
    )
    oauth_clients: Connection[OAuthClient] = page(
        resolvers.clients, "OAuth clients of the embedded issuer, by name.", scope=Scope.ADMIN, member=None
    )
    members: Connection[AccountMember] = page(
        resolvers.members, "People who may sign in to the extranet, by e-mail.", scope=Scope.ADMIN, member=None
    )
    staff: Connection[StaffPerson] = page(
        resolvers.staff_people, "The company's staff, by e-mail.", scope=Scope.ADMIN, member=None
    )
