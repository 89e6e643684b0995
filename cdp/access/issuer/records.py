"""What Authlib asks of clients, people, codes and tokens, answered from rows. Names of methods are Authlib's."""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, TokenMixin

from cdp.access.sealing import digest

REFRESH_TOKEN_LIFE: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient(ClientMixin):  # type: ignore[misc]
    """A registered OAuth client. Redirect addresses are compared character by character."""

    client_id: str
    name: str
    secret_hash: bytes | None
    jwks: dict[str, Any] | None
    auth_method: str
    grant_types: list[str]
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
    scopes: list[str]

    @property
    def client_metadata(self) -> dict[str, Any]:
        """What the end-session endpoint reads."""
        return {"post_logout_redirect_uris": self.post_logout_redirect_uris}

    def get_client_id(self) -> str:
        """Its id."""
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """None: a request must say where it wants to be sent."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """What was asked, all of it or None; everything it may have when it asked for nothing (RFC 6749 §3.3)."""
        asked = (scope or "").split() or self.scopes
        return " ".join(dict.fromkeys(asked)) if set(asked) <= set(self.scopes) else None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Whether it is registered, exactly so (RFC 9700 §2.1)."""
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        """Whether this is its secret."""
        return self.secret_hash is not None and hmac.compare_digest(bytes(self.secret_hash), digest(client_secret))

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002 - Authlib's signature
        """Only the registered method, at every endpoint."""
        return method == self.auth_method

    def check_response_type(self, response_type: str) -> bool:
        """Only `code`."""
        return response_type == "code" and "authorization_code" in self.grant_types

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether the grant is registered for it."""
        return grant_type in self.grant_types


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who can sign in; `is_staff` may authorise tools to act for them."""

    user_id: UUID
    email: str
    name: str
    locale: str
    is_staff: bool

    def get_user_id(self) -> str:
        """The subject."""
        return str(self.user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A person with their session at the issuer: the user of an authorization request."""

    person: Person
    sid: UUID
    authenticated_at: datetime
    methods: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeemedCode(AuthorizationCodeMixin):  # type: ignore[misc]
    """An authorization code on its one way to tokens."""

    user_id: UUID
    family_id: UUID
    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str
    sid: UUID
    authenticated_at: datetime
    methods: list[str]
    code_challenge_method: str = "S256"

    def get_redirect_uri(self) -> str:
        """Where the code was sent."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """What was granted."""
        return self.scope

    def get_nonce(self) -> str | None:
        """The client's nonce."""
        return self.nonce

    def get_auth_time(self) -> int:
        """When the person signed in, in seconds."""
        return int(self.authenticated_at.timestamp())

    def get_acr(self) -> None:
        """Not stated."""

    def get_amr(self) -> list[str]:
        """How the person signed in (RFC 8176)."""
        return self.methods


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken(TokenMixin):  # type: ignore[misc]
    """A refresh token of a client."""

    family_id: UUID
    client_id: str
    user_id: UUID
    scope: str
    authenticated_at: datetime
    created_at: datetime

    def check_client(self, client: OAuthClient) -> bool:
        """Whether it was issued to this client."""
        return self.client_id == client.client_id

    def get_scope(self) -> str:
        """What was granted."""
        return self.scope

    def get_expires_in(self) -> int:
        """How long a refresh token is good, in seconds."""
        return int(REFRESH_TOKEN_LIFE.total_seconds())

    def is_expired(self) -> bool:
        """Whether its time is over."""
        return self.created_at + REFRESH_TOKEN_LIFE < datetime.now(UTC)

    def is_revoked(self) -> bool:
        """False: a used or revoked one is never found."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken(TokenMixin):  # type: ignore[misc]
    """One of our own access tokens, brought to be revoked or introspected; its signature is checked already."""

    claims: dict[str, Any]
    revoked: bool

    def check_client(self, client: OAuthClient) -> bool:
        """Whether it was issued to this client."""
        return bool(self.claims["client_id"] == client.client_id)

    def is_expired(self) -> bool:
        """False: an expired one is never found."""
        return False

    def is_revoked(self) -> bool:
        """Whether it was revoked before its time."""
        return self.revoked
