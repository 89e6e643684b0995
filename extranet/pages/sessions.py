"""Signing in and out, switching account, and the member's own sessions. The work is done by `cdp.access`; this is its face."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from cdp.access.devices import device_told
from cdp.access.portal import LogoutRefused
from extranet import languages
from extranet.formats import FALLBACK_TIME_ZONE, formats_for
from extranet.forms import read_form
from extranet.portal import Portal, Visit, render


async def sign_in(request: Request) -> Response:
    """Off to the issuer, which is asked to speak as we do: whoever is to prove who they are once more has a language already."""
    access = _portal(request).access
    session = await access.session_of(request)
    wanted = languages.language_wanted(request.headers.get("accept-language", ""))
    return await access.begin_sign_in(request, ui_locales=session.locale if session else wanted)


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
    language = languages.language_wanted(request.headers.get("accept-language", ""))
    languages.speak(language)
    formats = formats_for(language, FALLBACK_TIME_ZONE)
    return HTMLResponse(render(_portal(request), "signed_out.html", visit=None, f=formats))


async def listing(visit: Visit) -> Response:
    """The member's sessions, and where they change password and second factors."""
    url = visit.portal.access.security_url
    return visit.page(
        "sessions.html",
        sessions=await visit.portal.access.sessions_of(visit.request),
        security_url=url and f"{url}?{urlencode({'ui_locales': languages.spoken()})}",
        has_ended="ended" in visit.query,
        device_told=device_told,
    )


async def end_one(visit: Visit) -> Response:
    """End one of them. One that is over already is what was wanted."""
    form = await read_form(visit.request)
    visit.portal.access.check_csrf(visit.request, form, visit.session)
    await visit.portal.access.end_session(visit.request, form.get("session", ""))
    return RedirectResponse("/sessions?ended", status_code=303)


async def end_all(visit: Visit) -> Response:
    """Sign out everywhere."""
    form = await read_form(visit.request)
    visit.portal.access.check_csrf(visit.request, form, visit.session)
    return await visit.portal.access.sign_out_everywhere(visit.request)


async def back_channel_logout(request: Request) -> Response:
    """The issuer says that a session is over (OpenID Connect Back-Channel Logout 1.0 §2.5). Comes from the issuer, not from a
    browser: the signed token is all that counts.
    """
    form = await read_form(request)
    try:
        await _portal(request).access.back_channel_logout(form.get("logout_token", ""))
    except LogoutRefused as error:
        told = {"error": "invalid_request", "error_description": error.message}
        return JSONResponse(told, status_code=400, headers={"Cache-Control": "no-store"})
    return Response(status_code=200, headers={"Cache-Control": "no-store"})


def _portal(request: Request) -> Portal:
    portal: Portal = request.app.state.portal
    return portal
