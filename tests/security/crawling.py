"""Walks the extranet as a member: every link and form from the pages without parameters on, one of each shape."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx2
from starlette.routing import Match, Route

from cdp.settings import load_settings
from extranet.app import ROUTES, create_app
from tests.extranet.reading import Element, read

SITE: Final = "http://localhost:8001"
TYPED_ID: Final = re.compile(r"[a-z]{2,5}_[0-9a-f]{32}")
NOW: Final = datetime(2026, 7, 1, 12, tzinfo=UTC)
OF_A_SHAPE: Final = 4
# What ends the session that the walk has, or belongs to nobody who is signed in.
LEFT_ALONE: Final = {
    "/sign-out", "/sessions/end", "/sessions/end-all", "/end-view", "/account", "/sign-in", "/auth/callback",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Form:
    """A form that changes something, with what would be sent."""

    action: str
    fields: dict[str, str]


@dataclass(slots=True)
class Walk:
    """What was found: answers by address, and forms by the shape of their address."""

    answers: dict[str, httpx2.Response] = field(default_factory=dict)
    forms: dict[str, Form] = field(default_factory=dict)


@asynccontextmanager
async def visiting(url: str, folder: Path, who: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser without eyes, signed in as the member of a role, or as somebody else who has a session."""
    settings = load_settings(
        extranet_url=SITE,
        public_url="http://localhost:8000",
        portal_database_url=url,
        rate_exports="100000/minute",
        data_dir=folder,
        secret_key="s" * 48,
    )
    app = create_app(settings, now=lambda: NOW)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app, raise_app_exceptions=False),
            base_url=SITE,
            cookies={"sid": secret_of(who)},
            timeout=60,
        ) as browser,
    ):
        yield browser


def secret_of(who: str) -> str:
    """The session cookie of the member of a role, or of somebody else."""
    return f"session-of-{who}".ljust(43, "x")


async def walk(browser: httpx2.AsyncClient) -> Walk:
    """Every page and file that links and forms lead to, one of each route with the same parameters, a few of one thing."""
    found, seen = Walk(), Counter[str]()
    waiting = [route.path for route in ROUTES if isinstance(route, Route) and "{" not in route.path]
    while waiting:
        address = waiting.pop(0)
        most = OF_A_SHAPE if TYPED_ID.search(urlsplit(address).path) else 1
        shape, path = shape_of(address), urlsplit(address).path
        if seen[shape] >= most or address in found.answers or path in LEFT_ALONE:
            continue
        seen[shape] += 1
        answer = found.answers[address] = await browser.get(address)
        if "text/html" in answer.headers.get("content-type", "") and answer.text:
            page = read(answer.text)
            waiting += [
                _within(address, link.attributes["href"]) for link in page.all("a") if link.attributes.get("href")
            ]
            waiting += [search for form in page.all("form") for search in _searches(address, form)]
            for form in page.all("form", method="post"):
                action = _within(address, form.attributes.get("action") or address)
                if action and urlsplit(action).path not in LEFT_ALONE:
                    found.forms.setdefault(shape_of(action), Form(action, filled(form)))
        waiting = [each for each in waiting if each]
    return found


def shape_of(address: str) -> str:
    """The route that an address is of, and which parameters it has."""
    split = urlsplit(address)
    names = sorted(name for name, _ in parse_qsl(split.query, keep_blank_values=True))
    return f"{route_of(split.path)}?{','.join(names)}"


def route_of(path: str) -> str:
    """The path of the route that answers."""
    scope = {"type": "http", "path": path, "method": "GET", "root_path": ""}
    for route in ROUTES:
        if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE:
            return route.path
    return path


def filled(form: Element) -> dict[str, str]:
    """A form's fields as they would be sent: what stands in them, the first of a choice, an x where one must write."""
    fields = {
        one.attributes["name"]: one.attributes.get("value") or ("" if one.attributes.get("type") == "hidden" else "x")
        for one in form.all("input")
        if one.attributes.get("name") and one.attributes.get("type") not in {"file", "submit", "checkbox"}
    }
    fields |= {
        one.attributes["name"]: next((option.attributes.get("value", "") for option in one.all("option")), "")
        for one in form.all("select")
    }
    return fields | {one.attributes["name"]: "x" for one in form.all("textarea")}


def _searches(address: str, form: Element) -> list[str]:
    if form.attributes.get("method", "get") != "get":
        return []
    query = "&".join(f"{name}={value}" for name, value in filled(form).items() if TYPED_ID.search(value))
    action = _within(address, form.attributes.get("action") or address)
    return [f"{action.partition('?')[0]}?{query}"] if query else []


def _within(address: str, link: str) -> str:
    """An address of this site, relative to its root; empty for any other."""
    found = urljoin(SITE + address, link)
    return found.removeprefix(SITE).partition("#")[0] if found.startswith(SITE + "/") else ""
