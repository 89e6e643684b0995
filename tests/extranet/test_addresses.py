"""The lists of pages and files hold every route that is read: who adds a page has it walked, weighed and counted."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from starlette.routing import Mount, Route

from extranet.app import ROUTES
from tests.extranet.addresses import (
    FILES,
    FILTERED,
    FINANCE,
    LUSITANIA,
    NO_PAGES,
    OF_ADMINISTRATORS,
    PAGES,
    named,
    pages,
)
from tests.extranet.conftest import Site

ENDINGS = (".csv", ".pdf", ".xlsx", "/cases/files/{id}")
CATCH_ALL = "/{anything:path}"


def read_routes() -> Iterator[Route]:
    """Routes that answer GET with a page or a file."""
    for route in ROUTES:
        if isinstance(route, Mount):
            assert route.path == "/static"
        elif "GET" in (route.methods or ()):
            yield route


def route_of(address: str) -> str:
    """The path of the first route that takes an address, as the application goes through them."""
    path = urlsplit(address).path
    return next(route.path for route in read_routes() if route.path_regex.match(path))


def test_every_page_and_every_file_has_an_address_in_the_lists() -> None:
    listed = {route_of(address) for address in (*PAGES, *FILTERED, *OF_ADMINISTRATORS, *FILES)} | set(NO_PAGES)
    assert sorted({route.path for route in read_routes()} - listed) == []
    assert {path for path in NO_PAGES if path not in {route.path for route in read_routes()}} == set()


def test_an_address_is_in_the_list_that_it_belongs_to() -> None:
    assert [path for path in (*PAGES, *FILTERED, *OF_ADMINISTRATORS) if route_of(path).endswith(ENDINGS)] == []
    assert [path for path in FILES if not route_of(path).endswith(ENDINGS)] == []
    assert [path for path in (*PAGES, *FILTERED, *OF_ADMINISTRATORS) if route_of(path) == CATCH_ALL] == [
        "/nothing-here"
    ]


def test_every_address_answers_as_what_it_is(site: Site) -> None:
    with site.as_member(LUSITANIA) as administrator:
        answers = {path: administrator.get(path) for path in pages(site, filtered=True)}
    odd = {path: answer.status_code for path, answer in answers.items() if answer.status_code != 200}
    assert odd == {
        "/statement?from=2026-02-31": 400,
        "/orders?from=2026-02-31": 400,
        "/cases?show=nonsense": 400,
        "/nothing-here": 404,
    }
    assert {answer.headers["content-type"] for answer in answers.values()} == {"text/html; charset=utf-8"}
    with site.as_member(FINANCE) as member:
        files = {path: member.get(named(site, path)) for path in FILES}
    assert {path: answer.status_code for path, answer in files.items() if answer.status_code != 200} == {}
    assert {
        path for path, answer in files.items() if "attachment" not in answer.headers["content-disposition"]
    } == set()
