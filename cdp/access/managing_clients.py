"""Administering OAuth clients: for administrators' tools and the command line. Synchronous, in the caller's transaction.

Nobody grants above themselves: who acts may give a client scopes, or a secret to one that has them, only of their own. Every
change is on record with what was before; no secret is, nor is one told twice.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from cdp.access.audit import Actor, record
from cdp.access.client_keys import read_public_keys
from cdp.access.clients import EXTRANET_CLIENT_ID
from cdp.access.people import CLIENT_CREDENTIALS, NewClient, create_client
from cdp.access.sealing import digest, new_secret
from cdp.access.viewer import Scope
from cdp.db.statements import load_statements
from cdp.errors import InvalidField, Mistake

IDENTITY_SCOPES: Final = ("openid", "profile", "email")
FOR_STAFF: Final = ("authorization_code", "refresh_token")
LONGEST_NAME: Final = 100
MOST_ADDRESSES: Final = 20
LONGEST_ADDRESS: Final = 2_000
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SQL: Final = load_statements("cdp.access", "managing.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """An OAuth client as it is registered."""

    client_id: str
    name: str
    auth_method: str
    grant_types: list[str]
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
    backchannel_logout_uri: str | None
    scopes: list[str]
    trusted_only: bool
    is_disabled: bool

    @property
    def shown(self) -> dict[str, Any]:
        """What the audit record keeps of it."""
        return {
            "name": self.name,
            "grants": self.grant_types,
            "redirectUris": self.redirect_uris,
            "postLogoutRedirectUris": self.post_logout_redirect_uris,
            "backchannelLogoutUri": self.backchannel_logout_uri,
            "scopes": self.scopes,
            "trustedOnly": self.trusted_only,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientChange:
    """What is to be changed of a client; None stays as it is."""

    name: str | None = None
    scopes: Collection[str] | None = None
    redirect_uris: Sequence[str] | None = None
    post_logout_redirect_uris: Sequence[str] | None = None
    backchannel_logout_uri: str | None = None
    trusted_only: bool | None = None


class ClientDesk:
    """Where clients are administered by `actor`, who has `scopes` to give away."""

    def __init__(self, connection: Connection[Any], actor: Actor, scopes: Collection[Scope] = tuple(Scope)) -> None:
        self._connection = connection
        self._actor = actor
        self._scopes = frozenset(scope.value for scope in scopes)

    def create(
        self,
        *,
        name: str,
        scopes: Collection[str],
        redirect_uris: Sequence[str] = (),
        post_logout_redirect_uris: Sequence[str] = (),
        backchannel_logout_uri: str | None = None,
        public_keys: str | None = None,
        trusted_only: bool = False,
    ) -> NewClient | Mistake:
        """Register a client. With `redirect_uris` staff can let it act for them; with `public_keys` it signs instead."""
        addresses = [*redirect_uris, *post_logout_redirect_uris, *filter(None, [backchannel_logout_uri])]
        wrong = _name_wrong(name) or self._scopes_wrong(scopes) or _addresses_wrong(addresses)
        keys = _read_keys(public_keys) if public_keys is not None and not wrong else None
        if wrong or isinstance(keys, Mistake):
            return wrong or keys  # type: ignore[return-value] # mypy: one of the two is a mistake
        made = create_client(
            self._connection,
            name=name,
            scopes=[Scope(scope) for scope in scopes],
            grant_types=(CLIENT_CREDENTIALS, *(FOR_STAFF if redirect_uris else ())),
            redirect_uris=redirect_uris,
            identity_scopes=IDENTITY_SCOPES if redirect_uris else (),
            public_keys=keys,
            post_logout_redirect_uris=post_logout_redirect_uris,
            backchannel_logout_uri=backchannel_logout_uri,
            trusted_only=trusted_only,
        )
        after = self._found(made.client_id)
        assert after is not None  # noqa: S101 - it was just made
        record(self._connection, self._actor.did("oauth_client_created", made.client_id, after=after.shown))
        return made

    def update(self, client_id: str, change: ClientChange) -> Client | Mistake:
        """Change what is registered of a client."""
        before = self._to_change(client_id, scopes=change.scopes is not None)
        if isinstance(before, Mistake):
            return before
        addresses = [
            *(change.redirect_uris or ()),
            *(change.post_logout_redirect_uris or ()),
            *filter(None, [change.backchannel_logout_uri]),
        ]
        wrong = (
            (_name_wrong(change.name) if change.name is not None else None)
            or (self._scopes_wrong(change.scopes) if change.scopes is not None else None)
            or _addresses_wrong(addresses)
        )
        if wrong:
            return wrong
        after = _changed(before, change)
        # Where it sends people's codes is as good as its secret: who may not have the one may not set the other.
        if (after.redirect_uris, after.backchannel_logout_uri) != (
            before.redirect_uris,
            before.backchannel_logout_uri,
        ) and (mistake := self._beyond(before.scopes)):
            return mistake
        values = {name: getattr(after, name) for name in Client.__slots__}
        self._connection.execute(_SQL["change_client"], values)
        if after != before:
            self._note("oauth_client_updated", client_id, before=before.shown, after=after.shown)
        return after

    def rotate_secret(self, client_id: str) -> NewClient | Mistake:
        """A new secret in place of the old, or of its keys; the old one is refused at once."""
        before = self._to_change(client_id, scopes=True)
        if isinstance(before, Mistake):
            return before
        if before.auth_method == "none":
            return Mistake(code="client_is_public", message="A public client has no secret.", field=("clientId",))
        secret = new_secret()
        self._connection.execute(_SQL["replace_secret"], {"client_id": client_id, "secret_hash": digest(secret)})
        self._note("oauth_client_secret_rotated", client_id, before=before.auth_method)
        return NewClient(client_id=client_id, client_secret=secret, scopes=tuple(before.scopes))

    def register_keys(self, client_id: str, public_keys: str) -> Client | Mistake:
        """From now on the client signs with one of these public keys: PEM, a JWK or a JWK Set. Its secret is refused at once."""
        before = self._to_change(client_id, scopes=True)
        if isinstance(before, Mistake):
            return before
        keys = _read_keys(public_keys)
        if isinstance(keys, Mistake):
            return keys
        self._connection.execute(_SQL["replace_keys"], {"client_id": client_id, "jwks": Jsonb(keys)})
        kids = [key["kid"] for key in keys["keys"]]
        self._note("oauth_client_keys_registered", client_id, before=before.auth_method, kids=kids)
        return replace(before, auth_method="private_key_jwt")

    def disable(self, client_id: str) -> Client | Mistake:
        """Refuse the client, and every token it has, within seconds."""
        before = self._to_change(client_id)
        if isinstance(before, Mistake):
            return before
        if client_id == self._actor.client_id:
            return Mistake(code="client_is_yours", message="A tool can't disable itself.", field=("clientId",))
        self._connection.execute(_SQL["disable_client"], {"client_id": client_id, "is_disabled": True})
        self._connection.execute(_SQL["revoke_client_tokens"], {"client_id": client_id})
        if not before.is_disabled:
            self._note("oauth_client_disabled", client_id)
        return replace(before, is_disabled=True)

    def enable(self, client_id: str) -> Client | Mistake:
        """Let a disabled client in again; its old tokens stay refused."""
        before = self._to_change(client_id, scopes=True)
        if isinstance(before, Mistake):
            return before
        self._connection.execute(_SQL["disable_client"], {"client_id": client_id, "is_disabled": False})
        if before.is_disabled:
            self._note("oauth_client_enabled", client_id)
        return replace(before, is_disabled=False)

    def sign_out(self, client_id: str) -> Client | Mistake:
        """Refuse every token the client has by now, within seconds; it may ask for new ones."""
        before = self._to_change(client_id)
        if isinstance(before, Mistake):
            return before
        self._connection.execute(_SQL["revoke_client_tokens"], {"client_id": client_id})
        self._note("oauth_client_signed_out", client_id)
        return before

    def _to_change(self, client_id: str, *, scopes: bool = False) -> Client | Mistake:
        """A client that may be changed. `scopes`: by what gives its scopes to whoever acts."""
        found = self._found(client_id) if "\0" not in client_id else None
        if found is None:
            return Mistake(code="client_not_found", message="There is no such OAuth client.", field=("clientId",))
        if client_id == EXTRANET_CLIENT_ID:
            message = "The extranet's own client follows the settings."
            return Mistake(code="client_is_built_in", message=message, field=("clientId",))
        return (self._beyond(found.scopes) if scopes else None) or found

    def _found(self, client_id: str) -> Client | None:
        with self._connection.cursor(row_factory=class_row(Client)) as cursor:
            return cursor.execute(_SQL["client"], {"client_id": client_id}).fetchone()

    def _scopes_wrong(self, scopes: Collection[str]) -> Mistake | None:
        known = {scope.value for scope in Scope}
        unknown = sorted(set(scopes) - known - set(IDENTITY_SCOPES))
        if unknown or not set(scopes) & known:
            message = f"Scopes are {', '.join(sorted(known))}; at least one is needed."
            return Mistake(code="scope_unknown", message=message, field=("scopes",))
        return self._beyond(scopes)

    def _beyond(self, scopes: Collection[str]) -> Mistake | None:
        beyond = sorted(set(scopes) - self._scopes - set(IDENTITY_SCOPES))
        if not beyond:
            return None
        message = f"You can't give what you don't have: {', '.join(beyond)}."
        return Mistake(code="beyond_your_scopes", message=message, field=("scopes",))

    def _note(self, event: str, client_id: str, **details: Any) -> None:
        record(self._connection, self._actor.did(event, client_id, **details))


def list_clients(connection: Connection[Any]) -> list[tuple[Any, ...]]:
    """Rows of `clients`."""
    return connection.execute(_SQL["clients"]).fetchall()


def _changed(client: Client, change: ClientChange) -> Client:
    redirect_uris = client.redirect_uris if change.redirect_uris is None else list(change.redirect_uris)
    own = client.scopes if change.scopes is None else change.scopes
    identity = IDENTITY_SCOPES if redirect_uris else ()
    kept = {scope.value for scope in Scope}
    grants = [grant for grant in client.grant_types if grant not in FOR_STAFF]
    leads_out = change.backchannel_logout_uri
    return replace(
        client,
        name=client.name if change.name is None else change.name.strip(),
        scopes=[*identity, *sorted(set(own) & kept)],
        redirect_uris=redirect_uris,
        grant_types=[*grants, *(FOR_STAFF if redirect_uris else ())],
        post_logout_redirect_uris=(
            client.post_logout_redirect_uris
            if change.post_logout_redirect_uris is None
            else list(change.post_logout_redirect_uris)
        ),
        backchannel_logout_uri=client.backchannel_logout_uri if leads_out is None else leads_out or None,
        trusted_only=client.trusted_only if change.trusted_only is None else change.trusted_only,
    )


def _name_wrong(name: str) -> Mistake | None:
    if name.strip() and len(name) <= LONGEST_NAME and name.isprintable():
        return None
    message = f"1 to {LONGEST_NAME} printable characters."
    return Mistake(code="name_invalid", message=message, field=("name",))


def _addresses_wrong(addresses: Collection[str]) -> Mistake | None:
    """Of redirect addresses: https, or http on the person's own machine (RFC 8252 §7.3); no fragment, user or wildcard."""
    wrong = len(addresses) > MOST_ADDRESSES or not all(map(_address_is_fine, addresses))
    if not wrong:
        return None
    message = (
        f"At most {MOST_ADDRESSES} addresses of https, or http on localhost, each whole and without a fragment,"
        " compared character by character."
    )
    return Mistake(code="address_invalid", message=message, field=("redirectUris",))


def _address_is_fine(address: str) -> bool:
    if len(address) > LONGEST_ADDRESS or not address.isascii() or not address.isprintable() or " " in address:
        return False
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    safe = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    return (
        bool(safe and host)
        and "#" not in address
        and "*" not in address
        and "@" not in parts.netloc
        and "\\" not in address
    )


def _read_keys(public_keys: str) -> dict[str, Any] | Mistake:
    try:
        return read_public_keys(public_keys.encode())
    except InvalidField as error:
        return Mistake(code="keys_invalid", message=f"The {error.field} {error.problem}", field=("publicKeys",))
