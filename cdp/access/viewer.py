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

ENTER: Final = "SELECT enter_account(%s, %s, %s)"
"""Tells row-level security, until the transaction ends, whom it reads for; where they don't belong it reads for nobody. Goes with
`entry`.
"""


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
    view's own, which no member has. `sites`: those whose orders they see, by name; None: of every site.
    """

    member_id: UUID
    account_id: UUID
    role: Role
    is_looking: bool = False
    sites: tuple[str, ...] | None = None

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


def entry(member: Member) -> tuple[UUID | None, UUID | None, UUID]:
    """What ENTER is given: who, or else which view of staff, and the account."""
    who, view = (None, member.member_id) if member.is_looking else (member.member_id, None)
    return who, view, member.account_id
