"""The issuer's signing keys: made once, sealed with CDP_SECRET_KEY, published while tokens they signed may be about."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from anyio import to_thread
from joserfc.jwk import KeySet, RSAKey
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from cdp.access.issuer.store import SQL, fetch
from cdp.access.sealing import seal, unseal
from cdp.settings import Settings, SettingsError, secret_key

ALGORITHM: Final = "RS256"  # the one every OpenID relying party must understand (Core §15.1)
_PURPOSE: Final = "signing key"
_BITS: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeys:
    """`signing` is the private key in use; `published` are the public keys whose tokens may be about."""

    signing: RSAKey
    published: tuple[dict[str, Any], ...]

    @property
    def kid(self) -> str:
        """Name of the key in use."""
        return str(self.signing.kid)

    @property
    def jwks(self) -> dict[str, Any]:
        """The JWK Set to publish."""
        return {"keys": list(self.published)}

    @property
    def verifying(self) -> KeySet:
        """Public keys, to check our own tokens."""
        return KeySet.import_key_set({"keys": list(self.published)})


async def signing_keys(connection: AsyncConnection[Any], settings: Settings) -> SigningKeys:
    """The keys; makes the first one. Raises SettingsError when CDP_SECRET_KEY is not the one that sealed them."""
    rows = await _rows(connection)
    if not any(row["signs"] for row in rows):
        made = await to_thread.run_sync(new_key_row, settings)
        await connection.execute(SQL["lock_signing_keys"])
        await fetch(connection, "save_signing_key", **made)
        rows = await _rows(connection)
    current = next(row for row in rows if row["signs"])
    plain = unseal(secret_key(settings), _PURPOSE, bytes(current["sealed_private_jwk"]))
    if plain is None:
        raise SettingsError(variable="CDP_SECRET_KEY", problem="is not the key that sealed the issuer's signing keys.")
    return SigningKeys(
        signing=RSAKey.import_key(orjson.loads(plain)), published=tuple(row["public_jwk"] for row in rows)
    )


def new_key_row(settings: Settings) -> dict[str, Any]:
    """A new key as `save_signing_key` and `rotate_signing_keys` keep it. Takes a tenth of a second."""
    made = RSAKey.generate_key(_BITS)
    made.ensure_kid()
    return {
        "kid": made.kid,
        "algorithm": ALGORITHM,
        "public_jwk": Jsonb(made.as_dict(private=False, use="sig", alg=ALGORITHM)),
        "sealed_private_jwk": seal(secret_key(settings), _PURPOSE, orjson.dumps(made.as_dict(private=True))),
    }


async def _rows(connection: AsyncConnection[Any]) -> Sequence[dict[str, Any]]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(SQL["signing_keys"])
        return await cursor.fetchall()
