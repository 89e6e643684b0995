"""Step-up: pages that want to know that it is still the same person, such as the administration of people.

A member whose sign-in is older is sent to the issuer with `max_age`, and back to the page; the relying party checks `auth_time`
on the way, and here the session's word for it is checked again at every request.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode, urlsplit

from starlette.responses import RedirectResponse, Response

from extranet.portal import Visit

FIFTEEN_MINUTES: Final = 900
Page = Callable[[Visit], Awaitable[Response]]


def recently_signed_in(page: Page, *, max_age_seconds: int = FIFTEEN_MINUTES) -> Page:
    """`page` for a member who signed in no longer ago than this; others sign in again first.

        Route("/people", signed_in(recently_signed_in(people.listing)))

    A form that comes too late is not carried out: one signs in and lands on the page that the form stood on.
    """

    async def checked(visit: Visit) -> Response:
        # By the clock on the wall, which the issuer's word is of; the portal's own clock says what day the books are at.
        if visit.session.is_recent(datetime.now(UTC), max_age_seconds=max_age_seconds):
            return await page(visit)
        asked = urlencode({"next": _page_of(visit), "max_age": max_age_seconds})
        return RedirectResponse(f"/sign-in?{asked}", status_code=303)

    return checked


def _page_of(visit: Visit) -> str:
    request = visit.request
    if request.method == "GET":
        return request.url.path + (f"?{request.url.query}" if request.url.query else "")
    referrer = urlsplit(request.headers.get("referer", ""))
    # Only its path is taken, so it is a page of this site whoever wrote the header.
    return referrer.path or "/"
