"""Preferences of the person who reads: what they want to be told, how and how often; consents; language and time zone. And the
page behind the links that stop letters, which works without signing in (RFC 8058).
"""

from collections.abc import Mapping
from datetime import date
from http import HTTPStatus
from types import MappingProxyType
from typing import Final
from zoneinfo import available_timezones

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from cdp.access.unsubscribing import topic_in
from extranet import languages
from extranet.formats import FALLBACK_TIME_ZONE, formats_for
from extranet.forms import read_form
from extranet.portal import Portal, Visit, render
from extranet.preferences import (
    BY_PHONE,
    CHANNEL,
    CONSENT,
    FREQUENCY,
    MEANS,
    STOP_WORDING,
    TOPIC,
    WORDING_VERSION,
    Preferences,
)
from extranet.refusals import PageNotFound
from extranet.texts import N_, _

ONE_CLICK: Final = "One-Click"
"""The field List-Unsubscribe of a mail reader's POST, and of the button's (RFC 8058 §3.2)."""
MISTAKES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType({
    "pause_invalid": ("paused", N_("A pause ends on a day to come, at most a year away.")),
    "time_zone_unknown": ("zone", N_("Choose a time zone from the list.")),
    "language_unknown": ("language", N_("Choose a language from the list.")),
})  # fmt: skip


async def show(visit: Visit) -> Response:
    """What holds now."""
    return _sheet(visit, await _preferences(visit))


async def save(visit: Visit) -> Response:
    """Save topics, pause, language and time zone."""
    form = await visit.read_own_form()
    paused = form.get("paused", "").strip()
    try:
        until = date.fromisoformat(paused).isoformat() if paused else None
    except ValueError:
        return _sheet(visit, await _preferences(visit), form, "pause_invalid")
    found = await _preferences(visit)
    choices = [
        {"topic": each.topic, "channel": each.channel, "frequency": form[each.name]}
        for each in found.choices
        if form.get(each.name) in (FREQUENCY if each.channel == "email" else BY_PHONE)
    ]
    _payload, mistakes = await visit.change(
        "preferences_save",
        msgspec.Struct,
        "preferencesSave",
        choices=choices,
        pausedUntil=until,
        language=form.get("language", ""),
        timeZone=form.get("zone", ""),
    )
    if mistakes:
        return _sheet(visit, found, form, mistakes[0].code)
    return RedirectResponse("/preferences?saved", status_code=303)


async def consent(visit: Visit) -> Response:
    """Grant or withdraw one consent, with the words that stood beside the button."""
    form = await visit.read_own_form()
    purpose = form.get("purpose", "")
    if purpose not in CONSENT:
        raise PageNotFound
    await visit.change(
        "consent_record",
        msgspec.Struct,
        "consentRecord",
        purpose=purpose,
        granted=form.get("granted") == "yes",
        wordingVersion=WORDING_VERSION,
        wording=_(CONSENT[purpose][1]),
        language=languages.spoken(),
    )
    return RedirectResponse("/preferences?saved#consents", status_code=303)


async def before_unsubscribing(request: Request) -> Response:
    """A page with a button; opening it changes nothing, because mail scanners open links."""
    return _unsubscribe_page(request, is_done=False)


async def unsubscribe(request: Request) -> Response:
    """Stop the letters that the link names; the answer is the same whatever the link is worth."""
    _speak(request)
    form = await read_form(request)
    if form.get("List-Unsubscribe") != ONE_CLICK:
        return _unsubscribe_page(request, is_done=False)
    portal: Portal = request.app.state.portal
    await portal.access.unsubscribe(request.path_params["token"], wording=_(STOP_WORDING))
    return _unsubscribe_page(request, is_done=True)


async def _preferences(visit: Visit) -> Preferences:
    found = await visit.ask("preferences", Preferences, ("viewer", "preferences"))
    if found is None:
        raise PageNotFound
    return found


def _sheet(
    visit: Visit, found: Preferences, form: Mapping[str, str] | None = None, mistake: str | None = None
) -> Response:
    field, problem = MISTAKES.get(mistake or "", ("", N_("That can’t be saved.")))
    return visit.page(
        "preferences.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if mistake else HTTPStatus.OK,
        found=found,
        form=form or {},
        wrong=field if mistake else None,
        problem=_(problem) if mistake else None,
        has_saved="saved" in visit.query,
        topics=TOPIC,
        channels=CHANNEL,
        frequencies=FREQUENCY,
        by_phone=BY_PHONE,
        consents=CONSENT,
        means=MEANS,
        zones=[*sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/")), "UTC"],
    )


def _unsubscribe_page(request: Request, *, is_done: bool) -> Response:
    language = _speak(request)
    token = request.path_params["token"]
    about = TOPIC.get(topic_in(token) or "")
    formats = formats_for(language, FALLBACK_TIME_ZONE)
    text = render(
        request.app.state.portal,
        "unsubscribe.html",
        visit=None,
        f=formats,
        is_done=is_done,
        about=about and _(about[0]),
    )
    return HTMLResponse(text)


def _speak(request: Request) -> str:
    language = languages.language_wanted(request.headers.get("accept-language", ""))
    languages.speak(language)
    return language
