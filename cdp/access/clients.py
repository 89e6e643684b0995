"""The OAuth client that the extranet is at the embedded issuer, known to both without either telling the other.

Its secret is derived from CDP_SECRET_KEY, which both processes hold; the issuer stores only the hash, like every
client's.
"""

from typing import Final

from cdp.access.sealing import token_for
from cdp.settings import Settings, secret_key

EXTRANET_CLIENT_ID: Final = "extranet"


def extranet_client_secret(settings: Settings) -> str:
    """The extranet's client secret at the embedded issuer."""
    return settings.oidc_client_secret or token_for(secret_key(settings), "extranet client secret")
