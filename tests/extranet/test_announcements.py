"""Announcements: told on the home pages of those they are for, until they end, are withdrawn, or somebody puts them away."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from cdp.access.viewer import Scope, Tool
from cdp.db.engine import connect
from cdp.db.ids import format_id
from cdp.schema import open_graph
from tests.extranet.business import TODAY
from tests.extranet.conftest import Site, running_site
from tests.extranet.reading import read

FINANCE, BUYER, OTHER = "finance@lusitania.example", "buyer@lusitania.example", "admin@zeppelin.example"
CREATE = """mutation($input: AnnouncementCreateInput!) {
  announcementCreate(input: $input) { announcement { id } userErrors { code } }
}"""
WITHDRAW = "mutation($id: ID!) { announcementWithdraw(input: { announcementId: $id }) { userErrors { code } } }"
WRITER = Tool(client_id="crm", scopes=frozenset({Scope.GRAPH_READ, Scope.GRAPH_WRITE}), acting_for="marta-subject")


@pytest.fixture(scope="module")
def site(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(shared_database_url, tmp_path_factory.mktemp("data")) as site:
        yield site


@pytest.fixture(autouse=True)
def _none_yet(site: Site) -> None:
    with connect(site.database_url, "cdp_app") as connection:
        connection.execute("UPDATE announcement SET withdrawn_at = now()")


def ask(site: Site, document: str, viewer: Any = WRITER, **variables: Any) -> Any:
    async def run() -> Any:
        async with open_graph(site.database_url, "cdp_app", writes=site.database_url) as graph:
            return await graph.execute(document, variables, viewer, today=TODAY)

    return asyncio.run(run())


def tell(site: Site, title: str, **more: str) -> str:
    result = ask(site, CREATE, input={"title": title, "body": "First.\n\nSecond.", **more})
    assert result.errors == []
    assert result.data["announcementCreate"]["userErrors"] == []
    made: str = result.data["announcementCreate"]["announcement"]["id"]
    return made


def told(site: Site, email: str) -> list[str]:
    with site.as_member(email) as member:
        shown = read(member.get("/").text)
    return [each.one("h3").text for each in shown.all("article", class_="announcement")]


def test_an_announcement_reaches_those_it_is_for_latest_first(site: Site) -> None:
    own = format_id("acc", site.business.accounts["K-1001"])
    tell(site, "For all")
    tell(site, "For one", accountId=own)
    tell(site, "For key accounts", tier="KEY")
    tell(site, "For others", tier="STANDARD")
    assert told(site, FINANCE) == ["For key accounts", "For one", "For all"]
    assert told(site, OTHER) == ["For key accounts", "For all"]


def test_who_read_it_sees_it_no_more_and_others_do(site: Site) -> None:
    named = tell(site, "Closed on Friday")
    with site.as_member(BUYER) as member:
        token = read(member.get("/").text).all("input", name="csrf_token")[0].attributes["value"]
        for _ in range(2):
            answer = member.post("/announcements/put-away", data={"csrf_token": token, "announcement": named})
            assert answer.headers["location"] == "/"
        assert member.post("/announcements/put-away", data={"announcement": named}).status_code == 403
    assert told(site, BUYER) == []
    assert told(site, FINANCE) == ["Closed on Friday"]


def test_nobody_puts_away_what_is_not_for_them(site: Site) -> None:
    named = tell(site, "For one", accountId=format_id("acc", site.business.accounts["K-1001"]))
    with site.as_member(OTHER) as member:
        token = read(member.get("/").text).all("input", name="csrf_token")[0].attributes["value"]
        assert (
            member.post("/announcements/put-away", data={"csrf_token": token, "announcement": named}).status_code == 303
        )
    with connect(site.database_url, "cdp_app") as connection:
        read_by = connection.execute(
            "SELECT count(*) FROM announcement_read WHERE announcement_id = %s", [named.removeprefix("ann_")]
        ).fetchone()
    assert read_by == (0,)


def test_what_is_over_or_withdrawn_is_not_told(site: Site) -> None:
    tell(site, "Over", endsOn="2026-11-20")
    tell(site, "Ends later", endsOn="2099-12-31")
    withdrawn = tell(site, "Withdrawn")
    assert ask(site, WITHDRAW, id=withdrawn).data["announcementWithdraw"]["userErrors"] == []
    assert told(site, FINANCE) == ["Ends later"]


def test_mistakes_are_told_and_only_writers_announce(site: Site) -> None:
    for wrong, code in (
        ({"title": " ", "body": "x"}, "text_invalid"),
        ({"title": "x", "body": "y" * 2001}, "text_invalid"),
        ({"title": "x", "body": "y", "accountId": "acc_" + "0" * 32}, "account_not_found"),
    ):
        errors = ask(site, CREATE, input=wrong).data["announcementCreate"]["userErrors"]
        assert [error["code"] for error in errors] == [code]
    reader = Tool(client_id="bi", scopes=frozenset({Scope.GRAPH_READ}))
    refused = ask(site, CREATE, reader, input={"title": "x", "body": "y"})
    assert [error["extensions"]["code"] for error in refused.errors] == ["scope_missing"]
    assert told(site, FINANCE) == []
