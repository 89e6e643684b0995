"""`private_key_jwt`: a client that proves itself by signing instead of telling a secret (RFC 7523 §2.2, OpenID Connect Core §9).

The keys are those registered for the client, chosen by `kid`; nothing in the assertion brings a key along. Algorithms are pinned.
The audience is this issuer or its token endpoint and nobody else, so that what a client signed for another server is worth
nothing here. Each assertion is good once, and for ten minutes at most. Own code rather than Authlib's, which takes whatever
algorithm the key allows and a list of audiences with ours among them.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from authlib.oauth2.rfc6749 import InvalidClientError
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

from cdp.access.issuer.records import OAuthClient
from cdp.access.issuer.store import Store
from cdp.access.keys import ALGORITHMS, LEEWAY_SECONDS, LONGEST_TOKEN_CHARACTERS

METHOD: Final = "private_key_jwt"
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_LIFE_SECONDS: Final = 600
_TYPES: Final = frozenset({"", "jwt", "client-authentication+jwt"})

Authentication = Callable[[Callable[[str], OAuthClient | None], Any], OAuthClient | None]


def by_assertion(store: Store, *, issuer: str) -> Authentication:
    """Authlib's client authentication by a signed assertion, for a server of this issuer."""

    def authenticate(query_client: Callable[[str], OAuthClient | None], request: Any) -> OAuthClient | None:
        form: Mapping[str, str] = request.form
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            return None
        assertion = form.get("client_assertion", "")
        header, told = _unchecked(assertion)
        client_id = told.get("sub")
        client = query_client(client_id) if isinstance(client_id, str) else None
        if client is None or client.auth_method != METHOD or form.get("client_id", client_id) != client_id:
            raise _refused("The assertion is not accepted.")
        claims = _checked(assertion, _key(client, header), client_id=client.client_id)
        _require_audience(claims, issuer)
        expires_at = claims["exp"]
        if expires_at - time.time() > LONGEST_LIFE_SECONDS:
            raise _refused(f"The assertion lives longer than {LONGEST_LIFE_SECONDS} seconds.")
        until = datetime.fromtimestamp(expires_at + LEEWAY_SECONDS, UTC)
        if not store.take_once(f"client assertion {client.client_id} {claims['jti']}", until=until):
            store.note("token", actor=client.client_id, refused="assertion_replayed", client_id=client.client_id)
            raise _refused("The assertion was used before.")
        return client

    return authenticate


def require_one_proof(request: Any) -> None:
    """RFC 6749 §2.3: a client proves itself in one way at a time. Raises InvalidClientError."""
    form = request.form
    ways = [bool(request.headers.get("authorization")), "client_secret" in form, "client_assertion" in form]
    if sum(ways) > 1:
        raise _refused("A client proves itself in one way at a time.")


def _unchecked(assertion: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Header and claims as they stand there, to find out whose key to check them with."""
    if len(assertion) > LONGEST_TOKEN_CHARACTERS:
        raise _refused("The assertion is too long.")
    try:
        token = jws.extract_compact(assertion.encode())
        told = orjson.loads(token.payload)
    except (JoseError, ValueError) as error:
        raise _refused("The assertion is malformed.") from error
    header, kind = token.headers(), token.headers().get("typ", "")
    if not isinstance(told, dict) or not isinstance(kind, str):
        raise _refused("The assertion is malformed.")
    if kind.lower().removeprefix("application/") not in _TYPES or header.get("alg") not in ALGORITHMS:
        raise _refused("The assertion's type or algorithm is not accepted.")
    return header, told


def _key(client: OAuthClient, header: Mapping[str, Any]) -> Key:
    registered: Any = client.jwks
    keys = KeySet.import_key_set(registered).keys
    kid = header.get("kid")
    found = [key for key in keys if kid is None or key.kid == kid]
    if len(found) != 1:
        raise _refused("The assertion's key is not registered.")
    return found[0]


def _checked(assertion: str, key: Key, *, client_id: str) -> Mapping[str, Any]:
    registry = jwt.JWTClaimsRegistry(
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": client_id},
        sub={"essential": True, "value": client_id},
        exp={"essential": True},
        jti={"essential": True},
    )
    try:
        claims = jwt.decode(assertion, key, algorithms=ALGORITHMS).claims
        registry.validate(claims)
    except (JoseError, ValueError, TypeError) as error:
        raise _refused("The assertion is not accepted.") from error
    return claims


def _require_audience(claims: Mapping[str, Any], issuer: str) -> None:
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if len(named) != 1 or named[0] not in {issuer, f"{issuer}/token"}:
        raise _refused("The assertion is meant for somebody else.")


def _refused(description: str) -> InvalidClientError:
    return InvalidClientError(status_code=401, description=description)
