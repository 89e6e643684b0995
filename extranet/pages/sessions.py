"""Signing in and out and switching account. The work is done by `cdp.access`; this is its face."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from cdp.errors import TooLarge
from extranet.formats import FALLBACK_LOCALE, FALLBACK_TIME_ZONE, formats_for
from extranet.portal import Portal, Visit, render

LONGEST_FORM_BYTES: Final = 16_384


async def sign_in(request: Request) -> Response:
    """Off to the issuer."""
    return await _portal(request).access.begin_sign_in(request)


async def callback(request: Request) -> Response:
    """Back from the issuer."""
    return await _portal(request).access.complete_sign_in(request)


async def choose_account(visit: Visit) -> Response:
    """The member's accounts, each with a button."""
    return visit.page("account.html")


async def switch_account(visit: Visit) -> Response:
    """To another of the member's accounts."""
    form = await read_form(visit.request)
    visit.portal.access.check_csrf(visit.request, form, visit.session)
    return await visit.portal.access.switch_account(visit.request, visit.session, form.get("number", ""))


async def sign_out(request: Request) -> Response:
    """End the session, here and at the issuer. Without a session there is nothing to end."""
    portal = _portal(request)
    session = await portal.access.session_of(request)
    if session is None:
        return RedirectResponse("/signed-out", status_code=303)
    request.state.visit = Visit(portal=portal, request=request, session=session)
    form = await read_form(request)
    portal.access.check_csrf(request, form, session)
    return await portal.access.sign_out(request, session)


async def signed_out(request: Request) -> Response:
    """Where the issuer sends people after signing out."""
    formats = formats_for(FALLBACK_LOCALE, FALLBACK_TIME_ZONE)
    return HTMLResponse(render(_portal(request), "signed_out.html", visit=None, f=formats))


async def read_form(request: Request) -> Mapping[str, str]:
    """The fields of a form as browsers send it. Raises TooLarge; what is no form has no fields."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FORM_BYTES:
            raise TooLarge(limit_bytes=LONGEST_FORM_BYTES)
    return dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True))


def _portal(request: Request) -> Portal:
    portal: Portal = request.app.state.portal
    return portal
