"""Public keys of an issuer, and what a signed token must be to be believed.

Algorithms are pinned here, never read from a token or from the issuer's metadata: asymmetric ones only, so that
neither `none` nor a public key used as an HMAC secret can pass. Keys come from the issuer alone; a `jwk`, `jku` or
`x5u` inside a token is ignored.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final

import httpx2
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

from cdp.errors import CdpError

ALGORITHMS: Final = ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"]
LEEWAY_SECONDS: Final = 30
KEYS_LIVE_SECONDS: Final = 3600
REFETCH_SECONDS: Final = 10
LONGEST_TOKEN_CHARACTERS: Final = 16_384


class UntrustedToken(CdpError):
    """The token is not valid: {problem}."""

    http_status = 401
    problem: str


class IssuerKeys:
    """The current keys of one issuer, kept for an hour; an unknown `kid` has them fetched again, at most every ten
    seconds.

    `load` fetches them; what it raises reaches the caller. Safe for any number of tasks of one event loop: one of
    them fetches.
    """

    def __init__(self, load: Callable[[], Awaitable[KeySet]]) -> None:
        self._load = load
        self._keys: dict[str | None, Key] = {}
        self._loaded_at = -float("inf")
        self._lock = asyncio.Lock()

    async def key(self, kid: str | None) -> Key:
        """The key that `kid` names; without a `kid` the only key there is. Raises UntrustedToken when there is no such
        key.
        """
        age = time.monotonic() - self._loaded_at
        if age > KEYS_LIVE_SECONDS or (self._find(kid) is None and age > REFETCH_SECONDS):
            async with self._lock:
                if time.monotonic() - self._loaded_at >= age:
                    self._keys = {key.kid: key for key in (await self._load()).keys}
                    self._loaded_at = time.monotonic()
        found = self._find(kid)
        if found is None:
            raise UntrustedToken(problem="its key is unknown")
        return found

    def _find(self, kid: str | None) -> Key | None:
        if kid is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid)


def remote_keys(http: httpx2.AsyncClient, jwks_uri: Callable[[], Awaitable[str]]) -> IssuerKeys:
    """Keys published at the address that `jwks_uri` answers."""

    async def load() -> KeySet:
        answer = await http.get(await jwks_uri())
        answer.raise_for_status()
        return KeySet.import_key_set(answer.json())

    return IssuerKeys(load)


def key_name(token: str) -> str | None:
    """The `kid` in a token's header, believed by nobody yet."""
    try:
        kid = jws.extract_compact(token.encode()).headers().get("kid")
    except (JoseError, ValueError):
        return None
    return kid if isinstance(kid, str) else None


async def trusted_claims(
    token: str, keys: IssuerKeys, *, issuer: str, audience: str, types: Collection[str], has_subject: bool = True
) -> Mapping[str, Any]:
    """The claims of a token whose signature, type, issuer, audience and times are right; raises UntrustedToken
    otherwise.

    `types` are the accepted values of the `typ` header, in lower case, without `application/`; "" accepts its absence.
    `has_subject`: it must say `sub`; a logout token need not.
    """
    if len(token) > LONGEST_TOKEN_CHARACTERS:
        raise UntrustedToken(problem="it is too long")
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError) as error:
        raise UntrustedToken(problem="it is malformed") from error
    kind, kid = header.get("typ", ""), header.get("kid")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in types:
        raise UntrustedToken(problem="it is of another type")
    if header.get("alg") not in ALGORITHMS or not isinstance(kid, str | None):
        raise UntrustedToken(problem="its algorithm is not accepted")
    key = await keys.key(kid)
    registry = jwt.JWTClaimsRegistry(
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": audience},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": has_subject},
    )
    try:
        claims = jwt.decode(token, key, algorithms=ALGORITHMS).claims
        registry.validate(claims)
    except (JoseError, ValueError, TypeError) as error:
        raise UntrustedToken(problem=str(getattr(error, "error", "it is malformed"))) from error
    if not isinstance(claims.get("sub"), str if has_subject else str | None):
        raise UntrustedToken(problem="its subject is not a string")
    return claims
