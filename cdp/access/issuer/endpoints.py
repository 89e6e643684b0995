"""The issuer's endpoints beside authorize and token: revocation, introspection, end of session, userinfo."""

import contextlib
from typing import Any, Final
from uuid import UUID

from authlib.oauth2.rfc6749 import OAuth2Error
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oidc.rpinitiated import EndSessionEndpoint, EndSessionRequest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from cdp.access.issuer.records import AccessToken, OAuthClient, RefreshToken
from cdp.access.issuer.server import (
    CLIENT_AUTH,
    CONFIDENTIAL,
    IssuerRequest,
    IssuerResponse,
    IssuerServer,
    answer,
    user_info,
)
from cdp.access.issuer.signing_keys import ALGORITHM
from cdp.access.viewer import Scope


def with_endpoints(server: IssuerServer) -> IssuerServer:
    """`server` with the three endpoints that Authlib dispatches."""
    for endpoint in (_Revocation, _Introspection, _EndSession):
        server.register_endpoint(endpoint)
    return server


def userinfo(server: IssuerServer, authorization: str) -> IssuerResponse:
    """OpenID Connect Core §5.3: the claims of whoever this access token speaks for."""
    scheme, _, token = authorization.partition(" ")
    found = _own_access_token(server, token.strip()) if scheme.lower() == "bearer" else None
    person = None
    if found is not None and not found.revoked and "openid" in found.claims["scope"].split():
        with contextlib.suppress(ValueError):
            person = server.store.person(UUID(found.claims["sub"]))
    if found is None or person is None:
        challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        return answer(401, {"error": "invalid_token"}, challenge)
    return answer(200, user_info(person, found.claims["scope"]))


class _Revocation(RevocationEndpoint):  # type: ignore[misc]
    """RFC 7009. Revoking a refresh token takes its family along."""

    CLIENT_AUTH_METHODS: Final = list(CLIENT_AUTH)

    def query_token(self, token_string: str, token_type_hint: str | None) -> AccessToken | RefreshToken | None:  # noqa: ARG002
        return _own_access_token(self.server, token_string)

    def authenticate_token(self, request: IssuerRequest, client: OAuthClient) -> AccessToken | RefreshToken | None:
        found: AccessToken | None = super().authenticate_token(request, client)
        return found or self.server.store.refresh_token(request.form["token"], client)

    def revoke_token(self, token: AccessToken | RefreshToken, request: IssuerRequest) -> None:
        if isinstance(token, RefreshToken):
            self.server.store.revoke_family(token.family_id)
        else:
            self.server.store.revoke_access_token(token.claims["jti"])
        self.server.store.note("token_revoked", actor=request.client.client_id, client_id=request.client.client_id)


class _Introspection(IntrospectionEndpoint):  # type: ignore[misc]
    """RFC 7662, for a client's own tokens, and for all to a client that may have the scope `admin`."""

    CLIENT_AUTH_METHODS: Final = list(CONFIDENTIAL)

    def query_token(self, token_string: str, token_type_hint: str | None) -> AccessToken | None:  # noqa: ARG002
        return _own_access_token(self.server, token_string)

    def authenticate_token(self, request: IssuerRequest, client: OAuthClient) -> AccessToken | RefreshToken | None:
        found: AccessToken | None = super().authenticate_token(request, client)
        return found or self.server.store.refresh_token(request.form["token"], client)

    def check_permission(self, token: AccessToken, client: OAuthClient, request: IssuerRequest) -> bool:  # noqa: ARG002
        return token.check_client(client) or Scope.ADMIN in client.scopes

    def introspect_token(self, token: AccessToken | RefreshToken) -> dict[str, Any]:
        if isinstance(token, AccessToken):
            told = ("iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope")
            return {"active": True, "token_type": "Bearer", **{name: token.claims[name] for name in told}}
        return {"active": True, "client_id": token.client_id, "scope": token.scope, "sub": str(token.user_id)}


class _EndSession(EndSessionEndpoint):  # type: ignore[misc]
    """RP-initiated logout. Without a valid `id_token_hint` the edge asks the person first."""

    def get_server_jwks(self) -> KeySet:
        server: IssuerServer = self.server
        return server.keys.verifying

    def get_algorithms(self) -> list[str]:
        return [ALGORITHM]

    def end_session(self, end_session_request: EndSessionRequest) -> None:
        with contextlib.suppress(KeyError, TypeError, ValueError):
            self.server.store.close_session(UUID((end_session_request.id_token_claims or {})["sid"]))


def validated_end_session(server: IssuerServer, request: IssuerRequest) -> EndSessionRequest | OAuth2Error:
    """What the end-session request asks, or why it is refused."""
    try:
        found: EndSessionRequest = server.validate_endpoint_request("end_session", request)
    except OAuth2Error as error:
        return error
    claims = found.id_token_claims
    if claims is not None and claims.get("iss") != server.issuer:
        return OAuth2Error(error="invalid_request", description="The 'id_token_hint' is of another issuer.")
    return found


def _own_access_token(server: IssuerServer, token: str) -> AccessToken | None:
    """One of our access tokens that has not expired, by its signature and type; revoked or not."""
    registry = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": server.issuer}, exp={"essential": True}, jti={"essential": True}
    )
    try:
        decoded = jwt.decode(token, server.keys.verifying, algorithms=[ALGORITHM])
        registry.validate(decoded.claims)
    except (JoseError, ValueError):
        return None
    if decoded.header.get("typ") != "at+jwt":
        return None
    ids = (decoded.claims["jti"], decoded.claims.get("family", ""))
    cut_off = server.store.is_cut_off(decoded.claims["client_id"], decoded.claims["iat"])
    return AccessToken(claims=decoded.claims, revoked=cut_off or server.store.is_revoked(*ids))
