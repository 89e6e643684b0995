"""Browsers' pages at our doors: the preflight, and the origin that an answer is readable for.

No cookie counts at these doors, so an answer that a page may read tells it nothing that it could not ask for itself.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

PREFLIGHT_SECONDS: Final = 86_400
ALLOWED_HEADERS: Final = "authorization, content-type, content-encoding, x-retry-count"
"""The browser SDK counts its retries in a header."""


def preflight(request: Request, methods: str = "POST, OPTIONS") -> Response:
    """A preflight can't know the source, as it carries no key: the page may ask, and the request itself is judged."""
    return Response(
        status_code=204,
        headers={
            "access-control-allow-origin": request.headers.get("origin", "*"),
            "access-control-allow-methods": methods,
            "access-control-allow-headers": ALLOWED_HEADERS,
            "access-control-max-age": str(PREFLIGHT_SECONDS),
            "vary": "Origin",
        },
    )


def readable(answer: Response, origin: str | None) -> Response:
    """The answer, which a page of this origin may read."""
    if origin is not None:
        answer.headers["access-control-allow-origin"] = origin
        answer.headers["access-control-expose-headers"] = "retry-after"
        answer.headers["vary"] = "Origin"
    return answer
