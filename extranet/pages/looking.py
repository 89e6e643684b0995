"""Seeing the extranet as a client sees it, for staff: a link opens a page with a button, the button a view of half an hour.

While it lasts a banner stands on every page; nothing is changed and no file taken away, and the client reads in the activity that
it happened, and why.
"""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from extranet import languages
from extranet.formats import FALLBACK_TIME_ZONE, formats_for
from extranet.forms import read_form
from extranet.portal import Portal, Visit, render


async def before(request: Request) -> Response:
    """A page with a button; opening it changes nothing."""
    language = languages.language_wanted(request.headers.get("accept-language", ""))
    languages.speak(language)
    portal: Portal = request.app.state.portal
    formats = formats_for(language, FALLBACK_TIME_ZONE)
    return HTMLResponse(render(portal, "view_as.html", visit=None, f=formats))


async def begin(request: Request) -> Response:
    """Open the view."""
    portal: Portal = request.app.state.portal
    return await portal.access.open_view(request, request.path_params["ticket"])


async def end(visit: Visit) -> Response:
    """End it."""
    form = await read_form(visit.request)
    visit.portal.access.check_csrf(visit.request, form, visit.session)
    return await visit.portal.access.end_view(visit.request)
