"""Making OAuth clients, staff, members and invites: what the command line, the demo and tests use. Synchronous, as
`cdp_app`.

Secrets are answered once, in clear, and kept as hashes. The caller's transaction holds it all.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg import Connection
from psycopg.types.json import Jsonb

from cdp.access.passwords import hash_password
from cdp.access.sealing import digest, new_secret
from cdp.access.viewer import Role, Scope
from cdp.db.statements import load_statements
from cdp.errors import Conflict, InvalidField, NotFound

CLIENT_CREDENTIALS: Final = "client_credentials"
_SQL: Final = load_statements("cdp.access")
_ISSUER_SQL: Final = load_statements("cdp.access.issuer")


class NoAccountWithNumber(NotFound):
    """There is no account {number}."""

    number: str


class EmailTaken(Conflict):
    """Somebody with this e-mail signs in here already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewClient:
    """An OAuth client with its secret, which nobody can read again. `client_secret` None: a public client, or one that signs."""

    client_id: str
    client_secret: str | None
    scopes: tuple[str, ...]


def create_client(
    connection: Connection[Any],
    *,
    name: str,
    scopes: Collection[Scope],
    grant_types: Sequence[str] = (CLIENT_CREDENTIALS,),
    redirect_uris: Sequence[str] = (),
    identity_scopes: Sequence[str] = (),
    public: bool = False,
    public_keys: Mapping[str, Any] | None = None,
    post_logout_redirect_uris: Sequence[str] = (),
    backchannel_logout_uri: str | None = None,
    trusted_only: bool = False,
) -> NewClient:
    """Register an OAuth client. With `authorization_code` among the grants staff can let it act for them.

    `identity_scopes`: openid, profile, email. `public_keys`: a JWK Set (`read_public_keys`) of a client that signs instead of
    telling a secret. `backchannel_logout_uri`: where it is told that a session ended. `trusted_only`: of the graph it may run
    trusted documents only. Raises InvalidField when it could ask for nothing.
    """
    granted = (*identity_scopes, *sorted(scope.value for scope in scopes))
    if not granted:
        raise InvalidField(field="scope", problem="is required; a client without a scope may do nothing.")
    secret = None if public or public_keys else new_secret()
    client_id = f"{_slug(name)}-{new_secret()[:8].lower().replace('_', '0').replace('-', '0')}"
    connection.execute(
        _ISSUER_SQL["save_client"],
        {
            "client_id": client_id,
            "name": name,
            "secret_hash": digest(secret) if secret else None,
            "jwks": Jsonb(public_keys) if public_keys else None,
            "auth_method": _auth_method(public=public, signs=bool(public_keys)),
            "grant_types": list(grant_types),
            "redirect_uris": list(redirect_uris),
            "post_logout_redirect_uris": list(post_logout_redirect_uris),
            "backchannel_logout_uri": backchannel_logout_uri,
            "scopes": list(granted),
            "trusted_only": trusted_only,
        },
    )
    return NewClient(client_id=client_id, client_secret=secret, scopes=granted)


def create_member(
    connection: Connection[Any],
    *,
    issuer: str,
    email: str,
    name: str,
    password: str,
    accounts: Sequence[tuple[str, Role]],
    locale: str = "en",
) -> UUID:
    """A person who signs in at the embedded issuer with `password`, member of accounts by number; answers the
    member's id.

    Raises EmailTaken, NoAccountWithNumber, InvalidField (password).
    """
    subject = _create_person(connection, email=email, name=name, password=password, locale=locale)
    return create_membership(
        connection, issuer=issuer, subject=subject, email=email, name=name, accounts=accounts, locale=locale
    )


def create_membership(
    connection: Connection[Any],
    *,
    issuer: str,
    subject: str,
    email: str,
    name: str,
    accounts: Sequence[tuple[str, Role]],
    locale: str = "en",
) -> UUID:
    """Let whoever `issuer` calls `subject` into accounts, by number; answers the member's id. Raises
    NoAccountWithNumber.
    """
    member = {"issuer": issuer, "subject": subject, "email": email, "name": name, "locale": locale}
    member_id: UUID = _one(connection, _SQL["save_member"], member)
    numbers, roles = [number for number, _ in accounts], [role.value for _, role in accounts]
    values = {"member_id": member_id, "numbers": numbers, "roles": roles}
    found = {row[0] for row in connection.execute(_SQL["save_memberships"], values)}
    for number in numbers:
        if number not in found:
            raise NoAccountWithNumber(number=number)
    return member_id


def create_staff(
    connection: Connection[Any],
    *,
    email: str,
    name: str,
    title: str | None = None,
    phone: str | None = None,
    issuer: str | None = None,
    password: str | None = None,
) -> UUID:
    """Somebody of the company's staff; with `issuer` and `password` they can sign in at the embedded issuer.

    Raises EmailTaken, InvalidField (password).
    """
    subject = None
    if password is not None:
        subject = _create_person(connection, email=email, name=name, password=password, locale="en")
    staff = {"email": email, "name": name, "title": title, "phone": phone, "issuer": issuer, "subject": subject}
    staff_id: UUID = _one(connection, _SQL["save_staff"], staff)
    return staff_id


def move_issuer(connection: Connection[Any], *, former: str, issuer: str) -> None:
    """The embedded issuer has a new address: members and staff who signed in at `former` are the same at `issuer`."""
    connection.execute(_SQL["move_members"], {"former": former, "issuer": issuer})
    connection.execute(_SQL["move_staff"], {"former": former, "issuer": issuer})


def invite_member(
    connection: Connection[Any],
    *,
    email: str,
    account_number: str,
    role: Role,
    invited_by: str,
    sites: Sequence[str] | None = None,
) -> str:
    """The secret of a new invite's link: single use, 72 hours, for this e-mail. `sites` are known to fit (`sites_problem`); None:
    every one. Raises NoAccountWithNumber.
    """
    account_id = account_by_number(connection, account_number)
    secret = new_secret()
    invite = {"invite": digest(secret), "email": _normal(email), "account_id": account_id, "role": role.value}
    limit = None if sites is None else list(sites)
    connection.execute(_SQL["save_invite"], {**invite, "invited_by": invited_by, "sites": limit})
    return secret


def account_by_number(connection: Connection[Any], number: str) -> UUID:
    """The id of the account with this number. Raises NoAccountWithNumber."""
    row = connection.execute(_SQL["account_by_number"], {"number": number}).fetchone()
    if row is None:
        raise NoAccountWithNumber(number=number)
    account_id: UUID = row[0]
    return account_id


def _auth_method(*, public: bool, signs: bool) -> str:
    if public:
        return "none"
    return "private_key_jwt" if signs else "client_secret_basic"


def _create_person(connection: Connection[Any], *, email: str, name: str, password: str, locale: str) -> str:
    values = {"email": _normal(email), "name": name, "locale": locale, "password_hash": hash_password(password)}
    row = connection.execute(_ISSUER_SQL["save_person"], values).fetchone()
    if row is None:
        raise EmailTaken
    return str(row[0])


def _one(connection: Connection[Any], statement: LiteralString, values: Mapping[str, object]) -> Any:
    row = connection.execute(statement, values).fetchone()
    return row[0] if row else None


def _normal(email: str) -> str:
    return email.strip().casefold()


def _slug(name: str) -> str:
    return "-".join(
        "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in name).lower().split()
    )
