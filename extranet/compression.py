"""Pages made small on the way, where that tells nothing: gzip for HTML that this site itself, or the reader, asked for.

The length of a compressed page tells whether words in its address stand elsewhere in it (BREACH). So a request that another site
began, which browsers say (`Sec-Fetch-Site`), gets the page as it is; as does one that doesn't say. What is secret in a page,
the token of its forms, is masked anew at every request all the same. Files are left alone: PDF and Excel are compressed already,
and CSV is to begin at once.
"""

import gzip
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OURS: Final = frozenset({"same-origin", "none"})
SMALLEST_BYTES: Final = 512
LEVEL: Final = 6
VARY: Final = "Accept-Encoding, Sec-Fetch-Site"


class Compression:
    """ASGI middleware. Pages are in one piece, so one piece is what is compressed; what comes in several is sent as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the inner application does, in fewer bytes."""
        if scope["type"] != "http" or not _may(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        begun: Message | None = None

        async def send_small(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start" and _is_page(Headers(raw=message["headers"])):
                begun = message
            elif begun is not None:
                start, begun = begun, None
                body = message.get("body", b"")
                if not message.get("more_body", False) and len(body) >= SMALLEST_BYTES:
                    body = gzip.compress(body, LEVEL, mtime=0)
                    headers = MutableHeaders(raw=start["headers"])
                    headers["Content-Encoding"] = "gzip"
                    headers["Content-Length"] = str(len(body))
                    headers.add_vary_header(VARY)
                await send(start)
                await send({**message, "body": body})
            else:
                await send(message)

        await self._app(scope, receive, send_small)


def _may(headers: Headers) -> bool:
    return headers.get("sec-fetch-site") in OURS and "gzip" in headers.get("accept-encoding", "")


def _is_page(headers: Headers) -> bool:
    return headers.get("content-type", "").startswith("text/html") and "content-encoding" not in headers
