"""The issuer's pages for people: rendered on the server, without script, under a policy that forbids any."""

from functools import cache
from importlib import resources
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse, Response

_TEMPLATES: Final = Environment(
    loader=PackageLoader("cdp.access.issuer"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(template: str, *, path: str, status: int = 200, leads_to: str = "", **values: object) -> Response:
    """A page of the issuer at `path`. `leads_to`: the origin its form ends at, since browsers hold `form-action`
    against redirects too.
    """
    text = _TEMPLATES.get_template(template).render(path=path, **values)
    answer = HTMLResponse(text, status_code=status)
    answer.headers.update(
        {
            "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
            f"form-action 'self' {leads_to}".rstrip(),
            "Cache-Control": "no-store",
            "Cross-Origin-Opener-Policy": "same-origin",
            # `no-referrer` would have browsers send `Origin: null` with the form.
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }
    )
    return answer


@cache
def stylesheet() -> Response:
    """The style of all pages."""
    text = resources.files("cdp.access.issuer").joinpath("templates", "issuer.css").read_text(encoding="utf-8")
    headers = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return Response(text, media_type="text/css", headers=headers)
