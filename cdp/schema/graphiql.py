"""GraphiQL, for people who find the endpoint with a browser: the page, its policy, and the files it needs.

Everything comes from this package (`graphiql_assets/`, whose README names the versions); the page asks no third party and
its policy would let it ask none. It holds no secret: whoever uses it brings a client or a token of their own.
"""

import hashlib
import secrets
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from cdp.settings import Settings

ASSETS: Final = Path(__file__).parent / "graphiql_assets"
SERVED: Final = frozenset({".css", ".js"})


def page(settings: Settings) -> Response:
    """The page, with the examples as tabs."""
    nonce = secrets.token_urlsafe(16)
    told = {
        "tokenPath": "idp/token" if settings.issuer_is_embedded else None,
        "examples": examples(datetime.now(UTC).date()),
    }
    text = _templates().render(
        seller=settings.seller_name,
        settings=Markup(orjson.dumps(told).decode().replace("<", "\\u003c")),  # noqa: S704 - JSON that can't end its element
        nonce=nonce,
        token_path=told["tokenPath"],
        token_url=f"{settings.issuer}/token",
        issuer=settings.issuer,
        audience=settings.public_url,
    )
    return HTMLResponse(text, headers=_headers(nonce))


def examples(today: date) -> list[dict[str, str]]:
    """The tabs to begin with: `query` and `variables`, as GraphiQL takes them."""
    given: dict[str, Any] = {
        "2-recognise": {"known": [{"namespace": "email", "value": "somebody@example.com"}]},
        "3-account-statement": {"to": today.isoformat()},
        "4-late-orders": {"after": None},
    }
    return [
        {
            "query": path.read_text(encoding="utf-8"),
            "variables": orjson.dumps(given.get(path.stem, {}), option=orjson.OPT_INDENT_2).decode(),
        }
        for path in sorted((ASSETS / "examples").glob("*.graphql"))
    ]


def asset_routes() -> Mount:
    """The files of the page, compressed, kept by browsers for good: an address names its content."""
    return Mount("/graphql/assets", app=_Files(directory=ASSETS), middleware=[Middleware(GZipMiddleware)])


def _headers(nonce: str) -> dict[str, str]:
    # The nonce is for the one style element that GraphiQL's menus add; no inline script runs, with or without it.
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": f"'self' 'nonce-{nonce}'",
        "img-src": "data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


class _Files(StaticFiles):
    """Scripts and style sheets only."""

    def lookup_path(self, path: str) -> Any:
        if Path(path).suffix not in SERVED:
            return "", None
        return super().lookup_path(path)

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


@cache
def _asset(name: str) -> str:
    """Address of a file, relative to the endpoint, with its fingerprint."""
    return f"graphql/assets/{name}?v={hashlib.sha256((ASSETS / name).read_bytes()).hexdigest()[:12]}"


@cache
def _templates() -> Any:
    made = Environment(loader=FileSystemLoader(ASSETS), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    made.globals["asset"] = _asset
    return made.get_template("page.html")
