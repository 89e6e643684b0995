"""The issuer's pages for people: rendered on the server, under a policy that allows no script but the one of passkeys, on the
pages that offer them (decision 0022).
"""

from functools import cache
from importlib import resources
from typing import Final

from babel import Locale
from babel.dates import format_date, format_datetime
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse, Response

from cdp import languages

_TEMPLATES: Final = Environment(
    loader=PackageLoader("cdp.access.issuer"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    extensions=["jinja2.ext.i18n"],
)
_TEMPLATES.install_gettext_callables(  # type: ignore[attr-defined]
    languages.OURS.translated, languages.OURS.translated_plural, newstyle=True
)
_TEMPLATES.globals.update(
    languages=languages,
    day=lambda at: format_date(at, "medium", locale=_locale()),
    instant=lambda at: format_datetime(at, "short", locale=_locale()),
)


def page(
    template: str, *, path: str, status: int = 200, leads_to: str = "", has_script: bool = False, **values: object
) -> Response:
    """A page of the issuer at `path`. `leads_to`: the origin its form ends at, since browsers hold `form-action`
    against redirects too. `has_script`: it offers passkeys.
    """
    text = _TEMPLATES.get_template(template).render(path=path, has_script=has_script, **values)
    answer = HTMLResponse(text, status_code=status)
    answer.headers.update(
        {
            "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
            f"form-action 'self' {leads_to}".rstrip()
            + ("; script-src 'self'" if has_script else ""),
            "Cache-Control": "no-store",
            "Cross-Origin-Opener-Policy": "same-origin",
            # `no-referrer` would have browsers send `Origin: null` with the form.
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }
    )
    return answer


def stylesheet() -> Response:
    """The style of all pages."""
    return _file("issuer.css", "text/css")


def passkey_script() -> Response:
    """The one script: it asks the browser for a passkey and sends the answer with the form."""
    return _file("passkeys.js", "text/javascript")


def _locale() -> Locale:
    return Locale.parse(languages.formats_of(languages.spoken()), sep="-")


@cache
def _file(name: str, media_type: str) -> Response:
    text = resources.files("cdp.access.issuer").joinpath("templates", name).read_text(encoding="utf-8")
    headers = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return Response(text, media_type=media_type, headers=headers)
