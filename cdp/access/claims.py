"""What an access token says of who asks, in the words of different issuers: RFC 9068, Keycloak, Entra ID, Auth0.

The signature, issuer, audience and times are checked before (`keys.py`). Here: which client, which scopes, and whether the client
acts for a person. What could be an ID token is refused, because issuers that send access tokens of type `JWT` send ID tokens of
the same type.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_OF_ID_TOKENS: Final = ("nonce", "at_hash", "c_hash")
_CLIENT_CLAIMS: Final = ("client_id", "azp", "appid")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessClaims:
    """Who asks. `person` is the subject that the client acts for; None when it asks for itself."""

    client_id: str
    scopes: frozenset[str]
    person: str | None


def read_access_claims(
    claims: Mapping[str, Any], *, scope_claims: str = "scope", subject_claim: str = "sub"
) -> AccessClaims | str:
    """What the claims say, or what is wrong with them. `scope_claims` are names with spaces between; but for `scope` itself a
    claim may be a list as well as a text with spaces.
    """
    # Keycloak says in the payload what sort of token it is: Bearer, ID, Refresh, Offline.
    if claims.get("typ", "Bearer") != "Bearer" or any(name in claims for name in _OF_ID_TOKENS):
        return "it is of another type"
    client_id = next((claims[name] for name in _CLIENT_CLAIMS if name in claims), None)
    if not isinstance(client_id, str) or not client_id:
        return "it names no client"
    scopes: set[str] = set()
    for name in scope_claims.split():
        told = claims.get(name, "")
        found = told.split() if isinstance(told, str) else told
        if name == "scope" and not isinstance(told, str):  # RFC 9068 §2.2.3: a text, whoever the issuer is
            return "its scopes cannot be read"
        if not isinstance(found, list) or not all(isinstance(scope, str) for scope in found):
            return "its scopes cannot be read"
        scopes.update(found)
    subject = claims.get(subject_claim)
    if not isinstance(subject, str) or not subject:
        return f"it has no {subject_claim}"
    person = None if _is_the_client(claims, client_id) else subject
    return AccessClaims(client_id=client_id, scopes=frozenset(scopes), person=person)


def _is_the_client(claims: Mapping[str, Any], client_id: str) -> bool:
    """Whether the client asks for itself. Each issuer has its own word for it."""
    subject = claims["sub"]
    return (
        subject in {client_id, f"{client_id}@clients"}  # RFC 9068 §2.2; Auth0
        or claims.get("preferred_username") == f"service-account-{client_id}".lower()  # Keycloak
        or claims.get("idtyp") == "app"  # Entra ID, where the optional claim is asked for
        or (claims.get("oid") == subject and "roles" in claims and "scp" not in claims)  # Entra ID, where it is not
    )
