"""The token endpoint: so many requests of a client and an address in a while, and every refusal on record."""

import binascii
from base64 import b64decode
from urllib.parse import unquote_plus

import orjson
from starlette.requests import Request
from starlette.responses import Response

from cdp.access.allowances import take
from cdp.access.audit import UNKNOWN
from cdp.access.issuer.edge import Edge
from cdp.access.issuer.server import IssuerRequest, IssuerServer
from cdp.limits import Rate, read_rate

ADDRESS_TIMES = 10
"""How many clients' worth of requests one address may make."""


async def let_in(edge: Edge, request: Request, asked: IssuerRequest) -> None:
    """Take one request of what this client may make from this address. Raises TooManyRequests.

    The client is who the request says, so the address is part of the key: nobody uses up another's allowance.
    """
    rate: Rate | None = read_rate(edge.settings.rate_token)
    if rate is None:
        return
    address = request.client.host if request.client else ""
    async with edge.pool().connection() as connection:
        await take(connection, rate, "token of address", address, times=ADDRESS_TIMES)
        await take(connection, rate, "token", address, _claimed_client(asked))


def give_token(server: IssuerServer, asked: IssuerRequest) -> Response:
    """Answer a token request. Runs in a thread."""
    answer: Response = server.create_token_response(asked)
    if answer.status_code >= 400:  # noqa: PLR2004 - refused
        reason = orjson.loads(answer.body).get("error", "invalid_request")
        client = server.store.client(_claimed_client(asked))
        client_id = client.client_id if client else None
        server.store.note("token", actor=client_id or UNKNOWN, refused=reason, client_id=client_id)
    return answer


def _claimed_client(asked: IssuerRequest) -> str:
    """Which client the request says it comes from; "" where it says none."""
    scheme, _, given = asked.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            return unquote_plus(b64decode(given, validate=True).decode().partition(":")[0]).replace("\0", "")
        except (binascii.Error, ValueError):
            return ""
    return asked.form.get("client_id", "").replace("\0", "")
