"""The relying party: signing a person in at any OpenID issuer, found by discovery, the embedded one included.

OpenID Connect Core 1.0 §3.1 (code flow) with PKCE S256 (RFC 7636), `state`, `nonce`, and the issuer named in the
answer (RFC 9207). Written on httpx2 and joserfc rather than Authlib's Starlette client, whose defaults we would have
to undo one by one (decision 0006). It keeps nothing between request and answer: what a sign-in needs is derived from
the browser's cookie and `state`.
"""

import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import httpx2

from cdp.access.keys import LEEWAY_SECONDS, IssuerKeys, UntrustedToken, remote_keys, trusted_claims
from cdp.access.sealing import base64url, digest, equal, token_for
from cdp.errors import CdpError, Forbidden, Invalid, Unavailable

SCOPE: Final = "openid profile email"
METADATA_LIVE_SECONDS: Final = 3600
ID_TOKEN_TYPES: Final = frozenset({"", "jwt"})
LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
# Back-Channel Logout 1.0 §2.4 recommends the type; Keycloak before 25 says "JWT". What an ID token could pass for is refused
# by the claims.
LOGOUT_TOKEN_TYPES: Final = frozenset({"logout+jwt", "jwt", ""})
LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class SignInRefused(Forbidden):
    """The sign-in was not accepted; please start again."""

    reason: str


class IssuerUnavailable(Unavailable):
    """The sign-in service cannot be reached; try again in {retry_after_seconds} seconds."""


class LogoutRefused(Invalid):
    """The logout token is not valid: {problem}."""

    problem: str


class InsecureIssuer(CdpError):
    """The issuer's address {url} is neither https nor on this machine."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """What discovery told us (OpenID Connect Discovery 1.0 §4.2)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None
    names_itself: bool
    token_auth_methods: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who signed in, by the issuer's word. Only (issuer, subject) identifies; e-mail and name are for reading.

    `authenticated_at` is long ago when the issuer does not say when the person proved who they are.
    """

    issuer: str
    subject: str
    email: str | None
    name: str | None
    issuer_session: str | None
    authenticated_at: datetime
    id_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedOut:
    """Whose sessions a logout token ends: of the issuer's session `sid`, else all of `subject`. `token_id` is its `jti`."""

    issuer: str
    subject: str | None
    sid: str | None
    token_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One sign-in of one browser: `state` travels, `browser` stays in its cookie, the rest follows from the two."""

    state: str
    browser: str

    @property
    def nonce(self) -> str:
        """Ties the ID token to this attempt."""
        return token_for(self.browser, f"nonce {self.state}")

    @property
    def code_verifier(self) -> str:
        """Ties the code to this attempt: 43 characters, 256 bits."""
        return token_for(self.browser, f"verifier {self.state}")

    @property
    def code_challenge(self) -> str:
        """S256 of the verifier."""
        return base64url(digest(self.code_verifier))


class RelyingParty:
    """A client of one issuer. `client_secret` None: a public client. `subject_claim` names the person: `sub`, but for issuers
    whose `sub` is another one for each client.
    """

    def __init__(
        self,
        http: httpx2.AsyncClient,
        *,
        issuer: str,
        client_id: str,
        client_secret: str | None,
        redirect_uri: str,
        subject_claim: str = "sub",
    ) -> None:
        self.issuer = issuer
        self._subject_claim = subject_claim
        self._http = http
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_uri = redirect_uri
        self._provider: Provider | None = None
        self._discovered_at = -float("inf")
        self._keys: IssuerKeys = remote_keys(http, self._jwks_uri)

    async def provider(self) -> Provider:
        """The issuer's metadata, asked once an hour. Raises IssuerUnavailable, or InsecureIssuer for plain http
        elsewhere.
        """
        if self._provider is None or time.monotonic() - self._discovered_at > METADATA_LIVE_SECONDS:
            url = f"{require_secure(self.issuer).rstrip('/')}/.well-known/openid-configuration"
            try:
                answer = await self._http.get(url)
                answer.raise_for_status()
                self._provider = _read_metadata(answer.json(), self.issuer)
            except (httpx2.HTTPError, ValueError, KeyError) as error:
                raise IssuerUnavailable(retry_after_seconds=5) from error
            self._discovered_at = time.monotonic()
        return self._provider

    async def authorization_url(
        self, attempt: Attempt, *, max_age_seconds: int | None = None, ui_locales: str | None = None
    ) -> str:
        """Where to send the browser. `max_age_seconds`: who signed in longer ago than that has to do so again. `ui_locales`: the
        languages of the person, a space between (OpenID Connect Core §3.1.2.1).
        """
        endpoint = (await self.provider()).authorization_endpoint
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._redirect_uri,
            "scope": SCOPE,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.code_challenge,
            "code_challenge_method": "S256",
        }
        if max_age_seconds is not None:
            asked["max_age"] = str(max_age_seconds)
        if ui_locales:
            asked["ui_locales"] = ui_locales
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    async def redeem(
        self, answer: Mapping[str, str], attempt: Attempt, *, max_age_seconds: int | None = None
    ) -> Identity:
        """Who the authorization answer (the callback's query) speaks of.

        Raises SignInRefused with a stable `reason`: issuer_mismatch, access_denied, code_missing, code_refused,
        id_token_missing, id_token_invalid, nonce_mismatch, and where `max_age_seconds` was asked auth_time_missing and
        auth_time_too_old (Core §3.1.3.7, 13); IssuerUnavailable when the issuer does not answer.
        """
        provider = await self.provider()
        named = answer.get("iss")
        if (named is None and provider.names_itself) or (named is not None and named != provider.issuer):
            raise SignInRefused(reason="issuer_mismatch")
        if "error" in answer:
            raise SignInRefused(reason="access_denied")
        if not answer.get("code"):
            raise SignInRefused(reason="code_missing")
        tokens = await self._exchange(provider, answer["code"], attempt)
        id_token = tokens.get("id_token")
        if not isinstance(id_token, str):
            raise SignInRefused(reason="id_token_missing")
        claims = await self._id_token_claims(id_token, attempt)
        if max_age_seconds is not None:
            _require_recent(claims, max_age_seconds)
        return self._identity(claims, id_token)

    async def logged_out(self, logout_token: str) -> LoggedOut:
        """What a logout token says (OpenID Connect Back-Channel Logout 1.0 §2.6). Whether it comes for the first time is the
        caller's to know.

        Raises LogoutRefused, IssuerUnavailable.
        """
        try:
            claims = await trusted_claims(
                logout_token,
                self._keys,
                issuer=self.issuer,
                audience=self._client_id,
                types=LOGOUT_TOKEN_TYPES,
                has_subject=False,
            )
        except UntrustedToken as error:
            raise LogoutRefused(problem=error.problem) from error
        except (httpx2.HTTPError, ValueError) as error:
            raise IssuerUnavailable(retry_after_seconds=5) from error
        events, token_id = claims.get("events"), _text(claims.get("jti"))
        if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
            raise LogoutRefused(problem="it speaks of no logout")
        if "nonce" in claims:
            raise LogoutRefused(problem="it has a nonce")
        subject, sid = _text(claims.get(self._subject_claim)), _text(claims.get("sid"))
        if token_id is None or (subject is None and sid is None):
            raise LogoutRefused(problem="it names no session, no person, or not itself")
        return LoggedOut(
            issuer=self.issuer,
            subject=subject,
            sid=sid,
            token_id=token_id,
            expires_at=datetime.fromtimestamp(claims["exp"] + LEEWAY_SECONDS, UTC),
        )

    async def end_session_url(self, *, id_token: str | None, return_to: str) -> str | None:
        """Where to send the browser to end its session at the issuer, or None when the issuer has no such page."""
        endpoint = (await self.provider()).end_session_endpoint
        if endpoint is None:
            return None
        asked = {"client_id": self._client_id, "post_logout_redirect_uri": return_to}
        if id_token is not None:
            asked["id_token_hint"] = id_token
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    async def _jwks_uri(self) -> str:
        return (await self.provider()).jwks_uri

    async def _exchange(self, provider: Provider, code: str, attempt: Attempt) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": attempt.code_verifier,
        }
        headers = {"Accept": "application/json"}
        if self._client_secret is None:
            form["client_id"] = self._client_id
        elif "client_secret_basic" in provider.token_auth_methods:
            # RFC 6749 §2.3.1: both parts are form-encoded before they are joined.
            both = f"{quote(self._client_id, safe='')}:{quote(self._client_secret, safe='')}"
            headers["Authorization"] = f"Basic {b64encode(both.encode()).decode()}"
        else:
            form |= {"client_id": self._client_id, "client_secret": self._client_secret}
        try:
            answer = await self._http.post(provider.token_endpoint, data=form, headers=headers)
            if answer.is_client_error:
                raise SignInRefused(reason="code_refused")
            answer.raise_for_status()
            tokens = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise IssuerUnavailable(retry_after_seconds=5) from error
        return tokens if isinstance(tokens, dict) else {}

    async def _id_token_claims(self, id_token: str, attempt: Attempt) -> Mapping[str, Any]:
        try:
            claims = await trusted_claims(
                id_token, self._keys, issuer=self.issuer, audience=self._client_id, types=ID_TOKEN_TYPES
            )
        except UntrustedToken as error:
            raise SignInRefused(reason="id_token_invalid") from error
        except (httpx2.HTTPError, ValueError) as error:
            raise IssuerUnavailable(retry_after_seconds=5) from error
        if claims.get("azp", self._client_id) != self._client_id:
            raise SignInRefused(reason="id_token_invalid")
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not equal(nonce, attempt.nonce):
            raise SignInRefused(reason="nonce_mismatch")
        if _text(claims.get(self._subject_claim)) is None:
            raise SignInRefused(reason="id_token_invalid")
        return claims

    def _identity(self, claims: Mapping[str, Any], id_token: str) -> Identity:
        at = claims.get("auth_time")
        return Identity(
            issuer=self.issuer,
            subject=claims[self._subject_claim],
            email=_text(claims.get("email")),
            name=_text(claims.get("name")),
            issuer_session=_text(claims.get("sid")),
            authenticated_at=datetime.fromtimestamp(at, UTC) if isinstance(at, int | float) else LONG_AGO,
            id_token=id_token,
        )


def require_secure(url: str) -> str:
    """`url` itself, when it is https or on this machine; raises InsecureIssuer otherwise."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return url
    raise InsecureIssuer(url=url)


def _read_metadata(metadata: Mapping[str, Any], issuer: str) -> Provider:
    # Discovery §4.3: the issuer in the document must be exactly the one that was asked.
    if metadata["issuer"] != issuer:
        raise ValueError("the issuer's metadata are of another issuer")
    end_session = metadata.get("end_session_endpoint")
    return Provider(
        issuer=issuer,
        authorization_endpoint=require_secure(metadata["authorization_endpoint"]),
        token_endpoint=require_secure(metadata["token_endpoint"]),
        jwks_uri=require_secure(metadata["jwks_uri"]),
        end_session_endpoint=require_secure(end_session) if end_session else None,
        names_itself=metadata.get("authorization_response_iss_parameter_supported") is True,
        token_auth_methods=tuple(metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])),
    )


def _require_recent(claims: Mapping[str, Any], max_age_seconds: int) -> None:
    at = claims.get("auth_time")
    if not isinstance(at, int | float):
        raise SignInRefused(reason="auth_time_missing")
    if time.time() - at > max_age_seconds + LEEWAY_SECONDS:
        raise SignInRefused(reason="auth_time_too_old")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
