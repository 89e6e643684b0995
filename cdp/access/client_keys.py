"""Public keys of an OAuth client that signs (`private_key_jwt`): reading what an operator registers, refusing what is none."""

from typing import Any, Final

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey

from cdp.errors import InvalidField

MOST_KEYS: Final = 5
_SHORTEST_RSA_BITS: Final = 2048


def read_public_keys(given: bytes) -> dict[str, Any]:
    """The JWK Set to register, from a public key in PEM, a JWK or a JWK Set; every key has a `kid`.

    Raises InvalidField for private, symmetric, weak, unknown or too many keys.
    """
    keys = _parsed(given)
    if not 0 < len(keys) <= MOST_KEYS:
        raise _problem(f"must hold one to {MOST_KEYS} keys.")
    for key in keys:
        if not isinstance(key, RSAKey | ECKey | OKPKey):
            raise _problem("must hold public keys: RSA, elliptic or Ed25519.")
        if key.is_private:
            raise _problem("holds a private key. Keep that to yourself and register the public one.")
        if isinstance(key, RSAKey) and key.raw_value.key_size < _SHORTEST_RSA_BITS:
            raise _problem(f"holds an RSA key shorter than {_SHORTEST_RSA_BITS} bits.")
        key.ensure_kid()
    if len({key.kid for key in keys}) != len(keys):
        raise _problem("holds two keys of one name.")
    return {"keys": [key.as_dict(private=False) for key in keys]}


def _parsed(given: bytes) -> list[Key]:
    try:
        if given.lstrip().startswith(b"{"):
            told = orjson.loads(given)
            given_keys = told.get("keys", [told])
            return list(KeySet.import_key_set({"keys": given_keys}).keys) if given_keys else []
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise _problem("is no JWK or JWK Set.") from error
    for kind in (RSAKey, ECKey, OKPKey):
        try:
            return [kind.import_key(given)]
        except (JoseError, ValueError, TypeError):
            continue
    raise _problem("is neither a public key in PEM nor a JWK.")


def _problem(problem: str) -> InvalidField:
    return InvalidField(field="public key", problem=problem)
