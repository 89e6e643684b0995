"""Headers of every answer: what a browser may load, where forms may go, and that nothing keeps a copy.

The policy starts from nothing and allows our own style sheet, pictures and fonts; there is no script, so none is allowed, not
even ours. Forms may reach the issuer, because browsers hold `form-action` against the redirects of signing in and out too.
"""

from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

YEAR_SECONDS = 31_536_000


def content_policy(form_origins: Sequence[str] = ()) -> str:
    """The Content-Security-Policy; `form_origins` are where forms may lead besides this site."""
    directives = {
        "default-src": ["'none'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "font-src": ["'self'"],
        "form-action": ["'self'", *form_origins],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
    return "; ".join(" ".join([name, *sources]) for name, sources in directives.items())


class SecurityHeaders:
    """ASGI middleware: the same headers on every answer, errors and files included. Files may be kept, pages may not."""

    def __init__(self, app: ASGIApp, *, over_https: bool) -> None:
        self._app = app
        self._over_https = over_https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the inner application does, with the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._mark(MutableHeaders(scope=message), scope)
            await send(message)

        await self._app(scope, receive, send_marked)

    def _mark(self, headers: MutableHeaders, scope: Scope) -> None:
        portal = getattr(scope["app"].state, "portal", None) if "app" in scope else None
        headers["Content-Security-Policy"] = content_policy([portal.access.issuer_origin] if portal else [])
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Frame-Options"] = "DENY"
        headers.setdefault("Referrer-Policy", "same-origin")
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        headers["X-Robots-Tag"] = "noindex, nofollow"
        headers.setdefault("Cache-Control", "no-store")
        if self._over_https:
            headers["Strict-Transport-Security"] = f"max-age={YEAR_SECONDS}; includeSubDomains"
