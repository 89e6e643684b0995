"""The authorization server: Authlib's, with the defaults that access.md calls traps replaced.

Built anew for each request around that request's rows. Every deviation from Authlib's default says what would happen
without it.
"""

import time
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import orjson
from authlib.oauth2.rfc6749 import AuthorizationServer, InvalidRequestError, OAuth2Payload, OAuth2Request
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, ClientCredentialsGrant, RefreshTokenGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from authlib.oauth2.rfc9207.parameter import IssuerParameter
from authlib.oidc.core import OpenIDCode
from joserfc.jwk import KeySet
from starlette.responses import Response

from cdp.access.issuer.assertions import METHOD, by_assertion, require_one_proof
from cdp.access.issuer.records import OAuthClient, Person, RedeemedCode, RefreshToken
from cdp.access.issuer.signing_keys import ALGORITHM, SigningKeys
from cdp.access.issuer.store import Store
from cdp.access.sealing import new_secret
from cdp.access.viewer import Scope

ACCESS_TOKEN_SECONDS: Final = 600
ID_TOKEN_SECONDS: Final = 600
CONFIDENTIAL: Final = ("client_secret_basic", METHOD)
CLIENT_AUTH: Final = (*CONFIDENTIAL, "none")
IDENTITY_SCOPES: Final = ("openid", "profile", "email")
API_SCOPES: Final = frozenset(scope.value for scope in Scope)


class IssuerRequest(OAuth2Request):  # type: ignore[misc]
    """A request as Authlib wants it; its address is the issuer's own, never what a Host header says."""

    def __init__(self, method: str, uri: str, headers: Mapping[str, str], fields: list[tuple[str, str]]) -> None:
        super().__init__(method, uri, headers=headers)
        self.payload = _Payload(fields)

    @property
    def args(self) -> dict[str, str]:
        """Its fields, whether query (authorize) or form (token): the edge takes one of the two, never both."""
        return self.payload.data

    @property
    def form(self) -> dict[str, str]:
        """As `args`."""
        return self.payload.data


class IssuerResponse(Response):
    """Has the `location` that Authlib's RFC 9207 extension rewrites."""

    @property
    def location(self) -> str | None:
        """Where it redirects to."""
        return self.headers.get("location")

    @location.setter
    def location(self, value: str) -> None:
        self.headers["location"] = value


class IssuerServer(AuthorizationServer):  # type: ignore[misc]
    """One request's authorization server. `family_id` is set once a code or refresh token was accepted."""

    def __init__(self, store: Store, keys: SigningKeys, *, issuer: str, audience: str) -> None:
        super().__init__(scopes_supported=[*IDENTITY_SCOPES, *sorted(API_SCOPES)])
        self.store = store
        self.keys = keys
        self.issuer = issuer
        self.audience = audience
        self.family_id: UUID | None = None
        self.register_client_auth_method(METHOD, by_assertion(store, issuer=issuer))
        self.register_token_generator("default", _AccessTokens(self))
        self.register_grant(_CodeGrant, [_RequirePkce(required=True), _IdTokens(self)])
        self.register_grant(_RefreshGrant)
        self.register_grant(_ClientCredentials)
        self.register_extension(_NamedIssuer(issuer))

    def authenticate_client(self, request: IssuerRequest, methods: list[str], endpoint: str = "token") -> OAuthClient:
        """The client that a request proves to be, in one way. Raises InvalidClientError."""
        require_one_proof(request)
        found: OAuthClient = super().authenticate_client(request, methods, endpoint)
        return found

    def query_client(self, client_id: str) -> OAuthClient | None:
        """An enabled client. What a text of the database can't hold names none."""
        return None if "\0" in client_id else self.store.client(client_id)

    def save_token(self, token: dict[str, Any], request: IssuerRequest) -> None:
        """Keep the refresh token's hash; access tokens are not kept."""
        grant: RedeemedCode | RefreshToken | None = request.authorization_code or request.refresh_token
        if "refresh_token" in token and grant is not None:
            self.store.save_refresh_token(
                token["refresh_token"],
                family_id=grant.family_id,
                client_id=request.client.client_id,
                user_id=grant.user_id,
                scope=token["scope"],
                authenticated_at=grant.authenticated_at,
            )

    def create_oauth2_request(self, request: IssuerRequest) -> IssuerRequest:
        """As it is: the edge made it."""
        return request

    def handle_response(self, status: int, body: object, headers: list[tuple[str, str]]) -> IssuerResponse:
        """Never stored by anybody."""
        return answer(status, body, dict(headers))

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nobody listens."""


def answer(status: int, body: object, headers: Mapping[str, str] | None = None) -> IssuerResponse:
    """JSON, or an empty body; never stored."""
    made = IssuerResponse(orjson.dumps(body) if isinstance(body, dict) else "", status_code=status)
    made.headers.update({**(headers or {}), "Cache-Control": "no-store", "Pragma": "no-cache"})
    if isinstance(body, dict):
        made.headers["Content-Type"] = "application/json"
    return made


class _Payload(OAuth2Payload):  # type: ignore[misc]
    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._data: dict[str, str] = {}
        self._lists: dict[str, list[str]] = {}
        for name, value in fields:
            self._data.setdefault(name, value)
            self._lists.setdefault(name, []).append(value)

    @property
    def data(self) -> dict[str, str]:
        return self._data

    @property
    def datalist(self) -> dict[str, list[str]]:
        return self._lists


class _RequirePkce(CodeChallenge):  # type: ignore[misc]
    """S256 from everybody. Authlib's `required=True` lets confidential clients through without, and anybody with
    `plain`.
    """

    SUPPORTED_CODE_CHALLENGE_METHOD: Final = ["S256"]

    def validate_code_challenge(self, grant: AuthorizationCodeGrant, redirect_uri: str) -> None:
        data = grant.request.payload.data
        if not data.get("code_challenge") or data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE with 'code_challenge_method=S256' is required.")
        super().validate_code_challenge(grant, redirect_uri)

    def validate_code_verifier(self, grant: AuthorizationCodeGrant, result: object) -> None:
        if not grant.request.form.get("code_verifier"):
            raise InvalidRequestError("Missing 'code_verifier'")
        super().validate_code_verifier(grant, result)


class _CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS: Final = list(CLIENT_AUTH)

    @staticmethod
    def validate_authorization_redirect_uri(request: IssuerRequest, client: OAuthClient) -> str:
        # Authlib puts the address into the error's description, where characters it forbids there raise ValueError.
        redirect_uri = request.payload.redirect_uri
        if not redirect_uri or not client.check_redirect_uri(redirect_uri):
            raise InvalidRequestError("The 'redirect_uri' is not registered for this client.")
        return str(redirect_uri)

    def generate_authorization_code(self) -> str:
        return new_secret()

    def save_authorization_code(self, code: str, request: IssuerRequest) -> None:
        self.server.store.save_code(
            code,
            client_id=request.client.client_id,
            user=request.user,
            redirect_uri=request.payload.redirect_uri,
            scope=request.scope,
            nonce=request.payload.data.get("nonce"),
            challenge=request.payload.data["code_challenge"],
        )

    def query_authorization_code(self, code: str, client: OAuthClient) -> RedeemedCode | None:
        found: RedeemedCode | None = self.server.store.redeem_code(code, client)
        self.server.family_id = found.family_id if found else None
        return found

    def delete_authorization_code(self, authorization_code: RedeemedCode) -> None:
        """Nothing: it was used up when it was presented, so that one code is one attempt, also under concurrency."""

    def authenticate_user(self, authorization_code: RedeemedCode) -> Person | None:
        person: Person | None = self.server.store.person(authorization_code.user_id)
        return person


class _RefreshGrant(RefreshTokenGrant):  # type: ignore[misc]
    """Each use brings a new refresh token; Authlib's default keeps the old one alive for ever."""

    TOKEN_ENDPOINT_AUTH_METHODS: Final = list(CLIENT_AUTH)
    INCLUDE_NEW_REFRESH_TOKEN: Final = True

    def authenticate_refresh_token(self, refresh_token: str) -> RefreshToken | None:
        found: RefreshToken | None = self.server.store.use_refresh_token(refresh_token, self.request.client)
        self.server.family_id = found.family_id if found else None
        return found

    def authenticate_user(self, refresh_token: RefreshToken) -> Person | None:
        person: Person | None = self.server.store.person(refresh_token.user_id)
        granted = set(refresh_token.scope.split())
        # Somebody who left the staff does not keep a tool working in their name.
        return None if person is None or (granted & API_SCOPES and not person.is_staff) else person

    def revoke_old_credential(self, refresh_token: RefreshToken) -> None:
        """Nothing: it was used up when it was presented."""


class _ClientCredentials(ClientCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS: Final = list(CONFIDENTIAL)


class _AccessTokens(JWTBearerTokenGenerator):  # type: ignore[misc]
    """RFC 9068 tokens for the API, for ten minutes; Authlib's default is ten days, with the client as audience."""

    def __init__(self, server: IssuerServer) -> None:
        super().__init__(
            server.issuer,
            ALGORITHM,
            refresh_token_generator=lambda **_: new_secret(),
            expires_generator=ACCESS_TOKEN_SECONDS,
        )
        self._server = server

    def get_jwks(self) -> KeySet:
        return KeySet([self._server.keys.signing])

    def get_audiences(self, client: OAuthClient, user: Person | None, scope: str) -> str:  # noqa: ARG002 - Authlib's
        return self._server.audience

    def get_extra_claims(self, client: OAuthClient, grant_type: str, user: Person | None, scope: str) -> dict[str, str]:  # noqa: ARG002
        # Access tokens of a family die with it.
        return {"family": str(self._server.family_id)} if self._server.family_id else {}


class _IdTokens(OpenIDCode):  # type: ignore[misc]
    """ID tokens, and the nonce, required: without one Authlib's own client skips validating the ID token."""

    def __init__(self, server: IssuerServer) -> None:
        super().__init__(require_nonce=True)
        self._server = server

    def exists_nonce(self, nonce: str, request: IssuerRequest) -> bool:
        return self._server.store.nonce_exists(nonce, request.payload.client_id)

    def resolve_client_private_key(self, client: OAuthClient) -> KeySet:  # noqa: ARG002 - Authlib's signature
        return KeySet([self._server.keys.signing])

    def get_client_algorithm(self, client: OAuthClient) -> str:  # noqa: ARG002
        return ALGORITHM

    def get_encode_header(self, client: OAuthClient) -> dict[str, str]:  # noqa: ARG002
        return {"alg": ALGORITHM, "typ": "JWT", "kid": self._server.keys.kid}

    def get_client_claims(self, client: OAuthClient) -> dict[str, Any]:
        expires_at = int(time.time()) + ID_TOKEN_SECONDS
        return {"iss": self._server.issuer, "aud": client.client_id, "exp": expires_at}

    def get_authorization_code_claims(self, authorization_code: RedeemedCode) -> dict[str, Any]:
        claims: dict[str, Any] = super().get_authorization_code_claims(authorization_code)
        return {**claims, "sid": str(authorization_code.sid)}

    def generate_user_info(self, user: Person, scope: str) -> dict[str, Any]:
        return user_info(user, scope)


class _NamedIssuer(IssuerParameter):  # type: ignore[misc]
    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    def get_issuer(self) -> str:
        return self._issuer


def user_info(person: Person, scope: str) -> dict[str, Any]:
    """OpenID Connect Core §5.4: the claims that each scope asks for."""
    granted = scope.split()
    claims: dict[str, Any] = {"sub": person.get_user_id()}
    if "profile" in granted:
        claims |= {"name": person.name, "locale": person.locale}
    if "email" in granted:
        claims |= {"email": person.email}
    return claims
