"""Who is asking: the viewer, their scopes, and how the database is told.

Three kinds: a tool (an OAuth client, perhaps on behalf of a staff person), a member of an account (extranet), and
nobody. An empty scope set grants nothing. The roles of members and the scopes they carry are in one table,
`ROLE_SCOPES`.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID


class Scope(StrEnum):
    """What a token may do; few and plain."""

    GRAPH_READ = "graph:read"
    GRAPH_PII = "graph:pii"
    LEDGER_READ = "ledger:read"
    GRAPH_WRITE = "graph:write"
    IDENTITY_WRITE = "identity:write"
    IMPORT_WRITE = "import:write"
    FEED_READ = "feed:read"
    ADMIN = "admin"


READ_SCOPES: Final = frozenset({Scope.GRAPH_READ, Scope.GRAPH_PII, Scope.LEDGER_READ, Scope.FEED_READ})


class Role(StrEnum):
    """A member's role in an account."""

    CLIENT_ADMIN = "client_admin"
    FINANCE = "finance"
    BUYER = "buyer"
    VIEWER = "viewer"


ROLE_SCOPES: Final = MappingProxyType(
    {
        Role.VIEWER: frozenset({Scope.GRAPH_READ}),
        Role.BUYER: frozenset({Scope.GRAPH_READ}),
        Role.FINANCE: frozenset({Scope.GRAPH_READ, Scope.LEDGER_READ}),
        Role.CLIENT_ADMIN: frozenset({Scope.GRAPH_READ, Scope.LEDGER_READ}),
    }
)
"""Scopes of each role, inside the member's account and on fields open to members only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """An OAuth client with an access token; `acting_for` is the staff person's subject, when it acts for one.

    `trusted_only`: of the graph it may run trusted documents only.
    """

    client_id: str
    scopes: frozenset[Scope]
    acting_for: str | None = None
    trusted_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A person signed in to the extranet, in one account at a time.

    `is_looking`: somebody of the staff who sees what a member of this role sees, and changes nothing; `member_id` is then the
    view's own, which no member has.
    """

    member_id: UUID
    account_id: UUID
    role: Role
    is_looking: bool = False

    @property
    def scopes(self) -> frozenset[Scope]:
        """Scopes of the role."""
        return ROLE_SCOPES[self.role]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anonymous:
    """Nobody known: no scopes."""

    @property
    def scopes(self) -> frozenset[Scope]:
        """The empty set."""
        return frozenset()


Viewer = Tool | Member | Anonymous


def database_settings(viewer: Viewer) -> dict[str, str]:
    """Transaction-local settings row-level security reads; empty strings mean nobody."""
    if isinstance(viewer, Member):
        who = str(viewer.member_id)
        member, view = ("", who) if viewer.is_looking else (who, "")
        return {"cdp.member_id": member, "cdp.view_id": view, "cdp.account_id": str(viewer.account_id)}
    return {"cdp.member_id": "", "cdp.view_id": "", "cdp.account_id": ""}
