"""Pages for what went wrong: what happened in a sentence, what to do next, and nothing of the inside.

A page for somebody signed in keeps the site's frame. It depends on the session and the kind of failure alone, so "not yours" and
"not there" are the same bytes; and on the language that a browser asks for where nobody is signed in.
"""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

import structlog
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from cdp.errors import CdpError, TooManyRequests, Unavailable
from extranet import languages
from extranet.formats import FALLBACK_TIME_ZONE, formats_for
from extranet.portal import Portal, Visit, render
from extranet.refusals import RETRY_AFTER_SECONDS
from extranet.texts import N_, _

TITLES: Final[Mapping[int, tuple[str, str]]] = MappingProxyType({
    400: (N_("That didn’t work"), N_("The address of this page holds something we can’t read.")),
    403: (N_("That isn’t open to you"), N_("Ask your company’s administrator if you think it should be.")),
    404: (N_("There is nothing here"), N_("The page doesn’t exist, or it isn’t yours to see.")),
    405: (N_("That didn’t work"), N_("This address can’t be used in that way.")),
    429: (N_("That was too much at once"), N_("Please wait a little and try again.")),
    500: (N_("Something broke on our side"), N_("It has been noted, and nothing of yours was changed. Please try again.")),
    503: (N_("We can’t answer just now"), N_("Please try again in a minute.")),
})  # fmt: skip

SENTENCES: Final[Mapping[str, str]] = MappingProxyType({
    "cross_site_request": N_("This form did not come from this site, or is too old; open the page again."),
    "form_unreadable": N_("This form arrived damaged, or with more files than are taken. Please try again."),
    "invalid_place": N_("The link to this page of the list is damaged. Start again at the first page."),
    "no_account": N_(
        "You are signed in, but no account here is yours to see; ask your account manager for an invitation."
    ),
    "sign_in_failed": N_(
        "This sign-in was refused, already used, too old, or begun in another browser; please sign in again."
    ),
    "too_long_for_paper": N_("That is more than a PDF holds. Download CSV or Excel instead."),
})  # fmt: skip
"""What a refusal says that tells people what to do, by its code; any other says what its status says."""

log = structlog.stdlib.get_logger("extranet")


async def http_failed(request: Request, error: Exception) -> Response:
    """An address or method that isn't there."""
    assert isinstance(error, HTTPException)  # noqa: S101 - Starlette calls it for nothing else
    return page(request, error.status_code, headers=error.headers)


async def refused(request: Request, error: Exception) -> Response:
    """A refusal of ours; its own sentence is shown where it tells people what to do."""
    assert isinstance(error, CdpError)  # noqa: S101 - registered for this class
    if error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("page failed", code=error.code, reason=error.ids.get("reason"))
    says = SENTENCES.get(error.code)
    says_when = isinstance(error, Unavailable | TooManyRequests)
    headers = {"Retry-After": str(error.ids["retry_after_seconds"])} if says_when else None
    return page(request, error.http_status, says=says, headers=headers)


async def unreachable(request: Request, error: Exception) -> Response:
    """The database does not answer in time."""
    log.error("the database does not answer", kind=type(error).__name__)
    return page(
        request, HTTPStatus.SERVICE_UNAVAILABLE, framed=False, headers={"Retry-After": str(RETRY_AFTER_SECONDS)}
    )


async def broke(request: Request, _error: Exception) -> Response:
    """A fault of ours. The server logs it; the page tells nothing of it."""
    return page(request, HTTPStatus.INTERNAL_SERVER_ERROR, framed=False)


def page(
    request: Request,
    status: int,
    *,
    says: str | None = None,
    framed: bool = True,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The failure's page; `framed` keeps navigation for somebody signed in."""
    status = int(status)
    title, sentence = TITLES.get(status) or TITLES[500 if status >= HTTPStatus.INTERNAL_SERVER_ERROR else 400]
    portal: Portal | None = getattr(request.app.state, "portal", None)
    if portal is None:
        return PlainTextResponse(_(title), status_code=status, headers=headers)
    visit: Visit | None = getattr(request.state, "visit", None) if framed else None
    wanted = languages.language_wanted(request.headers.get("accept-language", ""))
    languages.speak(languages.language_of(visit.session.locale) if visit else wanted)
    formats = visit.formats if visit else formats_for(wanted, FALLBACK_TIME_ZONE)
    text = render(
        portal, "failure.html", visit=visit, f=formats, title=_(title), sentence=_(says or sentence), status=status
    )
    return HTMLResponse(text, status_code=status, headers=headers)


FAILURES: Final[Mapping[Any, Any]] = MappingProxyType({
    HTTPException: http_failed,
    CdpError: refused,
    PoolTimeout: unreachable,
    OperationalError: unreachable,
    Exception: broke,
})  # fmt: skip
