"""One's own sessions, and pages that want a recent sign-in: over HTTP, as members meet them."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from cdp.db.engine import connect
from extranet.app import ROUTES, signed_in
from extranet.portal import Visit
from extranet.recently import recently_signed_in
from tests.extranet.conftest import Site, running_site, sign_in
from tests.extranet.reading import read

FINANCE, BUYER = "finance@lusitania.example", "buyer@lusitania.example"


async def _sensitive(visit: Visit) -> Response:
    return PlainTextResponse(f"{visit.request.method} by {visit.session.email}")


@pytest.fixture(scope="module")
def guarded(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site with one page more, which wants a sign-in of the last five minutes."""
    page = signed_in(recently_signed_in(_sensitive, max_age_seconds=300))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("extranet.app.ROUTES", (Route("/sensitive", page, methods=["GET", "POST"]), *ROUTES))
        with running_site(shared_database_url, tmp_path_factory.mktemp("guarded")) as running:
            yield running


def browser() -> httpx2.Client:
    return httpx2.Client(follow_redirects=True, timeout=20)


def long_ago(site: Site) -> None:
    with connect(site.database_url, None) as connection:
        for table in ("login_session", "idp_session"):
            connection.execute(f"UPDATE {table} SET authenticated_at = now() - interval '6 minutes'".encode())


def test_who_signed_in_long_ago_signs_in_again_and_comes_back(guarded: Site) -> None:
    with browser() as member:
        sign_in(member, guarded.url, FINANCE)
        assert member.get(f"{guarded.url}/sensitive").text == f"GET by {FINANCE}"
        long_ago(guarded)
        asked = member.get(f"{guarded.url}/sensitive?page=2", follow_redirects=False)
        target = urlsplit(asked.headers["location"])
        assert (target.path, parse_qs(target.query)) == (
            "/sign-in",
            {"next": ["/sensitive?page=2"], "max_age": ["300"]},
        )
        page = member.get(f"{guarded.url}/sensitive?page=2")
        assert page.url.path == "/idp/authorize"  # signed in at the issuer, and asked all the same
        landed = sign_in(member, guarded.url, FINANCE, page="/sensitive?page=2")
        assert (landed.url.path, landed.text) == ("/sensitive", f"GET by {FINANCE}")


def test_a_form_that_comes_too_late_is_not_carried_out_and_leads_back_to_its_page(guarded: Site) -> None:
    with browser() as member:
        sign_in(member, guarded.url, FINANCE)
        long_ago(guarded)
        for referrer, back in (
            (f"{guarded.url}/people", "/people"),
            ("https://evil.example//evil.example", "//evil.example"),  # then refused as no path of this site
            (None, "/"),
        ):
            headers = {"Referer": referrer} if referrer else {}
            answer = member.post(f"{guarded.url}/sensitive", headers=headers, follow_redirects=False)
            assert answer.status_code == 303
            assert parse_qs(urlsplit(answer.headers["location"]).query)["next"] == [back]


def test_a_member_sees_their_sessions_and_ends_another(guarded: Site) -> None:
    with browser() as here, browser() as there:
        there.headers["User-Agent"] = "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"
        sign_in(there, guarded.url, BUYER)
        sign_in(here, guarded.url, BUYER)
        page = read(here.get(f"{guarded.url}/sessions").text)
        assert "Firefox on Windows" in page.text
        assert f"{guarded.issuer}/idp/security" in here.get(f"{guarded.url}/sessions").text
        form = page.one("form", action="/sessions/end")
        fields = {one.attributes["name"] or "": one.attributes["value"] or "" for one in form.all("input")}
        forged = here.post(f"{guarded.url}/sessions/end", data={**fields, "csrf_token": "forged"})
        assert forged.status_code == 403
        ended = here.post(f"{guarded.url}/sessions/end", data=fields)
        assert (ended.url.path, "That session has ended." in ended.text) == ("/sessions", True)
        assert there.get(f"{guarded.url}/", follow_redirects=False).headers["location"] == "/sign-in"
        assert here.get(f"{guarded.url}/").url.path == "/"
        out = here.post(f"{guarded.url}/sessions/end-all", data={"csrf_token": fields["csrf_token"]})
        assert out.url.path == "/signed-out"
        assert here.get(f"{guarded.url}/").url.path == "/idp/authorize"  # nor is there a session at the issuer


def test_a_back_channel_call_that_proves_nothing_is_refused_in_the_standard_s_words(guarded: Site) -> None:
    with browser() as issuer:
        answer = issuer.post(f"{guarded.url}/auth/back-channel-logout", data={"logout_token": "garbage"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert answer.headers["cache-control"] == "no-store"
